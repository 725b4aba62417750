/* An open file and a queue go over a connection; the child reads the one and answers through the other. */
#include <stdio.h>
#include <unistd.h>
#include <yoke/yoke.h>

/* Gets a file and a queue in one message. */
static int reader(const yoke_args *args)
{
    yoke_variant *got;
    char          text[64];

    YOKE_TRY(yoke_conn_recv_variant(yoke_args_conn(args, 0), &got, YOKE_FOREVER));
    yoke_file  *file = yoke_variant_file(yoke_variant_find(got, "file"));
    yoke_queue *queue = yoke_variant_queue(yoke_variant_find(got, "queue"));
    ssize_t     size = read((int)yoke_file_native(file), text, sizeof text);
    if (size < 0)
        return 1;
    int rc = yoke_queue_put_format(queue, YOKE_FOREVER, "read '%.*s'", (int)size, text);
    yoke_variant_free(got); /* closes the file and the queue here */
    return rc;
}

int main(int argc, char **argv)
{
    FILE         *written = tmpfile();
    yoke_conn    *here, *there;
    yoke_process *process;
    yoke_queue   *queue;
    yoke_file    *file;
    char          answer[128];

    yoke_main(argc, argv);
    if (written == NULL)
        return 1;
    fputs("what the parent wrote", written);
    rewind(written);
    YOKE_CHECK(yoke_file_create(&file, dup(fileno(written)))); /* the file handle closes its own descriptor */
    YOKE_CHECK(yoke_queue_create(&queue, NULL));
    YOKE_CHECK(yoke_pipe_create(&here, &there, NULL));
    YOKE_CHECK(yoke_process_start(&process, reader, YOKE_ARGS(YOKE_GIVE(there)), NULL));

    yoke_item message = YOKE_MAP("file", file, "queue", queue);
    YOKE_CHECK(yoke_conn_send_variant(here, &message, YOKE_FOREVER));
    yoke_file_close(file); /* the child has its own */
    fclose(written);
    YOKE_CHECK(yoke_queue_get_string(queue, answer, sizeof answer, YOKE_FOREVER));
    puts(answer);

    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    yoke_conn_close(here);
    yoke_queue_close(queue);
    return 0;
}
