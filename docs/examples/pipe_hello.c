/* One message through a pipe. An end belongs to one process: with YOKE_GIVE the parent's handle of it is closed. */
#include <stdio.h>
#include <yoke/yoke.h>

static int worker(const yoke_args *args)
{
    return yoke_conn_send_string(yoke_args_conn(args, 0), "Hello from worker!", YOKE_FOREVER);
}

int main(int argc, char **argv)
{
    yoke_conn    *ours, *theirs;
    yoke_process *process;
    char          message[64];

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_pipe_create(&ours, &theirs, NULL));
    YOKE_CHECK(yoke_process_start(&process, worker, YOKE_ARGS(YOKE_GIVE(theirs)), NULL));
    YOKE_CHECK(yoke_conn_recv_string(ours, message, sizeof message, YOKE_FOREVER));
    printf("Message from worker: %s\n", message);
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    yoke_conn_close(ours);
    return 0;
}
