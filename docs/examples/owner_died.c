/* A process dies between two halves of a change. The next one to acquire the lock is told, and puts things right. */
#include <stdio.h>
#include <stdlib.h>
#include <yoke/yoke.h>

struct account {
    int64_t left, right, total;
};

static int die_half_way(const yoke_args *args)
{
    yoke_value     *shared = yoke_args_value(args, 0);
    struct account *account = YOKE_VALUE(shared, struct account);

    YOKE_TRY(yoke_lock_acquire(yoke_value_lock(shared), YOKE_FOREVER));
    account->left -= 30;
    _Exit(1); /* as good as killed: nothing is put right on the way out */
    account->right += 30;
    return yoke_lock_release(yoke_value_lock(shared));
}

static int transfer(yoke_value *shared, int64_t n)
{
    struct account *account = YOKE_VALUE(shared, struct account);
    yoke_lock      *lock = yoke_value_lock(shared);
    yoke_death      death = {.struct_size = sizeof death};
    int             result = yoke_lock_acquire(lock, 5000);

    if (result < 0) /* not held */
        return result;
    if (result == YOKE_OWNER_DIED) { /* held, but perhaps half changed */
        YOKE_TRY(yoke_lock_death(lock, &death));
        printf("%s died holding it: %lld and %lld\n", death.name, (long long)account->left, (long long)account->right);
        account->right = account->total - account->left;
        YOKE_TRY(yoke_lock_mark_repaired(lock));
    }
    account->left -= n;
    account->right += n;
    return yoke_lock_release(lock);
}

int main(int argc, char **argv)
{
    struct account *account;
    yoke_value     *shared;
    yoke_process   *process;

    yoke_main(argc, argv);
    YOKE_CHECK(YOKE_VALUE_CREATE(&shared, struct account, 0, NULL));
    account = YOKE_VALUE(shared, struct account);
    *account = (struct account){100, 0, 100};
    YOKE_CHECK(yoke_process_start(&process, die_half_way, YOKE_ARGS(shared), NULL));
    if (yoke_process_finish(process, NULL, YOKE_FOREVER) == YOKE_OK)
        puts("it has ended");
    YOKE_CHECK(transfer(shared, 5));
    YOKE_CHECK(transfer(shared, 5)); /* nothing to be told any more */
    printf("now %lld and %lld\n", (long long)account->left, (long long)account->right);
    yoke_value_close(shared);
    return 0;
}
