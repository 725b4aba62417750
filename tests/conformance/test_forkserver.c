/* The forkserver: small, private to its client, restarted, and out of the way; and spawn by way of it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support/process.h"

#include "core/domain/watch.h"
#include "core/process/forkserver.h"
#include "support/child.h"
#include "support/leak.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MINUTE 60000

/* Under both: forkserver, and spawn via server. */
static yoke_process_options under_test = {.struct_size = sizeof under_test};

static const yoke_process_options *options(void)
{
    return &under_test;
}

static int tell_parent(const yoke_args *args)
{
    (void)args;
    return (int)getppid();
}

/* The pid of this process's server. */
static pid_t server_pid(void)
{
    yoke_result result = result_of(tell_parent, NULL, options());
    assert_int_equal(result.how, YOKE_RETURNED);
    return (pid_t)result.code;
}

/* A figure of /proc/<pid>/status, such as "Threads:"; -1 if there is none. */
static long status_of(pid_t pid, const char *name)
{
    char  path[64], line[256];
    long  value = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name), NULL, 10);
    if (file)
        fclose(file);
    return value;
}

static int descriptors_of(pid_t pid)
{
    char command[128];
    int  count = -1;

    snprintf(command, sizeof command, "ls /proc/%ld/fd | wc -l", (long)pid);
    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%d", &count), 1);
    pclose(pipe);
    return count;
}

static void kill_and_wait(pid_t pid)
{
    yoke_identity        who;
    yoke_native          life;
    const yoke_life_ops *ops = yoke_backend_current()->life;

    if (ops->identify(&who, pid) < 0 || ops->watch(&life, &who) < 0)
        return; /* dead already */
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(ops->wait(life, INT64_C(10000000000)), YOKE_OK);
    ops->close(life);
}

/* ---- what it is ---- */

static void children_are_not_direct_ones(void **state)
{
    (void)state;
    pid_t server = server_pid();

    assert_int_not_equal(server, getpid());
    assert_int_equal(server_pid(), server); /* one for all */
    assert_int_equal(status_of(server, "PPid:"), getpid());
}

/* It is a fresh process: what its client has in memory does not matter. */
static void it_is_small_and_has_one_thread(void **state)
{
    (void)state;
    size_t size = 200u << 20;
    char  *big = malloc(size);

    assert_non_null(big);
    memset(big, 1, size);
    kill_and_wait(server_pid()); /* so that it starts with a large client */
    pid_t server = server_pid();
    assert_int_equal(status_of(server, "Threads:"), 1);
#if !defined(__SANITIZE_ADDRESS__)
    assert_true(status_of(server, "VmRSS:") < 50 * 1024);
#endif
    free(big);
}

static void it_ignores_the_interrupt_key(void **state)
{
    (void)state;
    pid_t server = server_pid();

    assert_int_equal(kill(server, SIGINT), 0);
    assert_int_equal(server_pid(), server);
}

static int interrupt_self(const yoke_args *args)
{
    (void)args;
    raise(SIGINT);
    return 0;
}

static void its_children_do_not(void **state)
{
    (void)state;
    yoke_result result = result_of(interrupt_self, NULL, options());
    assert_int_equal(result.how, YOKE_SIGNALLED);
    assert_int_equal(result.signal, SIGINT);
}

static int exit_how(const yoke_args *args)
{
    int number = yoke_args_int(args, 0);
    if (number > 0)
        raise(number);
    if (number == 0)
        _exit(17);
    return number;
}

static void ends_of_children_are_told(void **state)
{
    (void)state;
    yoke_result result = result_of(exit_how, YOKE_ARGS(SIGKILL), options());
    assert_int_equal(result.how, YOKE_SIGNALLED);
    assert_int_equal(result.signal, SIGKILL);
    result = result_of(exit_how, YOKE_ARGS(0), options());
    assert_int_equal(result.how, YOKE_EXITED);
    assert_int_equal(result.code, 17);
    result = result_of(exit_how, YOKE_ARGS(-5), options());
    assert_int_equal(result.how, YOKE_RETURNED);
    assert_int_equal(result.code, -5);
}

