/* What came back to a queue: it counts for size and limits, and variants tell that they did. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include <yoke/yoke.h>

#include "core/queue/queue.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/queues.h"

/* Peeks the first, lets the place be taken, and puts it back: one more than the limit lets in. */
static void fill_and_return(yoke_queue *queue, size_t size)
{
    static const uint8_t bytes[64];
    yoke_view            view;

    assert_int_equal(yoke_queue_put(queue, bytes, size, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_peek(queue, &view, YOKE_NOWAIT), YOKE_OK);
    while (yoke_queue_put(queue, bytes, size, YOKE_NOWAIT) == YOKE_OK)
        continue;
    assert_int_equal(yoke_queue_return(queue, &view), YOKE_OK);
}

static void take_one(yoke_queue *queue)
{
    uint8_t bytes[64];

    assert_int_equal(yoke_queue_get(queue, bytes, sizeof bytes, NULL, YOKE_NOWAIT), YOKE_OK);
}

static void test_it_counts_for_the_limit_in_items(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 100);

    (void)state;
    fill_and_return(queue, 8);
    assert_int_equal(yoke_queue_size(queue), 101);
    assert_true(yoke_queue_full(queue));
    take_one(queue); /* what came back */
    assert_int_equal(yoke_queue_size(queue), 100);
    assert_int_equal(yoke_queue_put_string(queue, "x", YOKE_NOWAIT), YOKE_ETIMEDOUT);
    take_one(queue);
    assert_int_equal(yoke_queue_put_string(queue, "x", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_size(queue), 100);
    yoke_queue_close(queue);
}

static void test_it_counts_for_the_limit_in_bytes(void **state)
{
    yoke_queue *queue = new_queue(.max_bytes = 640);

    (void)state;
    fill_and_return(queue, 64);
    assert_int_equal(yoke_queue_size(queue), 11);
    take_one(queue);
    assert_int_equal(yoke_queue_put_string(queue, "x", YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_non_null(strstr(yoke_last_error()->text, "max_bytes"));
    take_one(queue);
    assert_int_equal(yoke_queue_put_string(queue, "x", YOKE_NOWAIT), YOKE_OK);
    yoke_queue_close(queue);
}

static void test_a_reservation_keeps_its_place_all_the_same(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 2);
    yoke_view   view;
    yoke_slot   slot;

    (void)state;
    assert_int_equal(yoke_queue_put_string(queue, "one", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_peek(queue, &view, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(queue, "two", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_reserve(queue, &slot, 8, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_return(queue, &view), YOKE_OK);
    assert_int_equal(yoke_queue_commit(queue, &slot, 8), YOKE_OK);
    assert_int_equal(yoke_queue_size(queue), 3);
    yoke_queue_close(queue);
}

static void test_several_that_came_back_are_counted_one_by_one(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    yoke_view   views[5];

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(yoke_queue_put_string(queue, "x", YOKE_NOWAIT), YOKE_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(yoke_queue_peek(queue, &views[i], YOKE_NOWAIT), YOKE_OK);
        assert_int_equal(yoke_queue_size(queue), 4 - i);
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(yoke_queue_return(queue, &views[i]), YOKE_OK);
        assert_int_equal(yoke_queue_size(queue), i + 1);
    }
    for (int i = 0; i < 5; i++) {
        take_one(queue);
        assert_int_equal(yoke_queue_size(queue), 4 - i);
    }
    assert_true(yoke_queue_empty(queue));
    yoke_queue_close(queue);
}

/* ---- variants -------------------------------------------------------------------------------------------------------- */

static void test_a_variant_tells_that_it_came_back(void **state)
{
    yoke_queue   *queue = new_queue(.joinable = true, .name = "variants");
    yoke_queue   *worker;
    yoke_variant *first;
    yoke_variant *again;

    (void)state;
    assert_int_equal(yoke_queue_open(&worker, NULL, "variants"), YOKE_OK);
    assert_int_equal(yoke_queue_put_variant(queue, YOKE_ARGS(1, "task"), YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_get_variant(worker, &first, YOKE_NOWAIT), YOKE_OK);
    assert_false(yoke_variant_redelivered(first));
    yoke_queue_close(worker);
    assert_int_equal(yoke_queue_get_variant(queue, &again, YOKE_NOWAIT), YOKE_OK);
    assert_true(yoke_variant_redelivered(again));
    assert_false(yoke_variant_redelivered(yoke_variant_at(again, 0)));
    assert_false(yoke_variant_redelivered(NULL));
    assert_int_equal(yoke_queue_variant_done(queue, first), YOKE_EINVAL); /* not got through this handle */
    assert_int_equal(yoke_queue_variant_done(queue, again), YOKE_OK);
    yoke_variant_free(first);
    yoke_variant_free(again);
    yoke_queue_close(queue);
}

static void test_a_given_variant_is_done_out_of_order(void **state)
{
    yoke_queue   *queue = new_queue(.joinable = true);
    yoke_variant *variants[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(yoke_queue_put_variant(queue, YOKE_ARGS(i, queue), YOKE_NOWAIT), YOKE_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(yoke_queue_get_variant(queue, &variants[i], YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_variant_done(queue, variants[1]), YOKE_OK);
    assert_int_equal(yoke_queue_variant_done(queue, variants[1]), YOKE_EINVAL);
    assert_int_equal(yoke_queue_variant_done(queue, yoke_variant_at(variants[0], 0)), YOKE_EINVAL);
    assert_int_equal(yoke_queue_variant_done(queue, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_queue_task_done(queue), YOKE_OK); /* the oldest: the first */
    assert_int_equal(yoke_queue_variant_done(queue, variants[0]), YOKE_EINVAL);
    assert_int_equal(yoke_queue_variant_done(queue, variants[2]), YOKE_OK);
    assert_int_equal(yoke_queue_join(queue, YOKE_NOWAIT), YOKE_OK);
    for (int i = 0; i < 3; i++)
        yoke_variant_free(variants[i]);
    yoke_queue_close(queue);
}

static void test_a_variant_of_a_plain_queue_is_never_to_be_done(void **state)
{
    yoke_queue   *plain = new_queue(.max_items = 0);
    yoke_queue   *tasks = new_queue(.joinable = true);
    yoke_variant *variant;

    (void)state;
    assert_int_equal(yoke_queue_put_variant(plain, YOKE_ARGS(1), YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_get_variant(plain, &variant, YOKE_NOWAIT), YOKE_OK);
    assert_false(yoke_variant_redelivered(variant));
    assert_int_equal(yoke_queue_variant_done(plain, variant), YOKE_ENOTSUP);
    assert_int_equal(yoke_queue_variant_done(tasks, variant), YOKE_EINVAL);
    yoke_variant_free(variant);
    yoke_queue_close(tasks);
    yoke_queue_close(plain);
}

/* ---- after an immediate shutdown --------------------------------------------------------------------------------------- */

static void *join(void *queue)
{
    int rc = yoke_queue_join((yoke_queue *)queue, YOKE_FOREVER);

    return rc == YOKE_OK ? queue : NULL;
}

/* Milliseconds from a return to the end of who sleeps in a join. */
static long long return_after_shutdown(void)
{
    yoke_queue *queue = new_queue(.joinable = true);
    yoke_view   view;
    pthread_t   thread;
    long long   start;
    void       *ended = NULL;

    assert_int_equal(yoke_queue_put_string(queue, "x", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_peek(queue, &view, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_shutdown(queue, YOKE_IMMEDIATE), 0); /* it is not in the queue */
    assert_int_equal(pthread_create(&thread, NULL, join, queue), 0);
    while (!yoke__a32_load_acquire(&((yoke__queue_state *)queue->handle.object)->joiners_sleep))
        continue;
    start = milliseconds();
    assert_int_equal(yoke_queue_return(queue, &view), YOKE_OK);
    assert_int_equal(pthread_join(thread, &ended), 0);
    assert_non_null(ended);
    start = milliseconds() - start;
    yoke_queue_close(queue);
    return start;
}

static void test_what_comes_back_to_be_discarded_ends_a_join_at_once(void **state)
{
    long long shortest = 10000;

    (void)state;
    for (int i = 0; i < 5; i++) {
        long long took = return_after_shutdown();
        shortest = took < shortest ? took : shortest;
    }
    assert_true(shortest < 40); /* a sleeper looks by itself after 150 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_counts_for_the_limit_in_items),
        cmocka_unit_test(test_it_counts_for_the_limit_in_bytes),
        cmocka_unit_test(test_a_reservation_keeps_its_place_all_the_same),
        cmocka_unit_test(test_several_that_came_back_are_counted_one_by_one),
        cmocka_unit_test(test_a_variant_tells_that_it_came_back),
        cmocka_unit_test(test_a_given_variant_is_done_out_of_order),
        cmocka_unit_test(test_a_variant_of_a_plain_queue_is_never_to_be_done),
        cmocka_unit_test(test_what_comes_back_to_be_discarded_ends_a_join_at_once),
    };
    return cmocka_run_group_tests_name("queue, redelivered", tests, queues_setup, leak_teardown);
}
