/* As pipe_events.c, through a queue: it could have more than one sender and more than one receiver. */
#include <stdio.h>
#include <string.h>
#include <yoke/yoke.h>

static int sender(const yoke_args *args)
{
    yoke_queue         *queue = yoke_args_queue(args, 0);
    const yoke_variant *events = yoke_args_variant(args, 1);

    for (size_t i = 0; i < yoke_variant_count(events); i++) {
        const char *event = yoke_variant_string(yoke_variant_at(events, i), "");
        YOKE_TRY(yoke_queue_put_string(queue, event, YOKE_FOREVER));
        printf("Event Sent: %s\n", event);
    }
    return 0;
}

static int receiver(const yoke_args *args)
{
    yoke_queue *queue = yoke_args_queue(args, 0);
    char        event[64];

    for (;;) {
        YOKE_TRY(yoke_queue_get_string(queue, event, sizeof event, YOKE_FOREVER));
        if (strcmp(event, "eod") == 0) {
            puts("Event Received: End of Day");
            return 0;
        }
        printf("Event Received: %s\n", event);
    }
}

int main(int argc, char **argv)
{
    yoke_queue   *queue;
    yoke_process *process1, *process2;

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_queue_create(&queue, NULL));
    YOKE_CHECK(yoke_process_start(
        &process1, sender, YOKE_ARGS(queue, YOKE_LIST("get up", "brush your teeth", "shower", "work", "eod")), NULL));
    YOKE_CHECK(yoke_process_start(&process2, receiver, YOKE_ARGS(queue), NULL));
    YOKE_CHECK(yoke_process_finish(process1, NULL, YOKE_FOREVER));
    YOKE_CHECK(yoke_process_finish(process2, NULL, YOKE_FOREVER));
    yoke_queue_close(queue);
    return 0;
}
