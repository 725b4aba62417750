/* The read-write lock's calls and their errors, within one process and with forked children as others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/domain/participant.h"
#include "core/sync/rwlock.h"
#include "support/child.h"
#include "support/shared.h"

#include <yoke/yoke.h>

static yoke_rwlock *new_rwlock(yoke_on_death on_death)
{
    yoke_rwlock *rwlock;

    assert_int_equal(yoke_rwlock_create(&rwlock, YOKE_OPTIONS(yoke_rwlock_options, .on_death = on_death)), YOKE_OK);
    return rwlock;
}

static bool error_says(const char *text)
{
    return strstr(yoke_last_error()->text, text) != NULL;
}

/* What a call returns in another thread of this process. */
typedef struct asked {
    int (*call)(yoke_rwlock *rwlock);
    yoke_rwlock *rwlock;
    pthread_t    thread;
} asked;

static void *ask(void *user)
{
    asked *a = user;

    return (void *)(intptr_t)a->call(a->rwlock);
}

static void begin(asked *a, int (*call)(yoke_rwlock *rwlock), yoke_rwlock *rwlock)
{
    *a = (asked){.call = call, .rwlock = rwlock};
    assert_int_equal(pthread_create(&a->thread, NULL, ask, a), 0);
}

static int end(asked *a)
{
    void *result;

    assert_int_equal(pthread_join(a->thread, &result), 0);
    return (int)(intptr_t)result;
}

static int in_another_thread(int (*call)(yoke_rwlock *rwlock), yoke_rwlock *rwlock)
{
    asked a;

    begin(&a, call, rwlock);
    return end(&a);
}

static int share_and_release(yoke_rwlock *rwlock)
{
    int result = yoke_rwlock_acquire_shared(rwlock, YOKE_NOWAIT);

    return result >= 0 && yoke_rwlock_release_shared(rwlock) != YOKE_OK ? 99 : result;
}

static int write_and_release(yoke_rwlock *rwlock)
{
    int result = yoke_rwlock_acquire_exclusive(rwlock, YOKE_NOWAIT);

    return result >= 0 && yoke_rwlock_release_exclusive(rwlock) != YOKE_OK ? 99 : result;
}

static int wait_share_and_release(yoke_rwlock *rwlock)
{
    int result = yoke_rwlock_acquire_shared(rwlock, YOKE_FOREVER);

    return result >= 0 && yoke_rwlock_release_shared(rwlock) != YOKE_OK ? 99 : result;
}

static int wait_write_and_release(yoke_rwlock *rwlock)
{
    int result = yoke_rwlock_acquire_exclusive(rwlock, YOKE_FOREVER);

    return result >= 0 && yoke_rwlock_release_exclusive(rwlock) != YOKE_OK ? 99 : result;
}

static void test_many_share_and_one_has_it_for_itself(void **state)
{
    yoke_rwlock *rwlock = new_rwlock(YOKE_REPORT_DEATH);

    (void)state;
    assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(yoke_rwlock_readers(rwlock), 1);
    assert_false(yoke_rwlock_locked(rwlock));
    assert_int_equal(in_another_thread(share_and_release, rwlock), YOKE_OK);
    assert_int_equal(in_another_thread(write_and_release, rwlock), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
    assert_int_equal(yoke_rwlock_readers(rwlock), 0);
    assert_int_equal(in_another_thread(write_and_release, rwlock), YOKE_OK);
    assert_int_equal(yoke_rwlock_acquire_exclusive(rwlock, YOKE_FOREVER), YOKE_OK);
    assert_true(yoke_rwlock_locked(rwlock));
    assert_int_equal(in_another_thread(share_and_release, rwlock), YOKE_ETIMEDOUT);
    assert_int_equal(in_another_thread(write_and_release, rwlock), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_rwlock_release_exclusive(rwlock), YOKE_OK);
    assert_int_equal(in_another_thread(share_and_release, rwlock), YOKE_OK);
    yoke_rwlock_close(rwlock);
}

static void test_a_thread_shares_it_again_even_if_a_writer_waits(void **state)
{
    yoke_rwlock *rwlock = new_rwlock(YOKE_REPORT_DEATH);
    asked        writer;

    (void)state;
    assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_FOREVER), YOKE_OK);
    begin(&writer, wait_write_and_release, rwlock);
    while (!yoke_rwlock_locked(rwlock))
        (void)usleep(500);
    assert_int_equal(in_another_thread(share_and_release, rwlock), YOKE_ETIMEDOUT); /* the writer comes first */
    assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_rwlock_readers(rwlock), 1);
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
    assert_true(yoke_rwlock_locked(rwlock));
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
    assert_int_equal(end(&writer), YOKE_OK);
    yoke_rwlock_close(rwlock);
}

