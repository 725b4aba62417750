/* The condition's calls and their errors; its lock, its own or given; what becomes of it as an argument of a message. */
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

#include "core/domain/allocator.h"
#include "core/domain/participant.h"
#include "core/sync/condition.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

#include <yoke/yoke.h>

static bool error_says(const char *text)
{
    return strstr(yoke_last_error()->text, text) != NULL;
}

static yoke_condition *new_condition(void)
{
    yoke_condition *condition;

    assert_int_equal(yoke_condition_create(&condition, NULL), YOKE_OK);
    return condition;
}

static bool yes(void *user)
{
    (void)user;
    return true;
}

/* ---- errors ------------------------------------------------------------------------------------------------------- */

static void test_who_does_not_hold_the_lock_may_neither_wait_nor_notify(void **state)
{
    yoke_condition *condition = new_condition();

    (void)state;
    assert_int_equal(yoke_condition_wait(condition, YOKE_NOWAIT), YOKE_ENOTOWNER);
    assert_true(error_says("wait") && error_says("hold"));
    assert_int_equal(yoke_condition_wait_for(condition, yes, NULL, YOKE_NOWAIT), YOKE_ENOTOWNER);
    assert_int_equal(yoke_condition_notify(condition, 1), YOKE_ENOTOWNER);
    assert_int_equal(yoke_condition_notify_all(condition), YOKE_ENOTOWNER);
    assert_int_equal(yoke_condition_release(condition), YOKE_EINVAL);
    yoke_condition_close(condition);
}

static int try_all(void *user)
{
    CHILD_CHECK(yoke_condition_wait(user, YOKE_NOWAIT) == YOKE_ENOTOWNER);
    CHILD_CHECK(yoke_condition_notify(user, 1) == YOKE_ENOTOWNER);
    CHILD_CHECK(yoke_condition_acquire(user, YOKE_NOWAIT) == YOKE_ETIMEDOUT);
    return 0;
}

static void *try_in_thread(void *user)
{
    return (void *)(intptr_t)yoke_condition_notify(user, 1);
}

