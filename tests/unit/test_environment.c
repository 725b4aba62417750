/* Environments for children, as lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/process/options.h"

static void assert_merged(const char *const *base, const char *const *additions, const char *const *expected)
{
    const char **merged;
    size_t       i;

    assert_int_equal(yoke__environment_merge(&merged, base, additions), YOKE_OK);
    for (i = 0; expected[i] && merged[i]; i++)
        assert_string_equal(merged[i], expected[i]);
    assert_null(expected[i]);
    assert_null(merged[i]);
    free(merged);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
static const char *const none[] = {NULL};

static void additions_replace_what_has_their_name(void **state)
{
    (void)state;
    assert_merged(LIST("A=1", "AB=2", "B=3"), LIST("A=4"), LIST("AB=2", "B=3", "A=4"));
    assert_merged(LIST("A=1"), LIST("A="), LIST("A="));
    assert_merged(LIST("A=1"), none, LIST("A=1"));
    assert_merged(NULL, LIST("A=1"), LIST("A=1"));
    assert_merged(none, none, none);
}

static void names_alone_remove(void **state)
{
    (void)state;
    assert_merged(LIST("A=1", "AB=2"), LIST("A"), LIST("AB=2"));
    assert_merged(LIST("A=1"), LIST("A=2", "A"), none);
    assert_merged(LIST("A=1"), LIST("A", "A=2"), LIST("A=2"));
    assert_merged(LIST("A=1"), LIST("GONE"), LIST("A=1"));
}

static void entries_need_names_and_whole_environments_values(void **state)
{
    (void)state;
    assert_int_equal(yoke__environment_check(LIST("A=1", "B=", "C=a=b"), false, "x"), YOKE_OK);
    assert_int_equal(yoke__environment_check(NULL, false, "x"), YOKE_OK);
    assert_int_equal(yoke__environment_check(LIST("A"), true, "x"), YOKE_OK);
    assert_int_equal(yoke__environment_check(LIST("A"), false, "x"), YOKE_EINVAL);
    assert_int_equal(yoke__environment_check(LIST("A=1", "=1"), true, "x"), YOKE_EINVAL);
    assert_int_equal(yoke__environment_check(LIST(""), true, "x"), YOKE_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(additions_replace_what_has_their_name),
        cmocka_unit_test(names_alone_remove),
        cmocka_unit_test(entries_need_names_and_whole_environments_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
