/* What a watch is told of ends: of the queue, of the handle, of a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "support/shared.h"
#include "support/stage.h"

static int nothing(const yoke_args *args)
{
    (void)args;
    return 7;
}

/* ---- ends -------------------------------------------------------------------------------------------------------------- */

static void test_a_shutdown_is_told_after_the_last_message(void **state)
{
    stage s;
    seen  w = {.stage = &s, .takes = true}, room = {.stage = &s};
    (void)state;

    stage_begin(&s, 1);
    put_number(s.queue, 0);
    assert_int_equal(yoke_queue_watch(&w.watch, s.queue, &s.loop, on_ready, &w), YOKE_OK);
    stage_rounds(&s, 10);
    assert_int_equal(w.calls, 1);
    put_number(s.queue, 1);
    assert_int_equal(yoke_queue_watch_writable(&room.watch, s.queue, &s.loop, on_ready, &room), YOKE_OK);
    assert_int_equal(yoke_queue_shutdown(s.queue, YOKE_DRAIN), 0);
    while (w.last != YOKE_ESHUTDOWN)
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    assert_int_equal(w.expected, 2);
    assert_int_equal(room.last, YOKE_ESHUTDOWN);
    yoke_watch_stop(w.watch, count_closed);
    yoke_watch_stop(room.watch, NULL);
    stage_end(&s);
    assert_int_equal(s.closed, 1);
}

static void test_a_shutdown_of_an_empty_queue_is_told(void **state)
{
    stage s;
    seen  w = {.stage = &s, .stop_after = 1};
    (void)state;

    stage_begin(&s, 0);
    assert_int_equal(yoke_queue_watch(&w.watch, s.queue, &s.loop, on_ready, &w), YOKE_OK);
    stage_rounds(&s, 5);
    assert_int_equal(yoke_queue_shutdown(s.queue, YOKE_IMMEDIATE), 0);
    stage_end(&s);
    assert_int_equal(w.last, YOKE_ESHUTDOWN);
}

static void test_closing_the_handle_is_told_once(void **state)
{
    stage s;
    seen  a = {.stage = &s}, b = {.stage = &s};
    (void)state;

    stage_begin(&s, 0);
    assert_int_equal(yoke_queue_watch(&a.watch, s.queue, &s.loop, on_ready, &a), YOKE_OK);
    assert_int_equal(yoke_queue_watch_writable(&b.watch, s.queue, &s.loop, on_ready, &b), YOKE_OK);
    stage_rounds(&s, 5);
    yoke_queue_close(s.queue);
    s.queue = NULL;
    while (a.calls == 0)
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    stage_rounds(&s, 20);
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.last, YOKE_ECLOSED);
    assert_int_equal(b.last, YOKE_ECLOSED);
    yoke_watch_stop(a.watch, count_closed);
    yoke_watch_stop(b.watch, count_closed);
    stage_end(&s);
    assert_int_equal(s.closed, 2);
}

static void close_and_stop(yoke_watch *watch, int status, void *user)
{
    seen *w = user;

    assert_int_equal(status, YOKE_OK);
    yoke_queue_close(w->stage->queue);
    w->stage->queue = NULL;
    yoke_watch_stop(watch, count_closed);
}

static void test_a_function_closes_what_it_watches(void **state)
{
    stage s;
    seen  w = {.stage = &s};
    (void)state;

    stage_begin(&s, 0);
    put_number(s.queue, 0);
    assert_int_equal(yoke_queue_watch(&w.watch, s.queue, &s.loop, close_and_stop, &w), YOKE_OK);
    stage_end(&s);
    assert_int_equal(w.closed, 1);
}

static void *close_it(void *user)
{
    stage *s = user;

    yoke_queue_close(s->queue);
    return NULL;
}

