/*
 * What a condition promises between processes, through the public calls alone. The processes are forked: how they come to
 * the handle is the business of other tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "support/child.h"
#include "support/shared.h"

#include <yoke/yoke.h>

/* What the condition guards, and what the processes tell each other. */
typedef struct room {
    yoke_condition *condition;
    yoke_lock      *lock; /* given to the condition, or NULL */
    int             items;
    _Atomic int     woken;
    _Atomic int     order[64];
    _Atomic int     turn; /* of order[] */
    int             number;
} room;

static room *open_room(yoke_lock *lock)
{
    room *r = shared_alloc(sizeof *r);

    r->lock = lock;
    assert_int_equal(yoke_condition_create(&r->condition, YOKE_OPTIONS(yoke_condition_options, .lock = lock)), YOKE_OK);
    return r;
}

static void close_room(room *r)
{
    yoke_condition_close(r->condition);
    yoke_lock_close(r->lock);
    shared_free(r);
}

static room *open_room_with_a_lock(void)
{
    yoke_lock *lock;

    assert_int_equal(yoke_lock_create(&lock, NULL), YOKE_OK);
    return open_room(lock);
}

static void until_waiting(const room *r, int64_t n)
{
    while (yoke_condition_waiting(r->condition) != n)
        (void)usleep(200);
}

static void enter(const room *r)
{
    assert_int_equal(yoke_condition_acquire(r->condition, YOKE_FOREVER), YOKE_OK);
}

static void leave(const room *r)
{
    assert_int_equal(yoke_condition_release(r->condition), YOKE_OK);
}

static int wait_once(void *user)
{
    room *r = user;
    int   number = r->number;

    CHILD_CHECK(yoke_condition_acquire(r->condition, YOKE_FOREVER) == YOKE_OK);
    CHILD_CHECK(yoke_condition_wait(r->condition, YOKE_FOREVER) == YOKE_OK);
    r->order[r->turn++] = number;
    r->woken++;
    CHILD_CHECK(yoke_condition_release(r->condition) == YOKE_OK);
    return 0;
}

/* Children that wait, in that order. */
static void start_waiters(room *r, pid_t *children, int n)
{
    for (int i = 0; i < n; i++) {
        r->number = i; /* copied by the child before the next one starts */
        children[i] = child_start(wait_once, r);
        until_waiting(r, i + 1);
    }
}

static void join_all(const pid_t *children, int n)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(child_join(children[i]), 0);
}

/* ---- notifying --------------------------------------------------------------------------------------------------- */

static void notify(const room *r, int64_t n)
{
    enter(r);
    assert_int_equal(yoke_condition_notify(r->condition, n), YOKE_OK);
    leave(r);
}

static void until_woken(const room *r, int n)
{
    while (r->woken < n)
        (void)usleep(200);
}

static void test_a_notify_wakes_as_many_as_it_says_and_those_who_came_first(void **state)
{
    room *r = open_room(NULL);
    pid_t children[5];

    (void)state;
    start_waiters(r, children, 5);
    notify(r, 1);
    until_woken(r, 1);
    notify(r, 0);
    notify(r, 2);
    until_woken(r, 3);
    assert_int_equal(yoke_condition_waiting(r->condition), 2);
    assert_int_equal(r->order[0], 0);
    assert_int_equal(r->order[1] + r->order[2], 1 + 2);
    notify(r, 100);
    join_all(children, 5);
    assert_int_equal(r->woken, 5);
    close_room(r);
}

static void test_notify_all_wakes_more_than_fit_into_the_condition_at_first(void **state)
{
    enum { MANY = 40 };
    room *r = open_room_with_a_lock();
    pid_t children[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++)
        children[i] = child_start(wait_once, r);
    until_waiting(r, MANY);
    enter(r);
    assert_int_equal(yoke_condition_notify_all(r->condition), YOKE_OK);
    assert_int_equal(yoke_condition_waiting(r->condition), 0);
    leave(r);
    join_all(children, MANY);
    assert_int_equal(r->woken, MANY);
    close_room(r);
}

static void test_a_notify_is_not_kept_for_who_comes_later(void **state)
{
    room *r = open_room(NULL);

    (void)state;
    enter(r);
    assert_int_equal(yoke_condition_notify(r->condition, 3), YOKE_OK);
    assert_int_equal(yoke_condition_wait(r->condition, 30), YOKE_ETIMEDOUT);
    leave(r);
    close_room(r);
}

