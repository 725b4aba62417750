/* Queues between processes, whatever starts them (YOKE_START_METHOD) and however they wait (YOKE_WAIT). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yoke/yoke.h>

#include "support/leak.h"

#define PRODUCERS 3
#define CONSUMERS 3
#define EACH      4000u

struct parcel {
    uint32_t producer, number, size, sum;
    uint8_t  bytes[9000];
};

static uint32_t parcel_size(uint32_t number)
{
    return number % 50 == 0 ? 9000 : number % 7 == 0 ? 500 : 8;
}

static void fill(struct parcel *parcel, uint32_t producer, uint32_t number)
{
    parcel->producer = producer;
    parcel->number = number;
    parcel->size = parcel_size(number);
    parcel->sum = 0;
    for (uint32_t i = 0; i < parcel->size; i++)
        parcel->sum += parcel->bytes[i] = (uint8_t)(number * 31 + i * producer);
}

static bool whole(const struct parcel *parcel, size_t size)
{
    uint32_t sum = 0;

    if (size != offsetof(struct parcel, bytes) + parcel->size || parcel->size != parcel_size(parcel->number))
        return false;
    for (uint32_t i = 0; i < parcel->size; i++)
        sum += parcel->bytes[i];
    return sum == parcel->sum;
}

static int produce(const yoke_args *args)
{
    yoke_queue   *queue = yoke_args_queue(args, 0);
    uint32_t      me = (uint32_t)yoke_args_int(args, 1);
    struct parcel parcel;

    for (uint32_t i = 0; i < EACH; i++) {
        fill(&parcel, me, i);
        YOKE_TRY(yoke_queue_put(queue, &parcel, offsetof(struct parcel, bytes) + parcel.size, YOKE_FOREVER));
    }
    return 0;
}

/* Takes until the queue is over; checks order per producer; reports how many it had. */
static int consume(const yoke_args *args)
{
    yoke_queue   *queue = yoke_args_queue(args, 0);
    yoke_queue   *report = yoke_args_queue(args, 1);
    int64_t       last[PRODUCERS] = {-1, -1, -1};
    uint32_t      count = 0;
    struct parcel parcel;
    size_t        size;
    int           rc;

    while ((rc = yoke_queue_get(queue, &parcel, sizeof parcel, &size, YOKE_FOREVER)) == YOKE_OK) {
        if (!whole(&parcel, size) || parcel.producer >= PRODUCERS || (int64_t)parcel.number <= last[parcel.producer])
            return 99;
        last[parcel.producer] = parcel.number;
        count++;
    }
    YOKE_TRY(yoke_queue_put(report, &count, sizeof count, YOKE_FOREVER));
    return rc == YOKE_ESHUTDOWN ? 0 : rc;
}

static yoke_process *start(yoke_function *function, const yoke_item *args)
{
    yoke_process *process;

    assert_int_equal(yoke_process_start(&process, function, args, NULL), YOKE_OK);
    return process;
}

static void finish(yoke_process *process)
{
    yoke_result result = {.struct_size = sizeof result};

    assert_int_equal(yoke_process_finish(process, &result, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(result.how, YOKE_RETURNED);
    assert_int_equal(result.code, 0);
}

static void many_to_many(size_t max_items)
{
    yoke_process *producers[PRODUCERS];
    yoke_process *consumers[CONSUMERS];
    yoke_queue   *queue;
    yoke_queue   *report;
    uint32_t      total = 0;
    uint32_t      count;

    assert_int_equal(yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .max_items = max_items)), YOKE_OK);
    assert_int_equal(yoke_queue_create(&report, NULL), YOKE_OK);
    for (int i = 0; i < PRODUCERS; i++)
        producers[i] = start(produce, YOKE_ARGS(queue, i));
    for (int i = 0; i < CONSUMERS; i++)
        consumers[i] = start(consume, YOKE_ARGS(queue, report));
    for (int i = 0; i < PRODUCERS; i++)
        finish(producers[i]);
    assert_int_equal(yoke_queue_shutdown(queue, YOKE_DRAIN), 0);
    for (int i = 0; i < CONSUMERS; i++)
        finish(consumers[i]);
    for (int i = 0; i < CONSUMERS; i++) {
        assert_int_equal(yoke_queue_get(report, &count, sizeof count, NULL, YOKE_NOWAIT), YOKE_OK);
        total += count;
    }
    assert_int_equal(total, PRODUCERS * EACH);
    yoke_queue_close(queue);
    yoke_queue_close(report);
}

static void test_every_message_arrives_once_in_order_per_producer(void **state)
{
    (void)state;
    many_to_many(0);
}

static void test_the_same_through_a_queue_of_ten_items(void **state)
{
    (void)state;
    many_to_many(10);
}

