/* Many small messages with few calls: one lock and one wake-up for as many as fit. */
#include <stdint.h>
#include <stdio.h>
#include <yoke/yoke.h>

enum { TOTAL = 10000, AT_ONCE = 100 };

static int producer(const yoke_args *args)
{
    uint32_t   numbers[AT_ONCE];
    yoke_bytes batch[AT_ONCE];

    for (uint32_t next = 0; next < TOTAL; next += AT_ONCE) {
        for (uint32_t i = 0; i < AT_ONCE; i++) {
            numbers[i] = next + i;
            batch[i] = (yoke_bytes){&numbers[i], sizeof numbers[i]};
        }
        YOKE_TRY(yoke_queue_put_many(yoke_args_queue(args, 0), batch, AT_ONCE, NULL, YOKE_FOREVER));
    }
    return 0;
}

int main(int argc, char **argv)
{
    yoke_queue   *queue;
    yoke_process *process;
    uint32_t      numbers[AT_ONCE];
    size_t        sizes[AT_ONCE], count, got = 0;
    uint64_t      sum = 0;

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_queue_create(&queue, NULL));
    YOKE_CHECK(yoke_process_start(&process, producer, YOKE_ARGS(queue), NULL));
    while (got < TOTAL) {
        /* Waits for the first, then takes what is there: the messages lie one behind the other in the buffer. */
        YOKE_CHECK(yoke_queue_get_many(queue, numbers, sizeof numbers, sizes, AT_ONCE, &count, YOKE_FOREVER));
        for (size_t i = 0; i < count; i++)
            sum += numbers[i];
        got += count;
    }
    printf("%zu numbers, sum %llu\n", got, (unsigned long long)sum);
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    yoke_queue_close(queue);
    return 0;
}
