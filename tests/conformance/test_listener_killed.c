/* Either end of a connection is killed at any moment, also during the handshake: the other goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"
#include "support/sockets.h"

#define T SOCKET_PATIENCE

#define KEY(value) .authkey = (value), .authkey_size = strlen(value)

static int connect_and_talk(void *user)
{
    yoke_conn *conn;
    char       text[64];

    for (;;) {
        if (yoke_client_connect(&conn, user, YOKE_OPTIONS(yoke_client_options, KEY("secret")), T) < 0)
            return 1;
        for (int i = 0; i < 5; i++)
            if (yoke_conn_send_string(conn, "hello", T) < 0 || yoke_conn_recv_string(conn, text, sizeof text, T) < 0)
                return 2;
        yoke_conn_close(conn);
    }
}

/* Takes clients and echoes until one of them is gone; false: none came. */
static bool serve_one(yoke_listener *listener)
{
    yoke_conn *conn;
    char       text[64];
    int        rc = yoke_listener_accept(listener, &conn, 20);

    if (rc == YOKE_ETIMEDOUT)
        return false;
    assert_int_equal(YOKE_OK, rc);
    while ((rc = yoke_conn_recv_string(conn, text, sizeof text, T)) == YOKE_OK)
        rc = yoke_conn_send_string(conn, text, T);
    assert_true(rc == YOKE_EEOF || rc == YOKE_EBROKEN);
    yoke_conn_close(conn);
    return true;
}

static void *kill_soon(void *user)
{
    usleep((useconds_t)(rand() % 5000)); /* any moment will do: nothing waits for this */
    kill(*(pid_t *)user, SIGKILL);
    return NULL;
}

static void test_clients_killed_at_any_moment_do_no_harm(void **state)
{
    yoke_listener *listener = listen_guarded(socket_address("killed"), 60000);

    (void)state;
    for (int i = 0; i < 40; i++) {
        pthread_t killer;
        pid_t     child = child_start(connect_and_talk, (void *)(uintptr_t)address_of(listener));
        assert_int_equal(0, pthread_create(&killer, NULL, kill_soon, &child));
        for (int served = 0; served < 3; served++)
            (void)serve_one(listener);
        assert_int_equal(0, pthread_join(killer, NULL));
        while (serve_one(listener))
            continue;
        assert_int_equal(1000 + SIGKILL, child_join(child));
    }
    let_guest_in(listener);
    yoke_listener_close(listener);
}

typedef struct server {
    char address[160];
    int  round;
} server;

static int serve_until_killed(void *user)
{
    server        *s = user;
    yoke_listener *listener;

    alarm(120); /* should nobody be left to kill it */
    CHILD_CHECK(yoke_listener_create(&listener, s->address, YOKE_OPTIONS(yoke_listener_options, KEY("secret"))) ==
                YOKE_OK);
    for (;;)
        (void)serve_one(listener);
}

/* Dead, and left to be joined. */
static bool is_dead(pid_t child)
{
    siginfo_t info = {.si_pid = 0};

    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child;
}

static void test_listeners_killed_at_any_moment_are_told_and_replaced(void **state)
{
    server s;

    (void)state;
    snprintf(s.address, sizeof s.address, "%s", socket_address("served"));
    for (s.round = 0; s.round < 30; s.round++) {
        pthread_t killer;
        pid_t     child = child_start(serve_until_killed, &s);
        assert_int_equal(0, pthread_create(&killer, NULL, kill_soon, &child));
        for (;;) {
            yoke_conn *conn;
            char       text[64];
            int        rc = yoke_client_connect(&conn, s.address, YOKE_OPTIONS(yoke_client_options, KEY("secret")), T);
            if (rc < 0) {
                assert_true(rc == YOKE_ENOENT || rc == YOKE_EEOF || rc == YOKE_EBROKEN);
                if (is_dead(child))
                    break;
                continue;
            }
            while (yoke_conn_send_string(conn, "hello", T) == YOKE_OK &&
                   yoke_conn_recv_string(conn, text, sizeof text, T) == YOKE_OK)
                continue;
            yoke_conn_close(conn);
        }
        assert_int_equal(0, pthread_join(killer, NULL));
        assert_int_equal(1000 + SIGKILL, child_join(child));
    }
    yoke_listener_close(listen_at(s.address, NULL)); /* takes the last one's file away */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients_killed_at_any_moment_do_no_harm),
        cmocka_unit_test(test_listeners_killed_at_any_moment_are_told_and_replaced),
    };
    return cmocka_run_group_tests(tests, sockets_setup, sockets_teardown);
}
