/* Clients that mean harm or come in crowds: the listener takes the others, in bounded time and memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "core/connection/listener.h"

#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"
#include "support/sockets.h"

#define T SOCKET_PATIENCE

#define KEY(value) .authkey = (value), .authkey_size = strlen(value)

static void let_guest_in_without_key(yoke_listener *listener)
{
    yoke_conn *client, *server;

    connect_through(listener, &client, &server);
    exchange(client, server);
    yoke_conn_close(client);
    yoke_conn_close(server);
}

static void test_silent_clients_keep_nobody_out(void **state)
{
    int silent[200];

    (void)state;
    for (int a = 0; a < 2; a++) {
        yoke_listener *listener = listen_guarded(a ? socket_address("silent") : "tcp:127.0.0.1:0", 60000);
        for (unsigned i = 0; i < 200; i++)
            silent[i] = raw_client(address_of(listener));
        long long start = milliseconds();
        long      bytes = leak_heap_bytes();
        let_guest_in(listener);
        assert_true(milliseconds() - start < 20000); /* not the minute that each of them has */
        assert_true(leak_heap_bytes() - bytes <= (long)YOKE__HANDSHAKES * 1024 + 16384);
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
    yoke_listener *listener = listen_guarded(socket_address("slow"), 100);
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
    yoke_listener *listener = listen_guarded(socket_address("pause"), 300);
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
    yoke_listener *listener = listen_guarded(socket_address("junk"), 60000);

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
    yoke_listener *listener = listen_guarded(socket_address("keys"), 60000);
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

#define CROWD (getenv("YOKE_TEST_FULL") ? 10000 : 2000)

static int be_a_crowd(void *user)
{
    const char *address = user;
    int         count = CROWD;

    for (int i = 0; i < count; i++) {
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
    yoke_listener *listener = listen_guarded(socket_address("crowd"), 5000);
    yoke_conn     *conn;
    int            count = CROWD, most = 0, before = leak_descriptors();
    long           most_bytes = 0, bytes_before = leak_heap_bytes();

    (void)state;
    pid_t crowd = child_start(be_a_crowd, (void *)(uintptr_t)address_of(listener));
    while (yoke_listener_refused(listener) < count) {
        int rc = yoke_listener_accept(listener, &conn, 5);
        assert_int_equal(YOKE_ETIMEDOUT, rc);
        int now = leak_descriptors();
        most = now > most ? now : most;
        long bytes = leak_heap_bytes();
        most_bytes = bytes > most_bytes ? bytes : most_bytes;
    }
    assert_int_equal(0, child_join(crowd));
    assert_true(most - before <= (int)YOKE__HANDSHAKES + 4);
    assert_true(most_bytes - bytes_before <= (long)YOKE__HANDSHAKES * 1024 + 8192); /* however many they are */
    assert_true(leak_heap_bytes() - bytes_before <= 32768); /* what malloc() keeps for itself counts, too */
    let_guest_in(listener);
    yoke_listener_close(listener);
}

/* ---- clients that are let in and claim what they don't send ---- */

#define CLAIMERS 50

/* Of those who are connected, so that it is the connection that must not believe. */
static void test_claims_of_length_cost_no_memory(void **state)
{
    static const char *const claims[] = {"\x7f\xff\xff\xff", "\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff",
                                         "\xff\xff\xff\xff\0\0\1\0\0\0\0\0"};
    yoke_listener           *listener = listen_at(socket_address("claims"), NULL);
    yoke_conn               *server[CLAIMERS];
    yoke_message            *message;
    int                      client[CLAIMERS];
    long                     before = leak_heap_bytes();

    (void)state;
    for (unsigned i = 0; i < CLAIMERS; i++) {
        const char *claim = claims[i % 3];
        size_t      size = *claim == '\x7f' ? 4 : 12;
        client[i] = raw_client(socket_address("claims"));
        assert_int_equal(YOKE_OK, yoke_listener_accept(listener, &server[i], T));
        assert_int_equal(size, write(client[i], claim, size));
        int rc = yoke_conn_recv_message(server[i], &message, 5);
        assert_true(rc == YOKE_ETIMEDOUT || rc == YOKE_ENOMEM);
    }
    /* Each holds a MiB for what it claims; what is touched of that is what has come. */
    assert_true(leak_heap_bytes() - before <= CLAIMERS * (1100L * 1024));
    for (unsigned i = 0; i < CLAIMERS; i++) {
        close(client[i]);
        int rc = yoke_conn_recv_message(server[i], &message, T);
        assert_true(rc == YOKE_EBROKEN || rc == YOKE_ENOMEM);
        yoke_conn_close(server[i]);
    }
    assert_true(leak_heap_bytes() - before <= 300000); /* buffers that are kept for the next */
    let_guest_in_without_key(listener);
    yoke_listener_close(listener);
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
        cmocka_unit_test(test_claims_of_length_cost_no_memory),
    };
    return cmocka_run_group_tests(tests, sockets_setup, sockets_teardown);
}