/* The first is notified while the notifier keeps the lock; who begins to wait after that gets nothing of it. */
static void test_who_comes_later_cannot_take_a_notify_away(void **state)
{
    room *r = open_room(NULL);
    pid_t child;

    (void)state;
    start_waiters(r, &child, 1);
    enter(r);
    assert_int_equal(yoke_condition_notify(r->condition, 1), YOKE_OK);
    assert_int_equal(yoke_condition_wait(r->condition, 300), YOKE_ETIMEDOUT);
    assert_int_equal(r->woken, 1);
    leave(r);
    assert_int_equal(child_join(child), 0);
    close_room(r);
}

/* ---- the predicate ------------------------------------------------------------------------------------------------ */

static bool has_items(void *user)
{
    return ((room *)user)->items > 0;
}

enum { ITEMS = 3000 };

static int consume(void *user)
{
    room *r = user;

    for (int i = 0; i < ITEMS; i++) {
        CHILD_CHECK(yoke_condition_acquire(r->condition, YOKE_FOREVER) == YOKE_OK);
        CHILD_CHECK(yoke_condition_wait_for(r->condition, has_items, r, YOKE_FOREVER) == YOKE_OK);
        r->items--;
        CHILD_CHECK(yoke_condition_release(r->condition) == YOKE_OK);
    }
    return 0;
}

