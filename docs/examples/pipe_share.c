/* Three processes send on one end of a pipe; each message comes whole, and the end comes when the last has closed. */
#include <stdio.h>
#include <yoke/yoke.h>

static int worker(const yoke_args *args)
{
    for (int i = 1; i <= 2; i++)
        YOKE_TRY(yoke_conn_send_format(yoke_args_conn(args, 0), YOKE_FOREVER, "worker %d, message %d",
                                       yoke_args_int(args, 1), i));
    return 0;
}

int main(int argc, char **argv)
{
    yoke_conn    *reader, *writer, *shared;
    yoke_process *processes[3];
    char          text[64];
    int           count = 0;

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_pipe_create(&reader, &writer, YOKE_OPTIONS(yoke_pipe_options, .one_way = true)));
    for (int i = 0; i < 3; i++) {
        YOKE_CHECK(yoke_conn_share(&shared, writer));
        YOKE_CHECK(yoke_process_start(&processes[i], worker, YOKE_ARGS(YOKE_GIVE(shared), i + 1), NULL));
    }
    yoke_conn_close(writer); /* this process doesn't send */
    while (yoke_conn_recv_string(reader, text, sizeof text, YOKE_FOREVER) == YOKE_OK) {
        puts(text);
        count++;
    }
    printf("%d messages\n", count);
    for (int i = 0; i < 3; i++)
        YOKE_CHECK(yoke_process_finish(processes[i], NULL, YOKE_FOREVER));
    yoke_conn_close(reader);
    return 0;
}
