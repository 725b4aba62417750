/* yoke_wait: waiting for queues and processes at once, however processes wait (YOKE_WAIT). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "backends/posix/sys.h"
#include "core/wait/watchable.h"
#include "core/wait/word.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

#define MINUTE 60000

static yoke_queue *new_queue(size_t max_items)
{
    yoke_queue *queue;

    assert_int_equal(yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .max_items = max_items)), YOKE_OK);
    return queue;
}

static void put(yoke_queue *queue)
{
    assert_int_equal(yoke_queue_put(queue, "x", 1, YOKE_NOWAIT), YOKE_OK);
}

static void take(yoke_queue *queue)
{
    char byte;

    assert_int_equal(yoke_queue_get(queue, &byte, 1, NULL, YOKE_NOWAIT), YOKE_OK);
}

static int return_at_once(const yoke_args *args)
{
    (void)args;
    return 0;
}

static int return_when_told(const yoke_args *args)
{
    char byte;

    return yoke_queue_get(yoke_args_queue(args, 0), &byte, 1, NULL, YOKE_FOREVER);
}

static int put_when_told(const yoke_args *args)
{
    char byte;

    YOKE_TRY(yoke_queue_get(yoke_args_queue(args, 0), &byte, 1, NULL, YOKE_FOREVER));
    return yoke_queue_put(yoke_args_queue(args, 1), "x", 1, YOKE_FOREVER);
}

static yoke_process *start(yoke_function *function, const yoke_item *args)
{
    yoke_process *process;

    assert_int_equal(yoke_process_start(&process, function, args, NULL), YOKE_OK);
    return process;
}

static void finish(yoke_process *process)
{
    assert_int_equal(yoke_process_finish(process, NULL, MINUTE), YOKE_OK);
}

/* ---- what is ready --------------------------------------------------------------------------------------------------- */

static void test_all_that_are_ready_are_told(void **state)
{
    yoke_queue     *empty = new_queue(0), *some = new_queue(0), *full = new_queue(1);
    yoke_wait_entry entries[] = {
        yoke_wait_queue_readable(empty),
        yoke_wait_queue_readable(some),
        yoke_wait_queue_writable(full),
        yoke_wait_queue_writable(empty),
        {0},
    };
    (void)state;

    put(some);
    put(full);
    assert_int_equal(yoke_wait(entries, 5, YOKE_FOREVER), 2);
    assert_false(entries[0].ready);
    assert_true(entries[1].ready);
    assert_false(entries[2].ready);
    assert_true(entries[3].ready);
    assert_false(entries[4].ready);
    assert_int_equal(entries[1].status, YOKE_OK);
    take(full);
    assert_int_equal(yoke_wait(entries, 5, YOKE_NOWAIT), 3);
    yoke_queue_close(empty);
    yoke_queue_close(some);
    yoke_queue_close(full);
}