static int nothing(const yoke_args *args)
{
    (void)args;
    return 0;
}

static void nothing_piles_up_in_it(void **state)
{
    (void)state;
    pid_t server = server_pid();
    int   before = descriptors_of(server);

    for (int i = 0; i < 60; i++) {
        yoke_conn *a, *b;
        assert_ok(yoke_pipe_create(&a, &b, NULL));
        assert_int_equal(result_of(nothing, YOKE_ARGS(YOKE_GIVE(b)), options()).how, YOKE_RETURNED);
        yoke_conn_close(a);
    }
    assert_int_equal(server_pid(), server);
    assert_true(descriptors_of(server) <= before + 8); /* it may keep a few watches, as every process does */
}

static int count_own(const yoke_args *args)
{
    (void)args;
    return leak_descriptors();
}

/* Not the server's channel, nor its lifeline, nor what other children were given. */
static void a_child_has_no_more_descriptors_than_a_spawned_one(void **state)
{
    (void)state;
    yoke_process_options spawned = {.struct_size = sizeof spawned, .method = YOKE_START_SPAWN};
    yoke_conn           *a, *b;
    yoke_process        *other;

    assert_ok(yoke_pipe_create(&a, &b, NULL));
    assert_ok(yoke_process_start(&other, nothing, YOKE_ARGS(YOKE_GIVE(b)), options()));
    int there = result_of(count_own, NULL, options()).code;
    int here = result_of(count_own, NULL, &spawned).code;
    int bells = getenv("YOKE_WAIT") && strcmp(getenv("YOKE_WAIT"), "parking") == 0 ? 1 : 0; /* once they had to wait */
    assert_in_range(there, here - bells, here + bells);
    yoke_conn_close(a);
    (void)finish(other);
}

/* ---- its end ---- */

static void it_is_started_anew_if_it_died(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        pid_t server = server_pid();
        kill_and_wait(server);
        assert_int_not_equal(server_pid(), server);
    }
}

static int wait_for_word(const yoke_args *args)
{
    char line[8];
    YOKE_TRY(yoke_queue_get_string(yoke_args_queue(args, 0), line, sizeof line, MINUTE));
    return 3;
}

static void its_children_outlive_it(void **state)
{
    (void)state;
    yoke_queue   *queue;
    yoke_process *process;

    assert_ok(yoke_queue_create(&queue, NULL));
    assert_ok(yoke_process_start(&process, wait_for_word, YOKE_ARGS(queue), options()));
    kill_and_wait(server_pid());
    assert_true(yoke_process_is_alive(process));
    assert_ok(yoke_queue_put_string(queue, "go", MINUTE));
    yoke_result result = finish(process);
    assert_int_equal(result.how, YOKE_RETURNED);
    assert_int_equal(result.code, 3);
    yoke_queue_close(queue);
}

/* The client: uses a server of its own, tells its pid, and waits to be killed. */
static int client(const yoke_args *args)
{
    yoke_process *process;
    yoke_result   result = {.struct_size = sizeof result};

    YOKE_TRY(yoke_process_start(&process, tell_parent, NULL,
                                YOKE_OPTIONS(yoke_process_options, .method = YOKE_START_FORKSERVER)));
    YOKE_TRY(yoke_process_finish(process, &result, MINUTE));
    YOKE_TRY(yoke_queue_put_format(yoke_args_queue(args, 0), MINUTE, "%d", result.code));
    for (;;)
        pause();
}

static void it_dies_with_its_client(void **state)
{
    (void)state;
    const yoke_life_ops *ops = yoke_backend_current()->life;
    yoke_queue          *queue;
    yoke_process        *process;
    yoke_identity        who;
    yoke_native          life;
    char                 line[16];

    assert_ok(yoke_queue_create(&queue, NULL));
    assert_ok(yoke_process_start(&process, client, YOKE_ARGS(queue), options()));
    assert_ok(yoke_queue_get_string(queue, line, sizeof line, MINUTE));
    pid_t server = (pid_t)atoi(line);
    assert_int_not_equal(server, server_pid()); /* a client's own */
    assert_int_equal(ops->identify(&who, server), YOKE_OK);
    assert_int_equal(ops->watch(&life, &who), YOKE_OK);
    assert_ok(yoke_process_kill(process));
    (void)finish(process);
    assert_int_equal(ops->wait(life, INT64_C(10000000000)), YOKE_OK);
    ops->close(life);
    yoke_queue_close(queue);
}

