#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support/forkserver.h"

#include "core/domain/watch.h"
#include "core/process/forkserver.h"
#include "support/leak.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static yoke_process_options under_test = {.struct_size = sizeof under_test};

const yoke_process_options *served(void)
{
    return &under_test;
}

bool served_by_fork(void)
{
    return under_test.method == YOKE_START_FORKSERVER;
}

int nothing(const yoke_args *args)
{
    (void)args;
    return 0;
}

int tell_parent(const yoke_args *args)
{
    (void)args;
    return (int)getppid();
}

pid_t server_pid(void)
{
    yoke_result result = result_of(tell_parent, NULL, served());
    assert_int_equal(result.how, YOKE_RETURNED);
    return (pid_t)result.code;
}

void kill_and_wait(pid_t pid)
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

/* ---- groups ---- */

static int set_up(void **state)
{
    if (yoke_set_start_method(under_test.method) < 0 || result_of(nothing, NULL, served()).how != YOKE_RETURNED)
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

int run_with_server_(const struct CMUnitTest *tests, size_t count)
{
    if (!(yoke_start_methods() & 1u << YOKE_START_FORKSERVER))
        return 77;
    if (getenv("YOKE_TEST_FILTER"))
        cmocka_set_test_filter(getenv("YOKE_TEST_FILTER"));
    under_test.method = YOKE_START_FORKSERVER;
    under_test.via_server = YOKE_DEFAULT;
    int failed = _cmocka_run_group_tests("forkserver", tests, count, set_up, tear_down);
    under_test.method = YOKE_START_SPAWN;
    under_test.via_server = YOKE_YES;
    return failed + _cmocka_run_group_tests("spawn via server", tests, count, set_up, tear_down);
}
