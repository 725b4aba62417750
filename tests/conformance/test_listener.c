/* Listeners and clients without keys: addresses, accepting, closing, forks, peers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "core/domain/object.h"

#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"
#include "support/sockets.h"

#define T SOCKET_PATIENCE

static void use_listener_at(const char *address)
{
    yoke_conn     *client, *server;
    yoke_listener *listener = listen_at(address, NULL);

    connect_through(listener, &client, &server);
    exchange(client, server);
    yoke_listener_close(listener);
    exchange(server, client); /* connections stay */
    yoke_conn_close(client);
    assert_int_equal(YOKE_EEOF, yoke_conn_recv(server, NULL, 0, NULL, T));
    yoke_conn_close(server);
}

static void test_a_local_socket_connects_and_its_file_goes(void **state)
{
    (void)state;
    use_listener_at(socket_address("plain"));
    assert_false(socket_file_exists("plain"));
    assert_false(socket_file_exists("plain.lock"));
}

static void test_an_abstract_socket_connects_and_leaves_no_file(void **state)
{
    char address[64];

    (void)state;
    snprintf(address, sizeof address, "abstract:yoke-test-%ld", (long)getpid());
    use_listener_at(address);
}

static void test_tcp_connects_over_both_families(void **state)
{
    static const char *const addresses[] = {"tcp:127.0.0.1:0", "tcp:[::1]:0", "tcp:localhost:0"};
    yoke_listener           *listener;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        int rc = yoke_listener_create(&listener, addresses[i],
                                      YOKE_OPTIONS(yoke_listener_options, .allow_anyone = true));
        if (i == 1 && rc < 0)
            continue; /* a machine without IPv6 */
        assert_int_equal(YOKE_OK, rc);
        yoke_listener_close(listener);
        use_listener_at(addresses[i]);
    }
}

static void test_the_port_chosen_is_told(void **state)
{
    yoke_listener *listener = listen_at("tcp:127.0.0.1:0", NULL);
    char           small[4] = "abc";

    (void)state;
    assert_int_equal(0, strncmp(address_of(listener), "tcp:127.0.0.1:", 14));
    assert_true(atoi(address_of(listener) + 14) > 0);
    assert_int_equal(YOKE_EMSGSIZE, yoke_listener_address(listener, small, sizeof small));
    assert_string_equal("abc", small);
    yoke_listener_close(listener);
}

static void test_all_kinds_of_messages_go_over_it(void **state)
{
    static const size_t sizes[] = {0, 1, 70000, 3000000};
    yoke_conn          *client, *server;
    yoke_message       *message;
    yoke_variant       *variant;
    yoke_listener      *listener = listen_at("tcp:127.0.0.1:0", NULL);

    (void)state;
    connect_through(listener, &client, &server);
    for (unsigned i = 0; i < 4; i++) {
        uint8_t *data = malloc(sizes[i] + 1);
        pattern_fill(data, sizes[i], i);
        assert_true(yoke_conn_send(client, data, sizes[i], YOKE_NOWAIT) >= 0);
        assert_int_equal(YOKE_OK, yoke_conn_recv_message(server, &message, T));
        assert_int_equal(sizes[i], yoke_message_size(message));
        assert_true(pattern_is(yoke_message_data(message), sizes[i], i));
        yoke_message_free(message);
        free(data);
    }
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_poll(client, YOKE_NOWAIT));
    assert_int_equal(YOKE_OK, yoke_conn_send_variant(server, YOKE_ARGS(42, "text"), T));
    assert_int_equal(YOKE_OK, yoke_conn_poll(client, T));
    assert_int_equal(YOKE_OK, yoke_conn_recv_variant(client, &variant, T));
    yoke_variant_free(variant);
    yoke_conn_close(client);
    yoke_conn_close(server);
    yoke_listener_close(listener);
}

