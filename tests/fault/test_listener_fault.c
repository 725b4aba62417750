/* Listeners and clients when calls into the system or allocations fail: an error, nothing left behind, and the listener
 * goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "fault/fault.h"
#include "fault/memory.h"
#include "support/child.h"
#include "support/sockets.h"

#define KEY  .authkey = "secret", .authkey_size = 6
#define SOON 3000 /* ms: for what a fault may leave undone */

/* ---- without a key, both ends here ---- */

static int talk(yoke_listener *listener, const char *address)
{
    yoke_conn *client, *server;
    char       text[16];

    YOKE_TRY(yoke_client_connect(&client, address, NULL, SOON));
    int rc = yoke_listener_accept(listener, &server, SOON);
    if (rc == YOKE_OK) {
        rc = yoke_conn_send_string(client, "hello", SOON);
        if (rc == YOKE_OK)
            rc = yoke_conn_recv_string(server, text, sizeof text, SOON);
        yoke_conn_close(server);
    }
    yoke_conn_close(client);
    return rc;
}

static int open_and_talk(const char *address)
{
    yoke_listener *listener;
    yoke_conn     *conn;
    char           text[YOKE_ADDRESS_SIZE];

    YOKE_TRY(yoke_listener_create(&listener, address, YOKE_OPTIONS(yoke_listener_options, .allow_anyone = true)));
    int rc = yoke_listener_accept(listener, &conn, 1);
    if (rc == YOKE_ETIMEDOUT)
        rc = yoke_listener_address(listener, text, sizeof text);
    if (rc == YOKE_OK)
        rc = talk(listener, text);
    yoke_listener_close(listener);
    return rc;
}

static int fail_every_call(void *user)
{
    const char *address = user;

    CHILD_CHECK(open_and_talk(address) == YOKE_OK);
    int before = fault_descriptors(), failed = 0;
    for (fault_sweep sweep = fault_sweep_start(EMFILE); fault_sweep_next(&sweep);) {
        int rc = open_and_talk(address);
        fault_off();
        failed += rc < 0;
        CHILD_CHECK(rc == YOKE_OK || rc == YOKE_ENOMEM || rc == YOKE_EBROKEN || rc == YOKE_EEOF ||
                    rc == YOKE_ETIMEDOUT || rc == YOKE_EACCES || rc == YOKE_ENOENT);
        CHILD_CHECK(fault_descriptors() == before);
    }
    CHILD_CHECK(failed >= 4);
    CHILD_CHECK(open_and_talk(address) == YOKE_OK); /* also removes what a failed unlink() left */
    return 0;
}

static void test_each_call_that_fails_is_an_error_or_got_round(void **state)
{
    char address[160];

    (void)state;
    snprintf(address, sizeof address, "%s", socket_address("fault"));
    assert_int_equal(0, child_join(child_start(fail_every_call, address)));
    snprintf(address, sizeof address, "abstract:yoke-fault-%ld", (long)getpid());
    assert_int_equal(0, child_join(child_start(fail_every_call, address)));
    snprintf(address, sizeof address, "tcp:127.0.0.1:0");
    assert_int_equal(0, child_join(child_start(fail_every_call, address)));
}

/* ---- with a key, the other end in a process where nothing fails ---- */

/* Until the other end goes. */
static void stay(yoke_conn *conn)
{
    if (yoke_conn_poll(conn, SOCKET_PATIENCE) < 0)
        fprintf(stderr, "the other end stays: %s\n", yoke_last_error()->text);
    yoke_conn_close(conn);
}

static int connect_for_ever(void *user)
{
    yoke_conn *conn;

    while (getppid() != 1) {
        if (yoke_client_connect(&conn, user, YOKE_OPTIONS(yoke_client_options, KEY), 60000) == YOKE_OK) {
            stay(conn);
        }
    }
    return 0;
}

static int accept_for_ever(void *user)
{
    yoke_listener *listener = user;
    yoke_conn     *conn;

    while (getppid() != 1) {
        if (yoke_listener_accept(listener, &conn, 60000) == YOKE_OK) {
            stay(conn);
        }
    }
    return 0;
}

static yoke_listener *with_key(const char *address)
{
    yoke_listener *listener;

    CHILD_CHECK(yoke_listener_create(&listener, address, YOKE_OPTIONS(yoke_listener_options, KEY)) == YOKE_OK);
    return listener;
}

static int fail_accepting(void *user)
{
    yoke_conn     *conn;
    yoke_listener *listener = with_key(user);
    pid_t          other = child_start(connect_for_ever, user);

    CHILD_CHECK(yoke_listener_accept(listener, &conn, SOCKET_PATIENCE) == YOKE_OK);
    yoke_conn_close(conn);
    for (fault_sweep sweep = fault_sweep_start(EMFILE); fault_sweep_next(&sweep);) {
        int rc = yoke_listener_accept(listener, &conn, SOCKET_PATIENCE);
        fault_off();
        CHILD_CHECK(rc == YOKE_OK || rc == YOKE_ENOMEM);
        if (rc == YOKE_OK)
            yoke_conn_close(conn);
    }
    CHILD_CHECK(yoke_listener_accept(listener, &conn, SOCKET_PATIENCE) == YOKE_OK);
    yoke_conn_close(conn);
    child_kill(other);
    yoke_listener_close(listener);
    return 0;
}

static int fail_connecting(void *user)
{
    yoke_conn                *conn;
    yoke_listener            *listener = with_key(user);
    pid_t                     other = child_start(accept_for_ever, listener);
    const yoke_client_options options = {.struct_size = sizeof options, KEY};

    CHILD_CHECK(yoke_client_connect(&conn, user, &options, SOCKET_PATIENCE) == YOKE_OK);
    yoke_conn_close(conn);
    int before = fault_descriptors();
    for (fault_sweep sweep = fault_sweep_start(EMFILE); fault_sweep_next(&sweep);) {
        int rc = yoke_client_connect(&conn, user, &options, SOCKET_PATIENCE);
        fault_off();
        CHILD_CHECK(rc == YOKE_OK || rc == YOKE_ENOMEM || rc == YOKE_EBROKEN);
        if (rc == YOKE_OK)
            yoke_conn_close(conn);
        CHILD_CHECK(fault_descriptors() == before);
    }
    child_kill(other);
    yoke_listener_close(listener);
    return 0;
}

static void test_calls_that_fail_in_a_handshake_cost_one_client_at_most(void **state)
{
    char address[160];

    (void)state;
    snprintf(address, sizeof address, "%s", socket_address("keyed"));
    assert_int_equal(0, child_join(child_start(fail_accepting, address)));
    assert_int_equal(0, child_join(child_start(fail_connecting, address)));
}

/* ---- memory ---- */

static int fail_every_allocation(void *user)
{
    bool reached = true;

    CHILD_CHECK(open_and_talk(user) == YOKE_OK);
    int before = fault_descriptors();
    for (long at = 1; reached; at++) {
        allocations = 0;
        failing = at;
        int rc = open_and_talk(user);
        reached = allocations >= at;
        failing = 0;
        CHILD_CHECK(rc == YOKE_OK || rc == YOKE_ENOMEM);
        CHILD_CHECK(fault_descriptors() == before);
    }
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
        cmocka_unit_test(test_calls_that_fail_in_a_handshake_cost_one_client_at_most),
        cmocka_unit_test(test_each_allocation_that_fails_is_an_error_or_got_round),
    };
    return cmocka_run_group_tests(tests, sockets_setup, sockets_teardown);
}
