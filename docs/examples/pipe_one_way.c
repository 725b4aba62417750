/* A one-way pipe: one end only receives, the other one only sends, and using one the wrong way is an error. */
#include <stdio.h>
#include <yoke/yoke.h>

static int child_process(const yoke_args *args)
{
    yoke_conn *writer = yoke_args_conn(args, 0);
    char       line[16];

    if (yoke_conn_recv_string(writer, line, sizeof line, YOKE_NOWAIT) == YOKE_EINVAL)
        YOKE_TRY(yoke_conn_send_string(writer, "the writing end does not receive", YOKE_FOREVER));
    return yoke_conn_send_string(writer, "the writing end sends", YOKE_FOREVER);
}

int main(int argc, char **argv)
{
    yoke_conn    *reader, *writer;
    yoke_process *process;
    char          line[64];

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_pipe_create(&reader, &writer, YOKE_OPTIONS(yoke_pipe_options, .one_way = true)));
    YOKE_CHECK(yoke_process_start(&process, child_process, YOKE_ARGS(YOKE_GIVE(writer)), NULL));
    while (yoke_conn_recv_string(reader, line, sizeof line, YOKE_FOREVER) == YOKE_OK)
        puts(line);
    if (yoke_conn_send_string(reader, "?", YOKE_NOWAIT) == YOKE_EINVAL)
        puts("the reading end does not send");
    yoke_conn_close(reader);
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    return 0;
}