static void test_the_lock_of_another_process_or_thread_does_not_do(void **state)
{
    yoke_condition *condition = new_condition();
    pthread_t       thread;
    void           *result;

    (void)state;
    assert_int_equal(yoke_condition_acquire(condition, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(child_join(child_start(try_all, condition)), 0);
    assert_int_equal(pthread_create(&thread, NULL, try_in_thread, condition), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_int_equal((int)(intptr_t)result, YOKE_ENOTOWNER);
    assert_int_equal(yoke_condition_release(condition), YOKE_OK);
    yoke_condition_close(condition);
}

static void test_bad_handles_and_arguments_are_errors(void **state)
{
    yoke_condition *condition = new_condition(), *none = NULL;
    yoke_lock      *lock;
    yoke_death      death = {.struct_size = sizeof death};

    (void)state;
    assert_int_equal(yoke_lock_create(&lock, NULL), YOKE_OK);
    assert_int_equal(yoke_condition_acquire(condition, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_condition_notify(condition, -1), YOKE_EINVAL);
    assert_true(error_says("-1"));
    assert_int_equal(yoke_condition_wait_for(condition, NULL, NULL, 0), YOKE_EINVAL);
    assert_int_equal(yoke_condition_release(condition), YOKE_OK);
    yoke_condition_close(NULL);
    yoke_condition_close(condition);
    assert_int_equal(yoke_condition_acquire(condition, YOKE_NOWAIT), YOKE_EINVAL);
    assert_int_equal(yoke_condition_release(condition), YOKE_EINVAL);
    assert_int_equal(yoke_condition_wait(condition, 0), YOKE_EINVAL);
    assert_int_equal(yoke_condition_notify_all(NULL), YOKE_EINVAL);
    assert_int_equal(yoke_condition_waiting(condition), YOKE_EINVAL);
    assert_int_equal(yoke_condition_death(condition, &death), YOKE_EINVAL);
    assert_int_equal(yoke_condition_mark_repaired(condition), YOKE_EINVAL);
    assert_int_equal(yoke_condition_wait((yoke_condition *)(void *)lock, 0), YOKE_EINVAL);
    assert_true(error_says("lock") && error_says("condition"));
    assert_int_equal(yoke_condition_create(NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_condition_create(&none, &(yoke_condition_options){.struct_size = 1}), YOKE_EINVAL);
    assert_int_equal(yoke_condition_create(&none, YOKE_OPTIONS(yoke_condition_options, .name = "a/b")), YOKE_EINVAL);
    assert_int_equal(yoke_condition_open(&none, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_condition_open(&none, NULL, "no-such-condition"), YOKE_ENOENT);
    assert_null(none);
    yoke_lock_close(lock);
}

static void expect_refused(int code, yoke_condition_options options)
{
    yoke_condition *none = NULL;

    options.struct_size = sizeof options;
    assert_int_equal(yoke_condition_create(&none, &options), code);
    assert_null(none);
}

static void test_locks_that_can_not_be_given_are_refused(void **state)
{
    yoke_lock  *lock, *closed;
    yoke_rlock *rlock;
    yoke_value *value;

    (void)state;
    assert_int_equal(yoke_lock_create(&lock, NULL), YOKE_OK);
    assert_int_equal(yoke_lock_create(&closed, NULL), YOKE_OK);
    yoke_lock_close(closed);
    assert_int_equal(yoke_rlock_create(&rlock, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_CREATE(&value, int64_t, 0, NULL), YOKE_OK);
    expect_refused(YOKE_EINVAL, (yoke_condition_options){.lock = closed});
    expect_refused(YOKE_EINVAL, (yoke_condition_options){.lock = (yoke_lock *)(void *)rlock});
    expect_refused(YOKE_EINVAL, (yoke_condition_options){.lock = lock, .rlock = rlock});
    expect_refused(YOKE_EINVAL, (yoke_condition_options){.lock = lock, .on_death = YOKE_IGNORE_DEATH});
    expect_refused(YOKE_EINVAL, (yoke_condition_options){.on_death = (yoke_on_death)9});
    expect_refused(YOKE_ENOTSUP, (yoke_condition_options){.lock = yoke_value_lock(value)});
    yoke_value_close(value);
    yoke_rlock_close(rlock);
    yoke_lock_close(lock);
}

static void test_a_named_condition_is_found_and_its_lock_compared(void **state)
{
    yoke_condition *condition, *same;
    yoke_lock      *lock;

    (void)state;
    assert_int_equal(yoke_lock_create(&lock, NULL), YOKE_OK);
    assert_int_equal(
        yoke_condition_create(&condition, YOKE_OPTIONS(yoke_condition_options, .name = "bell", .lock = lock)), YOKE_OK);
    assert_int_equal(yoke_condition_open(&same, NULL, "bell"), YOKE_OK);
    assert_int_equal(yoke_condition_acquire(same, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_lock_acquire(lock, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_condition_release(same), YOKE_OK);
    expect_refused(YOKE_EEXIST, (yoke_condition_options){.name = "bell"});
    expect_refused(YOKE_EINVAL, (yoke_condition_options){.name = "bell", .mode = YOKE_OPEN});
    assert_true(error_says("bell") && error_says("own lock"));
    yoke_condition_close(same);
    assert_int_equal(yoke_condition_create(&same, YOKE_OPTIONS(yoke_condition_options, .name = "bell", .lock = lock,
                                                               .mode = YOKE_OPEN_OR_CREATE)),
                     YOKE_OK);
    yoke_condition_close(same);
    yoke_condition_close(condition);
    assert_int_equal(yoke_condition_create(&condition, YOKE_OPTIONS(yoke_condition_options, .name = "bell")), YOKE_OK);
    expect_refused(YOKE_EINVAL,
                   (yoke_condition_options){.name = "bell", .mode = YOKE_OPEN, .on_death = YOKE_IGNORE_DEATH});
    yoke_condition_close(condition);
    yoke_lock_close(lock);
}

/* ---- its lock ----------------------------------------------------------------------------------------------------- */

static int acquire_and_notify(void *user)
{
    CHILD_CHECK(yoke_condition_acquire(user, YOKE_FOREVER) == YOKE_OK);
    CHILD_CHECK(yoke_condition_notify_all(user) == YOKE_OK);
    return yoke_condition_release(user) == YOKE_OK ? 0 : 1;
}

/* The child could not acquire it if one level were left. */
static void expect_levels_given_up(yoke_condition *condition)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(yoke_condition_acquire(condition, YOKE_NOWAIT), YOKE_OK);
    pid_t child = child_start(acquire_and_notify, condition);
    assert_int_equal(yoke_condition_wait(condition, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(child_join(child), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(yoke_condition_release(condition), YOKE_OK);
    assert_int_equal(yoke_condition_release(condition), YOKE_EINVAL);
}

static void test_a_wait_gives_up_all_levels_and_takes_them_back(void **state)
{
    yoke_condition *condition = new_condition();
    yoke_rlock     *rlock;

    (void)state;
    expect_levels_given_up(condition);
    yoke_condition_close(condition);
    assert_int_equal(yoke_rlock_create(&rlock, NULL), YOKE_OK);
    assert_int_equal(yoke_condition_create(&condition, YOKE_OPTIONS(yoke_condition_options, .rlock = rlock)), YOKE_OK);
    expect_levels_given_up(condition);
    assert_int_equal(yoke_rlock_acquire(rlock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_condition_notify_all(condition), YOKE_OK);
    assert_int_equal(yoke_rlock_release(rlock), YOKE_OK);
    yoke_condition_close(condition);
    yoke_rlock_close(rlock);
}

static void test_a_given_lock_lives_as_long_as_the_condition(void **state)
{
    yoke_condition   *condition;
    yoke_lock        *lock;
    yoke__alloc_stats before, after;

    (void)state;
    for (int round = 0; round < 2; round++) { /* the first makes what stays */
        assert_int_equal(yoke__alloc_check(shared_domain(), &before), YOKE_OK);
        assert_int_equal(yoke_lock_create(&lock, NULL), YOKE_OK);
        assert_int_equal(yoke_condition_create(&condition, YOKE_OPTIONS(yoke_condition_options, .lock = lock)),
                         YOKE_OK);
        yoke_lock_close(lock);
        assert_int_equal(yoke_condition_acquire(condition, YOKE_NOWAIT), YOKE_OK);
        assert_int_equal(yoke_condition_wait(condition, 10), YOKE_ETIMEDOUT);
        assert_int_equal(yoke_condition_release(condition), YOKE_OK);
        yoke_condition_close(condition);
        assert_int_equal(yoke__alloc_check(shared_domain(), &after), YOKE_OK);
    }
    assert_int_equal(after.object_blocks, before.object_blocks); /* both are gone */
}

static int die_holding(void *user)
{
    CHILD_CHECK(yoke_condition_acquire(user, YOKE_FOREVER) == YOKE_OK);
    (void)raise(SIGKILL);
    return 0;
}

static void test_a_death_in_its_lock_is_told_until_it_is_repaired(void **state)
{
    yoke_condition *condition = new_condition();
    yoke_death      death = {.struct_size = sizeof death};
    pid_t           pid = child_start(die_holding, condition);

    (void)state;
    assert_int_equal(child_join(pid), 1000 + SIGKILL);
    assert_int_equal(yoke_condition_acquire(condition, YOKE_FOREVER), YOKE_OWNER_DIED);
    assert_int_equal(yoke_condition_death(condition, &death), YOKE_OK);
    assert_int_equal(death.pid, pid);
    assert_int_equal(yoke_condition_wait(condition, YOKE_NOWAIT), YOKE_OWNER_DIED);
    assert_int_equal(yoke_condition_mark_repaired(condition), YOKE_OK);
    assert_int_equal(yoke_condition_wait(condition, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_condition_release(condition), YOKE_OK);
    assert_int_equal(yoke_condition_mark_repaired(condition), YOKE_ENOTOWNER);
    yoke_condition_close(condition);
}

/* ---- memory -------------------------------------------------------------------------------------------------------- */

static void *wait_in_thread(void *user)
{
    yoke_condition *condition = user;
    int             result = yoke_condition_acquire(condition, YOKE_FOREVER);

    if (result == YOKE_OK)
        result = yoke_condition_wait(condition, YOKE_FOREVER);
    (void)yoke_condition_release(condition);
    return (void *)(intptr_t)result;
}

static void test_a_hundred_threads_wait_and_what_they_took_goes_with_the_condition(void **state)
{
    enum { MANY = 100 };
    static pthread_t  threads[MANY];
    yoke__alloc_stats before, after;
    void             *result;

    (void)state;
    yoke_condition_close(new_condition());
    (void)yoke__domain_recover(shared_domain()); /* what children of other tests left */
    assert_int_equal(yoke__alloc_check(shared_domain(), &before), YOKE_OK);
    yoke_condition *condition = new_condition();
    for (int i = 0; i < MANY; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_in_thread, condition), 0);
    while (yoke_condition_waiting(condition) < MANY)
        (void)usleep(500);
    assert_int_equal(yoke_condition_acquire(condition, YOKE_FOREVER), YOKE_OK);
    for (int n = MANY; n > 0; n -= 10) {
        assert_int_equal(yoke_condition_waiting(condition), n);
        assert_int_equal(yoke_condition_notify(condition, 10), YOKE_OK);
    }
    assert_int_equal(yoke_condition_release(condition), YOKE_OK);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_int_equal((int)(intptr_t)result, YOKE_OK);
    }
    yoke_condition_close(condition);
    assert_int_equal(yoke__alloc_check(shared_domain(), &after), YOKE_OK);
    assert_int_equal(after.object_blocks + after.token_blocks, before.object_blocks + before.token_blocks);
}

static void test_a_message_carries_a_condition_and_its_lock(void **state)
{
    yoke_condition *condition, *received;
    yoke_lock      *lock;
    yoke_queue     *queue;
    yoke_variant   *message;

    (void)state;
    assert_int_equal(yoke_queue_create(&queue, NULL), YOKE_OK);
    assert_int_equal(yoke_lock_create(&lock, NULL), YOKE_OK);
    assert_int_equal(yoke_condition_create(&condition, YOKE_OPTIONS(yoke_condition_options, .lock = lock)), YOKE_OK);
    assert_int_equal(yoke_queue_put_variant(queue, YOKE_ARGS(condition), YOKE_FOREVER), YOKE_OK);
    yoke_condition_close(condition);
    yoke_lock_close(lock);
    assert_int_equal(yoke_queue_get_variant(queue, &message, YOKE_FOREVER), YOKE_OK);
    received = yoke_variant_condition(yoke_variant_at(message, 0));
    assert_non_null(received);
    assert_int_equal(yoke_condition_acquire(received, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_condition_wait(received, 1), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_condition_release(received), YOKE_OK);
    yoke_variant_free(message);
    yoke_queue_close(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_does_not_hold_the_lock_may_neither_wait_nor_notify),
        cmocka_unit_test(test_the_lock_of_another_process_or_thread_does_not_do),
        cmocka_unit_test(test_bad_handles_and_arguments_are_errors),
        cmocka_unit_test(test_locks_that_can_not_be_given_are_refused),
        cmocka_unit_test(test_a_named_condition_is_found_and_its_lock_compared),
        cmocka_unit_test(test_a_wait_gives_up_all_levels_and_takes_them_back),
        cmocka_unit_test(test_a_given_lock_lives_as_long_as_the_condition),
        cmocka_unit_test(test_a_death_in_its_lock_is_told_until_it_is_repaired),
        cmocka_unit_test(test_a_hundred_threads_wait_and_what_they_took_goes_with_the_condition),
        cmocka_unit_test(test_a_message_carries_a_condition_and_its_lock),
    };
    return cmocka_run_group_tests_name("condition", tests, shared_setup, shared_teardown);
}
