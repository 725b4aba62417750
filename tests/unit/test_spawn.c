/*
 * Starting programs through libuv: what the child gets and what it does not, clean errors, and the host's SIGCHLD as it
 * was.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "backends/posix/posix.h"
#include "backends/posix/sys.h"
#include "fault/fault.h"
#include "support/child.h"
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

#define SECOND INT64_C(1000000000)

extern char **environ;

/* ---- the children: this program, told by its first argument what to look at; the answer is the exit code ---- */

static int count_descriptors(int count)
{
    yoke_native claimed[16];
    CHILD_CHECK(count <= 16 && yoke__posix_process.claim_natives(claimed, (size_t)count) == YOKE_OK);
    int here = leak_descriptors();
    for (int fd = 3; fd < 3 + count; fd++)
        CHILD_CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    return here;
}

static int copy_input(void)
{
    char byte;
    while (read(0, &byte, 1) == 1)
        CHILD_CHECK(write(1, &byte, 1) == 1);
    return 0;
}

static int tell_directory(void)
{
    char path[512];
    return getcwd(path, sizeof path) && strcmp(path, getenv("EXPECTED")) == 0 ? 7 : 8;
}

static int child_main(int argc, char **argv)
{
    const char *what = argv[1];

    if (strcmp(what, "exit") == 0)
        return argc > 2 ? atoi(argv[2]) : 0;
    if (strcmp(what, "descriptors") == 0)
        return count_descriptors(atoi(argv[2]));
    if (strcmp(what, "echo") == 0)
        return copy_input();
    if (strcmp(what, "environment") == 0)
        return environ[0] && strcmp(environ[0], "ONLY=this") == 0 && !environ[1] ? 7 : 8;
    if (strcmp(what, "directory") == 0)
        return tell_directory();
    if (strcmp(what, "wait") == 0)
        for (;;)
            pause();
    if (strcmp(what, "signals") == 0) {
        sigset_t         mask;
        struct sigaction pipe_action;
        sigaction(SIGPIPE, NULL, &pipe_action);
        pthread_sigmask(SIG_SETMASK, NULL, &mask);
        return sigismember(&mask, SIGUSR1) || pipe_action.sa_handler != SIG_DFL ? 8 : 7;
    }
    return 99;
}

/* ---- the parent's side ---- */

static yoke_launch launch_of(const char *const *arguments)
{
    return (yoke_launch){.struct_size = sizeof(yoke_launch),
                         .arguments = arguments,
                         .stdio = {YOKE_STDIO_NULL, YOKE_STDIO_INHERIT, YOKE_STDIO_INHERIT}};
}

static int finish(int64_t pid)
{
    return child_join((pid_t)pid);
}

static int run(const yoke_launch *launch)
{
    int64_t pid;
    assert_int_equal(yoke__posix_process.spawn(&pid, launch), YOKE_OK);
    return finish(pid);
}

static int run_self(const char *what, const char *argument)
{
    const char *const arguments[] = {"test_spawn", what, argument, NULL};
    yoke_launch       launch = launch_of(arguments);
    return run(&launch);
}

static void the_running_executable_runs(void **state)
{
    (void)state;
    assert_int_equal(run_self("exit", "23"), 23);
}

static void another_program_runs(void **state)
{
    (void)state;
    const char *const arguments[] = {"sh", "-c", "exit 9", NULL};
    yoke_launch       launch = launch_of(arguments);

    launch.program = "/bin/sh";
    assert_int_equal(run(&launch), 9);
}

static void a_child_has_the_descriptors_named_and_no_others(void **state)
{
    (void)state;
    const char *const arguments[] = {"test_spawn", "descriptors", "2", NULL};
    yoke_launch       launch = launch_of(arguments);
    yoke_native       ends[2];
    int               leaked = open("/dev/null", O_RDONLY); /* the host's own, by accident not close-on-exec */

    assert_int_equal(yoke__posix_lifeline(ends), YOKE_OK);
    launch.inherit = ends;
    launch.inherit_count = 2;
    assert_int_equal(run(&launch), 5);
    close(leaked);
    close((int)ends[0]);
    close((int)ends[1]);
}

/* As on systems where no call marks them all at once. */
static void a_child_has_no_others_where_each_is_marked_singly(void **state)
{
    (void)state;
    const char *const arguments[] = {"test_spawn", "descriptors", "0", NULL};
    yoke_launch       launch = launch_of(arguments);
    int               leaked = open("/dev/null", O_RDONLY);

    fault_on("close_range", 1, 1, ENOSYS);
    assert_int_equal(run(&launch), 3);
    fault_off();
    close(leaked);
}

