/* Several processes are made ready, and begin at once. */
#include <stdio.h>
#include <yoke/yoke.h>

static int run(const yoke_args *args)
{
    YOKE_TRY(yoke_semaphore_release(yoke_args_semaphore(args, 0))); /* ready: said here, counted there */
    YOKE_TRY(yoke_event_wait(yoke_args_event(args, 1), YOKE_FOREVER));
    printf("runner %lld runs\n", (long long)yoke_args_int(args, 2));
    return 0;
}

int main(int argc, char **argv)
{
    yoke_semaphore *ready;
    yoke_event     *go;
    yoke_process   *runners[3];

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_semaphore_create(&ready, 0, NULL));
    YOKE_CHECK(yoke_event_create(&go, NULL));
    for (int i = 0; i < 3; i++)
        YOKE_CHECK(yoke_process_start(&runners[i], run, YOKE_ARGS(ready, go, i + 1), NULL));
    for (int i = 0; i < 3; i++)
        YOKE_CHECK(yoke_semaphore_acquire(ready, YOKE_FOREVER));
    puts("all are ready");
    fflush(stdout);
    YOKE_CHECK(yoke_event_set(go));
    for (int i = 0; i < 3; i++)
        YOKE_CHECK(yoke_process_finish(runners[i], NULL, YOKE_FOREVER));
    yoke_semaphore_close(ready);
    yoke_event_close(go);
    return 0;
}
