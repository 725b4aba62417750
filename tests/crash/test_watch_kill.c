/*
 * A producer is killed at every instruction of a put while somebody sleeps in an event loop, in yoke_wait or in a
 * descriptor's stead: who sleeps finds the message if it was committed, by the ring or at the end of a slice, with no
 * other traffic to help. The same for a watcher that dies while it arms: the others are told all the same.
 *
 * Built once more for each planted fault of mutants.cmake, with CRASH_MUTANT defined to the case that must find it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

#include <yoke/uv.h>
#include <yoke/yoke.h>

#include "begin.h"
#include "core/domain/participant.h"
#include "core/wait/seat.h"
#include "core/wait/watchable.h"
#include "core/wait/watchers.h"
#include "crash/harness.h"
#include "support/child.h"

#ifndef CRASH_MUTANT
#define CRASH_MUTANT 0
#endif

#define PATIENCE 5000 /* ms: a slice, and much for a machine that is busy */

typedef struct fixture {
    yoke_domain *domain;
    yoke_queue  *queue;
    uv_loop_t    loop;
    uv_timer_t   limit;
    yoke_watch  *watch;
    bool         told, late;
    /* or a thread in yoke_wait */
    bool            waits;
    pthread_t       thread;
    yoke_wait_entry entry;
    int             result;
    yoke__a32       done;
} fixture;

static fixture now;

static void on_ready(yoke_watch *watch, int status, void *user)
{
    fixture *f = user;

    (void)watch;
    f->told = status == YOKE_OK;
    uv_stop(&f->loop);
}

static void on_limit(uv_timer_t *timer)
{
    ((fixture *)timer->data)->late = true;
    uv_stop(timer->loop);
}

static void *wait_for_it(void *user)
{
    fixture *f = user;

    f->result = yoke_wait(&f->entry, 1, YOKE_FOREVER);
    yoke__a32_store_release(&f->done, 1);
    return NULL;
}

static void make_queue(fixture *f)
{
    char name[64];

    snprintf(name, sizeof name, "watch-kill-%ld", (long)getpid());
    assert_int_equal(yoke_domain_open(&f->domain, name, NULL), YOKE_OK);
    crash_hide(f->domain);
    assert_int_equal(yoke_queue_create(&f->queue, YOKE_OPTIONS(yoke_queue_options, .domain = f->domain)), YOKE_OK);
}

/* The survivor is asleep, or what a sleep has armed stands, before the victim begins. */
static void set_up(void *context)
{
    fixture *f = context;

    make_queue(f);
    f->told = f->late = false;
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(uv_timer_init(&f->loop, &f->limit), 0);
    f->limit.data = f;
    assert_int_equal(yoke_queue_watch(&f->watch, f->queue, &f->loop, on_ready, f), YOKE_OK);
    for (int i = 0; i < 3; i++)
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void tear_down(void *context)
{
    fixture *f = context;

    yoke_watch_stop(f->watch, NULL);
    uv_close((uv_handle_t *)&f->limit, NULL);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    yoke_queue_close(f->queue);
    yoke_domain_close(f->domain);
}

static void enter(void *context)
{
    fixture *f = context;

    if (yoke_queue_size(f->queue) != 0) /* joins */
        abort();
}

static void put_one(void *context)
{
    fixture *f = context;

    (void)!yoke_queue_put(f->queue, "message", 7, YOKE_NOWAIT);
}

static const char *verify_loop(void *context)
{
    fixture *f = context;
    bool     there = yoke_queue_size(f->queue) > 0;

    uv_update_time(&f->loop);
    assert_int_equal(uv_timer_start(&f->limit, on_limit, there ? PATIENCE : 1, 0), 0);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_timer_stop(&f->limit), 0);
    if (there && !f->told)
        return "a message is there, and the watch was not called";
    if (!there && f->told)
        return "the watch was called for nothing";
    return NULL;
}

static void run(crash_case *test, int number)
{
    crash_result result;

    if (CRASH_MUTANT && number != CRASH_MUTANT)
        return;
    test->expect_fault = CRASH_MUTANT != 0;
    if (CRASH_MUTANT)
        test->stride = 1; /* the window is a few instructions wide */
    assert_true(crash_run(test, &result));
    if (CRASH_MUTANT)
        assert_true(result.faults > 0);
    else if (result.faults)
        fail_msg("%s", result.first);
    else
        assert_true(result.points > 10);
}

