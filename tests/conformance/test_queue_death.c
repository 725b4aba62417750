/* What a queue's users find when one of them was killed: under each start method, however they wait (YOKE_WAIT). */
#include "support/process.h"

#include <stdio.h>
#include <string.h>

#include "support/child.h"
#include "support/crew.h"

#define MINUTE 60000
#define SLICE  150  /* a sleeper looks again after so many milliseconds */
#define LARGE  9000 /* does not lie in a ring */

static yoke_queue *queue_with(const yoke_queue_options *options)
{
    yoke_queue *queue;

    assert_ok(yoke_queue_create(&queue, options));
    return queue;
}

static size_t size_of(int number)
{
    return number % 2 ? LARGE : 100;
}

static void put_numbered(yoke_queue *queue, int count)
{
    static char bytes[LARGE];

    for (int i = 0; i < count; i++) {
        memset(bytes, 'a' + i, sizeof bytes);
        assert_ok(yoke_queue_put(queue, bytes, size_of(i), YOKE_NOWAIT));
    }
}

/* Which message it is, or -1 if it is not whole. */
static int number_of(const char *bytes, size_t size)
{
    int number = size > 0 ? bytes[0] - 'a' : 0;

    if (size != size_of(number))
        return -1;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 'a' + number)
            return -1;
    return number;
}

/* ---- consumers that hold messages -------------------------------------------------------------------------------------- */

/* Holds four messages, got in four ways, and tells so. */
static int hold_four(const yoke_args *args)
{
    static char   bytes[4 * LARGE];
    yoke_queue   *tasks = yoke_args_queue(args, 0);
    yoke_message *message;
    yoke_view     view;
    size_t        size, count;

    YOKE_TRY(yoke_queue_get(tasks, bytes, sizeof bytes, NULL, YOKE_FOREVER));
    YOKE_TRY(yoke_queue_get_message(tasks, &message, YOKE_FOREVER));
    YOKE_TRY(yoke_queue_get_many(tasks, bytes, sizeof bytes, &size, 1, &count, YOKE_FOREVER));
    YOKE_TRY(yoke_queue_peek(tasks, &view, YOKE_FOREVER));
    YOKE_TRY(crew_say(yoke_args_queue(args, 1), "holds four"));
    return yoke_wait(NULL, 0, YOKE_FOREVER);
}

/* Does every task, and tells which and whether somebody had it before. */
static int do_tasks(const yoke_args *args)
{
    yoke_queue   *tasks = yoke_args_queue(args, 0);
    yoke_message *message;
    char          line[40];

    for (;;) {
        int rc = yoke_queue_get_message(tasks, &message, YOKE_FOREVER);
        if (rc == YOKE_ESHUTDOWN)
            return 0;
        YOKE_TRY(rc);
        int number = number_of(yoke_message_data(message), yoke_message_size(message));
        snprintf(line, sizeof line, "%d%s", number, yoke_message_redelivered(message) ? " again" : "");
        YOKE_TRY(crew_say(yoke_args_queue(args, 1), line));
        YOKE_TRY(yoke_queue_message_done(tasks, message));
        yoke_message_free(message);
    }
}

/* Each of so many messages once, in any order; the first `again` of them flagged. */
static void hear_all(yoke_queue *news, int count, int again)
{
    bool heard[26] = {false};

    for (int i = 0; i < count; i++) {
        char line[40], flag[10] = "";
        int  number = -1;
        assert_ok(yoke_queue_get_string(news, line, sizeof line, MINUTE));
        assert_true(sscanf(line, "%d %9s", &number, flag) >= 1);
        assert_in_range(number, 0, count - 1);
        assert_false(heard[number]);
        heard[number] = true;
        assert_int_equal(strcmp(flag, "again") == 0, number < again);
    }
}

