/* Values and elements changed at once: every type, ranges, floating numbers, structures, without and with a lock. */
#include "support/child.h"
#include "support/leak.h"

#include <yoke/domain.h>
#include <yoke/memory.h>
#include <yoke/process.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

struct account {
    int64_t a, b, total;
};

static void assert_noted(int code, const char *sentence)
{
    assert_int_equal(yoke_last_error()->code, code);
    if (!strstr(yoke_last_error()->text, sentence))
        fail_msg("'%s' does not say '%s'", yoke_last_error()->text, sentence);
}

/* first OP x is after, told before; of a value and of an element. */
#define UPDATES(T, OP, first, x, after)                                                                                \
    for (int unlocked = 0; unlocked < 2; unlocked++) {                                                                 \
        const yoke_value_options *options = YOKE_OPTIONS(yoke_value_options, .unlocked = unlocked != 0);               \
        const T                   initial[3] = {(first), (first), (first)};                                            \
        yoke_value               *value;                                                                               \
        yoke_array               *array;                                                                               \
        T                         told = 0, now = 0;                                                                   \
        assert_int_equal(YOKE_VALUE_CREATE(&value, T, first, options), YOKE_OK);                                       \
        assert_int_equal(YOKE_ARRAY_CREATE(&array, T, 3, initial, options), YOKE_OK);                                  \
        assert_int_equal(YOKE_VALUE_##OP(value, T, x, &told), YOKE_OK);                                                \
        assert_memory_equal(&told, &initial[0], sizeof(T));                                                            \
        assert_int_equal(YOKE_VALUE_LOAD(value, T, &now), YOKE_OK);                                                    \
        assert_true(now == (T)(after));                                                                                \
        assert_int_equal(YOKE_ARRAY_##OP(array, T, 1, x, NULL), YOKE_OK);                                              \
        assert_int_equal(YOKE_ARRAY_GET(array, T, 1, &now), YOKE_OK);                                                  \
        assert_true(now == (T)(after));                                                                                \
        assert_memory_equal(YOKE_ARRAY_AT(array, T, 0), &initial[0], sizeof(T));                                       \
        assert_memory_equal(YOKE_ARRAY_AT(array, T, 2), &initial[0], sizeof(T));                                       \
        yoke_value_close(value);                                                                                       \
        yoke_array_close(array);                                                                                       \
    }

#define INTEGER(T, low, high)                                                                                          \
    UPDATES(T, EXCHANGE, 1, 2, 2)                                                                                      \
    UPDATES(T, FETCH_ADD, (high)-3, 3, high)                                                                           \
    UPDATES(T, FETCH_SUB, (low) + 3, 3, low)                                                                           \
    UPDATES(T, FETCH_AND, 6, 3, 2)                                                                                     \
    UPDATES(T, FETCH_OR, 6, 3, 7)                                                                                      \
    UPDATES(T, FETCH_XOR, 6, 3, 5)                                                                                     \
    UPDATES(T, FETCH_MIN, 6, low, low)                                                                                 \
    UPDATES(T, FETCH_MIN, low, 6, low)                                                                                 \
    UPDATES(T, FETCH_MAX, 6, low, 6)                                                                                   \
    UPDATES(T, FETCH_MAX, 6, high, high)

static void every_integer_type_can_be_updated(void **state)
{
    (void)state;
    INTEGER(signed char, INT8_MIN, INT8_MAX)
    INTEGER(unsigned char, 0, UINT8_MAX)
    INTEGER(short, INT16_MIN, INT16_MAX)
    INTEGER(unsigned short, 0, UINT16_MAX)
    INTEGER(int, INT32_MIN, INT32_MAX)
    INTEGER(unsigned, 0, UINT32_MAX)
}

static void every_wide_integer_type_can_be_updated(void **state)
{
    (void)state;
    INTEGER(int64_t, INT64_MIN, INT64_MAX)
    INTEGER(uint64_t, 0, UINT64_MAX)
    INTEGER(long long, INT64_MIN, INT64_MAX)
    INTEGER(char, 0, 100)
    INTEGER(long, -5, 100)
    INTEGER(size_t, 0, 100)
}

/* Compared by order, since warnings forbid equality. */
static void floats_and_doubles_can_be_updated(void **state)
{
    (void)state;
    yoke_value *d, *f;
    double      before = 0, now = 0;
    float       small = 0;
    assert_int_equal(YOKE_VALUE_CREATE(&d, double, 1.5, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_CREATE(&f, float, 1.5f, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_FETCH_ADD(d, double, 0.25, &before), YOKE_OK);
    assert_true(before > 1.4 && before < 1.6);
    assert_int_equal(YOKE_VALUE_FETCH_SUB(d, double, 1, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_LOAD(d, double, &now), YOKE_OK);
    assert_true(now > 0.74 && now < 0.76);
    assert_int_equal(YOKE_VALUE_FETCH_MAX(d, double, 9, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_FETCH_MIN(d, double, 7, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_FETCH_MIN(d, double, (double)NAN, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_EXCHANGE(d, double, (double)NAN, &now), YOKE_OK);
    assert_true(now > 6.9 && now < 7.1);
    assert_int_equal(YOKE_VALUE_FETCH_MAX(d, double, -3, NULL), YOKE_OK); /* any number wins over none */
    assert_int_equal(YOKE_VALUE_LOAD(d, double, &now), YOKE_OK);
    assert_true(now < -2.9);
    assert_int_equal(YOKE_VALUE_FETCH_ADD(f, float, 0.25f, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_LOAD(f, float, &small), YOKE_OK);
    assert_true(small > 1.74f && small < 1.76f);
    assert_int_equal(YOKE_VALUE_FETCH_AND(f, float, 1, NULL), YOKE_ETYPE);
    assert_noted(YOKE_ETYPE, "only integers and bools have bits");
    yoke_value_close(d);
    yoke_value_close(f);
}

static void bools_have_bits_but_no_sum(void **state)
{
    (void)state;
    yoke_value *value;
    bool        before = false;
    assert_int_equal(YOKE_VALUE_CREATE(&value, bool, true, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_FETCH_XOR(value, bool, true, &before), YOKE_OK);
    assert_true(before && !*YOKE_VALUE(value, bool));
    assert_int_equal(YOKE_VALUE_FETCH_OR(value, bool, 4, &before), YOKE_OK); /* 4 as a bool is true */
    assert_true(!before && *YOKE_VALUE(value, bool));
    assert_int_equal(YOKE_VALUE_FETCH_AND(value, bool, false, NULL), YOKE_OK);
    assert_false(*YOKE_VALUE(value, bool));
    assert_int_equal(YOKE_VALUE_FETCH_ADD(value, bool, true, NULL), YOKE_ETYPE);
    assert_int_equal(YOKE_VALUE_FETCH_MAX(value, bool, true, NULL), YOKE_ETYPE);
    assert_noted(YOKE_ETYPE, "only numbers can be added or compared");
    yoke_value_close(value);
}

#define OVERFLOWS(T, OP, first, x)                                                                                     \
    {                                                                                                                  \
        yoke_value *value;                                                                                             \
        T           before = 9;                                                                                        \
        assert_int_equal(YOKE_VALUE_CREATE(&value, T, first, NULL), YOKE_OK);                                          \
        assert_int_equal(YOKE_VALUE_##OP(value, T, x, &before), YOKE_ERANGE);                                          \
        assert_true(*YOKE_VALUE(value, T) == (first) && before == 9);                                                  \
        yoke_value_close(value);                                                                                       \
    }

static void a_sum_that_does_not_fit_changes_nothing(void **state)
{
    (void)state;
    OVERFLOWS(signed char, FETCH_ADD, 127, 1)
    assert_noted(YOKE_ERANGE, "127 + 1 doesn't fit 1 bytes");
    OVERFLOWS(signed char, FETCH_SUB, -128, 1)
    OVERFLOWS(unsigned char, FETCH_ADD, 200, 56)
    OVERFLOWS(unsigned short, FETCH_SUB, 2, 3)
    assert_noted(YOKE_ERANGE, "2 - 3 doesn't fit 2 bytes without sign");
    OVERFLOWS(int, FETCH_ADD, INT32_MAX, 1)
    OVERFLOWS(int, FETCH_SUB, 0, INT32_MIN)
    OVERFLOWS(int64_t, FETCH_ADD, INT64_MIN, -1)
    OVERFLOWS(int64_t, FETCH_SUB, 1, INT64_MIN)
    OVERFLOWS(uint64_t, FETCH_ADD, UINT64_MAX, 1)
    OVERFLOWS(uint64_t, FETCH_SUB, 0, 1)
}

static void compare_exchange_sets_what_was_expected_only(void **state)
{
    (void)state;
    for (int unlocked = 0; unlocked < 2; unlocked++) {
        const yoke_value_options *options = YOKE_OPTIONS(yoke_value_options, .unlocked = unlocked != 0);
        yoke_value               *value;
        yoke_array               *array;
        int                       expected = 4;
        assert_int_equal(YOKE_VALUE_CREATE(&value, int, 5, options), YOKE_OK);
        assert_int_equal(YOKE_VALUE_COMPARE_EXCHANGE(value, int, &expected, 6), YOKE_EBUSY);
        assert_int_equal(expected, 5);
        assert_int_equal(YOKE_VALUE_COMPARE_EXCHANGE(value, int, &expected, 6), YOKE_OK);
        assert_int_equal(expected, 5);
        assert_int_equal(*YOKE_VALUE(value, int), 6);
        assert_int_equal(YOKE_ARRAY_CREATE(&array, int, 2, NULL, options), YOKE_OK);
        expected = 0;
        assert_int_equal(YOKE_ARRAY_COMPARE_EXCHANGE(array, int, 1, &expected, 6), YOKE_OK);
        assert_int_equal(YOKE_ARRAY_COMPARE_EXCHANGE(array, int, 1, &expected, 7), YOKE_EBUSY);
        assert_int_equal(expected, 6);
        assert_int_equal(YOKE_ARRAY_COMPARE_EXCHANGE(array, int, 2, &expected, 7), YOKE_ERANGE);
        yoke_value_close(value);
        yoke_array_close(array);
    }
}

static void structures_change_under_their_lock(void **state)
{
    (void)state;
    const struct account first = {1, 2, 3}, second = {4, 5, 9};
    struct account       seen = {0}, expected = second;
    long double          wide = 0;
    yoke_value          *value, *precise, *bare;
    assert_int_equal(YOKE_VALUE_CREATE(&value, struct account, first, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_EXCHANGE(value, struct account, second, &seen), YOKE_OK);
    assert_memory_equal(&seen, &first, sizeof seen);
    assert_int_equal(YOKE_VALUE_COMPARE_EXCHANGE(value, struct account, &expected, first), YOKE_OK);
    assert_int_equal(YOKE_VALUE_COMPARE_EXCHANGE(value, struct account, &expected, first), YOKE_EBUSY);
    assert_memory_equal(&expected, &first, sizeof expected);
    assert_int_equal(YOKE_VALUE_STORE(value, struct account, second), YOKE_OK);
    assert_int_equal(YOKE_VALUE_LOAD(value, struct account, &seen), YOKE_OK);
    assert_int_equal(seen.total, 9);
    assert_int_equal(YOKE_VALUE_FETCH_ADD(value, struct account, second, NULL), YOKE_ETYPE);
    assert_int_equal(YOKE_VALUE_CREATE(&precise, long double, 1.5L, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_STORE(precise, long double, 2.5L), YOKE_OK);
    assert_int_equal(YOKE_VALUE_LOAD(precise, long double, &wide), YOKE_OK);
    assert_true(wide > 2.4L && wide < 2.6L);
    assert_int_equal(YOKE_VALUE_CREATE(&bare, struct account, 0, YOKE_OPTIONS(yoke_value_options, .unlocked = true)),
                     YOKE_OK);
    assert_int_equal(YOKE_VALUE_STORE(bare, struct account, second), YOKE_ENOTSUP);
    assert_noted(YOKE_ENOTSUP, "24 bytes can't be changed at once without a lock");
    yoke_value_close(value);
    yoke_value_close(precise);
    yoke_value_close(bare);
}

static void elements_are_copied_in_and_out_within_bounds(void **state)
{
    (void)state;
    yoke_array *array;
    short       in[4] = {1, 2, 3, 4}, out[4] = {9, 9, 9, 9};
    assert_int_equal(YOKE_ARRAY_CREATE(&array, short, 5, NULL, NULL), YOKE_OK);
    assert_int_equal(YOKE_ARRAY_WRITE(array, short, 1, 4, in), YOKE_OK);
    assert_int_equal(YOKE_ARRAY_READ(array, short, 2, 3, out), YOKE_OK);
    assert_true(out[0] == 2 && out[2] == 4 && out[3] == 9);
    assert_int_equal(YOKE_ARRAY_READ(array, short, 2, 4, out), YOKE_ERANGE);
    assert_noted(YOKE_ERANGE, "4 elements from index 2 on in an array of 5");
    assert_int_equal(YOKE_ARRAY_READ(array, short, SIZE_MAX, 2, out), YOKE_ERANGE);
    assert_int_equal(YOKE_ARRAY_WRITE(array, short, 5, 0, NULL), YOKE_OK);
    assert_int_equal(YOKE_ARRAY_WRITE(array, short, 0, SIZE_MAX, in), YOKE_ERANGE);
    assert_int_equal(YOKE_ARRAY_WRITE(array, short, 0, 1, NULL), YOKE_EINVAL);
    assert_int_equal(YOKE_ARRAY_READ(array, int, 0, 1, NULL), YOKE_ETYPE);
    yoke_array_close(array);
}

static void bad_calls_are_refused(void **state)
{
    (void)state;
    yoke_value *value;
    yoke_array *array;
    int         n = 1;
    double      d = 0;
    assert_int_equal(YOKE_VALUE_CREATE(&value, int, 5, NULL), YOKE_OK);
    assert_int_equal(YOKE_ARRAY_CREATE(&array, int, 3, NULL, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_LOAD(value, double, &d), YOKE_ETYPE);
    assert_noted(YOKE_ETYPE, "the value holds a 32-bit integer of 4 bytes, not a double of 8 bytes");
    assert_int_equal(YOKE_VALUE_FETCH_ADD(value, unsigned, 1, NULL), YOKE_ETYPE);
    assert_int_equal(YOKE_VALUE_LOAD(value, int, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_value_update_(value, YOKE_TYPE_I32, 4, YOKE_UPDATE_ADD, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_value_update_(value, YOKE_TYPE_I32, 4, (yoke_update)77, &n, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_value_compare_exchange_(value, YOKE_TYPE_I32, 4, NULL, &n), YOKE_EINVAL);
    assert_int_equal(YOKE_ARRAY_GET(array, int, 3, &n), YOKE_ERANGE);
    assert_noted(YOKE_ERANGE, "index 3 in an array of 3");
    assert_int_equal(YOKE_ARRAY_SET(array, int, SIZE_MAX, 1), YOKE_ERANGE);
    yoke_value_close(value);
    yoke_array_close(array);
    assert_int_equal(YOKE_VALUE_STORE(value, int, 1), YOKE_EINVAL);
    assert_int_equal(YOKE_ARRAY_SET(array, int, 0, 1), YOKE_EINVAL);
}

static void what_a_domain_has_no_room_for_is_an_error(void **state)
{
    (void)state;
    yoke_domain        *domain;
    yoke_array         *array = NULL;
    yoke_domain_options options = {.struct_size = sizeof options, .max_bytes = 4 << 20};
    char                name[64];
    snprintf(name, sizeof name, "value-budget-%d", (int)yoke_process_pid(yoke_process_current()));
    assert_int_equal(yoke_domain_open(&domain, name, &options), YOKE_OK);
    const yoke_value_options *there = YOKE_OPTIONS(yoke_value_options, .domain = domain);
    assert_int_equal(YOKE_ARRAY_CREATE(&array, int, 2 << 20, NULL, there), YOKE_ENOMEM);
    assert_int_equal(YOKE_ARRAY_CREATE(&array, int, SIZE_MAX / 4, NULL, there), YOKE_ENOMEM);
    assert_null(array);
    assert_int_equal(YOKE_ARRAY_CREATE(&array, int, 1 << 18, NULL, there), YOKE_OK);
    yoke_array_close(array);
    yoke_domain_close(domain);
}

static int add_many(void *user)
{
    yoke_array *array = user;
    double      seen;
    for (int i = 0; i < 3000; i++) {
        CHILD_CHECK(YOKE_ARRAY_FETCH_ADD(array, double, 1, 1, NULL) == YOKE_OK);
        CHILD_CHECK(YOKE_ARRAY_GET(array, double, 1, &seen) == YOKE_OK);
        while (YOKE_ARRAY_COMPARE_EXCHANGE(array, double, 0, &seen, seen + 1) == YOKE_EBUSY) {}
    }
    return 0;
}

static void processes_that_update_lose_nothing(void **state)
{
    (void)state;
    for (int unlocked = 0; unlocked < 2; unlocked++) {
        yoke_array *array;
        pid_t       children[3];
        assert_int_equal(
            YOKE_ARRAY_CREATE(&array, double, 2, NULL, YOKE_OPTIONS(yoke_value_options, .unlocked = unlocked != 0)),
            YOKE_OK);
        for (int i = 0; i < 3; i++)
            children[i] = child_start(add_many, array);
        for (int i = 0; i < 3; i++)
            assert_int_equal(child_join(children[i]), 0);
        for (int i = 0; i < 2; i++)
            assert_true(YOKE_ARRAY(array, double)[i] > 8999.5 && YOKE_ARRAY(array, double)[i] < 9000.5);
        yoke_array_close(array);
    }
}

static int die_holding(void *user)
{
    CHILD_CHECK(yoke_lock_acquire(yoke_value_lock(user), YOKE_FOREVER) == YOKE_OK);
    return 0;
}

static void a_holders_death_is_told_with_what_was_done(void **state)
{
    (void)state;
    yoke_value *value;
    int         now = 0;
    if (getenv("YOKE_VALGRIND")) /* it has no pidfd_open: nobody could be known to be dead */
        skip();
    assert_int_equal(YOKE_VALUE_CREATE(&value, int, 5, NULL), YOKE_OK);
    assert_int_equal(child_join(child_start(die_holding, value)), 0);
    assert_int_equal(YOKE_VALUE_FETCH_ADD(value, int, 2, NULL), YOKE_OWNER_DIED);
    assert_int_equal(YOKE_VALUE_LOAD(value, int, &now), YOKE_OWNER_DIED);
    assert_int_equal(now, 7);
    yoke_value_close(value);
}

static int settle(void **state)
{
    yoke_value *value; /* the default domain lives as long as the process */
    (void)state;
    if (YOKE_VALUE_CREATE(&value, int, 0, NULL) < 0)
        return -1;
    yoke_value_close(value);
    return leak_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_integer_type_can_be_updated),
        cmocka_unit_test(every_wide_integer_type_can_be_updated),
        cmocka_unit_test(floats_and_doubles_can_be_updated),
        cmocka_unit_test(bools_have_bits_but_no_sum),
        cmocka_unit_test(a_sum_that_does_not_fit_changes_nothing),
        cmocka_unit_test(compare_exchange_sets_what_was_expected_only),
        cmocka_unit_test(structures_change_under_their_lock),
        cmocka_unit_test(elements_are_copied_in_and_out_within_bounds),
        cmocka_unit_test(bad_calls_are_refused),
        cmocka_unit_test(what_a_domain_has_no_room_for_is_an_error),
        cmocka_unit_test(processes_that_update_lose_nothing),
        cmocka_unit_test(a_holders_death_is_told_with_what_was_done),
    };
    return cmocka_run_group_tests(tests, settle, leak_teardown);
}
