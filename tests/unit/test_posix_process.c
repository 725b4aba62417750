/* The process group of the POSIX backend: redirecting, reaping, signalling, serving, traits; and each of its calls into
 * the system failing in turn. */
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
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

extern char **environ;

static const yoke_process_ops *const ops = &yoke__posix_process;

static const yoke_native as_it_is[3] = {YOKE_STDIO_INHERIT, YOKE_STDIO_INHERIT, YOKE_STDIO_INHERIT};

static int wait_forever(void *unused)
{
    (void)unused;
    while (pause() < 0)
        continue;
    return 0;
}

static int exit_with(void *code)
{
    return *(int *)code;
}

/* Lives until the gate is closed, so that a watch can be set on it. */
static int gate[2];

static int exit_after_gate(void *code)
{
    char byte;
    close(gate[1]);
    CHILD_CHECK(read(gate[0], &byte, 1) == 0);
    return *(int *)code;
}

/* valgrind keeps pidfds from its guests. */
static void need_watches(void)
{
    if (getenv("YOKE_VALGRIND"))
        skip();
}

static yoke_native watch(pid_t pid)
{
    yoke_identity who;
    yoke_native   life;

    assert_int_equal(yoke__posix_life.identify(&who, pid), YOKE_OK);
    assert_int_equal(yoke__posix_life.watch(&life, &who), YOKE_OK);
    return life;
}

static void await(yoke_native life)
{
    assert_int_equal(yoke__posix_life.wait(life, 10 * SECOND), YOKE_OK);
}

/* A zombie, watched. */
static pid_t dead_child(int code, yoke_native *life)
{
    assert_int_equal(pipe(gate), 0);
    pid_t pid = child_start(exit_after_gate, &code);
    *life = watch(pid);
    close(gate[0]);
    close(gate[1]);
    await(*life);
    return pid;
}

/* ---- fork ---- */

static void fork_tells_each_side(void **state)
{
    (void)state;
    int64_t pid = -1;

    assert_int_equal(ops->fork(&pid), YOKE_OK);
    if (pid == 0)
        ops->exit_now(4);
    assert_int_equal(child_join((pid_t)pid), 4);
    pid = -1;
    fault_on("fork", 1, 1, EAGAIN);
    int rc = ops->fork(&pid);
    fault_off();
    assert_int_equal(rc, YOKE_ENOMEM);
    assert_int_equal(pid, -1);
}

/* ---- redirect ---- */

static int swap_outputs(void *ends)
{
    const int  *pipes = ends; /* out, err */
    yoke_native first[3] = {YOKE_STDIO_NULL, pipes[0], pipes[1]};
    yoke_native swapped[3] = {YOKE_STDIO_INHERIT, 2, 1};

    CHILD_CHECK(ops->redirect(first, NULL, NULL) == YOKE_OK);
    CHILD_CHECK(write(1, "a", 1) == 1);
    CHILD_CHECK(ops->redirect(swapped, NULL, NULL) == YOKE_OK);
    CHILD_CHECK(write(1, "b", 1) == 1 && write(2, "c", 1) == 1);
    char byte;
    CHILD_CHECK(read(0, &byte, 1) == 0);
    return (fcntl(1, F_GETFD) & FD_CLOEXEC) ? 1 : 0;
}

static void standard_descriptors_may_change_places(void **state)
{
    (void)state;
    int  out[2], err[2], given[2];
    char text[8];

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    given[0] = out[1];
    given[1] = err[1];
    assert_int_equal(child_join(child_start(swap_outputs, given)), 0);
    assert_int_equal(read(out[0], text, sizeof text), 2);
    assert_memory_equal(text, "ac", 2);
    assert_int_equal(read(err[0], text, sizeof text), 1);
    assert_memory_equal(text, "b", 1);
    for (int i = 0; i < 2; i++) {
        close(out[i]);
        close(err[i]);
    }
}

