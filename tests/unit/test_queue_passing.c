/* Roles, orphans, and handles inside messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <yoke/yoke.h>

#include "support/leak.h"
#include "support/queues.h"

static void test_a_role_given_up_is_refused(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    yoke_slot   slot;
    yoke_view   view;
    char        text[8];

    (void)state;
    assert_int_equal(yoke_queue_drop(queue, YOKE_MAY_PUT), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(queue, "x", YOKE_NOWAIT), YOKE_EACCES);
    assert_int_equal(yoke_queue_reserve(queue, &slot, 1, YOKE_NOWAIT), YOKE_EACCES);
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_queue_drop(queue, YOKE_MAY_GET), YOKE_OK);
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, YOKE_NOWAIT), YOKE_EACCES);
    assert_int_equal(yoke_queue_peek(queue, &view, YOKE_NOWAIT), YOKE_EACCES);
    assert_int_equal(yoke_queue_drop(queue, 8), YOKE_EINVAL);
    assert_int_equal(yoke_queue_drop(queue, 0), YOKE_EINVAL);
    yoke_queue_close(queue);
}

static void test_a_get_that_nobody_can_serve_says_so(void **state)
{
    yoke_queue *queue = new_queue(.report_orphaned = true, .name = "watched");
    yoke_queue *other;
    char        text[8];

    (void)state;
    assert_int_equal(yoke_queue_open(&other, NULL, "watched"), YOKE_OK);
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_queue_drop(queue, YOKE_MAY_PUT), YOKE_OK);
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, YOKE_NOWAIT), YOKE_ETIMEDOUT); /* other may */
    assert_int_equal(yoke_queue_put_string(other, "last", YOKE_NOWAIT), YOKE_OK);
    yoke_queue_close(other);
    expect_text(queue, "last"); /* what is there is had first */
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, YOKE_FOREVER), YOKE_EORPHANED);
    assert_non_null(strstr(yoke_last_error()->text, "no process is left"));
    yoke_queue_close(queue);
}

static void test_a_task_that_may_come_back_is_waited_for(void **state)
{
    yoke_queue *queue = new_queue(.report_orphaned = true, .joinable = true);
    char        text[8];

    (void)state;
    assert_int_equal(yoke_queue_put_string(queue, "task", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_drop(queue, YOKE_MAY_PUT), YOKE_OK);
    expect_text(queue, "task");
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, 1), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_queue_task_done(queue), YOKE_OK);
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, YOKE_FOREVER), YOKE_EORPHANED);
    yoke_queue_close(queue);
}

static void test_a_put_that_nobody_can_make_room_for_says_so(void **state)
{
    yoke_queue *queue = new_queue(.report_orphaned = true, .max_items = 1);
    yoke_slot   slot;

    (void)state;
    assert_int_equal(yoke_queue_drop(queue, YOKE_MAY_GET), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(queue, "fits", YOKE_FOREVER), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(queue, "doesn't", YOKE_FOREVER), YOKE_EORPHANED);
    assert_int_equal(yoke_queue_reserve(queue, &slot, 1, YOKE_FOREVER), YOKE_EORPHANED);
    yoke_queue_close(queue);
}

static void test_orphans_are_reported_only_if_asked_for(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    char        text[8];

    (void)state;
    assert_int_equal(yoke_queue_drop(queue, YOKE_MAY_PUT), YOKE_OK);
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, 1), YOKE_ETIMEDOUT);
    yoke_queue_close(queue);
}

