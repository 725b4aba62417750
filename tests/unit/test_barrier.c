/* The barrier's calls and their errors, within one process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "core/domain/allocator.h"
#include "core/sync/barrier.h"
#include "support/shared.h"

#include <yoke/yoke.h>

static bool error_says(const char *text)
{
    return strstr(yoke_last_error()->text, text) != NULL;
}

static int act(void *user)
{
    ++*(int *)user;
    return 0;
}

static void test_bad_handles_and_arguments_are_errors(void **state)
{
    yoke_barrier *barrier = NULL;
    int64_t       index = 5;
    int           count = 0;

    (void)state;
    assert_int_equal(yoke_barrier_create(&barrier, 0, NULL), YOKE_EINVAL);
    assert_true(error_says("0 parties"));
    assert_int_equal(yoke_barrier_create(&barrier, -3, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_create(&barrier, INT64_MAX, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_create(&barrier, (INT64_C(1) << 32) + 1, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_create(NULL, 2, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_create(&barrier, 2, &(yoke_barrier_options){.struct_size = 1}), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_open(&barrier, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_open(&barrier, NULL, "no-such-barrier"), YOKE_ENOENT);
    assert_null(barrier);
    assert_int_equal(yoke_barrier_create(&barrier, 2, NULL), YOKE_OK);
    assert_int_equal(yoke_barrier_set_action(barrier, act, &count), YOKE_EINVAL);
    yoke_barrier_close(NULL);
    yoke_barrier_close(barrier);
    assert_int_equal(yoke_barrier_wait(barrier, YOKE_FOREVER, &index), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_join(barrier), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_leave(barrier), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_abort(barrier), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_reset(NULL), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_parties(barrier), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_waiting(barrier), YOKE_EINVAL);
    assert_false(yoke_barrier_broken(barrier));
    assert_int_equal(index, 5);
}

static void test_a_named_barrier_is_found_and_its_options_compared(void **state)
{
    yoke_barrier *barrier, *same, *none = NULL;
    int           count = 0;

    (void)state;
    assert_int_equal(yoke_barrier_create(&barrier, 3, YOKE_OPTIONS(yoke_barrier_options, .name = "start")), YOKE_OK);
    assert_int_equal(yoke_barrier_parties(barrier), 3);
    assert_int_equal(yoke_barrier_create(&none, 3, YOKE_OPTIONS(yoke_barrier_options, .name = "start")), YOKE_EEXIST);
    assert_int_equal(
        yoke_barrier_create(&none, 4, YOKE_OPTIONS(yoke_barrier_options, .name = "start", .mode = YOKE_OPEN)),
        YOKE_EINVAL);
    assert_true(error_says("3 parties") && error_says("4"));
    assert_int_equal(yoke_barrier_create(&none, 3,
                                         YOKE_OPTIONS(yoke_barrier_options, .name = "start", .mode = YOKE_OPEN,
                                                      .action = act, .user = &count)),
                     YOKE_EINVAL);
    assert_true(error_says("without an action"));
    assert_int_equal(yoke_barrier_open(&same, NULL, "start"), YOKE_OK);
    assert_int_equal(yoke_barrier_parties(same), 3);
    assert_null(none);
    yoke_barrier_close(same);
    yoke_barrier_close(barrier);
}

static void test_a_handle_without_the_action_has_to_be_given_it(void **state)
{
    yoke_barrier *barrier, *same;
    int           count = 0, other = 0;

    (void)state;
    assert_int_equal(
        yoke_barrier_create(&barrier, 1,
                            YOKE_OPTIONS(yoke_barrier_options, .name = "acting", .action = act, .user = &count)),
        YOKE_OK);
    assert_int_equal(yoke_barrier_open(&same, NULL, "acting"), YOKE_OK);
    assert_int_equal(yoke_barrier_wait(same, YOKE_FOREVER, NULL), YOKE_EINVAL);
    assert_true(error_says("set_action"));
    assert_int_equal(yoke_barrier_waiting(same), 0);
    assert_int_equal(yoke_barrier_set_action(same, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_set_action(same, act, &other), YOKE_OK);
    assert_int_equal(yoke_barrier_wait(same, YOKE_FOREVER, NULL), YOKE_OK);
    assert_int_equal(yoke_barrier_wait(barrier, YOKE_FOREVER, NULL), YOKE_OK);
    assert_int_equal(count, 1);
    assert_int_equal(other, 1);
    yoke_barrier_close(same);
    yoke_barrier_close(barrier);
}

static void *wait_in_thread(void *user)
{
    return (void *)(intptr_t)yoke_barrier_wait(user, YOKE_FOREVER, NULL);
}

/* One may be in the next round while another is still about to leave the last: records are used again, not piled up. */
static void test_many_rounds_need_no_more_memory_than_a_few(void **state)
{
    yoke__alloc_stats before, after;
    yoke_barrier     *barrier;
    pthread_t         thread;
    void             *result;

    (void)state;
    assert_int_equal(yoke__alloc_check(shared_domain(), &before), YOKE_OK);
    assert_int_equal(yoke_barrier_create(&barrier, 2, NULL), YOKE_OK);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(pthread_create(&thread, NULL, wait_in_thread, barrier), 0);
        assert_int_equal(yoke_barrier_wait(barrier, YOKE_FOREVER, NULL), YOKE_OK);
        assert_int_equal(pthread_join(thread, &result), 0);
        assert_int_equal((int)(intptr_t)result, YOKE_OK);
    }
    assert_int_equal(yoke__alloc_check(shared_domain(), &after), YOKE_OK);
    assert_in_range(after.object_blocks - before.object_blocks, 3, 4);
    yoke_barrier_close(barrier);
    assert_int_equal(yoke__alloc_check(shared_domain(), &after), YOKE_OK);
    assert_int_equal(after.object_blocks + after.token_blocks, before.object_blocks + before.token_blocks);
}

static void test_who_comes_alone_and_does_not_wait_breaks_it(void **state)
{
    yoke_barrier *barrier;

    (void)state;
    assert_int_equal(yoke_barrier_create(&barrier, 2, NULL), YOKE_OK);
    assert_int_equal(yoke_barrier_wait(barrier, YOKE_NOWAIT, NULL), YOKE_ETIMEDOUT);
    assert_true(error_says("1 of 2"));
    assert_true(yoke_barrier_broken(barrier));
    assert_int_equal(yoke_barrier_reset(barrier), YOKE_OK);
    assert_false(yoke_barrier_broken(barrier));
    yoke_barrier_close(barrier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_handles_and_arguments_are_errors),
        cmocka_unit_test(test_a_named_barrier_is_found_and_its_options_compared),
        cmocka_unit_test(test_a_handle_without_the_action_has_to_be_given_it),
        cmocka_unit_test(test_many_rounds_need_no_more_memory_than_a_few),
        cmocka_unit_test(test_who_comes_alone_and_does_not_wait_breaks_it),
    };
    return cmocka_run_group_tests_name("barrier", tests, shared_setup, shared_teardown);
}