static int change_surroundings(void *unused)
{
    char              path[64];
    char              variable[] = "YOKE_TEST=yes";
    const char *const environment[] = {variable, "SECOND=", NULL};

    (void)unused;
    CHILD_CHECK(ops->redirect(as_it_is, "/usr", environment) == YOKE_OK);
    memset(variable, 'x', sizeof variable - 1); /* it was copied */
    CHILD_CHECK(strcmp(getcwd(path, sizeof path), "/usr") == 0);
    CHILD_CHECK(strcmp(getenv("YOKE_TEST"), "yes") == 0 && getenv("SECOND") && !getenv("PATH"));
    CHILD_CHECK(ops->environment() == (const char *const *)environ && ops->environment()[2] == NULL);
    CHILD_CHECK(setenv("THIRD", "3", 1) == 0 && strcmp(getenv("YOKE_TEST"), "yes") == 0);
    return 0;
}

static void directory_and_environment_are_changed(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(change_surroundings, NULL)), 0);
}

static void a_missing_directory_changes_nothing(void **state)
{
    (void)state;
    const char *const environment[] = {"ONLY=this", NULL};
    const yoke_native null[3] = {YOKE_STDIO_NULL, YOKE_STDIO_NULL, YOKE_STDIO_NULL};
    struct stat       before, after;

    assert_int_equal(fstat(1, &before), 0);
    assert_int_equal(ops->redirect(null, "/nowhere", environment), YOKE_ENOENT);
    assert_non_null(strstr(yoke_last_error()->text, "/nowhere"));
    assert_int_equal(fstat(1, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_null(getenv("ONLY"));
}

static int redirect_with_faults(void *unused)
{
    const yoke_native null[3] = {YOKE_STDIO_NULL, 2, YOKE_STDIO_NULL};
    const char *const environment[] = {"ONLY=this", NULL};

    (void)unused;
    for (fault_sweep sweep = fault_sweep_start(EMFILE); fault_sweep_next(&sweep);) {
        int  before = leak_descriptors();
        int  rc = ops->redirect(null, "/", environment);
        bool hit = fault_hit() && strcmp(fault_name(), "close") != 0;
        CHILD_CHECK((rc < 0) == hit);
        CHILD_CHECK(leak_descriptors() == before);
        CHILD_CHECK(rc < 0 || getenv("ONLY"));
    }
    return 0;
}

static void failing_calls_of_redirect_leave_nothing(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(redirect_with_faults, NULL)), 0);
}

/* ---- reap ---- */

static void an_exit_status_is_taken_once(void **state)
{
    (void)state;
    need_watches();
    yoke_exit_status status;
    yoke_native      life;
    pid_t            pid = dead_child(77, &life);

    assert_int_equal(ops->reap(&status, pid), YOKE_OK);
    assert_true(status.known);
    assert_int_equal(status.code, 77);
    assert_int_equal(status.signal, 0);
    assert_int_equal(ops->reap(&status, pid), YOKE_OK); /* somebody has taken it */
    assert_false(status.known);
    yoke__posix_life.close(life);
}

static void a_running_child_is_not_reaped(void **state)
{
    (void)state;
    need_watches();
    yoke_exit_status status = {.code = 5};
    pid_t            pid = child_start(wait_forever, NULL);
    yoke_native      life = watch(pid);

    assert_int_equal(ops->reap(&status, pid), YOKE_EBUSY);
    assert_int_equal(status.code, 5);
    assert_int_equal(ops->signal(pid, life, YOKE_SIGNAL_KILL), YOKE_OK);
    await(life);
    fault_on("waitpid", 1, 2, EINTR);
    int rc = ops->reap(&status, pid);
    fault_off();
    assert_int_equal(rc, YOKE_OK);
    assert_int_equal(status.signal, SIGKILL);
    yoke__posix_life.close(life);
}

static int reap_with_host(void *unused)
{
    int              code = 1;
    yoke_exit_status status;

    (void)unused;
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = child_start(exit_with, &code);
    int   rc;
    while ((rc = ops->reap(&status, pid)) == YOKE_EBUSY)
        sched_yield();
    return rc == YOKE_OK && !status.known ? 0 : 1;
}

