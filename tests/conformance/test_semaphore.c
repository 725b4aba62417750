/* Semaphores and events between processes, under each start method: passed as arguments and inside messages, by name in a
 * named domain; who may release; what is left by those who are killed. */
#include "support/child.h"
#include "support/crew.h"
#include "support/process.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MINUTE 60000

static yoke_semaphore *new_semaphore(int64_t initial, bool permits)
{
    yoke_semaphore *semaphore;

    assert_ok(yoke_semaphore_create(&semaphore, initial, YOKE_OPTIONS(yoke_semaphore_options, .permits = permits)));
    return semaphore;
}

static yoke_event *new_event(void)
{
    yoke_event *event;

    assert_ok(yoke_event_create(&event, NULL));
    return event;
}

/* ---- ways to come by them -------------------------------------------------------------------------------------------- */

static int use_both(const yoke_args *args)
{
    const yoke_variant *inner = yoke_args_variant(args, 2);

    YOKE_TRY(yoke_semaphore_release(yoke_args_semaphore(args, 0)));
    YOKE_TRY(yoke_event_set(yoke_args_event(args, 1)));
    YOKE_TRY(yoke_semaphore_acquire(yoke_variant_semaphore(yoke_variant_at(inner, 0)), YOKE_NOWAIT));
    return yoke_event_clear(yoke_variant_event(yoke_variant_at(inner, 1)));
}

static void as_arguments_they_are_the_same_in_the_child(void **state)
{
    yoke_semaphore *first = new_semaphore(0, false), *second = new_semaphore(3, false);
    yoke_event     *set = new_event(), *clear = new_event();
    (void)state;

    assert_ok(yoke_event_set(clear));
    yoke_result result = result_of(use_both, YOKE_ARGS(first, set, YOKE_LIST(second, clear)), NULL);
    assert_string_equal(result.text, "");
    assert_int_equal(result.code, 0);
    assert_int_equal(yoke_semaphore_value(first), 1);
    assert_int_equal(yoke_semaphore_value(second), 2);
    assert_true(yoke_event_is_set(set));
    assert_false(yoke_event_is_set(clear));
    yoke_semaphore_close(first);
    yoke_semaphore_close(second);
    yoke_event_close(set);
    yoke_event_close(clear);
}

static int use_what_a_message_brings(const yoke_args *args)
{
    yoke_variant *message;

    YOKE_TRY(yoke_queue_get_variant(yoke_args_queue(args, 0), &message, MINUTE));
    int code = yoke_semaphore_acquire(yoke_variant_semaphore(yoke_variant_at(message, 0)), MINUTE);
    if (code == YOKE_OK)
        code = yoke_event_set(yoke_variant_event(yoke_variant_at(message, 1)));
    yoke_variant_free(message);
    return code;
}

static void inside_messages_they_are_the_same_in_the_child(void **state)
{
    yoke_queue     *queue = new_queue();
    yoke_semaphore *semaphore = new_semaphore(0, false);
    yoke_event     *event = new_event();
    yoke_process   *process = crew_start(use_what_a_message_brings, YOKE_ARGS(queue));
    (void)state;

    assert_ok(yoke_queue_put_variant(queue, YOKE_ARGS(semaphore, event), MINUTE));
    assert_ok(yoke_semaphore_release(semaphore));
    assert_ok(yoke_event_wait(event, MINUTE));
    assert_int_equal(finish(process).code, 0);
    yoke_semaphore_close(semaphore);
    yoke_event_close(event);
    yoke_queue_close(queue);
}

static int use_by_name(const yoke_args *args)
{
    yoke_domain    *domain;
    yoke_semaphore *semaphore;
    yoke_event     *event;

    YOKE_TRY(
        yoke_domain_open(&domain, yoke_args_string(args, 0), YOKE_OPTIONS(yoke_domain_options, .mode = YOKE_OPEN)));
    YOKE_TRY(yoke_semaphore_open(&semaphore, domain, "places"));
    YOKE_TRY(yoke_event_open(&event, domain, "begin"));
    YOKE_TRY(yoke_semaphore_acquire(semaphore, MINUTE));
    YOKE_TRY(yoke_event_set(event));
    yoke_semaphore_close(semaphore);
    yoke_event_close(event);
    yoke_domain_close(domain);
    return 0;
}

