/* Many messages at a time, and the figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <yoke/yoke.h>

#include "support/leak.h"
#include "support/queues.h"

#define COUNT 1000u

static void test_a_batch_arrives_whole_and_in_order(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    uint32_t    numbers[COUNT];
    uint32_t    found[COUNT];
    yoke_bytes  messages[COUNT];
    size_t      sizes[COUNT];
    size_t      count;
    size_t      all = 0;

    (void)state;
    for (uint32_t i = 0; i < COUNT; i++) {
        numbers[i] = i;
        messages[i] = (yoke_bytes){&numbers[i], sizeof numbers[i]};
    }
    assert_int_equal(yoke_queue_put_many(queue, messages, COUNT, &count, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(count, COUNT);
    assert_int_equal(yoke_queue_size(queue), COUNT);
    while (all < COUNT) {
        assert_int_equal(
            yoke_queue_get_many(queue, &found[all], sizeof found - 4 * all, sizes, 64, &count, YOKE_NOWAIT), YOKE_OK);
        assert_in_range(count, 1, 64);
        all += count;
    }
    assert_memory_equal(found, numbers, sizeof numbers);
    assert_int_equal(yoke_queue_get_many(queue, found, 4, sizes, 1, &count, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    yoke_queue_close(queue);
}

static void test_large_messages_may_stand_between_small_ones(void **state)
{
    yoke_queue       *queue = new_queue(.max_items = 0);
    yoke__alloc_stats before = heap_stats();
    static char       large[30000];
    static char       buffer[70000];
    yoke_bytes        messages[] = {{"a", 1}, {large, sizeof large}, {"bc", 2}, {NULL, 0}, {large, sizeof large}};
    size_t            sizes[8];
    size_t            count;
    size_t            all = 0;

    (void)state;
    memset(large, 'L', sizeof large);
    assert_int_equal(yoke_queue_put_many(queue, messages, 5, NULL, YOKE_NOWAIT), YOKE_OK);
    for (size_t used = 0; all < 5; all += count) {
        assert_int_equal(yoke_queue_get_many(queue, buffer + used, sizeof buffer - used, sizes, 8, &count, YOKE_NOWAIT),
                         YOKE_OK);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(sizes[i], messages[all + i].size);
            if (sizes[i])
                assert_memory_equal(buffer + used, messages[all + i].data, sizes[i]);
            used += sizes[i];
        }
    }
    assert_int_equal(yoke_queue_get_many(queue, buffer, 1, sizes, 1, &count, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_int_equal(heap_stats().owned_blocks, before.owned_blocks);
    yoke_queue_close(queue);
}

static void test_a_batch_that_meets_a_limit_tells_how_far_it_came(void **state)
{
    yoke_queue       *queue = new_queue(.max_items = 3);
    yoke__alloc_stats before = heap_stats();
    static char       large[30000];
    yoke_bytes        messages[] = {{"a", 1}, {"b", 1}, {"c", 1}, {large, sizeof large}};
    size_t            count = 77;

    (void)state;
    assert_int_equal(yoke_queue_put_many(queue, messages, 4, &count, 10), YOKE_ETIMEDOUT);
    assert_int_equal(count, 3);
    assert_non_null(strstr(yoke_last_error()->text, "max_items is 3"));
    expect_text(queue, "a");
    assert_int_equal(yoke_queue_put_many(queue, messages + 3, 1, &count, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_shutdown(queue, YOKE_IMMEDIATE), 3);
    assert_int_equal(yoke_queue_put_many(queue, messages, 4, &count, YOKE_FOREVER), YOKE_ESHUTDOWN);
    assert_int_equal(count, 0);
    assert_int_equal(heap_stats().owned_blocks, before.owned_blocks);
    yoke_queue_close(queue);
}

static void test_what_does_not_fit_into_the_buffer_stays(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    yoke_bytes  messages[] = {{"four", 4}, {"seven..", 7}};
    char        buffer[8];
    size_t      sizes[4];
    size_t      count;

    (void)state;
    assert_int_equal(yoke_queue_put_many(queue, messages, 2, NULL, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_get_many(queue, buffer, sizeof buffer, sizes, 4, &count, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(count, 1);
    assert_int_equal(yoke_queue_get_many(queue, buffer, 6, sizes, 4, &count, YOKE_NOWAIT), YOKE_EMSGSIZE);
    assert_int_equal(sizes[0], 7);
    assert_int_equal(yoke_queue_get_many(queue, buffer, 7, sizes, 4, &count, YOKE_NOWAIT), YOKE_OK);
    assert_memory_equal(buffer, "seven..", 7);
    yoke_queue_close(queue);
}

static void test_each_of_a_joinable_batch_is_a_task(void **state)
{
    yoke_queue *queue = new_queue(.joinable = true);
    yoke_bytes  messages[] = {{"a", 1}, {"b", 1}, {"c", 1}};
    char        buffer[8];
    size_t      sizes[4];
    size_t      count;

    (void)state;
    assert_int_equal(yoke_queue_put_many(queue, messages, 3, NULL, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_get_many(queue, buffer, sizeof buffer, sizes, 4, &count, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(count, 3);
    assert_memory_equal(buffer, "abc", 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(yoke_queue_task_done(queue), YOKE_OK);
    assert_int_equal(yoke_queue_join(queue, YOKE_NOWAIT), YOKE_OK);
    yoke_queue_close(queue);
}

static void test_the_figures_tell_what_has_happened(void **state)
{
    yoke_queue           *queue = new_queue(.max_items = 4);
    yoke_queue_statistics stats = {.struct_size = sizeof stats};
    yoke_view             view;
    char                  text[8];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(yoke_queue_put(queue, "12345", 5, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put(queue, "12345", 5, 1), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_queue_peek(queue, &view, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_return(queue, &view), YOKE_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(yoke_queue_get(queue, text, sizeof text, NULL, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_get(queue, text, sizeof text, NULL, 1), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_queue_stats(queue, &stats), YOKE_OK);
    assert_int_equal(stats.puts, 4);
    assert_int_equal(stats.put_bytes, 20);
    assert_int_equal(stats.gets, 4);
    assert_int_equal(stats.got_bytes, 20);
    assert_int_equal(stats.redelivered, 1);
    assert_int_equal(stats.most_items, 4);
    assert_int_equal(stats.put_waits, 1);
    assert_int_equal(stats.get_waits, 1);
    stats.struct_size = 1;
    assert_int_equal(yoke_queue_stats(queue, &stats), YOKE_EINVAL);
    yoke_queue_close(queue);
}

static void test_a_default_queue_costs_its_capacity_and_little_more(void **state)
{
    yoke__alloc_stats before = heap_stats();
    yoke_queue       *queue = new_queue(.max_items = 0);
    yoke__alloc_stats after = heap_stats();
    uint64_t          cost = before.free_bytes - after.free_bytes;

    (void)state;
    assert_in_range(cost, 16384, 16384 + 4096);
    yoke_queue_close(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_batch_arrives_whole_and_in_order),
        cmocka_unit_test(test_large_messages_may_stand_between_small_ones),
        cmocka_unit_test(test_a_batch_that_meets_a_limit_tells_how_far_it_came),
        cmocka_unit_test(test_what_does_not_fit_into_the_buffer_stays),
        cmocka_unit_test(test_each_of_a_joinable_batch_is_a_task),
        cmocka_unit_test(test_the_figures_tell_what_has_happened),
        cmocka_unit_test(test_a_default_queue_costs_its_capacity_and_little_more),
    };
    return cmocka_run_group_tests_name("queue, batches and figures", tests, queues_setup, leak_teardown);
}
