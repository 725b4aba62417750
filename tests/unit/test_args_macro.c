/* YOKE_ARGS in C. What only C has is here; the rest is in support/args_macro.h, which C++ compiles too. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

static void check(int condition, int line)
{
    if (!condition)
        fail_msg("support/args_macro.h:%d", line);
}
#include "support/args_macro.h"

static void items_are_what_was_written(void **state)
{
    (void)state;
    run_all();
}

struct bits {
    unsigned f : 3;
    int      g : 5;
    bool     h : 1;
};

static void bit_fields_are_passed_by_promotion(void **state)
{
    (void)state;
    struct bits b = {1, -1, 1};
    assert_int_equal(at(YOKE_ARGS(+b.f, +b.g, (bool)b.h), 1)->as.i, -1);
    assert_int_equal(kind_at(YOKE_ARGS(+b.f, +b.g, (bool)b.h), 2), YOKE_BOOL);
}

static void items_live_to_the_end_of_the_block(void **state)
{
    (void)state;
    const yoke_item *list = YOKE_ARGS(1, YOKE_LIST(2, 3), "four");
    call();
    assert_int_equal(at(at(list, 1), 1)->as.i, 3);
    assert_string_equal(at(list, 2)->as.p, "four");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_what_was_written),
        cmocka_unit_test(bit_fields_are_passed_by_promotion),
        cmocka_unit_test(items_live_to_the_end_of_the_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
