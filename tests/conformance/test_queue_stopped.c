/* A process that was stopped in the middle of a put or a get: the time-outs of others hold. */
#include "support/process.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/queue/queue.h"
#include "support/child.h"
#include "support/crew.h"

#define TIMEOUT 300
#define LATER   5000 /* ms that a busy machine may add */

/* As a SIGSTOP does that comes while it has the lock of one side. */
static int stop_inside(const yoke_args *args)
{
    yoke__queue queue;
    yoke__a32  *side;

    if (!yoke__queue_of(&queue, yoke_args_queue(args, 0)))
        return YOKE_EINVAL;
    side = yoke_args_bool(args, 1) ? &queue.state->producers : &queue.state->consumers;
    yoke__queue_lock(&queue, side);
    raise(SIGSTOP);
    yoke__queue_unlock(&queue, side);
    return 0;
}

static yoke_process *stopped_in(yoke_queue *queue, bool producers)
{
    yoke_process *holder = crew_start(stop_inside, YOKE_ARGS(queue, producers));

    crew_stopped(holder);
    return holder;
}

static void go_on(yoke_process *holder)
{
    assert_int_equal(kill((pid_t)yoke_process_pid(holder), SIGCONT), 0);
    assert_int_equal(finish(holder).code, 0);
}

/* It answered in time, and says who is in the way. */
static void check(int code, long long start, int64_t timeout, const yoke_process *holder)
{
    char pid[32];

    (void)snprintf(pid, sizeof pid, "process %lld ", (long long)yoke_process_pid(holder));
    assert_int_equal(code, YOKE_ETIMEDOUT);
    assert_int_equal(yoke_last_error()->code, YOKE_ETIMEDOUT);
    assert_non_null(strstr(yoke_last_error()->text, pid));
    assert_true(milliseconds() - start >= timeout);
    assert_true(milliseconds() - start < timeout + LATER);
}

static const int64_t timeouts[] = {YOKE_NOWAIT, 1, TIMEOUT};

static void puts_end_in_time(void **state)
{
    yoke_queue   *queue = new_queue();
    yoke_process *holder = stopped_in(queue, true);

    (void)state;
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        yoke_bytes many[2] = {{"a", 1}, {"b", 1}};
        size_t     put;
        yoke_slot  slot;
        long long  start = milliseconds();
        check(yoke_queue_put_string(queue, "x", timeouts[i]), start, timeouts[i], holder);
        start = milliseconds();
        check(yoke_queue_put_variant(queue, YOKE_ARGS(1, queue), timeouts[i]), start, timeouts[i], holder);
        start = milliseconds();
        check(yoke_queue_put_many(queue, many, 2, &put, timeouts[i]), start, timeouts[i], holder);
        assert_int_equal(put, 0);
        start = milliseconds();
        check(yoke_queue_reserve(queue, &slot, 8, timeouts[i]), start, timeouts[i], holder);
    }
    assert_int_equal(yoke_queue_size(queue), 0); /* figures need no lock */
    assert_true(yoke_queue_empty(queue));
    go_on(holder);
    assert_ok(yoke_queue_put_string(queue, "x", YOKE_NOWAIT));
    yoke_queue_close(queue);
}

static void gets_end_in_time(void **state)
{
    yoke_queue   *queue = new_queue();
    yoke_process *holder;

    (void)state;
    assert_ok(yoke_queue_put_string(queue, "x", YOKE_NOWAIT));
    holder = stopped_in(queue, false);
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        char          text[8];
        size_t        sizes[2], count;
        yoke_view     view;
        yoke_variant *variant;
        long long     start = milliseconds();
        check(yoke_queue_get_string(queue, text, sizeof text, timeouts[i]), start, timeouts[i], holder);
        start = milliseconds();
        check(yoke_queue_peek(queue, &view, timeouts[i]), start, timeouts[i], holder);
        start = milliseconds();
        check(yoke_queue_get_variant(queue, &variant, timeouts[i]), start, timeouts[i], holder);
        start = milliseconds();
        check(yoke_queue_get_many(queue, text, sizeof text, sizes, 2, &count, timeouts[i]), start, timeouts[i], holder);
    }
    assert_int_equal(yoke_queue_size(queue), 1);
    go_on(holder);
    assert_ok(yoke_queue_put_string(queue, "y", YOKE_NOWAIT));
    assert_int_equal(yoke_queue_size(queue), 2);
    yoke_queue_close(queue);
}

/* Closing the handle ends the wait for the lock as it does any other. */
static void *get_one(void *queue)
{
    static int code;
    char       text[8];

    code = yoke_queue_get_string((yoke_queue *)queue, text, sizeof text, 60000);
    return &code;
}

static void closing_ends_the_wait(void **state)
{
    yoke_queue   *queue = new_queue();
    yoke_process *holder;
    pthread_t     thread;
    void         *code;

    (void)state;
    holder = stopped_in(queue, false);
    assert_int_equal(pthread_create(&thread, NULL, get_one, queue), 0);
    while (!yoke__a32_load_acquire(&queue->handle.users))
        continue;
    yoke_queue_close(queue);
    assert_int_equal(pthread_join(thread, &code), 0);
    assert_int_equal(*(int *)code, YOKE_ECLOSED);
    go_on(holder);
}

