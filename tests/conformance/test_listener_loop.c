/* Listeners and clients on event loops: handshakes beside each other, silent peers, stopping and closing in functions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <yoke/uv.h>
#include <yoke/yoke.h>

#include "support/child.h"
#include "support/leak.h"
#include "support/loops.h"
#include "support/pipes.h"
#include "support/sockets.h"

#define T SOCKET_PATIENCE

/* Where clients of a listener go, and what it has told. */
enum { KEEP, STOP, CLOSE };
typedef struct server {
    yoke_listener *listener;
    yoke_conn     *conns[300];
    int            count, failures, stopped, what;
} server;

static void on_stopped(void *user)
{
    ((server *)user)->stopped++;
}

static void on_client(yoke_listener *listener, int status, yoke_conn *conn, void *user)
{
    server *s = user;

    s->failures += status < 0;
    if (status == YOKE_OK)
        s->conns[s->count++] = conn;
    if (s->what == STOP)
        assert_int_equal(yoke_listener_stop(listener, on_stopped), YOKE_OK);
    if (s->what == CLOSE)
        yoke_listener_close(listener);
}

static void serve(server *s, uv_loop_t *loop, const char *address, const char *key, int64_t handshake_timeout)
{
    *s = (server){.count = 0};
    assert_int_equal(
        yoke_listener_create(&s->listener, address,
                             YOKE_OPTIONS(yoke_listener_options, .authkey = key, .authkey_size = key ? strlen(key) : 0,
                                          .allow_anyone = !strncmp(address, "tcp:", 4),
                                          .handshake_timeout = handshake_timeout)),
        YOKE_OK);
    assert_int_equal(yoke_listener_start(s->listener, loop, on_client, s), YOKE_OK);
}

static void close_all(server *s)
{
    while (s->count > 0)
        yoke_conn_close(s->conns[--s->count]);
}

typedef struct client {
    yoke_connecting *connecting;
    yoke_conn       *conn;
    int              status, *told;
} client;

static void on_connected(int status, yoke_conn *conn, void *user)
{
    client *c = user;

    c->status = status;
    c->conn = conn;
    ++*c->told;
}

static int client_start(client *c, uv_loop_t *loop, const char *address, const char *key, int64_t timeout, int *told)
{
    *c = (client){.status = 1, .told = told};
    return yoke_client_start(&c->connecting, address,
                             YOKE_OPTIONS(yoke_client_options, .authkey = key, .authkey_size = key ? strlen(key) : 0),
                             timeout, loop, on_connected, c);
}

/* ---- both on one loop ------------------------------------------------------------------------------------------------ */

static void connect_many(const char *address, const char *key)
{
    enum { CLIENTS = 200 };
    static client clients[CLIENTS];
    static server s;
    uv_loop_t     loop;
    char          at[YOKE_ADDRESS_SIZE];
    int           told = 0;

    loop_make(&loop);
    serve(&s, &loop, address, key, 0);
    assert_int_equal(yoke_listener_address(s.listener, at, sizeof at), YOKE_OK);
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(client_start(&clients[i], &loop, at, key, T, &told), YOKE_OK);
        assert_int_equal(told, 0);
    }
    loop_until_count(&loop, &told, CLIENTS);
    loop_until_count(&loop, &s.count, CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(clients[i].status, YOKE_OK);
    yoke_listener_close(s.listener);
    loop_end(&loop);
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(yoke_conn_send(clients[i].conn, &i, sizeof i, T), YOKE_OK);
    for (int i = 0, number; i < CLIENTS; i++)
        assert_int_equal(yoke_conn_recv(s.conns[i], &number, sizeof number, NULL, T), YOKE_OK);
    for (int i = 0; i < CLIENTS; i++)
        yoke_conn_close(clients[i].conn);
    close_all(&s);
}

static void test_many_clients_prove_their_keys_on_one_loop(void **state)
{
    (void)state;
    connect_many(socket_address("keyed"), "key");
    connect_many("tcp:127.0.0.1:0", "key");
    connect_many("tcp:localhost:0", NULL);
    connect_many(socket_address("plain"), NULL);
}

