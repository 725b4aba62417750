/* Deadlines: time-outs of the API against the backend's clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/backend.h"
#include "core/wait/deadline.h"

#include <yoke/error.h>

static void test_no_wait_is_past_from_the_start(void **state)
{
    (void)state;
    assert_true(yoke__deadline_past(yoke__deadline_after(YOKE_NOWAIT)));
    assert_true(yoke__deadline_past(yoke__deadline_after(-1)));
    assert_true(yoke__deadline_past(yoke__deadline_after(INT64_MIN)));
    assert_int_equal(yoke__deadline_left(yoke__deadline_after(YOKE_NOWAIT), 100), 0);
}

static void test_forever_never_comes(void **state)
{
    (void)state;
    assert_true(yoke__deadline_after(YOKE_FOREVER) == INT64_MAX);
    assert_false(yoke__deadline_past(yoke__deadline_after(YOKE_FOREVER)));
    assert_int_equal(yoke__deadline_left(yoke__deadline_after(YOKE_FOREVER), 123), 123);
}

static void test_time_outs_that_overflow_the_clock_mean_forever(void **state)
{
    static const int64_t long_ones[] = {INT64_MAX - 1, INT64_MAX / 2, INT64_MAX / 1000000 + 1, INT64_MAX / 1000000};

    (void)state;
    for (size_t i = 0; i < sizeof long_ones / sizeof long_ones[0]; i++)
        assert_true(yoke__deadline_after(long_ones[i]) == INT64_MAX);
}

static void test_a_deadline_is_that_far_in_the_future(void **state)
{
    int64_t        before = yoke__backend()->system->now();
    yoke__deadline deadline = yoke__deadline_after(60000);
    int64_t        after = yoke__backend()->system->now();

    (void)state;
    assert_true(deadline >= before + INT64_C(60000000000));
    assert_true(deadline <= after + INT64_C(60000000000));
    assert_false(yoke__deadline_past(deadline));
    int64_t left = yoke__deadline_left(deadline, INT64_MAX);
    assert_true(left > INT64_C(50000000000) && left <= INT64_C(60000000000));
    assert_int_equal(yoke__deadline_left(deadline, 1000), 1000);
}

static void test_a_deadline_passes_and_leaves_nothing(void **state)
{
    yoke__deadline deadline = yoke__deadline_after(1);

    (void)state;
    while (!yoke__deadline_past(deadline))
        assert_true(yoke__deadline_left(deadline, INT64_MAX) <= 1000000);
    assert_int_equal(yoke__deadline_left(deadline, INT64_MAX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_wait_is_past_from_the_start),
        cmocka_unit_test(test_forever_never_comes),
        cmocka_unit_test(test_time_outs_that_overflow_the_clock_mean_forever),
        cmocka_unit_test(test_a_deadline_is_that_far_in_the_future),
        cmocka_unit_test(test_a_deadline_passes_and_leaves_nothing),
    };
    return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}
