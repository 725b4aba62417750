/*
 * Two consumers get with a time-out while the parent is still putting, and stop when the queue is shut down and empty.
 *
 * The tutorial's version swallows every exception and asks empty(), which is true at once if the consumers are quicker
 * than the producer: they then process 0 items, as its own output shows. An error code tells "nothing yet" from "nothing
 * any more".
 */
#include <stdio.h>
#include <yoke/yoke.h>

static int child_process(const yoke_args *args)
{
    yoke_queue *queue = yoke_args_queue(args, 0);
    char        number[16];
    int         count = 0, rc;

    for (;;) {
        rc = yoke_queue_get_string(queue, number, sizeof number, 5000);
        if (rc == YOKE_ESHUTDOWN)
            return count;
        if (rc == YOKE_ETIMEDOUT)
            continue; /* nothing yet: something else could be done here */
        YOKE_TRY(rc);
        puts(number);
        count++;
    }
}

int main(int argc, char **argv)
{
    yoke_queue   *queue;
    yoke_process *processes[2];
    yoke_result   result = {.struct_size = sizeof result};
    int           total = 0;

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_queue_create(&queue, NULL));
    for (int i = 0; i < 2; i++)
        YOKE_CHECK(yoke_process_start(&processes[i], child_process, YOKE_ARGS(queue), NULL));
    for (int i = 0; i < 100; i++)
        YOKE_CHECK(yoke_queue_put_format(queue, YOKE_FOREVER, "%d", i));
    if (yoke_queue_shutdown(queue, YOKE_DRAIN) < 0)
        YOKE_CHECK(yoke_last_error()->code);

    for (int i = 0; i < 2; i++) {
        YOKE_CHECK(yoke_process_finish(processes[i], &result, YOKE_FOREVER));
        total += result.code;
    }
    printf("together they processed %d items\n", total);
    yoke_queue_close(queue);
    return 0;
}