static void by_name_in_a_named_domain(void **state)
{
    char            name[64];
    yoke_domain    *domain;
    yoke_semaphore *semaphore, *none = NULL;
    yoke_event     *event;
    (void)state;

    (void)snprintf(name, sizeof name, "semaphores-%ld", (long)getpid());
    assert_ok(yoke_domain_open(&domain, name, YOKE_OPTIONS(yoke_domain_options, .mode = YOKE_CREATE)));
    assert_ok(
        yoke_semaphore_create(&semaphore, 2, YOKE_OPTIONS(yoke_semaphore_options, .domain = domain, .name = "places")));
    assert_ok(yoke_event_create(&event, YOKE_OPTIONS(yoke_event_options, .domain = domain, .name = "begin")));
    assert_fails(yoke_semaphore_open(&none, NULL, "places"), YOKE_ENOENT, "places"); /* in the default domain */
    assert_int_equal(result_of(use_by_name, YOKE_ARGS(name), NULL).code, 0);
    assert_int_equal(yoke_semaphore_value(semaphore), 1);
    assert_true(yoke_event_is_set(event));
    yoke_event_close(event);
    yoke_domain_close(domain);
    assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT), YOKE_ECLOSED); /* the domain was left */
    yoke_semaphore_close(semaphore);
}

/* ---- who may release --------------------------------------------------------------------------------------------------- */

static int release_one(const yoke_args *args)
{
    return yoke_semaphore_release(yoke_args_semaphore(args, 0));
}

static void a_signal_is_given_by_another_process_a_permit_is_not(void **state)
{
    yoke_semaphore *signals = new_semaphore(1, false), *permits = new_semaphore(1, true);
    (void)state;

    assert_ok(yoke_semaphore_acquire(signals, YOKE_NOWAIT));
    assert_ok(yoke_semaphore_acquire(permits, YOKE_NOWAIT));
    assert_int_equal(result_of(release_one, YOKE_ARGS(signals), NULL).code, 0);
    assert_ok(yoke_semaphore_acquire(signals, YOKE_NOWAIT));
    assert_int_equal(result_of(release_one, YOKE_ARGS(permits), NULL).code, YOKE_ENOTOWNER);
    assert_ok(yoke_semaphore_release(permits));
    yoke_semaphore_close(signals);
    yoke_semaphore_close(permits);
}

/* ---- deaths -------------------------------------------------------------------------------------------------------------- */

static int acquire_and_stay(const yoke_args *args)
{
    YOKE_TRY(yoke_semaphore_acquire(yoke_args_semaphore(args, 0), MINUTE));
    YOKE_TRY(crew_say(yoke_args_queue(args, 1), "has it"));
    for (;;)
        (void)pause();
}

static void what_a_killed_process_held_returns_in_permit_mode_only(void **state)
{
    yoke_queue *news = new_queue();
    (void)state;

    for (int permits = 0; permits < 2; permits++) {
        yoke_semaphore *semaphore = new_semaphore(1, permits != 0);
        yoke_process   *process = crew_start(acquire_and_stay, YOKE_ARGS(semaphore, news));
        crew_hear(news, "has it");
        crew_kill(process);
        assert_int_equal(yoke_semaphore_acquire(semaphore, 400), permits ? YOKE_OWNER_DIED : YOKE_ETIMEDOUT);
        assert_int_equal(finish(process).how, YOKE_SIGNALLED);
        yoke_semaphore_close(semaphore);
    }
    yoke_queue_close(news);
}

static int acquire_one(const yoke_args *args)
{
    YOKE_TRY(crew_say(yoke_args_queue(args, 1), "waiting"));
    return yoke_semaphore_acquire(yoke_args_semaphore(args, 0), MINUTE);
}

/* Whoever is woken may be dead by then, or not get anywhere: the others go on. */
/* By name, with a lock and a permit held, and by exit() or a signal. */
static int end_holding(const yoke_args *args)
{
    yoke_domain    *domain;
    yoke_semaphore *permit;
    yoke_lock      *lock;

    YOKE_TRY(
        yoke_domain_open(&domain, yoke_args_string(args, 0), YOKE_OPTIONS(yoke_domain_options, .mode = YOKE_OPEN)));
    YOKE_TRY(yoke_semaphore_open(&permit, domain, "permit"));
    YOKE_TRY(yoke_lock_open(&lock, domain, "lock"));
    YOKE_TRY(yoke_semaphore_acquire(permit, MINUTE));
    YOKE_TRY(yoke_lock_acquire(lock, MINUTE));
    if (yoke_args_int(args, 1) == 0)
        (void)raise(SIGKILL);
    _exit(yoke_args_int(args, 1) & 0xff);
}

static void check_end(const yoke_death *death, int64_t pid, int exited)
{
    assert_int_equal(death->pid, pid);
    assert_true(death->exit_known);
    assert_int_equal(death->exit_signal, exited ? 0 : SIGKILL);
    assert_int_equal(death->exit_code, exited);
}