static void tasks_of_a_killed_consumer_come_to_another_and_join_ends(void **state)
{
    yoke_queue   *tasks = queue_with(YOKE_OPTIONS(yoke_queue_options, .joinable = true));
    yoke_queue   *news = new_queue();
    yoke_process *victim, *worker;

    (void)state;
    put_numbered(tasks, 4);
    victim = crew_start(hold_four, YOKE_ARGS(tasks, news));
    crew_hear(news, "holds four");
    worker = crew_start(do_tasks, YOKE_ARGS(tasks, news));
    assert_int_equal(yoke_queue_unfinished(tasks), 4);
    assert_int_equal(yoke_queue_join(tasks, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    crew_kill(victim);
    assert_ok(yoke_queue_join(tasks, MINUTE)); /* the worker sleeps, and nobody puts */
    assert_int_equal(yoke_queue_unfinished(tasks), 0);
    hear_all(news, 4, 4);
    assert_int_equal(finish(victim).how, YOKE_SIGNALLED);
    assert_int_equal(yoke_queue_shutdown(tasks, YOKE_DRAIN), 0);
    assert_int_equal(finish(worker).code, 0);
    yoke_queue_close(tasks);
    yoke_queue_close(news);
}

static void tasks_not_taken_by_the_killed_come_unflagged_and_once(void **state)
{
    yoke_queue   *tasks = queue_with(YOKE_OPTIONS(yoke_queue_options, .joinable = true));
    yoke_queue   *news = new_queue();
    yoke_process *victim, *workers[2];

    (void)state;
    put_numbered(tasks, 12);
    victim = crew_start(hold_four, YOKE_ARGS(tasks, news));
    crew_hear(news, "holds four");
    crew_kill(victim);
    for (int i = 0; i < 2; i++)
        workers[i] = crew_start(do_tasks, YOKE_ARGS(tasks, news));
    assert_ok(yoke_queue_join(tasks, MINUTE));
    hear_all(news, 12, 4);
    assert_int_equal(yoke_queue_shutdown(tasks, YOKE_IMMEDIATE), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(finish(workers[i]).code, 0);
    finish(victim);
    yoke_queue_close(tasks);
    yoke_queue_close(news);
}

/* Of a queue that is not joinable: what was got is gone with its consumer, what was peeked is not. */
static int get_one_and_peek_two(const yoke_args *args)
{
    static char bytes[LARGE];
    yoke_queue *queue = yoke_args_queue(args, 0);
    yoke_view   views[2];

    YOKE_TRY(yoke_queue_get(queue, bytes, sizeof bytes, NULL, YOKE_FOREVER));
    YOKE_TRY(yoke_queue_peek(queue, &views[0], YOKE_FOREVER));
    YOKE_TRY(yoke_queue_peek(queue, &views[1], YOKE_FOREVER));
    YOKE_TRY(crew_say(yoke_args_queue(args, 1), "peeked"));
    return yoke_wait(NULL, 0, YOKE_FOREVER);
}

static int peek_and_tell(const yoke_args *args)
{
    yoke_queue *queue = yoke_args_queue(args, 0);
    yoke_view   view;
    char        line[40];

    for (int i = 0; i < 2; i++) {
        YOKE_TRY(yoke_queue_peek(queue, &view, YOKE_FOREVER));
        snprintf(line, sizeof line, "%d%s", number_of(view.data, view.size) - 1, view.redelivered ? " again" : "");
        YOKE_TRY(crew_say(yoke_args_queue(args, 1), line));
        YOKE_TRY(yoke_queue_release(queue, &view));
    }
    return 0;
}

static void what_a_killed_reader_had_peeked_comes_to_a_sleeping_one(void **state)
{
    yoke_queue   *queue = new_queue();
    yoke_queue   *news = new_queue();
    yoke_process *victim, *reader;

    (void)state;
    put_numbered(queue, 3);
    victim = crew_start(get_one_and_peek_two, YOKE_ARGS(queue, news));
    crew_hear(news, "peeked");
    reader = crew_start(peek_and_tell, YOKE_ARGS(queue, news));
    crew_asleep(reader);
    assert_int_equal(yoke_queue_size(queue), 0);
    crew_kill(victim);
    hear_all(news, 2, 2);
    assert_int_equal(finish(reader).code, 0);
    assert_true(yoke_queue_empty(queue));
    finish(victim);
    yoke_queue_close(queue);
    yoke_queue_close(news);
}

/* ---- limits ------------------------------------------------------------------------------------------------------------ */

static int reserve_and_stay(const yoke_args *args)
{
    yoke_slot slot;

    YOKE_TRY(yoke_queue_reserve(yoke_args_queue(args, 0), &slot, yoke_args_size(args, 2), YOKE_FOREVER));
    memset(slot.data, 'x', slot.size);
    YOKE_TRY(crew_say(yoke_args_queue(args, 1), "reserved"));
    return yoke_wait(NULL, 0, YOKE_FOREVER);
}

static int put_one(const yoke_args *args)
{
    YOKE_TRY(crew_say(yoke_args_queue(args, 1), "puts"));
    return yoke_queue_put_string(yoke_args_queue(args, 0), "through", YOKE_FOREVER);
}

/* Milliseconds from the kill to the end of the sleeper's put. Nobody else touches the queue. */
static long long wait_for_room(const yoke_queue_options *options, size_t reserved)
{
    yoke_queue   *queue = queue_with(options);
    yoke_queue   *news = new_queue();
    yoke_process *victim = crew_start(reserve_and_stay, YOKE_ARGS(queue, news, reserved));
    yoke_process *putter;
    long long     since, took;

    crew_hear(news, "reserved");
    assert_int_equal(yoke_queue_put_string(queue, "through", YOKE_NOWAIT), YOKE_ETIMEDOUT);
    putter = crew_start(put_one, YOKE_ARGS(queue, news));
    crew_hear(news, "puts");
    crew_asleep(putter);
    since = milliseconds();
    crew_kill(victim);
    assert_true(crew_gone(putter));
    took = milliseconds() - since;
    assert_int_equal(finish(putter).code, 0);
    assert_int_equal(yoke_queue_size(queue), 1); /* nothing of the reservation */
    finish(victim);
    yoke_queue_close(queue);
    yoke_queue_close(news);
    return took;
}

static long long wait_for_items(void)
{
    return wait_for_room(YOKE_OPTIONS(yoke_queue_options, .max_items = 1), 100);
}

static long long wait_for_bytes(void)
{
    return wait_for_room(YOKE_OPTIONS(yoke_queue_options, .max_bytes = 100000), 99999);
}

static void a_reservation_of_a_killed_producer_counts_no_longer(void **state)
{
    (void)state;
    crew_within(3 * SLICE, wait_for_items);
    crew_within(3 * SLICE, wait_for_bytes);
}

/* ---- orphans ----------------------------------------------------------------------------------------------------------- */

static int put_one_and_stay(const yoke_args *args)
{
    YOKE_TRY(yoke_queue_put_string(yoke_args_queue(args, 0), "last words", YOKE_FOREVER));
    return yoke_wait(NULL, 0, YOKE_FOREVER);
}

/* Its handle may only get. */
static int get_until_orphaned(const yoke_args *args)
{
    yoke_queue *queue = yoke_args_queue(args, 0);
    char        text[32];

    YOKE_TRY(yoke_queue_get_string(queue, text, sizeof text, YOKE_FOREVER));
    YOKE_TRY(crew_say(yoke_args_queue(args, 1), text));
    return yoke_queue_get_string(queue, text, sizeof text, YOKE_FOREVER);
}

static long long last_producer(void)
{
    yoke_queue   *queue = queue_with(YOKE_OPTIONS(yoke_queue_options, .report_orphaned = true));
    yoke_queue   *news = new_queue();
    yoke_process *victim = crew_start(put_one_and_stay, YOKE_ARGS(queue, news));
    yoke_process *getter;
    long long     since, took;

    assert_ok(yoke_queue_drop(queue, YOKE_MAY_PUT)); /* now: a forked getter inherits this handle too */
    getter = crew_start(get_until_orphaned, YOKE_ARGS(queue, news));
    crew_hear(news, "last words");
    crew_asleep(getter);
    since = milliseconds();
    crew_kill(victim);
    assert_true(crew_gone(getter));
    took = milliseconds() - since;
    assert_int_equal(finish(getter).code, YOKE_EORPHANED);
    finish(victim);
    yoke_queue_close(queue);
    yoke_queue_close(news);
    return took;
}

static void the_death_of_the_last_producer_is_told_to_a_sleeping_getter(void **state)
{
    (void)state;
    crew_within(3 * SLICE, last_producer);
}

static int fill_until_orphaned(const yoke_args *args)
{
    yoke_queue *queue = yoke_args_queue(args, 0);

    YOKE_TRY(yoke_queue_put_string(queue, "first", YOKE_FOREVER));
    YOKE_TRY(crew_say(yoke_args_queue(args, 1), "puts"));
    return yoke_queue_put_string(queue, "second", YOKE_FOREVER);
}

static int stay_with(const yoke_args *args)
{
    YOKE_TRY(crew_say(yoke_args_queue(args, 1), "is there"));
    return yoke_wait(NULL, 0, YOKE_FOREVER);
}

static long long last_consumer(void)
{
    yoke_queue *queue = queue_with(YOKE_OPTIONS(yoke_queue_options, .report_orphaned = true, .max_items = 1));
    yoke_queue *news = new_queue();
    long long   since, took;

    yoke_process *victim = crew_start(stay_with, YOKE_ARGS(queue, news));
    crew_hear(news, "is there");
    assert_ok(yoke_queue_drop(queue, YOKE_MAY_GET));
    yoke_process *putter = crew_start(fill_until_orphaned, YOKE_ARGS(queue, news));
    crew_hear(news, "puts");
    crew_asleep(putter);
    since = milliseconds();
    crew_kill(victim);
    assert_true(crew_gone(putter));
    took = milliseconds() - since;
    assert_int_equal(finish(putter).code, YOKE_EORPHANED);
    finish(victim);
    yoke_queue_close(queue);
    yoke_queue_close(news);
    return took;
}

static void the_death_of_the_last_consumer_is_told_to_a_sleeping_putter(void **state)
{
    (void)state;
    crew_within(3 * SLICE, last_consumer);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);

    const struct CMUnitTest deaths[] = {
        cmocka_unit_test(tasks_of_a_killed_consumer_come_to_another_and_join_ends),
        cmocka_unit_test(tasks_not_taken_by_the_killed_come_unflagged_and_once),
        cmocka_unit_test(what_a_killed_reader_had_peeked_comes_to_a_sleeping_one),
        cmocka_unit_test(a_reservation_of_a_killed_producer_counts_no_longer),
        cmocka_unit_test(the_death_of_the_last_producer_is_told_to_a_sleeping_getter),
        cmocka_unit_test(the_death_of_the_last_consumer_is_told_to_a_sleeping_putter),
    };
    return run_under_methods(deaths);
}