/* ---- and somebody else dies ------------------------------------------------------------------------------------------ */

#define LARGE 100000

static int peek_and_stay(const yoke_args *args)
{
    yoke_view view;
    int       code = yoke_queue_peek(yoke_args_queue(args, 0), &view, YOKE_FOREVER);

    if (code == YOKE_OK)
        code = crew_say(yoke_args_queue(args, 1), "peeked");
    while (code == YOKE_OK)
        pause();
    return code;
}

/* A queue of four messages, of which a killed process has peeked the first, and another is stopped inside. */
static yoke_queue *queue_of_the_dead(yoke_process **holder, bool producers)
{
    static const char large[LARGE];
    yoke_queue       *queue = new_queue();
    yoke_queue       *news = new_queue();
    yoke_process     *peeker;

    for (int i = 0; i < 4; i++)
        assert_ok(yoke_queue_put(queue, large, sizeof large, YOKE_NOWAIT));
    peeker = crew_start(peek_and_stay, YOKE_ARGS(queue, news));
    crew_hear(news, "peeked");
    *holder = stopped_in(queue, producers);
    crew_kill(peeker);
    yoke_process_close(peeker);
    yoke_queue_close(news);
    return queue;
}

/* Each takes a block, and so looks for the dead if it is time for that. */
static void get_left(yoke_queue *queue, int count)
{
    static char buffer[LARGE];

    for (int i = 0; i < count; i++) {
        long long start = milliseconds();
        assert_ok(yoke_queue_get(queue, buffer, sizeof buffer, NULL, TIMEOUT));
        assert_true(milliseconds() - start < LATER);
        start = milliseconds();
        while (milliseconds() - start < 200) /* a slice, for the next to look again */
            (void)usleep(1000);
    }
}

static void get_nothing(yoke_queue *queue)
{
    char      text[8];
    long long start = milliseconds();

    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, TIMEOUT), YOKE_ETIMEDOUT);
    assert_true(milliseconds() - start < TIMEOUT + LATER);
}

/* Nor is the domain: everybody else makes objects, and waits, and hears of other deaths. */
static void others_go_on(void)
{
    long long   start = milliseconds();
    yoke_queue *other = new_queue();

    get_nothing(other);
    yoke_queue_close(other);
    assert_true(milliseconds() - start < TIMEOUT + LATER);
}

static void comes_back(yoke_queue *queue)
{
    static char buffer[LARGE];
    yoke_info   info = {.struct_size = sizeof info};

    while (!info.redelivered) /* the others come first, until somebody has looked for the dead */
        assert_ok(yoke_queue_get_info(queue, buffer, sizeof buffer, &info, 60000));
}

static void a_stopped_producer_holds_up_no_recovery(void **state)
{
    yoke_process *holder;
    yoke_queue   *queue = queue_of_the_dead(&holder, true);

    (void)state;
    get_left(queue, 3);
    get_nothing(queue);
    others_go_on();
    go_on(holder);
    comes_back(queue);
    yoke_queue_close(queue);
}

static void nor_does_a_stopped_consumer(void **state)
{
    yoke_process *holder;
    yoke_queue   *queue = queue_of_the_dead(&holder, false);

    (void)state;
    get_nothing(queue);
    others_go_on();
    assert_ok(yoke_queue_put_string(queue, "x", TIMEOUT));
    go_on(holder);
    comes_back(queue);
    yoke_queue_close(queue);
}

/* ---- looks need no lock ---------------------------------------------------------------------------------------------- */

static void full_and_writable_are_told_in_time(void **state)
{
    yoke_queue     *queue = NULL;
    yoke_wait_entry entry;
    yoke_process   *holder;
    yoke_slot       slot;
    long long       start;

    (void)state;
    assert_ok(yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .max_items = 2)));
    assert_ok(yoke_queue_put_string(queue, "x", YOKE_NOWAIT));
    holder = stopped_in(queue, true);
    start = milliseconds();
    entry = yoke_wait_queue_writable(queue);
    assert_false(yoke_queue_full(queue));
    assert_int_equal(yoke_wait(&entry, 1, TIMEOUT), 1);
    go_on(holder);
    assert_ok(yoke_queue_reserve(queue, &slot, 8, YOKE_NOWAIT));
    holder = stopped_in(queue, true);
    assert_true(yoke_queue_full(queue));
    assert_int_equal(yoke_wait(&entry, 1, TIMEOUT), YOKE_ETIMEDOUT);
    assert_true(milliseconds() - start < TIMEOUT + 2 * LATER);
    go_on(holder);
    yoke_queue_abort(queue, &slot);
    yoke_queue_close(queue);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);

    const struct CMUnitTest stopped[] = {
        cmocka_unit_test(puts_end_in_time),
        cmocka_unit_test(gets_end_in_time),
        cmocka_unit_test(closing_ends_the_wait),
        cmocka_unit_test(a_stopped_producer_holds_up_no_recovery),
        cmocka_unit_test(nor_does_a_stopped_consumer),
        cmocka_unit_test(full_and_writable_are_told_in_time),
    };
    return run_under_methods(stopped);
}
