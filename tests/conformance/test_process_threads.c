/* One process handle in several threads: asked, signalled, joined and closed at the same time. */
#include "support/process.h"

#include <pthread.h>
#include <stdatomic.h>

#define ROUNDS  60
#define THREADS 2

static int return_seven(const yoke_args *args)
{
    (void)args;
    return 7;
}

/* A handle that may be closed at any moment: every answer is fine, as long as it is one. */
static void *ask(void *user)
{
    _Atomic(yoke_process *) *shown = user;
    yoke_result              result = {.struct_size = sizeof result};
    yoke_process            *process;
    intptr_t                 sentinel;

    while ((process = *shown) != NULL) {
        (void)yoke_process_terminate(process);
        (void)yoke_process_is_alive(process);
        (void)yoke_process_pid(process);
        (void)yoke_process_is_daemon(process);
        (void)yoke_process_sentinel(process, &sentinel);
        (void)yoke_process_result(process, &result);
        (void)!yoke_process_join(process, YOKE_NOWAIT);
    }
    return NULL;
}

static void handle_may_be_closed_while_others_ask(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        _Atomic(yoke_process *) shown;
        yoke_process           *process;
        pthread_t               threads[THREADS];

        assert_ok(yoke_process_start(&process, return_seven, NULL, NULL));
        shown = process;
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, ask, &shown), 0);
        assert_ok(yoke_process_finish(process, NULL, YOKE_FOREVER));
        shown = NULL;
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
}

static void *close_it(void *process)
{
    yoke_process *closing = process;
    return yoke_process_close(closing) == YOKE_OK ? process : NULL;
}

static void only_one_of_several_closes(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        yoke_process *process;
        pthread_t     threads[THREADS];
        int           closed = 0;

        assert_ok(yoke_process_start(&process, return_seven, NULL, NULL));
        assert_ok(yoke_process_join(process, YOKE_FOREVER));
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, close_it, process), 0);
        for (int i = 0; i < THREADS; i++) {
            void *came;
            pthread_join(threads[i], &came);
            closed += came != NULL;
        }
        assert_int_equal(closed, 1);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handle_may_be_closed_while_others_ask),
        cmocka_unit_test(only_one_of_several_closes),
    };

    yoke_main(argc, argv);
    return run_under_methods(tests);
}
