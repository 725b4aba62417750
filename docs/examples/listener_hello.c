/*
 * A server and a client that knows nothing but its address and a key. Here the client is a child; it might as well be
 * another program, a Python one for example, or be on another machine.
 */
#include <stdio.h>
#include <yoke/yoke.h>

static const char key[] = "not for others";

static int client(const yoke_args *args)
{
    const yoke_client_options options = {.struct_size = sizeof options, .authkey = key, .authkey_size = sizeof key - 1};
    yoke_conn                *conn;
    char                      answer[64];

    YOKE_TRY(yoke_client_connect(&conn, yoke_args_string(args, 0), &options, 10000));
    int rc = yoke_conn_send_string(conn, "world", YOKE_FOREVER);
    if (rc == YOKE_OK)
        rc = yoke_conn_recv_string(conn, answer, sizeof answer, YOKE_FOREVER);
    if (rc == YOKE_OK)
        printf("the server says: %s\n", answer);
    yoke_conn_close(conn);
    return rc;
}

static void serve(yoke_conn *conn)
{
    char name[64];

    YOKE_CHECK(yoke_conn_recv_string(conn, name, sizeof name, YOKE_FOREVER));
    YOKE_CHECK(yoke_conn_send_format(conn, YOKE_FOREVER, "hello, %s", name));
    yoke_conn_close(conn);
}

int main(int argc, char **argv)
{
    yoke_listener *listener;
    yoke_process  *process;
    yoke_conn     *conn;
    char           address[YOKE_ADDRESS_SIZE];

    yoke_main(argc, argv);
    YOKE_CHECK(
        yoke_listener_create(&listener, "tcp:127.0.0.1:0", /* any free port */
                             YOKE_OPTIONS(yoke_listener_options, .authkey = key, .authkey_size = sizeof key - 1)));
    YOKE_CHECK(yoke_listener_address(listener, address, sizeof address));
    YOKE_CHECK(yoke_process_start(&process, client, YOKE_ARGS(address), NULL));
    YOKE_CHECK(yoke_listener_accept(listener, &conn, YOKE_FOREVER));
    serve(conn);
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    yoke_listener_close(listener);
    return 0;
}
