/*
 * A child counts to a million and sends the sum; the parent joins it first and receives afterwards. What was sent waits
 * in the pipe, even though its sender is gone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <yoke/yoke.h>

static int worker(const yoke_args *args)
{
    int        base = yoke_args_int(args, 1);
    yoke_conn *conn = yoke_args_conn(args, 2);
    int        sub_total = 0;

    for (int i = 0; i < base; i++)
        sub_total += 1;
    YOKE_TRY(yoke_conn_send_variant(conn, YOKE_VALUE_OF(sub_total), YOKE_FOREVER));
    printf("ID: %d, Process Name: %s\n", yoke_args_int(args, 0), yoke_process_name(yoke_process_current()));
    printf("Result: %d\n", sub_total);
    return 0;
}

int main(int argc, char **argv)
{
    yoke_conn    *parent_conn, *child_conn;
    yoke_process *process;
    yoke_variant *total;

    yoke_main(argc, argv);
    fprintf(stderr, "Parent process id: %lld\n", (long long)yoke_process_pid(yoke_process_current()));
    YOKE_CHECK(yoke_pipe_create(&parent_conn, &child_conn, NULL));
    YOKE_CHECK(yoke_process_start(&process, worker, YOKE_ARGS(1, 1000000, YOKE_GIVE(child_conn)),
                                  YOKE_OPTIONS(yoke_process_options, .name = "1")));
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));

    YOKE_CHECK(yoke_conn_recv_variant(parent_conn, &total, YOKE_FOREVER));
    printf("Main-processing total count: %" PRId64 "\n", yoke_variant_int(total, 0));
    puts("Main-processing done.");
    yoke_variant_free(total);
    yoke_conn_close(parent_conn);
    return 0;
}
