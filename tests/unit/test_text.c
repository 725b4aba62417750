/* Texts formatted as by printf, of any length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <yoke/yoke.h>

#include "core/message/text.h"
#include "support/leak.h"

static int format(yoke__text *out, const char *text, ...)
{
    va_list values;
    int     rc;

    va_start(values, text);
    rc = yoke__text_format(out, text, values);
    va_end(values);
    return rc;
}

static void test_short_texts_need_no_memory(void **state)
{
    yoke__text text;

    (void)state;
    assert_int_equal(format(&text, "%s %d", "seven", 7), YOKE_OK);
    assert_string_equal(text.data, "seven 7");
    assert_int_equal(text.size, 7);
    assert_ptr_equal(text.data, text.short_data);
    yoke__text_free(&text);
}

static void test_texts_around_the_length_of_the_short_ones_are_whole(void **state)
{
    char       line[YOKE__SHORT_TEXT + 2];
    yoke__text text;

    (void)state;
    memset(line, 'x', sizeof line);
    for (size_t length = YOKE__SHORT_TEXT - 1; length <= YOKE__SHORT_TEXT + 1; length++) {
        assert_int_equal(format(&text, "%.*s", (int)length, line), YOKE_OK);
        assert_int_equal(text.size, length);
        assert_int_equal(strlen(text.data), length);
        yoke__text_free(&text);
    }
}

static void test_no_format_is_an_error(void **state)
{
    const char *none = NULL;
    yoke__text  text;

    (void)state;
    assert_int_equal(format(&text, none), YOKE_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_texts_need_no_memory),
        cmocka_unit_test(test_texts_around_the_length_of_the_short_ones_are_whole),
        cmocka_unit_test(test_no_format_is_an_error),
    };
    return cmocka_run_group_tests_name("text", tests, leak_setup, leak_teardown);
}
