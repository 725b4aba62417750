/* The recursive lock's calls and their errors, within one process and with a forked child as the other one. */
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
#include "core/sync/rlock.h"
#include "support/child.h"
#include "support/shared.h"

#include <yoke/yoke.h>

static yoke_rlock *new_rlock(yoke_on_death on_death)
{
    yoke_rlock *rlock;

    assert_int_equal(yoke_rlock_create(&rlock, YOKE_OPTIONS(yoke_rlock_options, .on_death = on_death)), YOKE_OK);
    return rlock;
}

static bool error_says(const char *text)
{
    return strstr(yoke_last_error()->text, text) != NULL;
}

/* What a call returns in another thread of this process. */
static struct {
    int (*call)(yoke_rlock *rlock);
    yoke_rlock *rlock;
} asked;

static void *ask(void *user)
{
    (void)user;
    return (void *)(intptr_t)asked.call(asked.rlock);
}

static int in_another_thread(int (*call)(yoke_rlock *rlock), yoke_rlock *rlock)
{
    pthread_t thread;
    void     *result;

    asked.call = call;
    asked.rlock = rlock;
    assert_int_equal(pthread_create(&thread, NULL, ask, NULL), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    return (int)(intptr_t)result;
}

static int try_it(yoke_rlock *rlock)
{
    return yoke_rlock_acquire(rlock, YOKE_NOWAIT);
}

static int depth_of(yoke_rlock *rlock)
{
    return (int)yoke_rlock_depth(rlock);
}

static void test_it_is_acquired_again_by_its_owner_and_released_as_often(void **state)
{
    yoke_rlock *rlock = new_rlock(YOKE_REPORT_DEATH);

    (void)state;
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(yoke_rlock_acquire(rlock, YOKE_FOREVER), YOKE_OK);
        assert_int_equal(yoke_rlock_depth(rlock), i);
        assert_int_equal(in_another_thread(try_it, rlock), YOKE_ETIMEDOUT);
    }
    for (int i = 2; i >= 0; i--) {
        assert_true(yoke_rlock_locked(rlock));
        assert_int_equal(yoke_rlock_release(rlock), YOKE_OK);
        assert_int_equal(yoke_rlock_depth(rlock), i);
    }
    assert_false(yoke_rlock_locked(rlock));
    assert_int_equal(in_another_thread(try_it, rlock), YOKE_OK);
    yoke_rlock_close(rlock);
}

