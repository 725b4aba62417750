/* Bad input to starting: a clear error each, and nothing lost. */
#include "core/process/record.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(yoke_function *function, const yoke_item *arguments, const yoke_process_options *options)
{
    yoke_process *untouched = (yoke_process *)1, *process = untouched;
    int           rc = yoke_process_start(&process, function, arguments, options);

    assert_ptr_equal(process, untouched);
    assert_int_equal(yoke_active_children(NULL, 0), 0);
    return rc;
}

#define START(...) refuse(return_number, YOKE_ARGS(1), YOKE_OPTIONS(yoke_process_options, __VA_ARGS__))
#define WRONG_SIZE (&(const yoke_process_options){.struct_size = 3})

/* ---- options ---- */

static void options_out_of_range_are_named(void **state)
{
    char long_name[65];

    (void)state;
    memset(long_name, 'n', 64);
    long_name[64] = '\0';
    assert_fails(refuse(return_number, NULL, WRONG_SIZE), YOKE_EINVAL, "struct_size");
    assert_fails(START(.name = ""), YOKE_EINVAL, "name");
    assert_fails(START(.name = long_name), YOKE_EINVAL, "64 bytes");
    assert_fails(START(.method = (yoke_start_method)77), YOKE_EINVAL, "77");
    assert_fails(START(.daemon = (yoke_choice)9), YOKE_EINVAL, "daemon");
    assert_fails(START(.stdout_to = -7), YOKE_EINVAL, "stdout_to");
    assert_fails(START(.stdin_to = 999), YOKE_EINVAL, "stdin_to is 999");
    assert_fails(START(.stderr_to = INTPTR_MAX), YOKE_EINVAL, "stderr_to");
    assert_fails(START(.working_directory = ""), YOKE_EINVAL, "working directory");
    assert_fails(START(.environment = ((const char *const[]){"NOVALUE", NULL})), YOKE_EINVAL, "NOVALUE");
    assert_fails(START(.environment_add = ((const char *const[]){"=x", NULL})), YOKE_EINVAL, "no name");
    assert_fails(refuse(NULL, NULL, NULL), YOKE_EINVAL, "a function");
}

static void options_of_another_method_are_refused(void **state)
{
    (void)state;
    assert_fails(START(.method = YOKE_START_FORK, .executable = "/bin/true"), YOKE_ENOTSUP, "/bin/true");
    assert_fails(START(.method = YOKE_START_FORKSERVER, .executable = "/bin/true"), YOKE_ENOTSUP, "spawn");
    assert_fails(START(.method = YOKE_START_FORK, .via_server = YOKE_YES), YOKE_ENOTSUP, "via_server");
}

static void unknown_method_names_are_refused(void **state)
{
    yoke_start_method method = YOKE_START_FORK;

    (void)state;
    assert_fails(yoke_start_method_parse(&method, "spoon"), YOKE_EINVAL, "\"spoon\"");
    assert_fails(yoke_start_method_parse(&method, NULL), YOKE_EINVAL, "spawn, fork, forkserver");
    assert_int_equal(method, YOKE_START_FORK);
    assert_ok(yoke_start_method_parse(&method, "spawn"));
    assert_int_equal(method, YOKE_START_SPAWN);
    assert_fails(yoke_set_start_method((yoke_start_method)5), YOKE_EINVAL, "5");
    assert_null(yoke_start_method_name((yoke_start_method)5));
}

static int start_with_bad_variable(void *user)
{
    yoke_process *process;

    (void)user;
    setenv("YOKE_START_METHOD", "spoon", 1);
    CHILD_CHECK(yoke_set_start_method(YOKE_START_DEFAULT) == YOKE_OK);
    CHILD_CHECK(yoke_process_start(&process, return_number, YOKE_ARGS(1), NULL) == YOKE_EINVAL);
    CHILD_CHECK(strstr(yoke_last_error()->text, "YOKE_START_METHOD") != NULL);
    CHILD_CHECK(strstr(yoke_last_error()->text, "spoon") != NULL);
    CHILD_CHECK(yoke_get_start_method() == YOKE_START_DEFAULT);
    return 0;
}

static void unknown_method_in_the_environment_is_refused(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(start_with_bad_variable, NULL)), 0);
}

/* ---- functions and executables ---- */

static int data[4];

static void what_is_no_function_is_refused(void **state)
{
    yoke_function *wrong;
    void          *address = data;

    (void)state;
    if (method_under_test() == YOKE_START_FORK)
        skip(); /* it would be called as it is, as everywhere in C */
    memcpy(&wrong, &address, sizeof wrong);
    assert_int_equal(refuse(wrong, NULL, NULL), YOKE_EINVAL);
    address = malloc(64);
    memcpy(&wrong, &address, sizeof wrong);
    assert_int_equal(refuse(wrong, NULL, NULL), YOKE_EINVAL);
    free(address);
}