static void test_nobody_there_is_told_at_once(void **state)
{
    yoke_conn *conn;

    (void)state;
    assert_int_equal(YOKE_ENOENT, yoke_client_connect(&conn, socket_address("nobody"), NULL, T));
    assert_int_equal(YOKE_ENOENT, yoke_client_connect(&conn, "abstract:yoke-nobody", NULL, T));
    assert_int_equal(YOKE_ENOENT, yoke_client_connect(&conn, "tcp:127.0.0.1:1", NULL, T));
    assert_int_equal(YOKE_ENOENT, yoke_client_connect(&conn, "tcp:no.such.host.invalid:1", NULL, T));
}

static void test_an_accept_waits_as_long_as_told(void **state)
{
    yoke_conn     *conn;
    yoke_listener *listener = listen_at(socket_address("wait"), NULL);
    long long      start = milliseconds();

    (void)state;
    assert_int_equal(YOKE_ETIMEDOUT, yoke_listener_accept(listener, &conn, YOKE_NOWAIT));
    assert_int_equal(YOKE_ETIMEDOUT, yoke_listener_accept(listener, &conn, 60));
    assert_true(milliseconds() - start >= 60);
    yoke_listener_close(listener);
}

static void test_a_full_queue_makes_clients_wait_as_long_as_told(void **state)
{
    yoke_conn     *clients[8], *server;
    yoke_listener *listener;
    unsigned       count = 0;
    int            rc;

    (void)state;
    assert_int_equal(YOKE_OK, yoke_listener_create(&listener, socket_address("full"),
                                                   YOKE_OPTIONS(yoke_listener_options, .backlog = 1)));
    while ((rc = yoke_client_connect(&clients[count], socket_address("full"), NULL, 30)) == YOKE_OK && count < 7)
        count++;
    assert_int_equal(YOKE_ETIMEDOUT, rc);
    assert_true(count >= 1);
    assert_int_equal(YOKE_OK, yoke_listener_accept(listener, &server, T));
    assert_int_equal(YOKE_OK, yoke_client_connect(&clients[count], socket_address("full"), NULL, T));
    yoke_conn_close(server);
    for (unsigned i = 0; i <= count; i++)
        yoke_conn_close(clients[i]);
    yoke_listener_close(listener);
}

static void test_wrong_arguments_are_told(void **state)
{
    yoke_listener *listener;
    yoke_conn     *conn;
    char           text[YOKE_ADDRESS_SIZE], address[300] = "unix:/tmp/";

    (void)state;
    assert_int_equal(YOKE_EINVAL, yoke_listener_create(NULL, "tcp:127.0.0.1:0", NULL));
    assert_int_equal(YOKE_EINVAL, yoke_listener_create(&listener, NULL, NULL));
    assert_int_equal(YOKE_EINVAL, yoke_listener_create(&listener, "/tmp/x", NULL));
    assert_int_equal(YOKE_EINVAL, yoke_listener_create(&listener, "tcp:127.0.0.1:0", NULL)); /* no key */
    assert_int_equal(YOKE_EINVAL,
                     yoke_listener_create(&listener, "abstract:x", YOKE_OPTIONS(yoke_listener_options, .backlog = -1)));
    assert_int_equal(YOKE_EINVAL, yoke_listener_create(&listener, "abstract:x",
                                                       YOKE_OPTIONS(yoke_listener_options, .permissions = 01777)));
    assert_int_equal(YOKE_EINVAL, yoke_listener_create(&listener, "abstract:x",
                                                       YOKE_OPTIONS(yoke_listener_options, .digest = "md5")));
    assert_int_equal(YOKE_EINVAL, yoke_listener_create(&listener, "abstract:x",
                                                       YOKE_OPTIONS(yoke_listener_options, .authkey = "k")));
    assert_int_equal(YOKE_ENOTSUP, yoke_listener_create(&listener, "pipe:name", NULL));
    memset(address + 10, 'a', 200);
    assert_int_equal(YOKE_EMSGSIZE, yoke_listener_create(&listener, address, NULL));
    assert_non_null(strstr(yoke_last_error()->text, "limit is 107"));
    assert_int_equal(YOKE_ENOENT, yoke_listener_create(&listener, "unix:/no/such/directory", NULL));
    assert_int_equal(YOKE_EINVAL, yoke_client_connect(NULL, "abstract:x", NULL, 0));
    assert_int_equal(YOKE_EINVAL, yoke_client_connect(&conn, NULL, NULL, 0));
    listener = listen_at(socket_address("args"), NULL);
    assert_int_equal(YOKE_EINVAL, yoke_listener_accept(listener, NULL, 0));
    assert_int_equal(YOKE_EINVAL, yoke_listener_address(listener, NULL, 0));
    assert_true(yoke_listener_native(listener) >= 0);
    yoke_listener_close(listener);
    yoke_listener_close(listener); /* told, and nothing else */
    yoke_listener_close(NULL);
    assert_int_equal(YOKE_EINVAL, yoke_listener_accept(listener, &conn, 0));
    assert_int_equal(YOKE_EINVAL, yoke_listener_address(listener, text, sizeof text));
    assert_true(yoke_listener_native(listener) == -1);
    assert_true(yoke_listener_refused(NULL) == -1);
}

