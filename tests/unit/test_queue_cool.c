/* Blocks of large messages that were got are freed a little later: when they are, and by whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "support/child.h"
#include "support/leak.h"
#include "support/queues.h"

#define LARGE 65536u

static char message[LARGE];

static void put_and_get(yoke_queue *queue, int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(yoke_queue_put(queue, message, sizeof message, YOKE_NOWAIT), YOKE_OK);
        assert_int_equal(yoke_queue_get(queue, message, sizeof message, NULL, YOKE_NOWAIT), YOKE_OK);
    }
}

static void find_nothing(yoke_queue *queue)
{
    assert_int_equal(yoke_queue_get(queue, message, sizeof message, NULL, YOKE_NOWAIT), YOKE_ETIMEDOUT);
}

static void test_who_finds_nothing_keeps_no_memory(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    uint64_t    before = heap_stats().owned_blocks;

    (void)state;
    put_and_get(queue, 300);
    find_nothing(queue);
    assert_int_equal(heap_stats().owned_blocks, before);
    put_and_get(queue, 3);
    assert_int_equal(yoke_queue_get(queue, message, sizeof message, NULL, 1), YOKE_ETIMEDOUT);
    assert_int_equal(heap_stats().owned_blocks, before);
    yoke_queue_close(queue);
}

static void test_what_is_kept_is_bounded(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    uint64_t    before = heap_stats().owned_blocks;

    (void)state;
    put_and_get(queue, 1000);
    assert_in_range(heap_stats().owned_blocks - before, 0, (4 << 20) / LARGE);
    yoke_queue_close(queue);
}

static void test_a_close_keeps_nothing(void **state)
{
    uint64_t    before = heap_stats().owned_blocks;
    yoke_queue *queue = new_queue(.max_items = 0);

    (void)state;
    put_and_get(queue, 100);
    yoke_queue_close(queue);
    assert_int_equal(heap_stats().owned_blocks, before);
}

static void test_a_shutdown_keeps_nothing(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    uint64_t    before = heap_stats().owned_blocks;

    (void)state;
    put_and_get(queue, 100);
    assert_int_equal(yoke_queue_shutdown(queue, YOKE_DRAIN), 0);
    assert_int_equal(yoke_queue_get(queue, message, sizeof message, NULL, YOKE_NOWAIT), YOKE_ESHUTDOWN);
    assert_int_equal(heap_stats().owned_blocks, before);
    yoke_queue_close(queue);
}

static int child(void *user)
{
    yoke_queue *queue = (yoke_queue *)user;
    uint64_t    before;

    CHILD_CHECK(yoke_queue_get(queue, message, sizeof message, NULL, YOKE_NOWAIT) == YOKE_ETIMEDOUT);
    before = heap_stats().owned_blocks;
    CHILD_CHECK(yoke_queue_put(queue, message, sizeof message, YOKE_NOWAIT) == YOKE_OK);
    CHILD_CHECK(yoke_queue_get(queue, message, sizeof message, NULL, YOKE_NOWAIT) == YOKE_OK);
    CHILD_CHECK(yoke_queue_get(queue, message, sizeof message, NULL, YOKE_NOWAIT) == YOKE_ETIMEDOUT);
    CHILD_CHECK(heap_stats().owned_blocks == before);
    for (int i = 0; i < 10; i++) { /* left for the recovery */
        CHILD_CHECK(yoke_queue_put(queue, message, sizeof message, YOKE_NOWAIT) == YOKE_OK);
        CHILD_CHECK(yoke_queue_get(queue, message, sizeof message, NULL, YOKE_NOWAIT) == YOKE_OK);
    }
    _exit(0);
}

static void test_a_forked_child_frees_its_own_and_not_its_parents(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    uint64_t    before = heap_stats().owned_blocks;

    (void)state;
    put_and_get(queue, 10);
    assert_int_equal(child_join(child_start(child, queue)), 0);
    put_and_get(queue, 10);
    for (int i = 0; i < 100 && heap_stats().owned_blocks != before; i++) /* the child's death is found out by a slice */
        assert_int_equal(yoke_queue_get(queue, message, sizeof message, NULL, 160), YOKE_ETIMEDOUT);
    assert_int_equal(heap_stats().owned_blocks, before);
    yoke_queue_close(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_finds_nothing_keeps_no_memory),
        cmocka_unit_test(test_what_is_kept_is_bounded),
        cmocka_unit_test(test_a_close_keeps_nothing),
        cmocka_unit_test(test_a_shutdown_keeps_nothing),
        cmocka_unit_test(test_a_forked_child_frees_its_own_and_not_its_parents),
    };
    return cmocka_run_group_tests_name("queue, blocks freed later", tests, queues_setup, leak_teardown);
}
