/* What a queue's functions do, and what they answer when they can't. */
#include <inttypes.h>
#include <stdio.h>
#include <yoke/yoke.h>

static void tell(yoke_queue *queue)
{
    printf("size %" PRId64 ", %s, %s\n", yoke_queue_size(queue), yoke_queue_empty(queue) ? "empty" : "not empty",
           yoke_queue_full(queue) ? "full" : "not full");
}

int main(int argc, char **argv)
{
    yoke_queue *queue;
    char        text[16];

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .max_items = 2)));
    tell(queue);
    printf("get from an empty one: %s\n",
           yoke_error_name(yoke_queue_get_string(queue, text, sizeof text, YOKE_NOWAIT)));

    YOKE_CHECK(yoke_queue_put_string(queue, "first", YOKE_FOREVER));
    YOKE_CHECK(yoke_queue_put_string(queue, "second", YOKE_FOREVER));
    tell(queue);
    printf("put into a full one: %s\n", yoke_error_name(yoke_queue_put_string(queue, "third", YOKE_NOWAIT)));
    printf("put with a time-out: %s\n", yoke_error_name(yoke_queue_put_string(queue, "third", 20)));

    printf("too small a buffer: %s\n", yoke_error_name(yoke_queue_get_string(queue, text, 3, YOKE_NOWAIT)));
    YOKE_CHECK(yoke_queue_get_string(queue, text, sizeof text, YOKE_FOREVER));
    puts(text);
    YOKE_CHECK(yoke_queue_get_string(queue, text, sizeof text, YOKE_FOREVER));
    puts(text);

    if (yoke_queue_shutdown(queue, YOKE_DRAIN) < 0)
        YOKE_CHECK(yoke_last_error()->code);
    printf("put after shutdown: %s\n", yoke_error_name(yoke_queue_put_string(queue, "late", YOKE_NOWAIT)));
    printf("get after shutdown: %s\n", yoke_error_name(yoke_queue_get_string(queue, text, sizeof text, YOKE_FOREVER)));
    yoke_queue_close(queue);
    return 0;
}
