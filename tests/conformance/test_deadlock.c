/* Waits that can never end, over processes, threads and kinds of locks: one of those in the cycle is told, with the chain, and
 * the others go on. Who merely waits long is not told anything. */
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

enum { MOST = 4 };

typedef struct ring {
    yoke_lock      *locks[MOST];
    yoke_rlock     *rlocks[MOST]; /* in the place of the locks, if there */
    int             size;
    _Atomic int     holding, told, through, comes;
    _Atomic int64_t pids[MOST];
    char            text[1024]; /* of who was told */
} ring;

static ring *open_ring(int size, bool recursive)
{
    static int number; /* names are told apart while dead children are not buried yet */
    ring      *r = shared_alloc(sizeof *r);

    number++;
    r->size = size;
    for (int i = 0; i < size; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%c%d", 'a' + i, number);
        if (recursive)
            assert_int_equal(yoke_rlock_create(&r->rlocks[i],
                                               YOKE_OPTIONS(yoke_rlock_options, .name = name, .detect_deadlock = true)),
                             YOKE_OK);
        else
            assert_int_equal(
                yoke_lock_create(&r->locks[i], YOKE_OPTIONS(yoke_lock_options, .name = name, .owner_releases = true,
                                                            .detect_deadlock = true)),
                YOKE_OK);
    }
    return r;
}

static void close_ring(ring *r)
{
    for (int i = 0; i < r->size; i++) {
        yoke_lock_close(r->locks[i]);
        yoke_rlock_close(r->rlocks[i]);
    }
    shared_free(r);
}

static int acquire(ring *r, int i, int64_t timeout)
{
    i %= r->size;
    return r->rlocks[i] ? yoke_rlock_acquire(r->rlocks[i], timeout) : yoke_lock_acquire(r->locks[i], timeout);
}

static int release(ring *r, int i)
{
    i %= r->size;
    return r->rlocks[i] ? yoke_rlock_release(r->rlocks[i]) : yoke_lock_release(r->locks[i]);
}

/* Holds one, and when all do waits for the next one's. */
static int take_two(void *user)
{
    ring *r = user;
    int   i = r->comes++;

    r->pids[i] = getpid();
    CHILD_CHECK(acquire(r, i, YOKE_FOREVER) == YOKE_OK);
    r->holding++;
    while (r->holding < r->size)
        (void)sched_yield();
    int result = acquire(r, i + 1, 60000);
    if (result == YOKE_EDEADLK) {
        (void)snprintf(r->text, sizeof r->text, "%s", yoke_last_error()->text);
        r->told++;
    } else {
        CHILD_CHECK(result == YOKE_OK);
        r->through++;
        CHILD_CHECK(release(r, i + 1) == YOKE_OK);
    }
    CHILD_CHECK(release(r, i) == YOKE_OK);
    return 0;
}

static void *take_two_in_thread(void *user)
{
    (void)take_two(user);
    return NULL;
}

static void one_of_the_processes_is_told(int size, bool recursive)
{
    ring *r = open_ring(size, recursive);
    pid_t children[MOST];
    char  pid[32];

    for (int i = 0; i < size; i++)
        children[i] = child_start(take_two, r);
    for (int i = 0; i < size; i++)
        assert_int_equal(child_join(children[i]), 0);
    assert_int_equal(r->told, 1);
    assert_int_equal(r->through, size - 1);
    for (int i = 0; i < size; i++) {
        (void)snprintf(pid, sizeof pid, "(pid %ld, thread ", (long)r->pids[i]);
        assert_non_null(strstr(r->text, pid));
    }
    assert_non_null(strstr(r->text, recursive ? "waits for rlock 'a" : "waits for lock 'a"));
    assert_non_null(strstr(r->text, ", which waits for "));
    close_ring(r);
}

static void test_two_processes(void **state)
{
    (void)state;
    one_of_the_processes_is_told(2, false);
}

static void test_four_processes_and_recursive_locks(void **state)
{
    (void)state;
    one_of_the_processes_is_told(4, true);
}

static void test_two_threads_of_one_process(void **state)
{
    ring     *r = open_ring(2, false);
    pthread_t threads[2];

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_two_in_thread, r), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(r->told, 1);
    assert_int_equal(r->through, 1);
    close_ring(r);
}

