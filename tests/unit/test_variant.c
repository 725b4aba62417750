/* Reading, printing and comparing variants. */
#include "core/message/message.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

/* What a receiver would see. Handles: see test_pack.c. */
static yoke_variant *received(const yoke_item *item)
{
    yoke__packed  packed;
    yoke_variant *variant = NULL;
    assert_int_equal(yoke__pack(&packed, item), YOKE_OK);
    assert_int_equal(yoke__unpack(&variant, packed.data, packed.size, NULL, NULL), YOKE_OK);
    yoke__packed_free(&packed);
    return variant;
}

static void assert_prints(const yoke_item *item, const char *expected)
{
    char          text[4096];
    size_t        needed = 0;
    yoke_variant *variant = received(item);
    assert_int_equal(yoke_variant_format(variant, text, sizeof text, &needed), YOKE_OK);
    assert_string_equal(text, expected);
    assert_int_equal(needed, strlen(expected) + 1);
    assert_true(yoke_variant_equals(variant, item) || strstr(expected, "nan"));
    yoke_variant_free(variant);
}

/* ---- printing --------------------------------------------------------------------------------------------------------- */

static void a_list_prints_as_in_python(void **state)
{
    (void)state;
    assert_prints(YOKE_ARGS(42, YOKE_NIL, "hello"), "[42, None, 'hello']");
    assert_prints(YOKE_ARGS(), "[]");
    assert_prints(YOKE_ARGS(YOKE_LIST(), YOKE_MAP(), YOKE_LIST(YOKE_LIST(1))), "[[], {}, [[1]]]");
    assert_prints(YOKE_ARGS((bool)true, (bool)false), "[True, False]");
    assert_prints(YOKE_VALUE_OF(YOKE_MAP("k", 1, 2, "v")), "{'k': 1, 2: 'v'}");
}

static void integers_print_over_their_whole_range(void **state)
{
    (void)state;
    assert_prints(YOKE_ARGS(0, -1, 127, 128, -32, -33, 255, 256, 65535, 65536), "[0, -1, 127, 128, -32, -33, 255, 256, "
                                                                                "65535, 65536]");
    assert_prints(YOKE_ARGS(INT64_MAX, INT64_MIN, UINT64_MAX), "[9223372036854775807, -9223372036854775808, "
                                                               "18446744073709551615]");
    assert_prints(YOKE_ARGS(INT32_MIN, UINT32_MAX, (int8_t)-128, (uint8_t)200), "[-2147483648, 4294967295, -128, 200]");
}

static void doubles_print_with_the_fewest_digits(void **state)
{
    (void)state;
    assert_prints(YOKE_ARGS(0.0, -0.0, 1.0, -1.5, 0.1, 1e22, 1e15, 1e16, 123456789012345680.0),
                  "[0.0, -0.0, 1.0, -1.5, 0.1, 1e+22, 1000000000000000.0, 1e+16, 1.2345678901234568e+17]");
    assert_prints(YOKE_ARGS(0.0001, 0.00001, 1.0 / 3.0, 5e-324, DBL_MAX, DBL_MIN, 3.1415927),
                  "[0.0001, 1e-05, 0.3333333333333333, 5e-324, 1.7976931348623157e+308, 2.2250738585072014e-308, "
                  "3.1415927]");
    assert_prints(YOKE_ARGS((double)INFINITY, -(double)INFINITY, (double)NAN), "[inf, -inf, nan]");
    assert_prints(YOKE_ARGS(0x1p-44, 0x1p+60, 9007199254740993.0, 0.30000000000000004, 2.5f),
                  "[5.684341886080802e-14, 1.152921504606847e+18, 9007199254740992.0, 0.30000000000000004, 2.5]");
}

static void doubles_read_back_the_same(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        double value;
        char   text[64];
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        memcpy(&value, &seed, sizeof value);
        if (isnan(value) || isinf(value))
            continue;
        yoke_variant *variant = received(YOKE_VALUE_OF(value));
        assert_int_equal(yoke_variant_format(variant, text, sizeof text, NULL), YOKE_OK);
        double read = strtod(text, NULL);
        assert_memory_equal(&read, &value, sizeof value);
        yoke_variant_free(variant);
    }
}