static void *accept_until_closed(void *listener)
{
    yoke_conn *conn;
    return (void *)(intptr_t)yoke_listener_accept(listener, &conn, T);
}

static void test_close_wakes_all_who_accept(void **state)
{
    pthread_t      threads[3];
    void          *result;
    yoke_listener *listener = listen_at(socket_address("closing"), NULL);

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, accept_until_closed, listener));
    while (yoke__a32_load_acquire(&((yoke__handle *)listener)->users) < 3)
        sched_yield();
    yoke_listener_close(listener);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(0, pthread_join(threads[i], &result));
        assert_int_equal(YOKE_ECLOSED, (intptr_t)result);
    }
}

static void test_the_peer_is_told(void **state)
{
    yoke_peer      peer = {.struct_size = sizeof peer};
    yoke_conn     *client, *server;
    yoke_listener *listener = listen_at(socket_address("peer"), NULL);

    (void)state;
    connect_through(listener, &client, &server);
    assert_int_equal(YOKE_OK, yoke_conn_peer(server, &peer));
    assert_int_equal(getpid(), peer.pid);
    assert_int_equal(getuid(), peer.uid);
    assert_string_equal("unix:", peer.address);
    assert_int_equal(YOKE_OK, yoke_conn_peer(client, &peer));
    assert_string_equal(socket_address("peer"), peer.address);
    assert_int_equal(getpid(), peer.pid);
    assert_int_equal(YOKE_EINVAL, yoke_conn_peer(client, NULL));
    yoke_conn_close(client);
    yoke_conn_close(server);
    yoke_listener_close(listener);
    listener = listen_at("tcp:127.0.0.1:0", NULL);
    connect_through(listener, &client, &server);
    assert_int_equal(YOKE_OK, yoke_conn_peer(client, &peer));
    assert_string_equal(address_of(listener), peer.address);
    assert_int_equal(0, peer.pid);
    assert_int_equal(-1, peer.uid);
    assert_int_equal(YOKE_OK, yoke_conn_peer(server, &peer));
    assert_int_equal(0, strncmp(peer.address, "tcp:127.0.0.1:", 14));
    yoke_conn_close(client);
    yoke_conn_close(server);
    yoke_listener_close(listener);
}

static int connect_as_nobody(void *user)
{
    yoke_conn *conn;

    CHILD_CHECK(setgid(65534) == 0 && setuid(65534) == 0);
    CHILD_CHECK(yoke_client_connect(&conn, user, NULL, T) == YOKE_OK);
    int rc = yoke_conn_send_string(conn, "nobody", T);
    if (rc == YOKE_OK)
        rc = yoke_conn_recv(conn, NULL, 0, NULL, T);
    yoke_conn_close(conn);
    return rc == YOKE_EEOF || rc == YOKE_EBROKEN ? 0 : 1;
}

