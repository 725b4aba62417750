/*
 * Four processes count, sum, and note the least and the most, in a value and an array that have no lock: each call is one
 * atomic operation, so nothing is lost, and whoever is killed in it has done it or not.
 */
#include <stdio.h>
#include <yoke/yoke.h>

enum { SUM, LEAST, MOST };

static int measure(const yoke_args *args)
{
    yoke_value *count = yoke_args_value(args, 0);
    yoke_array *figures = yoke_args_array(args, 1);
    int         first = yoke_args_int(args, 2);

    for (int i = first; i < first + 1000; i++) {
        double measured = i * 0.25;
        YOKE_TRY(YOKE_VALUE_FETCH_ADD(count, long, 1, NULL));
        YOKE_TRY(YOKE_ARRAY_FETCH_ADD(figures, double, SUM, measured, NULL));
        YOKE_TRY(YOKE_ARRAY_FETCH_MIN(figures, double, LEAST, measured, NULL));
        YOKE_TRY(YOKE_ARRAY_FETCH_MAX(figures, double, MOST, measured, NULL));
    }
    return 0;
}

int main(int argc, char **argv)
{
    const yoke_value_options *bare = YOKE_OPTIONS(yoke_value_options, .unlocked = true);
    const double              start[3] = {0, 1e9, -1e9};
    yoke_value               *count;
    yoke_array               *figures;
    yoke_process             *processes[4];
    double                    result[3];
    long                      counted, expected = 0;

    yoke_main(argc, argv);
    YOKE_CHECK(YOKE_VALUE_CREATE(&count, long, 0, bare));
    YOKE_CHECK(YOKE_ARRAY_CREATE(&figures, double, 3, start, bare));
    for (int i = 0; i < 4; i++)
        YOKE_CHECK(yoke_process_start(&processes[i], measure, YOKE_ARGS(count, figures, i * 1000), NULL));
    for (int i = 0; i < 4; i++)
        YOKE_CHECK(yoke_process_finish(processes[i], NULL, YOKE_FOREVER));

    YOKE_CHECK(YOKE_VALUE_LOAD(count, long, &counted));
    YOKE_CHECK(YOKE_ARRAY_READ(figures, double, 0, 3, result));
    printf("%ld measured, sum %.2f, from %.2f to %.2f\n", counted, result[SUM], result[LEAST], result[MOST]);
    printf("index 3: %s\n", yoke_error_name(YOKE_ARRAY_SET(figures, double, 3, 0)));
    if (YOKE_VALUE_COMPARE_EXCHANGE(count, long, &expected, 1) == YOKE_EBUSY)
        printf("the count is not 0 but %ld\n", expected);
    yoke_array_close(figures);
    yoke_value_close(count);
    return 0;
}