static void test_release_by_another_thread_is_refused(void **state)
{
    yoke_rlock *rlock = new_rlock(YOKE_REPORT_DEATH);
    char        thread[64];

    (void)state;
    assert_int_equal(yoke_rlock_release(rlock), YOKE_EINVAL);
    assert_true(error_says("nobody holds it"));
    assert_int_equal(yoke_rlock_acquire(rlock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(in_another_thread(yoke_rlock_release, rlock), YOKE_ENOTOWNER);
    assert_int_equal(in_another_thread(yoke_rlock_mark_repaired, rlock), YOKE_ENOTOWNER);
    assert_int_equal(in_another_thread(depth_of, rlock), 0);
    (void)snprintf(thread, sizeof thread, "pid %ld", (long)getpid());
    assert_int_equal(yoke_rlock_depth(rlock), 1);
    assert_int_equal(yoke_rlock_release(rlock), YOKE_OK);
    assert_int_equal(yoke_rlock_release(rlock), YOKE_EINVAL);
    yoke_rlock_close(rlock);
}

static int is_another_owner(void *user)
{
    yoke_rlock *rlock = user;

    CHILD_CHECK(yoke_rlock_depth(rlock) == 0);
    CHILD_CHECK(yoke_rlock_acquire(rlock, YOKE_NOWAIT) == YOKE_ETIMEDOUT);
    CHILD_CHECK(yoke_rlock_release(rlock) == YOKE_ENOTOWNER);
    CHILD_CHECK(yoke_last_error()->pid == getppid());
    CHILD_CHECK(yoke_rlock_mark_repaired(rlock) == YOKE_ENOTOWNER);
    return 0;
}

static void test_a_forked_childs_thread_is_another_owner(void **state)
{
    yoke_rlock *rlock = new_rlock(YOKE_REPORT_DEATH);

    (void)state;
    assert_int_equal(yoke_rlock_acquire(rlock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(child_join(child_start(is_another_owner, rlock)), 0);
    assert_int_equal(yoke_rlock_depth(rlock), 1);
    assert_int_equal(yoke_rlock_release(rlock), YOKE_OK);
    yoke_rlock_close(rlock);
}

static void test_the_depth_has_a_limit(void **state)
{
    yoke_rlock *rlock = new_rlock(YOKE_REPORT_DEATH);

    (void)state;
    for (uint32_t i = 0; i < YOKE__RLOCK_DEPTH_MAX; i++)
        assert_int_equal(yoke_rlock_acquire(rlock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_rlock_acquire(rlock, YOKE_NOWAIT), YOKE_ERANGE);
    assert_true(error_says("65535"));
    assert_int_equal(yoke_rlock_depth(rlock), YOKE__RLOCK_DEPTH_MAX);
    for (uint32_t i = 0; i < YOKE__RLOCK_DEPTH_MAX; i++)
        assert_int_equal(yoke_rlock_release(rlock), YOKE_OK);
    assert_false(yoke_rlock_locked(rlock));
    yoke_rlock_close(rlock);
}

static int die_three_levels_deep(void *user)
{
    for (int i = 0; i < 3; i++)
        CHILD_CHECK(yoke_rlock_acquire(user, YOKE_FOREVER) >= 0);
    (void)kill(getpid(), SIGKILL);
    return 0;
}

/* The levels of the dead don't count, and a death is told at every level until it is repaired. */
static void test_who_takes_over_has_one_level(void **state)
{
    yoke_rlock *rlock = new_rlock(YOKE_REPORT_DEATH);
    yoke_death  death = {.struct_size = sizeof death};

    (void)state;
    pid_t pid = child_start(die_three_levels_deep, rlock);
    assert_int_equal(child_join(pid), 1000 + SIGKILL);
    assert_true(yoke_rlock_locked(rlock));
    assert_int_equal(yoke_rlock_depth(rlock), 0);
    assert_int_equal(yoke_rlock_acquire(rlock, YOKE_FOREVER), YOKE_OWNER_DIED);
    assert_int_equal(yoke_rlock_acquire(rlock, YOKE_FOREVER), YOKE_OWNER_DIED);
    assert_int_equal(yoke_rlock_depth(rlock), 2);
    assert_int_equal(yoke_rlock_death(rlock, &death), YOKE_OK);
    assert_int_equal(death.pid, pid);
    assert_int_equal(yoke_rlock_mark_repaired(rlock), YOKE_OK);
    assert_int_equal(yoke_rlock_acquire(rlock, YOKE_FOREVER), YOKE_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(yoke_rlock_release(rlock), YOKE_OK);
    assert_int_equal(yoke_rlock_death(rlock, &death), YOKE_ENOENT);
    yoke_rlock_close(rlock);
}

static void test_a_sweep_leaves_the_death_to_the_next(void **state)
{
    yoke_rlock *rlock = new_rlock(YOKE_REPORT_DEATH), *ignoring = new_rlock(YOKE_IGNORE_DEATH);
    yoke_death  death = {.struct_size = sizeof death};

    (void)state;
    pid_t pid = child_start(die_three_levels_deep, rlock);
    assert_int_equal(child_join(pid), 1000 + SIGKILL);
    assert_int_equal(child_join(child_start(die_three_levels_deep, ignoring)), 1000 + SIGKILL);
    assert_true(yoke__domain_recover(shared_domain()) >= 1);
    assert_true(yoke_rlock_locked(rlock) && yoke_rlock_locked(ignoring));
    assert_int_equal(yoke_rlock_acquire(rlock, YOKE_NOWAIT), YOKE_OWNER_DIED);
    assert_int_equal(yoke_rlock_acquire(ignoring, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_rlock_death(rlock, &death), YOKE_OK);
    assert_int_equal(death.pid, pid);
    assert_int_equal(yoke_rlock_release(rlock), YOKE_OK);
    assert_int_equal(yoke_rlock_release(ignoring), YOKE_OK);
    yoke_rlock_close(rlock);
    yoke_rlock_close(ignoring);
}

static int levels_are_dropped_and_had_again(yoke_rlock *rlock)
{
    yoke__handle *handle = &rlock->handle;
    uint32_t      levels = 77;

    if (yoke__rlock_release_all(handle, handle->id, handle->object, &levels) != YOKE_EINVAL || levels != 77)
        return 1;
    for (int i = 0; i < 4; i++)
        if (yoke_rlock_acquire(rlock, YOKE_NOWAIT) != YOKE_OK)
            return 2;
    if (yoke__rlock_release_all(handle, handle->id, handle->object, &levels) != YOKE_OK || levels != 4)
        return 3;
    if (yoke_rlock_locked(rlock))
        return 4;
    if (yoke__rlock_acquire_levels(handle, handle->id, handle->object, levels, 1000) != YOKE_OK)
        return 5;
    if (yoke_rlock_depth(rlock) != 4)
        return 6;
    for (int i = 0; i < 4; i++)
        if (yoke_rlock_release(rlock) != YOKE_OK)
            return 7;
    return yoke_rlock_locked(rlock) ? 8 : 0;
}

static void test_all_levels_at_once(void **state)
{
    yoke_rlock *rlock = new_rlock(YOKE_REPORT_DEATH);
    uint32_t    levels = 77;

    (void)state;
    assert_int_equal(levels_are_dropped_and_had_again(rlock), 0);
    assert_int_equal(in_another_thread(levels_are_dropped_and_had_again, rlock), 0);
    assert_int_equal(in_another_thread(try_it, rlock), YOKE_OK); /* and that thread is gone */
    assert_int_equal(yoke__rlock_release_all(&rlock->handle, rlock->handle.id, rlock->handle.object, &levels),
                     YOKE_ENOTOWNER);
    assert_int_equal(levels, 77);
    yoke_rlock_close(rlock);
}

static void test_bad_handles_and_options_are_errors(void **state)
{
    yoke_rlock *rlock = new_rlock(YOKE_REPORT_DEATH), *none = NULL;
    yoke_lock  *lock;
    yoke_death  death = {.struct_size = sizeof death};

    (void)state;
    assert_int_equal(yoke_lock_create(&lock, NULL), YOKE_OK);
    assert_int_equal(yoke_rlock_acquire((yoke_rlock *)(void *)lock, YOKE_NOWAIT), YOKE_EINVAL);
    assert_true(error_says("this is a lock, not a rlock"));
    yoke_lock_close(lock);
    yoke_rlock_close(NULL);
    yoke_rlock_close(rlock);
    assert_int_equal(yoke_rlock_acquire(rlock, YOKE_NOWAIT), YOKE_EINVAL);
    assert_int_equal(yoke_rlock_release(NULL), YOKE_EINVAL);
    assert_int_equal(yoke_rlock_mark_repaired(rlock), YOKE_EINVAL);
    assert_int_equal(yoke_rlock_death(rlock, &death), YOKE_EINVAL);
    assert_int_equal(yoke_rlock_depth(rlock), YOKE_EINVAL);
    assert_false(yoke_rlock_locked(rlock));
    assert_int_equal(yoke_rlock_create(NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_rlock_create(&none, &(yoke_rlock_options){.struct_size = 3}), YOKE_EINVAL);
    assert_int_equal(yoke_rlock_create(&none, YOKE_OPTIONS(yoke_rlock_options, .on_death = (yoke_on_death)7)),
                     YOKE_EINVAL);
    assert_int_equal(yoke_rlock_open(&none, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_rlock_open(&none, NULL, "no-such-rlock"), YOKE_ENOENT);
    assert_null(none);
}

static void test_a_named_one_is_found_and_its_options_are_compared(void **state)
{
    yoke_rlock *rlock, *same, *other = NULL;

    (void)state;
    assert_int_equal(yoke_rlock_create(&rlock, YOKE_OPTIONS(yoke_rlock_options, .name = "again")), YOKE_OK);
    assert_int_equal(yoke_rlock_open(&same, NULL, "again"), YOKE_OK);
    assert_int_equal(yoke_rlock_acquire(rlock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_rlock_acquire(same, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_rlock_depth(rlock), 2);
    assert_int_equal(yoke_rlock_create(&other, YOKE_OPTIONS(yoke_rlock_options, .name = "again",
                                                            .mode = YOKE_OPEN_OR_CREATE, .detect_deadlock = true)),
                     YOKE_EINVAL);
    assert_true(error_says("detect_deadlock"));
    assert_int_equal(yoke_rlock_release(rlock), YOKE_OK);
    assert_int_equal(yoke_rlock_release(rlock), YOKE_OK);
    assert_null(other);
    yoke_rlock_close(same);
    yoke_rlock_close(rlock);
}

static void *acquire_in_thread(void *user)
{
    return (void *)(intptr_t)yoke_rlock_acquire(user, YOKE_FOREVER);
}

static void test_closing_wakes_the_sleepers_of_this_process(void **state)
{
    yoke_rlock *rlock, *other;
    pthread_t   threads[2];
    void       *result;

    (void)state;
    assert_int_equal(yoke_rlock_create(&rlock, YOKE_OPTIONS(yoke_rlock_options, .name = "gate")), YOKE_OK);
    assert_int_equal(yoke_rlock_open(&other, NULL, "gate"), YOKE_OK);
    assert_int_equal(yoke_rlock_acquire(rlock, YOKE_NOWAIT), YOKE_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, acquire_in_thread, other), 0);
    while (yoke__a32_load_relaxed(&other->handle.users) < 2)
        (void)usleep(500);
    yoke_rlock_close(other);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_int_equal((int)(intptr_t)result, YOKE_ECLOSED);
    }
    assert_int_equal(yoke_rlock_release(rlock), YOKE_OK);
    yoke_rlock_close(rlock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_acquired_again_by_its_owner_and_released_as_often),
        cmocka_unit_test(test_release_by_another_thread_is_refused),
        cmocka_unit_test(test_a_forked_childs_thread_is_another_owner),
        cmocka_unit_test(test_the_depth_has_a_limit),
        cmocka_unit_test(test_who_takes_over_has_one_level),
        cmocka_unit_test(test_a_sweep_leaves_the_death_to_the_next),
        cmocka_unit_test(test_all_levels_at_once),
        cmocka_unit_test(test_bad_handles_and_options_are_errors),
        cmocka_unit_test(test_a_named_one_is_found_and_its_options_are_compared),
        cmocka_unit_test(test_closing_wakes_the_sleepers_of_this_process),
    };
    return cmocka_run_group_tests_name("rlock", tests, shared_setup, shared_teardown);
}