static void a_host_that_ignores_children_leaves_no_status(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(reap_with_host, NULL)), 0);
}

/* ---- signals ---- */

static void signals_arrive(void **state)
{
    (void)state;
    need_watches();
    static const struct {
        yoke_signal which;
        int         number;
    } all[] = {{YOKE_SIGNAL_INTERRUPT, SIGINT}, {YOKE_SIGNAL_TERMINATE, SIGTERM}, {YOKE_SIGNAL_KILL, SIGKILL}};

    for (int by_pid = 0; by_pid < 2; by_pid++) { /* as on systems and kernels without pidfds */
        for (size_t i = 0; i < 3; i++) {
            pid_t       pid = child_start(wait_forever, NULL);
            yoke_native life = watch(pid);
            if (by_pid)
                fault_on("pidfd_send_signal", 1, 1, ENOSYS);
            int rc = ops->signal(pid, life, all[i].which);
            fault_off();
            assert_int_equal(rc, YOKE_OK);
            assert_int_equal(child_join(pid), 1000 + all[i].number);
            yoke__posix_life.close(life);
        }
    }
    assert_int_equal(ops->signal(getpid(), YOKE_NO_NATIVE, (yoke_signal)99), YOKE_EINVAL);
}

static void the_dead_get_no_signal(void **state)
{
    (void)state;
    need_watches();
    yoke_native life;
    pid_t       pid = dead_child(0, &life);

    assert_int_equal(child_join(pid), 0);
    assert_int_equal(ops->signal(pid, life, YOKE_SIGNAL_KILL), YOKE_ENOENT);
    fault_on("pidfd_send_signal", 1, 1, ENOSYS);
    int rc = ops->signal(pid, life, YOKE_SIGNAL_KILL);
    fault_off();
    assert_int_equal(rc, YOKE_ENOENT);
    assert_int_equal(ops->signal(pid, YOKE_NO_NATIVE, YOKE_SIGNAL_KILL), YOKE_ENOENT); /* never by the bare number */
    yoke__posix_life.close(life);
}

static void a_refused_signal_is_told(void **state)
{
    (void)state;
    need_watches();
    pid_t       pid = child_start(wait_forever, NULL);
    yoke_native life = watch(pid);

    fault_on("pidfd_send_signal", 1, 1, EPERM);
    int rc = ops->signal(pid, life, YOKE_SIGNAL_TERMINATE);
    fault_off();
    assert_int_equal(rc, YOKE_EACCES);
    child_kill(pid);
    yoke__posix_life.close(life);
}

/* ---- natives ---- */

static void a_duplicate_is_no_standard_descriptor(void **state)
{
    (void)state;
    yoke_native copy = 77;

    assert_int_equal(ops->native_duplicate(&copy, 1), YOKE_OK);
    assert_true(copy > 2);
    assert_true(fcntl((int)copy, F_GETFD) & FD_CLOEXEC);
    ops->native_close(copy);
    ops->native_close(YOKE_NO_NATIVE);
    assert_int_equal(ops->native_duplicate(&copy, 9999), YOKE_EIO);
}

/* ---- serving ---- */

