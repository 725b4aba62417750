/* Clients that mean harm, or die, or come in crowds: the listener takes the others, in bounded time and memory. */
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "core/connection/listener.h"

#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"
#include "support/sockets.h"

#define T SOCKET_PATIENCE

#define KEY(value) .authkey = (value), .authkey_size = strlen(value)

static yoke_listener *guarded(const char *address, int64_t handshake)
{
    yoke_listener *listener;

    assert_int_equal(YOKE_OK, yoke_listener_create(&listener, address,
                                                   YOKE_OPTIONS(yoke_listener_options, KEY("secret"), .backlog = 500,
                                                                .handshake_timeout = handshake)));
    return listener;
}

typedef struct guest {
    const char *address;
    yoke_conn  *conn;
    int         rc;
} guest;

static void *connect_as_guest(void *user)
{
    guest *g = user;

    g->rc = yoke_client_connect(&g->conn, g->address, YOKE_OPTIONS(yoke_client_options, KEY("secret")), T);
    return NULL;
}

/* One that has the key gets in. */
static void let_guest_in(yoke_listener *listener)
{
    guest      g = {address_of(listener), NULL, 0};
    pthread_t  thread;
    yoke_conn *server;

    assert_int_equal(0, pthread_create(&thread, NULL, connect_as_guest, &g));
    assert_int_equal(YOKE_OK, yoke_listener_accept(listener, &server, T));
    assert_int_equal(0, pthread_join(thread, NULL));
    assert_int_equal(YOKE_OK, g.rc);
    exchange(g.conn, server);
    yoke_conn_close(g.conn);
    yoke_conn_close(server);
}

static void test_silent_clients_keep_nobody_out(void **state)
{
    int silent[200];

    (void)state;
    for (int a = 0; a < 2; a++) {
        yoke_listener *listener = guarded(a ? socket_address("silent") : "tcp:127.0.0.1:0", 60000);
        for (unsigned i = 0; i < 200; i++)
            silent[i] = raw_client(address_of(listener));
        long long start = milliseconds();
        let_guest_in(listener);
        assert_true(milliseconds() - start < 20000); /* not the minute that each of them has */
        assert_true(yoke_listener_refused(listener) >= 200 - 2 * (int)YOKE__HANDSHAKES);
        for (unsigned i = 0; i < 200; i++)
            close(silent[i]);
        let_guest_in(listener);
        yoke_listener_close(listener);
    }
}

static void expect_refused(yoke_listener *listener, int client, const char *why)
{
    yoke_conn *conn;
    int64_t    before = yoke_listener_refused(listener);
    long long  start = milliseconds();

    while (yoke_listener_refused(listener) == before) {
        assert_int_equal(YOKE_ETIMEDOUT, yoke_listener_accept(listener, &conn, 20));
        assert_true(milliseconds() - start < T / 2);
    }
    assert_int_equal(YOKE_ETIMEDOUT, yoke_listener_accept(listener, &conn, 0));
    assert_non_null(strstr(yoke_last_error()->text, why));
    close(client);
}

static void test_a_silent_client_is_sent_away_when_its_time_is_up(void **state)
{
    yoke_listener *listener = guarded(socket_address("slow"), 100);
    int            client = raw_client(socket_address("slow"));
    char           bytes[256];

    (void)state;
    long long start = milliseconds();
    expect_refused(listener, dup(client), "not answered in time");
    assert_true(milliseconds() - start >= 100);
    ssize_t got;
    while ((got = read(client, bytes, sizeof bytes)) > 0) /* the challenge, then the end */
        continue;
    assert_int_equal(0, got);
    close(client);
    client = raw_client(socket_address("slow")); /* half a header is no better */
    assert_int_equal(2, write(client, "\0\0", 2));
    expect_refused(listener, client, "not answered in time");
    let_guest_in(listener);
    yoke_listener_close(listener);
}

static void test_time_between_calls_is_not_a_newcomers_loss(void **state)
{
    yoke_listener *listener = guarded(socket_address("pause"), 300);
    int            client = raw_client(socket_address("pause"));
    yoke_conn     *conn;

    (void)state;
    assert_int_equal(YOKE_ETIMEDOUT, yoke_listener_accept(listener, &conn, 0));
    usleep(400000); /* longer than it has: what is tested is that this doesn't count */
    assert_int_equal(YOKE_ETIMEDOUT, yoke_listener_accept(listener, &conn, 0));
    assert_int_equal(0, yoke_listener_refused(listener));
    expect_refused(listener, client, "not answered in time");
    yoke_listener_close(listener);
}

static void test_what_is_not_the_protocol_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t      size;
        const char *why;
    } cases[] = {
        {"\x7f\xff\xff\xff", 4, "no message of at most 256"},
        {"\xff\xff\xff\xff\0\0\1\0\0\0\0\0", 12, "no message of at most 256"},
        {"\0\0\1\1", 4, "no message of at most 256"},
        {"GET / HTTP/1.1\r\n", 16, "no message of at most 256"},
        {"\0\0\0\0", 4, "names no digest"},
        {"\0\0\0\5hello", 9, "names no digest"},
        {"\0\0\0\x10"
         "0123456789abcdef",
         20, "MD5"},
    };
    yoke_listener *listener = guarded(socket_address("junk"), 60000);

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        int client = raw_client(socket_address("junk"));
        assert_int_equal(cases[i].size, send(client, cases[i].bytes, cases[i].size, MSG_NOSIGNAL));
        expect_refused(listener, client, cases[i].why);
    }
    int client = raw_client(socket_address("junk"));
    assert_int_equal(3, write(client, "\0\0\0", 3));
    assert_int_equal(0, shutdown(client, SHUT_WR));
    expect_refused(listener, client, "closed");
    let_guest_in(listener);
    yoke_listener_close(listener);
}

