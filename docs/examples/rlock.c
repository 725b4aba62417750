/* A function that takes a lock and calls another one that takes it too: a recursive lock counts, and goes with the last. */
#include <stdio.h>
#include <yoke/yoke.h>

static int add(yoke_rlock *lock, int *total, int n)
{
    YOKE_TRY(yoke_rlock_acquire(lock, YOKE_FOREVER));
    *total += n;
    return yoke_rlock_release(lock);
}

static int add_both(const yoke_args *args)
{
    yoke_rlock *lock = yoke_args_rlock(args, 0);
    yoke_value *shared = yoke_args_value(args, 1);

    YOKE_TRY(yoke_rlock_acquire(lock, YOKE_FOREVER)); /* so that nobody comes between the two */
    YOKE_TRY(add(lock, YOKE_VALUE(shared, int), 1));
    YOKE_TRY(add(lock, YOKE_VALUE(shared, int), 10));
    return yoke_rlock_release(lock);
}

int main(int argc, char **argv)
{
    yoke_rlock   *lock;
    yoke_value   *shared;
    yoke_process *processes[3];

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_rlock_create(&lock, NULL));
    YOKE_CHECK(YOKE_VALUE_CREATE(&shared, int, 0, NULL));
    for (int i = 0; i < 3; i++)
        YOKE_CHECK(yoke_process_start(&processes[i], add_both, YOKE_ARGS(lock, shared), NULL));
    for (int i = 0; i < 3; i++)
        YOKE_CHECK(yoke_process_finish(processes[i], NULL, YOKE_FOREVER));
    printf("total %d, locked: %s\n", *YOKE_VALUE(shared, int), yoke_rlock_locked(lock) ? "yes" : "no");
    if (yoke_rlock_release(lock) != YOKE_OK)
        puts("released too often: an error");
    yoke_value_close(shared);
    yoke_rlock_close(lock);
    return 0;
}
