/* Two places for five processes. One of them ends without giving its place back: it returns, and who gets it is told. */
#include <stdio.h>
#include <yoke/yoke.h>

static int work(const yoke_args *args)
{
    yoke_semaphore *places = yoke_args_semaphore(args, 0);
    yoke_value     *inside = yoke_args_value(args, 1);
    int64_t         now;

    YOKE_TRY(yoke_semaphore_acquire(places, YOKE_FOREVER));
    YOKE_TRY(yoke_value_add(inside, 1, &now));
    printf("worker %lld: %s\n", (long long)yoke_args_int(args, 2),
           now <= 2 ? "there was a place" : "there were too many");
    fflush(stdout);
    YOKE_TRY(yoke_value_add(inside, -1, NULL));
    return yoke_semaphore_release(places);
}

static int forget(const yoke_args *args)
{
    return yoke_semaphore_acquire(yoke_args_semaphore(args, 0), YOKE_FOREVER);
}

int main(int argc, char **argv)
{
    yoke_semaphore *places;
    yoke_value     *inside;
    yoke_process   *workers[4], *careless;

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_semaphore_create(&places, 2, YOKE_OPTIONS(yoke_semaphore_options, .permits = true)));
    YOKE_CHECK(YOKE_VALUE_CREATE(&inside, int, 0, NULL));
    for (int i = 0; i < 4; i++)
        YOKE_CHECK(yoke_process_start(&workers[i], work, YOKE_ARGS(places, inside, i + 1), NULL));
    for (int i = 0; i < 4; i++)
        YOKE_CHECK(yoke_process_finish(workers[i], NULL, YOKE_FOREVER));

    YOKE_CHECK(yoke_process_start(&careless, forget, YOKE_ARGS(places), NULL));
    YOKE_CHECK(yoke_process_finish(careless, NULL, YOKE_FOREVER));
    for (int i = 0; i < 2; i++)
        if (yoke_semaphore_acquire(places, YOKE_NOWAIT) == YOKE_OWNER_DIED) {
            yoke_death death = {.struct_size = sizeof death};
            YOKE_CHECK(yoke_semaphore_death(places, &death));
            printf("one place came back from %s, which ended\n", death.name);
        }
    printf("%lld places are left\n", (long long)yoke_semaphore_value(places));
    yoke_semaphore_close(places);
    yoke_value_close(inside);
    return 0;
}
