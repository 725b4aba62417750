/* Where functions lie: told here, found again here and in another process, refused in another build. */
#include "backends/posix/posix.h"
#include "backends/posix/sys.h"
#include "fault/fault.h"
#include "support/leak.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

typedef void place_function(void);

#define MODULE         YOKE_TEST_MODULES "/placed.so"
#define MODULE_CHANGED YOKE_TEST_MODULES "/placed_changed.so"

/* Static, with an address of its own. */
static int forty_two(void)
{
    return 42;
}

static yoke_code_place place_of(place_function *function)
{
    yoke_code_place place;
    assert_int_equal(yoke__posix_code.locate(&place, function), YOKE_OK);
    return place;
}

static int call(place_function *function)
{
    return ((int (*)(void))function)();
}

static int resolve(place_function **out, const yoke_code_place *place)
{
    return yoke__posix_code.resolve(out, place);
}

static void copy_file(const char *to, const char *from)
{
    char    bytes[4096];
    ssize_t got;
    int     in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

    assert_true(in >= 0 && out >= 0);
    while ((got = read(in, bytes, sizeof bytes)) > 0)
        assert_int_equal(write(out, bytes, (size_t)got), got);
    close(in);
    close(out);
}

/* ---- here ---- */

static void a_static_function_is_found_again(void **state)
{
    (void)state;
    yoke_code_place place = place_of((place_function *)forty_two);
    place_function *found = NULL;

    assert_true(place.main_program);
    assert_int_equal(place.module[0], 0);
    assert_true(place.build_size > 0);
    assert_int_equal(resolve(&found, &place), YOKE_OK);
    assert_ptr_equal(found, (place_function *)forty_two);
}

static void a_function_of_a_shared_library_is_found_again(void **state)
{
    (void)state;
    void           *library = dlopen(MODULE, RTLD_NOW | RTLD_LOCAL);
    place_function *function, *found = NULL;

    assert_non_null(library);
    *(void **)&function = dlsym(library, "placed");
    yoke_code_place place = place_of(function);
    assert_false(place.main_program);
    assert_int_equal(place.module[0], '/');
    assert_int_equal(resolve(&found, &place), YOKE_OK);
    assert_ptr_equal(found, function);
    dlclose(library);
}

static void a_library_that_is_not_loaded_is_loaded(void **state)
{
    (void)state;
    char  path[] = "/tmp/yoke-code-XXXXXX";
    int   fd = mkstemp(path);
    void *library;

    assert_true(fd >= 0);
    close(fd);
    copy_file(path, MODULE);
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    place_function *function, *found = NULL;
    *(void **)&function = dlsym(library, "placed");
    yoke_code_place place = place_of(function);
    dlclose(library);
    assert_int_equal(resolve(&found, &place), YOKE_OK);
    assert_int_equal(call(found), 41);
    unlink(path);
}

static void code_of_the_c_library_is_found_again(void **state)
{
    (void)state;
    yoke_code_place place = place_of((place_function *)getpid);
    place_function *found = NULL;

    assert_int_equal(resolve(&found, &place), YOKE_OK);
    assert_int_equal(call(found), getpid());
}

/* ---- refused ---- */

static void data_is_no_code(void **state)
{
    (void)state;
    static int      number = 7;
    yoke_code_place place = {.offset = 99};

    assert_int_equal(yoke__posix_code.locate(&place, (place_function *)(uintptr_t)&number), YOKE_ENOENT);
    assert_int_equal(place.offset, 99);
    assert_non_null(strstr(yoke_last_error()->text, "no module's code"));
}

static void another_build_of_the_program_is_refused(void **state)
{
    (void)state;
    yoke_code_place place = place_of((place_function *)forty_two);
    place_function *found = (place_function *)abort;

    place.build[0] ^= 1;
    assert_int_equal(resolve(&found, &place), YOKE_EINVAL);
    assert_ptr_equal(found, (place_function *)abort);
    assert_non_null(strstr(yoke_last_error()->text, "not the build"));
    place.build[0] ^= 1;
    place.build_size--;
    assert_int_equal(resolve(&found, &place), YOKE_EINVAL);
}

static void a_build_that_cannot_be_told_is_refused(void **state)
{
    (void)state;
    yoke_code_place place = place_of((place_function *)forty_two);
    place_function *found;

    place.build_size = 0;
    assert_int_equal(resolve(&found, &place), YOKE_EINVAL);
    assert_non_null(strstr(yoke_last_error()->text, "registered name"));
}

static void an_offset_outside_the_code_is_refused(void **state)
{
    (void)state;
    yoke_code_place place = place_of((place_function *)forty_two);
    place_function *found;

    place.offset = UINT64_C(1) << 40;
    assert_int_equal(resolve(&found, &place), YOKE_EINVAL);
    assert_non_null(strstr(yoke_last_error()->text, "is not code"));
}

