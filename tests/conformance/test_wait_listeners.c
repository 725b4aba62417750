/* yoke_wait over listeners, with handshakes under way, and over thousands of things of all kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "core/wait/word.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"
#include "support/shared.h"
#include "support/sockets.h"

#define T SOCKET_PATIENCE

/* A thread that connects. */
typedef struct connector {
    pthread_t   thread;
    const char *address, *key;
    yoke_conn  *conn;
    int         result;
} connector;

static void *connect_there(void *user)
{
    connector          *c = user;
    yoke_client_options options = {.struct_size = sizeof options, .authkey = c->key};

    options.authkey_size = c->key ? strlen(c->key) : 0;
    c->result = yoke_client_connect(&c->conn, c->address, &options, T);
    return NULL;
}

static void connector_start(connector *c, const char *address, const char *key)
{
    *c = (connector){.address = address, .key = key};
    assert_int_equal(pthread_create(&c->thread, NULL, connect_there, c), 0);
}

static int connector_join(connector *c)
{
    assert_int_equal(pthread_join(c->thread, NULL), 0);
    return c->result;
}

static int wait_for(yoke_listener *listener, int64_t timeout)
{
    yoke_wait_entry entry = yoke_wait_listener_readable(listener);

    return yoke_wait(&entry, 1, timeout);
}

static yoke_conn *accepted(yoke_listener *listener)
{
    yoke_conn *conn;

    assert_int_equal(yoke_listener_accept(listener, &conn, YOKE_NOWAIT), YOKE_OK);
    return conn;
}