static void the_locale_changes_nothing(void **state)
{
    (void)state;
    const char *comma[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8"};
    for (size_t i = 0; i < sizeof comma / sizeof *comma; i++)
        if (setlocale(LC_ALL, comma[i]))
            break;
    assert_prints(YOKE_ARGS(1.5, 1e-7), "[1.5, 1e-07]");
    setlocale(LC_ALL, "C");
}

static void strings_are_quoted_and_escaped_as_in_python(void **state)
{
    (void)state;
    assert_prints(YOKE_ARGS("", "it's", "say \"hi\"", "both ' and \"", "back\\slash"),
                  "['', \"it's\", 'say \"hi\"', 'both \\' and \"', 'back\\\\slash']");
    assert_prints(YOKE_ARGS("a\nb\tc\rd", "\x01\x1f\x7f", "end"), "['a\\nb\\tc\\rd', '\\x01\\x1f\\x7f', 'end']");
    assert_prints(YOKE_ARGS("gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac", "\xf0\x9f\x98\x80"),
                  "['gr\xc3\xbc\xc3\x9f', '\xe2\x82\xac', '\xf0\x9f\x98\x80']");
    assert_prints(YOKE_ARGS("\xc2\xa0\xc2\xad", "\xe2\x80\xa8", "\xef\xbb\xbf"),
                  "['\\xa0\\xad', '\\u2028', '\\ufeff']");
    assert_prints(YOKE_ARGS("\xf0\x9d\x85\xb3"), "['\\U0001d173']");
    assert_prints(YOKE_ARGS("\xff", "\xc3(", "\xed\xa0\x80", "\xc0\x80"),
                  "['\\udcff', '\\udcc3(', '\\udced\\udca0\\udc80', '\\udcc0\\udc80']");
}

static void bytes_print_as_in_python(void **state)
{
    (void)state;
    assert_prints(YOKE_ARGS(YOKE_BYTES("\0\xff", 2), YOKE_BYTES("a'b", 3), YOKE_BYTES(NULL, 0), YOKE_BYTES("\n\\", 2)),
                  "[b'\\x00\\xff', b\"a'b\", b'', b'\\n\\\\']");
}

static void a_short_buffer_stays_as_it_is_and_the_size_is_told(void **state)
{
    (void)state;
    char          text[20] = "untouched";
    size_t        needed = 0;
    yoke_variant *variant = received(YOKE_ARGS(42, YOKE_NIL, "hello"));
    assert_int_equal(yoke_variant_format(variant, text, 19, &needed), YOKE_EMSGSIZE);
    assert_int_equal(needed, 20);
    assert_string_equal(text, "untouched");
    assert_int_equal(yoke_variant_format(variant, NULL, 0, &needed), YOKE_EMSGSIZE);
    assert_int_equal(yoke_variant_format(variant, NULL, 1, &needed), YOKE_EINVAL);
    assert_int_equal(yoke_variant_format(variant, text, 20, NULL), YOKE_OK);
    assert_string_equal(text, "[42, None, 'hello']");
    yoke_variant_free(variant);
    assert_int_equal(yoke_variant_format(NULL, text, sizeof text, NULL), YOKE_OK);
    assert_string_equal(text, "None");
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

static void parts_are_found_and_bounds_are_kept(void **state)
{
    (void)state;
    yoke_variant *variant = received(YOKE_ARGS(1, "two", YOKE_MAP("a", 1, "b", 2, "a", 3, YOKE_NIL, 4)));
    assert_int_equal(yoke_variant_kind(variant), YOKE_LIST_KIND);
    assert_int_equal(yoke_variant_count(variant), 3);
    assert_int_equal(yoke_variant_int(yoke_variant_at(variant, 0), -1), 1);
    assert_string_equal(yoke_variant_string(yoke_variant_at(variant, 1), ""), "two");
    assert_null(yoke_variant_at(variant, 3));
    assert_int_equal(yoke_last_error()->code, YOKE_ERANGE);
    assert_null(yoke_variant_at(yoke_variant_at(variant, 0), 0));
    assert_int_equal(yoke_last_error()->code, YOKE_ETYPE);

    const yoke_variant *map = yoke_variant_at(variant, 2);
    assert_int_equal(yoke_variant_count(map), 4);
    assert_string_equal(yoke_variant_string(yoke_variant_key(map, 1), ""), "b");
    assert_int_equal(yoke_variant_int(yoke_variant_at(map, 1), 0), 2);
    assert_int_equal(yoke_variant_int(yoke_variant_find(map, "a"), 0), 3);
    assert_int_equal(yoke_variant_int(yoke_variant_find(map, "c"), 77), 77);
    assert_int_equal(yoke_last_error()->code, YOKE_ENOENT);
    assert_null(yoke_variant_find(variant, "a"));
    assert_int_equal(yoke_last_error()->code, YOKE_ETYPE);
    assert_null(yoke_variant_key(variant, 0));
    assert_null(yoke_variant_key(map, 4));
    yoke_variant_free(variant);
}

static void accessors_convert_only_what_fits(void **state)
{
    (void)state;
    yoke_variant *v = received(YOKE_ARGS(-1, UINT64_MAX, 1.5, (bool)true, "x", 2));
    assert_int_equal(yoke_variant_int(yoke_variant_at(v, 0), 7), -1);
    assert_int_equal(yoke_variant_uint(yoke_variant_at(v, 0), 7), 7);
    assert_int_equal(yoke_variant_int(yoke_variant_at(v, 1), 7), 7);
    assert_true(yoke_variant_uint(yoke_variant_at(v, 1), 7) == UINT64_MAX);
    assert_true(yoke_variant_double(yoke_variant_at(v, 2), 0) > 1.4);
    assert_int_equal(yoke_variant_int(yoke_variant_at(v, 2), 7), 7);
    assert_true(yoke_variant_double(yoke_variant_at(v, 0), 0) < -0.9);
    assert_true(yoke_variant_bool(yoke_variant_at(v, 3), false));
    assert_int_equal(yoke_variant_int(yoke_variant_at(v, 3), 7), 1);
    assert_true(yoke_variant_bool(yoke_variant_at(v, 5), true));
    assert_false(yoke_variant_bool(yoke_variant_at(v, 5), false));
    assert_int_equal(yoke_variant_int(yoke_variant_at(v, 4), 7), 7);
    assert_null(yoke_variant_string(yoke_variant_at(v, 0), NULL));
    assert_null(yoke_variant_bytes(yoke_variant_at(v, 0), NULL));
    assert_null(yoke_variant_queue(yoke_variant_at(v, 0)));
    assert_int_equal(yoke_last_error()->code, YOKE_ETYPE);
    yoke_variant_free(v);
}

static void bytes_are_aligned_and_terminated(void **state)
{
    (void)state;
    yoke_variant *v = received(YOKE_ARGS("a", YOKE_BYTES("xyz", 3), "bc", YOKE_BYTES("1", 1)));
    for (size_t i = 0; i < 4; i++) {
        size_t      size;
        const char *bytes = yoke_variant_bytes(yoke_variant_at(v, i), &size);
        assert_int_equal((uintptr_t)bytes % 16, 0);
        assert_int_equal(bytes[size], 0);
    }
    yoke_variant_free(v);
}

static void nil_answers_everything(void **state)
{
    (void)state;
    assert_int_equal(yoke_variant_kind(NULL), YOKE_NIL_KIND);
    assert_int_equal(yoke_variant_count(NULL), 0);
    assert_null(yoke_variant_at(NULL, 0));
    assert_null(yoke_variant_find(NULL, "x"));
    assert_int_equal(yoke_variant_int(NULL, 5), 5);
    assert_string_equal(yoke_variant_string(NULL, "o"), "o");
    assert_true(yoke_variant_equals(NULL, YOKE_VALUE_OF(YOKE_NIL)));
    yoke_variant_free(NULL);
}

static void only_the_whole_can_be_freed(void **state)
{
    (void)state;
    yoke_variant *v = received(YOKE_ARGS(YOKE_LIST(1)));
    yoke_variant_free((yoke_variant *)(uintptr_t)yoke_variant_at(v, 0));
    assert_int_equal(yoke_last_error()->code, YOKE_EINVAL);
    assert_int_equal(yoke_variant_count(yoke_variant_at(v, 0)), 1);
    yoke_variant_free(v);
}

/* ---- comparing -------------------------------------------------------------------------------------------------------- */

static void equality_is_pythons(void **state)
{
    (void)state;
    yoke_variant *v = received(YOKE_ARGS(1, 2.0, (bool)true, "a", YOKE_BYTES("a", 1), YOKE_NIL, UINT64_MAX, -3));
    assert_true(yoke_variant_equals(v, YOKE_ARGS(1.0, 2, 1, "a", YOKE_BYTES("a", 1), YOKE_NIL, UINT64_MAX, -3.0)));
    assert_false(yoke_variant_equals(v, YOKE_ARGS(1, 2.0, (bool)true, "a", "a", YOKE_NIL, UINT64_MAX, -3)));
    assert_false(yoke_variant_equals(v, YOKE_ARGS(1, 2.0, (bool)true, "a", YOKE_BYTES("a", 1), 0, UINT64_MAX, -3)));
    assert_false(yoke_variant_equals(v, YOKE_ARGS(1, 2.0, (bool)true, "a", YOKE_BYTES("a", 1), YOKE_NIL, -1, -3)));
    assert_false(yoke_variant_equals(v, YOKE_ARGS(1, 2.0, (bool)true)));
    assert_true(yoke_variant_equals(v, YOKE_VALUE_OF(v)));
    yoke_variant_free(v);

    v = received(YOKE_ARGS(0x1p53, INT64_MAX));
    assert_true(yoke_variant_equals(v, YOKE_ARGS(INT64_C(9007199254740992), INT64_MAX)));
    assert_false(yoke_variant_equals(v, YOKE_ARGS(INT64_C(9007199254740993), INT64_MAX)));
    assert_false(yoke_variant_equals(v, YOKE_ARGS(0x1p53, 0x1p63)));
    yoke_variant_free(v);

    v = received(YOKE_VALUE_OF(YOKE_MAP("a", 1, "b", YOKE_LIST(2))));
    assert_true(yoke_variant_equals(v, YOKE_VALUE_OF(YOKE_MAP("b", YOKE_LIST(2), "a", 1))));
    assert_false(yoke_variant_equals(v, YOKE_VALUE_OF(YOKE_MAP("b", YOKE_LIST(3), "a", 1))));
    assert_false(yoke_variant_equals(v, YOKE_VALUE_OF(YOKE_MAP("a", 1))));
    assert_false(yoke_variant_equals(v, YOKE_ARGS("a", 1, "b", YOKE_LIST(2))));
    assert_false(yoke_variant_equals(v, NULL));
    assert_int_equal(yoke_last_error()->code, YOKE_EINVAL);
    yoke_variant_free(v);
}

static void a_received_variant_can_be_sent_on(void **state)
{
    (void)state;
    yoke_variant *first = received(YOKE_ARGS(1, YOKE_MAP("k", YOKE_LIST("x", 2.5, YOKE_BYTES("b", 1))), UINT64_MAX));
    yoke_variant *second = received(YOKE_ARGS(first, yoke_variant_at(first, 1)));
    char          text[200];
    assert_int_equal(yoke_variant_format(second, text, sizeof text, NULL), YOKE_OK);
    assert_string_equal(text, "[[1, {'k': ['x', 2.5, b'b']}, 18446744073709551615], {'k': ['x', 2.5, b'b']}]");
    assert_true(yoke_variant_equals(second, YOKE_ARGS(first, yoke_variant_at(first, 1))));
    yoke_variant_free(second);
    yoke_variant_free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_prints_as_in_python),
        cmocka_unit_test(integers_print_over_their_whole_range),
        cmocka_unit_test(doubles_print_with_the_fewest_digits),
        cmocka_unit_test(doubles_read_back_the_same),
        cmocka_unit_test(the_locale_changes_nothing),
        cmocka_unit_test(strings_are_quoted_and_escaped_as_in_python),
        cmocka_unit_test(bytes_print_as_in_python),
        cmocka_unit_test(a_short_buffer_stays_as_it_is_and_the_size_is_told),
        cmocka_unit_test(parts_are_found_and_bounds_are_kept),
        cmocka_unit_test(accessors_convert_only_what_fits),
        cmocka_unit_test(bytes_are_aligned_and_terminated),
        cmocka_unit_test(nil_answers_everything),
        cmocka_unit_test(only_the_whole_can_be_freed),
        cmocka_unit_test(equality_is_pythons),
        cmocka_unit_test(a_received_variant_can_be_sent_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