static void natives_in_each_others_places_arrive_in_order(void **state)
{
    (void)state;
    const char *const arguments[] = {"sh", "-c", "echo three >&3; echo four >&4", NULL};
    yoke_launch       launch = launch_of(arguments);
    int               first[2], second[2];
    char              text[16];

    assert_int_equal(pipe2(first, O_CLOEXEC), 0);
    assert_int_equal(pipe2(second, O_CLOEXEC), 0);
    yoke_native given[2] = {second[1], first[1]}; /* the lower one here becomes the higher one there */
    launch.program = "/bin/sh";
    launch.inherit = given;
    launch.inherit_count = 2;
    assert_int_equal(run(&launch), 0);
    assert_int_equal(read(second[0], text, sizeof text), 6);
    assert_memory_equal(text, "three\n", 6);
    assert_int_equal(read(first[0], text, sizeof text), 5);
    for (int i = 0; i < 2; i++) {
        close(first[i]);
        close(second[i]);
    }
}

static void standard_descriptors_go_where_they_are_sent(void **state)
{
    (void)state;
    const char *const arguments[] = {"test_spawn", "echo", NULL};
    yoke_launch       launch = launch_of(arguments);
    int               in[2], out[2];
    char              text[16];
    int64_t           pid;

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    launch.stdio[0] = in[0];
    launch.stdio[1] = out[1];
    assert_int_equal(yoke__posix_process.spawn(&pid, &launch), YOKE_OK);
    close(in[0]);
    close(out[1]);
    assert_int_equal(write(in[1], "hello", 5), 5);
    close(in[1]);
    assert_int_equal(finish(pid), 0);
    assert_int_equal(read(out[0], text, sizeof text), 5);
    close(out[0]);
}

static void the_null_device_ends_at_once(void **state)
{
    (void)state;
    const char *const arguments[] = {"test_spawn", "echo", NULL};
    yoke_launch       launch = launch_of(arguments);

    launch.stdio[1] = YOKE_STDIO_NULL;
    assert_int_equal(run(&launch), 0);
}

static int without_output(void *unused)
{
    (void)unused;
    close(1);
    return run_self("exit", "6");
}

static void a_closed_standard_descriptor_is_the_null_device(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(without_output, NULL)), 6);
}

static void the_environment_is_what_is_given(void **state)
{
    (void)state;
    const char *const arguments[] = {"test_spawn", "environment", NULL};
    const char *const only[] = {"ONLY=this", NULL};
    yoke_launch       launch = launch_of(arguments);

    assert_int_equal(run(&launch), 8);
    launch.environment = only;
    assert_int_equal(run(&launch), 7);
}

static void the_directory_is_what_is_given(void **state)
{
    (void)state;
    const char *const arguments[] = {"test_spawn", "directory", NULL};
    const char *const environment[] = {"EXPECTED=/usr", NULL};
    yoke_launch       launch = launch_of(arguments);

    launch.environment = environment;
    assert_int_equal(run(&launch), 8);
    launch.working_directory = "/usr";
    assert_int_equal(run(&launch), 7);
}

