/*
 * What a lock promises between processes, through the public calls alone. The processes are forked: how they come to the
 * handle is the business of other tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/child.h"
#include "support/shared.h"

#include <yoke/yoke.h>

enum { TURNS = 5000 };

/* What the lock guards, and flags by which the processes tell each other how far they are. */
typedef struct account {
    yoke_lock  *lock;
    int64_t     left, right;
    _Atomic int stage;
} account;

static account *open_account(yoke_on_death on_death)
{
    account *a = shared_alloc(sizeof *a);

    assert_int_equal(yoke_lock_create(&a->lock, YOKE_OPTIONS(yoke_lock_options, .on_death = on_death)), YOKE_OK);
    return a;
}

static void close_account(account *a)
{
    yoke_lock_close(a->lock);
    shared_free(a);
}

static void until_stage(const account *a, int stage)
{
    while (a->stage < stage)
        (void)sched_yield();
}

/* ---- exclusion --------------------------------------------------------------------------------------------------- */

/* Not in one step, so that anybody else inside would be noticed. */
static void transfer(account *a)
{
    a->left--;
    a->right++;
}

static int transfer_often(void *user)
{
    account *a = user;

    for (int i = 0; i < TURNS; i++) {
        CHILD_CHECK(yoke_lock_acquire(a->lock, YOKE_FOREVER) == YOKE_OK);
        CHILD_CHECK(a->left + a->right == 0);
        transfer(a);
        CHILD_CHECK(yoke_lock_release(a->lock) == YOKE_OK);
    }
    return 0;
}

static void *transfer_in_thread(void *user)
{
    (void)transfer_often(user);
    return NULL;
}

static void test_processes_and_threads_take_turns(void **state)
{
    account  *a = open_account(YOKE_REPORT_DEATH);
    pid_t     children[3];
    pthread_t threads[2];

    (void)state;
    for (int i = 0; i < 3; i++)
        children[i] = child_start(transfer_often, a);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, transfer_in_thread, a), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(child_join(children[i]), 0);
    assert_int_equal(a->right, 5 * TURNS);
    assert_int_equal(a->left, -5 * TURNS);
    close_account(a);
}

/* ---- Python's rule: who releases need not be who acquired --------------------------------------------------------- */

static int acquire_and_leave_it(void *user)
{
    account *a = user;

    CHILD_CHECK(yoke_lock_acquire(a->lock, YOKE_FOREVER) == YOKE_OK);
    a->stage = 1;
    until_stage(a, 2);
    CHILD_CHECK(!yoke_lock_locked(a->lock));
    return 0;
}

