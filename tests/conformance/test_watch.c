/* Watches on event loops, with real loops of libuv, however processes wait (YOKE_WAIT) and whatever bells are (YOKE_BELL). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include <yoke/uv.h>
#include <yoke/yoke.h>

#include "backends/posix/sys.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

#define MINUTE 60000

/* ---- a loop that a test runs ---------------------------------------------------------------------------------------- */

typedef struct stage {
    uv_loop_t   loop;
    uv_timer_t  limit;
    yoke_queue *queue;
    int         closed; /* how many watches have gone */
} stage;

static void on_limit(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "the loop still runs after a minute\n");
    abort();
}

static void stage_begin(stage *s, size_t max_items)
{
    memset(s, 0, sizeof *s);
    assert_int_equal(uv_loop_init(&s->loop), 0);
    assert_int_equal(uv_timer_init(&s->loop, &s->limit), 0);
    assert_int_equal(uv_timer_start(&s->limit, on_limit, MINUTE, 0), 0);
    uv_unref((uv_handle_t *)&s->limit);
    assert_int_equal(yoke_queue_create(&s->queue, YOKE_OPTIONS(yoke_queue_options, .max_items = max_items)), YOKE_OK);
}

/* All watches have been stopped: the loop comes to its end by itself. */
static void stage_end(stage *s)
{
    assert_int_equal(uv_run(&s->loop, UV_RUN_DEFAULT), 0);
    uv_close((uv_handle_t *)&s->limit, NULL);
    assert_int_equal(uv_run(&s->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&s->loop), 0);
    yoke_queue_close(s->queue);
}

static void put(yoke_queue *queue, uint32_t number)
{
    assert_int_equal(yoke_queue_put(queue, &number, sizeof number, YOKE_NOWAIT), YOKE_OK);
}

static bool take(yoke_queue *queue, uint32_t *number)
{
    int rc = yoke_queue_get(queue, number, sizeof *number, NULL, YOKE_NOWAIT);

    assert_true(rc == YOKE_OK || rc == YOKE_ETIMEDOUT || rc == YOKE_ESHUTDOWN);
    return rc == YOKE_OK;
}

/* ---- what a watch's function does ------------------------------------------------------------------------------------ */

typedef struct seen {
    stage      *stage;
    yoke_watch *watch;
    yoke_watch *other; /* stopped too, when this one is */
    int         calls, stop_after, last, closed;
    bool        takes;
    uint32_t    expected; /* number of the next message */
} seen;

static void count_closed(void *user)
{
    ((seen *)user)->closed++;
    ((seen *)user)->stage->closed++;
}

static void on_ready(yoke_watch *watch, int status, void *user)
{
    seen    *s = user;
    uint32_t number;

    assert_ptr_equal(watch, s->watch);
    assert_int_equal(s->closed, 0);
    s->calls++;
    s->last = status;
    for (int burst = 0; s->takes && burst < 64 && take(s->stage->queue, &number); burst++)
        assert_int_equal(number, s->expected++);
    if (s->calls != s->stop_after)
        return;
    yoke_watch_stop(watch, count_closed);
    yoke_watch_stop(s->other, count_closed);
    assert_int_equal(s->closed, 0); /* never inside stop */
}

static void rounds(stage *s, int count)
{
    for (int i = 0; i < count; i++)
        (void)uv_run(&s->loop, UV_RUN_NOWAIT);
}

static int nothing(const yoke_args *args)
{
    (void)args;
    return 7;
}

/* ---- readable ---------------------------------------------------------------------------------------------------------- */

