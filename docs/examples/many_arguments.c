/*
 * Arguments of every kind, and as many as YOKE_ARGS takes. Integers are read by any integer accessor whose type holds
 * the value; a wrong index or kind ends the child, and its parent learns which.
 */
#include <stdio.h>
#include <yoke/yoke.h>

struct point {
    double x, y;
};

static int every_kind(const yoke_args *args)
{
    const struct point *point = yoke_args_struct(args, 6, sizeof *point);
    const yoke_variant *list = yoke_args_variant(args, 7);
    char                text[128];

    printf("%d %llu %s %.2f %s\n", yoke_args_int(args, 0), (unsigned long long)yoke_args_uint64(args, 1),
           yoke_args_bool(args, 2) ? "true" : "false", yoke_args_double(args, 3), yoke_args_string(args, 4));
    printf("%s, point at %.1f %.1f\n", yoke_args_kind(args, 5) == YOKE_NIL_KIND ? "nil" : "not nil", point->x,
           point->y);
    YOKE_TRY(yoke_variant_format(list, text, sizeof text, NULL));
    puts(text);
    return yoke_queue_put_string(yoke_args_queue(args, 8), "and a queue", YOKE_FOREVER);
}

static int add_all(const yoke_args *args)
{
    int sum = 0;

    for (size_t i = 0; i < yoke_args_count(args); i++)
        sum += yoke_args_int(args, i);
    return sum;
}

static int read_wrongly(const yoke_args *args)
{
    return yoke_args_int(args, 1);
}

int main(int argc, char **argv)
{
    yoke_queue   *queue;
    yoke_process *process;
    yoke_result   result = {.struct_size = sizeof result};
    struct point  point = {1.5, -2.5};
    bool          yes = true;
    char          text[32];

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_queue_create(&queue, NULL));
    YOKE_CHECK(yoke_process_start(&process, every_kind,
                                  YOKE_ARGS(-5, UINT64_MAX, yes, 2.25, "text", YOKE_NIL, YOKE_STRUCT(point),
                                            YOKE_LIST(1, YOKE_LIST("deep", YOKE_LIST()), YOKE_MAP("key", 0.5)), queue),
                                  NULL));
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    YOKE_CHECK(yoke_queue_get_string(queue, text, sizeof text, YOKE_FOREVER));
    puts(text);
    yoke_queue_close(queue);

    YOKE_CHECK(yoke_process_start(&process, add_all,
                                  YOKE_ARGS(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                            22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32),
                                  NULL));
    YOKE_CHECK(yoke_process_finish(process, &result, YOKE_FOREVER));
    printf("thirty-two numbers make %d\n", result.code);

    YOKE_CHECK(yoke_process_start(&process, read_wrongly, YOKE_ARGS("a", "b"), NULL));
    YOKE_CHECK(yoke_process_finish(process, &result, YOKE_FOREVER));
    printf("%s: %s\n", result.how == YOKE_BAD_ARGUMENTS ? "bad arguments" : "?", result.text);
    return 0;
}
