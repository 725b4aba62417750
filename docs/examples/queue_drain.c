/*
 * A hundred numbers are put before any consumer starts; then two processes share them.
 *
 * The tutorial's consumers ask `while not q.empty(): q.get()`. That hangs now and then: both see the last number, one
 * gets it, the other one waits for ever. Here nobody asks first: a get that doesn't wait says itself that nothing is left.
 *
 * Which process gets which number is left to chance, so each returns how many it had and the parent adds up.
 */
#include <stdio.h>
#include <yoke/yoke.h>

static int child_process(const yoke_args *args)
{
    yoke_queue *queue = yoke_args_queue(args, 0);
    char        number[16];
    int         count = 0, rc;

    while ((rc = yoke_queue_get_string(queue, number, sizeof number, YOKE_NOWAIT)) == YOKE_OK) {
        puts(number);
        count++;
    }
    return rc == YOKE_ETIMEDOUT ? count : rc;
}

/* The same numbers everywhere, unlike rand(). */
static unsigned next_number(unsigned *state)
{
    *state = *state * 1103515245u + 12345u;
    return (*state >> 16) % 10;
}

int main(int argc, char **argv)
{
    yoke_queue   *queue;
    yoke_process *processes[2];
    yoke_result   result = {.struct_size = sizeof result};
    unsigned      seed = 1;
    int           total = 0;

    yoke_main(argc, argv);
    fprintf(stderr, "This program may use %d CPUs\n", yoke_cpu_count());
    YOKE_CHECK(yoke_queue_create(&queue, NULL));
    for (int i = 0; i < 100; i++)
        YOKE_CHECK(yoke_queue_put_format(queue, YOKE_FOREVER, "%u", next_number(&seed)));

    for (int i = 0; i < 2; i++)
        YOKE_CHECK(yoke_process_start(&processes[i], child_process, YOKE_ARGS(queue), NULL));
    for (int i = 0; i < 2; i++) {
        fprintf(stderr, "child process %s", yoke_process_name(processes[i]));
        YOKE_CHECK(yoke_process_finish(processes[i], &result, YOKE_FOREVER));
        fprintf(stderr, " processed %d items from the queue\n", result.code);
        total += result.code;
    }
    printf("together they processed %d items\n", total);
    yoke_queue_close(queue);
    return 0;
}