static void test_the_function_is_called_again_while_a_message_is_there(void **state)
{
    stage s;
    seen  w = {.stage = &s};
    (void)state;

    stage_begin(&s, 0);
    assert_int_equal(yoke_queue_watch(&w.watch, s.queue, &s.loop, on_ready, &w), YOKE_OK);
    rounds(&s, 5);
    assert_int_equal(w.calls, 0);
    put(s.queue, 0);
    for (int i = 0; w.calls < 10; i++)
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    w.takes = true;
    rounds(&s, 5);
    int calls = w.calls;
    assert_int_equal(w.expected, 1);
    rounds(&s, 20);
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
    put(s.queue, 0);
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
    put(s.queue, 0);
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
    put(s.queue, 0);
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
    put(s.queue, 0);
    put(s.queue, 1);
    assert_int_equal(yoke_queue_watch_writable(&w.watch, s.queue, &s.loop, on_ready, &w), YOKE_OK);
    rounds(&s, 10);
    assert_int_equal(w.calls, 0);
    assert_true(take(s.queue, &number));
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

/* ---- ends -------------------------------------------------------------------------------------------------------------- */

static void test_a_shutdown_is_told_after_the_last_message(void **state)
{
    stage s;
    seen  w = {.stage = &s, .takes = true}, room = {.stage = &s};
    (void)state;

    stage_begin(&s, 1);
    put(s.queue, 0);
    assert_int_equal(yoke_queue_watch(&w.watch, s.queue, &s.loop, on_ready, &w), YOKE_OK);
    rounds(&s, 10);
    assert_int_equal(w.calls, 1);
    put(s.queue, 1);
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
    rounds(&s, 5);
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
    rounds(&s, 5);
    yoke_queue_close(s.queue);
    s.queue = NULL;
    while (a.calls == 0)
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    rounds(&s, 20);
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
    put(s.queue, 0);
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
        rounds(&s, i % 3);
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
    rounds(&s, 5);
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
    rounds(&s, 10);
    assert_int_equal(w.calls, calls);
    yoke_watch_stop(w.watch, count_closed);
    stage_end(&s);
    assert_int_equal(w.closed, 1);
}

/* ---- nothing is lost ------------------------------------------------------------------------------------------------------ */

#define MANY 100000u

static int put_many(const yoke_args *args)
{
    yoke_queue *queue = yoke_args_queue(args, 0);

    for (uint32_t i = 0; i < MANY; i++)
        YOKE_TRY(yoke_queue_put(queue, &i, sizeof i, YOKE_FOREVER));
    return 0;
}

static void until_all(yoke_watch *watch, int status, void *user)
{
    seen    *w = user;
    uint32_t number;

    assert_int_equal(status, YOKE_OK);
    w->calls++;
    for (int burst = 0; burst < w->stop_after && take(w->stage->queue, &number); burst++)
        assert_int_equal(number, w->expected++);
    if (w->expected == MANY)
        yoke_watch_stop(watch, NULL);
}

static void all_come(size_t max_items, int burst)
{
    stage         s;
    seen          w = {.stage = &s, .stop_after = burst};
    yoke_process *process;

    stage_begin(&s, max_items);
    assert_int_equal(yoke_queue_watch(&w.watch, s.queue, &s.loop, until_all, &w), YOKE_OK);
    assert_int_equal(yoke_process_start(&process, put_many, YOKE_ARGS(s.queue), NULL), YOKE_OK);
    assert_int_equal(uv_run(&s.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(w.expected, MANY);
    assert_int_equal(yoke_process_finish(process, NULL, MINUTE), YOKE_OK);
    stage_end(&s);
}

static void test_no_message_of_a_busy_producer_is_lost(void **state)
{
    (void)state;
    all_come(0, 64);
}

/* The consumer runs dry after nearly every message, so it arms and is rung all the time. */
static void test_no_message_of_a_producer_at_a_small_queue_is_lost(void **state)
{
    (void)state;
    all_come(3, 2);
}

/* The forked child dies where it would ring: its message is committed, and nobody is told. */
static ssize_t die_ringing(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
                           socklen_t length)
{
    (void)fd, (void)data, (void)size, (void)flags, (void)to, (void)length;
    (void)kill(getpid(), SIGKILL);
    return 0;
}

static int die_opening(const char *path, int flags, mode_t mode)
{
    (void)path, (void)flags, (void)mode;
    (void)kill(getpid(), SIGKILL);
    return -1;
}

static int put_and_die(void *user)
{
    uint32_t number = 0;

    if (yoke_queue_size(user) != 0) /* joins, which takes system calls of its own */
        return 1;
    yoke__sys.sendto = die_ringing;
    if (getenv("YOKE_BELL"))
        yoke__sys.open = die_opening;
    (void)!yoke_queue_put(user, &number, sizeof number, YOKE_NOWAIT);
    return 2;
}

static void test_a_producer_killed_before_it_rings_is_found_within_slices(void **state)
{
    stage s;
    seen  w = {.stage = &s, .stop_after = 1, .takes = true};
    (void)state;

    stage_begin(&s, 0);
    assert_int_equal(yoke_queue_watch(&w.watch, s.queue, &s.loop, on_ready, &w), YOKE_OK);
    rounds(&s, 5);
    pid_t child = child_start(put_and_die, s.queue);
    assert_int_equal(child_join(child), 1000 + SIGKILL);
    long long start = milliseconds();
    assert_int_equal(uv_run(&s.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(w.expected, 1);
    assert_true(milliseconds() - start < 2000);
    stage_end(&s);
}

/* ---- many ------------------------------------------------------------------------------------------------------------------ */

#define QUEUES 500

static void test_many_watches_share_one_doorbell(void **state)
{
    static yoke_queue *queues[QUEUES];
    static seen        all[QUEUES];
    static stage       stages[QUEUES]; /* only for their queues */
    stage              s;
    (void)state;

    stage_begin(&s, 0);
    int before = leak_descriptors();
    for (int i = 0; i < QUEUES; i++) {
        assert_int_equal(yoke_queue_create(&queues[i], NULL), YOKE_OK);
        stages[i].queue = queues[i];
        all[i] = (seen){.stage = &stages[i], .stop_after = 1, .takes = true};
        assert_int_equal(yoke_queue_watch(&all[i].watch, queues[i], &s.loop, on_ready, &all[i]), YOKE_OK);
    }
    assert_true(leak_descriptors() <= before + 2); /* a FIFO has two ends */
    rounds(&s, 3);
    for (int i = QUEUES; i-- > 0;)
        put(queues[i], 0);
    assert_int_equal(uv_run(&s.loop, UV_RUN_DEFAULT), 0);
    for (int i = 0; i < QUEUES; i++) {
        assert_int_equal(all[i].calls, 1);
        assert_int_equal(all[i].expected, 1);
        assert_int_equal(all[i].closed, 1);
        yoke_queue_close(queues[i]);
    }
    assert_int_equal(leak_descriptors(), before);
    stage_end(&s);
}

#define EACH 20000

typedef struct side {
    yoke_queue *in, *out;
    uint32_t    count;
    int         result;
} side;

static void pass_on(yoke_watch *watch, int status, void *user)
{
    side    *mine = user;
    uint32_t number;

    (void)status;
    while (mine->count < EACH && yoke_queue_get(mine->in, &number, sizeof number, NULL, YOKE_NOWAIT) == YOKE_OK) {
        if (number != mine->count++)
            mine->result = 1;
        if (yoke_queue_put(mine->out, &number, sizeof number, YOKE_NOWAIT) != YOKE_OK)
            mine->result = 2;
    }
    if (mine->count == EACH)
        yoke_watch_stop(watch, NULL);
}

static void *run_side(void *user)
{
    side       *mine = user;
    uv_loop_t   loop;
    yoke_watch *watch;

    if (uv_loop_init(&loop) != 0 || yoke_queue_watch(&watch, mine->in, &loop, pass_on, mine) != YOKE_OK)
        mine->result = 3;
    else if (uv_run(&loop, UV_RUN_DEFAULT) != 0 || uv_loop_close(&loop) != 0)
        mine->result = 4;
    return NULL;
}

/* Each message goes through both. */
static void test_two_loops_in_two_threads(void **state)
{
    yoke_queue *queues[3];
    pthread_t   threads[2];
    side        sides[2];
    uint32_t    number;
    (void)state;

    for (int i = 0; i < 3; i++)
        assert_int_equal(yoke_queue_create(&queues[i], NULL), YOKE_OK);
    for (int i = 0; i < 2; i++) {
        sides[i] = (side){queues[i], queues[i + 1], 0, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, run_side, &sides[i]), 0);
    }
    for (uint32_t i = 0; i < EACH; i++)
        put(queues[0], i);
    for (uint32_t i = 0; i < EACH; i++) {
        assert_int_equal(yoke_queue_get(queues[2], &number, sizeof number, NULL, MINUTE), YOKE_OK);
        assert_int_equal(number, i);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(sides[i].result, 0);
    }
    for (int i = 0; i < 3; i++)
        yoke_queue_close(queues[i]);
}

/* Two loops watch one queue: whoever is faster has it, and both are told. */
static void test_all_watchers_of_a_queue_are_told(void **state)
{
    stage a, b;
    seen  of_a = {.stage = &a, .stop_after = 1}, of_b = {.stage = &a, .stop_after = 1};
    (void)state;

    stage_begin(&a, 0);
    stage_begin(&b, 0);
    assert_int_equal(yoke_queue_watch(&of_a.watch, a.queue, &a.loop, on_ready, &of_a), YOKE_OK);
    assert_int_equal(yoke_queue_watch(&of_b.watch, a.queue, &b.loop, on_ready, &of_b), YOKE_OK);
    rounds(&a, 3);
    rounds(&b, 3);
    put(a.queue, 0);
    stage_end(&b);
    stage_end(&a);
    assert_int_equal(of_a.calls + of_b.calls, 2);
}

/* ---- idle ------------------------------------------------------------------------------------------------------------------ */

static void count_round(uv_check_t *check)
{
    ++*(int *)check->data;
}

static void on_second(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void test_an_idle_loop_wakes_at_most_ten_times_a_second(void **state)
{
    stage      s;
    seen       w = {.stage = &s};
    uv_check_t check;
    uv_timer_t second;
    int        woken = 0;
    (void)state;

    stage_begin(&s, 0);
    assert_int_equal(yoke_queue_watch(&w.watch, s.queue, &s.loop, on_ready, &w), YOKE_OK);
    rounds(&s, 5);
    assert_int_equal(uv_check_init(&s.loop, &check), 0);
    check.data = &woken;
    assert_int_equal(uv_check_start(&check, count_round), 0);
    assert_int_equal(uv_timer_init(&s.loop, &second), 0);
    uv_update_time(&s.loop);
    assert_int_equal(uv_timer_start(&second, on_second, 2000, 0), 0);
    (void)uv_run(&s.loop, UV_RUN_DEFAULT);
    assert_in_range(woken, 2, 20);
    uv_close((uv_handle_t *)&check, NULL);
    uv_close((uv_handle_t *)&second, NULL);
    yoke_watch_stop(w.watch, NULL);
    stage_end(&s);
}

/* ---- fork ------------------------------------------------------------------------------------------------------------------ */

static int run_inherited_loop(void *user)
{
    seen    *w = user;
    uint32_t number = 0;

    w->calls = 0;
    CHILD_CHECK(uv_loop_fork(&w->stage->loop) == 0);
    CHILD_CHECK(yoke_queue_put(w->stage->queue, &number, sizeof number, YOKE_NOWAIT) == YOKE_OK);
    yoke_watch_stop(w->watch, count_closed);
    for (int i = 0; i < 50; i++)
        (void)uv_run(&w->stage->loop, UV_RUN_NOWAIT);
    CHILD_CHECK(w->calls == 0 && w->closed == 0);
    w->stop_after = 1;
    CHILD_CHECK(yoke_queue_watch(&w->watch, w->stage->queue, &w->stage->loop, on_ready, w) == YOKE_OK);
    for (int i = 0; i < 1000 && !w->closed; i++)
        (void)uv_run(&w->stage->loop, UV_RUN_ONCE);
    CHILD_CHECK(w->calls == 1 && w->closed == 1);
    return 0;
}

static void test_a_forked_child_forgets_watches_and_makes_its_own(void **state)
{
    stage s;
    seen  w = {.stage = &s, .stop_after = 1};
    (void)state;

    stage_begin(&s, 0);
    assert_int_equal(yoke_queue_watch(&w.watch, s.queue, &s.loop, on_ready, &w), YOKE_OK);
    rounds(&s, 5);
    assert_int_equal(child_join(child_start(run_inherited_loop, &w)), 0);
    stage_end(&s);
    assert_int_equal(w.calls, 1);
}

static void fork_inside(yoke_watch *watch, int status, void *user)
{
    seen *w = user;

    (void)status;
    if (w->calls++ == 0) {
        pid_t child = fork();
        if (child == 0) {
            (void)alarm(60);
            w->stop_after = -1;
            return; /* back into the loop, in the child */
        }
        assert_int_equal(child_join(child), 42);
    }
    yoke_watch_stop(watch, NULL);
    yoke_watch_stop(w->other, NULL);
}

static void test_a_function_forks(void **state)
{
    stage s;
    seen  a = {.stage = &s}, b = {.stage = &s};
    (void)state;

    stage_begin(&s, 0);
    put(s.queue, 0);
    assert_int_equal(yoke_queue_watch(&a.watch, s.queue, &s.loop, fork_inside, &a), YOKE_OK);
    assert_int_equal(yoke_queue_watch(&b.watch, s.queue, &s.loop, on_ready, &b), YOKE_OK);
    a.other = b.watch;
    (void)uv_run(&s.loop, UV_RUN_ONCE);
    if (a.stop_after == -1)
        _exit(b.calls == 0 ? 42 : 43);
    stage_end(&s);
    assert_int_equal(b.calls, 0);
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

/* ---------------------------------------------------------------------------------------------------------------------------- */

/* What lives as long as the process: the domain, what it rings with, and what starting a process leaves. */
static int setup(void **state)
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
        cmocka_unit_test(test_a_shutdown_is_told_after_the_last_message),
        cmocka_unit_test(test_a_shutdown_of_an_empty_queue_is_told),
        cmocka_unit_test(test_closing_the_handle_is_told_once),
        cmocka_unit_test(test_a_function_closes_what_it_watches),
        cmocka_unit_test(test_another_thread_closes_the_handle),
        cmocka_unit_test(test_leaving_the_domain_is_told_as_closing),
        cmocka_unit_test(test_the_end_of_a_child_is_told),
        cmocka_unit_test(test_closing_an_ended_child_is_told),
        cmocka_unit_test(test_no_message_of_a_busy_producer_is_lost),
        cmocka_unit_test(test_no_message_of_a_producer_at_a_small_queue_is_lost),
        cmocka_unit_test(test_a_producer_killed_before_it_rings_is_found_within_slices),
        cmocka_unit_test(test_many_watches_share_one_doorbell),
        cmocka_unit_test(test_two_loops_in_two_threads),
        cmocka_unit_test(test_all_watchers_of_a_queue_are_told),
        cmocka_unit_test(test_an_idle_loop_wakes_at_most_ten_times_a_second),
        cmocka_unit_test(test_a_forked_child_forgets_watches_and_makes_its_own),
        cmocka_unit_test(test_a_function_forks),
        cmocka_unit_test(test_mistakes_are_told),
    };
    return cmocka_run_group_tests_name("watches on event loops", tests, setup, shared_teardown);
}