static void test_who_waits_for_itself_is_told_at_once(void **state)
{
    yoke_rwlock *rwlock = new_rwlock(YOKE_REPORT_DEATH);

    (void)state;
    assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(yoke_rwlock_acquire_exclusive(rwlock, YOKE_FOREVER), YOKE_EDEADLK);
    assert_true(error_says("shares it"));
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
    assert_int_equal(yoke_rwlock_acquire_exclusive(rwlock, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(yoke_rwlock_acquire_exclusive(rwlock, YOKE_FOREVER), YOKE_EDEADLK);
    assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_FOREVER), YOKE_EDEADLK);
    assert_true(error_says("yoke_rwlock_downgrade"));
    assert_int_equal(yoke_rwlock_release_exclusive(rwlock), YOKE_OK);
    yoke_rwlock_close(rwlock);
}

static void test_a_writer_becomes_a_reader(void **state)
{
    yoke_rwlock *rwlock = new_rwlock(YOKE_REPORT_DEATH);
    asked        reader;

    (void)state;
    assert_int_equal(yoke_rwlock_downgrade(rwlock), YOKE_EINVAL);
    assert_int_equal(yoke_rwlock_acquire_exclusive(rwlock, YOKE_FOREVER), YOKE_OK);
    begin(&reader, wait_share_and_release, rwlock);
    assert_int_equal(in_another_thread(yoke_rwlock_downgrade, rwlock), YOKE_ENOTOWNER);
    assert_int_equal(yoke_rwlock_downgrade(rwlock), YOKE_OK);
    assert_int_equal(end(&reader), YOKE_OK);
    assert_int_equal(yoke_rwlock_readers(rwlock), 1);
    assert_int_equal(in_another_thread(write_and_release, rwlock), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_rwlock_release_exclusive(rwlock), YOKE_EINVAL);
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
    assert_int_equal(in_another_thread(write_and_release, rwlock), YOKE_OK);
    yoke_rwlock_close(rwlock);
}