static void a_child_starts_with_signals_as_by_default(void **state)
{
    (void)state;
    sigset_t mask, old;

    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &mask, &old);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(run_self("signals", NULL), 7);
    signal(SIGPIPE, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* ---- errors ---- */

static int refused(const char *program, const char *directory)
{
    const char *const arguments[] = {"nothing", NULL};
    yoke_launch       launch = launch_of(arguments);
    int64_t           pid = 77;
    int               before = leak_descriptors();

    launch.program = program;
    launch.working_directory = directory;
    int rc = yoke__posix_process.spawn(&pid, &launch);
    assert_int_equal(pid, 77);
    assert_int_equal(leak_descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child left */
    return rc;
}

static void a_missing_executable_is_named(void **state)
{
    (void)state;
    assert_int_equal(refused("/nowhere/program", NULL), YOKE_ENOENT);
    assert_non_null(strstr(yoke_last_error()->text, "/nowhere/program"));
}

static void what_may_not_run_is_told(void **state)
{
    (void)state;
    assert_int_equal(refused("/etc/passwd", NULL), YOKE_EACCES);
    assert_int_equal(refused("/", NULL), YOKE_EACCES);
}

static void a_missing_directory_is_named(void **state)
{
    (void)state;
    assert_int_equal(refused("/bin/true", "/nowhere/directory"), YOKE_ENOENT);
    assert_non_null(strstr(yoke_last_error()->text, "/nowhere/directory"));
}

static void a_bad_native_is_told(void **state)
{
    (void)state;
    const char *const arguments[] = {"test_spawn", "exit", NULL};
    yoke_launch       launch = launch_of(arguments);
    yoke_native       bad = 9999;
    int64_t           pid = 77;

    launch.inherit = &bad;
    launch.inherit_count = 1;
    assert_int_equal(yoke__posix_process.spawn(&pid, &launch), YOKE_EINVAL);
    assert_int_equal(pid, 77);
}

/* Each number of free descriptors from none upwards, until it works: no crash, nothing lost, a sentence each time. */
static int with_few_descriptors(void *unused)
{
    const char *const arguments[] = {"test_spawn", "exit", "3", NULL};
    yoke_launch       launch = launch_of(arguments);
    struct rlimit     limit;
    int64_t           pid;
    int               next = dup(0), lacking = 0;

    (void)unused;
    close(next);
    CHILD_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (rlim_t room = 0;; room++) {
        int before = leak_descriptors();
        limit.rlim_cur = (rlim_t)next + room;
        CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        int rc = yoke__posix_process.spawn(&pid, &launch);
        limit.rlim_cur = limit.rlim_max;
        CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        CHILD_CHECK(leak_descriptors() == before);
        if (rc == YOKE_OK)
            break;
        CHILD_CHECK(rc == YOKE_ENOMEM);
        CHILD_CHECK(strlen(yoke_last_error()->text) > 0);
        lacking++;
    }
    CHILD_CHECK(finish(pid) == 3);
    return lacking > 2 ? 0 : 1;
}

static void lack_of_descriptors_is_a_clean_error(void **state)
{
    (void)state;
    if (getenv("YOKE_VALGRIND"))
        skip(); /* keeps descriptors for itself, beyond the limit */
    assert_int_equal(child_join(child_start(with_few_descriptors, NULL)), 0);
}

/* ---- the host's SIGCHLD ---- */

static volatile sig_atomic_t handled;

static void host_handler(int number)
{
    (void)number;
    handled++;
}

static void set_disposition(void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGUSR2);
    assert_int_equal(sigaction(SIGCHLD, &action, NULL), 0);
}

static void the_hosts_handler_stays_and_is_called(void **state)
{
    (void)state;
    struct sigaction  after;
    int64_t           pid;
    const char *const arguments[] = {"test_spawn", "wait", NULL};
    yoke_launch       launch = launch_of(arguments);

    handled = 0;
    set_disposition(host_handler, SA_RESTART);
    assert_int_equal(yoke__posix_process.spawn(&pid, &launch), YOKE_OK);
    assert_int_equal(sigaction(SIGCHLD, NULL, &after), 0);
    assert_true(after.sa_handler == host_handler);
    assert_true(after.sa_flags & SA_RESTART);
    assert_true(sigismember(&after.sa_mask, SIGUSR2));
    assert_int_equal(handled, 1); /* made up for what may have been swallowed */
    kill((pid_t)pid, SIGKILL);
    assert_int_equal(finish(pid), 1000 + SIGKILL);
    assert_int_equal(handled, 2);
    set_disposition(SIG_DFL, 0);
}

static void the_default_stays_the_default(void **state)
{
    (void)state;
    struct sigaction after;

    assert_int_equal(run_self("exit", "0"), 0);
    assert_int_equal(sigaction(SIGCHLD, NULL, &after), 0);
    assert_true(after.sa_handler == SIG_DFL);
}

static int ignoring_host(void *unused)
{
    const char *const arguments[] = {"test_spawn", "exit", NULL};
    yoke_launch       launch = launch_of(arguments);
    yoke_exit_status  status;
    yoke_identity     who;
    yoke_native       life;
    struct sigaction  after;
    int64_t           pid;

    (void)unused;
    signal(SIGCHLD, SIG_IGN);
    /* A child of the host's that is dead already when libuv's handler goes: it must not stay a zombie. */
    CHILD_CHECK(yoke__posix_process.spawn(&pid, &launch) == YOKE_OK);
    CHILD_CHECK(sigaction(SIGCHLD, NULL, &after) == 0 && after.sa_handler == SIG_IGN);
    if (yoke__posix_life.identify(&who, pid) == YOKE_OK && yoke__posix_life.watch(&life, &who) == YOKE_OK)
        CHILD_CHECK(yoke__posix_life.wait(life, 10 * SECOND) == YOKE_OK);
    int rc;
    do
        rc = yoke__posix_process.reap(&status, pid);
    while (rc == YOKE_EBUSY);
    CHILD_CHECK(rc == YOKE_OK);
    errno = 0;
    CHILD_CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    return 0;
}

static void a_host_that_ignores_it_goes_on_so(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(ignoring_host, NULL)), 0);
}

