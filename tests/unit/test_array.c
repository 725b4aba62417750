/* Arrays: elements, bounds, text, names, other processes. */
#include "support/child.h"
#include "support/leak.h"

#include <yoke/domain.h>
#include <yoke/memory.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

static void elements_have_their_initial_values_or_are_zero(void **state)
{
    (void)state;
    int         initial[10];
    yoke_array *given, *zero;
    for (int i = 0; i < 10; i++)
        initial[i] = i * i;
    assert_int_equal(YOKE_ARRAY_CREATE(&given, int, 10, initial, NULL), YOKE_OK);
    assert_int_equal(YOKE_ARRAY_CREATE(&zero, double, 1000, NULL, NULL), YOKE_OK);
    assert_int_equal(yoke_array_count(given), 10);
    assert_int_equal(yoke_array_count(zero), 1000);
    assert_memory_equal(YOKE_ARRAY(given, int), initial, sizeof initial);
    for (size_t i = 0; i < 1000; i++)
        assert_true(!(YOKE_ARRAY(zero, double)[i] < 0) && !(YOKE_ARRAY(zero, double)[i] > 0));
    yoke_array_close(given);
    yoke_array_close(zero);
}

static void an_index_past_the_end_is_refused(void **state)
{
    (void)state;
    yoke_array *array;
    assert_int_equal(YOKE_ARRAY_CREATE(&array, short, 3, NULL, NULL), YOKE_OK);
    *YOKE_ARRAY_AT(array, short, 2) = 7;
    assert_int_equal(YOKE_ARRAY(array, short)[2], 7);
    assert_null(YOKE_ARRAY_AT(array, short, 3));
    assert_int_equal(yoke_last_error()->code, YOKE_ERANGE);
    assert_string_equal(yoke_last_error()->text, "index 3 in an array of 3");
    assert_null(YOKE_ARRAY_AT(array, short, SIZE_MAX));
    assert_null(YOKE_ARRAY_AT(array, int, 0));
    assert_int_equal(yoke_last_error()->code, YOKE_ETYPE);
    yoke_array_close(array);
}

