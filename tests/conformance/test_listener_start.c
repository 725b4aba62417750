/* Listeners and processes started by yoke, under each start method. */
#include "support/process.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/sockets.h"

#define T SOCKET_PATIENCE

static yoke_listener *inherited; /* known to a child only if it is forked */

static int connect_and_stay(const yoke_args *args)
{
    yoke_conn *conn;
    char       text[16];

    if (inherited) {
        if (yoke_listener_native(inherited) != -1 || yoke_last_error()->code != YOKE_ECLOSED)
            return 2;
        if (yoke_listener_accept(inherited, &conn, YOKE_NOWAIT) != YOKE_ECLOSED)
            return 3;
        yoke_listener_close(inherited);
    }
    YOKE_TRY(yoke_client_connect(&conn, yoke_args_string(args, 0), NULL, T));
    int rc = yoke_conn_recv_string(conn, text, sizeof text, T);
    yoke_conn_close(conn);
    return rc == YOKE_EEOF ? 0 : 4;
}

static void test_a_started_child_has_no_listener_of_its_parents(void **state)
{
    char           address[160];
    yoke_listener *listener;
    yoke_conn     *conn;
    yoke_process  *process;

    (void)state;
    strcpy(address, socket_address("start"));
    listener = listen_at(address, NULL);
    inherited = method_under_test() == YOKE_START_FORK ? listener : NULL;
    assert_ok(yoke_process_start(&process, connect_and_stay, YOKE_ARGS(address),
                                 YOKE_OPTIONS(yoke_process_options, .method = method_under_test())));
    assert_ok(yoke_listener_accept(listener, &conn, T));
    assert_true(socket_file_exists("start"));
    yoke_listener_close(listener);
    assert_false(socket_file_exists("start"));
    listener = listen_at(address, NULL); /* the child doesn't hold the address */
    yoke_listener_close(listener);
    yoke_conn_close(conn);
    yoke_result result = finish(process);
    assert_int_equal(YOKE_RETURNED, result.how);
    assert_int_equal(0, result.code);
}

static int receive_in_child(const yoke_args *args)
{
    char text[16];

    YOKE_TRY(yoke_conn_recv_string(yoke_args_conn(args, 0), text, sizeof text, T));
    return strcmp(text, "passed on") == 0 ? 0 : 2;
}

static void test_an_accepted_connection_can_be_passed_on(void **state)
{
    yoke_conn *client, *server;

    (void)state;
    for (int i = 0; i < 2; i++) {
        yoke_listener *listener = listen_at(i ? "tcp:127.0.0.1:0" : socket_address("pass"), NULL);
        connect_through(listener, &client, &server);
        assert_ok(yoke_conn_send_string(client, "passed on", T));
        yoke_result result = result_of(receive_in_child, YOKE_ARGS(YOKE_GIVE(server)),
                                       YOKE_OPTIONS(yoke_process_options, .method = method_under_test()));
        assert_int_equal(YOKE_RETURNED, result.how);
        assert_int_equal(0, result.code);
        yoke_conn_close(client);
        yoke_listener_close(listener);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_started_child_has_no_listener_of_its_parents),
        cmocka_unit_test(test_an_accepted_connection_can_be_passed_on),
    };

    yoke_main(argc, argv);
    if (sockets_directory() != 0)
        return 1;
    int failures = run_under_methods(tests);
    return failures + sockets_directory_remove();
}
