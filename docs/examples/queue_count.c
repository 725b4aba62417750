/*
 * Five children count and put their sums; the parent joins them all, puts a last word, and adds up what is before it. A
 * queue keeps what the dead have put, so joining first does no harm, however much it is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <yoke/yoke.h>

static int worker(const yoke_args *args)
{
    int         base = yoke_args_int(args, 1);
    yoke_queue *queue = yoke_args_queue(args, 2);
    int         sub_total = 0;

    for (int i = 0; i < base; i++)
        sub_total += 1;
    YOKE_TRY(yoke_queue_put_variant(queue, YOKE_VALUE_OF(sub_total), YOKE_FOREVER));
    printf("Process Name: %s, Result: %d\n", yoke_process_name(yoke_process_current()), sub_total);
    return 0;
}

/* False: that was the last word. */
static bool add_next(yoke_queue *queue, int64_t *total)
{
    yoke_variant *next;
    bool          is_number;

    YOKE_CHECK(yoke_queue_get_variant(queue, &next, YOKE_FOREVER));
    is_number = !yoke_variant_equals(next, YOKE_VALUE_OF("exit"));
    *total += yoke_variant_int(next, 0);
    yoke_variant_free(next);
    return is_number;
}

int main(int argc, char **argv)
{
    yoke_queue   *queue;
    yoke_process *processes[5];
    char          name[8];
    int64_t       total = 0;

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_queue_create(&queue, NULL));
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "%d", i);
        YOKE_CHECK(yoke_process_start(&processes[i], worker, YOKE_ARGS(i, 1000000, queue),
                                      YOKE_OPTIONS(yoke_process_options, .name = name)));
    }
    for (int i = 0; i < 5; i++)
        YOKE_CHECK(yoke_process_finish(processes[i], NULL, YOKE_FOREVER));

    YOKE_CHECK(yoke_queue_put_variant(queue, YOKE_VALUE_OF("exit"), YOKE_FOREVER));
    while (add_next(queue, &total))
        ;
    printf("Main-processing total count: %" PRId64 "\n", total);
    puts("Main-processing done.");
    yoke_queue_close(queue);
    return 0;
}
