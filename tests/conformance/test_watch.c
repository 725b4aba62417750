/* Watches on event loops, with real loops of libuv, however processes wait (YOKE_WAIT) and whatever bells are (YOKE_BELL). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "support/shared.h"
#include "support/stage.h"

/* ---- readable ---------------------------------------------------------------------------------------------------------- */

static void test_the_function_is_called_again_while_a_message_is_there(void **state)
{
    stage s;
    seen  w = {.stage = &s};
    (void)state;

    stage_begin(&s, 0);
    assert_int_equal(yoke_queue_watch(&w.watch, s.queue, &s.loop, on_ready, &w), YOKE_OK);
    stage_rounds(&s, 5);
    assert_int_equal(w.calls, 0);
    put_number(s.queue, 0);
    for (int i = 0; w.calls < 10; i++)
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    w.takes = true;
    stage_rounds(&s, 5);
    int calls = w.calls;
    assert_int_equal(w.expected, 1);
    stage_rounds(&s, 20);
    assert_int_equal(w.calls, calls);
    yoke_watch_stop(w.watch, count_closed);
    assert_int_equal(w.closed, 0);
    stage_end(&s);
    assert_int_equal(w.closed, 1);
}

static void test_what_is_there_already_is_told(void **state)
{
    stage s;
    seen  w = {.stage = &s, .stop_after = 1};
    (void)state;

    stage_begin(&s, 0);
    put_number(s.queue, 0);
    assert_int_equal(yoke_queue_watch(&w.watch, s.queue, &s.loop, on_ready, &w), YOKE_OK);
    stage_end(&s);
    assert_int_equal(w.calls, 1);
    assert_int_equal(w.last, YOKE_OK);
    assert_int_equal(w.closed, 1);
}

static void test_a_function_stops_another_watch(void **state)
{
    stage s;
    seen  a = {.stage = &s, .stop_after = 3}, b = {.stage = &s};
    (void)state;

    stage_begin(&s, 0);
    assert_int_equal(yoke_queue_watch(&a.watch, s.queue, &s.loop, on_ready, &a), YOKE_OK);
    assert_int_equal(yoke_queue_watch(&b.watch, s.queue, &s.loop, on_ready, &b), YOKE_OK);
    a.other = b.watch;
    put_number(s.queue, 0);
    stage_end(&s);
    assert_int_equal(a.calls, 3);
    assert_int_equal(b.calls, 2);
    assert_int_equal(s.closed, 2);
}

static void start_anew(void *user)
{
    seen *w = user;

    w->closed++;
    if (w->closed > 3)
        return;
    w->calls = 0;
    w->stop_after = 1;
    assert_int_equal(yoke_queue_watch(&w->watch, w->stage->queue, &w->stage->loop, on_ready, w), YOKE_OK);
    w->closed = 0;
}

static void test_a_stopped_watch_is_followed_by_a_new_one(void **state)
{
    stage s;
    seen  w = {.stage = &s};
    (void)state;

    stage_begin(&s, 0);
    put_number(s.queue, 0);
    assert_int_equal(yoke_queue_watch(&w.watch, s.queue, &s.loop, on_ready, &w), YOKE_OK);
    yoke_watch_stop(w.watch, start_anew);
    stage_end(&s);
    assert_int_equal(w.calls, 1);
    assert_int_equal(w.closed, 1);
}

/* ---- writable ---------------------------------------------------------------------------------------------------------- */

static void test_room_is_told_when_a_consumer_has_taken_one(void **state)
{
    stage    s;
    seen     w = {.stage = &s, .stop_after = 1};
    uint32_t number;
    (void)state;

    stage_begin(&s, 2);
    put_number(s.queue, 0);
    put_number(s.queue, 1);
    assert_int_equal(yoke_queue_watch_writable(&w.watch, s.queue, &s.loop, on_ready, &w), YOKE_OK);
    stage_rounds(&s, 10);
    assert_int_equal(w.calls, 0);
    assert_true(take_number(s.queue, &number));
    stage_end(&s);
    assert_int_equal(w.calls, 1);
    assert_int_equal(w.last, YOKE_OK);
}

static void test_a_queue_without_limits_is_writable_at_once(void **state)
{
    stage s;
    seen  w = {.stage = &s, .stop_after = 5};
    (void)state;

    stage_begin(&s, 0);
    assert_int_equal(yoke_queue_watch_writable(&w.watch, s.queue, &s.loop, on_ready, &w), YOKE_OK);
    stage_end(&s);
    assert_int_equal(w.calls, 5);
}

/* ---- mistakes -------------------------------------------------------------------------------------------------------------- */

static void test_mistakes_are_told(void **state)
{
    stage         s;
    seen          w = {.stage = &s};
    yoke_watch   *watch;
    yoke_process *self = (yoke_process *)(uintptr_t)yoke_process_current();
    (void)state;

    stage_begin(&s, 0);
    assert_int_equal(yoke_queue_watch(NULL, s.queue, &s.loop, on_ready, &w), YOKE_EINVAL);
    assert_int_equal(yoke_queue_watch(&watch, s.queue, NULL, on_ready, &w), YOKE_EINVAL);
    assert_int_equal(yoke_queue_watch(&watch, s.queue, &s.loop, NULL, &w), YOKE_EINVAL);
    assert_int_equal(yoke_queue_watch(&watch, NULL, &s.loop, on_ready, &w), YOKE_EINVAL);
    assert_int_equal(yoke_queue_watch(&watch, (yoke_queue *)self, &s.loop, on_ready, &w), YOKE_EINVAL);
    assert_int_equal(yoke_process_watch(&watch, self, &s.loop, on_ready, &w), YOKE_ECHILD);
    yoke_watch_stop(NULL, NULL);
    assert_int_equal(yoke_queue_watch(&watch, s.queue, &s.loop, on_ready, &w), YOKE_OK);
    yoke_watch_stop(watch, NULL);
    stage_end(&s);
    yoke_watch_stop(watch, NULL);
    assert_int_equal(yoke_last_error()->code, YOKE_EINVAL);
    assert_non_null(strstr(yoke_last_error()->text, "stopped already"));
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_function_is_called_again_while_a_message_is_there),
        cmocka_unit_test(test_what_is_there_already_is_told),
        cmocka_unit_test(test_a_function_stops_another_watch),
        cmocka_unit_test(test_a_stopped_watch_is_followed_by_a_new_one),
        cmocka_unit_test(test_room_is_told_when_a_consumer_has_taken_one),
        cmocka_unit_test(test_a_queue_without_limits_is_writable_at_once),
        cmocka_unit_test(test_mistakes_are_told),
    };
    return cmocka_run_group_tests_name("watches on event loops", tests, stage_setup, shared_teardown);
}
