/*
 * Two processes take two locks, each in the other order, and wait for each other. As the locks look for that, one of them
 * hears of it, lets go and tries again.
 */
#include <stdio.h>
#include <string.h>
#include <yoke/yoke.h>

static int take_both(const yoke_args *args)
{
    yoke_lock  *first = yoke_args_lock(args, 0), *second = yoke_args_lock(args, 1);
    yoke_queue *told = yoke_args_queue(args, 2), *ready = yoke_args_queue(args, 3), *go = yoke_args_queue(args, 4);
    char        word[8];

    YOKE_TRY(yoke_lock_acquire(first, YOKE_FOREVER));
    YOKE_TRY(yoke_queue_put_string(ready, "holding", YOKE_FOREVER));
    YOKE_TRY(yoke_queue_get_string(go, word, sizeof word, YOKE_FOREVER));
    int result = yoke_lock_acquire(second, YOKE_FOREVER);
    while (result == YOKE_EDEADLK) {
        /* Process-1 (pid 12, thread 12) waits for lock 'b', held by Process-2 (pid 13, thread 13), which waits for ... */
        YOKE_TRY(yoke_queue_put_string(told, yoke_last_error()->text, YOKE_FOREVER));
        YOKE_TRY(yoke_lock_release(first));
        YOKE_TRY(yoke_lock_acquire(second, YOKE_FOREVER)); /* this time in the order of the other process */
        result = yoke_lock_acquire(first, YOKE_FOREVER);
    }
    YOKE_TRY(result);
    YOKE_TRY(yoke_lock_release(second));
    return yoke_lock_release(first);
}

int main(int argc, char **argv)
{
    yoke_lock        *a, *b;
    yoke_queue       *told, *ready, *go;
    yoke_process     *one, *two;
    char              text[512];
    yoke_lock_options options = {.struct_size = sizeof options, .owner_releases = true, .detect_deadlock = true};

    yoke_main(argc, argv);
    options.name = "a";
    YOKE_CHECK(yoke_lock_create(&a, &options));
    options.name = "b";
    YOKE_CHECK(yoke_lock_create(&b, &options));
    YOKE_CHECK(yoke_queue_create(&told, NULL));
    YOKE_CHECK(yoke_queue_create(&ready, NULL));
    YOKE_CHECK(yoke_queue_create(&go, NULL));
    YOKE_CHECK(yoke_process_start(&one, take_both, YOKE_ARGS(a, b, told, ready, go), NULL));
    YOKE_CHECK(yoke_process_start(&two, take_both, YOKE_ARGS(b, a, told, ready, go), NULL));
    for (int i = 0; i < 2; i++)
        YOKE_CHECK(yoke_queue_get_string(ready, text, sizeof text, YOKE_FOREVER));
    for (int i = 0; i < 2; i++)
        YOKE_CHECK(yoke_queue_put_string(go, "go", YOKE_FOREVER));
    YOKE_CHECK(yoke_process_finish(one, NULL, YOKE_FOREVER));
    YOKE_CHECK(yoke_process_finish(two, NULL, YOKE_FOREVER));
    YOKE_CHECK(yoke_queue_get_string(told, text, sizeof text, YOKE_NOWAIT));
    printf("one was told, and both got through; lock 'a' is in the chain: %s, lock 'b': %s\n",
           strstr(text, "waits for lock 'a'") ? "yes" : "no", strstr(text, "waits for lock 'b'") ? "yes" : "no");
    yoke_queue_close(told);
    yoke_queue_close(ready);
    yoke_queue_close(go);
    yoke_lock_close(a);
    yoke_lock_close(b);
    return 0;
}
