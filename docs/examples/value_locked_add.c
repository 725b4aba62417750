/*
 * Nine processes add 1 to a shared value fifty times each. It ends at 450.
 *
 * The tutorial writes `v.value += 1` without the lock and ends at 450 by luck: that is a read and a write, and two
 * processes that do it at the same time lose one of the two. Here every other process holds the lock, and the rest let
 * yoke_value_add() do it; the two get along.
 */
#include <stdio.h>
#include <yoke/yoke.h>

static int add_holding_the_lock(const yoke_args *args)
{
    yoke_value *shared = yoke_args_value(args, 0);

    for (int i = 0; i < 50; i++) {
        YOKE_TRY(yoke_lock_acquire(yoke_value_lock(shared), YOKE_FOREVER));
        *YOKE_VALUE(shared, int) += 1;
        YOKE_TRY(yoke_lock_release(yoke_value_lock(shared)));
    }
    printf("%s added 50\n", yoke_process_name(yoke_process_current()));
    return 0;
}

static int add_by_call(const yoke_args *args)
{
    yoke_value *shared = yoke_args_value(args, 0);

    for (int i = 0; i < 50; i++)
        YOKE_TRY(yoke_value_add(shared, 1, NULL));
    printf("%s added 50\n", yoke_process_name(yoke_process_current()));
    return 0;
}

int main(int argc, char **argv)
{
    yoke_value   *shared;
    yoke_process *processes[9];

    yoke_main(argc, argv);
    fprintf(stderr, "Parent Process ID: %lld\n", (long long)yoke_process_pid(yoke_process_current()));
    YOKE_CHECK(YOKE_VALUE_CREATE(&shared, int, 0, NULL));
    for (int i = 0; i < 9; i++)
        YOKE_CHECK(
            yoke_process_start(&processes[i], i % 2 ? add_by_call : add_holding_the_lock, YOKE_ARGS(shared), NULL));
    for (int i = 0; i < 9; i++)
        YOKE_CHECK(yoke_process_finish(processes[i], NULL, YOKE_FOREVER));
    printf("Final Data in parent process: %d\n", *YOKE_VALUE(shared, int));
    yoke_value_close(shared);
    return 0;
}
