/* As queue_variant.c, through a pipe. */
#include <stdio.h>
#include <yoke/yoke.h>

static int f(const yoke_args *args)
{
    return yoke_conn_send_variant(yoke_args_conn(args, 0), YOKE_ARGS(42, YOKE_NIL, "hello"), YOKE_FOREVER);
}

int main(int argc, char **argv)
{
    yoke_conn    *parent_conn, *child_conn;
    yoke_process *process;
    yoke_variant *variant;
    char          text[128];

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_pipe_create(&parent_conn, &child_conn, NULL));
    YOKE_CHECK(yoke_process_start(&process, f, YOKE_ARGS(YOKE_GIVE(child_conn)), NULL));
    YOKE_CHECK(yoke_conn_recv_variant(parent_conn, &variant, YOKE_FOREVER));
    YOKE_CHECK(yoke_variant_format(variant, text, sizeof text, NULL));
    puts(text);
    yoke_variant_free(variant);
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    yoke_conn_close(parent_conn);
    return 0;
}
