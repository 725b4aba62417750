/*
 * Nobody says "end of data": the parent only collects, says so by giving up putting, and its get ends by itself when the
 * last process that could put has gone, whatever it died of.
 */
#include <stdio.h>
#include <yoke/yoke.h>

static int producer(const yoke_args *args)
{
    for (int i = 1; i <= 3; i++)
        YOKE_TRY(yoke_queue_put_format(yoke_args_queue(args, 0), YOKE_FOREVER, "%s %d", yoke_args_string(args, 1), i));
    if (yoke_args_bool(args, 2))
        return yoke_wait(NULL, 0, YOKE_FOREVER); /* hangs, until it is killed */
    return 0;
}

int main(int argc, char **argv)
{
    yoke_queue   *queue;
    yoke_process *good, *hangs;
    char          line[32];
    int           rc;

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .report_orphaned = true)));
    YOKE_CHECK(yoke_process_start(&good, producer, YOKE_ARGS(queue, "apple", false), NULL));
    YOKE_CHECK(yoke_process_start(&hangs, producer, YOKE_ARGS(queue, "pear", true), NULL));
    YOKE_CHECK(
        yoke_queue_drop(queue, YOKE_MAY_PUT)); /* after the starts: what is passed on lacks what the giver lacks */
    printf("put: %s\n", yoke_error_name(yoke_queue_put_string(queue, "plum", YOKE_NOWAIT)));

    for (int i = 0; i < 6; i++) {
        YOKE_CHECK(yoke_queue_get_string(queue, line, sizeof line, YOKE_FOREVER));
        puts(line);
    }
    YOKE_CHECK(yoke_process_kill(hangs));
    rc = yoke_queue_get_string(queue, line, sizeof line, YOKE_FOREVER); /* no time-out is needed */
    printf("get: %s\n", yoke_error_name(rc));

    YOKE_CHECK(yoke_process_finish(good, NULL, YOKE_FOREVER));
    YOKE_CHECK(yoke_process_finish(hangs, NULL, YOKE_FOREVER));
    yoke_queue_close(queue);
    return 0;
}
