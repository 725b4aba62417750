/*
 * A child sends ten strings and the parent prints them. The tutorial counts to ten on both sides; here the parent reads
 * to the end of the stream, which comes when the child, the only owner of the other end, is through.
 */
#include <stdio.h>
#include <yoke/yoke.h>

static int child_process(const yoke_args *args)
{
    yoke_conn *conn = yoke_args_conn(args, 0);

    for (int i = 1; i <= 10; i++)
        YOKE_TRY(yoke_conn_send_format(conn, YOKE_FOREVER, "hello %d", i));
    return 0;
}

int main(int argc, char **argv)
{
    yoke_conn    *ours, *theirs;
    yoke_process *process;
    char          line[64];
    int           rc;

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_pipe_create(&ours, &theirs, NULL));
    YOKE_CHECK(yoke_process_start(&process, child_process, YOKE_ARGS(YOKE_GIVE(theirs)), NULL));
    while ((rc = yoke_conn_recv_string(ours, line, sizeof line, YOKE_FOREVER)) == YOKE_OK)
        puts(line);
    if (rc != YOKE_EEOF)
        YOKE_CHECK(rc);
    yoke_conn_close(ours);
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    return 0;
}
