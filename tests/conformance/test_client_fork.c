/* Forks while a client connects on an event loop: the child keeps nothing of it open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include <yoke/uv.h>
#include <yoke/yoke.h>

#include "support/child.h"
#include "support/loops.h"
#include "support/sockets.h"

#define T SOCKET_PATIENCE

typedef struct client {
    yoke_conn *conn;
    int        told;
    int        hold[2];     /* the child stays until the parent closes the second */
    bool       in_function; /* is where it forks */
    pid_t      child;
} client;

static int stay(void *user)
{
    client *c = user;
    char    byte;

    yoke_conn_close(c->conn);
    close(c->hold[1]);
    CHILD_CHECK(read(c->hold[0], &byte, 1) == 0);
    return 0;
}

static void on_connected(int status, yoke_conn *conn, void *user)
{
    client *c = user;

    assert_int_equal(status, YOKE_OK);
    c->conn = conn;
    c->told++;
    if (c->in_function)
        c->child = child_start(stay, c);
}

static void fork_and_close(bool in_function)
{
    client         c = {.in_function = in_function};
    uv_loop_t      loop;
    yoke_conn     *server;
    char           byte;
    yoke_listener *listener = listen_at(socket_address("forks"), NULL);

    loop_make(&loop);
    assert_int_equal(pipe(c.hold), 0);
    assert_int_equal(yoke_client_start(NULL, socket_address("forks"), NULL, T, &loop, on_connected, &c), YOKE_OK);
    if (!in_function)
        c.child = child_start(stay, &c);
    loop_until_count(&loop, &c.told, 1);
    assert_int_equal(yoke_listener_accept(listener, &server, T), YOKE_OK);
    yoke_conn_close(c.conn);
    assert_int_equal(yoke_conn_recv(server, &byte, 1, NULL, T), YOKE_EEOF); /* the child is still there */
    close(c.hold[1]);
    assert_int_equal(child_join(c.child), 0);
    close(c.hold[0]);
    yoke_conn_close(server);
    yoke_listener_close(listener);
    loop_end(&loop);
}

static void test_a_child_forked_meanwhile_keeps_no_stream_open(void **state)
{
    (void)state;
    fork_and_close(false);
}

static void test_a_child_forked_in_the_function_keeps_no_stream_open(void **state)
{
    (void)state;
    fork_and_close(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_child_forked_meanwhile_keeps_no_stream_open),
        cmocka_unit_test(test_a_child_forked_in_the_function_keeps_no_stream_open),
    };
    return cmocka_run_group_tests_name("clients that connect, and forks", tests, sockets_setup, sockets_teardown);
}
