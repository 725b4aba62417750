/* Who watches is noted in one word, told of one change, and only if it still wants to know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "core/backend.h"
#include "core/domain/participant.h"
#include "core/queue/queue.h"
#include "core/wait/seat.h"
#include "core/wait/watchable.h"
#include "core/wait/watchers.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

static yoke__a64 *word;

static yoke__seat *new_seat(void)
{
    yoke__seat *seat = NULL;

    assert_int_equal(yoke__seat_open(&seat, shared_domain()), YOKE_OK);
    return seat;
}

static bool rung(const yoke__seat *seat)
{
    return yoke__backend()->waiting->bell_wait(seat->bell.native, 0) == YOKE_OK;
}

static int set_up(void **state)
{
    (void)state;
    word = shared_alloc(sizeof *word);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    shared_free(word);
    return 0;
}

static void test_arming_sets_the_bit_of_the_record(void **state)
{
    (void)state;
    yoke__watchers_arm(word, 3);
    yoke__watchers_arm(word, 64 + 5);
    yoke__watchers_arm(word, 3);
    assert_true(yoke__a64_load_relaxed(word) == (UINT64_C(1) << 3 | UINT64_C(1) << 5));
    yoke__watchers_ring(shared_domain(), word); /* of records that nobody has */
    assert_true(yoke__a64_load_relaxed(word) == 0);
}

static void test_one_change_is_told_once(void **state)
{
    yoke__seat *seat = new_seat();
    (void)state;

    yoke__watchers_ring(shared_domain(), word);
    assert_false(rung(seat));
    yoke__watchers_arm(word, seat->bell.thread);
    yoke__watchers_ring(shared_domain(), word);
    yoke__watchers_ring(shared_domain(), word);
    assert_true(rung(seat));
    assert_false(rung(seat));
    yoke__watchers_arm(word, seat->bell.thread);
    yoke__watchers_ring(shared_domain(), word);
    assert_true(rung(seat));
    yoke__seat_close(seat);
}

static void test_all_of_a_bucket_are_told(void **state)
{
    enum { COUNT = 70 }; /* so at least two share a bit */
    yoke__seat *seats[COUNT];
    (void)state;

    for (int i = 0; i < COUNT; i++) {
        seats[i] = new_seat();
        yoke__watchers_arm(word, seats[i]->bell.thread);
    }
    yoke__watchers_ring(shared_domain(), word);
    for (int i = 0; i < COUNT; i++) {
        assert_true(rung(seats[i]));
        yoke__seat_close(seats[i]);
    }
}

static void test_who_does_not_watch_any_more_is_not_rung(void **state)
{
    yoke__seat *seat = new_seat();
    (void)state;

    yoke__watchers_arm(word, seat->bell.thread);
    yoke__a32_store_release(&yoke__seat_record(seat)->watches, 0);
    yoke__watchers_ring(shared_domain(), word);
    assert_false(rung(seat));
    yoke__seat_close(seat);
}

static void test_a_closed_seat_leaves_nothing(void **state)
{
    int         before = leak_descriptors();
    yoke__seat *seat = new_seat();
    uint32_t    index = seat->bell.thread;
    (void)state;

    assert_int_equal(yoke__a32_load_relaxed(&shared_domain()->layout->threads[index].watches), 1);
    yoke__seat_close(seat);
    assert_int_equal(yoke__a32_load_relaxed(&shared_domain()->layout->threads[index].watches), 0);
    assert_int_equal(yoke__a32_load_relaxed(&shared_domain()->layout->threads[index].owner), 0);
    assert_false(yoke__bell_ring(shared_domain(), index));
    assert_int_equal(leak_descriptors(), before);
}

/* Two seats of one thread besides its own. */
static void test_a_seat_of_no_thread_is_not_the_callers(void **state)
{
    yoke__seat *a = new_seat(), *b = new_seat(), *mine = yoke__seat_mine(shared_domain());
    (void)state;

    assert_non_null(mine);
    assert_ptr_not_equal(a, b);
    assert_ptr_not_equal(a, mine);
    assert_ptr_not_equal(b, mine);
    assert_int_not_equal(a->bell.thread, b->bell.thread);
    yoke__seat_close(a);
    yoke__seat_close(b);
}

static void test_leaving_the_domain_leaves_the_bell_to_its_seat(void **state)
{
    int         before = leak_descriptors();
    yoke__seat *seat = new_seat();
    (void)state;

    yoke__threads_leave(shared_domain());
    assert_null(seat->bell.domain);
    assert_true(seat->bell.native != YOKE_NO_NATIVE);
    assert_false(rung(seat));
    yoke__seat_close(seat);
    assert_true(leak_descriptors() <= before); /* what the thread had is gone too */
}

