// Options in C++: default-constructed they are the defaults, as error.h says; and values of structures.
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

extern "C" {
#include <cmocka.h>
}

#include <yoke/yoke.h>

// A T made as `T o;` where other bytes were before: all zero but struct_size.
template <class T> static void default_is_all_defaults()
{
    alignas(T) unsigned char place[sizeof(T)], expected[sizeof(T)];
    size_t                   size = sizeof(T);

    memset(place, 0x41, sizeof place);
    memset(expected, 0, sizeof expected);
    memcpy(expected, &size, sizeof size); // the first member
    T *made = new (place) T;
    assert_int_equal(made->struct_size, sizeof(T));
    assert_memory_equal(place, expected, sizeof place);
}

static void every_kind_of_options_is_right_as_it_stands(void **)
{
    default_is_all_defaults<yoke_queue_options>();
    default_is_all_defaults<yoke_lock_options>();
    default_is_all_defaults<yoke_value_options>();
    default_is_all_defaults<yoke_shm_options>();
    default_is_all_defaults<yoke_shareable_options>();
    default_is_all_defaults<yoke_domain_options>();
    default_is_all_defaults<yoke_pipe_options>();
    default_is_all_defaults<yoke_process_options>();
    default_is_all_defaults<yoke_info>();
    default_is_all_defaults<yoke_queue_statistics>();
    default_is_all_defaults<yoke_result>();
    default_is_all_defaults<yoke_death>();
}

static void queues_are_made_with_them(void **)
{
    yoke_queue        *queue;
    yoke_queue_options options;

    options.max_items = 1;
    assert_int_equal(yoke_queue_create(&queue, &options), YOKE_OK);
    assert_int_equal(yoke_queue_put(queue, "x", 1, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put(queue, "y", 1, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    yoke_queue_close(queue);
}

static void everything_else_is_made_with_them(void **)
{
    yoke_lock         *lock;
    yoke_shm          *segment;
    yoke_conn         *reader, *writer;
    yoke_lock_options  of_lock;
    yoke_shm_options   of_segment;
    yoke_pipe_options  of_pipe;
    yoke_value_options of_value;
    yoke_array        *array;

    assert_int_equal(yoke_lock_create(&lock, &of_lock), YOKE_OK);
    assert_int_equal(yoke_shm_create(&segment, 10, &of_segment), YOKE_OK);
    assert_int_equal(yoke_pipe_create(&reader, &writer, &of_pipe), YOKE_OK);
    assert_int_equal(YOKE_ARRAY_CREATE(&array, int, 3, nullptr, &of_value), YOKE_OK);
    yoke_lock_close(lock);
    yoke_shm_close(segment);
    yoke_conn_close(reader);
    yoke_conn_close(writer);
    yoke_array_close(array);
}

struct point {
    int x, y;
};

static void values_of_structures_begin_as_zero_or_as_given(void **)
{
    yoke_value *zero, *given, *number;
    point       start = {3, 4};

    assert_int_equal(YOKE_VALUE_CREATE(&zero, point, 0, nullptr), YOKE_OK);
    assert_int_equal(YOKE_VALUE_CREATE(&given, point, start, nullptr), YOKE_OK);
    assert_int_equal(YOKE_VALUE_CREATE(&number, double, 2, nullptr), YOKE_OK);
    assert_int_equal(YOKE_VALUE(zero, point)->x, 0);
    assert_int_equal(YOKE_VALUE(zero, point)->y, 0);
    assert_int_equal(YOKE_VALUE(given, point)->y, 4);
    assert_true(*YOKE_VALUE(number, double) == 2.0);
    yoke_value_close(zero);
    yoke_value_close(given);
    yoke_value_close(number);
}

static void values_and_elements_are_changed_at_once(void **)
{
    yoke_value *number, *given;
    yoke_array *array;
    long        before = 0, expected = 0;
    point       seen = {0, 0}, other = {5, 6};
    short       out[2] = {0, 0};

    assert_int_equal(YOKE_VALUE_CREATE(&number, long, 2, nullptr), YOKE_OK);
    assert_int_equal(YOKE_VALUE_FETCH_ADD(number, long, 5, &before), YOKE_OK);
    assert_int_equal(YOKE_VALUE_FETCH_MAX(number, long, 3, nullptr), YOKE_OK);
    assert_int_equal(YOKE_VALUE_COMPARE_EXCHANGE(number, long, &expected, 9), YOKE_EBUSY);
    assert_true(before == 2 && expected == 7);
    assert_int_equal(YOKE_VALUE_STORE(number, long, 1), YOKE_OK);
    assert_int_equal(YOKE_VALUE_LOAD(number, long, &before), YOKE_OK);
    assert_int_equal(before, 1);
    assert_int_equal(YOKE_VALUE_CREATE(&given, point, 0, nullptr), YOKE_OK);
    assert_int_equal(YOKE_VALUE_EXCHANGE(given, point, other, &seen), YOKE_OK);
    assert_int_equal(YOKE_VALUE(given, point)->y, 6);
    assert_int_equal(YOKE_ARRAY_CREATE(&array, char, 9, "text", nullptr), YOKE_OK);
    assert_string_equal(YOKE_ARRAY(array, char), "text");
    yoke_array_close(array);
    assert_int_equal(YOKE_ARRAY_CREATE(&array, short, 2, nullptr, nullptr), YOKE_OK);
    assert_int_equal(YOKE_ARRAY_SET(array, short, 1, 4), YOKE_OK);
    assert_int_equal(YOKE_ARRAY_FETCH_XOR(array, short, 1, 1, nullptr), YOKE_OK);
    assert_int_equal(YOKE_ARRAY_READ(array, short, 0, 2, out), YOKE_OK);
    assert_int_equal(out[1], 5);
    assert_int_equal(YOKE_ARRAY_GET(array, short, 2, out), YOKE_ERANGE);
    yoke_value_close(number);
    yoke_value_close(given);
    yoke_array_close(array);
}

static void shareable_lists_are_made_and_set(void **)
{
    yoke_shareable *list;
    double          number = 0;

    assert_int_equal(yoke_shareable_create(&list, YOKE_ARGS("a", 1, YOKE_NIL), nullptr), YOKE_OK);
    assert_int_equal(YOKE_SHAREABLE_SET(list, 1, 2.5), YOKE_OK);
    assert_int_equal(yoke_shareable_get_double(list, 1, &number), YOKE_OK);
    assert_true(number > 2.4 && number < 2.6);
    yoke_shareable_close(list);
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_options_is_right_as_it_stands),
        cmocka_unit_test(queues_are_made_with_them),
        cmocka_unit_test(everything_else_is_made_with_them),
        cmocka_unit_test(values_of_structures_begin_as_zero_or_as_given),
        cmocka_unit_test(values_and_elements_are_changed_at_once),
        cmocka_unit_test(shareable_lists_are_made_and_set),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
