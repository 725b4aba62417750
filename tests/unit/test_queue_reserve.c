/* Messages made in place: reserve, commit, abort. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <yoke/yoke.h>

#include "core/queue/queue.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/queues.h"

static void test_what_is_written_into_a_slot_is_the_message(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    yoke_slot   slot;

    (void)state;
    assert_int_equal(yoke_queue_reserve(queue, &slot, 100, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(slot.size, 100);
    assert_int_equal((uintptr_t)slot.data % 64, 0);
    memcpy(slot.data, "made in place", 13);
    assert_true(yoke_queue_empty(queue));
    assert_int_equal(yoke_queue_commit(queue, &slot, 13), YOKE_OK);
    assert_null(slot.data);
    expect_text(queue, "made in place");
    yoke_queue_close(queue);
}

static void test_an_open_slot_holds_nobody_up(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    yoke_slot   slot;

    (void)state;
    assert_int_equal(yoke_queue_reserve(queue, &slot, 8, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(queue, "overtakes", YOKE_NOWAIT), YOKE_OK);
    expect_text(queue, "overtakes");
    memcpy(slot.data, "late", 4);
    assert_int_equal(yoke_queue_commit(queue, &slot, 4), YOKE_OK);
    expect_text(queue, "late");
    yoke_queue_close(queue);
}

static void test_a_slot_of_megabytes_is_committed_at_any_length(void **state)
{
    yoke_queue       *queue = new_queue(.max_items = 0);
    yoke__alloc_stats before = heap_stats();
    yoke_slot         slot;
    yoke_view         view;

    (void)state;
    assert_int_equal(yoke_queue_reserve(queue, &slot, 64u << 20, YOKE_NOWAIT), YOKE_OK);
    ((char *)slot.data)[(64u << 20) - 1] = 'z';
    assert_int_equal(yoke_queue_commit(queue, &slot, 64u << 20), YOKE_OK);
    assert_int_equal(yoke_queue_reserve(queue, &slot, 5000, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_commit(queue, &slot, 0), YOKE_OK);
    assert_int_equal(yoke_queue_peek(queue, &view, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(view.size, 64u << 20);
    assert_int_equal(((const char *)view.data)[view.size - 1], 'z');
    assert_int_equal(yoke_queue_release(queue, &view), YOKE_OK);
    expect_text(queue, "");
    assert_int_equal(heap_stats().owned_blocks, before.owned_blocks);
    yoke_queue_close(queue);
}

static void test_an_aborted_slot_was_never_there(void **state)
{
    yoke_queue       *queue = new_queue(.max_items = 1);
    yoke__alloc_stats before = heap_stats();
    yoke_slot         slot;

    (void)state;
    assert_int_equal(yoke_queue_reserve(queue, &slot, 8, YOKE_NOWAIT), YOKE_OK);
    yoke_queue_abort(queue, &slot);
    assert_null(slot.data);
    yoke_queue_abort(queue, &slot); /* not open: nothing happens */
    assert_int_equal(yoke_queue_size(queue), 0);
    assert_int_equal(yoke_queue_put_string(queue, "the only one", YOKE_NOWAIT), YOKE_OK);
    expect_text(queue, "the only one");
    assert_int_equal(heap_stats().owned_blocks, before.owned_blocks);
    yoke_queue_close(queue);
}