static void test_another_users_client_needs_to_be_allowed(void **state)
{
    yoke_listener *listener;
    yoke_conn     *conn;
    yoke_peer      peer = {.struct_size = sizeof peer};
    char           address[64];

    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can be somebody else */
    snprintf(address, sizeof address, "abstract:yoke-users-%ld", (long)getpid());
    for (int allowed = 0; allowed < 2; allowed++) {
        assert_int_equal(YOKE_OK, yoke_listener_create(&listener, address,
                                                       YOKE_OPTIONS(yoke_listener_options, .allow_anyone = allowed)));
        pid_t child = child_start(connect_as_nobody, address);
        while (!allowed && yoke_listener_refused(listener) == 0)
            assert_int_equal(YOKE_ETIMEDOUT, yoke_listener_accept(listener, &conn, 20));
        if (allowed) {
            assert_int_equal(YOKE_OK, yoke_listener_accept(listener, &conn, T));
            assert_int_equal(YOKE_OK, yoke_conn_peer(conn, &peer));
            assert_int_equal(65534, peer.uid);
            assert_int_equal(child, peer.pid);
            yoke_conn_close(conn);
        }
        assert_int_equal(0, child_join(child));
        yoke_listener_close(listener);
    }
}

/* The other end goes with a message unread. */
static int code_after_reset(const char *address)
{
    yoke_conn     *client, *server;
    yoke_listener *listener = listen_at(address, NULL);

    connect_through(listener, &client, &server);
    assert_int_equal(YOKE_OK, yoke_conn_send_string(server, "unread", T));
    assert_int_equal(YOKE_OK, yoke_conn_poll(client, T));
    yoke_conn_close(client);
    int rc = yoke_conn_recv(server, NULL, 0, NULL, T);
    yoke_conn_close(server);
    yoke_listener_close(listener);
    return rc;
}

static void test_a_reset_over_tcp_is_no_clean_end(void **state)
{
    struct linger  at_once = {1, 0};
    yoke_conn     *server;
    yoke_listener *listener = listen_at("tcp:127.0.0.1:0", NULL);
    int            client = raw_client(address_of(listener));

    (void)state;
    assert_int_equal(YOKE_OK, yoke_listener_accept(listener, &server, T));
    assert_int_equal(0, setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
    close(client);
    assert_int_equal(YOKE_EBROKEN, yoke_conn_recv(server, NULL, 0, NULL, T));
    yoke_conn_close(server);
    yoke_listener_close(listener);
    assert_int_equal(YOKE_EEOF, code_after_reset(socket_address("reset"))); /* locally nothing can be lost */
}

static void expect_mode(const char *name, unsigned permissions, unsigned expected)
{
    struct stat    status;
    yoke_listener *listener;

    assert_int_equal(YOKE_OK, yoke_listener_create(&listener, socket_address(name),
                                                   YOKE_OPTIONS(yoke_listener_options, .permissions = permissions)));
    assert_int_equal(0, lstat(socket_path(name), &status));
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(expected, status.st_mode & 07777);
    yoke_listener_close(listener);
}

static void test_the_file_has_the_permissions_asked_for(void **state)
{
    (void)state;
    expect_mode("private", 0, 0600);
    expect_mode("public", 0666, 0666);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_local_socket_connects_and_its_file_goes),
        cmocka_unit_test(test_an_abstract_socket_connects_and_leaves_no_file),
        cmocka_unit_test(test_tcp_connects_over_both_families),
        cmocka_unit_test(test_the_port_chosen_is_told),
        cmocka_unit_test(test_all_kinds_of_messages_go_over_it),
        cmocka_unit_test(test_nobody_there_is_told_at_once),
        cmocka_unit_test(test_an_accept_waits_as_long_as_told),
        cmocka_unit_test(test_a_full_queue_makes_clients_wait_as_long_as_told),
        cmocka_unit_test(test_wrong_arguments_are_told),
        cmocka_unit_test(test_close_wakes_all_who_accept),
        cmocka_unit_test(test_the_peer_is_told),
        cmocka_unit_test(test_another_users_client_needs_to_be_allowed),
        cmocka_unit_test(test_a_reset_over_tcp_is_no_clean_end),
        cmocka_unit_test(test_the_file_has_the_permissions_asked_for),
    };
    return cmocka_run_group_tests(tests, sockets_setup, sockets_teardown);
}
