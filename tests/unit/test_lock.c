/* The lock's calls and their errors, within one process and with a forked child as the other one. */
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
#include "core/sync/lock.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

#include <yoke/yoke.h>

static yoke_lock *new_lock(yoke_on_death on_death)
{
    yoke_lock *lock;

    assert_int_equal(yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .on_death = on_death)), YOKE_OK);
    return lock;
}

static bool error_says(const char *text)
{
    return strstr(yoke_last_error()->text, text) != NULL;
}

static void test_acquire_and_release(void **state)
{
    yoke_lock *lock = new_lock(YOKE_REPORT_DEATH);

    (void)state;
    assert_false(yoke_lock_locked(lock));
    assert_int_equal(yoke_lock_acquire(lock, YOKE_FOREVER), YOKE_OK);
    assert_true(yoke_lock_locked(lock));
    assert_int_equal(yoke_lock_acquire(lock, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_lock_acquire(lock, -5), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    assert_false(yoke_lock_locked(lock));
    yoke_lock_close(lock);
}

static void test_release_of_a_lock_that_nobody_holds_is_an_error(void **state)
{
    yoke_lock *lock = new_lock(YOKE_REPORT_DEATH);

    (void)state;
    assert_int_equal(yoke_lock_release(lock), YOKE_EINVAL);
    assert_true(error_says("nobody holds it"));
    assert_int_equal(yoke_lock_acquire(lock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    assert_int_equal(yoke_lock_release(lock), YOKE_EINVAL);
    assert_int_equal(yoke_lock_acquire(lock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    yoke_lock_close(lock);
}

static void test_bad_handles_and_options_are_errors(void **state)
{
    yoke_lock *lock = new_lock(YOKE_REPORT_DEATH), *none = NULL;
    yoke_death death = {.struct_size = sizeof death};

    (void)state;
    yoke_lock_close(NULL);
    yoke_lock_close(lock);
    assert_int_equal(yoke_lock_acquire(lock, YOKE_NOWAIT), YOKE_EINVAL);
    assert_int_equal(yoke_lock_release(NULL), YOKE_EINVAL);
    assert_int_equal(yoke_lock_mark_repaired(lock), YOKE_EINVAL);
    assert_int_equal(yoke_lock_death(lock, &death), YOKE_EINVAL);
    assert_false(yoke_lock_locked(lock));
    assert_int_equal(yoke_lock_create(NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_lock_create(&none, &(yoke_lock_options){.struct_size = 0}), YOKE_EINVAL);
    assert_int_equal(yoke_lock_create(&none, YOKE_OPTIONS(yoke_lock_options, .on_death = (yoke_on_death)7)),
                     YOKE_EINVAL);
    assert_int_equal(yoke_lock_open(&none, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_lock_open(&none, NULL, "no-such-lock"), YOKE_ENOENT);
    assert_null(none);
}

static void test_a_named_lock_is_found_and_its_options_are_compared(void **state)
{
    yoke_lock *lock, *same, *other = NULL;

    (void)state;
    assert_int_equal(yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .name = "door")), YOKE_OK);
    assert_int_equal(yoke_lock_create(&other, YOKE_OPTIONS(yoke_lock_options, .name = "door")), YOKE_EEXIST);
    assert_int_equal(yoke_lock_open(&same, NULL, "door"), YOKE_OK);
    assert_int_equal(yoke_lock_acquire(lock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_lock_acquire(same, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_true(error_says("door"));
    assert_int_equal(yoke_lock_release(same), YOKE_OK);
    assert_int_equal(yoke_lock_create(&other, YOKE_OPTIONS(yoke_lock_options, .name = "door",
                                                           .mode = YOKE_OPEN_OR_CREATE, .on_death = YOKE_IGNORE_DEATH)),
                     YOKE_EINVAL);
    assert_true(error_says("YOKE_REPORT_DEATH") && error_says("YOKE_IGNORE_DEATH"));
    assert_null(other);
    yoke_lock_close(same);
    yoke_lock_close(lock);
}

/* ---- deaths ------------------------------------------------------------------------------------------------------ */

static int acquire_and_die(void *user)
{
    CHILD_CHECK(yoke_lock_acquire(user, YOKE_FOREVER) >= 0);
    (void)kill(getpid(), SIGKILL);
    return 0;
}

static pid_t let_a_child_die_in(yoke_lock *lock)
{
    pid_t pid = child_start(acquire_and_die, lock);

    assert_int_equal(child_join(pid), 1000 + SIGKILL);
    return pid;
}

static void test_every_acquirer_is_told_of_a_death_until_it_is_repaired(void **state)
{
    yoke_lock *lock = new_lock(YOKE_REPORT_DEATH);
    yoke_death death = {.struct_size = sizeof death};

    (void)state;
    assert_int_equal(yoke_lock_death(lock, &death), YOKE_ENOENT);
    pid_t pid = let_a_child_die_in(lock);
    assert_true(yoke_lock_locked(lock)); /* until the next acquire */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(yoke_lock_acquire(lock, YOKE_FOREVER), YOKE_OWNER_DIED);
        assert_int_equal(yoke_lock_death(lock, &death), YOKE_OK);
        assert_int_equal(death.pid, pid);
        assert_int_equal(yoke_lock_release(lock), YOKE_OK);
        assert_int_equal(yoke_lock_death(lock, &death), YOKE_OK); /* still so while nobody holds it */
    }
    assert_int_equal(yoke_lock_acquire(lock, YOKE_FOREVER), YOKE_OWNER_DIED);
    assert_int_equal(yoke_lock_mark_repaired(lock), YOKE_OK);
    assert_int_equal(yoke_lock_death(lock, &death), YOKE_ENOENT);
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    assert_int_equal(yoke_lock_acquire(lock, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    yoke_lock_close(lock);
}

static void test_the_last_of_several_dead_is_told(void **state)
{
    yoke_lock *lock = new_lock(YOKE_REPORT_DEATH);
    yoke_death death = {.struct_size = sizeof death};
    pid_t      last = 0;

    (void)state;
    for (int i = 0; i < 5; i++)
        last = let_a_child_die_in(lock);
    assert_int_equal(yoke_lock_acquire(lock, YOKE_FOREVER), YOKE_OWNER_DIED);
    assert_int_equal(yoke_lock_death(lock, &death), YOKE_OK);
    assert_int_equal(death.pid, last);
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    yoke_lock_close(lock);
}

/* Recovery may come to the lock before the next acquirer does: that is told all the same. */
static void test_a_death_is_reported_after_a_sweep_too(void **state)
{
    yoke_lock *lock = new_lock(YOKE_REPORT_DEATH), *ignoring = new_lock(YOKE_IGNORE_DEATH);
    yoke_death death = {.struct_size = sizeof death};

    (void)state;
    pid_t pid = let_a_child_die_in(lock);
    (void)let_a_child_die_in(ignoring);
    assert_true(yoke__domain_recover(shared_domain()) >= 1);
    assert_int_equal(yoke__a32_load_relaxed(&((yoke__lock_state *)lock->handle.object)->word),
                     YOKE__TOKEN_GONE | YOKE__TOKEN_FLAG);
    assert_int_equal(yoke__a32_load_relaxed(&((yoke__lock_state *)ignoring->handle.object)->word), YOKE__TOKEN_GONE);
    assert_true(yoke_lock_locked(lock) && yoke_lock_locked(ignoring));
    assert_int_equal(yoke_lock_acquire(lock, YOKE_FOREVER), YOKE_OWNER_DIED);
    assert_int_equal(yoke_lock_death(lock, &death), YOKE_OK);
    assert_int_equal(death.pid, pid);
    assert_int_equal(yoke_lock_acquire(ignoring, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    assert_int_equal(yoke_lock_release(ignoring), YOKE_OK);
    yoke_lock_close(lock);
    yoke_lock_close(ignoring);
}

static void test_the_exit_of_the_dead_is_told_once_known(void **state)
{
    yoke_lock *lock = new_lock(YOKE_REPORT_DEATH);
    yoke_death death = {.struct_size = sizeof death};

    (void)state;
    pid_t pid = let_a_child_die_in(lock);
    (void)yoke__domain_recover(shared_domain());
    assert_int_equal(yoke_lock_death(lock, &death), YOKE_OK);
    assert_false(death.exit_known);
    yoke__domain_bury(shared_domain(), pid, INT64_MAX, 1, 3); /* another one's, that began later with its number */
    assert_int_equal(yoke_lock_death(lock, &death), YOKE_OK);
    assert_false(death.exit_known);
    yoke__obituary_note(shared_domain(), pid, 2, SIGKILL);
    assert_int_equal(yoke_lock_death(lock, &death), YOKE_OK);
    assert_true(death.exit_known);
    assert_int_equal(death.exit_signal, SIGKILL);
    assert_int_equal(death.exit_code, 0);
    yoke_lock_close(lock);
}

static void test_a_lock_that_ignores_death_reports_none(void **state)
{
    yoke_lock *lock = new_lock(YOKE_IGNORE_DEATH);
    yoke_death death = {.struct_size = sizeof death, .pid = 77};

    (void)state;
    (void)let_a_child_die_in(lock);
    assert_int_equal(yoke_lock_acquire(lock, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(yoke_lock_death(lock, &death), YOKE_ENOENT);
    assert_int_equal(death.pid, 77);
    assert_int_equal(yoke_lock_mark_repaired(lock), YOKE_OK);
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    yoke_lock_close(lock);
}

static void test_only_the_holder_may_say_repaired(void **state)
{
    yoke_lock *lock = new_lock(YOKE_REPORT_DEATH);

    (void)state;
    assert_int_equal(yoke_lock_mark_repaired(lock), YOKE_ENOTOWNER);
    (void)let_a_child_die_in(lock);
    assert_int_equal(yoke_lock_mark_repaired(lock), YOKE_ENOTOWNER);
    assert_int_equal(yoke_lock_acquire(lock, YOKE_FOREVER), YOKE_OWNER_DIED);
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    yoke_lock_close(lock);
}

/* A caller built against a smaller yoke_death gets no byte more than it has. */
static void test_a_smaller_death_record_is_respected(void **state)
{
    yoke_lock *lock = new_lock(YOKE_REPORT_DEATH);
    struct {
        yoke_death death;
        char       guard[16];
    } place;

    (void)state;
    memset(&place, 0x5a, sizeof place);
    place.death.struct_size = offsetof(yoke_death, name);
    pid_t pid = let_a_child_die_in(lock);
    assert_int_equal(yoke_lock_acquire(lock, YOKE_FOREVER), YOKE_OWNER_DIED);
    assert_int_equal(yoke_lock_death(lock, &place.death), YOKE_OK);
    assert_int_equal(place.death.pid, pid);
    assert_int_equal(place.death.name[0], 0x5a);
    place.death.struct_size = 0;
    assert_int_equal(yoke_lock_death(lock, &place.death), YOKE_EINVAL);
    assert_int_equal(yoke_lock_death(lock, NULL), YOKE_EINVAL);
    yoke_lock_close(lock);
}

/* ---- time-outs and closing --------------------------------------------------------------------------------------- */

static void test_a_time_out_names_the_holder(void **state)
{
    yoke_lock *lock = new_lock(YOKE_REPORT_DEATH);
    char       pid[32];

    (void)state;
    (void)snprintf(pid, sizeof pid, "pid %ld", (long)getpid());
    assert_int_equal(yoke_lock_acquire(lock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_lock_acquire(lock, 20), YOKE_ETIMEDOUT);
    assert_true(error_says(pid));
    assert_true(error_says("20 ms"));
    assert_true(error_says("this thread") && error_says("at least"));
    assert_int_equal(yoke_last_error()->pid, getpid());
    assert_int_equal(yoke_last_error()->code, YOKE_ETIMEDOUT);
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    yoke_lock_close(lock);
}

static void *acquire_in_thread(void *user)
{
    return (void *)(intptr_t)yoke_lock_acquire(user, YOKE_FOREVER);
}

static void test_closing_wakes_the_sleepers_of_this_process(void **state)
{
    yoke_lock *lock, *other;
    pthread_t  threads[3];
    void      *result;

    (void)state;
    assert_int_equal(yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .name = "gate")), YOKE_OK);
    assert_int_equal(yoke_lock_open(&other, NULL, "gate"), YOKE_OK);
    assert_int_equal(yoke_lock_acquire(lock, YOKE_NOWAIT), YOKE_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, acquire_in_thread, other), 0);
    while (yoke__a32_load_relaxed(&other->handle.users) < 3)
        (void)usleep(500);
    yoke_lock_close(other);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_int_equal((int)(intptr_t)result, YOKE_ECLOSED);
    }
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    yoke_lock_close(lock);
}

static int release_it(void *user)
{
    return yoke_lock_release(user) == YOKE_OK ? 0 : 1;
}

static void test_another_process_may_release(void **state)
{
    yoke_lock *lock = new_lock(YOKE_REPORT_DEATH);

    (void)state;
    assert_int_equal(yoke_lock_acquire(lock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(child_join(child_start(release_it, lock)), 0);
    assert_false(yoke_lock_locked(lock));
    assert_int_equal(yoke_lock_acquire(lock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    yoke_lock_close(lock);
}

/* ---- inside another object --------------------------------------------------------------------------------------- */

static void test_a_borrowed_lock_works_and_cannot_be_closed_by_its_user(void **state)
{
    yoke_lock        *around = new_lock(YOKE_REPORT_DEATH), *lock;
    yoke__lock_state *inner = shared_alloc(sizeof *inner);

    (void)state;
    yoke__lock_init(inner, YOKE_REPORT_DEATH);
    assert_int_equal(yoke__lock_borrow(&lock, &around->handle, inner), YOKE_OK);
    assert_int_equal(yoke_lock_acquire(lock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_lock_acquire(lock, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    yoke_lock_close(lock);
    assert_true(yoke_lock_locked(lock));
    assert_int_equal(child_join(child_start(release_it, lock)), 0);
    pid_t      pid = let_a_child_die_in(lock);
    yoke_death death = {.struct_size = sizeof death};
    assert_int_equal(yoke_lock_acquire(lock, YOKE_NOWAIT), YOKE_OWNER_DIED);
    assert_int_equal(yoke_lock_death(lock, &death), YOKE_OK);
    assert_int_equal(death.pid, pid);
    yoke__lock_return(lock);
    assert_int_equal(yoke_lock_acquire(lock, YOKE_NOWAIT), YOKE_EINVAL);
    yoke__lock_return(NULL);
    shared_free(inner);
    yoke_lock_close(around);
}

static void test_a_thousand_locks_take_no_descriptor(void **state)
{
    enum { MANY = 1000 };
    static yoke_lock *locks[MANY];
    int               before = leak_descriptors();

    (void)state;
    for (int i = 0; i < MANY; i++) {
        locks[i] = new_lock(YOKE_REPORT_DEATH);
        assert_int_equal(yoke_lock_acquire(locks[i], YOKE_NOWAIT), YOKE_OK);
    }
    assert_int_equal(leak_descriptors(), before);
    for (int i = 0; i < MANY; i++)
        yoke_lock_close(locks[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acquire_and_release),
        cmocka_unit_test(test_release_of_a_lock_that_nobody_holds_is_an_error),
        cmocka_unit_test(test_bad_handles_and_options_are_errors),
        cmocka_unit_test(test_a_named_lock_is_found_and_its_options_are_compared),
        cmocka_unit_test(test_every_acquirer_is_told_of_a_death_until_it_is_repaired),
        cmocka_unit_test(test_the_last_of_several_dead_is_told),
        cmocka_unit_test(test_a_death_is_reported_after_a_sweep_too),
        cmocka_unit_test(test_the_exit_of_the_dead_is_told_once_known),
        cmocka_unit_test(test_a_lock_that_ignores_death_reports_none),
        cmocka_unit_test(test_only_the_holder_may_say_repaired),
        cmocka_unit_test(test_a_smaller_death_record_is_respected),
        cmocka_unit_test(test_a_time_out_names_the_holder),
        cmocka_unit_test(test_closing_wakes_the_sleepers_of_this_process),
        cmocka_unit_test(test_another_process_may_release),
        cmocka_unit_test(test_a_borrowed_lock_works_and_cannot_be_closed_by_its_user),
        cmocka_unit_test(test_a_thousand_locks_take_no_descriptor),
    };
    return cmocka_run_group_tests_name("lock", tests, shared_setup, shared_teardown);
}
