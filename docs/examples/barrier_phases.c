/*
 * Three processes do their parts of two phases; none begins the second before all have ended the first. The last to arrive
 * runs the action, before the others go on.
 */
#include <stdio.h>
#include <yoke/yoke.h>

enum { WORKERS = 3 };

/* It runs in the process of the last to arrive, so each of them brings it. */
static int announce(void *user)
{
    int *phase = YOKE_VALUE((yoke_value *)user, int);

    *phase += 1;
    printf("all have ended phase %d\n", *phase);
    return fflush(stdout);
}

static int work(const yoke_args *args)
{
    yoke_barrier *barrier = yoke_args_barrier(args, 0);
    yoke_value   *phase = yoke_args_value(args, 1);

    YOKE_TRY(yoke_barrier_set_action(barrier, announce, phase));
    YOKE_TRY(yoke_barrier_join(barrier)); /* if this process dies, the others don't wait for it */
    for (int i = 0; i < 2; i++)
        YOKE_TRY(yoke_barrier_wait(barrier, YOKE_FOREVER, NULL));
    return yoke_barrier_leave(barrier);
}

int main(int argc, char **argv)
{
    yoke_barrier *barrier;
    yoke_value   *phase;
    yoke_process *workers[WORKERS];

    yoke_main(argc, argv);
    YOKE_CHECK(YOKE_VALUE_CREATE(&phase, int, 0, NULL));
    YOKE_CHECK(
        yoke_barrier_create(&barrier, WORKERS, YOKE_OPTIONS(yoke_barrier_options, .action = announce, .user = phase)));
    for (int i = 0; i < WORKERS; i++)
        YOKE_CHECK(yoke_process_start(&workers[i], work, YOKE_ARGS(barrier, phase), NULL));
    for (int i = 0; i < WORKERS; i++)
        YOKE_CHECK(yoke_process_finish(workers[i], NULL, YOKE_FOREVER));
    yoke_barrier_close(barrier);
    yoke_value_close(phase);
    return 0;
}