static void test_a_lock_may_be_released_by_another_process(void **state)
{
    account *a = open_account(YOKE_REPORT_DEATH);
    pid_t    child = child_start(acquire_and_leave_it, a);

    (void)state;
    until_stage(a, 1);
    assert_int_equal(yoke_lock_acquire(a->lock, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_lock_release(a->lock), YOKE_OK);
    a->stage = 2;
    assert_int_equal(child_join(child), 0);
    assert_int_equal(yoke_lock_acquire(a->lock, YOKE_NOWAIT), YOKE_OK); /* it did not die holding it */
    assert_int_equal(yoke_lock_release(a->lock), YOKE_OK);
    close_account(a);
}

/* ---- time-outs --------------------------------------------------------------------------------------------------- */

static int hold_until_stage_2(void *user)
{
    account *a = user;

    CHILD_CHECK(yoke_lock_acquire(a->lock, YOKE_FOREVER) == YOKE_OK);
    a->stage = 1;
    until_stage(a, 2);
    CHILD_CHECK(yoke_lock_release(a->lock) == YOKE_OK);
    return 0;
}

static void test_a_time_out_names_the_process_that_holds(void **state)
{
    account  *a = open_account(YOKE_REPORT_DEATH);
    pid_t     child = child_start(hold_until_stage_2, a);
    char      pid[32];
    long long start;

    (void)state;
    until_stage(a, 1);
    start = milliseconds();
    assert_int_equal(yoke_lock_acquire(a->lock, 50), YOKE_ETIMEDOUT);
    assert_true(milliseconds() - start >= 49);
    (void)snprintf(pid, sizeof pid, "pid %ld", (long)child);
    assert_non_null(strstr(yoke_last_error()->text, pid));
    assert_int_equal(yoke_last_error()->pid, child);
    a->stage = 2;
    assert_int_equal(yoke_lock_acquire(a->lock, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(child_join(child), 0);
    assert_int_equal(yoke_lock_release(a->lock), YOKE_OK);
    close_account(a);
}

static void on_signal(int number)
{
    (void)number;
}

static int pester(void *user)
{
    (void)user;
    for (int i = 0; i < 20; i++) {
        (void)kill(getppid(), SIGUSR1);
        (void)usleep(5000); /* the signals' pace: nobody relies on it */
    }
    return 0;
}

static void test_signals_do_not_shorten_a_wait(void **state)
{
    account         *a = open_account(YOKE_REPORT_DEATH);
    struct sigaction action = {.sa_handler = on_signal}, old;

    (void)state;
    assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
    assert_int_equal(yoke_lock_acquire(a->lock, YOKE_NOWAIT), YOKE_OK);
    pid_t     child = child_start(pester, NULL);
    long long start = milliseconds();
    assert_int_equal(yoke_lock_acquire(a->lock, 300), YOKE_ETIMEDOUT);
    assert_true(milliseconds() - start >= 299);
    assert_int_equal(child_join(child), 0);
    assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
    assert_int_equal(yoke_lock_release(a->lock), YOKE_OK);
    close_account(a);
}

/* ---- deaths ------------------------------------------------------------------------------------------------------ */

static int die_half_way(void *user)
{
    account *a = user;

    CHILD_CHECK(yoke_lock_acquire(a->lock, YOKE_FOREVER) >= 0);
    a->left--;
    a->stage = 1;
    (void)raise(SIGKILL);
    return 0;
}

static int repair(void *user)
{
    account   *a = user;
    yoke_death death = {.struct_size = sizeof death};

    CHILD_CHECK(yoke_lock_acquire(a->lock, YOKE_FOREVER) == YOKE_OWNER_DIED);
    CHILD_CHECK(yoke_lock_death(a->lock, &death) == YOKE_OK);
    a->right = -a->left;
    CHILD_CHECK(yoke_lock_mark_repaired(a->lock) == YOKE_OK);
    CHILD_CHECK(yoke_lock_release(a->lock) == YOKE_OK);
    return death.pid == a->stage ? 0 : 1;
}

static void test_a_death_is_told_to_other_processes_until_one_repairs(void **state)
{
    account *a = open_account(YOKE_REPORT_DEATH);
    pid_t    dead = child_start(die_half_way, a);

    (void)state;
    assert_int_equal(child_join(dead), 1000 + SIGKILL);
    assert_int_equal(yoke_lock_acquire(a->lock, YOKE_FOREVER), YOKE_OWNER_DIED);
    assert_int_not_equal(a->left + a->right, 0);
    assert_int_equal(yoke_lock_release(a->lock), YOKE_OK); /* leaves it as it is */
    a->stage = dead;
    assert_int_equal(child_join(child_start(repair, a)), 0);
    assert_int_equal(a->left + a->right, 0);
    assert_int_equal(yoke_lock_acquire(a->lock, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(yoke_lock_release(a->lock), YOKE_OK);
    close_account(a);
}

/* Exit in good order while holding is a death too: nobody else could release in its place. */
static int exit_holding(void *user)
{
    account *a = user;

    return yoke_lock_acquire(a->lock, YOKE_FOREVER) == YOKE_OK ? 0 : 1;
}

static void test_who_exits_holding_has_died_holding(void **state)
{
    account *a = open_account(YOKE_REPORT_DEATH);

    (void)state;
    assert_int_equal(child_join(child_start(exit_holding, a)), 0);
    assert_int_equal(yoke_lock_acquire(a->lock, YOKE_FOREVER), YOKE_OWNER_DIED);
    assert_int_equal(yoke_lock_release(a->lock), YOKE_OK);
    close_account(a);
}

static int wait_for_it(void *user)
{
    account *a = user;
    int      result = yoke_lock_acquire(a->lock, 60000);

    CHILD_CHECK(result >= 0);
    CHILD_CHECK(yoke_lock_release(a->lock) == YOKE_OK);
    return result;
}

static void test_all_that_sleep_in_it_survive_the_holders_death(void **state)
{
    account *a = open_account(YOKE_REPORT_DEATH);
    pid_t    sleepers[3], holder = child_start(hold_until_stage_2, a);

    (void)state;
    until_stage(a, 1);
    for (int i = 0; i < 3; i++)
        sleepers[i] = child_start(wait_for_it, a);
    for (int i = 0; i < 3; i++)
        assert_true(sleeps(sleepers[i]));
    long long start = milliseconds();
    child_kill(holder);
    for (int i = 0; i < 3; i++)
        assert_int_equal(child_join(sleepers[i]), YOKE_OWNER_DIED);
    assert_true(milliseconds() - start < 10000);
    close_account(a);
}

/* Whoever is woken may be killed before it gets anywhere: the others go on. */
static void test_sleepers_that_are_killed_take_nothing_with_them(void **state)
{
    account *a = open_account(YOKE_REPORT_DEATH);
    pid_t    sleepers[4];

    (void)state;
    assert_int_equal(yoke_lock_acquire(a->lock, YOKE_NOWAIT), YOKE_OK);
    for (int i = 0; i < 4; i++)
        sleepers[i] = child_start(wait_for_it, a);
    for (int i = 0; i < 4; i++)
        assert_true(sleeps(sleepers[i]));
    for (int i = 0; i < 3; i++)
        child_kill(sleepers[i]);
    long long start = milliseconds();
    assert_int_equal(yoke_lock_release(a->lock), YOKE_OK);
    assert_int_equal(child_join(sleepers[3]), YOKE_OK);
    assert_true(milliseconds() - start < 10000);
    close_account(a);
}

/* ---- forks ------------------------------------------------------------------------------------------------------- */

static int finds_it_held_by_the_parent(void *user)
{
    account *a = user;

    CHILD_CHECK(yoke_lock_acquire(a->lock, YOKE_NOWAIT) == YOKE_ETIMEDOUT);
    CHILD_CHECK(yoke_last_error()->pid == getppid());
    CHILD_CHECK(yoke_lock_mark_repaired(a->lock) == YOKE_ENOTOWNER);
    yoke_lock_close(a->lock);
    return 0;
}

static void test_what_the_parent_holds_stays_the_parents_across_a_fork(void **state)
{
    account *a = open_account(YOKE_REPORT_DEATH);

    (void)state;
    assert_int_equal(yoke_lock_acquire(a->lock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(child_join(child_start(finds_it_held_by_the_parent, a)), 0);
    assert_true(yoke_lock_locked(a->lock));
    assert_int_equal(yoke_lock_release(a->lock), YOKE_OK);
    assert_int_equal(yoke_lock_acquire(a->lock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_lock_release(a->lock), YOKE_OK);
    close_account(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processes_and_threads_take_turns),
        cmocka_unit_test(test_a_lock_may_be_released_by_another_process),
        cmocka_unit_test(test_a_time_out_names_the_process_that_holds),
        cmocka_unit_test(test_signals_do_not_shorten_a_wait),
        cmocka_unit_test(test_a_death_is_told_to_other_processes_until_one_repairs),
        cmocka_unit_test(test_who_exits_holding_has_died_holding),
        cmocka_unit_test(test_all_that_sleep_in_it_survive_the_holders_death),
        cmocka_unit_test(test_sleepers_that_are_killed_take_nothing_with_them),
        cmocka_unit_test(test_what_the_parent_holds_stays_the_parents_across_a_fork),
    };
    return cmocka_run_group_tests_name("lock", tests, shared_setup, shared_teardown);
}