static void test_a_client_makes_its_listener_ready(void **state)
{
    const char     *address = socket_address("plain");
    yoke_listener  *listener = listen_at(address, NULL);
    yoke_conn      *client;
    yoke_wait_entry entries[] = {yoke_wait_listener_readable(listener), {0}};

    (void)state;
    assert_int_equal(yoke_wait(entries, 2, 50), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_client_connect(&client, address, NULL, T), YOKE_OK);
    assert_int_equal(yoke_wait(entries, 2, T), 1);
    assert_int_equal(entries[0].status, YOKE_OK);
    assert_int_equal(wait_for(listener, YOKE_NOWAIT), 1); /* until it is accepted */
    yoke_conn *server = accepted(listener);
    exchange(client, server);
    assert_int_equal(yoke_wait(entries, 2, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    yoke_conn_close(client);
    yoke_conn_close(server);
    yoke_listener_close(listener);
}

static void test_a_handshake_goes_on_while_it_is_waited_for(void **state)
{
    const char    *address = socket_address("keyed");
    yoke_listener *listener = listen_at(address, "key");
    connector      client;

    (void)state;
    for (int i = 0; i < 20; i++) {
        connector_start(&client, address, "key");
        assert_int_equal(wait_for(listener, T), 1);
        assert_int_equal(connector_join(&client), YOKE_OK);
        yoke_conn *server = accepted(listener);
        exchange(client.conn, server);
        yoke_conn_close(client.conn);
        yoke_conn_close(server);
    }
    yoke_listener_close(listener);
}

static void test_who_is_silent_or_has_another_key_makes_nothing_ready(void **state)
{
    const char    *address = socket_address("wrong");
    yoke_listener *listener;
    connector      client;

    (void)state;
    assert_int_equal(yoke_listener_create(&listener, address,
                                          YOKE_OPTIONS(yoke_listener_options, .authkey = "key", .authkey_size = 3,
                                                       .handshake_timeout = 200)),
                     YOKE_OK);
    int silent = raw_client(address);
    connector_start(&client, address, "other");
    assert_int_equal(wait_for(listener, 600), YOKE_ETIMEDOUT);
    assert_int_equal(connector_join(&client), YOKE_EACCES);
    assert_int_equal(yoke_listener_refused(listener), 2);
    (void)close(silent);
    yoke_listener_close(listener);
}

/* The client is told that it has connected, so it must not be lost. */
static void test_a_client_that_was_found_stays_until_accepted_or_closed(void **state)
{
    const char    *address = socket_address("held");
    yoke_listener *listener = listen_at(address, "key");
    connector      client;

    (void)state;
    connector_start(&client, address, "key");
    assert_int_equal(wait_for(listener, T), 1);
    assert_int_equal(connector_join(&client), YOKE_OK);
    yoke_conn *server = accepted(listener);
    exchange(client.conn, server);
    yoke_conn_close(client.conn);
    yoke_conn_close(server);
    connector_start(&client, address, "key");
    assert_int_equal(wait_for(listener, T), 1);
    assert_int_equal(connector_join(&client), YOKE_OK);
    yoke_listener_close(listener);
    assert_int_equal(yoke_conn_recv(client.conn, NULL, 0, NULL, T), YOKE_EEOF);
    yoke_conn_close(client.conn);
}

static void *accept_one(void *user)
{
    yoke_conn *conn = NULL;

    return yoke_listener_accept(user, &conn, T) == YOKE_OK ? conn : NULL;
}

static void test_one_thread_accepts_while_another_waits(void **state)
{
    const char    *address = socket_address("both");
    yoke_listener *listener = listen_at(address, "key");
    connector      clients[2];
    pthread_t      acceptor;
    void          *first;

    (void)state;
    assert_int_equal(pthread_create(&acceptor, NULL, accept_one, listener), 0);
    connector_start(&clients[0], address, "key");
    connector_start(&clients[1], address, "key");
    assert_int_equal(wait_for(listener, T), 1);
    assert_int_equal(pthread_join(acceptor, &first), 0);
    assert_non_null(first);
    yoke_conn *second;
    assert_int_equal(yoke_listener_accept(listener, &second, T), YOKE_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(connector_join(&clients[i]), YOKE_OK);
        yoke_conn_close(clients[i].conn);
    }
    yoke_conn_close(first);
    yoke_conn_close(second);
    yoke_listener_close(listener);
}

/* ---- thousands ------------------------------------------------------------------------------------------------------- */

enum { PIPES = 1500, LISTENERS = 200, QUEUES = 300, EVENTS = 200, SEMAPHORES = 200, PROCESSES = 4 };
enum { ALL = PIPES + LISTENERS + QUEUES + EVENTS + SEMAPHORES + PROCESSES };

static struct {
    yoke_conn       *readers[PIPES], *writers[PIPES];
    yoke_listener   *listeners[LISTENERS];
    yoke_queue      *queues[QUEUES], *ends[PROCESSES];
    yoke_event      *events[EVENTS];
    yoke_semaphore  *semaphores[SEMAPHORES];
    yoke_process    *processes[PROCESSES];
    yoke_wait_entry  entries[ALL];
    yoke_wait_entry *first_listener, *first_queue, *first_event, *first_semaphore, *first_process;
} many;

static int end_when_told(const yoke_args *args)
{
    char byte;

    return yoke_queue_get(yoke_args_queue(args, 0), &byte, 1, NULL, YOKE_FOREVER);
}

static const char *listener_address(int i)
{
    static char address[64];

    snprintf(address, sizeof address, "abstract:yoke-wait-%ld-%d", (long)getpid(), i);
    return address;
}

static void make_many(void)
{
    yoke_wait_entry *entry = many.entries;

    for (int i = 0; i < PIPES; i++) {
        pipe_make(&many.readers[i], &many.writers[i], true);
        *entry++ = yoke_wait_conn_readable(many.readers[i]);
    }
    many.first_listener = entry;
    for (int i = 0; i < LISTENERS; i++) {
        many.listeners[i] = listen_at(listener_address(i), i % 2 ? "key" : NULL);
        *entry++ = yoke_wait_listener_readable(many.listeners[i]);
    }
    many.first_queue = entry;
    for (int i = 0; i < QUEUES; i++) {
        assert_int_equal(yoke_queue_create(&many.queues[i], NULL), YOKE_OK);
        *entry++ = yoke_wait_queue_readable(many.queues[i]);
    }
    many.first_event = entry;
    for (int i = 0; i < EVENTS; i++) {
        assert_int_equal(yoke_event_create(&many.events[i], NULL), YOKE_OK);
        *entry++ = yoke_wait_event_set(many.events[i]);
    }
    many.first_semaphore = entry;
    for (int i = 0; i < SEMAPHORES; i++) {
        assert_int_equal(yoke_semaphore_create(&many.semaphores[i], 0, NULL), YOKE_OK);
        *entry++ = yoke_wait_semaphore_available(many.semaphores[i]);
    }
    many.first_process = entry;
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(yoke_queue_create(&many.ends[i], NULL), YOKE_OK);
        assert_int_equal(yoke_process_start(&many.processes[i], end_when_told, YOKE_ARGS(many.ends[i]), NULL), YOKE_OK);
        *entry++ = yoke_wait_process_ended(many.processes[i]);
    }
    assert_ptr_equal(entry, many.entries + ALL);
}

static void close_many(void)
{
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(yoke_process_finish(many.processes[i], NULL, T), YOKE_OK);
        yoke_queue_close(many.ends[i]);
    }
    for (int i = 0; i < SEMAPHORES; i++)
        yoke_semaphore_close(many.semaphores[i]);
    for (int i = 0; i < EVENTS; i++)
        yoke_event_close(many.events[i]);
    for (int i = 0; i < QUEUES; i++)
        yoke_queue_close(many.queues[i]);
    for (int i = 0; i < LISTENERS; i++)
        yoke_listener_close(many.listeners[i]);
    for (int i = 0; i < PIPES; i++) {
        yoke_conn_close(many.readers[i]);
        yoke_conn_close(many.writers[i]);
    }
}

