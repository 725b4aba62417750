/* The forkserver's preload, and several threads that ask it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support/forkserver.h"

#include "core/process/forkserver.h"
#include "support/child.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int give_back(const yoke_args *args)
{
    return yoke_args_int(args, 0);
}

/* ---- at the same time ---- */

static void *start_some(void *failures)
{
    for (int i = 0; i < 15; i++) {
        yoke_process *process;
        yoke_result   result = {.struct_size = sizeof result};
        if (yoke_process_start(&process, give_back, YOKE_ARGS(-i - 1), served()) < 0 ||
            yoke_process_finish(process, &result, MINUTE) < 0 || result.code != -i - 1)
            ++*(int *)failures;
    }
    return NULL;
}

static void threads_may_ask_at_the_same_time(void **state)
{
    (void)state;
    pthread_t threads[4];
    int       failures[4] = {0};

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, start_some, &failures[i]), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(failures[i], 0);
    }
}

/* ---- the preload ---- */

static int preloaded;

static int preload(const yoke_args *args)
{
    preloaded = 11 + (int)yoke_args_count(args);
    return 0;
}

static int preload_that_fails(const yoke_args *args)
{
    (void)args;
    preloaded = 5;
    return YOKE_EIO;
}

static int preload_that_dies(const yoke_args *args)
{
    (void)args;
    _exit(1);
}

static int tell_preloaded(const yoke_args *args)
{
    (void)args;
    return preloaded;
}

/* A client of its own, since the preload must be set before the server runs. */
static int with_preload(void *function)
{
    yoke_result   result = {.struct_size = sizeof result};
    yoke_process *process;

    CHILD_CHECK(yoke_set_forkserver_preload(*(yoke_function **)function) == YOKE_OK);
    int rc = yoke_process_start(&process, tell_preloaded, NULL, served());
    if (rc < 0) {
        CHILD_CHECK(strlen(yoke_last_error()->text) > 0);
        return 90;
    }
    CHILD_CHECK(yoke_process_finish(process, &result, MINUTE) == YOKE_OK);
    CHILD_CHECK(yoke_set_forkserver_preload(NULL) == YOKE_EBUSY);
    yoke__forkserver_stop();
    return result.code;
}

static int preload_result(yoke_function *function)
{
    return child_join(child_start(with_preload, &function));
}

static void children_find_what_was_preloaded(void **state)
{
    (void)state;
    bool forked = served_by_fork();

    assert_int_equal(preload_result(preload), forked ? 11 : 0);
    assert_int_equal(preload_result(preload_that_fails), forked ? 5 : 0);
    assert_int_equal(preload_result(NULL), 0);
}

/* No endless restarts, and a sentence. */
static void a_preload_that_kills_the_server_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(preload_result(preload_that_dies), 90);
}

/* ---- a child that dies before it can answer ---- */

#define DEATH_FILE "YOKE_TEST_DEATH_FILE" /* while the file that it names is there, forked children die at once */

static void die_if_wanted(void)
{
    if (access(getenv(DEATH_FILE), F_OK) == 0)
        raise(SIGKILL);
}

static int preload_that_kills_children(const yoke_args *args)
{
    (void)args;
    return pthread_atfork(NULL, NULL, die_if_wanted);
}

static int start_the_dying(void *unused)
{
    char          path[] = "/tmp/yoke-test-XXXXXX";
    int           file = mkstemp(path);
    yoke_process *process;

    (void)unused;
    CHILD_CHECK(file >= 0 && close(file) == 0 && setenv(DEATH_FILE, path, 1) == 0);
    CHILD_CHECK(yoke_set_forkserver_preload(preload_that_kills_children) == YOKE_OK);
    for (int i = 0; i < 10; i++) {
        yoke_result result = {.struct_size = sizeof result};
        CHILD_CHECK(yoke_process_start(&process, nothing, NULL, served()) == YOKE_OK);
        CHILD_CHECK(yoke_process_finish(process, &result, MINUTE) == YOKE_OK);
        CHILD_CHECK(result.how == YOKE_SIGNALLED && result.signal == SIGKILL);
    }
    CHILD_CHECK(unlink(path) == 0);
    for (int i = 0; i < 3; i++) { /* no answer is left that would be taken for theirs */
        yoke_result result = {.struct_size = sizeof result};
        CHILD_CHECK(yoke_process_start(&process, give_back, YOKE_ARGS(i), served()) == YOKE_OK);
        CHILD_CHECK(yoke_process_finish(process, &result, MINUTE) == YOKE_OK);
        CHILD_CHECK(result.how == YOKE_RETURNED && result.code == i);
    }
    yoke__forkserver_stop();
    return 0;
}

static void the_server_answers_for_a_child_that_died_before_it_could(void **state)
{
    (void)state;
    if (!served_by_fork())
        skip(); /* only what the server forks can die between the fork and its answer */
    assert_int_equal(child_join(child_start(start_the_dying, NULL)), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_may_ask_at_the_same_time),
        cmocka_unit_test(children_find_what_was_preloaded),
        cmocka_unit_test(a_preload_that_kills_the_server_is_an_error),
        cmocka_unit_test(the_server_answers_for_a_child_that_died_before_it_could),
    };
    yoke_main(argc, argv);
    return run_with_server(tests);
}
