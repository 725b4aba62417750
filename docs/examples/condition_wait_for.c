/*
 * A process waits until a shared number is large enough; another one adds to it and notifies. The condition brings its lock
 * along, so one handle does for both.
 */
#include <stdio.h>
#include <yoke/yoke.h>

static bool is_large(void *user)
{
    return *YOKE_VALUE((yoke_value *)user, int) >= 30;
}

static int wait_for_it(const yoke_args *args)
{
    yoke_condition *condition = yoke_args_condition(args, 0);
    yoke_value     *number = yoke_args_value(args, 1);

    YOKE_TRY(yoke_condition_acquire(condition, YOKE_FOREVER));
    YOKE_TRY(yoke_condition_wait_for(condition, is_large, number, YOKE_FOREVER));
    printf("it is %d now\n", *YOKE_VALUE(number, int));
    return yoke_condition_release(condition);
}

static int add(const yoke_args *args)
{
    yoke_condition *condition = yoke_args_condition(args, 0);
    yoke_value     *number = yoke_args_value(args, 1);

    for (int i = 0; i < 3; i++) {
        YOKE_TRY(yoke_condition_acquire(condition, YOKE_FOREVER));
        *YOKE_VALUE(number, int) += 10;
        YOKE_TRY(yoke_condition_notify_all(condition));
        YOKE_TRY(yoke_condition_release(condition));
    }
    return 0;
}

int main(int argc, char **argv)
{
    yoke_condition *condition;
    yoke_value     *number;
    yoke_process   *waiter, *adder;

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_condition_create(&condition, NULL));
    YOKE_CHECK(YOKE_VALUE_CREATE(&number, int, 0, NULL));
    YOKE_CHECK(yoke_process_start(&waiter, wait_for_it, YOKE_ARGS(condition, number), NULL));
    YOKE_CHECK(yoke_process_start(&adder, add, YOKE_ARGS(condition, number), NULL));
    YOKE_CHECK(yoke_process_finish(adder, NULL, YOKE_FOREVER));
    YOKE_CHECK(yoke_process_finish(waiter, NULL, YOKE_FOREVER));
    yoke_value_close(number);
    yoke_condition_close(condition);
    return 0;
}