static void test_release_of_what_is_not_held_is_an_error(void **state)
{
    yoke_rwlock *rwlock = new_rwlock(YOKE_REPORT_DEATH);

    (void)state;
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_EINVAL);
    assert_int_equal(yoke_rwlock_release_exclusive(rwlock), YOKE_EINVAL);
    assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(in_another_thread(yoke_rwlock_release_shared, rwlock), YOKE_ENOTOWNER);
    assert_int_equal(yoke_rwlock_mark_repaired(rwlock), YOKE_ENOTOWNER);
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
    assert_int_equal(yoke_rwlock_acquire_exclusive(rwlock, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(in_another_thread(yoke_rwlock_release_exclusive, rwlock), YOKE_ENOTOWNER);
    assert_int_equal(in_another_thread(yoke_rwlock_mark_repaired, rwlock), YOKE_ENOTOWNER);
    assert_int_equal(yoke_rwlock_release_exclusive(rwlock), YOKE_OK);
    yoke_rwlock_close(rwlock);
}

static int share_in_vain(void *user)
{
    char who[64];

    (void)snprintf(who, sizeof who, "pid %ld, thread %ld)", (long)getppid(), (long)getppid());
    CHILD_CHECK(yoke_rwlock_acquire_shared(user, 20) == YOKE_ETIMEDOUT);
    CHILD_CHECK(error_says("20 ms, held by ") && error_says(who));
    return 0;
}

static int write_in_vain(void *user)
{
    char who[64];

    (void)snprintf(who, sizeof who, "pid %ld, thread %ld)", (long)getppid(), (long)getppid());
    CHILD_CHECK(yoke_rwlock_acquire_exclusive(user, 20) == YOKE_ETIMEDOUT);
    CHILD_CHECK(error_says("20 ms, shared by ") && error_says(who));
    return 0;
}

/* The main thread's number is the process's on Linux. */
static void test_a_time_out_names_who_is_inside(void **state)
{
    yoke_rwlock *rwlock = new_rwlock(YOKE_REPORT_DEATH);

    (void)state;
    assert_int_equal(yoke_rwlock_acquire_exclusive(rwlock, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(child_join(child_start(share_in_vain, rwlock)), 0);
    assert_int_equal(yoke_rwlock_downgrade(rwlock), YOKE_OK);
    assert_int_equal(child_join(child_start(write_in_vain, rwlock)), 0);
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
    yoke_rwlock_close(rwlock);
}

/* ---- deaths ------------------------------------------------------------------------------------------------------ */

static int share_twice_and_die(void *user)
{
    CHILD_CHECK(yoke_rwlock_acquire_shared(user, YOKE_FOREVER) == YOKE_OK);
    CHILD_CHECK(yoke_rwlock_acquire_shared(user, YOKE_FOREVER) == YOKE_OK);
    (void)kill(getpid(), SIGKILL);
    return 0;
}

static int write_and_die(void *user)
{
    CHILD_CHECK(yoke_rwlock_acquire_exclusive(user, YOKE_FOREVER) >= 0);
    (void)kill(getpid(), SIGKILL);
    return 0;
}

static int wait_to_write(void *user)
{
    return yoke_rwlock_acquire_exclusive(user, YOKE_FOREVER) == YOKE_OK ? 1 : 2;
}

static void test_a_dead_readers_shares_come_back(void **state)
{
    yoke_rwlock *rwlock = new_rwlock(YOKE_REPORT_DEATH);

    (void)state;
    assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(child_join(child_start(share_twice_and_die, rwlock)), 1000 + SIGKILL);
    assert_int_equal(yoke_rwlock_readers(rwlock), 1);
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
    assert_int_equal(yoke_rwlock_acquire_exclusive(rwlock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_rwlock_release_exclusive(rwlock), YOKE_OK);
    yoke_rwlock_close(rwlock);
}

static void everybody_is_told(yoke_rwlock *rwlock, pid_t pid)
{
    yoke_death death = {.struct_size = sizeof death};

    assert_true(yoke_rwlock_locked(rwlock));
    assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_FOREVER), YOKE_OWNER_DIED);
    assert_int_equal(yoke_rwlock_death(rwlock, &death), YOKE_OK);
    assert_int_equal(death.pid, pid);
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
    assert_int_equal(yoke_rwlock_acquire_exclusive(rwlock, YOKE_FOREVER), YOKE_OWNER_DIED);
    assert_int_equal(yoke_rwlock_release_exclusive(rwlock), YOKE_OK);
    assert_int_equal(yoke_rwlock_acquire_exclusive(rwlock, YOKE_FOREVER), YOKE_OWNER_DIED);
    assert_int_equal(yoke_rwlock_mark_repaired(rwlock), YOKE_OK);
    assert_int_equal(yoke_rwlock_release_exclusive(rwlock), YOKE_OK);
    assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(yoke_rwlock_death(rwlock, &death), YOKE_ENOENT);
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
}

static void test_a_dead_writer_is_told_of_until_it_is_repaired(void **state)
{
    yoke_rwlock *rwlock = new_rwlock(YOKE_REPORT_DEATH);

    (void)state;
    for (int swept = 0; swept < 2; swept++) {
        pid_t pid = child_start(write_and_die, rwlock);
        assert_int_equal(child_join(pid), 1000 + SIGKILL);
        if (swept)
            assert_true(yoke__domain_recover(shared_domain()) >= 1);
        everybody_is_told(rwlock, pid);
    }
    yoke_rwlock_close(rwlock);
}

static void test_a_writer_that_dies_waiting_has_changed_nothing(void **state)
{
    yoke_rwlock *rwlock = new_rwlock(YOKE_REPORT_DEATH);

    (void)state;
    for (int swept = 0; swept < 2; swept++) {
        assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_FOREVER), YOKE_OK);
        pid_t pid = child_start(wait_to_write, rwlock);
        while (!yoke_rwlock_locked(rwlock))
            (void)usleep(500);
        child_kill(pid);
        if (swept)
            assert_true(yoke__domain_recover(shared_domain()) >= 1);
        assert_int_equal(in_another_thread(wait_share_and_release, rwlock), YOKE_OK);
        assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
        assert_int_equal(in_another_thread(wait_write_and_release, rwlock), YOKE_OK);
    }
    yoke_rwlock_close(rwlock);
}

