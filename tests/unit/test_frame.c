/* Headers of frames: the bytes that Python writes, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <yoke/error.h>

#include "core/connection/frame.h"

static void check_header(uint64_t size, const char *bytes, size_t count)
{
    uint8_t  header[YOKE__FRAME_HEADER];
    uint64_t read = 0;

    assert_int_equal(count, yoke__frame_header(header, size));
    assert_memory_equal(bytes, header, count);
    assert_int_equal(count, yoke__frame_parse(header, count, &read));
    assert_int_equal(size, read);
}

static void test_short_lengths_take_four_bytes(void **state)
{
    (void)state;
    check_header(0, "\0\0\0\0", 4);
    check_header(1, "\0\0\0\1", 4);
    check_header(0x01020304, "\1\2\3\4", 4);
    check_header(0x7fffffff, "\x7f\xff\xff\xff", 4);
}

static void test_lengths_from_two_gib_take_twelve_bytes(void **state)
{
    (void)state;
    check_header(0x80000000, "\xff\xff\xff\xff\0\0\0\0\x80\0\0\0", 12);
    check_header(UINT64_C(0x0102030405060708), "\xff\xff\xff\xff\1\2\3\4\5\6\7\x08", 12);
    check_header(INT64_MAX, "\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 12);
}

static void test_half_a_header_asks_for_more(void **state)
{
    static const uint8_t header[] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0};
    uint64_t             size = 7;

    (void)state;
    for (size_t available = 0; available < sizeof header; available++)
        assert_int_equal(0, yoke__frame_parse(header, available, &size));
    assert_int_equal(7, size);
    assert_int_equal(12, yoke__frame_parse(header, sizeof header, &size));
    assert_true(size == UINT64_C(0x100000000));
}

static void test_a_short_length_in_the_long_form_is_read(void **state)
{
    uint64_t size = 0;

    (void)state;
    assert_int_equal(12, yoke__frame_parse((const uint8_t *)"\xff\xff\xff\xff\0\0\0\0\0\0\0\5", 12, &size));
    assert_int_equal(5, size);
}

static void test_negative_lengths_are_refused(void **state)
{
    uint64_t size = 7;

    (void)state;
    assert_int_equal(YOKE_EPROTO, yoke__frame_parse((const uint8_t *)"\x80\0\0\0", 4, &size));
    assert_int_equal(YOKE_EPROTO, yoke__frame_parse((const uint8_t *)"\xff\xff\xff\xfe", 4, &size));
    assert_int_equal(YOKE_EPROTO, yoke__frame_parse((const uint8_t *)"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", 12, &size));
    assert_int_equal(7, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_lengths_take_four_bytes),
        cmocka_unit_test(test_lengths_from_two_gib_take_twelve_bytes),
        cmocka_unit_test(test_half_a_header_asks_for_more),
        cmocka_unit_test(test_a_short_length_in_the_long_form_is_read),
        cmocka_unit_test(test_negative_lengths_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
