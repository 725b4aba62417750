/* Messages read in place: peek, release, return. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <yoke/yoke.h>

#include "support/leak.h"
#include "support/queues.h"

static void test_a_peeked_message_is_this_process_s_until_released(void **state)
{
    yoke_queue       *queue = new_queue(.max_items = 0);
    yoke__alloc_stats before = heap_stats();
    yoke_view         view;

    (void)state;
    assert_int_equal(yoke_queue_put_string(queue, "one", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(queue, "two", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_peek(queue, &view, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(view.size, 3);
    assert_memory_equal(view.data, "one", 3);
    assert_false(view.redelivered);
    expect_text(queue, "two"); /* a view pins nothing */
    assert_int_equal(yoke_queue_release(queue, &view), YOKE_OK);
    assert_null(view.data);
    assert_true(yoke_queue_empty(queue));
    assert_int_equal(heap_stats().owned_blocks, before.owned_blocks);
    yoke_queue_close(queue);
}

static void test_a_returned_message_comes_next_and_says_so(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    yoke_view   view;
    yoke_info   info = {.struct_size = sizeof info};
    char        text[8];

    (void)state;
    assert_int_equal(yoke_queue_put_string(queue, "one", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(queue, "two", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_peek(queue, &view, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_size(queue), 1);
    assert_int_equal(yoke_queue_return(queue, &view), YOKE_OK);
    assert_int_equal(yoke_queue_size(queue), 2);
    assert_int_equal(yoke_queue_get_info(queue, text, sizeof text, &info, YOKE_NOWAIT), YOKE_OK);
    assert_memory_equal(text, "one", 3);
    assert_int_equal(info.size, 3);
    assert_true(info.redelivered);
    assert_int_equal(yoke_queue_get_info(queue, text, sizeof text, &info, YOKE_NOWAIT), YOKE_OK);
    assert_false(info.redelivered);
    yoke_queue_close(queue);
}

static void test_views_of_large_and_returned_messages_are_no_different(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    static char large[200000];
    yoke_view   view;

    (void)state;
    memset(large, 'L', sizeof large);
    assert_int_equal(yoke_queue_put(queue, large, sizeof large, YOKE_NOWAIT), YOKE_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(yoke_queue_peek(queue, &view, YOKE_NOWAIT), YOKE_OK);
        assert_int_equal(view.size, sizeof large);
        assert_memory_equal(view.data, large, sizeof large);
        assert_int_equal(view.redelivered, i > 0);
        assert_int_equal(yoke_queue_return(queue, &view), YOKE_OK);
    }
    yoke_queue_close(queue);
}

static void test_a_view_is_let_go_once_and_by_the_handle_that_has_it(void **state)
{
    yoke_queue *queue = new_queue(.name = "viewed");
    yoke_queue *again;
    yoke_view   view;
    yoke_view   copy;

    (void)state;
    assert_int_equal(yoke_queue_open(&again, NULL, "viewed"), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(queue, "x", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_peek(queue, &view, YOKE_NOWAIT), YOKE_OK);
    copy = view;
    assert_int_equal(yoke_queue_release(again, &view), YOKE_EINVAL);
    assert_int_equal(yoke_queue_release(queue, &view), YOKE_OK);
    assert_int_equal(yoke_queue_release(queue, &view), YOKE_EINVAL);
    assert_int_equal(yoke_queue_release(queue, &copy), YOKE_EINVAL);
    assert_int_equal(yoke_queue_return(queue, &copy), YOKE_EINVAL);
    assert_int_equal(yoke_queue_put_string(queue, "y", YOKE_NOWAIT), YOKE_OK); /* the same memory, another message */
    assert_int_equal(yoke_queue_peek(queue, &view, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_release(queue, &copy), YOKE_EINVAL);
    assert_int_equal(yoke_queue_release(queue, &view), YOKE_OK);
    yoke_queue_close(again);
    yoke_queue_close(queue);
}

static void test_closing_the_handle_gives_back_what_it_holds(void **state)
{
    yoke_queue *queue = new_queue(.name = "viewed");
    yoke_queue *again;
    yoke_view   views[3];

    (void)state;
    assert_int_equal(yoke_queue_open(&again, NULL, "viewed"), YOKE_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(yoke_queue_put_format(queue, YOKE_NOWAIT, "%d", i), YOKE_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(yoke_queue_peek(again, &views[i], YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_release(again, &views[1]), YOKE_OK); /* out of the middle */
    yoke_queue_close(again);
    assert_int_equal(yoke_queue_size(queue), 2);
    yoke_queue_close(queue);
}

static void test_variants_are_not_peeked(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    yoke_view   view;

    (void)state;
    assert_int_equal(yoke_queue_put_variant(queue, YOKE_ARGS(1), YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_peek(queue, &view, YOKE_NOWAIT), YOKE_ETYPE);
    assert_int_equal(yoke_queue_size(queue), 1);
    yoke_queue_close(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_peeked_message_is_this_process_s_until_released),
        cmocka_unit_test(test_a_returned_message_comes_next_and_says_so),
        cmocka_unit_test(test_views_of_large_and_returned_messages_are_no_different),
        cmocka_unit_test(test_a_view_is_let_go_once_and_by_the_handle_that_has_it),
        cmocka_unit_test(test_closing_the_handle_gives_back_what_it_holds),
        cmocka_unit_test(test_variants_are_not_peeked),
    };
    return cmocka_run_group_tests_name("queue, peek", tests, queues_setup, leak_teardown);
}
