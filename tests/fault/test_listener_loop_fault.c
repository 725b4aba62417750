/* Each system call of a listener and a client on an event loop that the library makes, and each allocation, fails in turn:
 * both come to an end, and nothing is left. libuv's own calls are not among these. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include <yoke/uv.h>
#include <yoke/yoke.h>

#include "fault.h"
#include "memory.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/sockets.h"

typedef struct run {
    yoke_conn *server, *client;
    int        told, status, failures;
} run;

static void on_client(yoke_listener *listener, int status, yoke_conn *conn, void *user)
{
    run *r = user;

    (void)listener;
    r->failures += status < 0;
    if (status == YOKE_OK && r->server == NULL)
        r->server = conn;
    else if (status == YOKE_OK)
        yoke_conn_close(conn);
}

static void on_connected(int status, yoke_conn *conn, void *user)
{
    run *r = user;

    r->told++;
    r->status = status;
    r->client = conn;
}

/* True: all went well. */
static bool meet(uv_loop_t *loop, const char *address)
{
    run                         r = {.status = 1};
    yoke_listener              *listener;
    yoke_connecting            *connecting;
    char                        at[YOKE_ADDRESS_SIZE];
    const yoke_listener_options options = {.struct_size = sizeof options, .authkey = "key", .authkey_size = 3};
    const yoke_client_options   with_key = {.struct_size = sizeof with_key, .authkey = "key", .authkey_size = 3};

    if (yoke_listener_create(&listener, address, &options) < 0)
        return false;
    bool well = yoke_listener_start(listener, loop, on_client, &r) == YOKE_OK &&
                yoke_listener_address(listener, at, sizeof at) == YOKE_OK &&
                yoke_client_start(&connecting, at, &with_key, 3000, loop, on_connected, &r) == YOKE_OK;
    while (well && r.told == 0)
        CHILD_CHECK(uv_run(loop, UV_RUN_ONCE) != 0);
    for (int i = 0; well && i < 10 && r.status == YOKE_OK && r.server == NULL; i++)
        (void)uv_run(loop, UV_RUN_NOWAIT);
    CHILD_CHECK(r.told <= 1 && (r.told == 0 || (r.status == YOKE_OK) == (r.client != NULL)));
    yoke_listener_close(listener);
    yoke_conn_close(r.server);
    yoke_conn_close(r.client);
    CHILD_CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
    return well && r.client != NULL && r.server != NULL && r.failures == 0;
}

static int fail_every_call(void *user)
{
    uv_loop_t loop;

    CHILD_CHECK(uv_loop_init(&loop) == 0);
    CHILD_CHECK(meet(&loop, user));
    int before = fault_descriptors(), failed = 0;
    for (fault_sweep sweep = fault_sweep_start(EMFILE); fault_sweep_next(&sweep);) {
        bool well = meet(&loop, user);
        CHILD_CHECK(well || fault_hit());
        failed += !well;
        fault_off();
        CHILD_CHECK(fault_descriptors() == before);
    }
    CHILD_CHECK(failed >= 5);
    CHILD_CHECK(meet(&loop, user) && uv_loop_close(&loop) == 0);
    return 0;
}

static void test_each_call_that_fails_is_an_error_or_got_round(void **state)
{
    (void)state;
    assert_int_equal(0, child_join(child_start(fail_every_call, (void *)(uintptr_t)socket_address("loop"))));
    assert_int_equal(0, child_join(child_start(fail_every_call, (void *)(uintptr_t) "tcp:127.0.0.1:0")));
}

static int fail_every_allocation(void *user)
{
    uv_loop_t loop;
    bool      reached = true;

    CHILD_CHECK(uv_loop_init(&loop) == 0);
    CHILD_CHECK(meet(&loop, user));
    int before = fault_descriptors();
    for (long at = 1; reached; at++) {
        allocations = 0;
        failing = at;
        bool well = meet(&loop, user);
        reached = allocations >= at;
        failing = 0;
        CHILD_CHECK(well || reached);
        CHILD_CHECK(fault_descriptors() == before);
    }
    CHILD_CHECK(meet(&loop, user) && uv_loop_close(&loop) == 0);
    return 0;
}

static void test_each_allocation_that_fails_is_an_error_or_got_round(void **state)
{
    (void)state;
    if (!FAILS_MEMORY)
        skip();
    assert_int_equal(0, child_join(child_start(fail_every_allocation, (void *)(uintptr_t)socket_address("memory"))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_that_fails_is_an_error_or_got_round),
        cmocka_unit_test(test_each_allocation_that_fails_is_an_error_or_got_round),
    };
    return cmocka_run_group_tests_name("listeners on loops, with failing calls", tests, sockets_setup,
                                       sockets_teardown);
}