static void test_one_that_ignores_death_reports_none(void **state)
{
    yoke_rwlock *rwlock = new_rwlock(YOKE_IGNORE_DEATH);

    (void)state;
    assert_int_equal(child_join(child_start(write_and_die, rwlock)), 1000 + SIGKILL);
    assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
    yoke_rwlock_close(rwlock);
}

/* ---- places, closing, bad input ------------------------------------------------------------------------------------ */

static void test_readers_beyond_its_places_wait_for_one(void **state)
{
    yoke_rwlock *rwlock;
    asked        reader;

    (void)state;
    assert_int_equal(yoke_rwlock_create(&rwlock, YOKE_OPTIONS(yoke_rwlock_options, .max_readers = 1)), YOKE_OK);
    assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(in_another_thread(share_and_release, rwlock), YOKE_ETIMEDOUT);
    begin(&reader, wait_share_and_release, rwlock);
    while (yoke__a32_load_relaxed(&rwlock->handle.users) == 0)
        (void)usleep(500);
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
    assert_int_equal(end(&reader), YOKE_OK);
    assert_int_equal(child_join(child_start(share_twice_and_die, rwlock)), 1000 + SIGKILL);
    assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_NOWAIT), YOKE_OK); /* in the place of the dead */
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
    yoke_rwlock_close(rwlock);
}

static void test_the_depth_of_a_share_has_a_limit(void **state)
{
    yoke_rwlock *rwlock = new_rwlock(YOKE_REPORT_DEATH);

    (void)state;
    for (uint32_t i = 0; i < YOKE__SHARE_DEPTH; i++)
        assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_NOWAIT), YOKE_ERANGE);
    for (uint32_t i = 0; i < YOKE__SHARE_DEPTH; i++)
        assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_EINVAL);
    yoke_rwlock_close(rwlock);
}

static int wait_share_only(yoke_rwlock *rwlock)
{
    return yoke_rwlock_acquire_shared(rwlock, YOKE_FOREVER);
}

static int wait_write_only(yoke_rwlock *rwlock)
{
    return yoke_rwlock_acquire_exclusive(rwlock, YOKE_FOREVER);
}

static void test_closing_wakes_the_sleepers_of_this_process(void **state)
{
    yoke_rwlock *rwlock, *other;
    asked        reader, writer;

    (void)state;
    assert_int_equal(yoke_rwlock_create(&rwlock, YOKE_OPTIONS(yoke_rwlock_options, .name = "shelf")), YOKE_OK);
    assert_int_equal(yoke_rwlock_open(&other, NULL, "shelf"), YOKE_OK);
    assert_int_equal(yoke_rwlock_acquire_exclusive(rwlock, YOKE_NOWAIT), YOKE_OK);
    begin(&reader, wait_share_only, other);
    begin(&writer, wait_write_only, other);
    while (yoke__a32_load_relaxed(&other->handle.users) < 2)
        (void)usleep(500);
    yoke_rwlock_close(other);
    assert_int_equal(end(&reader), YOKE_ECLOSED);
    assert_int_equal(end(&writer), YOKE_ECLOSED);
    assert_int_equal(yoke_rwlock_release_exclusive(rwlock), YOKE_OK);
    yoke_rwlock_close(rwlock);
}

