// YOKE_ARGS in C++: the same spelling, the same items.
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

extern "C" {
#include <cmocka.h>
}

static void check(int condition, int line)
{
    if (!condition)
        fail_msg("support/args_macro.h:%d", line);
}
#include "support/args_macro.h"

#include <yoke/memory.h>
#include <yoke/variant.h>

#include <type_traits>
#include <utility>

static void items_are_what_was_written(void **)
{
    run_all();
}

template <class T> static auto is_allowed(int) -> decltype(yoke_item_of(std::declval<T>()), std::true_type());
template <class T> static std::false_type is_allowed(...);

static void other_pointers_do_not_compile(void **)
{
    static_assert(decltype(is_allowed<int>(0))::value, "int");
    static_assert(decltype(is_allowed<const char *>(0))::value, "text");
    static_assert(decltype(is_allowed<yoke_queue *>(0))::value, "handle");
    static_assert(!decltype(is_allowed<int *>(0))::value, "would become a bool");
    static_assert(!decltype(is_allowed<void *>(0))::value, "would become a bool");
    static_assert(!decltype(is_allowed<decltype(nullptr)>(0))::value, "of no kind");
}

static void literals_true_and_false_are_bools(void **)
{
    assert_int_equal(kind_at(YOKE_ARGS(true), 0), YOKE_BOOL);
}

static void types_of_values_are_those_of_c(void **)
{
    static_assert(YOKE_TYPE_(int) == YOKE_TYPE_I32, "int");
    static_assert(YOKE_TYPE_(double) == YOKE_TYPE_F64, "double");
    static_assert(YOKE_TYPE_(bool) == YOKE_TYPE_BOOL, "bool");
    static_assert(YOKE_TYPE_(uint64_t) == YOKE_TYPE_U64, "uint64_t");
    static_assert(YOKE_TYPE_(yoke_item) == YOKE_TYPE_RAW, "structure");
}

static void values_and_arrays_work_from_cpp(void **)
{
    yoke_value *value;
    yoke_array *array;
    int         initial[3] = {1, 2, 3};
    assert_int_equal(YOKE_VALUE_CREATE(&value, int, 7, NULL), YOKE_OK);
    assert_int_equal(YOKE_ARRAY_CREATE(&array, int, 3, initial, NULL), YOKE_OK);
    assert_int_equal(*YOKE_VALUE(value, int), 7);
    assert_null(YOKE_VALUE(value, unsigned));
    assert_int_equal(*YOKE_ARRAY_AT(array, int, 2), 3);
    assert_null(YOKE_ARRAY_AT(array, int, 3));
    yoke_array_close(array);
    yoke_value_close(value);
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_what_was_written),        cmocka_unit_test(other_pointers_do_not_compile),
        cmocka_unit_test(literals_true_and_false_are_bools), cmocka_unit_test(types_of_values_are_those_of_c),
        cmocka_unit_test(values_and_arrays_work_from_cpp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