static void test_a_client_with_no_key_or_another_is_refused(void **state)
{
    yoke_listener *listener = guarded(socket_address("keys"), 60000);
    yoke_conn     *client;

    (void)state;
    assert_int_equal(YOKE_OK, yoke_client_connect(&client, socket_address("keys"), NULL, T));
    assert_int_equal(YOKE_OK, yoke_conn_send_string(client, "let me in", T));
    expect_refused(listener, -1, "names no digest");
    yoke_conn_close(client);
    let_guest_in(listener);
    yoke_listener_close(listener);
}

static void test_a_listener_without_a_key_authenticates_nobody(void **state)
{
    yoke_listener *listener = listen_at(socket_address("open"), NULL);
    yoke_conn     *client, *server;

    (void)state;
    assert_int_equal(YOKE_ETIMEDOUT, yoke_client_connect(&client, socket_address("open"),
                                                         YOKE_OPTIONS(yoke_client_options, KEY("secret")), 50));
    assert_non_null(strstr(yoke_last_error()->text, "with a key?"));
    assert_int_equal(YOKE_OK, yoke_listener_accept(listener, &server, T));
    assert_int_equal(YOKE_EEOF, yoke_conn_recv(server, NULL, 0, NULL, T));
    yoke_conn_close(server);
    yoke_listener_close(listener);
}

/* ---- descriptors run out ---- */

static void test_no_descriptors_is_an_error_and_the_listener_goes_on(void **state)
{
    yoke_listener *listener = listen_at(socket_address("few"), NULL);
    struct rlimit  limit, low;
    yoke_conn     *client, *server;

    (void)state;
    assert_int_equal(YOKE_ETIMEDOUT, yoke_listener_accept(listener, &server, 1)); /* what it waits with is made */
    assert_int_equal(YOKE_OK, yoke_client_connect(&client, socket_address("few"), NULL, T));
    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &limit));
    low = limit;
    low.rlim_cur = 3;
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &low));
    int first = yoke_listener_accept(listener, &server, T), second = yoke_listener_accept(listener, &server, T);
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &limit));
    assert_int_equal(YOKE_ENOMEM, first);
    assert_int_equal(YOKE_ENOMEM, second);
    assert_int_equal(YOKE_OK, yoke_listener_accept(listener, &server, T)); /* it has waited */
    exchange(client, server);
    yoke_conn_close(client);
    yoke_conn_close(server);
    yoke_listener_close(listener);
}

/* ---- crowds ---- */

#define CROWD 2000

static int be_a_crowd(void *user)
{
    const char *address = user;

    for (int i = 0; i < CROWD; i++) {
        int fd = raw_client(address);
        if (i % 3 == 0)
            (void)!write(fd, "\0\0\0\6crowd!", 10);
        if (i % 3 == 1)
            (void)!write(fd, "\0", 1);
        close(fd);
    }
    return 0;
}

static void test_a_crowd_passes_and_leaves_nothing(void **state)
{
    yoke_listener *listener = guarded(socket_address("crowd"), 5000);
    yoke_conn     *conn;
    int            most = 0, before = leak_descriptors();

    (void)state;
    pid_t crowd = child_start(be_a_crowd, (void *)(uintptr_t)address_of(listener));
    while (yoke_listener_refused(listener) < CROWD) {
        int rc = yoke_listener_accept(listener, &conn, 5);
        assert_int_equal(YOKE_ETIMEDOUT, rc);
        int now = leak_descriptors();
        most = now > most ? now : most;
    }
    assert_int_equal(0, child_join(crowd));
    assert_true(most - before <= (int)YOKE__HANDSHAKES + 4);
    let_guest_in(listener);
    yoke_listener_close(listener);
}

/* ---- death of either end ---- */

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
    yoke_listener *listener = guarded(socket_address("killed"), 60000);

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
        cmocka_unit_test(test_silent_clients_keep_nobody_out),
        cmocka_unit_test(test_a_silent_client_is_sent_away_when_its_time_is_up),
        cmocka_unit_test(test_time_between_calls_is_not_a_newcomers_loss),
        cmocka_unit_test(test_what_is_not_the_protocol_is_refused),
        cmocka_unit_test(test_a_client_with_no_key_or_another_is_refused),
        cmocka_unit_test(test_a_listener_without_a_key_authenticates_nobody),
        cmocka_unit_test(test_no_descriptors_is_an_error_and_the_listener_goes_on),
        cmocka_unit_test(test_a_crowd_passes_and_leaves_nothing),
        cmocka_unit_test(test_clients_killed_at_any_moment_do_no_harm),
        cmocka_unit_test(test_listeners_killed_at_any_moment_are_told_and_replaced),
    };
    return cmocka_run_group_tests(tests, sockets_setup, sockets_teardown);
}
