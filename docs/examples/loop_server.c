/*
 * A server and its clients on one event loop: clients prove a key, send a number, and get its square. Nothing here waits:
 * connecting, proving, reading and writing all go on beside each other.
 */
#include <stdio.h>
#include <string.h>
#include <uv.h>
#include <yoke/uv.h>
#include <yoke/yoke.h>

#define CLIENTS 5
#define KEY     .authkey = "of random bytes, in a real program", .authkey_size = 34

struct app {
    yoke_listener *listener;
    int            served, sum;
};

/* ---- the server ---- */

static void on_request(yoke_conn *conn, int status, const void *data, size_t size, void *user)
{
    struct app *app = user;
    int         number = 0;

    if (status < 0) { /* YOKE_EEOF: this client is done */
        yoke_conn_close(conn);
        if (++app->served == CLIENTS)
            yoke_listener_close(app->listener);
        return;
    }
    if (size == sizeof number)
        memcpy(&number, data, size);
    number *= number;
    if (yoke_conn_write(conn, &number, sizeof number, NULL, NULL, NULL) < 0)
        printf("%s\n", yoke_last_error()->text);
}

static void on_client(yoke_listener *listener, int status, yoke_conn *conn, void *user)
{
    (void)listener;
    if (status < 0)
        return; /* tried again by itself */
    YOKE_CHECK(yoke_conn_attach(conn, uv_default_loop(),
                                YOKE_OPTIONS(yoke_conn_loop_options, .message = on_request, .user = user)));
    YOKE_CHECK(yoke_conn_read_start(conn));
}

/* ---- the clients ---- */

static void on_answer(yoke_conn *conn, int status, const void *data, size_t size, void *user)
{
    struct app *app = user;
    int         answer;

    if (status == YOKE_OK && size == sizeof answer) {
        memcpy(&answer, data, size);
        app->sum += answer;
    }
    yoke_conn_close(conn);
}

static void on_connected(int status, yoke_conn *conn, void *user)
{
    static int number = 1;

    YOKE_CHECK(status);
    YOKE_CHECK(yoke_conn_attach(conn, uv_default_loop(),
                                YOKE_OPTIONS(yoke_conn_loop_options, .message = on_answer, .user = user)));
    YOKE_CHECK(yoke_conn_read_start(conn));
    YOKE_CHECK(yoke_conn_write(conn, &number, sizeof number, NULL, NULL, NULL));
    number++;
}

int main(int argc, char **argv)
{
    struct app app = {0};
    char       address[YOKE_ADDRESS_SIZE];

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_listener_create(&app.listener, "tcp:127.0.0.1:0", YOKE_OPTIONS(yoke_listener_options, KEY)));
    YOKE_CHECK(yoke_listener_address(app.listener, address, sizeof address));
    YOKE_CHECK(yoke_listener_start(app.listener, uv_default_loop(), on_client, &app));
    for (int i = 0; i < CLIENTS; i++)
        YOKE_CHECK(yoke_client_start(NULL, address, YOKE_OPTIONS(yoke_client_options, KEY), 10000, uv_default_loop(),
                                     on_connected, &app));
    uv_run(uv_default_loop(), UV_RUN_DEFAULT); /* until everything is closed */
    printf("%d clients served, the sum of their answers is %d\n", app.served, app.sum);
    return uv_loop_close(uv_default_loop());
}
