/* Places of code on Windows: told here, found again, also where the module lies elsewhere, and only in the same build. */
#include "support/windows/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const yoke_code_ops *code = &yoke__windows_code;

static int answer(void)
{
    return 42;
}

static int call(void (*function)(void))
{
    int (*typed)(void) = (int (*)(void))(uintptr_t)function;

    return typed();
}

static void (*placed_in(const char *path))(void)
{
    HMODULE module = LoadLibraryA(path);
    assert_non_null(module);
    return (void (*)(void))(uintptr_t)GetProcAddress(module, "placed");
}

static void a_static_function_is_found_again(void **state)
{
    yoke_code_place place;
    void (*found)(void) = NULL;

    (void)state;
    assert_int_equal(code->locate(&place, (void (*)(void))(uintptr_t)answer), YOKE_OK);
    assert_true(place.main_program && place.build_size > 0 && place.offset > 0);
    assert_int_equal(code->resolve(&found, &place), YOKE_OK);
    assert_int_equal(call(found), 42);
}

static void what_is_no_code_is_refused(void **state)
{
    yoke_code_place place = {0};
    int             variable = 0;
    void (*found)(void) = NULL;

    (void)state;
    assert_int_equal(code->locate(&place, (void (*)(void))(uintptr_t)&variable), YOKE_ENOENT);
    assert_int_equal(code->locate(&place, (void (*)(void))(uintptr_t)&code),
                     YOKE_ENOENT); /* of this module, but data */
    assert_int_equal(code->locate(&place, (void (*)(void))8), YOKE_ENOENT);
    assert_int_equal(code->locate(&place, (void (*)(void))(uintptr_t)answer), YOKE_OK);
    place.offset = (uintptr_t)&code - (uintptr_t)GetModuleHandleW(NULL);
    assert_int_equal(code->resolve(&found, &place), YOKE_EINVAL);
    place.offset = UINT64_MAX - 4;
    assert_int_equal(code->resolve(&found, &place), YOKE_EINVAL);
    assert_true(found == NULL);
}

static void another_build_is_refused(void **state)
{
    yoke_code_place place;
    void (*found)(void) = NULL;

    (void)state;
    assert_int_equal(code->locate(&place, (void (*)(void))(uintptr_t)answer), YOKE_OK);
    place.build[3] ^= 1;
    assert_int_equal(code->resolve(&found, &place), YOKE_EINVAL);
    place.build[3] ^= 1;
    place.build_size = 0;
    assert_int_equal(code->resolve(&found, &place), YOKE_EINVAL);
}

static void a_library_is_loaded_and_its_build_looked_at(void **state)
{
    yoke_code_place place, changed;
    void (*found)(void) = NULL;

    (void)state;
    assert_int_equal(code->locate(&place, placed_in(YOKE_TEST_MODULES "/placed.dll")), YOKE_OK);
    assert_false(place.main_program);
    assert_int_equal(code->resolve(&found, &place), YOKE_OK);
    assert_int_equal(call(found), 41);
    assert_int_equal(code->locate(&changed, placed_in(YOKE_TEST_MODULES "/placed_changed.dll")), YOKE_OK);
    memcpy(place.module, changed.module, sizeof place.module);
    assert_int_equal(code->resolve(&found, &place), YOKE_EINVAL);
    snprintf(place.module, sizeof place.module, "C:\\nowhere\\at all.dll");
    assert_int_equal(code->resolve(&found, &place), YOKE_ENOENT);
    snprintf(place.module, sizeof place.module, "placed.dll");
    assert_int_equal(code->resolve(&found, &place), YOKE_EINVAL);
    memset(place.module, 'x', sizeof place.module);
    assert_int_equal(code->resolve(&found, &place), YOKE_EINVAL);
}

/* A copy of the file, loaded beside it, can't lie at the address for which both were linked. */
static void a_moved_image_is_the_same_build(void **state)
{
    char            temporary[MAX_PATH], path[MAX_PATH + 40];
    yoke_code_place place, moved;
    void (*found)(void) = NULL;

    (void)state;
    assert_true(GetTempPathA(sizeof temporary, temporary) > 0);
    snprintf(path, sizeof path, "%splaced-%lu-\xc3\xa4.dll", temporary, GetCurrentProcessId());
    wchar_t *wide = yoke__windows_wide(path), from[MAX_PATH];
    assert_true(GetModuleFileNameW(LoadLibraryA(YOKE_TEST_MODULES "/placed.dll"), from, MAX_PATH) > 0);
    assert_true(CopyFileW(from, wide, FALSE));
    HMODULE copy = LoadLibraryW(wide);
    assert_non_null(copy);
    assert_int_equal(code->locate(&place, placed_in(YOKE_TEST_MODULES "/placed.dll")), YOKE_OK);
    assert_int_equal(code->locate(&moved, (void (*)(void))(uintptr_t)GetProcAddress(copy, "placed")), YOKE_OK);
    assert_string_not_equal(place.module, moved.module);
    assert_int_equal(place.build_size, moved.build_size);
    assert_memory_equal(place.build, moved.build, place.build_size);
    memcpy(place.module, moved.module, sizeof place.module);
    assert_int_equal(code->resolve(&found, &place), YOKE_OK);
    assert_true((uintptr_t)found == (uintptr_t)GetProcAddress(copy, "placed"));
    while (GetModuleHandleW(wide) && FreeLibrary(copy))
        continue;
    DeleteFileW(wide);
    free(wide);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_static_function_is_found_again),
        cmocka_unit_test(what_is_no_code_is_refused),
        cmocka_unit_test(another_build_is_refused),
        cmocka_unit_test(a_library_is_loaded_and_its_build_looked_at),
        cmocka_unit_test(a_moved_image_is_the_same_build),
    };
    return cmocka_run_group_tests_name("code on Windows", tests, NULL, NULL);
}