static void missing_executable_is_told_at_once(void **state)
{
    char path[64];

    (void)state;
    assert_fails(START(.method = YOKE_START_SPAWN, .executable = "/nowhere/at/all"), YOKE_ENOENT, "/nowhere/at/all");
    snprintf(path, sizeof path, "/tmp/yoke-test-bad-%d", (int)getpid());
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_fails(START(.method = YOKE_START_SPAWN, .executable = path), YOKE_EACCES, path);
    unlink(path);
}

/* It runs, but never asks for its record. */
static void executable_without_yoke_is_told_by_the_result(void **state)
{
    yoke_process *process;

    (void)state;
    assert_ok(yoke_process_start_named(
        &process, "anything", NULL,
        YOKE_OPTIONS(yoke_process_options, .method = YOKE_START_SPAWN, .executable = "/bin/true")));
    yoke_result result = finish(process);
    assert_int_equal(result.how, YOKE_NOT_STARTED);
    assert_non_null(strstr(result.text, "yoke_main"));
}

/* Another program that has yoke: this function's place means nothing there. */
static void function_of_another_build_is_told_by_the_result(void **state)
{
    yoke_process *process;
    char          path[PATH_MAX + 32];
    ssize_t       length = readlink("/proc/self/exe", path, PATH_MAX);

    (void)state;
    assert_true(length > 0);
    path[length] = '\0';
    snprintf(strrchr(path, '/'), 32, "/conformance.process");
    assert_int_equal(access(path, X_OK), 0); /* built before this one */
    assert_ok(yoke_process_start(&process, return_number, YOKE_ARGS(1),
                                 YOKE_OPTIONS(yoke_process_options, .method = YOKE_START_SPAWN, .executable = path)));
    yoke_result result = finish(process);
    assert_int_equal(result.how, YOKE_NOT_STARTED);
    assert_int_equal(result.error, YOKE_EINVAL);
}

static void missing_directory_is_told(void **state)
{
    yoke_process *process;

    (void)state;
    const yoke_process_options *options = YOKE_OPTIONS(yoke_process_options, .working_directory = "/nowhere/at/all");
    int                         rc = yoke_process_start(&process, return_number, YOKE_ARGS(1), options);
    if (rc < 0) {
        assert_fails(rc, YOKE_ENOENT, "/nowhere/at/all");
        return;
    }
    yoke_result result = finish(process); /* a forked child can only find out itself */
    assert_int_equal(result.how, YOKE_NOT_STARTED);
    assert_int_equal(result.error, YOKE_ENOENT);
    assert_non_null(strstr(result.text, "/nowhere/at/all"));
}

/* ---- arguments ---- */

static void what_are_no_arguments_is_refused(void **state)
{
    int64_t     no_handle[64] = {0};
    yoke_lock  *lock;
    const char *big = "";

    (void)state;
    assert_fails(refuse(return_number, YOKE_VALUE_OF(1), NULL), YOKE_EINVAL, "YOKE_ARGS");
    assert_fails(refuse(return_number, YOKE_ARGS((yoke_queue *)NULL), NULL), YOKE_EINVAL, "NULL");
    assert_int_equal(refuse(return_number, YOKE_ARGS((yoke_queue *)(void *)no_handle), NULL), YOKE_EINVAL);
    assert_ok(yoke_lock_create(&lock, NULL));
    assert_int_equal(refuse(return_number, YOKE_ARGS((yoke_queue *)(void *)lock), NULL), YOKE_EINVAL);
    assert_fails(refuse(return_number, YOKE_ARGS(YOKE_GIVE(lock)), NULL), YOKE_EINVAL, "no connection");
    yoke_lock_close(lock);
    /* never read: the size alone is too much */
    assert_fails(refuse(return_number, YOKE_ARGS(YOKE_BYTES(big, (size_t)3 << 30)), NULL), YOKE_EMSGSIZE, "bytes");
}

static int ask_wrongly(const yoke_args *args)
{
    switch (yoke_args_int(args, 0)) {
    case 0:
        return yoke_args_int(args, 5);
    case 1:
        return yoke_args_string(args, 0) != NULL;
    case 2:
        return yoke_args_int(args, 1);
    case 3:
        return yoke_args_lock(args, 2) != NULL;
    default:
        return 0;
    }
}

static void wrong_index_kind_and_range_are_told(void **state)
{
    const char *const text[] = {"argument 5", "not 'string'", "argument 1", "argument 2"};
    yoke_queue       *queue;

    (void)state;
    assert_ok(yoke_queue_create(&queue, NULL));
    for (int i = 0; i < 4; i++) {
        yoke_result result = result_of(ask_wrongly, YOKE_ARGS(i, INT64_MAX, queue),
                                       YOKE_OPTIONS(yoke_process_options, .stderr_to = YOKE_STDIO_NULL));
        assert_int_equal(result.how, YOKE_BAD_ARGUMENTS);
        assert_non_null(strstr(result.text, text[i]));
    }
    yoke_queue_close(queue);
}