static void test_a_queue_in_a_queue_works_when_it_comes_out(void **state)
{
    yoke_queue   *outer = new_queue(.max_items = 0);
    yoke_queue   *inner = new_queue(.max_items = 0);
    yoke_lock    *lock;
    yoke_variant *variant;
    yoke_queue   *received;

    (void)state;
    assert_int_equal(yoke_lock_create(&lock, NULL), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(inner, "still here", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put_variant(outer, YOKE_ARGS("reply to", inner, YOKE_LIST(lock, 7)), YOKE_NOWAIT),
                     YOKE_OK);
    yoke_queue_close(inner); /* the message has it */
    yoke_lock_close(lock);
    assert_int_equal(yoke_queue_get_variant(outer, &variant, YOKE_NOWAIT), YOKE_OK);
    received = yoke_variant_queue(yoke_variant_at(variant, 1));
    expect_text(received, "still here");
    lock = yoke_variant_lock(yoke_variant_at(yoke_variant_at(variant, 2), 0));
    assert_int_equal(yoke_lock_acquire(lock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    yoke_variant_free(variant);
    yoke_queue_close(outer);
}

static void test_what_nobody_takes_out_goes_with_its_message(void **state)
{
    yoke_queue       *outer = new_queue(.max_items = 0);
    yoke__alloc_stats before = heap_stats();

    (void)state;
    for (int i = 0; i < 40; i++) {
        yoke_queue *inner = new_queue(.max_items = 0);
        assert_int_equal(yoke_queue_put_variant(outer, YOKE_ARGS(inner, inner), YOKE_NOWAIT), YOKE_OK);
        yoke_queue_close(inner);
    }
    assert_true(heap_stats().owned_blocks >= before.owned_blocks + 80);
    assert_int_equal(yoke_queue_shutdown(outer, YOKE_IMMEDIATE), 40);
    assert_int_equal(heap_stats().owned_blocks, before.owned_blocks);
    yoke_queue_close(outer);
}

static void test_a_queue_that_is_only_in_itself_is_gone(void **state)
{
    yoke__alloc_stats before = heap_stats();
    yoke_queue       *queue = new_queue(.max_items = 0);

    (void)state;
    assert_int_equal(yoke_queue_put_variant(queue, YOKE_ARGS(queue), YOKE_NOWAIT), YOKE_OK);
    yoke_queue_close(queue);
    yoke_queue_close(new_queue(.max_items = 0)); /* the next that comes and goes has it looked at */
    assert_int_equal(heap_stats().owned_blocks, before.owned_blocks);
}

static void test_a_handle_passed_on_lacks_what_its_giver_s_lacked(void **state)
{
    yoke_queue   *outer = new_queue(.max_items = 0);
    yoke_queue   *inner = new_queue(.max_items = 0);
    yoke_variant *variant;

    (void)state;
    assert_int_equal(yoke_queue_drop(inner, YOKE_MAY_PUT), YOKE_OK);
    assert_int_equal(yoke_queue_put_variant(outer, YOKE_ARGS(inner), YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_get_variant(outer, &variant, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(yoke_variant_queue(yoke_variant_at(variant, 0)), "x", YOKE_NOWAIT),
                     YOKE_EACCES);
    yoke_variant_free(variant);
    yoke_queue_close(inner);
    yoke_queue_close(outer);
}

static void test_a_role_in_flight_counts(void **state)
{
    yoke_queue   *outer = new_queue(.max_items = 0);
    yoke_queue   *inner = new_queue(.report_orphaned = true, .name = "inner");
    yoke_queue   *giver;
    yoke_variant *variant;
    char          text[8];

    (void)state;
    assert_int_equal(yoke_queue_open(&giver, NULL, "inner"), YOKE_OK);
    assert_int_equal(yoke_queue_drop(inner, YOKE_MAY_PUT), YOKE_OK);
    assert_int_equal(yoke_queue_put_variant(outer, YOKE_ARGS(giver), YOKE_NOWAIT), YOKE_OK);
    yoke_queue_close(giver);
    assert_int_equal(yoke_queue_get_string(inner, text, sizeof text, 1), YOKE_ETIMEDOUT); /* who gets it may put */
    assert_int_equal(yoke_queue_get_variant(outer, &variant, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_get_string(inner, text, sizeof text, 1), YOKE_ETIMEDOUT);
    yoke_variant_free(variant);
    assert_int_equal(yoke_queue_get_string(inner, text, sizeof text, YOKE_FOREVER), YOKE_EORPHANED);
    yoke_queue_close(inner);
    yoke_queue_close(outer);
}

static void test_what_can_not_travel_is_refused_by_name(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    yoke_conn  *ends[2];

    (void)state;
    assert_int_equal(yoke_pipe_create(&ends[0], &ends[1], NULL), YOKE_OK);
    assert_int_equal(yoke_queue_put_variant(queue, YOKE_ARGS(ends[0]), YOKE_NOWAIT), YOKE_ENOTSUP);
    assert_non_null(strstr(yoke_last_error()->text, "conn"));
    assert_int_equal(yoke_queue_size(queue), 0);
    yoke_conn_close(ends[0]);
    yoke_conn_close(ends[1]);
    yoke_queue_close(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_role_given_up_is_refused),
        cmocka_unit_test(test_a_get_that_nobody_can_serve_says_so),
        cmocka_unit_test(test_a_task_that_may_come_back_is_waited_for),
        cmocka_unit_test(test_a_put_that_nobody_can_make_room_for_says_so),
        cmocka_unit_test(test_orphans_are_reported_only_if_asked_for),
        cmocka_unit_test(test_a_queue_in_a_queue_works_when_it_comes_out),
        cmocka_unit_test(test_what_nobody_takes_out_goes_with_its_message),
        cmocka_unit_test(test_a_queue_that_is_only_in_itself_is_gone),
        cmocka_unit_test(test_a_handle_passed_on_lacks_what_its_giver_s_lacked),
        cmocka_unit_test(test_a_role_in_flight_counts),
        cmocka_unit_test(test_what_can_not_travel_is_refused_by_name),
    };
    return cmocka_run_group_tests_name("queue, roles and handles", tests, queues_setup, leak_teardown);
}
