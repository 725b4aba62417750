/* Which domains are there, and what do dead programs leave? One makes a domain and is killed; what it left is removed. */
#include <stdio.h>
#include <string.h>
#include <yoke/yoke.h>

static char name[48];

/* Opens the domain, says so, and is killed before it closes it. */
static int careless(const yoke_args *args)
{
    yoke_domain *domain;
    yoke_queue  *told = yoke_args_queue(args, 1);
    char         never[8];

    YOKE_TRY(yoke_domain_open(&domain, yoke_args_string(args, 0), NULL));
    YOKE_TRY(yoke_queue_put_string(told, "in it", YOKE_FOREVER));
    return yoke_queue_get_string(yoke_args_queue(args, 2), never, sizeof never, YOKE_FOREVER);
}

static bool show(void *user, const yoke_domain_info *info)
{
    (void)user;
    if (strcmp(info->name, name) == 0)
        printf("ours: %u alive, %u dead, permissions %04o\n", (unsigned)info->alive, (unsigned)info->dead,
               info->permissions);
    return true;
}

static void show_all(void)
{
    int64_t count = yoke_domain_list(show, NULL);

    if (count < 0)
        YOKE_CHECK((int)count);
}

int main(int argc, char **argv)
{
    yoke_domain  *domain;
    yoke_process *process;
    yoke_queue   *told, *empty;
    char          line[16];

    yoke_main(argc, argv);
    snprintf(name, sizeof name, "example-list-%lld", (long long)yoke_process_pid(yoke_process_current()));
    YOKE_CHECK(yoke_domain_open(&domain, name, YOKE_OPTIONS(yoke_domain_options, .permissions = 0660)));
    show_all();
    printf("reclaimed while in use: %d\n", (int)yoke_domain_reclaim(name));
    yoke_domain_close(domain);
    show_all(); /* the last to close it has removed it */

    YOKE_CHECK(yoke_queue_create(&told, NULL));
    YOKE_CHECK(yoke_queue_create(&empty, NULL));
    YOKE_CHECK(yoke_process_start(&process, careless, YOKE_ARGS(name, told, empty), NULL));
    YOKE_CHECK(yoke_queue_get_string(told, line, sizeof line, YOKE_FOREVER));
    YOKE_CHECK(yoke_process_kill(process));
    YOKE_CHECK(yoke_process_join(process, YOKE_FOREVER));
    yoke_process_close(process);
    show_all();
    printf("reclaimed: %d\n", (int)yoke_domain_reclaim(name));
    show_all();
    yoke_queue_close(told);
    yoke_queue_close(empty);
    return 0;
}
