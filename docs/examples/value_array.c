/* A shared value and a shared array, changed by a child and printed by the parent. */
#include <stdio.h>
#include <yoke/yoke.h>

static int f(const yoke_args *args)
{
    yoke_array *array = yoke_args_array(args, 1);
    int        *a = YOKE_ARRAY(array, int);

    *YOKE_VALUE(yoke_args_value(args, 0), double) = 3.1415927;
    for (size_t i = 0; i < yoke_array_count(array); i++)
        a[i] = -a[i];
    return 0;
}

int main(int argc, char **argv)
{
    yoke_value   *number;
    yoke_array   *array;
    yoke_process *process;
    int           initial[10];

    yoke_main(argc, argv);
    for (int i = 0; i < 10; i++)
        initial[i] = i;
    YOKE_CHECK(YOKE_VALUE_CREATE(&number, double, 0.0, NULL));
    YOKE_CHECK(YOKE_ARRAY_CREATE(&array, int, 10, initial, NULL));
    YOKE_CHECK(yoke_process_start(&process, f, YOKE_ARGS(number, array), NULL));
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));

    printf("%.7f\n", *YOKE_VALUE(number, double));
    for (int i = 0; i < 10; i++)
        printf("%s%d", i ? ", " : "[", YOKE_ARRAY(array, int)[i]);
    puts("]");
    yoke_array_close(array);
    yoke_value_close(number);
    return 0;
}
