/*
 * Ten thousand connections, or as many as the hard limit of descriptors allows: to one listener, honest and hostile; and at
 * rest between two processes. Memory and time are bounded, nobody spins, and all goes on afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"
#include "support/sockets.h"

#define T       SOCKET_PATIENCE
#define WANTED  10000
#define SPARE   500  /* descriptors of the process for all else */
#define PER_END 8192 /* bytes at rest */
#define IDLE_MS 500
#define KEY     "secret of this test"

/* How many a process may have at once, with the soft limit raised as far as it goes. */
static int how_many(void)
{
    struct rlimit limit;

    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &limit));
    return limit.rlim_cur >= WANTED + SPARE ? WANTED : (int)limit.rlim_cur - SPARE;
}

static size_t heap(void)
{
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

static double cpu_seconds(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

/* CPU that a wait for something that doesn't come takes. */
static double cpu_of_waiting(yoke_conn *conn)
{
    double before = cpu_seconds();

    CHILD_CHECK(yoke_conn_poll(conn, IDLE_MS) == YOKE_ETIMEDOUT);
    return cpu_seconds() - before;
}

/* ---- honest ones ---- */

typedef struct crowd {
    const char *address;
    int         count;
    yoke_conn  *wire; /* to the other process */
} crowd;

/* Connects so many times and stays; waits without CPU; then closes all. */
static int be_clients(void *user)
{
    const crowd *c = user;
    yoke_conn  **conns = calloc((size_t)c->count, sizeof *conns);
    char         text[8];

    for (int i = 0; i < c->count; i++)
        CHILD_CHECK(yoke_client_connect(&conns[i], c->address, NULL, T) == YOKE_OK);
    for (int i = 0; i < c->count; i++) {
        CHILD_CHECK(yoke_conn_send(conns[i], &i, sizeof i, T) == YOKE_OK);
        CHILD_CHECK(yoke_conn_recv_string(conns[i], text, sizeof text, T) == YOKE_OK);
    }
    double cpu = cpu_of_waiting(conns[0]);
    if (cpu > 0.05)
        print_message("client: %.3f s of CPU while idle\n", cpu);
    CHILD_CHECK(cpu < 0.1);
    CHILD_CHECK(yoke_conn_recv_string(conns[0], text, sizeof text, T) == YOKE_OK);
    for (int i = 0; i < c->count; i++)
        yoke_conn_close(conns[i]);
    free(conns);
    return 0;
}

static void accept_all(yoke_listener *listener, yoke_conn **conns, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(YOKE_OK, yoke_listener_accept(listener, &conns[i], T));
    for (int i = 0; i < count; i++) {
        int number;
        assert_int_equal(YOKE_OK, yoke_conn_recv(conns[i], &number, sizeof number, NULL, T));
        assert_int_equal(i, number);
        assert_int_equal(YOKE_OK, yoke_conn_send_string(conns[i], "ok", T));
    }
}

static void test_ten_thousand_clients_of_one_listener_rest_and_cost_little(void **state)
{
    yoke_listener *listener = listen_at(socket_address("many"), NULL);
    crowd          c = {socket_address("many"), how_many(), NULL};
    yoke_conn    **conns = calloc((size_t)c.count, sizeof *conns), *extra, *server;
    char           byte;

    (void)state;
    int       descriptors = leak_descriptors();
    size_t    before = heap();
    long long start = milliseconds();
    pid_t     child = child_start(be_clients, &c);
    accept_all(listener, conns, c.count);
    long long took = milliseconds() - start;
    long      bytes = (long)(heap() - before) / c.count;
    assert_in_range(leak_descriptors() - descriptors, c.count, c.count + 10); /* one each, and the loop's */
    double cpu = cpu_of_waiting(conns[c.count - 1]);
    print_message("%d connections: %lld ms, %ld bytes an end, %.4f s of CPU in %d ms at rest\n", c.count, took, bytes,
                  cpu, IDLE_MS);
    assert_true(bytes <= PER_END);
    assert_true(cpu < 0.1);
    connect_through(listener, &extra, &server); /* it still takes others */
    exchange(extra, server);
    yoke_conn_close(extra);
    yoke_conn_close(server);
    assert_int_equal(YOKE_OK, yoke_conn_send_string(conns[0], "end", T));
    for (int i = 0; i < c.count; i++) { /* each of them comes to its end */
        assert_int_equal(YOKE_EEOF, yoke_conn_recv(conns[i], &byte, 1, NULL, T));
        yoke_conn_close(conns[i]);
    }
    assert_int_equal(0, child_join(child));
    yoke_listener_close(listener);
    free(conns);
}

/* ---- hostile ones ---- */

static int be_hostile(void *user)
{
    static const char *const openings[] = {"", "\0", "\0\0\0\6crowd!",
                                           "\377\377\377\377\177\377\377\377\377\377\377\377"};
    static const size_t      sizes[] = {0, 1, 10, 12};
    const crowd             *c = user;

    for (int i = 0; i < c->count; i++) {
        int fd = raw_client(c->address);
        (void)!write(fd, openings[i % 4], sizes[i % 4]);
        close(fd);
    }
    return 0;
}

static int be_honest(void *user)
{
    const crowd *c = user;
    yoke_conn   *conn;
    char         text[8];

    CHILD_CHECK(yoke_client_connect(&conn, c->address,
                                    YOKE_OPTIONS(yoke_client_options, .authkey = KEY, .authkey_size = strlen(KEY)),
                                    T) == YOKE_OK);
    CHILD_CHECK(yoke_conn_recv_string(conn, text, sizeof text, T) == YOKE_OK);
    yoke_conn_close(conn);
    return 0;
}

static void test_ten_thousand_hostile_clients_leave_the_listener_as_it_was(void **state)
{
    yoke_listener *listener = listen_at(socket_address("hostile"), KEY);
    crowd          c = {socket_address("hostile"), WANTED, NULL};
    yoke_conn     *conn;
    int            rc;

    (void)state;
    size_t    before = heap();
    int       descriptors = leak_descriptors();
    long long start = milliseconds();
    pid_t     child = child_start(be_hostile, &c);
    while (yoke_listener_refused(listener) < c.count) {
        rc = yoke_listener_accept(listener, &conn, 100);
        assert_int_equal(YOKE_ETIMEDOUT, rc);
        assert_true(leak_descriptors() - descriptors < 200);
    }
    print_message("%d refused in %lld ms\n", c.count, milliseconds() - start);
    assert_int_equal(0, child_join(child));
    assert_true(heap() <= before + 200000);
    child = child_start(be_honest, &c);
    assert_int_equal(YOKE_OK, yoke_listener_accept(listener, &conn, T));
    assert_int_equal(YOKE_OK, yoke_conn_send_string(conn, "in", T));
    assert_int_equal(0, child_join(child));
    yoke_conn_close(conn);
    yoke_listener_close(listener);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_thousand_clients_of_one_listener_rest_and_cost_little),
        cmocka_unit_test(test_ten_thousand_hostile_clients_leave_the_listener_as_it_was),
    };

    yoke_main(argc, argv);
    return cmocka_run_group_tests_name("connections, ten thousand", tests, sockets_setup, sockets_teardown);
}