static int use_after_fork(void *server)
{
    pid_t mine = server_pid();
    CHILD_CHECK(mine != *(pid_t *)server);
    yoke__forkserver_stop();
    return 0;
}

/* The program's own fork: the child gets a server of its own, and does not keep the parent's alive. */
static void a_forked_process_has_its_own(void **state)
{
    (void)state;
    pid_t server = server_pid();

    assert_int_equal(child_join(child_start(use_after_fork, &server)), 0);
    assert_int_equal(server_pid(), server);
}

/* ---- what it hands on ---- */

static int check_surroundings(const yoke_args *args)
{
    char          path[512];
    struct rlimit limit;
    cpu_set_t     cpus;
    mode_t        mask = umask(0);

    umask(mask);
    if (!getcwd(path, sizeof path) || strcmp(path, yoke_args_string(args, 0)) != 0)
        return 1;
    if ((int)mask != yoke_args_int(args, 1))
        return 2;
    if (getrlimit(RLIMIT_CPU, &limit) != 0 || limit.rlim_cur != yoke_args_uint64(args, 2))
        return 3;
    /* A spawned child may be faster than the server that lowers its hard limits. */
    for (long long end = milliseconds() + MINUTE; limit.rlim_max != yoke_args_uint64(args, 3); sched_yield())
        if (getrlimit(RLIMIT_CPU, &limit) != 0 || milliseconds() > end)
            return 6;
    if (sched_getaffinity(0, sizeof cpus, &cpus) != 0 || CPU_COUNT(&cpus) != yoke_args_int(args, 4))
        return 4;
    const char *variable = getenv("YOKE_TEST_SURROUNDINGS");
    return variable && strcmp(variable, yoke_args_string(args, 5)) == 0 ? 0 : 5;
}

/* In a process of its own, since limits can't be taken back. All of it is changed after the server has started. */
static int change_surroundings(void *unused)
{
    struct rlimit limit;
    cpu_set_t     cpus, one;
    yoke_result   result = {.struct_size = sizeof result};
    yoke_process *process;

    (void)unused;
    (void)server_pid();
    CHILD_CHECK(chdir("/usr") == 0);
    umask(0137);
    CHILD_CHECK(getrlimit(RLIMIT_CPU, &limit) == 0);
    limit.rlim_max = limit.rlim_max == RLIM_INFINITY ? 1 << 20 : limit.rlim_max / 2;
    limit.rlim_cur = limit.rlim_max / 2;
    CHILD_CHECK(setrlimit(RLIMIT_CPU, &limit) == 0);
    CHILD_CHECK(sched_getaffinity(0, sizeof cpus, &cpus) == 0);
    CPU_ZERO(&one);
    for (size_t i = 0; CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &cpus))
            CPU_SET(i, &one);
    CHILD_CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
    CHILD_CHECK(setenv("YOKE_TEST_SURROUNDINGS", "here", 1) == 0);
    for (int i = 0; i < 2; i++) { /* and again: the server must not be spoilt by the first */
        CHILD_CHECK(
            yoke_process_start(&process, check_surroundings,
                               YOKE_ARGS("/usr", 0137, (uint64_t)limit.rlim_cur, (uint64_t)limit.rlim_max, 1, "here"),
                               options()) == YOKE_OK);
        CHILD_CHECK(yoke_process_finish(process, &result, MINUTE) == YOKE_OK);
        if (result.how != YOKE_RETURNED || result.code != 0)
            return 50 + result.code;
    }
    CHILD_CHECK(sched_setaffinity(0, sizeof cpus, &cpus) == 0);
    CHILD_CHECK(chdir("/") == 0);
    umask(022);
    CHILD_CHECK(yoke_process_start(
                    &process, check_surroundings,
                    YOKE_ARGS("/", 022, (uint64_t)limit.rlim_cur, (uint64_t)limit.rlim_max, CPU_COUNT(&cpus), "here"),
                    options()) == YOKE_OK);
    CHILD_CHECK(yoke_process_finish(process, &result, MINUTE) == YOKE_OK);
    yoke__forkserver_stop();
    return result.how == YOKE_RETURNED ? result.code : 49;
}

