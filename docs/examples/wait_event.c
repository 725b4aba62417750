/* A worker takes what a queue brings, until an event tells it to stop: it waits for both at once. */
#include <stdio.h>
#include <yoke/yoke.h>

static int work(const yoke_args *args)
{
    yoke_queue     *queue = yoke_args_queue(args, 0);
    yoke_wait_entry entries[] = {
        yoke_wait_queue_readable(queue),
        yoke_wait_event_set(yoke_args_event(args, 1)),
    };
    char line[32];

    for (;;) {
        YOKE_TRY(yoke_wait(entries, 2, YOKE_FOREVER));
        bool stop = entries[1].ready; /* what was put before that is there by now */
        while (yoke_queue_get_string(queue, line, sizeof line, YOKE_NOWAIT) == YOKE_OK)
            printf("got %s\n", line);
        if (stop)
            break;
    }
    puts("told to stop");
    return 0;
}

int main(int argc, char **argv)
{
    yoke_queue   *queue;
    yoke_event   *stop;
    yoke_process *worker;

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_queue_create(&queue, NULL));
    YOKE_CHECK(yoke_event_create(&stop, NULL));
    YOKE_CHECK(yoke_process_start(&worker, work, YOKE_ARGS(queue, stop), NULL));
    for (int i = 1; i <= 3; i++)
        YOKE_CHECK(yoke_queue_put_format(queue, YOKE_FOREVER, "message %d", i));
    YOKE_CHECK(yoke_event_set(stop));
    YOKE_CHECK(yoke_process_finish(worker, NULL, YOKE_FOREVER));
    yoke_event_close(stop);
    yoke_queue_close(queue);
    return 0;
}
