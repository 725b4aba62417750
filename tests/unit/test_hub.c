/* Hubs on a loop that the test plays by hand: what core asks of a loop, and what it does when that fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "core/backend.h"
#include "core/wait/hub.h"
#include "core/wait/word.h"
#include "support/leak.h"
#include "support/shared.h"

#include <yoke/yoke.h>

/* ---- a loop ---------------------------------------------------------------------------------------------------------- */

#define GUESTS 8

struct yoke_loop_guest {
    bool            used, left;
    void           *loop;
    yoke_native     native;
    yoke_loop_turn *turn;
    void           *user;
    int64_t         again; /* -1: not asked */
    void (*on_left)(void *user);
};

static yoke_loop_guest guests[GUESTS];
static int             refuse_at = -1, entered; /* the n-th guest is refused */

static int fake_enter(yoke_loop_guest **out, void *loop, yoke_native native, yoke_loop_turn *turn, void *user)
{
    int i = 0;

    if (entered++ == refuse_at)
        return yoke_backend_fail(YOKE_ENOMEM, 12, "the loop is full");
    while (guests[i].used)
        assert_true(++i < GUESTS);
    guests[i] = (yoke_loop_guest){true, false, loop, native, turn, user, -1, NULL};
    *out = &guests[i];
    return YOKE_OK;
}

static void fake_again(yoke_loop_guest *guest, int64_t timeout)
{
    assert_true(guest->used && !guest->left);
    guest->again = timeout;
}

static void fake_leave(yoke_loop_guest *guest, void (*left)(void *user))
{
    assert_true(guest->used && !guest->left);
    guest->left = true;
    guest->on_left = left;
}

static const yoke_loop_ops fake_ops = {sizeof(yoke_loop_ops), fake_enter, fake_again, fake_leave, NULL};

static int guests_there(void)
{
    int count = 0;

    for (int i = 0; i < GUESTS; i++)
        count += guests[i].used;
    return count;
}

/* One round: those whose natives are readable or who asked for it have their turns; then those that leave are gone. */
static void run_round(bool slice)
{
    for (int i = 0; i < GUESTS; i++) {
        yoke_loop_guest *g = &guests[i];
        uint8_t          ready = 0;
        if (!g->used || g->left)
            continue;
        (void)yoke__backend()->waiting->wait_natives(&g->native, &ready, 1, 0);
        bool asked = g->again == 0 || (slice && g->again > 0);
        if (asked)
            g->again = -1;
        if (ready)
            g->turn(g->user, true);
        else if (asked)
            g->turn(g->user, false);
    }
    for (int i = 0; i < GUESTS; i++) {
        yoke_loop_guest gone = guests[i];
        if (!gone.used || !gone.left)
            continue;
        guests[i].used = false;
        gone.on_left(gone.user);
    }
}

/* ---- watches ---------------------------------------------------------------------------------------------------------- */

static int loop_a, loop_b; /* only their addresses */
#define LOOP(x) ((struct uv_loop_s *)(void *)&(x))

static int calls, last, closed;

static void on_ready(yoke_watch *watch, int status, void *user)
{
    (void)watch;
    (void)user;
    calls++;
    last = status;
}

static void on_closed(void *user)
{
    (void)user;
    closed++;
}

static yoke_queue *begin(void)
{
    yoke_queue *queue;

    calls = last = closed = entered = 0;
    refuse_at = -1;
    assert_int_equal(guests_there(), 0);
    assert_int_equal(yoke_queue_create(&queue, NULL), YOKE_OK);
    return queue;
}

static yoke_watch *watch_queue(yoke_queue *queue, struct uv_loop_s *loop)
{
    yoke_watch *watch;

    assert_int_equal(yoke_queue_watch(&watch, queue, loop, on_ready, NULL), YOKE_OK);
    return watch;
}

static void put(yoke_queue *queue)
{
    assert_int_equal(yoke_queue_put(queue, "x", 1, YOKE_NOWAIT), YOKE_OK);
}