static void surroundings_are_those_of_the_client(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(change_surroundings, NULL)), 0);
}

static int tell_mask(const yoke_args *args)
{
    sigset_t mask;

    (void)args;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return sigismember(&mask, SIGUSR1) | sigismember(&mask, SIGCHLD) << 1 | sigismember(&mask, SIGTERM) << 2;
}

/* As with a fork of one's own, and with a spawn of one's own. */
static void the_signal_mask_is_that_of_the_method(void **state)
{
    (void)state;
    sigset_t mask, old;

    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &mask, &old);
    assert_int_equal(result_of(tell_mask, NULL, options()).code, under_test.method == YOKE_START_FORKSERVER ? 1 : 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static int variable_length(const yoke_args *args)
{
    return (int)strlen(getenv(yoke_args_string(args, 0)));
}

/* More than one datagram takes. */
static void a_large_environment_arrives(void **state)
{
    (void)state;
    enum { LENGTH = 100000 };
    const char *names[] = {"YOKE_TEST_A", "YOKE_TEST_B", "YOKE_TEST_C", "YOKE_TEST_D"};
    char       *value = malloc(LENGTH + 1);

    assert_non_null(value);
    memset(value, 'v', LENGTH);
    value[LENGTH] = '\0';
    for (int i = 0; i < 4; i++)
        assert_int_equal(setenv(names[i], value, 1), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(result_of(variable_length, YOKE_ARGS(names[i]), options()).code, LENGTH);
    for (int i = 0; i < 4; i++)
        unsetenv(names[i]);
    free(value);
}

static int print_lines(const yoke_args *args)
{
    (void)args;
    printf("to stdout\n");
    fprintf(stderr, "to stderr\n");
    return getchar() == EOF ? 0 : 1;
}

static void output_goes_where_it_is_sent(void **state)
{
    (void)state;
    int                  out[2];
    char                 text[64] = "";
    size_t               used = 0;
    ssize_t              got;
    yoke_process_options redirected = *options();

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    redirected.stdout_to = redirected.stderr_to = out[1];
    assert_int_equal(result_of(print_lines, NULL, &redirected).code, 0);
    close(out[1]);
    while ((got = read(out[0], text + used, sizeof text - 1 - used)) > 0) /* its end is told: nobody kept a copy */
        used += (size_t)got;
    assert_int_equal(got, 0);
    assert_non_null(strstr(text, "to stdout"));
    assert_non_null(strstr(text, "to stderr"));
    close(out[0]);
}

/* ---- errors ---- */

static void a_missing_directory_is_told(void **state)
{
    (void)state;
    yoke_process_options elsewhere = *options();
    yoke_process        *process;

    elsewhere.working_directory = "/nowhere/at/all";
    int rc = yoke_process_start(&process, nothing, NULL, &elsewhere);
    if (rc < 0) {
        assert_int_equal(rc, YOKE_ENOENT);
        assert_non_null(strstr(yoke_last_error()->text, "/nowhere/at/all"));
        return;
    }
    yoke_result result = finish(process);
    assert_int_equal(result.how, YOKE_NOT_STARTED);
    assert_int_equal(result.error, YOKE_ENOENT);
    assert_non_null(strstr(result.text, "/nowhere/at/all"));
}

static void a_missing_executable_is_told(void **state)
{
    (void)state;
    yoke_process_options elsewhere = *options();
    yoke_process        *process;

    if (under_test.method == YOKE_START_FORKSERVER)
        return; /* takes none */
    elsewhere.executable = "/nowhere/at/all";
    assert_fails(yoke_process_start_named(&process, "any", NULL, &elsewhere), YOKE_ENOENT, "/nowhere/at/all");
    assert_int_equal(result_of(nothing, NULL, options()).how, YOKE_RETURNED); /* it serves on */
}

/* Descriptors run out at each step in turn, in the client. */
static int lack_descriptors(void *unused)
{
    struct rlimit limit;
    int           next = dup(0), lacking = 0;

    (void)unused;
    close(next);
    CHILD_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (rlim_t room = 0; room < 40; room++) {
        yoke_process *process;
        int           before = leak_descriptors();
        limit.rlim_cur = (rlim_t)next + room;
        CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        int rc = yoke_process_start(&process, nothing, NULL, options());
        limit.rlim_cur = limit.rlim_max;
        CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        if (rc == YOKE_OK) {
            CHILD_CHECK(yoke_process_finish(process, NULL, MINUTE) == YOKE_OK);
            yoke__forkserver_stop();
            return lacking > 3 ? 0 : 1;
        }
        CHILD_CHECK(rc == YOKE_ENOMEM);
        lacking++;
        yoke__forkserver_stop();
        yoke__watch_clear();
        if (leak_descriptors() > before)
            return 2;
    }
    return 3;
}

static void lack_of_descriptors_is_a_clean_error(void **state)
{
    (void)state;
    if (getenv("YOKE_VALGRIND"))
        skip(); /* keeps descriptors for itself, beyond the limit */
    assert_int_equal(child_join(child_start(lack_descriptors, NULL)), 0);
}

/* The server was started with room for few descriptors, and is then asked to hand on many. */
static int lack_in_server(void *unused)
{
    enum { MANY = 24 };
    yoke_conn    *ends[MANY][2];
    yoke_item     items[MANY];
    struct rlimit limit;
    yoke_process *process;

    (void)unused;
    CHILD_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 28;
    CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    pid_t server = server_pid();
    limit.rlim_cur = limit.rlim_max;
    CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (int i = 0; i < MANY; i++) {
        CHILD_CHECK(yoke_pipe_create(&ends[i][0], &ends[i][1], NULL) == YOKE_OK);
        items[i] = yoke_item_pointer_(YOKE_H_conn, ends[i][1], 0);
    }
    yoke_item list = yoke_item_pointer_(YOKE_LIST_KIND, items, MANY);
    CHILD_CHECK(yoke_process_start(&process, nothing, &list, options()) == YOKE_ENOMEM);
    CHILD_CHECK(strstr(yoke_last_error()->text, "no descriptors left"));
    CHILD_CHECK(server_pid() == server); /* it serves on */
    for (int i = 0; i < MANY; i++) {
        CHILD_CHECK(yoke_conn_send(ends[i][0], "x", 1, MINUTE) == YOKE_OK); /* nothing was moved */
        char   byte;
        size_t size;
        CHILD_CHECK(yoke_conn_recv(ends[i][1], &byte, 1, &size, MINUTE) == YOKE_OK);
        yoke_conn_close(ends[i][0]);
        yoke_conn_close(ends[i][1]);
    }
    yoke__forkserver_stop();
    return 0;
}

static void lack_of_descriptors_in_the_server_is_told(void **state)
{
    (void)state;
    if (getenv("YOKE_VALGRIND"))
        skip();
    assert_int_equal(child_join(child_start(lack_in_server, NULL)), 0);
}

/* ---- killed at any moment ---- */

static int keep_killing(void *pids)
{
    pid_t server;
    while (read(*(int *)pids, &server, sizeof server) == (ssize_t)sizeof server) {
        for (volatile unsigned spin = (unsigned)server * 2654435761u % 400000u; spin > 0; spin--)
            continue; /* somewhere in the next start */
        kill(server, SIGKILL);
    }
    return 0;
}

static int count_run(const yoke_args *args)
{
    return yoke_queue_put(yoke_args_queue(args, 0), "x", 1, MINUTE);
}

/* Each start works, or fails with a sentence; what works runs once, what fails never; none hangs, and the next server
 * serves. A child that was forked is started anew, so that nobody notices. */
static void starts_survive_a_server_killed_in_the_middle(void **state)
{
    (void)state;
    int         pids[2], failed = 0;
    yoke_queue *runs;

    assert_ok(yoke_queue_create(&runs, NULL));
    assert_int_equal(pipe2(pids, O_CLOEXEC), 0);
    pid_t killer = fork();
    assert_true(killer >= 0);
    if (killer == 0) {
        close(pids[1]);
        _exit(keep_killing(&pids[0]));
    }
    close(pids[0]);
    for (int i = 0; i < 25; i++) {
        yoke_process *process;
        pid_t         server = server_pid();
        assert_int_equal(write(pids[1], &server, sizeof server), (int)sizeof server);
        int rc = yoke_process_start(&process, count_run, YOKE_ARGS(runs), options());
        if (rc == YOKE_OK)
            assert_int_equal(finish(process).how, YOKE_RETURNED);
        else
            assert_fails(rc, YOKE_EIO, "the forkserver died");
        failed += rc < 0;
        kill_and_wait(server);
    }
    close(pids[1]);
    assert_int_equal(child_join(killer), 0);
    print_message("%d of 25 starts failed\n", failed);
    assert_int_equal(yoke_queue_size(runs), 25 - failed);
    assert_true(failed == 0 || under_test.method == YOKE_START_SPAWN);
    yoke_queue_close(runs);
}

static int become_another(void *unused)
{
    pid_t         server = server_pid();
    yoke_process *process;
    yoke_result   result = {.struct_size = sizeof result};
    char          program[4096] = "";

    (void)unused;
    CHILD_CHECK(chdir("/") == 0); /* the other user may not enter this directory */
    CHILD_CHECK(setresgid(65534, 65534, (gid_t)-1) == 0 && setresuid(65534, 65534, (uid_t)-1) == 0);
    CHILD_CHECK(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    if (under_test.method == YOKE_START_SPAWN && access(program, X_OK) != 0) {
        fprintf(stderr, "not tested: another user can't reach %s\n", program);
        return 0;
    }
    CHILD_CHECK(yoke_process_start(&process, tell_parent, NULL, options()) == YOKE_OK);
    CHILD_CHECK(yoke_process_finish(process, &result, MINUTE) == YOKE_OK);
    CHILD_CHECK(result.how == YOKE_RETURNED && result.code != server);
    yoke__forkserver_stop();
    return 0;
}

/* A server of its former user must not start anything for a client that has given up its rights. */
static void a_client_of_another_user_gets_another_server(void **state)
{
    (void)state;
    if (geteuid() != 0 || access("/proc/self/exe", X_OK) != 0)
        skip();
    assert_int_equal(child_join(child_start(become_another, NULL)), 0);
}

/* ---- at the same time ---- */

static void *start_some(void *failures)
{
    for (int i = 0; i < 15; i++) {
        yoke_process *process;
        yoke_result   result = {.struct_size = sizeof result};
        if (yoke_process_start(&process, exit_how, YOKE_ARGS(-i - 1), options()) < 0 ||
            yoke_process_finish(process, &result, MINUTE) < 0 || result.code != -i - 1)
            ++*(int *)failures;
    }
    return NULL;
}

static void threads_may_ask_at_the_same_time(void **state)
{
    (void)state;
    pthread_t threads[4];
    int       failures[4] = {0};

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, start_some, &failures[i]), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(failures[i], 0);
    }
}

/* ---- the preload ---- */

static int preloaded;

static int preload(const yoke_args *args)
{
    preloaded = 11 + (int)yoke_args_count(args);
    return 0;
}

static int preload_that_fails(const yoke_args *args)
{
    (void)args;
    preloaded = 5;
    return YOKE_EIO;
}

static int preload_that_dies(const yoke_args *args)
{
    (void)args;
    _exit(1);
}

static int tell_preloaded(const yoke_args *args)
{
    (void)args;
    return preloaded;
}

/* A client of its own, since the preload must be set before the server runs. */
static int with_preload(void *function)
{
    yoke_result   result = {.struct_size = sizeof result};
    yoke_process *process;

    CHILD_CHECK(yoke_set_forkserver_preload(*(yoke_function **)function) == YOKE_OK);
    int rc = yoke_process_start(&process, tell_preloaded, NULL, options());
    if (rc < 0) {
        CHILD_CHECK(strlen(yoke_last_error()->text) > 0);
        return 90;
    }
    CHILD_CHECK(yoke_process_finish(process, &result, MINUTE) == YOKE_OK);
    CHILD_CHECK(yoke_set_forkserver_preload(NULL) == YOKE_EBUSY);
    yoke__forkserver_stop();
    return result.code;
}

static int preload_result(yoke_function *function)
{
    return child_join(child_start(with_preload, &function));
}

static void children_find_what_was_preloaded(void **state)
{
    (void)state;
    bool forked = under_test.method == YOKE_START_FORKSERVER;

    assert_int_equal(preload_result(preload), forked ? 11 : 0);
    assert_int_equal(preload_result(preload_that_fails), forked ? 5 : 0);
    assert_int_equal(preload_result(NULL), 0);
}

/* No endless restarts, and a sentence. */
static void a_preload_that_kills_the_server_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(preload_result(preload_that_dies), 90);
}