/* The queue of those who wait is full before anybody accepts. */
static void test_clients_wait_until_there_is_room_in_the_queue(void **state)
{
    enum { CLIENTS = 20 };
    client      clients[CLIENTS];
    server      s = {.count = 0};
    uv_loop_t   loop;
    const char *address = socket_address("full");
    int         told = 0;

    (void)state;
    loop_make(&loop);
    assert_int_equal(yoke_listener_create(&s.listener, address, YOKE_OPTIONS(yoke_listener_options, .backlog = 1)),
                     YOKE_OK);
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(client_start(&clients[i], &loop, address, NULL, T, &told), YOKE_OK);
    loop_rounds(&loop, 5);
    assert_in_range(told, 1, 5);
    assert_int_equal(yoke_listener_start(s.listener, &loop, on_client, &s), YOKE_OK);
    loop_until_count(&loop, &told, CLIENTS);
    loop_until_count(&loop, &s.count, CLIENTS);
    yoke_listener_close(s.listener);
    loop_end(&loop);
    for (int i = 0; i < CLIENTS; i++)
        yoke_conn_close(clients[i].conn);
    close_all(&s);
}

/* ---- peers that do wrong ----------------------------------------------------------------------------------------------- */

static void test_silent_peers_keep_nobody_out_and_cost_no_time(void **state)
{
    enum { SILENT = 100 };
    int         silent[SILENT], told = 0;
    client      sincere, wrong;
    server      s;
    uv_loop_t   loop;
    const char *address = socket_address("silent");

    (void)state;
    loop_make(&loop);
    serve(&s, &loop, address, "key", 1000);
    for (int i = 0; i < SILENT; i++)
        silent[i] = raw_client(address);
    assert_int_equal(client_start(&sincere, &loop, address, "key", T, &told), YOKE_OK);
    assert_int_equal(client_start(&wrong, &loop, address, "another key", T, &told), YOKE_OK);
    int rounds = 0;
    while (told < 2 || yoke_listener_refused(s.listener) < SILENT + 1) {
        (void)uv_run(&loop, UV_RUN_ONCE);
        rounds++;
    }
    assert_int_equal(sincere.status, YOKE_OK);
    assert_int_equal(wrong.status, YOKE_EACCES);
    assert_in_range(rounds, 1, 2000); /* or it would run without end */
    loop_until_count(&loop, &s.count, 1);
    for (int i = 0; i < SILENT; i++)
        (void)close(silent[i]);
    yoke_listener_close(s.listener);
    loop_end(&loop);
    yoke_conn_close(sincere.conn);
    close_all(&s);
}

static void test_a_client_is_told_why_it_failed(void **state)
{
    client         c;
    uv_loop_t      loop;
    int            told = 0;
    const char    *address = socket_address("failing");
    yoke_listener *silent = listen_at(address, "key");
    yoke_listener *gone = listen_at("tcp:127.0.0.1:0", "key");
    char           nobody[YOKE_ADDRESS_SIZE];

    (void)state;
    loop_make(&loop);
    assert_int_equal(client_start(&c, &loop, socket_address("nobody"), NULL, T, &told), YOKE_ENOENT);
    assert_int_equal(client_start(&c, &loop, "nonsense", NULL, T, &told), YOKE_EINVAL);
    assert_int_equal(client_start(&c, &loop, address, "key", 100, &told), YOKE_OK); /* nobody accepts */
    loop_until_count(&loop, &told, 1);
    assert_int_equal(c.status, YOKE_ETIMEDOUT);
    assert_null(c.conn);
    assert_int_equal(yoke_listener_address(gone, nobody, sizeof nobody), YOKE_OK);
    yoke_listener_close(gone);
    int rc = client_start(&c, &loop, nobody, "key", T, &told);
    if (rc == YOKE_OK) {
        loop_until_count(&loop, &told, 2);
        rc = c.status;
    }
    assert_int_equal(rc, YOKE_ENOENT);
    yoke_listener_close(silent);
    loop_end(&loop);
}

static void test_a_client_is_cancelled_at_any_moment(void **state)
{
    (void)state;
    for (int rounds = 0; rounds < 12; rounds++) {
        client    c;
        server    s;
        uv_loop_t loop;
        int       told = 0;

        loop_make(&loop);
        serve(&s, &loop, socket_address("cancelled"), "key", 0);
        assert_int_equal(client_start(&c, &loop, socket_address("cancelled"), "key", T, &told), YOKE_OK);
        loop_rounds(&loop, rounds);
        if (told == 0)
            yoke_client_cancel(c.connecting);
        else
            yoke_conn_close(c.conn);
        loop_rounds(&loop, 3);
        assert_int_equal(told, c.status == YOKE_OK);
        yoke_listener_close(s.listener);
        loop_end(&loop);
        close_all(&s);
    }
}

/* ---- stopping ---------------------------------------------------------------------------------------------------------- */