static void test_nothing_ready_is_a_time_out(void **state)
{
    yoke_queue     *queue = new_queue(0);
    yoke_wait_entry entry = yoke_wait_queue_readable(queue);
    (void)state;

    assert_int_equal(yoke_wait(&entry, 1, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    long long before = milliseconds();
    assert_int_equal(yoke_wait(&entry, 1, 300), YOKE_ETIMEDOUT);
    assert_true(milliseconds() - before >= 299);
    assert_false(entry.ready);
    before = milliseconds();
    assert_int_equal(yoke_wait(NULL, 0, 200), YOKE_ETIMEDOUT);
    assert_true(milliseconds() - before >= 199);
    yoke_queue_close(queue);
}

static void test_a_shutdown_is_ready(void **state)
{
    yoke_queue     *queue = new_queue(1);
    yoke_wait_entry entries[] = {yoke_wait_queue_readable(queue), yoke_wait_queue_writable(queue)};
    (void)state;

    put(queue);
    assert_int_equal(yoke_queue_shutdown(queue, YOKE_DRAIN), 0);
    assert_int_equal(yoke_wait(entries, 2, MINUTE), 2);
    assert_int_equal(entries[0].status, YOKE_OK);
    assert_int_equal(entries[1].status, YOKE_ESHUTDOWN);
    take(queue);
    assert_int_equal(yoke_wait(entries, 2, MINUTE), 2);
    assert_int_equal(entries[0].status, YOKE_ESHUTDOWN);
    yoke_queue_close(queue);
}

static void test_mistakes_are_told(void **state)
{
    yoke_queue     *queue = new_queue(0);
    yoke_wait_entry entries[] = {yoke_wait_queue_readable(queue), yoke_wait_queue_readable(NULL)};
    yoke_wait_entry self = yoke_wait_process_ended((yoke_process *)(uintptr_t)yoke_process_current());
    (void)state;

    assert_int_equal(yoke_wait(entries, 2, YOKE_NOWAIT), YOKE_EINVAL);
    assert_non_null(strstr(yoke_last_error()->text, "entry 1"));
    assert_int_equal(yoke_wait(NULL, 2, YOKE_NOWAIT), YOKE_EINVAL);
    assert_int_equal(yoke_wait(&self, 1, YOKE_NOWAIT), YOKE_ECHILD);
    entries[1] = entries[0];
    entries[1].what = 99;
    assert_int_equal(yoke_wait(entries, 2, YOKE_NOWAIT), YOKE_EINVAL);
    entries[1].what = YOKE_WAIT_ENDED;
    assert_int_equal(yoke_wait(entries, 2, YOKE_NOWAIT), YOKE_EINVAL);
    yoke_queue_close(queue);
    assert_int_equal(yoke_wait(entries, 1, YOKE_NOWAIT), YOKE_EINVAL);
}

/* ---- other processes --------------------------------------------------------------------------------------------------- */

#define QUEUES    2000
#define PROCESSES 4

static void test_thousands_of_queues_and_some_processes(void **state)
{
    static yoke_wait_entry entries[QUEUES + PROCESSES];
    static yoke_queue     *queues[QUEUES];
    yoke_queue            *tell[PROCESSES];
    yoke_process          *processes[PROCESSES];
    (void)state;

    for (int i = 0; i < QUEUES; i++) {
        queues[i] = new_queue(0);
        entries[i] = yoke_wait_queue_readable(queues[i]);
    }
    for (int i = 0; i < PROCESSES; i++) {
        tell[i] = new_queue(0);
        processes[i] = start(put_when_told, YOKE_ARGS(tell[i], queues[i * 499 + 3]));
        entries[QUEUES + i] = yoke_wait_process_ended(processes[i]);
    }
    assert_int_equal(yoke_wait(entries, QUEUES + PROCESSES, 200), YOKE_ETIMEDOUT);
    for (int i = 0; i < PROCESSES; i++) {
        put(tell[i]);
        while (!entries[QUEUES + i].ready) { /* its message comes first, then its end */
            assert_true(yoke_wait(entries, QUEUES + PROCESSES, MINUTE) > 0);
            if (entries[i * 499 + 3].ready)
                take(queues[i * 499 + 3]);
        }
        assert_int_equal(entries[QUEUES + i].status, YOKE_OK);
        finish(processes[i]);
        entries[QUEUES + i].what = YOKE_WAIT_NOTHING;
        entries[QUEUES + i].ready = false;
    }
    for (int i = 0; i < PROCESSES; i++)
        yoke_queue_close(tell[i]);
    for (int i = 0; i < QUEUES; i++)
        yoke_queue_close(queues[i]);
}

static void test_many_processes(void **state)
{
    enum { COUNT = 80 }; /* more than some systems wait for at a time */
    static yoke_wait_entry entries[COUNT];
    static yoke_process   *processes[COUNT];
    yoke_queue            *tell = new_queue(0);
    int                    left = COUNT;
    (void)state;

    for (int i = 0; i < COUNT; i++) {
        processes[i] = start(return_when_told, YOKE_ARGS(tell));
        entries[i] = yoke_wait_process_ended(processes[i]);
    }
    assert_int_equal(yoke_wait(entries, COUNT, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    for (int i = 0; i < COUNT; i++)
        put(tell);
    while (left > 0) {
        assert_true(yoke_wait(entries, COUNT, MINUTE) > 0);
        for (int i = 0; i < COUNT; i++) {
            if (!entries[i].ready)
                continue;
            finish(processes[i]);
            entries[i].what = YOKE_WAIT_NOTHING;
            left--;
        }
    }
    yoke_queue_close(tell);
}

#define EACH 5000

static int pong(const yoke_args *args)
{
    yoke_queue     *in = yoke_args_queue(args, 0), *out = yoke_args_queue(args, 1);
    yoke_wait_entry entry = yoke_wait_queue_readable(in);
    uint32_t        number;

    for (uint32_t i = 0; i < EACH; i++) {
        YOKE_TRY(yoke_wait(&entry, 1, YOKE_FOREVER));
        YOKE_TRY(yoke_queue_get(in, &number, sizeof number, NULL, YOKE_NOWAIT));
        YOKE_TRY(yoke_queue_put(out, &number, sizeof number, YOKE_NOWAIT));
    }
    return 0;
}

/* A wake-up that is lost costs a slice. A machine that is busy otherwise may make a few rounds as long. */
static void test_no_wake_up_is_lost_between_two_that_wait(void **state)
{
    yoke_queue     *there = new_queue(0), *back = new_queue(0), *other = new_queue(0);
    yoke_process   *process = start(pong, YOKE_ARGS(there, back));
    yoke_wait_entry entries[] = {yoke_wait_queue_readable(other), yoke_wait_queue_readable(back)};
    uint32_t        number;
    int             slices = 0;
    (void)state;

    for (uint32_t i = 0; i < EACH; i++) {
        long long before = milliseconds();
        assert_int_equal(yoke_queue_put(there, &i, sizeof i, YOKE_NOWAIT), YOKE_OK);
        assert_int_equal(yoke_wait(entries, 2, MINUTE), 1);
        assert_int_equal(yoke_queue_get(back, &number, sizeof number, NULL, YOKE_NOWAIT), YOKE_OK);
        assert_int_equal(number, i);
        slices += milliseconds() - before > 140;
    }
    assert_in_range(slices, 0, EACH / 50);
    finish(process);
    yoke_queue_close(there);
    yoke_queue_close(back);
    yoke_queue_close(other);
}

static ssize_t die_ringing(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
                           socklen_t length)
{
    (void)fd, (void)data, (void)size, (void)flags, (void)to, (void)length;
    (void)kill(getpid(), SIGKILL);
    return 0;
}

static int die_opening(const char *path, int flags, mode_t mode)
{
    (void)path, (void)flags, (void)mode;
    (void)kill(getpid(), SIGKILL);
    return -1;
}

static int put_and_die(void *user)
{
    yoke_queue **queues = user;
    char         byte;

    if (yoke_queue_get(queues[0], &byte, 1, NULL, MINUTE) != YOKE_OK)
        return 1;
    yoke__sys.sendto = die_ringing;
    if (getenv("YOKE_BELL"))
        yoke__sys.open = die_opening;
    (void)!yoke_queue_put(queues[1], "x", 1, YOKE_NOWAIT);
    return 2;
}

typedef struct sleeper {
    pthread_t       thread;
    yoke_wait_entry entries[2];
    int64_t         timeout;
    int             result, signals;
} sleeper;

static void *sleep_in_wait(void *user)
{
    sleeper *s = user;

    s->result = yoke_wait(s->entries, 2, s->timeout);
    return NULL;
}

static void sleeper_start(sleeper *s, yoke_queue *a, yoke_queue *b)
{
    s->entries[0] = yoke_wait_queue_readable(a);
    s->entries[1] = yoke_wait_queue_readable(b);
    s->timeout = MINUTE;
    assert_int_equal(pthread_create(&s->thread, NULL, sleep_in_wait, s), 0);
}

static void test_a_producer_killed_before_it_rings_is_found_within_slices(void **state)
{
    yoke_queue *queues[2] = {new_queue(0), new_queue(0)};
    sleeper     s;
    (void)state;

    pid_t child = child_start(put_and_die, queues);
    sleeper_start(&s, queues[1], queues[1]);
    while (yoke__a64_load_acquire(yoke__queue_watchable.word((yoke__handle *)(void *)queues[1], YOKE__READABLE)) == 0)
        (void)usleep(100);
    put(queues[0]);
    assert_int_equal(child_join(child), 1000 + SIGKILL);
    long long before = milliseconds();
    assert_int_equal(pthread_join(s.thread, NULL), 0);
    assert_true(milliseconds() - before < 2000);
    assert_int_equal(s.result, 2);
    yoke_queue_close(queues[0]);
    yoke_queue_close(queues[1]);
}

/* ---- threads ----------------------------------------------------------------------------------------------------------- */

static void test_closing_a_handle_answers(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        yoke_queue *a = new_queue(0), *b = new_queue(0);
        sleeper     s;

        sleeper_start(&s, a, b);
        while (yoke__a32_load_acquire(&((yoke__handle *)(void *)b)->users) == 0)
            (void)usleep(100);
        yoke_queue_close(b);
        assert_int_equal(pthread_join(s.thread, NULL), 0);
        assert_int_equal(s.result, 1);
        assert_false(s.entries[0].ready);
        assert_true(s.entries[1].ready);
        assert_int_equal(s.entries[1].status, YOKE_ECLOSED);
        yoke_queue_close(a);
    }
}

static void test_all_who_wait_for_a_queue_are_told(void **state)
{
    enum { COUNT = 8 };
    yoke_queue *a = new_queue(0), *b = new_queue(0);
    sleeper     all[COUNT];
    (void)state;

    for (int i = 0; i < COUNT; i++)
        sleeper_start(&all[i], a, b);
    while (yoke__a32_load_acquire(&((yoke__handle *)(void *)b)->users) < COUNT)
        (void)usleep(100);
    put(b);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(pthread_join(all[i].thread, NULL), 0);
        assert_int_equal(all[i].result, 1);
        assert_true(all[i].entries[1].ready);
    }
    yoke_queue_close(a);
    yoke_queue_close(b);
}

static void on_signal(int number)
{
    (void)number;
}

static void test_signals_do_not_shorten_a_wait(void **state)
{
    struct sigaction old, handler = {.sa_handler = on_signal};
    yoke_queue      *queue = new_queue(0);
    sleeper          s;
    (void)state;

    assert_int_equal(sigaction(SIGUSR1, &handler, &old), 0);
    sleeper_start(&s, queue, queue);
    while (yoke__a32_load_acquire(&((yoke__handle *)(void *)queue)->users) == 0)
        (void)usleep(100);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pthread_kill(s.thread, SIGUSR1), 0);
        (void)usleep(1000);
    }
    assert_true(yoke__a32_load_acquire(&((yoke__handle *)(void *)queue)->users) > 0);
    put(queue);
    assert_int_equal(pthread_join(s.thread, NULL), 0);
    assert_int_equal(s.result, 2);
    assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
    yoke_queue_close(queue);
}