static void test_reservations_count_towards_the_limits(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 2, .max_bytes = 100);
    yoke_slot   first;
    yoke_slot   second;
    yoke_slot   third;

    (void)state;
    assert_int_equal(yoke_queue_reserve(queue, &first, 60, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_reserve(queue, &second, 60, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_non_null(strstr(yoke_last_error()->text, "max_bytes is 100"));
    assert_int_equal(yoke_queue_reserve(queue, &second, 40, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_reserve(queue, &third, 0, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_non_null(strstr(yoke_last_error()->text, "max_items is 2"));
    assert_int_equal(yoke_queue_put(queue, NULL, 0, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_queue_commit(queue, &first, 5), YOKE_OK); /* and takes no more than it uses */
    yoke_queue_abort(queue, &second);
    assert_int_equal(yoke_queue_reserve(queue, &third, 95, YOKE_NOWAIT), YOKE_OK);
    assert_true(yoke_queue_full(queue));
    assert_int_equal(yoke_queue_commit(queue, &third, 95), YOKE_OK);
    assert_int_equal(yoke_queue_shutdown(queue, YOKE_IMMEDIATE), 2);
    yoke_queue_close(queue);
}

static void test_a_slot_is_committed_once_and_where_it_was_reserved(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    yoke_queue *other = new_queue(.max_items = 0);
    yoke_slot   slot;
    yoke_slot   copy;
    yoke_slot   nothing = {0};

    (void)state;
    assert_int_equal(yoke_queue_reserve(queue, &slot, 8, YOKE_NOWAIT), YOKE_OK);
    copy = slot;
    assert_int_equal(yoke_queue_commit(other, &slot, 1), YOKE_EINVAL);
    assert_int_equal(yoke_queue_commit(queue, &slot, 9), YOKE_EINVAL);
    assert_int_equal(yoke_queue_commit(queue, &slot, 8), YOKE_OK);
    assert_int_equal(yoke_queue_commit(queue, &slot, 1), YOKE_EINVAL);
    assert_int_equal(yoke_queue_commit(queue, &copy, 1), YOKE_EINVAL);
    yoke_queue_abort(queue, &copy);
    assert_int_equal(yoke_queue_commit(queue, &nothing, 0), YOKE_EINVAL);
    assert_int_equal(yoke_queue_size(queue), 1);
    yoke_queue_close(other);
    yoke_queue_close(queue);
}

static void test_a_commit_after_the_shutdown_fails_and_leaves_the_slot(void **state)
{
    yoke_queue       *queue = new_queue(.max_items = 3);
    yoke__alloc_stats before = heap_stats();
    yoke_slot         slot;

    (void)state;
    assert_int_equal(yoke_queue_reserve(queue, &slot, 8, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_shutdown(queue, YOKE_DRAIN), 0);
    assert_int_equal(yoke_queue_commit(queue, &slot, 8), YOKE_ESHUTDOWN);
    assert_non_null(slot.data);
    yoke_queue_abort(queue, &slot);
    assert_int_equal(heap_stats().owned_blocks, before.owned_blocks);
    yoke_queue_close(queue);
}

static yoke_slot inherited;

static int use_the_parents_slot(void *user)
{
    CHILD_CHECK(yoke_queue_commit(user, &inherited, 1) == YOKE_EINVAL);
    yoke_queue_abort(user, &inherited);
    return 0;
}

static void test_a_forked_child_has_no_part_in_its_parents_slots(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);

    (void)state;
    assert_int_equal(yoke_queue_reserve(queue, &inherited, 8, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(child_join(child_start(use_the_parents_slot, queue)), 0);
    memcpy(inherited.data, "parent's", 8);
    assert_int_equal(yoke_queue_commit(queue, &inherited, 8), YOKE_OK);
    expect_text(queue, "parent's");
    yoke_queue_close(queue);
}

static void test_closing_the_handle_aborts_what_was_reserved_through_it(void **state)
{
    yoke__alloc_stats before = heap_stats();
    yoke_queue       *queue = new_queue(.max_items = 4, .name = "slots");
    yoke_queue       *other;
    yoke_slot         mine;
    yoke_slot         slots[3];

    (void)state;
    assert_int_equal(yoke_queue_open(&other, NULL, "slots"), YOKE_OK);
    assert_int_equal(yoke_queue_reserve(queue, &mine, 100, YOKE_NOWAIT), YOKE_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(yoke_queue_reserve(other, &slots[i], 100, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_commit(other, &slots[0], 3), YOKE_OK);
    yoke_queue_abort(other, &slots[1]);
    assert_int_equal(yoke_queue_reserve(other, &slots[1], 100, YOKE_NOWAIT), YOKE_OK);
    assert_true(yoke_queue_full(queue));
    yoke_queue_close(other); /* with two open */
    assert_int_equal(yoke_queue_commit(queue, &slots[2], 3), YOKE_EINVAL);
    assert_int_equal(yoke_queue_put_string(queue, "x", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(queue, "x", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(queue, "x", YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_queue_commit(queue, &mine, 3), YOKE_OK);
    assert_int_equal(yoke_queue_size(queue), 4);
    yoke_queue_close(queue);
    assert_int_equal(heap_stats().owned_blocks, before.owned_blocks);
}

/* As between the allocation of a block and its first byte: what a freed reservation left there is none. */
static void test_old_bytes_in_fresh_memory_are_no_reservation(void **state)
{
    yoke_queue          *queue = new_queue(.max_items = 10);
    yoke_domain         *domain = ((yoke__handle *)(void *)queue)->domain;
    yoke__id             id = ((yoke__handle *)(void *)queue)->id;
    yoke__message_block *old;
    yoke__message_block  was;
    yoke_slot            slot;
    void                *fresh;

    (void)state;
    assert_int_equal(yoke_queue_reserve(queue, &slot, 32, YOKE_NOWAIT), YOKE_OK);
    old = (yoke__message_block *)slot.data - 1;
    memcpy(&was, old, sizeof was);
    yoke_queue_abort(queue, &slot);
    fresh = yoke__alloc(domain, sizeof was + 32, id);
    assert_ptr_equal(fresh, old);
    memcpy(fresh, &was, sizeof was); /* now it is as a reservation that was freed in the midst of things */
    yoke__free(domain, fresh);
    fresh = yoke__alloc(domain, sizeof was + 32, id);
    assert_ptr_equal(fresh, old);
    yoke_queue_close(queue);
    assert_int_not_equal(yoke__alloc_size(domain, fresh), 0);
    yoke__free(domain, fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_into_a_slot_is_the_message),
        cmocka_unit_test(test_an_open_slot_holds_nobody_up),
        cmocka_unit_test(test_a_slot_of_megabytes_is_committed_at_any_length),
        cmocka_unit_test(test_an_aborted_slot_was_never_there),
        cmocka_unit_test(test_reservations_count_towards_the_limits),
        cmocka_unit_test(test_a_slot_is_committed_once_and_where_it_was_reserved),
        cmocka_unit_test(test_a_commit_after_the_shutdown_fails_and_leaves_the_slot),
        cmocka_unit_test(test_a_forked_child_has_no_part_in_its_parents_slots),
        cmocka_unit_test(test_closing_the_handle_aborts_what_was_reserved_through_it),
        cmocka_unit_test(test_old_bytes_in_fresh_memory_are_no_reservation),
    };
    return cmocka_run_group_tests_name("queue, reserve", tests, queues_setup, leak_teardown);
}
