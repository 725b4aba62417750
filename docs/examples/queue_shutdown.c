/* Two ways to end a queue for everybody: let what is there be taken, or discard it and learn how much that was. */
#include <inttypes.h>
#include <stdio.h>
#include <yoke/yoke.h>

/* Sleeps in a get; the shutdown wakes it. */
static int consumer(const yoke_args *args)
{
    char line[32];
    int  count = 0, rc;

    while ((rc = yoke_queue_get_string(yoke_args_queue(args, 0), line, sizeof line, YOKE_FOREVER)) == YOKE_OK)
        count++;
    return rc == YOKE_ESHUTDOWN ? count : rc;
}

/* Sleeps in a put once the queue is full; the shutdown wakes it, and says what was not put. */
static int producer(const yoke_args *args)
{
    int rc = YOKE_OK;

    for (int i = 0; i < 1000 && rc == YOKE_OK; i++)
        rc = yoke_queue_put_format(yoke_args_queue(args, 0), YOKE_FOREVER, "%d", i);
    return rc == YOKE_ESHUTDOWN ? 0 : rc;
}

static int finish(yoke_process *process)
{
    yoke_result result = {.struct_size = sizeof result};

    YOKE_CHECK(yoke_process_finish(process, &result, YOKE_FOREVER));
    return result.code;
}

static void drain(void)
{
    yoke_queue   *queue;
    yoke_process *process;

    YOKE_CHECK(yoke_queue_create(&queue, NULL));
    YOKE_CHECK(yoke_process_start(&process, consumer, YOKE_ARGS(queue), NULL));
    for (int i = 0; i < 10; i++)
        YOKE_CHECK(yoke_queue_put_format(queue, YOKE_FOREVER, "%d", i));
    printf("discarded by a drain: %" PRId64 "\n", yoke_queue_shutdown(queue, YOKE_DRAIN));
    printf("put: %s\n", yoke_error_name(yoke_queue_put_string(queue, "late", YOKE_FOREVER)));
    printf("the consumer had %d\n", finish(process));
    yoke_queue_close(queue);
}

static void at_once(void)
{
    yoke_queue     *queue;
    yoke_process   *process;
    yoke_wait_entry entry;
    char            line[32];

    YOKE_CHECK(yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .max_items = 1)));
    YOKE_CHECK(yoke_process_start(&process, producer, YOKE_ARGS(queue), NULL));
    YOKE_CHECK(yoke_queue_get_string(queue, line, sizeof line, YOKE_FOREVER));
    entry = yoke_wait_queue_readable(queue); /* the next message is there, and the queue full with it */
    YOKE_CHECK(yoke_wait(&entry, 1, YOKE_FOREVER));
    printf("discarded at once: %" PRId64 "\n", yoke_queue_shutdown(queue, YOKE_IMMEDIATE));
    printf("get: %s\n", yoke_error_name(yoke_queue_get_string(queue, line, sizeof line, YOKE_FOREVER)));
    printf("the producer returned %d\n", finish(process));
    yoke_queue_close(queue);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    drain();
    at_once();
    return 0;
}
