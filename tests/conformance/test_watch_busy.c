/* Watches lose nothing of a busy queue, many of them and several loops go together, and an idle loop sleeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "backends/posix/sys.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"
#include "support/stage.h"

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
    for (int burst = 0; burst < w->stop_after && take_number(w->stage->queue, &number); burst++)
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
    stage_rounds(&s, 5);
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
    stage_rounds(&s, 3);
    for (int i = QUEUES; i-- > 0;)
        put_number(queues[i], 0);
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
        put_number(queues[0], i);
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
    stage_rounds(&a, 3);
    stage_rounds(&b, 3);
    put_number(a.queue, 0);
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
    stage_rounds(&s, 5);
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

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_message_of_a_busy_producer_is_lost),
        cmocka_unit_test(test_no_message_of_a_producer_at_a_small_queue_is_lost),
        cmocka_unit_test(test_a_producer_killed_before_it_rings_is_found_within_slices),
        cmocka_unit_test(test_many_watches_share_one_doorbell),
        cmocka_unit_test(test_two_loops_in_two_threads),
        cmocka_unit_test(test_all_watchers_of_a_queue_are_told),
        cmocka_unit_test(test_an_idle_loop_wakes_at_most_ten_times_a_second),
    };
    return cmocka_run_group_tests_name("watches, busy and idle", tests, stage_setup, shared_teardown);
}
