/* Who may put and who may get, and queues that come by name or in messages: under each start method. */
#include "support/process.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/crew.h"

#define MINUTE 60000

/* ---- roles passed on --------------------------------------------------------------------------------------------------- */

static int try_both(const yoke_args *args)
{
    char text[16];
    int  put = yoke_queue_put_string(yoke_args_queue(args, 0), "put", YOKE_NOWAIT);
    int  get = yoke_queue_get_string(yoke_args_queue(args, 0), text, sizeof text, YOKE_NOWAIT);

    return (put == YOKE_OK ? YOKE_MAY_PUT : 0) | (get == YOKE_OK ? YOKE_MAY_GET : 0);
}

static void a_child_may_do_what_the_giver_may(void **state)
{
    yoke_queue *queue = new_queue();

    (void)state;
    assert_int_equal(result_of(try_both, YOKE_ARGS(queue), NULL).code, YOKE_MAY_PUT | YOKE_MAY_GET);
    assert_ok(yoke_queue_drop(queue, YOKE_MAY_GET));
    assert_int_equal(result_of(try_both, YOKE_ARGS(queue), NULL).code, YOKE_MAY_PUT);
    assert_int_equal(yoke_queue_size(queue), 1);
    assert_ok(yoke_queue_drop(queue, YOKE_MAY_PUT));
    assert_int_equal(result_of(try_both, YOKE_ARGS(queue), NULL).code, 0);
    yoke_queue_close(queue);
}

static int try_both_of_received(const yoke_args *args)
{
    yoke_variant *message;
    yoke_queue   *queue;
    char          text[16];
    int           put, get;

    YOKE_TRY(yoke_queue_get_variant(yoke_args_queue(args, 0), &message, MINUTE));
    queue = yoke_variant_queue(yoke_variant_at(message, 0));
    put = yoke_queue_put_string(queue, "put", YOKE_NOWAIT);
    get = yoke_queue_get_string(queue, text, sizeof text, YOKE_NOWAIT);
    yoke_variant_free(message);
    return (put == YOKE_OK ? YOKE_MAY_PUT : 0) | (get == YOKE_OK ? YOKE_MAY_GET : 0);
}

static void so_may_the_receiver_of_a_message(void **state)
{
    yoke_queue *mailbox = new_queue();
    yoke_queue *queue = new_queue();

    (void)state;
    assert_ok(yoke_queue_put_string(queue, "there", YOKE_NOWAIT));
    assert_ok(yoke_queue_drop(queue, YOKE_MAY_PUT));
    assert_ok(yoke_queue_put_variant(mailbox, YOKE_ARGS(queue), YOKE_NOWAIT));
    assert_int_equal(result_of(try_both_of_received, YOKE_ARGS(mailbox), NULL).code, YOKE_MAY_GET);
    yoke_queue_close(queue);
    yoke_queue_close(mailbox);
}

/* ---- queues in messages ------------------------------------------------------------------------------------------------ */

/* Makes a queue, puts into it, sends it, and returns or stays to be killed. */
static int send_own_queue(const yoke_args *args)
{
    yoke_queue *own;

    YOKE_TRY(yoke_queue_create(&own, NULL));
    YOKE_TRY(yoke_queue_put_string(own, "from the first", YOKE_FOREVER));
    YOKE_TRY(yoke_queue_put_variant(yoke_args_queue(args, 0), YOKE_ARGS(own), YOKE_FOREVER));
    yoke_queue_close(own);
    YOKE_TRY(crew_say(yoke_args_queue(args, 1), "sent"));
    return yoke_args_bool(args, 2) ? yoke_wait(NULL, 0, YOKE_FOREVER) : 0;
}

static int use_received_queue(const yoke_args *args)
{
    yoke_variant *message;
    yoke_queue   *queue;
    char          text[32];

    YOKE_TRY(yoke_queue_get_variant(yoke_args_queue(args, 0), &message, MINUTE));
    queue = yoke_variant_take_queue(yoke_variant_at(message, 0));
    yoke_variant_free(message);
    YOKE_TRY(yoke_queue_get_string(queue, text, sizeof text, YOKE_NOWAIT));
    YOKE_TRY(yoke_queue_put_string(queue, "and back", YOKE_NOWAIT));
    YOKE_TRY(crew_say(yoke_args_queue(args, 1), text));
    YOKE_TRY(yoke_queue_get_string(queue, text, sizeof text, YOKE_NOWAIT));
    YOKE_TRY(crew_say(yoke_args_queue(args, 1), text));
    yoke_queue_close(queue);
    return 0;
}

