/*
 * Two processes, one lock: the two lines of each come out together. Text in a buffer of stdio is printed when the buffer
 * is flushed, so that has to happen while the lock is held.
 */
#include <stdio.h>
#include <yoke/yoke.h>

static int process_function(const yoke_args *args)
{
    yoke_lock *lock = yoke_args_lock(args, 0);

    YOKE_TRY(yoke_lock_acquire(lock, YOKE_FOREVER));
    puts("CRITICAL SECTION");
    fflush(stdout);
    puts("Only One Process has to access at a given time");
    fflush(stdout);
    return yoke_lock_release(lock);
}

int main(int argc, char **argv)
{
    yoke_lock    *lock;
    yoke_process *process1, *process2;

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_lock_create(&lock, NULL));
    YOKE_CHECK(yoke_process_start(&process1, process_function, YOKE_ARGS(lock), NULL));
    YOKE_CHECK(yoke_process_start(&process2, process_function, YOKE_ARGS(lock), NULL));
    YOKE_CHECK(yoke_process_finish(process1, NULL, YOKE_FOREVER));
    YOKE_CHECK(yoke_process_finish(process2, NULL, YOKE_FOREVER));
    yoke_lock_close(lock);
    return 0;
}