static void expect(const yoke_wait_entry *entry)
{
    for (;;) {
        assert_true(yoke_wait(many.entries, ALL, T) > 0);
        if (entry->ready)
            break;
    }
    assert_int_equal(entry->status, YOKE_OK);
}

/* One of each kind, taken away again; and all at once in the end. */
static void test_thousands_of_all_kinds(void **state)
{
    struct rlimit limit;
    char          byte;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2 * PIPES + 4 * LISTENERS)
        skip();
    make_many();
    assert_int_equal(yoke_wait(many.entries, ALL, 200), YOKE_ETIMEDOUT);
    for (int i = 0; i < 20; i++) {
        int pipe = i * 71 % PIPES, listener = i * 13 % LISTENERS, queue = i * 17 % QUEUES;
        assert_int_equal(yoke_conn_send(many.writers[pipe], "x", 1, YOKE_NOWAIT), YOKE_OK);
        expect(&many.entries[pipe]);
        assert_int_equal(yoke_conn_recv(many.readers[pipe], &byte, 1, NULL, YOKE_NOWAIT), YOKE_OK);
        connector client;
        connector_start(&client, listener_address(listener), listener % 2 ? "key" : NULL);
        expect(&many.first_listener[listener]);
        yoke_conn_close(accepted(many.listeners[listener]));
        assert_int_equal(connector_join(&client), YOKE_OK);
        yoke_conn_close(client.conn);
        assert_int_equal(yoke_queue_put(many.queues[queue], "x", 1, YOKE_NOWAIT), YOKE_OK);
        expect(&many.first_queue[queue]);
        assert_int_equal(yoke_queue_get(many.queues[queue], &byte, 1, NULL, YOKE_NOWAIT), YOKE_OK);
    }
    for (int i = 0; i < PIPES; i++)
        assert_int_equal(yoke_conn_send(many.writers[i], "x", 1, YOKE_NOWAIT), YOKE_OK);
    for (int i = 0; i < QUEUES; i++)
        assert_int_equal(yoke_queue_put(many.queues[i], "x", 1, YOKE_NOWAIT), YOKE_OK);
    for (int i = 0; i < EVENTS; i++)
        assert_int_equal(yoke_event_set(many.events[i]), YOKE_OK);
    for (int i = 0; i < SEMAPHORES; i++)
        assert_int_equal(yoke_semaphore_release(many.semaphores[i]), YOKE_OK);
    assert_int_equal(yoke_wait(many.entries, ALL, T), PIPES + QUEUES + EVENTS + SEMAPHORES);
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(yoke_queue_put(many.ends[i], "x", 1, YOKE_NOWAIT), YOKE_OK);
        expect(&many.first_process[i]);
    }
    close_many();
}

/* ------------------------------------------------------------------------------------------------------------------------ */

static int nothing(const yoke_args *args)
{
    (void)args;
    return 0;
}

/* What lives as long as the process: the domain, this thread's bell, and what starting a process leaves. */
static int setup(void **state)
{
    yoke_process *process;

    if (sockets_directory() != 0 || yoke_process_start(&process, nothing, NULL, NULL) < 0 ||
        yoke_process_finish(process, NULL, T) < 0)
        return -1;
    yoke_listener *listener = listen_at(socket_address("setup"), NULL);
    if (wait_for(listener, 10) != YOKE_ETIMEDOUT || !yoke__bell_ring(shared_domain(), 0))
        return -1;
    yoke_listener_close(listener);
    return pipes_setup(state);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_client_makes_its_listener_ready),
        cmocka_unit_test(test_a_handshake_goes_on_while_it_is_waited_for),
        cmocka_unit_test(test_who_is_silent_or_has_another_key_makes_nothing_ready),
        cmocka_unit_test(test_a_client_that_was_found_stays_until_accepted_or_closed),
        cmocka_unit_test(test_one_thread_accepts_while_another_waits),
        cmocka_unit_test(test_thousands_of_all_kinds),
    };
    return cmocka_run_group_tests_name("waiting for listeners", tests, setup, sockets_teardown);
}