static int watch_and_die(void *user)
{
    (void)user;
    yoke__watchers_arm(word, new_seat()->bell.thread);
    _Exit(0);
}

static void test_the_bit_of_the_dead_goes_with_the_next_change(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(watch_and_die, NULL)), 0);
    assert_true(yoke__a64_load_relaxed(word) != 0);
    yoke__watchers_ring(shared_domain(), word);
    assert_true(yoke__a64_load_relaxed(word) == 0);
    assert_int_equal(yoke__domain_recover(shared_domain()), 1);
    for (uint32_t i = 0; i < YOKE__THREADS; i++)
        if (yoke__a32_load_relaxed(&shared_domain()->layout->threads[i].owner) == 0)
            assert_int_equal(yoke__a32_load_relaxed(&shared_domain()->layout->threads[i].watches), 0);
}

static int seat_of_the_parent(void *user)
{
    yoke__seat *seat = user;

    CHILD_CHECK(seat->bell.domain == NULL && seat->inherited);
    CHILD_CHECK(seat->bell.native != YOKE_NO_NATIVE); /* a loop may have its number */
    yoke__seat_close(seat);
    return 0;
}

static void test_a_forked_child_has_no_part_in_a_seat(void **state)
{
    yoke__seat *seat = new_seat();
    (void)state;

    assert_int_equal(child_join(child_start(seat_of_the_parent, seat)), 0);
    yoke__watchers_arm(word, seat->bell.thread);
    yoke__watchers_ring(shared_domain(), word);
    assert_true(rung(seat));
    yoke__seat_close(seat);
}

/* ---- what can be waited for ------------------------------------------------------------------------------------------ */

static void test_handles_are_checked_by_what_they_can_do(void **state)
{
    yoke_queue *queue;
    (void)state;

    assert_int_equal(yoke_queue_create(&queue, NULL), YOKE_OK);
    assert_ptr_equal(yoke__watchable_check(queue, YOKE__KIND_QUEUE, YOKE__READABLE), &yoke__queue_watchable);
    assert_null(yoke__watchable_check(queue, YOKE__KIND_QUEUE, YOKE__ENDED));
    assert_null(yoke__watchable_check(queue, YOKE__KIND_PROCESS, YOKE__ENDED));
    assert_null(yoke__watchable_check(NULL, YOKE__KIND_QUEUE, YOKE__READABLE));
    assert_null(yoke__watchable_of(YOKE__KIND_DOMAIN));
    yoke_queue_close(queue);
    assert_null(yoke__watchable_check(queue, YOKE__KIND_QUEUE, YOKE__READABLE));
}

static int ready(yoke_queue *queue, yoke__what what)
{
    int status = 1;

    return yoke__queue_watchable.ready(&queue->handle, what, &status) ? status : 1;
}

static void test_a_queue_says_what_stands(void **state)
{
    yoke_queue *queue;
    char        bytes[4];
    (void)state;

    assert_int_equal(
        yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .max_items = 2, .max_bytes = sizeof bytes)),
        YOKE_OK);
    assert_int_equal(ready(queue, YOKE__READABLE), 1);
    assert_int_equal(ready(queue, YOKE__WRITABLE), YOKE_OK);
    assert_int_equal(yoke_queue_put(queue, "1234", 4, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(ready(queue, YOKE__READABLE), YOKE_OK);
    assert_int_equal(ready(queue, YOKE__WRITABLE), 1);
    assert_int_equal(yoke_queue_shutdown(queue, YOKE_DRAIN), 0);
    assert_int_equal(ready(queue, YOKE__READABLE), YOKE_OK);
    assert_int_equal(ready(queue, YOKE__WRITABLE), YOKE_ESHUTDOWN);
    assert_int_equal(yoke_queue_get(queue, bytes, sizeof bytes, NULL, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(ready(queue, YOKE__READABLE), YOKE_ESHUTDOWN);
    yoke_queue_close(queue);
}

static int setup(void **state)
{
    yoke__bell *bell;

    if (yoke__bell_mine(shared_domain(), &bell) != YOKE_OK || !yoke__bell_ring(shared_domain(), bell->thread))
        return -1;
    return shared_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_arming_sets_the_bit_of_the_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_change_is_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_of_a_bucket_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_does_not_watch_any_more_is_not_rung, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_closed_seat_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_seat_of_no_thread_is_not_the_callers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_leaving_the_domain_leaves_the_bell_to_its_seat, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_bit_of_the_dead_goes_with_the_next_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_forked_child_has_no_part_in_a_seat, set_up, tear_down),
        cmocka_unit_test(test_handles_are_checked_by_what_they_can_do),
        cmocka_unit_test(test_a_queue_says_what_stands),
    };
    return cmocka_run_group_tests_name("watchers", tests, setup, shared_teardown);
}