static int serve(void *unused)
{
    yoke_native      deaths;
    yoke_exit_status status;
    struct sigaction action;
    int64_t          pid;
    uint8_t          ready;
    int              code = 9, found = 0;
    int              before = leak_descriptors();

    (void)unused;
    CHILD_CHECK(ops->server_begin(&deaths) == YOKE_OK);
    CHILD_CHECK(ops->reap_any(&status, &pid) == YOKE_ECHILD);
    raise(SIGINT);
    pid_t first = child_start(exit_with, &code), second = child_start(wait_forever, NULL);
    while (found < 2) {
        CHILD_CHECK(yoke__posix_wait.wait_natives(&deaths, &ready, 1, 10 * SECOND) == YOKE_OK);
        ops->server_clear(deaths);
        int rc;
        while ((rc = ops->reap_any(&status, &pid)) == YOKE_OK) {
            CHILD_CHECK(status.known);
            CHILD_CHECK(pid == first ? status.code == 9 : pid == second && status.signal == SIGKILL);
            found++;
            kill(second, SIGKILL);
        }
        CHILD_CHECK(rc == (found < 2 ? YOKE_EBUSY : YOKE_ECHILD));
    }
    ops->server_end(deaths);
    CHILD_CHECK(leak_descriptors() == before);
    CHILD_CHECK(sigaction(SIGINT, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    CHILD_CHECK(sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    return 0;
}

static void a_server_is_told_of_deaths(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(serve, NULL)), 0);
}

static int serve_with_faults(void *unused)
{
    (void)unused;
    for (fault_sweep sweep = fault_sweep_start(EMFILE); fault_sweep_next(&sweep);) {
        int         before = leak_descriptors();
        yoke_native deaths;
        int         rc = ops->server_begin(&deaths);
        CHILD_CHECK((rc < 0) == fault_hit());
        if (rc == YOKE_OK)
            ops->server_end(deaths);
        CHILD_CHECK(leak_descriptors() == before);
    }
    return 0;
}

static void failing_calls_of_a_server_leave_nothing(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(serve_with_faults, NULL)), 0);
}

/* ---- traits ---- */

static uint8_t traits[YOKE_TRAITS_SIZE];
static size_t  traits_size;

static int take_traits_back(void *unused)
{
    char          path[512];
    struct rlimit limit = {0};
    cpu_set_t     before, after;
    sigset_t      mask;

    (void)unused;
    CHILD_CHECK(sched_getaffinity(0, sizeof before, &before) == 0);
    CHILD_CHECK(getcwd(path, sizeof path) != NULL);
    umask(012);
    CHILD_CHECK(ops->traits_get(traits, sizeof traits, &traits_size) == YOKE_OK);
    umask(077);
    CHILD_CHECK(chdir("/usr") == 0);
    CHILD_CHECK(getrlimit(RLIMIT_CPU, &limit) == 0);
    rlim_t own = limit.rlim_cur;
    limit.rlim_cur = own == 100000 ? 200000 : 100000;
    limit.rlim_cur = limit.rlim_cur > limit.rlim_max ? limit.rlim_max : limit.rlim_cur;
    CHILD_CHECK(setrlimit(RLIMIT_CPU, &limit) == 0);
    sigfillset(&mask);
    CHILD_CHECK(pthread_sigmask(SIG_SETMASK, &mask, NULL) == 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (size_t i = 0; CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &before))
            CPU_SET(i, &one);
    CHILD_CHECK(sched_setaffinity(0, sizeof one, &one) == 0);

    CHILD_CHECK(ops->traits_check(traits, traits_size) == YOKE_OK);
    CHILD_CHECK(ops->traits_set(traits, traits_size) == YOKE_OK);
    char now[512];
    CHILD_CHECK(strcmp(getcwd(now, sizeof now), path) == 0);
    CHILD_CHECK(umask(0) == 012);
    CHILD_CHECK(getrlimit(RLIMIT_CPU, &limit) == 0 && limit.rlim_cur == own);
    CHILD_CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0 && !sigismember(&mask, SIGUSR1));
    CHILD_CHECK(sched_getaffinity(0, sizeof after, &after) == 0 && CPU_EQUAL(&before, &after));
    return 0;
}

static void traits_bring_everything_back(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(take_traits_back, NULL)), 0);
}

static void what_is_no_traits_is_refused(void **state)
{
    (void)state;
    size_t size;

    assert_int_equal(ops->traits_get(traits, 10, &size), YOKE_EMSGSIZE);
    assert_int_equal(ops->traits_get(traits, sizeof traits, &traits_size), YOKE_OK);
    for (size_t cut = 0; cut < traits_size; cut++)
        assert_int_equal(ops->traits_check(traits, cut), YOKE_EINVAL);
    assert_int_equal(ops->traits_check(traits, sizeof traits), YOKE_EINVAL);
    traits[0] ^= 1;
    assert_int_equal(ops->traits_set(traits, traits_size), YOKE_EINVAL);
}