static void test_an_idle_wait_wakes_at_most_ten_times_a_second(void **state)
{
    yoke_queue     *queue = new_queue(0);
    yoke_wait_entry entry = yoke_wait_queue_readable(queue);
    struct rusage   before, after;
    (void)state;

    assert_int_equal(getrusage(RUSAGE_THREAD, &before), 0);
    assert_int_equal(yoke_wait(&entry, 1, 2000), YOKE_ETIMEDOUT);
    assert_int_equal(getrusage(RUSAGE_THREAD, &after), 0);
    assert_in_range(after.ru_nvcsw - before.ru_nvcsw, 2, 20);
    yoke_queue_close(queue);
}

static void test_several_domains(void **state)
{
    char            name[64];
    yoke_domain    *domain;
    yoke_queue     *far;
    yoke_queue     *near = new_queue(0);
    yoke_wait_entry entries[2];
    (void)state;

    snprintf(name, sizeof name, "wait-many-%ld", (long)getpid());
    assert_int_equal(yoke_domain_open(&domain, name, NULL), YOKE_OK);
    assert_int_equal(yoke_queue_create(&far, YOKE_OPTIONS(yoke_queue_options, .domain = domain)), YOKE_OK);
    entries[0] = yoke_wait_queue_readable(near);
    entries[1] = yoke_wait_queue_readable(far);
    assert_int_equal(yoke_wait(entries, 2, 50), YOKE_ETIMEDOUT);
    put(far);
    assert_int_equal(yoke_wait(entries, 2, MINUTE), 1);
    assert_true(entries[1].ready);
    yoke_queue_close(far);
    yoke_queue_close(near);
    yoke_domain_close(domain);
}

