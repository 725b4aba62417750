/*
 * Children and parents killed with SIGKILL at random moments: no survivor hangs, no orphan stays where dying with the
 * parent was asked for, nothing is left behind, and the domain is sound after each death.
 *
 * YOKE_TEST_FULL=1 runs the thousand starts per method; without it a hundred. The seed is printed.
 */
#include "core/domain/allocator.h"
#include "core/domain/participant.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t seed;

static uint32_t random_below(uint32_t limit)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % limit;
}

static int rounds(void)
{
    return getenv("YOKE_TEST_FULL") ? 1000 : 100;
}

static void wait_a_moment(uint32_t at_most_us)
{
    struct timespec pause = {.tv_nsec = (long)random_below(at_most_us) * 1000};
    nanosleep(&pause, NULL);
}

/* Everything that takes locks and memory of the domain. */
static int be_busy(const yoke_args *args)
{
    yoke_queue *queue = yoke_args_queue(args, 0);
    yoke_lock  *lock = yoke_args_lock(args, 1);
    char        line[64];

    for (int i = 0; i < 5000; i++) {
        YOKE_TRY(yoke_queue_put_format(queue, YOKE_FOREVER, "%d: %s", i, yoke_args_string(args, 2)));
        YOKE_TRY(yoke_lock_acquire(lock, YOKE_FOREVER));
        YOKE_TRY(yoke_lock_release(lock));
        int rc = yoke_queue_get_string(queue, line, sizeof line, YOKE_NOWAIT);
        if (rc < 0 && rc != YOKE_ETIMEDOUT)
            return rc;
    }
    return 0;
}

static void assert_sound(void)
{
    yoke_domain      *domain;
    yoke__alloc_stats stats;

    assert_ok(yoke__domain_default(&domain));
    (void)yoke__domain_recover(domain);
    assert_ok(yoke__alloc_check(domain, &stats));
}

static void killed_child_harms_nobody(void **state)
{
    yoke_queue *queue;
    yoke_lock  *lock;
    int         ended[YOKE_UNKNOWN + 1] = {0};

    (void)state;
    assert_ok(yoke_queue_create(&queue, NULL));
    assert_ok(yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .on_death = YOKE_IGNORE_DEATH)));
    for (int i = 0; i < rounds(); i++) {
        yoke_process *process;
        assert_ok(yoke_process_start(&process, be_busy, YOKE_ARGS(queue, lock, "some text to carry"), NULL));
        wait_a_moment(method_under_test() == YOKE_START_SPAWN ? 4000 : 800);
        assert_ok(yoke_process_kill(process));
        yoke_result result = finish(process);
        ended[result.how]++;
        if (result.how == YOKE_SIGNALLED)
            assert_int_equal(result.signal, SIGKILL);
        else
            assert_int_equal(result.how, YOKE_RETURNED);
        assert_ok(yoke_lock_acquire(lock, 60000));
        assert_ok(yoke_lock_release(lock));
        assert_ok(yoke_queue_put_string(queue, "survivor", 60000));
        if (i % 10 == 0)
            assert_sound();
    }
    print_message("%d starts: %d killed, %d had finished, 0 survivors hang\n", rounds(), ended[YOKE_SIGNALLED],
                  ended[YOKE_RETURNED]);
    yoke_queue_close(queue);
    yoke_lock_close(lock);
    assert_sound();
}

static int spin(const yoke_args *args)
{
    yoke_queue *queue = yoke_args_queue(args, 0);

    for (;;)
        YOKE_TRY(yoke_queue_size(queue) < 0 ? YOKE_EINVAL : YOKE_OK);
}

static int have_children(const yoke_args *args)
{
    yoke_process *process;

    for (int i = 0; i < 2; i++)
        YOKE_TRY(yoke_process_start(&process, spin, YOKE_ARGS(yoke_args_queue(args, 0)),
                                    YOKE_OPTIONS(yoke_process_options, .die_with_parent = YOKE_YES)));
    for (;;)
        pause();
}

static void await_processes(int count)
{
    long long start = milliseconds();

    while (leak_processes() > count) {
        if (milliseconds() - start > 20000)
            fail_msg("%d processes are still there, %d should be", leak_processes(), count);
        wait_a_moment(2000);
    }
}

static void killed_parent_leaves_no_orphan(void **state)
{
    yoke_queue *queue;
    int         before = leak_processes();

    (void)state;
    assert_ok(yoke_queue_create(&queue, NULL));
    for (int i = 0; i < rounds() / 2; i++) { /* two children each */
        yoke_process *parent;
        assert_ok(yoke_process_start(&parent, have_children, YOKE_ARGS(queue), NULL));
        wait_a_moment(method_under_test() == YOKE_START_FORK ? 2000 : 8000);
        assert_ok(yoke_process_kill(parent));
        assert_int_equal(finish(parent).signal, SIGKILL);
        await_processes(before);
        assert_ok(yoke_queue_put_string(queue, "survivor", 60000));
        if (i % 10 == 0)
            assert_sound();
    }
    print_message("%d parents killed, each with up to 2 children: 0 orphans\n", rounds() / 2);
    yoke_queue_close(queue);
    assert_sound();
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest kills[] = {
        cmocka_unit_test(killed_child_harms_nobody),
        cmocka_unit_test(killed_parent_leaves_no_orphan),
    };
    const char *given = getenv("YOKE_TEST_SEED");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    print_message("YOKE_TEST_SEED=%llu\n", (unsigned long long)seed);
    return run_under_methods(kills);
}