static void test_bad_handles_and_options_are_errors(void **state)
{
    yoke_rwlock *rwlock = new_rwlock(YOKE_REPORT_DEATH), *none = NULL;

    (void)state;
    yoke_rwlock_close(NULL);
    yoke_rwlock_close(rwlock);
    assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_NOWAIT), YOKE_EINVAL);
    assert_int_equal(yoke_rwlock_acquire_exclusive(NULL, YOKE_NOWAIT), YOKE_EINVAL);
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_EINVAL);
    assert_int_equal(yoke_rwlock_release_exclusive(rwlock), YOKE_EINVAL);
    assert_int_equal(yoke_rwlock_downgrade(rwlock), YOKE_EINVAL);
    assert_int_equal(yoke_rwlock_mark_repaired(rwlock), YOKE_EINVAL);
    assert_int_equal(yoke_rwlock_readers(rwlock), YOKE_EINVAL);
    assert_false(yoke_rwlock_locked(rwlock));
    assert_int_equal(yoke_rwlock_create(NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_rwlock_create(&none, &(yoke_rwlock_options){.struct_size = 1}), YOKE_EINVAL);
    assert_int_equal(yoke_rwlock_create(&none, YOKE_OPTIONS(yoke_rwlock_options, .on_death = (yoke_on_death)7)),
                     YOKE_EINVAL);
    assert_int_equal(yoke_rwlock_create(&none, YOKE_OPTIONS(yoke_rwlock_options, .max_readers = 4097)), YOKE_EINVAL);
    assert_true(error_says("4096"));
    assert_int_equal(yoke_rwlock_open(&none, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_rwlock_open(&none, NULL, "no-such-rwlock"), YOKE_ENOENT);
    assert_null(none);
}

static void test_a_named_one_is_found_and_its_options_are_compared(void **state)
{
    yoke_rwlock *rwlock, *same, *other = NULL;

    (void)state;
    assert_int_equal(
        yoke_rwlock_create(&rwlock, YOKE_OPTIONS(yoke_rwlock_options, .name = "archive", .max_readers = 3)), YOKE_OK);
    assert_int_equal(yoke_rwlock_open(&same, NULL, "archive"), YOKE_OK);
    assert_int_equal(yoke_rwlock_acquire_exclusive(rwlock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_rwlock_release_exclusive(same), YOKE_OK);
    assert_int_equal(yoke_rwlock_create(&other, YOKE_OPTIONS(yoke_rwlock_options, .name = "archive", .max_readers = 4,
                                                             .mode = YOKE_OPEN_OR_CREATE)),
                     YOKE_EINVAL);
    assert_true(error_says("3") && error_says("4"));
    assert_null(other);
    yoke_rwlock_close(same);
    yoke_rwlock_close(rwlock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_share_and_one_has_it_for_itself),
        cmocka_unit_test(test_a_thread_shares_it_again_even_if_a_writer_waits),
        cmocka_unit_test(test_who_waits_for_itself_is_told_at_once),
        cmocka_unit_test(test_a_writer_becomes_a_reader),
        cmocka_unit_test(test_release_of_what_is_not_held_is_an_error),
        cmocka_unit_test(test_a_time_out_names_who_is_inside),
        cmocka_unit_test(test_a_dead_readers_shares_come_back),
        cmocka_unit_test(test_a_dead_writer_is_told_of_until_it_is_repaired),
        cmocka_unit_test(test_a_writer_that_dies_waiting_has_changed_nothing),
        cmocka_unit_test(test_one_that_ignores_death_reports_none),
        cmocka_unit_test(test_readers_beyond_its_places_wait_for_one),
        cmocka_unit_test(test_the_depth_of_a_share_has_a_limit),
        cmocka_unit_test(test_closing_wakes_the_sleepers_of_this_process),
        cmocka_unit_test(test_bad_handles_and_options_are_errors),
        cmocka_unit_test(test_a_named_one_is_found_and_its_options_are_compared),
    };
    return cmocka_run_group_tests_name("rwlock", tests, shared_setup, shared_teardown);
}
