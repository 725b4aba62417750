/* Files of local sockets: left by the dead, taken by the living; and what a fork does to a listener. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "core/atomic.h"

#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"
#include "support/sockets.h"

#define T SOCKET_PATIENCE

typedef struct place {
    char address[160];
    int  ready[2];
} place;

static void place_make(place *p, const char *name)
{
    snprintf(p->address, sizeof p->address, "%s", socket_address(name));
    assert_int_equal(0, pipe2(p->ready, O_CLOEXEC));
}

static void place_drop(place *p)
{
    close(p->ready[0]);
    close(p->ready[1]);
}

static int listen_until_killed(void *user)
{
    place         *p = user;
    yoke_listener *listener;

    alarm(120); /* should nobody be left to kill it */
    CHILD_CHECK(yoke_listener_create(&listener, p->address, NULL) == YOKE_OK);
    CHILD_CHECK(write(p->ready[1], "x", 1) == 1);
    for (;;)
        pause();
}

static pid_t start_listening(place *p)
{
    char  byte;
    pid_t child = child_start(listen_until_killed, p);

    assert_int_equal(1, read(p->ready[0], &byte, 1));
    return child;
}

static void test_a_living_listener_keeps_its_address(void **state)
{
    yoke_listener *listener;
    place          p;

    (void)state;
    place_make(&p, "taken");
    pid_t child = start_listening(&p);
    for (int i = 0; i < 3; i++)
        assert_int_equal(YOKE_EEXIST, yoke_listener_create(&listener, p.address, NULL));
    assert_non_null(strstr(yoke_last_error()->text, "another listener"));
    child_kill(child);
    listener = listen_at(p.address, NULL); /* dead: the address is free */
    yoke_listener_close(listener);
    assert_false(socket_file_exists("taken"));
    place_drop(&p);
}

static void test_who_looks_whether_it_lives_is_no_client(void **state)
{
    yoke_listener *listener = listen_at(socket_address("looked"), NULL), *other;
    yoke_conn     *conn;

    (void)state;
    assert_int_equal(YOKE_EEXIST, yoke_listener_create(&other, socket_address("looked"), NULL));
    assert_int_equal(YOKE_ETIMEDOUT, yoke_listener_accept(listener, &conn, YOKE_NOWAIT));
    yoke_listener_close(listener);
}

static void test_a_file_that_is_no_socket_stays(void **state)
{
    yoke_listener *listener;
    int            fd = open(socket_path("file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(YOKE_EEXIST, yoke_listener_create(&listener, socket_address("file"), NULL));
    assert_non_null(strstr(yoke_last_error()->text, "no socket"));
    assert_int_equal(0, unlink(socket_path("file")));
    assert_false(socket_file_exists("file.lock"));
}

static void test_close_leaves_the_file_of_another_alone(void **state)
{
    yoke_listener *first = listen_at(socket_address("moved"), NULL);

    (void)state;
    assert_int_equal(0, unlink(socket_path("moved")));
    yoke_listener *second = listen_at(socket_address("moved"), NULL);
    yoke_listener_close(first);
    assert_true(socket_file_exists("moved"));
    yoke_listener_close(second);
    assert_false(socket_file_exists("moved"));
}

/* ---- races for an address ---- */

#define RACERS 4
#define ROUNDS 2000

typedef struct race {
    char      address[160];
    yoke__a32 holders, wins;
    int       start[2];
} race;

/* A file as a dead listener leaves it, unless there is one. */
static void plant_dead_file(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int                fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    (void)!bind(fd, (struct sockaddr *)&address, sizeof address);
    close(fd);
}

/* Whoever gets the address is alone with it, and either closes it or is killed with it. */
static int race_for_it(void *user)
{
    race          *r = user;
    yoke_listener *listener;
    yoke_conn     *client, *server;

    for (int i = 0; i < ROUNDS; i++) {
        int rc = yoke_listener_create(&listener, r->address, NULL);
        if (rc == YOKE_EEXIST)
            continue;
        CHILD_CHECK(rc == YOKE_OK);
        CHILD_CHECK(yoke__a32_add_acq_rel(&r->holders, 1) == 0);
        yoke__a32_add_acq_rel(&r->wins, 1);
        CHILD_CHECK(yoke_client_connect(&client, r->address, NULL, T) == YOKE_OK);
        CHILD_CHECK(yoke_listener_accept(listener, &server, T) == YOKE_OK);
        yoke_conn_close(client);
        yoke_conn_close(server);
        yoke__a32_sub_acq_rel(&r->holders, 1);
        if (i == ROUNDS / 2)
            raise(SIGKILL); /* its file is there for the others to replace */
        yoke_listener_close(listener);
        plant_dead_file(r->address + strlen("unix:"));
    }
    return 0;
}

static void test_of_many_that_want_a_dead_ones_address_one_gets_it(void **state)
{
    race *r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t racers[RACERS];

    (void)state;
    assert_true(r != MAP_FAILED);
    snprintf(r->address, sizeof r->address, "%s", socket_address("race"));
    for (int i = 0; i < RACERS; i++)
        racers[i] = child_start(race_for_it, r);
    for (int i = 0; i < RACERS; i++) {
        int code = child_join(racers[i]);
        assert_true(code == 0 || code == 1000 + SIGKILL);
    }
    assert_true(yoke__a32_load_relaxed(&r->wins) > 0);
    assert_int_equal(0, yoke__a32_load_relaxed(&r->holders));
    yoke_listener_close(listen_at(r->address, NULL)); /* also takes away what a killed one left */
    munmap(r, sizeof *r);
}

/* ---- forks ---- */

static int accept_in_child(void *user)
{
    yoke_listener *listener = user;
    yoke_conn     *conn;

    CHILD_CHECK(yoke_listener_accept(listener, &conn, T) == YOKE_OK);
    CHILD_CHECK(yoke_conn_send_string(conn, "child", T) == YOKE_OK);
    yoke_conn_close(conn);
    yoke_listener_close(listener);
    return 0;
}

static void test_a_forked_child_accepts_and_the_file_stays_the_parents(void **state)
{
    yoke_conn     *client, *server;
    char           text[16];
    yoke_listener *listener = listen_at(socket_address("fork"), NULL);

    (void)state;
    assert_int_equal(YOKE_ETIMEDOUT, yoke_listener_accept(listener, &client, 1)); /* what it waits with is made */
    pid_t child = child_start(accept_in_child, listener);
    assert_int_equal(YOKE_OK, yoke_client_connect(&client, socket_address("fork"), NULL, T));
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(client, text, sizeof text, T));
    assert_string_equal("child", text);
    assert_int_equal(YOKE_EEOF, yoke_conn_recv_string(client, text, sizeof text, T));
    yoke_conn_close(client);
    assert_int_equal(0, child_join(child));
    assert_true(socket_file_exists("fork"));
    connect_through(listener, &client, &server);
    exchange(client, server);
    yoke_conn_close(client);
    yoke_conn_close(server);
    yoke_listener_close(listener);
    assert_false(socket_file_exists("fork"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_living_listener_keeps_its_address),
        cmocka_unit_test(test_who_looks_whether_it_lives_is_no_client),
        cmocka_unit_test(test_a_file_that_is_no_socket_stays),
        cmocka_unit_test(test_close_leaves_the_file_of_another_alone),
        cmocka_unit_test(test_of_many_that_want_a_dead_ones_address_one_gets_it),
        cmocka_unit_test(test_a_forked_child_accepts_and_the_file_stays_the_parents),
    };
    return cmocka_run_group_tests(tests, sockets_setup, sockets_teardown);
}