static void test_a_listener_is_stopped_and_closed_in_its_function(void **state)
{
    (void)state;
    for (int what = STOP; what <= CLOSE; what++) {
        client      c[2];
        server      s;
        uv_loop_t   loop;
        int         told = 0;
        const char *address = socket_address("stopped");

        loop_make(&loop);
        serve(&s, &loop, address, NULL, 0);
        s.what = what;
        for (int i = 0; i < 2; i++)
            assert_int_equal(client_start(&c[i], &loop, address, NULL, T, &told), YOKE_OK);
        loop_until_count(&loop, &s.count, 1);
        loop_until_count(&loop, &told, 2);
        loop_end(&loop); /* nothing of the listener keeps it */
        assert_int_equal(s.count, 1);
        assert_int_equal(s.stopped, what == STOP);
        if (what == STOP) { /* the other one waits still */
            assert_int_equal(yoke_listener_accept(s.listener, &s.conns[s.count++], T), YOKE_OK);
            yoke_listener_close(s.listener);
        }
        for (int i = 0; i < 2; i++)
            yoke_conn_close(c[i].conn);
        close_all(&s);
    }
}

static int accept_in_child(void *user)
{
    server    *s = user;
    yoke_conn *conn;

    CHILD_CHECK(yoke_listener_accept(s->listener, &conn, T) == YOKE_OK);
    CHILD_CHECK(yoke_conn_send_string(conn, "from the child", T) == YOKE_OK);
    yoke_conn_close(conn);
    yoke_listener_close(s->listener);
    return 0;
}

static void test_a_started_listener_is_the_loops_and_no_childs(void **state)
{
    server      s;
    uv_loop_t   loop;
    yoke_conn  *conn, *other;
    char        line[32];
    const char *address = socket_address("loops");

    (void)state;
    loop_make(&loop);
    serve(&s, &loop, address, NULL, 0);
    yoke_wait_entry entry = yoke_wait_listener_readable(s.listener);
    assert_int_equal(yoke_listener_accept(s.listener, &conn, YOKE_NOWAIT), YOKE_EBUSY);
    assert_int_equal(yoke_listener_start(s.listener, &loop, on_client, &s), YOKE_EBUSY);
    assert_int_equal(yoke_wait(&entry, 1, YOKE_NOWAIT), 1);
    assert_int_equal(entry.status, YOKE_EBUSY);
    pid_t child = child_start(accept_in_child, &s);
    assert_int_equal(yoke_client_connect(&other, address, NULL, T), YOKE_OK);
    assert_int_equal(yoke_conn_recv_string(other, line, sizeof line, T), YOKE_OK);
    assert_string_equal(line, "from the child");
    assert_int_equal(child_join(child), 0);
    yoke_conn_close(other);
    assert_int_equal(yoke_client_connect(&other, address, NULL, T), YOKE_OK);
    loop_until_count(&loop, &s.count, 1);
    assert_int_equal(yoke_listener_stop(s.listener, on_stopped), YOKE_OK);
    assert_int_equal(yoke_listener_stop(s.listener, NULL), YOKE_EINVAL);
    loop_until_count(&loop, &s.stopped, 1);
    yoke_listener_close(s.listener);
    loop_end(&loop);
    yoke_conn_close(other);
    close_all(&s);
}

static int setup(void **state)
{
    uv_loop_t      loop;
    yoke_listener *listener;

    if (sockets_directory() != 0)
        return -1;
    loop_make(&loop);
    listener = listen_at(socket_address("setup"), NULL);
    yoke_wait_entry entry = yoke_wait_listener_readable(listener);
    if (yoke_wait(&entry, 1, 1) != YOKE_ETIMEDOUT)
        return -1;
    yoke_listener_close(listener);
    loop_end(&loop);
    return pipes_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_clients_prove_their_keys_on_one_loop),
        cmocka_unit_test(test_clients_wait_until_there_is_room_in_the_queue),
        cmocka_unit_test(test_silent_peers_keep_nobody_out_and_cost_no_time),
        cmocka_unit_test(test_a_client_is_told_why_it_failed),
        cmocka_unit_test(test_a_client_is_cancelled_at_any_moment),
        cmocka_unit_test(test_a_listener_is_stopped_and_closed_in_its_function),
        cmocka_unit_test(test_a_started_listener_is_the_loops_and_no_childs),
    };
    return cmocka_run_group_tests_name("listeners and clients on loops", tests, setup, sockets_teardown);
}
