#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared.h"

static void on_limit(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "the loop still runs after a minute\n");
    abort();
}

void stage_begin(stage *s, size_t max_items)
{
    memset(s, 0, sizeof *s);
    assert_int_equal(uv_loop_init(&s->loop), 0);
    assert_int_equal(uv_timer_init(&s->loop, &s->limit), 0);
    assert_int_equal(uv_timer_start(&s->limit, on_limit, MINUTE, 0), 0);
    uv_unref((uv_handle_t *)&s->limit);
    assert_int_equal(yoke_queue_create(&s->queue, YOKE_OPTIONS(yoke_queue_options, .max_items = max_items)), YOKE_OK);
}

void stage_end(stage *s)
{
    assert_int_equal(uv_run(&s->loop, UV_RUN_DEFAULT), 0);
    uv_close((uv_handle_t *)&s->limit, NULL);
    assert_int_equal(uv_run(&s->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&s->loop), 0);
    yoke_queue_close(s->queue);
}

void put_number(yoke_queue *queue, uint32_t number)
{
    assert_int_equal(yoke_queue_put(queue, &number, sizeof number, YOKE_NOWAIT), YOKE_OK);
}

bool take_number(yoke_queue *queue, uint32_t *number)
{
    int rc = yoke_queue_get(queue, number, sizeof *number, NULL, YOKE_NOWAIT);

    assert_true(rc == YOKE_OK || rc == YOKE_ETIMEDOUT || rc == YOKE_ESHUTDOWN);
    return rc == YOKE_OK;
}

void count_closed(void *user)
{
    ((seen *)user)->closed++;
    ((seen *)user)->stage->closed++;
}

void on_ready(yoke_watch *watch, int status, void *user)
{
    seen    *s = user;
    uint32_t number;

    assert_ptr_equal(watch, s->watch);
    assert_int_equal(s->closed, 0);
    s->calls++;
    s->last = status;
    for (int burst = 0; s->takes && burst < 64 && take_number(s->stage->queue, &number); burst++)
        assert_int_equal(number, s->expected++);
    if (s->calls != s->stop_after)
        return;
    yoke_watch_stop(watch, count_closed);
    yoke_watch_stop(s->other, count_closed);
    assert_int_equal(s->closed, 0); /* never inside stop */
}

void stage_rounds(stage *s, int count)
{
    for (int i = 0; i < count; i++)
        (void)uv_run(&s->loop, UV_RUN_NOWAIT);
}

static int nothing(const yoke_args *args)
{
    (void)args;
    return 7;
}

int stage_setup(void **state)
{
    yoke_process *process;
    yoke_queue   *queue;
    yoke_watch   *watch;
    uv_loop_t     loop;

    YOKE_CHECK(yoke_process_start(&process, nothing, YOKE_ARGS(), NULL));
    YOKE_CHECK(yoke_process_finish(process, NULL, MINUTE));
    YOKE_CHECK(yoke_queue_create(&queue, NULL));
    if (uv_loop_init(&loop) != 0)
        return -1;
    YOKE_CHECK(yoke_queue_watch(&watch, queue, &loop, on_ready, NULL));
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    YOKE_CHECK(yoke_queue_put(queue, "", 0, YOKE_NOWAIT));
    yoke_watch_stop(watch, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    yoke_queue_close(queue);
    return uv_loop_close(&loop) == 0 ? shared_setup(state) : -1;
}
