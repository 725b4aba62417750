/*
 * Producers and consumers around a condition, all killed at random and replaced. The lock excludes, nobody hangs, and every
 * item that was announced is taken or still there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/domain/participant.h"
#include "support/child.h"
#include "support/shared.h"

#include <yoke/yoke.h>

enum { WORKERS = 6, KILLS = 120 };

typedef struct shop {
    yoke_condition *condition;
    int64_t         made, taken; /* under the lock; items there are made - taken */
    _Atomic int     inside;      /* who is between acquire and release, and lives */
    _Atomic int     over;        /* all are to end */
    _Atomic int64_t rounds[WORKERS];
} shop;

static shop *the_shop;
static int   number; /* of the next worker; producers are the even ones */

static bool has_items_or_ends(void *user)
{
    shop *s = user;

    return s->made > s->taken || s->over;
}

/* Nothing is half changed: each change is one store. So all that is to be done for the dead is to say so, and to wake
 * whoever they might have woken. */
static void repair(shop *s)
{
    s->inside = 0;
    CHILD_CHECK(yoke_condition_mark_repaired(s->condition) == YOKE_OK);
    CHILD_CHECK(yoke_condition_notify_all(s->condition) == YOKE_OK);
}

static void held(shop *s, int result)
{
    CHILD_CHECK(result >= 0);
    if (result == YOKE_OWNER_DIED)
        repair(s);
    CHILD_CHECK(s->inside++ == 0);
}

static void let_go(shop *s)
{
    CHILD_CHECK(s->inside-- == 1);
    CHILD_CHECK(yoke_condition_release(s->condition) == YOKE_OK);
}

static void produce(shop *s)
{
    held(s, yoke_condition_acquire(s->condition, YOKE_FOREVER));
    s->made++;
    CHILD_CHECK(yoke_condition_notify(s->condition, 1) == YOKE_OK);
    let_go(s);
    if (s->made - s->taken > 50) /* the pace of the others: nobody relies on it */
        (void)usleep(200);
}

static void consume(shop *s)
{
    held(s, yoke_condition_acquire(s->condition, YOKE_FOREVER));
    while (!has_items_or_ends(s)) {
        s->inside--;
        held(s, yoke_condition_wait(s->condition, YOKE_FOREVER));
    }
    if (s->made > s->taken)
        s->taken++;
    let_go(s);
}

static int work(void *user)
{
    shop *s = user;
    int   mine = number;

    while (!s->over) {
        if (mine % 2 == 0)
            produce(s);
        else
            consume(s);
        s->rounds[mine]++;
    }
    return 0;
}

static pid_t start(int which)
{
    number = which;
    return child_start(work, the_shop);
}

static void test_nobody_hangs_and_nothing_is_lost_while_all_are_killed_at_random(void **state)
{
    pid_t   workers[WORKERS];
    int64_t before;

    (void)state;
    srand((unsigned)getpid());
    the_shop = shared_alloc(sizeof *the_shop);
    assert_int_equal(yoke_condition_create(&the_shop->condition, NULL), YOKE_OK);
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start(i);
    for (int i = 0; i < KILLS; i++) {
        int which = rand() % WORKERS;
        (void)usleep((useconds_t)(rand() % 4000)); /* when to kill */
        child_kill(workers[which]);
        workers[which] = start(which);
    }
    before = the_shop->taken; /* they go on without more deaths */
    long long end = milliseconds() + 30000;
    while (the_shop->taken < before + 100 && milliseconds() < end)
        (void)usleep(1000);
    assert_true(the_shop->taken >= before + 100);
    the_shop->over = 1;
    assert_in_range(yoke_condition_acquire(the_shop->condition, 30000), YOKE_OK, YOKE_OWNER_DIED);
    assert_int_equal(yoke_condition_notify_all(the_shop->condition), YOKE_OK);
    assert_int_equal(yoke_condition_release(the_shop->condition), YOKE_OK);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(child_join(workers[i]), 0);
    assert_true(the_shop->taken <= the_shop->made);
    assert_int_equal(yoke_condition_waiting(the_shop->condition), 0);
    yoke_condition_close(the_shop->condition);
    shared_free(the_shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_hangs_and_nothing_is_lost_while_all_are_killed_at_random),
    };
    return cmocka_run_group_tests_name("condition, random kills", tests, shared_setup, shared_teardown);
}
