/* Included by force into the test of a mutant: of its cases, only the one that must find the fault is run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

__attribute__((constructor)) static void run_only_one(void)
{
    cmocka_set_test_filter(MUTANT_FOUND_BY);
}
