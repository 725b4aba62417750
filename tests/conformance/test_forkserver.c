/* The forkserver: small, private to its client, restarted, and out of the way; and spawn by way of it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support/forkserver.h"

#include "core/domain/watch.h"
#include "core/process/forkserver.h"
#include "support/child.h"
#include "support/leak.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    yoke_result result = result_of(interrupt_self, NULL, served());
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
    yoke_result result = result_of(exit_how, YOKE_ARGS(SIGKILL), served());
    assert_int_equal(result.how, YOKE_SIGNALLED);
    assert_int_equal(result.signal, SIGKILL);
    result = result_of(exit_how, YOKE_ARGS(0), served());
    assert_int_equal(result.how, YOKE_EXITED);
    assert_int_equal(result.code, 17);
    result = result_of(exit_how, YOKE_ARGS(-5), served());
    assert_int_equal(result.how, YOKE_RETURNED);
    assert_int_equal(result.code, -5);
}

static void nothing_piles_up_in_it(void **state)
{
    (void)state;
    pid_t server = server_pid();
    int   before = descriptors_of(server);

    for (int i = 0; i < 60; i++) {
        yoke_conn *a, *b;
        assert_ok(yoke_pipe_create(&a, &b, NULL));
        assert_int_equal(result_of(nothing, YOKE_ARGS(YOKE_GIVE(b)), served()).how, YOKE_RETURNED);
        yoke_conn_close(a);
    }
    assert_int_equal(server_pid(), server);
    assert_true(descriptors_of(server) <= before + 8); /* it may keep a few watches, as every process does */
}

/* Those that a child opens by itself depend on what happened to it: a bell, once it has had to wait; a watch of whoever
 * it waited for longer than a moment. So it waits, and drops its watches. */
static int count_own(const yoke_args *args)
{
    char line[8];

    if (yoke_queue_get_string(yoke_args_queue(args, 0), line, sizeof line, 1) != YOKE_ETIMEDOUT)
        return -1;
    yoke__watch_clear();
    return leak_descriptors();
}

/* Not the server's channel, nor its lifeline, nor what other children were given. */
static void a_child_has_no_more_descriptors_than_a_spawned_one(void **state)
{
    (void)state;
    yoke_process_options spawned = {.struct_size = sizeof spawned, .method = YOKE_START_SPAWN};
    yoke_conn           *a, *b;
    yoke_process        *other;
    yoke_queue          *empty;

    assert_ok(yoke_queue_create(&empty, NULL));
    assert_ok(yoke_pipe_create(&a, &b, NULL));
    assert_ok(yoke_process_start(&other, nothing, YOKE_ARGS(YOKE_GIVE(b)), served()));
    int  there = result_of(count_own, YOKE_ARGS(empty), served()).code;
    int  here = result_of(count_own, YOKE_ARGS(empty), &spawned).code;
    bool bells = getenv("YOKE_WAIT") && strcmp(getenv("YOKE_WAIT"), "parking") == 0;
    int  ringer = bells && served_by_fork() && there > here; /* what a server rings with, its children ring with too */
    assert_true(here > 0);
    assert_int_equal(there, here + ringer);
    yoke_conn_close(a);
    (void)finish(other);
    yoke_queue_close(empty);
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
    assert_ok(yoke_process_start(&process, wait_for_word, YOKE_ARGS(queue), served()));
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
    assert_ok(yoke_process_start(&process, client, YOKE_ARGS(queue), served()));
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
    };
    yoke_main(argc, argv);
    return run_with_server(tests);
}