/* The file was replaced between the two looks, as when a plugin is rebuilt. */
static void another_build_of_a_library_is_refused(void **state)
{
    (void)state;
    char            path[] = "/tmp/yoke-code-XXXXXX";
    int             fd = mkstemp(path);
    place_function *function, *found = NULL;

    assert_true(fd >= 0);
    close(fd);
    copy_file(path, MODULE);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    *(void **)&function = dlsym(library, "placed");
    yoke_code_place place = place_of(function);
    dlclose(library);
    copy_file(path, MODULE_CHANGED);
    assert_int_equal(resolve(&found, &place), YOKE_EINVAL);
    assert_non_null(strstr(yoke_last_error()->text, path));
    assert_null(dlopen(path, RTLD_NOW | RTLD_NOLOAD)); /* not left behind */
    unlink(path);
}

static void a_missing_library_is_told(void **state)
{
    (void)state;
    yoke_code_place place = place_of((place_function *)getpid);
    place_function *found;

    snprintf(place.module, sizeof place.module, "/nowhere/at/all.so");
    assert_int_equal(resolve(&found, &place), YOKE_ENOENT);
    assert_non_null(strstr(yoke_last_error()->text, "/nowhere/at/all.so"));
    memset(place.module, 'x', sizeof place.module);
    assert_int_equal(resolve(&found, &place), YOKE_EINVAL);
}

/* ---- in another process, at other addresses ---- */

/* The child: reads places from descriptor 3, answers with what the functions returned. */
static int answer(void)
{
    yoke_code_place place;
    int             sum = 0;

    while (read(3, &place, sizeof place) == (ssize_t)sizeof place) {
        place_function *found;
        if (resolve(&found, &place) != YOKE_OK) {
            fprintf(stderr, "%s\n", yoke_last_error()->text);
            return 99;
        }
        sum += call(found);
    }
    return sum;
}

static void another_process_finds_both(void **state)
{
    (void)state;
    const char *const arguments[] = {"test_code", "answer", NULL};
    yoke_native       ends[2];
    void             *library = dlopen(MODULE, RTLD_NOW | RTLD_LOCAL);
    place_function   *function;
    int               status;
    int64_t           pid;

    assert_non_null(library);
    *(void **)&function = dlsym(library, "placed");
    yoke_code_place first = place_of((place_function *)forty_two);
    yoke_code_place second = place_of(function);
    assert_int_equal(yoke__posix_lifeline(ends), YOKE_OK);
    yoke_launch launch = {.struct_size = sizeof launch,
                          .arguments = arguments,
                          .stdio = {YOKE_STDIO_NULL, YOKE_STDIO_INHERIT, YOKE_STDIO_INHERIT},
                          .inherit = &ends[0],
                          .inherit_count = 1};
    assert_int_equal(yoke__posix_process.spawn(&pid, &launch), YOKE_OK);
    assert_int_equal(write((int)ends[1], &first, sizeof first), (int)sizeof first);
    assert_int_equal(write((int)ends[1], &second, sizeof second), (int)sizeof second);
    close((int)ends[0]);
    close((int)ends[1]);
    assert_int_equal(waitpid((pid_t)pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 83);
    dlclose(library);
}

/* ---- faults ---- */

static void failing_calls_are_told_and_leave_nothing(void **state)
{
    (void)state;
    void           *library = dlopen(MODULE, RTLD_NOW | RTLD_LOCAL);
    place_function *function, *found;

    assert_non_null(library);
    *(void **)&function = dlsym(library, "placed");
    for (fault_sweep sweep = fault_sweep_start(EIO); fault_sweep_next(&sweep);) {
        yoke_code_place place;
        int             before = fault_descriptors();
        int             rc = yoke__posix_code.locate(&place, function);

        if (rc == YOKE_OK)
            rc = resolve(&found, &place);
        assert_int_equal(rc < 0, fault_hit());
        assert_int_equal(fault_descriptors(), before);
    }
    dlclose(library);
}

/* libuv's first loop opens a pipe that stays. */
static int setup(void **state)
{
    uv_loop_t loop;
    return uv_loop_init(&loop) == 0 && uv_loop_close(&loop) == 0 ? leak_setup(state) : -1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_static_function_is_found_again),
        cmocka_unit_test(a_function_of_a_shared_library_is_found_again),
        cmocka_unit_test(a_library_that_is_not_loaded_is_loaded),
        cmocka_unit_test(code_of_the_c_library_is_found_again),
        cmocka_unit_test(data_is_no_code),
        cmocka_unit_test(another_build_of_the_program_is_refused),
        cmocka_unit_test(a_build_that_cannot_be_told_is_refused),
        cmocka_unit_test(an_offset_outside_the_code_is_refused),
        cmocka_unit_test(another_build_of_a_library_is_refused),
        cmocka_unit_test(a_missing_library_is_told),
        cmocka_unit_test(another_process_finds_both),
        cmocka_unit_test(failing_calls_are_told_and_leave_nothing),
    };
    if (argc > 1 && strcmp(argv[1], "answer") == 0)
        return answer();
    return cmocka_run_group_tests_name("code", tests, setup, leak_teardown);
}
