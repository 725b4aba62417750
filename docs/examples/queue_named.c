/*
 * Two programs that neither started the other by yoke: each opens the domain and the queues in it by name. Here the second
 * is this program once more, run by the shell with arguments, as anybody could run it at another terminal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yoke/yoke.h>

/* The other program: doubles numbers until there are no more. */
static int doubler(const char *domain_name)
{
    yoke_domain *domain;
    yoke_queue  *numbers, *results;
    char         number[16];
    int          rc;

    YOKE_CHECK(yoke_domain_open(&domain, domain_name, YOKE_OPTIONS(yoke_domain_options, .mode = YOKE_OPEN)));
    YOKE_CHECK(yoke_queue_open(&numbers, domain, "numbers"));
    YOKE_CHECK(yoke_queue_open(&results, domain, "results"));
    while ((rc = yoke_queue_get_string(numbers, number, sizeof number, YOKE_FOREVER)) == YOKE_OK)
        YOKE_CHECK(yoke_queue_put_format(results, YOKE_FOREVER, "%d", 2 * atoi(number)));
    yoke_queue_close(numbers);
    yoke_queue_close(results);
    yoke_domain_close(domain);
    return rc == YOKE_ESHUTDOWN ? 0 : 1;
}

static yoke_queue *create(yoke_domain *domain, const char *name)
{
    yoke_queue *queue;

    YOKE_CHECK(yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .domain = domain, .name = name)));
    return queue;
}

int main(int argc, char **argv)
{
    yoke_domain *domain;
    yoke_queue  *numbers, *results;
    char         name[48], number[16], command[4200];

    yoke_main(argc, argv);
    if (argc == 3 && strcmp(argv[1], "double") == 0)
        return doubler(argv[2]);

    snprintf(name, sizeof name, "numbers-%lld", (long long)yoke_process_pid(yoke_process_current()));
    YOKE_CHECK(yoke_domain_open(&domain, name, YOKE_OPTIONS(yoke_domain_options, .mode = YOKE_CREATE)));
    numbers = create(domain, "numbers");
    results = create(domain, "results");
    for (int i = 1; i <= 3; i++)
        YOKE_CHECK(yoke_queue_put_format(numbers, YOKE_FOREVER, "%d", i));
    if (yoke_queue_shutdown(numbers, YOKE_DRAIN) < 0)
        YOKE_CHECK(yoke_last_error()->code);

    snprintf(command, sizeof command, "\"%s\" double %s", argv[0], name);
    printf("the other program ended with %d\n", system(command));
    while (yoke_queue_get_string(results, number, sizeof number, YOKE_NOWAIT) == YOKE_OK) /* what it put outlives it */
        puts(number);
    yoke_queue_close(numbers);
    yoke_queue_close(results);
    yoke_domain_close(domain);
    return 0;
}
