/* Codes, names, texts, and the last error of each thread. */
#include "core/error.h"

#include <yoke/backend.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

static void every_code_has_a_name_and_a_text(void **state)
{
    (void)state;
    for (int code = YOKE_EIO; code <= YOKE_FULL; code++) {
        assert_string_not_equal(yoke_error_name(code), "YOKE_UNKNOWN");
        assert_memory_equal(yoke_error_name(code), "YOKE_", 5);
        assert_string_not_equal(yoke_error_text(code), yoke_error_text(12345));
        for (int other = YOKE_EIO; other < code; other++) {
            assert_string_not_equal(yoke_error_name(code), yoke_error_name(other));
            assert_string_not_equal(yoke_error_text(code), yoke_error_text(other));
        }
    }
    assert_string_equal(yoke_error_name(YOKE_ETIMEDOUT), "YOKE_ETIMEDOUT");
    assert_string_equal(yoke_error_name(YOKE_OK), "YOKE_OK");
}

static void what_is_no_code_has_a_name_too(void **state)
{
    (void)state;
    assert_string_equal(yoke_error_name(YOKE_FULL + 1), "YOKE_UNKNOWN");
    assert_string_equal(yoke_error_name(YOKE_EIO - 1), "YOKE_UNKNOWN");
    assert_non_null(yoke_error_text(INT32_MIN));
}

static void nothing_has_failed_at_first(void **state)
{
    (void)state;
    yoke__error_reset();
    const yoke_error *error = yoke_last_error();
    assert_int_equal(error->code, YOKE_OK);
    assert_int_equal(error->struct_size, sizeof *error);
    assert_string_equal(error->object, "");
    assert_non_null(error->text);
}

static void a_failure_is_noted_with_its_sentence(void **state)
{
    (void)state;
    assert_int_equal(yoke__fail(YOKE_ERANGE, "index %d in a list of %d", 7, 3), YOKE_ERANGE);
    assert_int_equal(yoke_last_error()->code, YOKE_ERANGE);
    assert_string_equal(yoke_last_error()->text, "index 7 in a list of 3");
    assert_int_equal(yoke_last_error()->pid, 0);
    assert_int_equal(yoke_last_error()->native, 0);

    yoke__fail_process(YOKE_ECHILD, 4711, "process %d", 4711);
    assert_int_equal(yoke_last_error()->pid, 4711);
    yoke__fail_object(YOKE_EEXIST, "jobs", "queue '%s' exists", "jobs");
    assert_string_equal(yoke_last_error()->object, "jobs");
    assert_int_equal(yoke_last_error()->pid, 0);
    yoke_backend_fail(YOKE_EIO, 5, "read: %s", "bad sector");
    assert_int_equal(yoke_last_error()->native, 5);
    assert_string_equal(yoke_last_error()->text, "read: bad sector");
    assert_string_equal(yoke_last_error()->object, "");
}

static void context_goes_before_what_was_noted(void **state)
{
    (void)state;
    yoke_backend_fail(YOKE_ENOMEM, 12, "mmap failed");
    assert_int_equal(yoke__fail_in(YOKE_EIO, "queue '%s'", "jobs"), YOKE_EIO);
    assert_string_equal(yoke_last_error()->text, "queue 'jobs': mmap failed");
    assert_int_equal(yoke_last_error()->code, YOKE_EIO);
    assert_int_equal(yoke_last_error()->native, 12);
}

static void arguments_may_be_the_text_noted_before(void **state)
{
    (void)state;
    yoke__fail_object(YOKE_EINVAL, "inner", "inner");
    yoke__fail_object(YOKE_EIO, yoke_last_error()->object, "outer (%s)", yoke_last_error()->text);
    assert_string_equal(yoke_last_error()->text, "outer (inner)");
    assert_string_equal(yoke_last_error()->object, "inner");
}

static void a_long_sentence_is_cut_and_marked(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    yoke__fail(YOKE_EINVAL, "%s", text);
    size_t length = strlen(yoke_last_error()->text);
    assert_true(length > 400 && length < 600);
    assert_string_equal(yoke_last_error()->text + length - 3, "...");
    yoke__fail_in(YOKE_EINVAL, "%s", "context");
    assert_memory_equal(yoke_last_error()->text, "context: xxx", 12);
    assert_int_equal(strlen(yoke_last_error()->text), length);
    yoke__fail_in(YOKE_EINVAL, "%s", text);
    assert_int_equal(strlen(yoke_last_error()->text), length);
}

static void *fail_elsewhere(void *user)
{
    bool *clean = user;
    *clean = yoke_last_error()->code == YOKE_OK;
    yoke__fail(YOKE_EACCES, "another thread");
    return NULL;
}

static void threads_do_not_see_each_others_errors(void **state)
{
    (void)state;
    pthread_t thread;
    bool      clean = false;
    yoke__fail(YOKE_EBUSY, "this thread");
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &clean), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(clean);
    assert_string_equal(yoke_last_error()->text, "this thread");
}

static int tried(int code, int *after)
{
    YOKE_TRY(code);
    *after = 1;
    return 3;
}

static void try_leaves_on_a_negative_code_only(void **state)
{
    (void)state;
    int after = 0;
    assert_int_equal(tried(YOKE_EIO, &after), YOKE_EIO);
    assert_int_equal(after, 0);
    assert_int_equal(tried(YOKE_OWNER_DIED, &after), 3);
    assert_int_equal(after, 1);
}

/* Runs in a child whose standard error is the pipe. */
static void checked(int code, const char *noted)
{
    if (noted)
        yoke__fail(code, "%s", noted);
    YOKE_CHECK(code);
    _exit(0);
}

static int run_checked(int code, const char *noted, char *text, size_t size)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], 2);
        checked(code, noted);
    }
    close(ends[1]);
    size_t  used = 0;
    ssize_t got;
    while (used < size - 1 && (got = read(ends[0], text + used, size - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = 0;
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void check_prints_where_what_and_why_and_exits_1(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(run_checked(YOKE_ETIMEDOUT, "queue 'jobs' stayed empty", text, sizeof text), 1);
    assert_non_null(strstr(text, "test_error.c:"));
    assert_non_null(strstr(text, ": code: YOKE_ETIMEDOUT: queue 'jobs' stayed empty\n"));
    assert_int_equal(run_checked(YOKE_EIO, NULL, text, sizeof text), 1);
    assert_non_null(strstr(text, yoke_error_text(YOKE_EIO)));
    assert_int_equal(run_checked(YOKE_OWNER_DIED, NULL, text, sizeof text), 0);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_name_and_a_text),
        cmocka_unit_test(what_is_no_code_has_a_name_too),
        cmocka_unit_test(nothing_has_failed_at_first),
        cmocka_unit_test(a_failure_is_noted_with_its_sentence),
        cmocka_unit_test(context_goes_before_what_was_noted),
        cmocka_unit_test(arguments_may_be_the_text_noted_before),
        cmocka_unit_test(a_long_sentence_is_cut_and_marked),
        cmocka_unit_test(threads_do_not_see_each_others_errors),
        cmocka_unit_test(try_leaves_on_a_negative_code_only),
        cmocka_unit_test(check_prints_where_what_and_why_and_exits_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