static void test_a_hundred_puts_before_any_consumer_and_a_join_before_the_receive(void **state)
{
    yoke_queue *queue;
    yoke_queue *report;
    uint32_t    count = 0;

    (void)state;
    assert_int_equal(yoke_queue_create(&queue, NULL), YOKE_OK);
    assert_int_equal(yoke_queue_create(&report, NULL), YOKE_OK);
    finish(start(produce, YOKE_ARGS(queue, 0))); /* nobody consumes yet, and the producer is gone */
    assert_int_equal(yoke_queue_size(queue), EACH);
    assert_int_equal(yoke_queue_shutdown(queue, YOKE_DRAIN), 0);
    finish(start(consume, YOKE_ARGS(queue, report)));
    assert_int_equal(yoke_queue_get(report, &count, sizeof count, NULL, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(count, EACH);
    yoke_queue_close(queue);
    yoke_queue_close(report);
}

static int echo(const yoke_args *args)
{
    char text[64];

    for (;;) {
        YOKE_TRY(yoke_queue_get_string(yoke_args_queue(args, 0), text, sizeof text, YOKE_FOREVER));
        YOKE_TRY(yoke_queue_put_format(yoke_args_queue(args, 1), YOKE_FOREVER, "%s back", text));
        if (strcmp(text, "end") == 0)
            return 0;
    }
}

static void test_a_sleeping_consumer_is_woken_each_time(void **state)
{
    yoke_queue   *there;
    yoke_queue   *back;
    yoke_process *process;
    char          text[64];

    (void)state;
    assert_int_equal(yoke_queue_create(&there, NULL), YOKE_OK);
    assert_int_equal(yoke_queue_create(&back, NULL), YOKE_OK);
    process = start(echo, YOKE_ARGS(there, back));
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(yoke_queue_put_string(there, i < 1999 ? "go" : "end", YOKE_FOREVER), YOKE_OK);
        assert_int_equal(yoke_queue_get_string(back, text, sizeof text, 10000), YOKE_OK);
    }
    assert_string_equal(text, "end back");
    finish(process);
    yoke_queue_close(there);
    yoke_queue_close(back);
}

static int swallow(const yoke_args *args)
{
    yoke_queue   *queue = yoke_args_queue(args, 0);
    yoke_message *message;

    for (;;) {
        YOKE_TRY(yoke_queue_get_message(queue, &message, YOKE_FOREVER));
        yoke_message_free(message);
        YOKE_TRY(yoke_queue_put_string(yoke_args_queue(args, 1), "one", YOKE_FOREVER));
    }
}

static int reports_within(yoke_queue *report, int most, int64_t timeout)
{
    char text[8];
    int  count = 0;

    while (count < most && yoke_queue_get_string(report, text, sizeof text, timeout) == YOKE_OK)
        count++;
    return count;
}

static void kill_and_finish(yoke_process *victim)
{
    assert_int_equal(yoke_process_kill(victim), YOKE_OK);
    assert_int_equal(yoke_process_finish(victim, NULL, YOKE_FOREVER), YOKE_OK);
}

/* Large messages, so that kills land between taking and consuming too. At most one message may go with each victim:
 * consumed, but not yet reported. */
static void test_survivors_go_on_when_consumers_are_killed_again_and_again(void **state)
{
    const int     total = 300;
    yoke_queue   *queue;
    yoke_queue   *report;
    char         *large = calloc(1, 200000);
    yoke_process *last;
    int           killed = 0;
    int           reported = 0;

    (void)state;
    assert_int_equal(yoke_queue_create(&queue, NULL), YOKE_OK);
    assert_int_equal(yoke_queue_create(&report, NULL), YOKE_OK);
    for (int i = 0; i < total; i++)
        assert_int_equal(yoke_queue_put(queue, large, 200000, YOKE_NOWAIT), YOKE_OK);
    for (; killed < 10; killed++) {
        yoke_process *victim = start(swallow, YOKE_ARGS(queue, report));
        int           wanted = 2 + killed % 7;
        int           got = reports_within(report, wanted, 20000);
        assert_int_equal(got, wanted);
        reported += got;
        kill_and_finish(victim);
    }
    last = start(swallow, YOKE_ARGS(queue, report));
    while (!yoke_queue_empty(queue))
        reported += reports_within(report, 1, 20000);
    reported += reports_within(report, total, 1000);
    kill_and_finish(last);
    assert_in_range(reported, total - killed, total);
    free(large);
    yoke_queue_close(queue);
    yoke_queue_close(report);
}

static int set_up(void **state)
{
    yoke_queue *queue;

    /* What lives as long as the process is made now: the domain, and a forkserver if that is the method. */
    if (yoke_queue_create(&queue, NULL) < 0)
        return -1;
    finish(start(produce, YOKE_ARGS(queue, 0)));
    yoke_queue_close(queue);
    return leak_setup(state);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);

    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_message_arrives_once_in_order_per_producer),
        cmocka_unit_test(test_the_same_through_a_queue_of_ten_items),
        cmocka_unit_test(test_a_hundred_puts_before_any_consumer_and_a_join_before_the_receive),
        cmocka_unit_test(test_a_sleeping_consumer_is_woken_each_time),
        cmocka_unit_test(test_survivors_go_on_when_consumers_are_killed_again_and_again),
    };
    return cmocka_run_group_tests_name("queue between processes", tests, set_up, leak_teardown);
}