static void send_and_end(bool killed)
{
    yoke_queue   *mailbox = new_queue();
    yoke_queue   *news = new_queue();
    yoke_process *first = crew_start(send_own_queue, YOKE_ARGS(mailbox, news, killed));

    crew_hear(news, "sent");
    if (killed)
        crew_kill(first);
    assert_int_equal(finish(first).how, killed ? YOKE_SIGNALLED : YOKE_RETURNED);
    assert_int_equal(result_of(use_received_queue, YOKE_ARGS(mailbox, news), NULL).code, 0);
    crew_hear(news, "from the first");
    crew_hear(news, "and back");
    yoke_queue_close(mailbox);
    yoke_queue_close(news);
}

static void a_queue_in_a_message_outlives_its_maker(void **state)
{
    (void)state;
    send_and_end(false);
    send_and_end(true);
}

/* A message under way counts as somebody who may put. */
static void a_queue_in_a_message_is_no_orphan(void **state)
{
    yoke_queue   *mailbox = new_queue();
    yoke_queue   *queue;
    yoke_variant *message;
    char          text[16];

    (void)state;
    assert_ok(yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .report_orphaned = true)));
    assert_ok(yoke_queue_put_variant(mailbox, YOKE_ARGS(queue), YOKE_NOWAIT));
    assert_ok(yoke_queue_drop(queue, YOKE_MAY_PUT));
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_ok(yoke_queue_get_variant(mailbox, &message, YOKE_NOWAIT));
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    yoke_variant_free(message);
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, MINUTE), YOKE_EORPHANED);
    yoke_queue_close(queue);
    yoke_queue_close(mailbox);
}

/* ---- by name ----------------------------------------------------------------------------------------------------------- */

/* Another program, that no process of yoke has started. */
static int unrelated(const char *name)
{
    yoke_domain *domain;
    yoke_queue  *queue;
    char         text[32];

    YOKE_CHECK(yoke_domain_open(&domain, name, YOKE_OPTIONS(yoke_domain_options, .mode = YOKE_OPEN)));
    YOKE_CHECK(yoke_queue_open(&queue, domain, "letters"));
    YOKE_CHECK(yoke_queue_get_string(queue, text, sizeof text, MINUTE));
    YOKE_CHECK(yoke_queue_put_format(queue, MINUTE, "%s, and back", text));
    yoke_queue_close(queue);
    yoke_domain_close(domain);
    return 0;
}

static int run_unrelated(const char *name)
{
    int   status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        execl("/proc/self/exe", "unrelated", "--unrelated", name, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void an_unrelated_process_opens_a_queue_by_its_name(void **state)
{
    yoke_domain *domain;
    yoke_queue  *queue, *wrong;
    char         name[40], text[40];

    (void)state;
    snprintf(name, sizeof name, "roles-%ld", (long)getpid());
    assert_ok(yoke_domain_open(&domain, name, YOKE_OPTIONS(yoke_domain_options, .mode = YOKE_CREATE)));
    assert_ok(yoke_queue_create(&queue,
                                YOKE_OPTIONS(yoke_queue_options, .domain = domain, .name = "letters", .max_items = 5)));
    assert_fails(yoke_queue_open(&wrong, domain, "postcards"), YOKE_ENOENT, "postcards");
    assert_ok(yoke_queue_put_string(queue, "there", YOKE_NOWAIT));
    assert_int_equal(run_unrelated(name), 0);
    assert_ok(yoke_queue_get_string(queue, text, sizeof text, YOKE_NOWAIT));
    assert_string_equal(text, "there, and back");
    yoke_queue_close(queue);
    yoke_domain_close(domain);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    if (argc == 3 && strcmp(argv[1], "--unrelated") == 0)
        return unrelated(argv[2]);

    const struct CMUnitTest roles[] = {
        cmocka_unit_test(a_child_may_do_what_the_giver_may),
        cmocka_unit_test(so_may_the_receiver_of_a_message),
        cmocka_unit_test(a_queue_in_a_message_outlives_its_maker),
        cmocka_unit_test(a_queue_in_a_message_is_no_orphan),
        cmocka_unit_test(an_unrelated_process_opens_a_queue_by_its_name),
    };
    return run_under_methods(roles);
}