/* ---- groups ---- */

static int set_up(void **state)
{
    if (yoke_set_start_method(under_test.method) < 0 || result_of(nothing, NULL, options()).how != YOKE_RETURNED)
        return -1;
    yoke_conn *a, *b;
    char       byte;
    size_t     size;
    if (yoke_pipe_create(&a, &b, NULL) < 0 || yoke_conn_send(a, "x", 1, MINUTE) < 0 ||
        yoke_conn_recv(b, &byte, 1, &size, MINUTE) < 0)
        return -1;
    yoke_conn_close(a);
    yoke_conn_close(b);
    return leak_setup(state);
}

static int tear_down(void **state)
{
    yoke__forkserver_stop(); /* it may be another one than at the beginning */
    yoke__watch_clear();
    return leak_teardown(state);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_are_not_direct_ones),
        cmocka_unit_test(it_is_small_and_has_one_thread),
        cmocka_unit_test(it_ignores_the_interrupt_key),
        cmocka_unit_test(its_children_do_not),
        cmocka_unit_test(ends_of_children_are_told),
        cmocka_unit_test(nothing_piles_up_in_it),
        cmocka_unit_test(a_child_has_no_more_descriptors_than_a_spawned_one),
        cmocka_unit_test(it_is_started_anew_if_it_died),
        cmocka_unit_test(its_children_outlive_it),
        cmocka_unit_test(it_dies_with_its_client),
        cmocka_unit_test(a_forked_process_has_its_own),
        cmocka_unit_test(surroundings_are_those_of_the_client),
        cmocka_unit_test(the_signal_mask_is_that_of_the_method),
        cmocka_unit_test(a_large_environment_arrives),
        cmocka_unit_test(output_goes_where_it_is_sent),
        cmocka_unit_test(a_missing_directory_is_told),
        cmocka_unit_test(a_missing_executable_is_told),
        cmocka_unit_test(lack_of_descriptors_is_a_clean_error),
        cmocka_unit_test(lack_of_descriptors_in_the_server_is_told),
        cmocka_unit_test(starts_survive_a_server_killed_in_the_middle),
        cmocka_unit_test(a_client_of_another_user_gets_another_server),
        cmocka_unit_test(threads_may_ask_at_the_same_time),
        cmocka_unit_test(children_find_what_was_preloaded),
        cmocka_unit_test(a_preload_that_kills_the_server_is_an_error),
    };
    yoke_main(argc, argv);
    if (!(yoke_start_methods() & 1u << YOKE_START_FORKSERVER))
        return 77;
    if (getenv("YOKE_TEST_FILTER"))
        cmocka_set_test_filter(getenv("YOKE_TEST_FILTER"));
    under_test.method = YOKE_START_FORKSERVER;
    int failed = cmocka_run_group_tests_name("forkserver", tests, set_up, tear_down);
    under_test.method = YOKE_START_SPAWN;
    under_test.via_server = YOKE_YES;
    return failed + cmocka_run_group_tests_name("spawn via server", tests, set_up, tear_down);
}