/* A connection that can't go along leaves those before it as they were. */
static void connections_survive_a_failed_start(void **state)
{
    yoke_conn *a, *b, *c, *d;
    char       line[16];

    (void)state;
    assert_ok(yoke_pipe_create(&a, &b, NULL));
    assert_ok(yoke_pipe_create(&c, &d, NULL));
    yoke_conn_close(d);
    assert_int_equal(refuse(return_number, YOKE_ARGS(YOKE_GIVE(b), b), NULL), YOKE_EBUSY);
    assert_int_equal(refuse(return_number, YOKE_ARGS(b, (yoke_queue *)NULL), NULL), YOKE_EINVAL);
    assert_fails(refuse(return_number, YOKE_ARGS(YOKE_GIVE(b)),
                        YOKE_OPTIONS(yoke_process_options, .method = YOKE_START_SPAWN, .executable = "/nowhere")),
                 YOKE_ENOENT, "/nowhere");
    assert_ok(yoke_conn_send_string(b, "still here", YOKE_FOREVER));
    assert_ok(yoke_conn_recv_string(a, line, sizeof line, YOKE_FOREVER));
    assert_string_equal(line, "still here");
    yoke_conn_close(a);
    yoke_conn_close(b);
    yoke_conn_close(c);
}

/* ---- scarcity ---- */

static void lack_of_descriptors_is_told_and_nothing_lost(void **state)
{
    struct rlimit before, tight;
    int           fill[256], used = 0, fd;
    yoke_queue   *queue;

    (void)state;
    assert_ok(yoke_queue_create(&queue, NULL));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)leak_descriptors() + 40;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    while (used < 256 && (fd = dup(0)) >= 0)
        fill[used++] = fd;
    for (int spare = 0; spare < 3 && used > 0; spare++) { /* whatever step it fails at */
        yoke_process *process;
        int           rc = yoke_process_start(&process, return_number, YOKE_ARGS(1, queue), NULL);
        if (rc == YOKE_OK)
            (void)finish(process);
        else
            assert_int_equal(rc, YOKE_ENOMEM);
        if (spare == 0)
            assert_int_equal(rc, YOKE_ENOMEM);
        close(fill[--used]);
    }
    while (used > 0)
        close(fill[--used]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(result_of(return_number, YOKE_ARGS(4, queue), NULL).code, 4);
    yoke_queue_close(queue);
}

static void lack_of_memory_is_told_and_nothing_lost(void **state)
{
    size_t size = (size_t)64 << 20; /* more than main() allows the domain */

    (void)state;
    if (method_under_test() == YOKE_START_FORK)
        skip(); /* arguments lie in inherited memory */
    uint8_t *bytes = calloc(1, size);
    assert_non_null(bytes);
    assert_int_equal(refuse(return_number, YOKE_ARGS(1, YOKE_BYTES(bytes, size)), NULL), YOKE_ENOMEM);
    free(bytes);
    assert_int_equal(result_of(return_number, YOKE_ARGS(4), NULL).code, 4);
}

int main(int argc, char **argv)
{
    yoke_process *process;

    if (argc < 2) { /* not a child */
        if (yoke_process_start(&process, return_number, YOKE_ARGS(1), NULL) != YOKE_EINVAL ||
            !strstr(yoke_last_error()->text, "yoke_main"))
            return 98;
    }
    if (yoke_domain_configure(YOKE_OPTIONS(yoke_domain_options, .max_bytes = (uint64_t)32 << 20)) < 0)
        return 97;
    yoke_main(argc, argv);
    const struct CMUnitTest bad_starts[] = {
        cmocka_unit_test(options_out_of_range_are_named),
        cmocka_unit_test(options_of_another_method_are_refused),
        cmocka_unit_test(unknown_method_names_are_refused),
        cmocka_unit_test(unknown_method_in_the_environment_is_refused),
        cmocka_unit_test(what_is_no_function_is_refused),
        cmocka_unit_test(missing_executable_is_told_at_once),
        cmocka_unit_test(executable_without_yoke_is_told_by_the_result),
        cmocka_unit_test(function_of_another_build_is_told_by_the_result),
        cmocka_unit_test(missing_directory_is_told),
        cmocka_unit_test(what_are_no_arguments_is_refused),
        cmocka_unit_test(wrong_index_kind_and_range_are_told),
        cmocka_unit_test(connections_survive_a_failed_start),
        cmocka_unit_test(lack_of_descriptors_is_told_and_nothing_lost),
        cmocka_unit_test(lack_of_memory_is_told_and_nothing_lost),
    };
    return run_under_methods(bad_starts);
}