static void how_a_child_ended_is_told_in_a_named_domain(void **state)
{
    char            name[64];
    yoke_domain    *domain;
    yoke_semaphore *permit;
    yoke_lock      *lock;
    yoke_death      death = {.struct_size = sizeof death};
    (void)state;

    (void)snprintf(name, sizeof name, "ends-%ld", (long)getpid());
    assert_ok(yoke_domain_open(&domain, name, YOKE_OPTIONS(yoke_domain_options, .mode = YOKE_CREATE)));
    assert_ok(yoke_semaphore_create(
        &permit, 1, YOKE_OPTIONS(yoke_semaphore_options, .domain = domain, .name = "permit", .permits = true)));
    assert_ok(yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .domain = domain, .name = "lock")));
    for (int exited = 0; exited <= 7; exited += 7) {
        yoke_process *process = crew_start(end_holding, YOKE_ARGS(name, exited));
        int64_t       pid = yoke_process_pid(process);
        (void)finish(process);
        assert_int_equal(yoke_semaphore_acquire(permit, MINUTE), YOKE_OWNER_DIED);
        assert_int_equal(yoke_lock_acquire(lock, MINUTE), YOKE_OWNER_DIED);
        assert_ok(yoke_semaphore_death(permit, &death));
        check_end(&death, pid, exited);
        assert_ok(yoke_lock_death(lock, &death));
        check_end(&death, pid, exited);
        assert_ok(yoke_lock_mark_repaired(lock));
        assert_ok(yoke_lock_release(lock));
        assert_ok(yoke_semaphore_release(permit));
    }
    yoke_lock_close(lock);
    yoke_semaphore_close(permit);
    yoke_domain_close(domain);
}

static void sleepers_that_are_killed_take_nothing_with_them(void **state)
{
    yoke_queue *news = new_queue();
    (void)state;

    for (int permits = 0; permits < 2; permits++) {
        yoke_semaphore *semaphore = new_semaphore(1, permits != 0);
        yoke_process   *sleepers[4];
        assert_ok(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT));
        for (int i = 0; i < 4; i++)
            sleepers[i] = crew_start(acquire_one, YOKE_ARGS(semaphore, news));
        for (int i = 0; i < 4; i++)
            crew_hear(news, "waiting");
        for (int i = 0; i < 4; i++)
            crew_asleep(sleepers[i]);
        for (int i = 0; i < 3; i++)
            crew_kill(sleepers[i]);
        assert_ok(yoke_semaphore_release(semaphore));
        assert_int_equal(finish(sleepers[3]).code, 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(finish(sleepers[i]).how, YOKE_SIGNALLED);
        yoke_semaphore_close(semaphore);
    }
    yoke_queue_close(news);
}

static int wait_for_event(const yoke_args *args)
{
    YOKE_TRY(crew_say(yoke_args_queue(args, 1), "waiting"));
    return yoke_event_wait(yoke_args_event(args, 0), MINUTE);
}

/* Set and cleared at once, with waiters dead and stopped among the living. */
static void an_event_does_not_hang_on_the_dead_or_the_stopped(void **state)
{
    yoke_queue   *news = new_queue();
    yoke_event   *event = new_event();
    yoke_process *sleepers[4];
    (void)state;

    for (int i = 0; i < 4; i++)
        sleepers[i] = crew_start(wait_for_event, YOKE_ARGS(event, news));
    for (int i = 0; i < 4; i++)
        crew_hear(news, "waiting");
    for (int i = 0; i < 4; i++)
        crew_asleep(sleepers[i]);
    crew_kill(sleepers[0]);
    assert_int_equal(kill((pid_t)yoke_process_pid(sleepers[1]), SIGSTOP), 0);
    crew_stopped(sleepers[1]);
    assert_ok(yoke_event_set(event));
    assert_ok(yoke_event_clear(event));
    assert_int_equal(finish(sleepers[2]).code, 0);
    assert_int_equal(finish(sleepers[3]).code, 0);
    assert_int_equal(kill((pid_t)yoke_process_pid(sleepers[1]), SIGCONT), 0);
    assert_int_equal(finish(sleepers[1]).code, 0);
    assert_int_equal(finish(sleepers[0]).how, YOKE_SIGNALLED);
    yoke_event_close(event);
    yoke_queue_close(news);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_arguments_they_are_the_same_in_the_child),
        cmocka_unit_test(inside_messages_they_are_the_same_in_the_child),
        cmocka_unit_test(by_name_in_a_named_domain),
        cmocka_unit_test(a_signal_is_given_by_another_process_a_permit_is_not),
        cmocka_unit_test(what_a_killed_process_held_returns_in_permit_mode_only),
        cmocka_unit_test(how_a_child_ended_is_told_in_a_named_domain),
        cmocka_unit_test(sleepers_that_are_killed_take_nothing_with_them),
        cmocka_unit_test(an_event_does_not_hang_on_the_dead_or_the_stopped),
    };
    return run_under_methods(tests);
}
