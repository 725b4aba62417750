/* Single values: types, locks, adding, names. */
#include "support/child.h"
#include "support/leak.h"

#include <yoke/domain.h>
#include <yoke/memory.h>
#include <yoke/queue.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void a_value_holds_its_initial_value(void **state)
{
    (void)state;
    yoke_value *d, *i, *s, *b;
    assert_int_equal(YOKE_VALUE_CREATE(&d, double, 3.1415927, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_CREATE(&i, int, -7, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_CREATE(&s, struct account, 0, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_CREATE(&b, bool, true, NULL), YOKE_OK);
    assert_true(*YOKE_VALUE(d, double) > 3.14);
    assert_int_equal(*YOKE_VALUE(i, int), -7);
    assert_int_equal(YOKE_VALUE(s, struct account)->total, 0);
    assert_true(*YOKE_VALUE(b, bool));
    const struct account given = {1, 2, 3};
    yoke_value          *filled;
    assert_int_equal(YOKE_VALUE_CREATE(&filled, struct account, given, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE(filled, struct account)->total, 3);
    yoke_value_close(filled);
    assert_int_equal((uintptr_t)YOKE_VALUE(s, struct account) % 16, 0);
    *YOKE_VALUE(i, int) += 1;
    assert_int_equal(*YOKE_VALUE(i, int), -6);
    yoke_value_close(d);
    yoke_value_close(i);
    yoke_value_close(s);
    yoke_value_close(b);
}

static void another_type_or_size_is_refused_and_both_are_named(void **state)
{
    (void)state;
    yoke_value *i, *s;
    assert_int_equal(YOKE_VALUE_CREATE(&i, int, 0, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_CREATE(&s, struct account, 0, NULL), YOKE_OK);
    assert_null(YOKE_VALUE(i, double));
    assert_noted(YOKE_ETYPE, "the value holds a 32-bit integer of 4 bytes, not a double of 8 bytes");
    assert_null(YOKE_VALUE(i, unsigned));
    assert_null(YOKE_VALUE(i, float));
    assert_null(YOKE_VALUE(s, int));
    struct other {
        char bytes[10];
    };
    assert_null(YOKE_VALUE(s, struct other));
    assert_noted(YOKE_ETYPE, "structure of 24 bytes, not a structure of 10 bytes");
    yoke_value_close(i);
    yoke_value_close(s);
}

static void closed_and_wrong_handles_are_errors(void **state)
{
    (void)state;
    yoke_value *value;
    assert_int_equal(YOKE_VALUE_CREATE(&value, int, 0, NULL), YOKE_OK);
    assert_int_equal(yoke_array_count((const yoke_array *)(void *)value), 0);
    yoke_value_close(value);
    assert_null(YOKE_VALUE(value, int));
    assert_int_equal(yoke_last_error()->code, YOKE_EINVAL);
    assert_null(yoke_value_lock(value));
    assert_int_equal(yoke_value_add(value, 1, NULL), YOKE_EINVAL);
    assert_null(YOKE_VALUE((yoke_value *)NULL, int));
    yoke_value_close(NULL);
    assert_int_equal(YOKE_VALUE_CREATE((yoke_value **)NULL, int, 0, NULL), YOKE_EINVAL);
}

static void the_lock_is_one_for_all_handles(void **state)
{
    (void)state;
    yoke_value *first, *second;
    assert_int_equal(YOKE_VALUE_CREATE(&first, int, 0, YOKE_OPTIONS(yoke_value_options, .name = "value.lock")),
                     YOKE_OK);
    assert_int_equal(YOKE_VALUE_OPEN(&second, int, NULL, "value.lock"), YOKE_OK);
    assert_ptr_equal(yoke_value_lock(first), yoke_value_lock(first));
    assert_int_equal(yoke_lock_acquire(yoke_value_lock(first), YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_lock_acquire(yoke_value_lock(second), YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_lock_release(yoke_value_lock(first)), YOKE_OK);
    assert_int_equal(yoke_lock_acquire(yoke_value_lock(second), YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_lock_release(yoke_value_lock(second)), YOKE_OK);
    yoke_value_close(first);
    yoke_value_close(second);
}

static void an_unlocked_value_has_no_lock(void **state)
{
    (void)state;
    yoke_value *value;
    int64_t     now;
    assert_int_equal(YOKE_VALUE_CREATE(&value, int, 5, YOKE_OPTIONS(yoke_value_options, .unlocked = true)), YOKE_OK);
    assert_null(yoke_value_lock(value));
    assert_int_equal(yoke_last_error()->code, YOKE_ENOTSUP);
    assert_int_equal(yoke_value_add(value, 2, &now), YOKE_OK);
    assert_int_equal(now, 7);
    yoke_value_close(value);
}

#define ADDS(T, first, n, sum)                                                                                         \
    {                                                                                                                  \
        yoke_value *v;                                                                                                 \
        int64_t     now = 0;                                                                                           \
        assert_int_equal(YOKE_VALUE_CREATE(&v, T, first, NULL), YOKE_OK);                                              \
        assert_int_equal(yoke_value_add(v, n, &now), YOKE_OK);                                                         \
        assert_true(*YOKE_VALUE(v, T) == (T)(sum) && now == (int64_t)(sum));                                           \
        yoke_value_close(v);                                                                                           \
    }
#define OVERFLOWS(T, first, n)                                                                                         \
    {                                                                                                                  \
        yoke_value *v;                                                                                                 \
        int64_t     now = 99;                                                                                          \
        assert_int_equal(YOKE_VALUE_CREATE(&v, T, first, NULL), YOKE_OK);                                              \
        assert_int_equal(yoke_value_add(v, n, &now), YOKE_ERANGE);                                                     \
        assert_true(*YOKE_VALUE(v, T) == (T)(first) && now == 99);                                                     \
        yoke_value_close(v);                                                                                           \
    }

static void adding_keeps_to_the_range_of_the_type(void **state)
{
    (void)state;
    ADDS(int, 40, 2, 42)
    ADDS(int, INT_MAX - 1, 1, INT_MAX)
    ADDS(int, -5, -5, -10)
    ADDS(int8_t, 100, 27, 127)
    ADDS(uint8_t, 250, 5, 255)
    ADDS(int16_t, -32767, -1, INT16_MIN)
    ADDS(uint16_t, 3, -3, 0)
    ADDS(uint32_t, UINT32_MAX, -1, UINT32_MAX - 1)
    ADDS(int64_t, INT64_MIN, INT64_MAX, -1)
    ADDS(uint64_t, UINT64_MAX, INT64_MIN, (uint64_t)INT64_MAX)
    OVERFLOWS(int, INT_MAX, 1)
    OVERFLOWS(int, INT_MIN, -1)
    OVERFLOWS(int8_t, 127, 1)
    OVERFLOWS(int8_t, -128, INT64_MIN)
    OVERFLOWS(uint8_t, 255, 1)
    OVERFLOWS(uint16_t, 2, -3)
    OVERFLOWS(int64_t, INT64_MAX, 1)
    OVERFLOWS(int64_t, INT64_MIN, -1)
    OVERFLOWS(uint64_t, UINT64_MAX, 1)
    OVERFLOWS(uint64_t, 0, -1)
}

static void only_integers_can_be_added_to(void **state)
{
    (void)state;
    yoke_value *d, *b, *s;
    assert_int_equal(YOKE_VALUE_CREATE(&d, double, 0, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_CREATE(&b, bool, false, NULL), YOKE_OK);
    assert_int_equal(YOKE_VALUE_CREATE(&s, struct account, 0, NULL), YOKE_OK);
    assert_int_equal(yoke_value_add(d, 1, NULL), YOKE_ETYPE);
    assert_int_equal(yoke_value_add(b, 1, NULL), YOKE_ETYPE);
    assert_int_equal(yoke_value_add(s, 1, NULL), YOKE_ETYPE);
    yoke_value_close(d);
    yoke_value_close(b);
    yoke_value_close(s);
}

static int add_many(void *user)
{
    yoke_value *value = user;
    for (int i = 0; i < 20000; i++)
        CHILD_CHECK(yoke_value_add(value, 1, NULL) == YOKE_OK);
    return 0;
}

static void nothing_is_lost(bool unlocked)
{
    yoke_value *value;
    pid_t       children[3];
    assert_int_equal(YOKE_VALUE_CREATE(&value, int, 0, YOKE_OPTIONS(yoke_value_options, .unlocked = unlocked)),
                     YOKE_OK);
    for (int i = 0; i < 3; i++)
        children[i] = child_start(add_many, value);
    for (int i = 0; i < 3; i++)
        assert_int_equal(child_join(children[i]), 0);
    assert_int_equal(*YOKE_VALUE(value, int), 60000);
    yoke_value_close(value);
}

static void processes_that_add_lose_nothing(void **state)
{
    (void)state;
    nothing_is_lost(false);
    nothing_is_lost(true);
}

static int die_holding(void *user)
{
    yoke_value *value = user;
    CHILD_CHECK(yoke_lock_acquire(yoke_value_lock(value), YOKE_FOREVER) == YOKE_OK);
    *YOKE_VALUE(value, int) = 1;
    return 0; /* the lock still held */
}

static void a_holders_death_is_told_until_repaired(void **state)
{
    (void)state;
    yoke_value *value;
    if (getenv("YOKE_VALGRIND")) /* it has no pidfd_open: nobody could be known to be dead */
        skip();
    assert_int_equal(YOKE_VALUE_CREATE(&value, int, 0, NULL), YOKE_OK);
    assert_int_equal(child_join(child_start(die_holding, value)), 0);
    assert_int_equal(yoke_value_add(value, 1, NULL), YOKE_OWNER_DIED);
    assert_int_equal(*YOKE_VALUE(value, int), 2);
    yoke_lock *lock = yoke_value_lock(value);
    assert_int_equal(yoke_lock_acquire(lock, YOKE_FOREVER), YOKE_OWNER_DIED);
    assert_int_equal(yoke_lock_mark_repaired(lock), YOKE_OK);
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    assert_int_equal(yoke_value_add(value, 1, NULL), YOKE_OK);
    yoke_value_close(value);

    assert_int_equal(YOKE_VALUE_CREATE(&value, int, 0, YOKE_OPTIONS(yoke_value_options, .on_death = YOKE_IGNORE_DEATH)),
                     YOKE_OK);
    assert_int_equal(child_join(child_start(die_holding, value)), 0);
    assert_int_equal(yoke_value_add(value, 1, NULL), YOKE_OK);
    yoke_value_close(value);
}

static void names_are_made_and_found(void **state)
{
    (void)state;
    yoke_value               *made, *found, *none;
    const yoke_value_options *create = YOKE_OPTIONS(yoke_value_options, .name = "value.name");
    assert_int_equal(YOKE_VALUE_OPEN(&none, int, NULL, "value.name"), YOKE_ENOENT);
    assert_int_equal(YOKE_VALUE_CREATE(&made, int, 11, create), YOKE_OK);
    assert_int_equal(YOKE_VALUE_CREATE(&none, int, 12, create), YOKE_EEXIST);
    assert_int_equal(
        YOKE_VALUE_CREATE(&found, int, 12,
                          YOKE_OPTIONS(yoke_value_options, .name = "value.name", .mode = YOKE_OPEN_OR_CREATE)),
        YOKE_OK);
    assert_int_equal(*YOKE_VALUE(found, int), 11);
    assert_int_equal(YOKE_VALUE_OPEN(&none, double, NULL, "value.name"), YOKE_ETYPE);
    assert_noted(YOKE_ETYPE, "is there as a 32-bit integer of 4 bytes, not as a double of 8 bytes");
    yoke_array *array;
    assert_int_equal(YOKE_ARRAY_OPEN(&array, int, NULL, "value.name"), YOKE_ETYPE);
    assert_int_equal(YOKE_VALUE_CREATE(&none, int, 0, YOKE_OPTIONS(yoke_value_options, .name = "no spaces")),
                     YOKE_EINVAL);
    yoke_value_close(made);
    yoke_value_close(found);
    assert_int_equal(YOKE_VALUE_OPEN(&none, int, NULL, "value.name"), YOKE_ENOENT);
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

static void test_a_borrowed_lock_is_not_passed_but_the_value_is(void **state)
{
    yoke_value *value;
    yoke_queue *queue;

    (void)state;
    assert_int_equal(YOKE_VALUE_CREATE(&value, int, 1, NULL), YOKE_OK);
    assert_int_equal(yoke_queue_create(&queue, NULL), YOKE_OK);
    assert_int_equal(yoke_queue_put_variant(queue, YOKE_ARGS(yoke_value_lock(value)), YOKE_NOWAIT), YOKE_ENOTSUP);
    assert_non_null(strstr(yoke_last_error()->text, "borrowed from a value"));
    yoke_queue_close(queue);
    yoke_value_close(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_borrowed_lock_is_not_passed_but_the_value_is),
        cmocka_unit_test(a_value_holds_its_initial_value),
        cmocka_unit_test(another_type_or_size_is_refused_and_both_are_named),
        cmocka_unit_test(closed_and_wrong_handles_are_errors),
        cmocka_unit_test(the_lock_is_one_for_all_handles),
        cmocka_unit_test(an_unlocked_value_has_no_lock),
        cmocka_unit_test(adding_keeps_to_the_range_of_the_type),
        cmocka_unit_test(only_integers_can_be_added_to),
        cmocka_unit_test(processes_that_add_lose_nothing),
        cmocka_unit_test(a_holders_death_is_told_until_repaired),
        cmocka_unit_test(names_are_made_and_found),
    };
    return cmocka_run_group_tests(tests, settle, leak_teardown);
}