static int wait_in_child(void *user)
{
    yoke_wait_entry entry = yoke_wait_queue_readable(user);

    CHILD_CHECK(yoke_wait(&entry, 1, 50) == YOKE_ETIMEDOUT);
    CHILD_CHECK(yoke_queue_put(user, "x", 1, YOKE_NOWAIT) == YOKE_OK);
    CHILD_CHECK(yoke_wait(&entry, 1, MINUTE) == 1);
    return 0;
}

static void test_a_forked_child_waits_too(void **state)
{
    yoke_queue     *queue = new_queue(0);
    yoke_wait_entry entry = yoke_wait_queue_readable(queue);
    (void)state;

    assert_int_equal(yoke_wait(&entry, 1, 50), YOKE_ETIMEDOUT);
    pid_t child = child_start(wait_in_child, queue);
    assert_int_equal(yoke_wait(&entry, 1, MINUTE), 1);
    assert_int_equal(child_join(child), 0);
    yoke_queue_close(queue);
}

/* ------------------------------------------------------------------------------------------------------------------------ */

/* What lives as long as the process: the domain, this thread's bell, and what starting a process leaves. */
static int setup(void **state)
{
    yoke_queue     *queue = new_queue(0);
    yoke_wait_entry entry = yoke_wait_queue_readable(queue);

    finish(start(return_at_once, YOKE_ARGS()));
    if (yoke_wait(&entry, 1, 10) != YOKE_ETIMEDOUT || !yoke__bell_ring(shared_domain(), 0))
        return -1;
    yoke_queue_close(queue);
    return shared_setup(state);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_are_ready_are_told),
        cmocka_unit_test(test_nothing_ready_is_a_time_out),
        cmocka_unit_test(test_a_shutdown_is_ready),
        cmocka_unit_test(test_mistakes_are_told),
        cmocka_unit_test(test_thousands_of_queues_and_some_processes),
        cmocka_unit_test(test_many_processes),
        cmocka_unit_test(test_no_wake_up_is_lost_between_two_that_wait),
        cmocka_unit_test(test_a_producer_killed_before_it_rings_is_found_within_slices),
        cmocka_unit_test(test_closing_a_handle_answers),
        cmocka_unit_test(test_all_who_wait_for_a_queue_are_told),
        cmocka_unit_test(test_signals_do_not_shorten_a_wait),
        cmocka_unit_test(test_an_idle_wait_wakes_at_most_ten_times_a_second),
        cmocka_unit_test(test_several_domains),
        cmocka_unit_test(test_a_forked_child_waits_too),
    };
    return cmocka_run_group_tests_name("waiting for many", tests, setup, shared_teardown);
}