static void test_processes_hand_over_by_wait_for(void **state)
{
    room *r = open_room_with_a_lock();
    pid_t children[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        children[i] = child_start(consume, r);
    for (int i = 0; i < 3 * ITEMS; i++) {
        enter(r);
        r->items++;
        assert_int_equal(yoke_condition_notify(r->condition, 1), YOKE_OK);
        leave(r);
    }
    join_all(children, 3);
    assert_int_equal(r->items, 0);
    close_room(r);
}

static bool never(void *user)
{
    ++*(int *)user;
    return false;
}

static void test_wait_for_gives_up_after_all_of_its_time_and_a_last_look(void **state)
{
    room     *r = open_room(NULL);
    int       looks = 0;
    long long start = milliseconds();

    (void)state;
    enter(r);
    assert_int_equal(yoke_condition_wait_for(r->condition, never, &looks, 60), YOKE_ETIMEDOUT);
    assert_true(milliseconds() - start >= 59);
    assert_true(looks >= 2);
    assert_int_equal(yoke_condition_notify(r->condition, 1), YOKE_OK); /* the lock is held again */
    leave(r);
    close_room(r);
}

/* ---- deaths ------------------------------------------------------------------------------------------------------- */

static void test_dead_waiters_are_not_counted(void **state)
{
    room *r = open_room(NULL);
    pid_t children[3];

    (void)state;
    start_waiters(r, children, 3);
    child_kill(children[0]);
    assert_int_equal(yoke_condition_waiting(r->condition), 2);
    notify(r, 1);
    until_woken(r, 1);
    assert_int_equal(r->order[0], 1);
    notify(r, 1);
    join_all(children + 1, 2);
    close_room(r);
}

/* Stopped, notified, killed: it cannot have got the lock in between, since that is held all the time. */
static void test_the_notify_of_a_waiter_that_dies_goes_to_the_next(void **state)
{
    room *r = open_room_with_a_lock();
    pid_t children[3];

    (void)state;
    start_waiters(r, children, 3);
    enter(r);
    assert_int_equal(yoke_condition_notify(r->condition, 1), YOKE_OK);
    child_kill(children[0]);
    leave(r);
    assert_int_equal(child_join(children[1]), 0);
    assert_int_equal(r->order[0], 1);
    assert_int_equal(yoke_condition_waiting(r->condition), 1); /* and to no other */
    notify(r, 1);
    assert_int_equal(child_join(children[2]), 0);
    close_room(r);
}

static void test_the_notify_of_the_dead_is_forgotten_if_nobody_else_waited_then(void **state)
{
    room *r = open_room(NULL);
    pid_t child;

    (void)state;
    start_waiters(r, &child, 1);
    enter(r);
    assert_int_equal(yoke_condition_notify(r->condition, 1), YOKE_OK);
    child_kill(child);
    assert_int_equal(yoke_condition_wait(r->condition, 500), YOKE_ETIMEDOUT); /* three slices */
    leave(r);
    close_room(r);
}

static int die_before_the_notify(void *user)
{
    room *r = user;

    CHILD_CHECK(yoke_condition_acquire(r->condition, YOKE_FOREVER) == YOKE_OK);
    r->items = 1;
    (void)raise(SIGKILL);
    return 0;
}

static int hear_of_a_death(void *user)
{
    room *r = user;

    CHILD_CHECK(yoke_condition_acquire(r->condition, YOKE_FOREVER) == YOKE_OK);
    CHILD_CHECK(yoke_condition_wait_for(r->condition, has_items, r, YOKE_FOREVER) == YOKE_OWNER_DIED);
    CHILD_CHECK(r->items == 1);
    return yoke_condition_release(r->condition) == YOKE_OK ? 0 : 1;
}

static void test_waiters_hear_that_who_was_to_notify_them_died_holding_the_lock(void **state)
{
    room *r = open_room(NULL);
    pid_t waiter = child_start(hear_of_a_death, r);

    (void)state;
    until_waiting(r, 1);
    assert_int_equal(child_join(child_start(die_before_the_notify, r)), 1000 + SIGKILL);
    assert_int_equal(child_join(waiter), 0);
    close_room(r);
}

/* Of both, the death is told. */
static void test_a_death_matters_more_than_the_time(void **state)
{
    room *r = open_room_with_a_lock();

    (void)state;
    assert_int_equal(child_join(child_start(die_before_the_notify, r)), 1000 + SIGKILL);
    assert_int_equal(yoke_condition_acquire(r->condition, YOKE_FOREVER), YOKE_OWNER_DIED);
    assert_int_equal(yoke_condition_wait(r->condition, YOKE_NOWAIT), YOKE_OWNER_DIED);
    assert_int_equal(yoke_lock_mark_repaired(r->lock), YOKE_OK);
    assert_int_equal(yoke_condition_wait(r->condition, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    leave(r);
    close_room(r);
}

/* ---- closing ------------------------------------------------------------------------------------------------------ */

static void *wait_in_thread(void *user)
{
    room *r = user;

    if (yoke_condition_acquire(r->condition, YOKE_FOREVER) != YOKE_OK)
        return NULL;
    return (void *)(intptr_t)yoke_condition_wait(r->condition, YOKE_FOREVER);
}

static void test_closing_wakes_the_waiters_of_this_process_without_the_lock(void **state)
{
    room     *r = open_room_with_a_lock();
    pthread_t threads[3];
    void     *result;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_in_thread, r), 0);
    until_waiting(r, 3);
    enter(r); /* who closes may even hold it */
    yoke_condition_close(r->condition);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_int_equal((int)(intptr_t)result, YOKE_ECLOSED);
    }
    assert_int_equal(yoke_lock_release(r->lock), YOKE_OK);
    r->condition = NULL;
    close_room(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_notify_wakes_as_many_as_it_says_and_those_who_came_first),
        cmocka_unit_test(test_notify_all_wakes_more_than_fit_into_the_condition_at_first),
        cmocka_unit_test(test_a_notify_is_not_kept_for_who_comes_later),
        cmocka_unit_test(test_who_comes_later_cannot_take_a_notify_away),
        cmocka_unit_test(test_processes_hand_over_by_wait_for),
        cmocka_unit_test(test_wait_for_gives_up_after_all_of_its_time_and_a_last_look),
        cmocka_unit_test(test_dead_waiters_are_not_counted),
        cmocka_unit_test(test_the_notify_of_a_waiter_that_dies_goes_to_the_next),
        cmocka_unit_test(test_the_notify_of_the_dead_is_forgotten_if_nobody_else_waited_then),
        cmocka_unit_test(test_waiters_hear_that_who_was_to_notify_them_died_holding_the_lock),
        cmocka_unit_test(test_a_death_matters_more_than_the_time),
        cmocka_unit_test(test_closing_wakes_the_waiters_of_this_process_without_the_lock),
    };
    return cmocka_run_group_tests_name("condition", tests, shared_setup, shared_teardown);
}
