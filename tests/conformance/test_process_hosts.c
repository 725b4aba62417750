/* Programs that have their own ways: with child processes, and with threads. */
#include "support/process.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- hosts ---- */

static void ignored_sigchld_is_no_obstacle(void **state)
{
    (void)state;
    void (*before)(int) = signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 10; i++) {
        yoke_result result = result_of(return_number, YOKE_ARGS(i), NULL);
        assert_int_equal(result.how, YOKE_RETURNED);
        assert_int_equal(result.code, i);
    }
    yoke_queue   *queue = new_queue();
    yoke_process *process;
    assert_ok(yoke_process_start(&process, stay, YOKE_ARGS(queue, false), NULL));
    (void)told_pid(queue);
    assert_ok(yoke_process_kill(process));
    yoke_outcome how = finish(process).how;
    assert_true(how == YOKE_UNKNOWN || how == YOKE_SIGNALLED);
    yoke_queue_close(queue);
    assert_ptr_equal(signal(SIGCHLD, before), SIG_IGN);
}

static void reap_all(int number)
{
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

static void host_that_reaps_every_child_is_no_obstacle(void **state)
{
    (void)state;
    void (*before)(int) = signal(SIGCHLD, reap_all);
    for (int i = 0; i < 10; i++)
        assert_int_equal(result_of(return_number, YOKE_ARGS(i), NULL).code, i);
    assert_ptr_equal(signal(SIGCHLD, before), reap_all);
}

/* ---- threads ---- */

static void *start_some(void *user)
{
    for (int i = 0; i < 10; i++) {
        yoke_process *process;
        yoke_result   result = {.struct_size = sizeof result};
        if (yoke_process_start(&process, return_number, YOKE_ARGS(i), NULL) < 0 ||
            yoke_process_finish(process, &result, YOKE_FOREVER) < 0 || result.code != i)
            return user;
    }
    return NULL;
}

static void threads_start_processes_at_the_same_time(void **state)
{
    pthread_t threads[4];
    void     *failed;
    char      mark;

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, start_some, &mark), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

static void *join_it(void *user)
{
    return yoke_process_join(user, 60000) == YOKE_OK ? NULL : user;
}

static void several_threads_join_the_same_process(void **state)
{
    yoke_queue   *queue = new_queue();
    yoke_process *process;
    pthread_t     threads[4];
    void         *failed;

    (void)state;
    assert_ok(yoke_process_start(&process, stay, YOKE_ARGS(queue, false), NULL));
    (void)told_pid(queue);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, join_it, process), 0);
    assert_ok(yoke_process_kill(process));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(finish(process).signal, SIGKILL);
    yoke_queue_close(queue);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest hosts[] = {
        cmocka_unit_test(ignored_sigchld_is_no_obstacle),
        cmocka_unit_test(host_that_reaps_every_child_is_no_obstacle),
        cmocka_unit_test(threads_start_processes_at_the_same_time),
        cmocka_unit_test(several_threads_join_the_same_process),
    };
    return run_under_methods(hosts);
}