static void test_watches_of_a_loop_share_a_guest(void **state)
{
    yoke_queue *queue = begin();
    yoke_watch *a = watch_queue(queue, LOOP(loop_a)), *b = watch_queue(queue, LOOP(loop_a)),
               *c = watch_queue(queue, LOOP(loop_b));
    (void)state;

    assert_int_equal(guests_there(), 2);
    yoke_watch_stop(a, on_closed);
    run_round(false);
    assert_int_equal(closed, 1);
    assert_int_equal(guests_there(), 2);
    yoke_watch_stop(b, on_closed);
    assert_int_equal(closed, 1);
    run_round(false);
    assert_int_equal(closed, 2);
    assert_int_equal(guests_there(), 1);
    yoke_watch_stop(c, NULL);
    run_round(false);
    assert_int_equal(guests_there(), 0);
    yoke_queue_close(queue);
}

static void test_it_asks_for_a_slice_when_idle_and_for_the_next_round_when_not(void **state)
{
    yoke_queue *queue = begin();
    yoke_watch *watch = watch_queue(queue, LOOP(loop_a));
    (void)state;

    assert_true(guests[0].again == 0);
    run_round(false);
    assert_true(guests[0].again == YOKE__SLICE);
    assert_int_equal(calls, 0);
    put(queue);
    run_round(false); /* rung */
    assert_int_equal(calls, 1);
    assert_true(guests[0].again == 0);
    run_round(false);
    assert_int_equal(calls, 2);
    assert_int_equal(yoke_queue_get(queue, &(char){0}, 1, NULL, YOKE_NOWAIT), YOKE_OK);
    run_round(false);
    assert_int_equal(calls, 2);
    assert_true(guests[0].again == YOKE__SLICE);
    yoke_watch_stop(watch, NULL);
    run_round(false);
    yoke_queue_close(queue);
}

/* As if the ringer had died. */
static void test_it_looks_after_a_slice_though_nobody_rang(void **state)
{
    yoke_queue *queue = begin();
    yoke_watch *watch = watch_queue(queue, LOOP(loop_a));
    (void)state;

    run_round(false);
    put(queue);
    yoke__backend()->waiting->bell_clear(guests[0].native);
    run_round(false);
    assert_int_equal(calls, 0);
    run_round(true);
    assert_int_equal(calls, 1);
    yoke_watch_stop(watch, NULL);
    run_round(false);
    yoke_queue_close(queue);
}

static void test_a_busy_queue_rings_once_per_round(void **state)
{
    yoke_queue *queue = begin();
    yoke_watch *watch = watch_queue(queue, LOOP(loop_a));
    (void)state;

    run_round(false);
    for (int i = 0; i < 100; i++)
        put(queue);
    assert_int_equal(yoke__backend()->waiting->bell_wait(guests[0].native, 0), YOKE_OK);
    for (int round = 0; round < 5; round++) { /* while it finds something it does not even arm */
        run_round(false);
        put(queue);
        assert_int_equal(yoke__backend()->waiting->bell_wait(guests[0].native, 0), YOKE_ETIMEDOUT);
        guests[0].again = 0;
    }
    yoke_watch_stop(watch, NULL);
    run_round(false);
    yoke_queue_close(queue);
}

static void test_a_loop_that_refuses_is_an_error_and_leaves_nothing(void **state)
{
    yoke_queue *queue = begin();
    yoke_watch *watch = NULL;
    int         before = leak_descriptors();
    (void)state;

    refuse_at = 0;
    assert_int_equal(yoke_queue_watch(&watch, queue, LOOP(loop_a), on_ready, NULL), YOKE_ENOMEM);
    assert_null(watch);
    assert_int_equal(leak_descriptors(), before);
    assert_int_equal(guests_there(), 0);
    watch = watch_queue(queue, LOOP(loop_a));
    yoke_watch_stop(watch, NULL);
    run_round(false);
    yoke_queue_close(queue);
}

static int nothing(const yoke_args *args)
{
    (void)args;
    return 0;
}

