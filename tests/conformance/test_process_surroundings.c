/* What a child finds around it: environment, working directory, standard streams. */
#include "support/process.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 0: not there; else its length + 1. */
static int look_at_variable(const yoke_args *args)
{
    const char *value = getenv(yoke_args_string(args, 0));
    return value ? (int)strlen(value) + 1 : 0;
}

static int variable_length(const char *name, const yoke_process_options *options)
{
    yoke_result result = result_of(look_at_variable, YOKE_ARGS(name), options);
    assert_int_equal(result.how, YOKE_RETURNED);
    return result.code;
}

static void environment_is_inherited_extended_or_replaced(void **state)
{
    const char *const           add[] = {"YOKE_TEST_A=1", "YOKE_TEST_B=123", "YOKE_TEST_GONE", "YOKE_TEST_A=12", NULL};
    const char *const           whole[] = {"YOKE_TEST_C=1234", NULL};
    const yoke_process_options *added = YOKE_OPTIONS(yoke_process_options, .environment_add = add);
    const yoke_process_options *replaced = YOKE_OPTIONS(yoke_process_options, .environment = whole);
    const yoke_process_options *both = YOKE_OPTIONS(yoke_process_options, .environment = whole, .environment_add = add);

    (void)state;
    setenv("YOKE_TEST_GONE", "x", 1);
    setenv("YOKE_TEST_KEPT", "xy", 1);
    assert_int_equal(variable_length("YOKE_TEST_KEPT", NULL), 3);
    assert_int_equal(variable_length("YOKE_TEST_KEPT", added), 3);
    assert_int_equal(variable_length("YOKE_TEST_A", added), 3); /* the last of a name wins */
    assert_int_equal(variable_length("YOKE_TEST_B", added), 4);
    assert_int_equal(variable_length("YOKE_TEST_GONE", added), 0);
    assert_int_equal(variable_length("YOKE_TEST_KEPT", replaced), 0);
    assert_int_equal(variable_length("YOKE_TEST_C", replaced), 5);
    assert_int_equal(variable_length("YOKE_TEST_B", both), 4);
    assert_int_equal(variable_length("YOKE_TEST_C", both), 5);
    assert_null(getenv("YOKE_TEST_A"));
    unsetenv("YOKE_TEST_GONE");
    unsetenv("YOKE_TEST_KEPT");
}

static int check_directory(const yoke_args *args)
{
    char path[PATH_MAX];
    return getcwd(path, sizeof path) && strcmp(path, yoke_args_string(args, 0)) == 0 ? 0 : 1;
}

static void working_directory_is_inherited_or_chosen(void **state)
{
    char path[PATH_MAX];

    (void)state;
    assert_non_null(getcwd(path, sizeof path));
    assert_int_equal(result_of(check_directory, YOKE_ARGS(path), NULL).code, 0);
    assert_int_equal(
        result_of(check_directory, YOKE_ARGS("/"), YOKE_OPTIONS(yoke_process_options, .working_directory = "/")).code,
        0);
}

static int print_and_look(const yoke_args *args)
{
    (void)args;
    printf("out\n");
    fprintf(stderr, "err\n");
    return getchar() == EOF ? 0 : 1;
}

static void read_all(int fd, char *text, size_t size)
{
    size_t  used = 0;
    ssize_t got;

    while (used < size - 1 && (got = read(fd, text + used, size - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = '\0';
    close(fd);
}

static void standard_streams_go_where_they_are_sent(void **state)
{
    int  out[2], err[2];
    char text[64];

    (void)state;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    yoke_result result = result_of(print_and_look, NULL,
                                   YOKE_OPTIONS(yoke_process_options, .stdout_to = out[1], .stderr_to = err[1]));
    close(out[1]);
    close(err[1]);
    assert_int_equal(result.code, 0);
    read_all(out[0], text, sizeof text);
    assert_string_equal(text, "out\n");
    read_all(err[0], text, sizeof text);
    assert_string_equal(text, "err\n");
}

static int read_input(const yoke_args *args)
{
    char line[32] = "";
    (void)args;
    return fgets(line, sizeof line, stdin) ? (int)strlen(line) : -1;
}

static void standard_input_is_empty_unless_given(void **state)
{
    int in[2];

    (void)state;
    assert_int_equal(result_of(read_input, NULL, NULL).code, -1);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(write(in[1], "hello\n", 6), 6);
    assert_int_equal(result_of(read_input, NULL, YOKE_OPTIONS(yoke_process_options, .stdin_to = in[0])).code, 6);
    close(in[0]);
    close(in[1]);
}

static int check_null_streams(const yoke_args *args)
{
    struct stat null, out, err;

    (void)args;
    if (stat("/dev/null", &null) < 0 || fstat(1, &out) < 0 || fstat(2, &err) < 0)
        return 1;
    return out.st_rdev == null.st_rdev && err.st_rdev == null.st_rdev ? 0 : 2;
}

static void standard_streams_can_be_null(void **state)
{
    (void)state;
    yoke_result result =
        result_of(check_null_streams, NULL,
                  YOKE_OPTIONS(yoke_process_options, .stdout_to = YOKE_STDIO_NULL, .stderr_to = YOKE_STDIO_NULL));
    assert_int_equal(result.code, 0);
}

static void spawn_via_server_gives_the_same(void **state)
{
    char path[PATH_MAX];

    (void)state;
    if (method_under_test() != YOKE_START_SPAWN || !(yoke_start_methods() & 1u << YOKE_START_FORKSERVER))
        skip();
    assert_non_null(getcwd(path, sizeof path));
    const yoke_process_options *via = YOKE_OPTIONS(yoke_process_options, .via_server = YOKE_YES);
    assert_int_equal(result_of(check_directory, YOKE_ARGS(path), via).code, 0);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest surroundings[] = {
        cmocka_unit_test(environment_is_inherited_extended_or_replaced),
        cmocka_unit_test(working_directory_is_inherited_or_chosen),
        cmocka_unit_test(standard_streams_go_where_they_are_sent),
        cmocka_unit_test(standard_input_is_empty_unless_given),
        cmocka_unit_test(standard_streams_can_be_null),
        cmocka_unit_test(spawn_via_server_gives_the_same),
    };
    return run_under_methods(surroundings);
}