static void test_another_thread_closes_the_handle(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        stage     s;
        seen      w = {.stage = &s, .stop_after = 1};
        pthread_t thread;

        stage_begin(&s, 0);
        assert_int_equal(yoke_queue_watch(&w.watch, s.queue, &s.loop, on_ready, &w), YOKE_OK);
        stage_rounds(&s, i % 3);
        assert_int_equal(pthread_create(&thread, NULL, close_it, &s), 0);
        assert_int_equal(uv_run(&s.loop, UV_RUN_DEFAULT), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(w.last, YOKE_ECLOSED);
        s.queue = NULL;
        stage_end(&s);
    }
}

static void test_leaving_the_domain_is_told_as_closing(void **state)
{
    stage        s;
    seen         w = {.stage = &s, .stop_after = 1};
    char         name[64];
    yoke_domain *domain;
    yoke_queue  *queue;
    (void)state;

    snprintf(name, sizeof name, "watch-%ld", (long)getpid());
    stage_begin(&s, 0);
    assert_int_equal(yoke_domain_open(&domain, name, NULL), YOKE_OK);
    assert_int_equal(yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .domain = domain)), YOKE_OK);
    assert_int_equal(yoke_queue_watch(&w.watch, queue, &s.loop, on_ready, &w), YOKE_OK);
    stage_rounds(&s, 5);
    yoke_domain_close(domain);
    stage_end(&s);
    assert_int_equal(w.last, YOKE_ECLOSED);
    yoke_queue_close(queue);
}

/* ---- processes ----------------------------------------------------------------------------------------------------------- */

static void on_end(yoke_watch *watch, int status, void *user)
{
    seen *w = user;

    w->calls++;
    w->last = status;
    if (w->calls == w->stop_after)
        yoke_watch_stop(watch, count_closed);
}

static void test_the_end_of_a_child_is_told(void **state)
{
    stage         s;
    seen          w = {.stage = &s, .stop_after = 3}, again = {.stage = &s, .stop_after = 1};
    yoke_process *process;
    yoke_result   result = {.struct_size = sizeof result};
    (void)state;

    stage_begin(&s, 0);
    assert_int_equal(yoke_process_start(&process, nothing, YOKE_ARGS(), NULL), YOKE_OK);
    assert_int_equal(yoke_process_watch(&w.watch, process, &s.loop, on_end, &w), YOKE_OK);
    assert_int_equal(yoke_process_watch(&again.watch, process, &s.loop, on_end, &again), YOKE_OK);
    assert_int_equal(uv_run(&s.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(w.calls, 3);
    assert_int_equal(again.calls, 1);
    assert_int_equal(w.last, YOKE_OK);
    assert_int_equal(yoke_process_finish(process, &result, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(result.code, 7);
    stage_end(&s);
    assert_int_equal(s.closed, 2);
}

static void test_closing_an_ended_child_is_told(void **state)
{
    stage         s;
    seen          w = {.stage = &s};
    yoke_process *process;
    (void)state;

    stage_begin(&s, 0);
    assert_int_equal(yoke_process_start(&process, nothing, YOKE_ARGS(), NULL), YOKE_OK);
    assert_int_equal(yoke_process_watch(&w.watch, process, &s.loop, on_end, &w), YOKE_OK);
    assert_int_equal(yoke_process_finish(process, NULL, MINUTE), YOKE_OK);
    while (w.last != YOKE_ECLOSED)
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    int calls = w.calls;
    stage_rounds(&s, 10);
    assert_int_equal(w.calls, calls);
    yoke_watch_stop(w.watch, count_closed);
    stage_end(&s);
    assert_int_equal(w.closed, 1);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_shutdown_is_told_after_the_last_message),
        cmocka_unit_test(test_a_shutdown_of_an_empty_queue_is_told),
        cmocka_unit_test(test_closing_the_handle_is_told_once),
        cmocka_unit_test(test_a_function_closes_what_it_watches),
        cmocka_unit_test(test_another_thread_closes_the_handle),
        cmocka_unit_test(test_leaving_the_domain_is_told_as_closing),
        cmocka_unit_test(test_the_end_of_a_child_is_told),
        cmocka_unit_test(test_closing_an_ended_child_is_told),
    };
    return cmocka_run_group_tests_name("watches are told of ends", tests, stage_setup, shared_teardown);
}