/* The hub was made for the process alone, and goes again. */
static void test_a_loop_that_refuses_a_process(void **state)
{
    yoke_queue   *queue = begin();
    yoke_process *process;
    yoke_watch   *watch = NULL;
    int           before = leak_descriptors();
    (void)state;

    assert_int_equal(yoke_process_start(&process, nothing, NULL, NULL), YOKE_OK);
    refuse_at = 1;
    assert_int_equal(yoke_process_watch(&watch, process, LOOP(loop_a), on_ready, NULL), YOKE_ENOMEM);
    assert_null(watch);
    run_round(false);
    assert_int_equal(guests_there(), 0);
    assert_int_equal(yoke_process_finish(process, NULL, 60000), YOKE_OK);
    assert_int_equal(leak_descriptors(), before);
    yoke_queue_close(queue);
}

static void test_a_child_has_a_guest_of_its_own(void **state)
{
    yoke_queue   *queue = begin();
    yoke_process *process;
    yoke_watch   *watch;
    (void)state;

    assert_int_equal(yoke_process_start(&process, nothing, NULL, NULL), YOKE_OK);
    assert_int_equal(yoke_process_watch(&watch, process, LOOP(loop_a), on_ready, NULL), YOKE_OK);
    assert_int_equal(guests_there(), 2);
    assert_int_equal(yoke_process_join(process, 60000), YOKE_OK);
    run_round(false);
    assert_int_equal(calls, 1);
    run_round(false);
    assert_int_equal(calls, 2);
    assert_int_equal(yoke_process_close(process), YOKE_OK);
    calls = 0;
    run_round(false);
    run_round(false);
    assert_int_equal(last, YOKE_ECLOSED);
    assert_int_equal(calls, 1);
    assert_int_equal(guests_there(), 1);
    yoke_watch_stop(watch, on_closed);
    run_round(false);
    assert_int_equal(closed, 1);
    assert_int_equal(guests_there(), 0);
    yoke_queue_close(queue);
}

static void test_a_stop_before_any_round(void **state)
{
    yoke_queue *queue = begin();
    yoke_watch *watch = watch_queue(queue, LOOP(loop_a));
    (void)state;

    yoke_watch_stop(watch, on_closed);
    yoke_watch_stop(watch, on_closed);
    assert_int_equal(yoke_last_error()->code, YOKE_EINVAL);
    run_round(false);
    assert_int_equal(closed, 1);
    assert_int_equal(calls, 0);
    yoke_queue_close(queue);
}

/* ------------------------------------------------------------------------------------------------------------------------ */

static yoke_backend own;

static int setup(void **state)
{
    yoke_process *process;

    YOKE_CHECK(yoke_process_start(&process, nothing, NULL, NULL));
    YOKE_CHECK(yoke_process_finish(process, NULL, 60000));
    yoke_queue *queue = begin();
    yoke_watch *watch = watch_queue(queue, LOOP(loop_a));
    run_round(false);
    put(queue); /* makes what it rings with */
    yoke_watch_stop(watch, NULL);
    run_round(false);
    yoke_queue_close(queue);
    return shared_setup(state);
}

int main(int argc, char **argv)
{
    setenv("YOKE_START_METHOD", "fork", 1); /* a spawned child would not know the backend */
    own = *yoke_backend_find("posix");
    own.name = "loop-by-hand";
    own.loop = &fake_ops;
    YOKE_CHECK(yoke_backend_register(&own));
    YOKE_CHECK(yoke_backend_choose(own.name));
    yoke_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watches_of_a_loop_share_a_guest),
        cmocka_unit_test(test_it_asks_for_a_slice_when_idle_and_for_the_next_round_when_not),
        cmocka_unit_test(test_it_looks_after_a_slice_though_nobody_rang),
        cmocka_unit_test(test_a_busy_queue_rings_once_per_round),
        cmocka_unit_test(test_a_loop_that_refuses_is_an_error_and_leaves_nothing),
        cmocka_unit_test(test_a_loop_that_refuses_a_process),
        cmocka_unit_test(test_a_child_has_a_guest_of_its_own),
        cmocka_unit_test(test_a_stop_before_any_round),
    };
    return cmocka_run_group_tests_name("hubs", tests, setup, shared_teardown);
}
