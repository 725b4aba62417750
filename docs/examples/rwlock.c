/* Readers look at two numbers that always agree, for a writer changes them with the lock for itself. */
#include <stdio.h>
#include <yoke/yoke.h>

static int look_often(const yoke_args *args)
{
    yoke_rwlock *lock = yoke_args_rwlock(args, 0);
    yoke_array  *pair = yoke_args_array(args, 1);

    for (int i = 0; i < 1000; i++) {
        YOKE_TRY(yoke_rwlock_acquire_shared(lock, YOKE_FOREVER));
        if (*YOKE_ARRAY_AT(pair, int, 0) != *YOKE_ARRAY_AT(pair, int, 1))
            return 1;
        YOKE_TRY(yoke_rwlock_release_shared(lock));
    }
    return 0;
}

static int change_often(const yoke_args *args)
{
    yoke_rwlock *lock = yoke_args_rwlock(args, 0);
    yoke_array  *pair = yoke_args_array(args, 1);

    for (int i = 0; i < 100; i++) {
        YOKE_TRY(yoke_rwlock_acquire_exclusive(lock, YOKE_FOREVER));
        *YOKE_ARRAY_AT(pair, int, 0) += 1;
        *YOKE_ARRAY_AT(pair, int, 1) += 1;
        YOKE_TRY(yoke_rwlock_release_exclusive(lock));
    }
    return 0;
}

int main(int argc, char **argv)
{
    yoke_rwlock  *lock;
    yoke_array   *pair;
    yoke_process *processes[4];
    yoke_result   result = {.struct_size = sizeof result};

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_rwlock_create(&lock, NULL));
    YOKE_CHECK(YOKE_ARRAY_CREATE(&pair, int, 2, NULL, YOKE_OPTIONS(yoke_value_options, .unlocked = true)));
    for (int i = 0; i < 4; i++)
        YOKE_CHECK(yoke_process_start(&processes[i], i < 3 ? look_often : change_often, YOKE_ARGS(lock, pair), NULL));
    for (int i = 0; i < 4; i++) {
        YOKE_CHECK(yoke_process_finish(processes[i], &result, YOKE_FOREVER));
        printf("%s: %s\n", i < 3 ? "reader" : "writer", result.code == 0 ? "fine" : "saw half a change");
    }
    printf("both are %d\n", *YOKE_ARRAY_AT(pair, int, 0));
    yoke_array_close(pair);
    yoke_rwlock_close(lock);
    return 0;
}