static void test_a_thread_that_waits_for_itself_is_told_at_once(void **state)
{
    ring *r = open_ring(1, false);

    (void)state;
    assert_int_equal(acquire(r, 0, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(acquire(r, 0, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_int_equal(acquire(r, 0, YOKE_FOREVER), YOKE_EDEADLK);
    assert_int_equal(release(r, 0), YOKE_OK);
    close_ring(r);
}

/* ---- no false alarms --------------------------------------------------------------------------------------------- */

static int hold_until_told(void *user)
{
    ring *r = user;

    CHILD_CHECK(acquire(r, 0, YOKE_FOREVER) == YOKE_OK);
    r->holding++;
    while (r->told == 0)
        (void)usleep(1000);
    CHILD_CHECK(release(r, 0) == YOKE_OK);
    return 0;
}

static int wait_long(void *user)
{
    ring *r = user;

    CHILD_CHECK(acquire(r, 1, YOKE_FOREVER) == YOKE_OK);
    r->holding++;
    CHILD_CHECK(acquire(r, 0, YOKE_FOREVER) == YOKE_OK);
    CHILD_CHECK(release(r, 0) == YOKE_OK);
    CHILD_CHECK(release(r, 1) == YOKE_OK);
    return 0;
}

static void test_a_chain_that_ends_with_one_who_works_is_no_deadlock(void **state)
{
    ring *r = open_ring(2, false);
    pid_t worker, waiter;

    (void)state;
    worker = child_start(hold_until_told, r);
    while (r->holding < 1)
        (void)sched_yield();
    waiter = child_start(wait_long, r);
    while (r->holding < 2)
        (void)sched_yield();
    assert_int_equal(acquire(r, 1, 800), YOKE_ETIMEDOUT); /* five slices */
    r->told = 1;
    assert_int_equal(child_join(worker), 0);
    assert_int_equal(child_join(waiter), 0);
    close_ring(r);
}

/* Everybody takes both in the same order: long queues, no cycle, whatever the looks come upon. */
static int take_both_often(void *user)
{
    ring *r = user;

    for (int i = 0; i < 400; i++) {
        CHILD_CHECK(acquire(r, 0, YOKE_FOREVER) == YOKE_OK);
        if (i % 16 == 0)
            (void)usleep(4000); /* so that waits reach over slices */
        CHILD_CHECK(acquire(r, 1, YOKE_FOREVER) == YOKE_OK);
        CHILD_CHECK(release(r, 0) == YOKE_OK);
        if (i % 16 == 1)
            (void)usleep(4000);
        CHILD_CHECK(release(r, 1) == YOKE_OK);
    }
    return 0;
}

static void test_many_that_take_them_in_one_order_are_told_nothing(void **state)
{
    ring *r = open_ring(2, false);
    pid_t children[6];

    (void)state;
    for (int i = 0; i < 6; i++)
        children[i] = child_start(take_both_often, r);
    for (int i = 0; i < 6; i++)
        assert_int_equal(child_join(children[i]), 0);
    close_ring(r);
}

/* A death ends the cycle: the survivor gets the lock of the dead, and hears of that instead. */
static int take_two_or_die(void *user)
{
    ring *r = user;

    CHILD_CHECK(acquire(r, 1, YOKE_FOREVER) == YOKE_OK);
    r->holding++;
    while (r->holding < 2)
        (void)sched_yield();
    (void)raise(SIGKILL);
    return 0;
}

static void test_a_dead_one_is_taken_over_from_and_no_deadlock(void **state)
{
    ring *r = open_ring(2, false);

    (void)state;
    assert_int_equal(acquire(r, 0, YOKE_NOWAIT), YOKE_OK);
    r->holding++;
    pid_t child = child_start(take_two_or_die, r);
    while (r->holding < 2)
        (void)sched_yield();
    assert_int_equal(acquire(r, 1, YOKE_FOREVER), YOKE_OWNER_DIED);
    assert_int_equal(child_join(child), 1000 + SIGKILL);
    assert_int_equal(release(r, 0), YOKE_OK);
    assert_int_equal(release(r, 1), YOKE_OK);
    close_ring(r);
}

static void test_who_looks_must_be_bound_to_a_thread(void **state)
{
    yoke_lock *lock = NULL;

    (void)state;
    assert_int_equal(yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .detect_deadlock = true)), YOKE_EINVAL);
    assert_null(lock);
    assert_non_null(strstr(yoke_last_error()->text, "owner_releases"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_processes),
        cmocka_unit_test(test_four_processes_and_recursive_locks),
        cmocka_unit_test(test_two_threads_of_one_process),
        cmocka_unit_test(test_a_thread_that_waits_for_itself_is_told_at_once),
        cmocka_unit_test(test_a_chain_that_ends_with_one_who_works_is_no_deadlock),
        cmocka_unit_test(test_many_that_take_them_in_one_order_are_told_nothing),
        cmocka_unit_test(test_a_dead_one_is_taken_over_from_and_no_deadlock),
        cmocka_unit_test(test_who_looks_must_be_bound_to_a_thread),
    };
    return cmocka_run_group_tests_name("deadlock", tests, shared_setup, shared_teardown);
}
