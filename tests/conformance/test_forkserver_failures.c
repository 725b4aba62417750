/* The forkserver when something is missing, or dies. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support/forkserver.h"

#include "core/domain/watch.h"
#include "core/process/forkserver.h"
#include "support/child.h"
#include "support/leak.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- errors ---- */

static void a_missing_directory_is_told(void **state)
{
    (void)state;
    yoke_process_options elsewhere = *served();
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
    yoke_process_options elsewhere = *served();
    yoke_process        *process;

    if (served_by_fork())
        return; /* takes none */
    elsewhere.executable = "/nowhere/at/all";
    assert_fails(yoke_process_start_named(&process, "any", NULL, &elsewhere), YOKE_ENOENT, "/nowhere/at/all");
    assert_int_equal(result_of(nothing, NULL, served()).how, YOKE_RETURNED); /* it serves on */
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
        int rc = yoke_process_start(&process, nothing, NULL, served());
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
    CHILD_CHECK(yoke_process_start(&process, nothing, &list, served()) == YOKE_ENOMEM);
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
        skip(); /* as above */
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
        int rc = yoke_process_start(&process, count_run, YOKE_ARGS(runs), served());
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
    assert_true(failed == 0 || !served_by_fork());
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
    if (!served_by_fork() && access(program, X_OK) != 0) {
        fprintf(stderr, "not tested: another user can't reach %s\n", program);
        return 0;
    }
    CHILD_CHECK(yoke_process_start(&process, tell_parent, NULL, served()) == YOKE_OK);
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
        skip(); /* only root may become another user */
    assert_int_equal(child_join(child_start(become_another, NULL)), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_directory_is_told),
        cmocka_unit_test(a_missing_executable_is_told),
        cmocka_unit_test(lack_of_descriptors_is_a_clean_error),
        cmocka_unit_test(lack_of_descriptors_in_the_server_is_told),
        cmocka_unit_test(starts_survive_a_server_killed_in_the_middle),
        cmocka_unit_test(a_client_of_another_user_gets_another_server),
    };
    yoke_main(argc, argv);
    return run_with_server(tests);
}