static void test_a_producer_dies_while_a_loop_watches(void **state)
{
    crash_case test = {.name = "put, watched by a loop",
                       .set_up = set_up,
                       .enter = enter,
                       .operation = put_one,
                       .verify = verify_loop,
                       .tear_down = tear_down,
                       .context = &now};
    (void)state;

    run(&test, 1);
}

/* ---- yoke_wait ---------------------------------------------------------------------------------------------------------- */

static void set_up_wait(void *context)
{
    fixture *f = context;

    make_queue(f);
    yoke__a32_store_relaxed(&f->done, 0);
    f->entry = yoke_wait_queue_readable(f->queue);
    assert_int_equal(pthread_create(&f->thread, NULL, wait_for_it, f), 0);
    const yoke__a64 *word = yoke__queue_watchable.word((yoke__handle *)(void *)f->queue, YOKE__READABLE);
    while (yoke__a64_load_acquire(word) == 0)
        (void)usleep(100);
}

/* In the end the queue is closed, which is told whatever was lost. */
static const char *verify_wait(void *context)
{
    fixture  *f = context;
    bool      there = yoke_queue_size(f->queue) > 0;
    long long start = milliseconds();

    while (there && !yoke__a32_load_acquire(&f->done) && milliseconds() - start < PATIENCE)
        (void)usleep(200);
    bool late = there && !yoke__a32_load_acquire(&f->done);
    yoke_queue_close(f->queue);
    if (pthread_join(f->thread, NULL) != 0 || f->result != 1)
        return "the wait does not answer";
    if (late)
        return "a message is there, and the wait goes on";
    return (f->entry.status == YOKE_OK) == there ? NULL : "the wait ended for another reason";
}

static void tear_down_wait(void *context)
{
    fixture *f = context;

    yoke_domain_close(f->domain);
}

static void test_a_producer_dies_while_a_thread_waits(void **state)
{
    crash_case test = {.name = "put, waited for",
                       .set_up = set_up_wait,
                       .enter = enter,
                       .operation = put_one,
                       .verify = verify_wait,
                       .tear_down = tear_down_wait,
                       .context = &now};
    (void)state;

    run(&test, 2);
}

/* ---- a watcher that dies ------------------------------------------------------------------------------------------------- */

static void watch_too(void *context)
{
    fixture    *f = context;
    yoke__seat *seat;

    if (yoke__seat_open(&seat, f->domain) != YOKE_OK)
        return;
    yoke__watchers_arm(yoke__queue_watchable.word((yoke__handle *)(void *)f->queue, YOKE__READABLE), seat->bell.thread);
    yoke__fence_seq_cst();
    yoke__seat_close(seat);
}

static void recover(void *context)
{
    (void)yoke__domain_recover(((fixture *)context)->domain);
}

static const char *verify_watcher(void *context)
{
    fixture *f = context;

    recover(context);
    put_one(context);
    for (uint32_t i = 0, taken = 0; i < YOKE__THREADS; i++) {
        taken += yoke__a32_load_acquire(&f->domain->layout->threads[i].owner) != 0;
        if (taken > 2) /* the hub's, and this thread's */
            return "a record of the dead is still taken";
    }
    return verify_loop(context);
}

static void test_a_watcher_dies(void **state)
{
    crash_case test = {.name = "watching and leaving off",
                       .set_up = set_up,
                       .enter = enter,
                       .operation = watch_too,
                       .stride = 7,
                       .verify = verify_watcher,
                       .tear_down = tear_down,
                       .context = &now};
    (void)state;

    run(&test, 3);
}

int main(int argc, char **argv)
{
    crash_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_producer_dies_while_a_loop_watches),
        cmocka_unit_test(test_a_producer_dies_while_a_thread_waits),
        cmocka_unit_test(test_a_watcher_dies),
    };
    return cmocka_run_group_tests_name("watches, killed", tests, NULL, NULL);
}
