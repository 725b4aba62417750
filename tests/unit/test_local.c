/* Process-local mutexes and the hooks around a fork. */
#include "core/backend.h"
#include "core/local.h"
#include "support/child.h"
#include "support/leak.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 4, ROUNDS = 20000 };

static yoke__mutex mutex = YOKE__MUTEX_INIT;
static long        counter; /* under the mutex */

static void *count_up(void *user)
{
    (void)user;
    for (int i = 0; i < ROUNDS; i++) {
        yoke__mutex_lock(&mutex);
        counter++;
        if (i % 64 == 0)
            yoke__backend()->system->yield(); /* while others want it */
        yoke__mutex_unlock(&mutex);
    }
    return NULL;
}

static void one_thread_at_a_time(void **state)
{
    (void)state;
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(counter, (long)THREADS * ROUNDS);
    assert_int_equal(yoke__a32_load_relaxed(&mutex.word), 0);
}

static char      trace[64];
static yoke__a32 inside;

static void add(const char *what)
{
    (void)strncat(trace, what, sizeof trace - strlen(trace) - 1);
}

#define HOOKS(name, prepared, in_parent, in_child)                                                                     \
    static void name##_prepare(void)                                                                                   \
    {                                                                                                                  \
        add(prepared);                                                                                                 \
    }                                                                                                                  \
    static void name##_parent(void)                                                                                    \
    {                                                                                                                  \
        add(in_parent);                                                                                                \
    }                                                                                                                  \
    static void name##_child(void)                                                                                     \
    {                                                                                                                  \
        add(in_child);                                                                                                 \
    }

HOOKS(first, "1", "a", "A")
HOOKS(second, "2", "b", "B")
HOOKS(inner, "0", "i", "I")

static void hold(void)
{
    yoke__mutex_lock(&mutex);
    yoke__a32_store_relaxed(&inside, 1);
}

static void let_go(void)
{
    yoke__a32_store_relaxed(&inside, 0);
    yoke__mutex_unlock(&mutex);
}

static void reset(void)
{
    yoke__a32_store_relaxed(&inside, 0);
    yoke__mutex_reset(&mutex);
}

static int compare_trace(void *expected)
{
    CHILD_CHECK(strcmp(trace, expected) == 0);
    return 0;
}

/* What is locked last is what is locked inside: lower ranks, and what was there first. */
static void hooks_run_in_the_order_of_locks(void **state)
{
    (void)state;
    yoke__fork_hooks();
    yoke__fork_hooks(); /* once */
    yoke__fork_hook_add(first_prepare, first_parent, first_child);
    yoke__fork_hook_add(second_prepare, second_parent, second_child);
    yoke__fork_hook_add(first_prepare, first_parent, first_child); /* known */
    yoke__fork_hook_add_at(YOKE__FORK_WATCHES, inner_prepare, inner_parent, inner_child);
    yoke__fork_hook_add(NULL, NULL, NULL);
    trace[0] = 0;
    assert_int_equal(child_join(child_start(compare_trace, "210IAB")), 0);
    assert_string_equal(trace, "210iab");
}

static yoke__a32 stop;

static void *lock_all_the_time(void *user)
{
    (void)user;
    while (!yoke__a32_load_acquire(&stop)) {
        yoke__mutex_lock(&mutex);
        counter++;
        yoke__mutex_unlock(&mutex);
    }
    return NULL;
}

static int lock_in_child(void *user)
{
    (void)user;
    (void)alarm(20);
    CHILD_CHECK(!yoke__a32_load_relaxed(&inside));
    yoke__mutex_lock(&mutex); /* would never be free if a thread of the parent had had it at the fork */
    yoke__mutex_unlock(&mutex);
    return 0;
}

static void a_mutex_held_by_another_thread_is_free_in_the_child(void **state)
{
    (void)state;
    pthread_t thread;

    yoke__fork_hook_add(hold, let_go, reset);
    assert_int_equal(pthread_create(&thread, NULL, lock_all_the_time, NULL), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(child_join(child_start(lock_in_child, NULL)), 0);
    yoke__a32_store_release(&stop, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void *fork_and_join(void *user)
{
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(lock_in_child(user));
        if (child_join(child) != 0)
            return user;
    }
    return NULL;
}

static void threads_may_fork_at_the_same_time(void **state)
{
    (void)state;
    pthread_t threads[3];
    void     *failed;

    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fork_and_join, &mutex), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_at_a_time),
        cmocka_unit_test(hooks_run_in_the_order_of_locks),
        cmocka_unit_test(a_mutex_held_by_another_thread_is_free_in_the_child),
        cmocka_unit_test(threads_may_fork_at_the_same_time),
    };
    return cmocka_run_group_tests(tests, leak_setup, leak_teardown);
}
