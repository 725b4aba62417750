/*
 * One event loop answers several workers, each over a pipe of its own: messages come by a function, and answers that a
 * worker doesn't take yet wait without stopping the others. The workers are plain blocking programs.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>
#include <yoke/uv.h>
#include <yoke/yoke.h>

#define WORKERS 3
#define EACH    4

struct peer {
    yoke_conn *conn;
    int        answered;
};

static int worker(const yoke_args *args)
{
    yoke_conn *conn = yoke_args_conn(args, 0);
    char       answer[32];
    int        right = 0;

    for (int i = 0; i < EACH; i++) {
        YOKE_TRY(yoke_conn_send_string(conn, "hello", YOKE_FOREVER));
        YOKE_TRY(yoke_conn_recv_string(conn, answer, sizeof answer, YOKE_FOREVER));
        right += strcmp(answer, "HELLO") == 0;
    }
    return right;
}

static void on_message(yoke_conn *conn, int status, const void *data, size_t size, void *user)
{
    struct peer *peer = user;
    char         answer[32];

    if (status < 0) { /* YOKE_EEOF: the worker is done */
        yoke_conn_close(conn);
        return;
    }
    for (size_t i = 0; i < size && i < sizeof answer; i++)
        answer[i] = (char)toupper(((const unsigned char *)data)[i]);
    /* YOKE_FULL would say: stop, until `room` is called. */
    if (yoke_conn_write(conn, answer, size, NULL, NULL, NULL) >= 0)
        peer->answered++;
}

int main(int argc, char **argv)
{
    struct peer   peers[WORKERS] = {{0}};
    yoke_process *workers[WORKERS];

    yoke_main(argc, argv);
    for (int i = 0; i < WORKERS; i++) {
        yoke_conn *end;
        YOKE_CHECK(yoke_pipe_create(&peers[i].conn, &end, NULL));
        YOKE_CHECK(yoke_process_start(&workers[i], worker, YOKE_ARGS(YOKE_GIVE(end)), NULL));
        YOKE_CHECK(yoke_conn_attach(peers[i].conn, uv_default_loop(),
                                    YOKE_OPTIONS(yoke_conn_loop_options, .message = on_message, .user = &peers[i])));
        YOKE_CHECK(yoke_conn_read_start(peers[i].conn));
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT); /* until every end is closed */
    for (int i = 0; i < WORKERS; i++) {
        yoke_result result = {.struct_size = sizeof result};
        YOKE_CHECK(yoke_process_finish(workers[i], &result, YOKE_FOREVER));
        printf("worker %d: %d answers sent, %d right\n", i, peers[i].answered, result.code);
    }
    return uv_loop_close(uv_default_loop());
}
