/* One message through a queue. */
#include <stdio.h>
#include <yoke/yoke.h>

static int worker(const yoke_args *args)
{
    return yoke_queue_put_string(yoke_args_queue(args, 0), "Hello from worker!", YOKE_FOREVER);
}

int main(int argc, char **argv)
{
    yoke_queue   *queue;
    yoke_process *process;
    char          message[64];

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_queue_create(&queue, NULL));
    YOKE_CHECK(yoke_process_start(&process, worker, YOKE_ARGS(queue), NULL));
    YOKE_CHECK(yoke_queue_get_string(queue, message, sizeof message, YOKE_FOREVER));
    printf("Message from worker: %s\n", message);
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    yoke_queue_close(queue);
    return 0;
}