/* The host has a loop of its own with a child of its own: libuv's handler must stay for it. */
static void child_exited(uv_process_t *process, int64_t status, int number)
{
    *(int64_t *)process->data = status;
    (void)number;
    uv_close((uv_handle_t *)process, NULL);
}

static void a_host_with_its_own_loop_gets_its_exits(void **state)
{
    (void)state;
    uv_loop_t            loop;
    uv_process_t         process;
    int64_t              status = -1;
    char                *arguments[] = {(char *)"sh", (char *)"-c", (char *)"read line; exit 4", NULL};
    int                  in[2];
    uv_stdio_container_t input;

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    input.flags = UV_INHERIT_FD;
    input.data.fd = in[0];
    uv_process_options_t options = {
        .exit_cb = child_exited, .file = "/bin/sh", .args = arguments, .stdio = &input, .stdio_count = 1};
    process.data = &status;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_spawn(&loop, &process, &options), 0);
    close(in[0]);
    assert_int_equal(run_self("exit", "5"), 5);
    close(in[1]);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(status, 4);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void *spawn_many(void *failures)
{
    for (int i = 0; i < 25; i++) {
        const char *const arguments[] = {"test_spawn", "exit", "1", NULL};
        yoke_launch       launch = launch_of(arguments);
        int64_t           pid;
        if (yoke__posix_process.spawn(&pid, &launch) != YOKE_OK || finish(pid) != 1)
            ++*(int *)failures;
    }
    return NULL;
}

static void several_threads_may_start_at_a_time(void **state)
{
    (void)state;
    pthread_t threads[3];
    int       failures[3] = {0};

    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, spawn_many, &failures[i]), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(failures[i], 0);
    }
}

/* Putting the signal back may fail in theory; the start is done all the same, and nothing leaks. */
static void failing_calls_leave_nothing(void **state)
{
    (void)state;
    const char *const arguments[] = {"test_spawn", "exit", NULL};
    yoke_launch       launch = launch_of(arguments);

    for (fault_sweep sweep = fault_sweep_start(EINVAL); fault_sweep_next(&sweep);) {
        int     before = leak_descriptors();
        int64_t pid;
        assert_int_equal(yoke__posix_process.spawn(&pid, &launch), YOKE_OK);
        assert_int_equal(finish(pid), 0);
        assert_int_equal(leak_descriptors(), before);
    }
}

static int setup(void **state)
{
    uv_loop_t loop; /* libuv's first loop opens a pipe that stays */
    return uv_loop_init(&loop) == 0 && uv_loop_close(&loop) == 0 ? leak_setup(state) : -1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_running_executable_runs),
        cmocka_unit_test(another_program_runs),
        cmocka_unit_test(a_child_has_the_descriptors_named_and_no_others),
        cmocka_unit_test(a_child_has_no_others_where_each_is_marked_singly),
        cmocka_unit_test(natives_in_each_others_places_arrive_in_order),
        cmocka_unit_test(standard_descriptors_go_where_they_are_sent),
        cmocka_unit_test(the_null_device_ends_at_once),
        cmocka_unit_test(a_closed_standard_descriptor_is_the_null_device),
        cmocka_unit_test(the_environment_is_what_is_given),
        cmocka_unit_test(the_directory_is_what_is_given),
        cmocka_unit_test(a_child_starts_with_signals_as_by_default),
        cmocka_unit_test(a_missing_executable_is_named),
        cmocka_unit_test(what_may_not_run_is_told),
        cmocka_unit_test(a_missing_directory_is_named),
        cmocka_unit_test(a_bad_native_is_told),
        cmocka_unit_test(lack_of_descriptors_is_a_clean_error),
        cmocka_unit_test(the_hosts_handler_stays_and_is_called),
        cmocka_unit_test(the_default_stays_the_default),
        cmocka_unit_test(a_host_that_ignores_it_goes_on_so),
        cmocka_unit_test(a_host_with_its_own_loop_gets_its_exits),
        cmocka_unit_test(several_threads_may_start_at_a_time),
        cmocka_unit_test(failing_calls_leave_nothing),
    };
    if (argc > 1)
        return child_main(argc, argv);
    return cmocka_run_group_tests_name("spawn", tests, setup, leak_teardown);
}
