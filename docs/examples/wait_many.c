/* One thread waits for two queues and a process at once, and takes what is ready. */
#include <stdio.h>
#include <yoke/yoke.h>

static int count(const yoke_args *args)
{
    for (int i = 1; i <= 3; i++) {
        YOKE_TRY(yoke_queue_put_format(yoke_args_queue(args, 0), YOKE_FOREVER, "odd %d", 2 * i - 1));
        YOKE_TRY(yoke_queue_put_format(yoke_args_queue(args, 1), YOKE_FOREVER, "even %d", 2 * i));
    }
    return 0;
}

static void take(yoke_queue *queue)
{
    char line[32];

    while (yoke_queue_get_string(queue, line, sizeof line, YOKE_NOWAIT) == YOKE_OK)
        puts(line);
}

int main(int argc, char **argv)
{
    yoke_queue   *odd, *even;
    yoke_process *process;

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_queue_create(&odd, NULL));
    YOKE_CHECK(yoke_queue_create(&even, NULL));
    YOKE_CHECK(yoke_process_start(&process, count, YOKE_ARGS(odd, even), NULL));

    yoke_wait_entry entries[] = {
        yoke_wait_queue_readable(odd),
        yoke_wait_queue_readable(even),
        yoke_wait_process_ended(process),
    };
    for (bool ended = false; !ended;) {
        YOKE_CHECK(yoke_wait(entries, 3, YOKE_FOREVER));
        ended = entries[2].ready; /* whatever it put is there by now */
        take(odd);
        take(even);
    }
    puts("the process has ended");
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    yoke_queue_close(odd);
    yoke_queue_close(even);
    return 0;
}