static void sizes_that_no_memory_has_are_refused(void **state)
{
    (void)state;
    yoke_array *array = NULL;
    assert_int_equal(YOKE_ARRAY_CREATE(&array, int, 0, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(YOKE_ARRAY_CREATE(&array, int, SIZE_MAX / 2, NULL, NULL), YOKE_ENOMEM);
    assert_int_equal(YOKE_ARRAY_CREATE(&array, char, SIZE_MAX / 4, NULL, NULL), YOKE_ENOMEM);
    assert_null(array);
}

static void a_shorter_text_begins_an_array_of_char_and_the_rest_is_zero(void **state)
{
    const char  some[3] = {'a', 'b', 'c'};
    const short numbers[3] = {1, 2, 3};
    yoke_array *array, *none = NULL;
    char        text[32];

    (void)state;
    assert_int_equal(YOKE_ARRAY_CREATE(&array, char, 4000, "hello", NULL), YOKE_OK);
    assert_int_equal(yoke_array_get_string(array, text, sizeof text), YOKE_OK);
    assert_string_equal(text, "hello");
    for (size_t i = 5; i < 4000; i++)
        assert_int_equal(YOKE_ARRAY(array, char)[i], 0);
    yoke_array_close(array);
    assert_int_equal(YOKE_ARRAY_CREATE(&array, char, 5, some, NULL), YOKE_OK);
    assert_memory_equal(YOKE_ARRAY(array, char), "abc\0", 5);
    yoke_array_close(array);
    assert_int_equal(YOKE_ARRAY_CREATE(&array, char, 2, "hello", NULL), YOKE_OK);
    assert_memory_equal(YOKE_ARRAY(array, char), "he", 2);
    yoke_array_close(array);
    assert_int_equal(YOKE_ARRAY_CREATE(&array, short, 3, numbers, NULL), YOKE_OK);
    yoke_array_close(array);
    assert_int_equal(YOKE_ARRAY_CREATE(&none, short, 4, numbers, NULL), YOKE_EINVAL);
    assert_non_null(strstr(yoke_last_error()->text, "6 bytes"));
    assert_null(none);
}

static void text_goes_in_and_out(void **state)
{
    (void)state;
    yoke_array *array, *numbers;
    char        text[32] = "untouched";
    assert_int_equal(YOKE_ARRAY_CREATE(&array, char, 6, NULL, NULL), YOKE_OK);
    assert_int_equal(yoke_array_set_string(array, "hello"), YOKE_OK);
    assert_int_equal(yoke_array_get_string(array, text, 5), YOKE_EMSGSIZE);
    assert_string_equal(text, "untouched");
    assert_int_equal(yoke_array_get_string(array, text, 6), YOKE_OK);
    assert_string_equal(text, "hello");
    assert_int_equal(yoke_array_set_string(array, "hello!"), YOKE_EMSGSIZE);
    memset(YOKE_ARRAY(array, char), 'x', 6); /* no NUL anywhere */
    assert_int_equal(yoke_array_get_string(array, text, sizeof text), YOKE_OK);
    assert_string_equal(text, "xxxxxx");
    assert_int_equal(yoke_array_set_string(array, NULL), YOKE_EINVAL);
    assert_int_equal(YOKE_ARRAY_CREATE(&numbers, int, 6, NULL, NULL), YOKE_OK);
    assert_int_equal(yoke_array_set_string(numbers, "x"), YOKE_ETYPE);
    assert_int_equal(yoke_array_get_string(numbers, text, sizeof text), YOKE_ETYPE);
    yoke_array_close(numbers);
    yoke_array_close(array);
}

static void a_name_is_found_with_its_count(void **state)
{
    (void)state;
    yoke_array               *made, *found;
    const yoke_value_options *again = YOKE_OPTIONS(yoke_value_options, .name = "array.name",
                                                   .mode = YOKE_OPEN_OR_CREATE);
    assert_int_equal(YOKE_ARRAY_CREATE(&made, int, 5, NULL, again), YOKE_OK);
    assert_int_equal(YOKE_ARRAY_OPEN(&found, int, NULL, "array.name"), YOKE_OK);
    assert_int_equal(yoke_array_count(found), 5);
    yoke_array_close(found);
    assert_int_equal(YOKE_ARRAY_CREATE(&found, int, 5, NULL, again), YOKE_OK);
    yoke_array_close(found);
    assert_int_equal(YOKE_ARRAY_CREATE(&found, int, 6, NULL, again), YOKE_ETYPE);
    assert_string_equal(yoke_last_error()->text, "'array.name' is there with 5 elements, not with 6");
    assert_int_equal(YOKE_ARRAY_CREATE(&found, long long, 5, NULL, again), YOKE_ETYPE);
    yoke_array_close(made);
}

static int negate(void *user)
{
    yoke_array *array = user;
    CHILD_CHECK(yoke_lock_acquire(yoke_array_lock(array), YOKE_FOREVER) == YOKE_OK);
    for (size_t i = 0; i < yoke_array_count(array); i++)
        YOKE_ARRAY(array, int)[i] = -YOKE_ARRAY(array, int)[i];
    CHILD_CHECK(yoke_lock_release(yoke_array_lock(array)) == YOKE_OK);
    return 0;
}

static void another_process_sees_and_changes_the_same_elements(void **state)
{
    (void)state;
    yoke_array *array;
    int         initial[4] = {1, 2, 3, 4};
    assert_int_equal(YOKE_ARRAY_CREATE(&array, int, 4, initial, NULL), YOKE_OK);
    assert_int_equal(child_join(child_start(negate, array)), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(YOKE_ARRAY(array, int)[i], -i - 1);
    assert_int_equal(yoke_lock_acquire(yoke_array_lock(array), YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_lock_release(yoke_array_lock(array)), YOKE_OK);
    yoke_array_close(array);
}

static int settle(void **state)
{
    yoke_array *array; /* the default domain lives as long as the process */
    (void)state;
    if (YOKE_ARRAY_CREATE(&array, int, 1, NULL, NULL) < 0)
        return -1;
    yoke_array_close(array);
    return leak_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_have_their_initial_values_or_are_zero),
        cmocka_unit_test(an_index_past_the_end_is_refused),
        cmocka_unit_test(sizes_that_no_memory_has_are_refused),
        cmocka_unit_test(text_goes_in_and_out),
        cmocka_unit_test(a_shorter_text_begins_an_array_of_char_and_the_rest_is_zero),
        cmocka_unit_test(a_name_is_found_with_its_count),
        cmocka_unit_test(another_process_sees_and_changes_the_same_elements),
    };
    return cmocka_run_group_tests(tests, settle, leak_teardown);
}