static int check_as_another(void *unused)
{
    (void)unused;
    CHILD_CHECK(ops->traits_get(traits, sizeof traits, &traits_size) == YOKE_OK);
    CHILD_CHECK(setresuid((uid_t)-1, 65534, (uid_t)-1) == 0);
    CHILD_CHECK(ops->traits_check(traits, traits_size) == YOKE_EACCES);
    CHILD_CHECK(ops->traits_set(traits, traits_size) == YOKE_EACCES);
    return 0;
}

static void traits_of_another_user_are_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(child_join(child_start(check_as_another, NULL)), 0);
}

/* A start with traits: whatever fails, no descriptor and no process is left, and this process is as it was. */
static int spawn_with_faults(void *unused)
{
    const char *const arguments[] = {"true", NULL};
    yoke_launch       launch = {.struct_size = sizeof launch,
                                .program = "/bin/true",
                                .arguments = arguments,
                                .stdio = {YOKE_STDIO_NULL, YOKE_STDIO_NULL, YOKE_STDIO_NULL},
                                .traits = traits};

    (void)unused;
    CHILD_CHECK(ops->traits_get(traits, sizeof traits, &launch.traits_size) == YOKE_OK);
    CHILD_CHECK(chdir("/usr") == 0);
    umask(027);
    bool hit = true;
    int  works = 0;
    for (long at = 1; hit; at++) {
        int     before = leak_descriptors();
        int64_t pid = 0;

        fault_on(NULL, at, 0, EPERM);
        int rc = ops->spawn(&pid, &launch);
        hit = fault_hit();
        fault_off();
        CHILD_CHECK(rc == YOKE_OK || hit);
        CHILD_CHECK(leak_descriptors() == before);
        if (rc == YOKE_OK)
            CHILD_CHECK(child_join((pid_t)pid) == 0);
        CHILD_CHECK(waitpid(-1, NULL, WNOHANG) < 0);
        mode_t mask = umask(027);
        CHILD_CHECK(mask == 027);
        works += rc == YOKE_OK;
    }
    return works > 0 ? 0 : 1;
}

static void failing_calls_of_a_start_with_traits_leave_nothing(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(spawn_with_faults, NULL)), 0);
}

static int setup(void **state)
{
    uv_loop_t loop; /* libuv's first loop opens a pipe that stays */
    return uv_loop_init(&loop) == 0 && uv_loop_close(&loop) == 0 ? leak_setup(state) : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fork_tells_each_side),
        cmocka_unit_test(standard_descriptors_may_change_places),
        cmocka_unit_test(directory_and_environment_are_changed),
        cmocka_unit_test(a_missing_directory_changes_nothing),
        cmocka_unit_test(failing_calls_of_redirect_leave_nothing),
        cmocka_unit_test(an_exit_status_is_taken_once),
        cmocka_unit_test(a_running_child_is_not_reaped),
        cmocka_unit_test(a_host_that_ignores_children_leaves_no_status),
        cmocka_unit_test(signals_arrive),
        cmocka_unit_test(the_dead_get_no_signal),
        cmocka_unit_test(a_refused_signal_is_told),
        cmocka_unit_test(a_duplicate_is_no_standard_descriptor),
        cmocka_unit_test(a_server_is_told_of_deaths),
        cmocka_unit_test(failing_calls_of_a_server_leave_nothing),
        cmocka_unit_test(traits_bring_everything_back),
        cmocka_unit_test(what_is_no_traits_is_refused),
        cmocka_unit_test(traits_of_another_user_are_refused),
        cmocka_unit_test(failing_calls_of_a_start_with_traits_leave_nothing),
    };
    return cmocka_run_group_tests_name("processes by POSIX", tests, setup, leak_teardown);
}
