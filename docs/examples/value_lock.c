/* Five processes add one to a shared value, each holding its lock. */
#include <stdio.h>
#include <yoke/yoke.h>

static int increment(const yoke_args *args)
{
    yoke_value *shared = yoke_args_value(args, 0);
    yoke_lock  *lock = yoke_value_lock(shared);

    YOKE_TRY(yoke_lock_acquire(lock, YOKE_FOREVER));
    *YOKE_VALUE(shared, int) += 1;
    return yoke_lock_release(lock);
}

int main(int argc, char **argv)
{
    yoke_value   *shared;
    yoke_process *processes[5];

    yoke_main(argc, argv);
    YOKE_CHECK(YOKE_VALUE_CREATE(&shared, int, 0, NULL));
    for (int i = 0; i < 5; i++)
        YOKE_CHECK(yoke_process_start(&processes[i], increment, YOKE_ARGS(shared), NULL));
    for (int i = 0; i < 5; i++)
        YOKE_CHECK(yoke_process_finish(processes[i], NULL, YOKE_FOREVER));
    printf("Final value: %d\n", *YOKE_VALUE(shared, int));
    yoke_value_close(shared);
    return 0;
}
