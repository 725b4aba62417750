/* Each system call of a watch, of a descriptor for other loops and of yoke_wait fails in turn: an error, or all is well if
 * only at the end of a slice; and nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include <yoke/uv.h>
#include <yoke/yoke.h>

#include "core/domain/watch.h"
#include "core/wait/watchable.h"
#include "core/wait/word.h"
#include "fault.h"
#include "support/child.h"
#include "support/shared.h"

static const int errors[] = {EMFILE, ENOMEM, EIO};

/* How a run is made to fail. */
typedef struct plan {
    long at, every;
    int  error;
} plan;

enum { NOT_HIT = 0, HIT = 1 };

static void put(yoke_queue *queue)
{
    CHILD_CHECK(yoke_queue_put(queue, "x", 1, YOKE_NOWAIT) == YOKE_OK);
}

static int nothing(const yoke_args *args)
{
    (void)args;
    return 0;
}

/* ---- watches --------------------------------------------------------------------------------------------------------- */

static void stop_after_one(yoke_watch *watch, int status, void *user)
{
    (void)status;
    ++*(int *)user;
    yoke_watch_stop(watch, NULL);
}

static void on_limit(uv_timer_t *timer)
{
    (void)timer;
    child_failed(__FILE__, __LINE__, "the loop comes to an end");
}

/* A queue's and a child's watch: those that could be made are called, whatever fails on the way. */
static int watch_with_faults(void *user)
{
    const plan   *p = user;
    uv_loop_t     loop;
    uv_timer_t    limit;
    yoke_queue   *queue;
    yoke_process *process;
    yoke_watch   *on_queue = NULL, *on_process = NULL;
    int           calls = 0;

    CHILD_CHECK(uv_loop_init(&loop) == 0 && uv_timer_init(&loop, &limit) == 0);
    CHILD_CHECK(uv_timer_start(&limit, on_limit, 20000, 0) == 0);
    uv_unref((uv_handle_t *)&limit);
    CHILD_CHECK(yoke_queue_create(&queue, NULL) == YOKE_OK);
    CHILD_CHECK(yoke_process_start(&process, nothing, NULL, NULL) == YOKE_OK);
    int before = fault_descriptors();
    fault_on(NULL, p->at, p->every, p->error);
    int first = yoke_queue_watch(&on_queue, queue, &loop, stop_after_one, &calls);
    int second = yoke_process_watch(&on_process, process, &loop, stop_after_one, &calls);
    CHILD_CHECK((first == YOKE_OK) == (on_queue != NULL) && (second == YOKE_OK) == (on_process != NULL));
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    put(queue);
    CHILD_CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    bool hit = fault_hit();
    fault_off();
    CHILD_CHECK(calls == (first == YOKE_OK) + (second == YOKE_OK));
    CHILD_CHECK(hit || calls == 2);
    CHILD_CHECK(fault_descriptors() <= before + 1); /* the socket that it rings with may be new */
    CHILD_CHECK(yoke_process_finish(process, NULL, 60000) == YOKE_OK);
    uv_close((uv_handle_t *)&limit, NULL);
    CHILD_CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0 && uv_loop_close(&loop) == 0);
    yoke_queue_close(queue);
    return hit ? HIT : NOT_HIT;
}

/* ---- descriptors ------------------------------------------------------------------------------------------------------- */

static int native_with_faults(void *user)
{
    const plan *p = user;
    yoke_queue *queue;
    intptr_t    native = -1;
    char        byte;

    CHILD_CHECK(yoke_queue_create(&queue, NULL) == YOKE_OK);
    int before = fault_descriptors();
    fault_on(NULL, p->at, p->every, p->error);
    int result = yoke_queue_native_readable(queue, &native);
    put(queue);
    if (result == YOKE_OK) {
        struct pollfd polled = {.fd = (int)native, .events = POLLIN};
        (void)poll(&polled, 1, 0);
    }
    CHILD_CHECK(yoke_queue_get(queue, &byte, 1, NULL, YOKE_NOWAIT) == YOKE_OK); /* what the slice is for */
    bool hit = fault_hit();
    yoke_queue_close(queue);
    fault_off();
    CHILD_CHECK(result == YOKE_OK || hit);
    CHILD_CHECK(fault_descriptors() <= before + 1);
    return hit ? HIT : NOT_HIT;
}

/* ---- yoke_wait ---------------------------------------------------------------------------------------------------------- */

/* When the other sleeps; or after a while, as what fails may keep it from that. */
static int put_soon(void *user)
{
    const yoke__a64 *word = yoke__queue_watchable.word(user, YOKE__READABLE);

    for (int i = 0; i < 20 && yoke__a64_load_acquire(word) == 0; i++)
        (void)usleep(1000);
    return yoke_queue_put(user, "x", 1, YOKE_NOWAIT) == YOKE_OK ? 0 : 1;
}

static int wait_with_faults(void *user)
{
    const plan     *p = user;
    yoke_queue     *queue;
    yoke_process   *process;
    yoke_wait_entry entries[2];

    CHILD_CHECK(yoke_queue_create(&queue, NULL) == YOKE_OK);
    CHILD_CHECK(yoke_process_start(&process, nothing, NULL, NULL) == YOKE_OK);
    CHILD_CHECK(yoke_process_join(process, 60000) == YOKE_OK);
    entries[0] = yoke_wait_queue_readable(queue);
    entries[1] = (yoke_wait_entry){0};
    pid_t other = child_start(put_soon, queue);
    int   before = fault_descriptors();
    fault_on(NULL, p->at, p->every, p->error);
    int first = yoke_wait(entries, 2, 60000);
    entries[1] = yoke_wait_process_ended(process);
    int  second = yoke_wait(entries, 2, 60000);
    bool hit = fault_hit();
    fault_off();
    CHILD_CHECK(first == 1 || (first < 0 && first != YOKE_ETIMEDOUT && hit));
    CHILD_CHECK(second >= 1 || (second < 0 && second != YOKE_ETIMEDOUT && hit));
    CHILD_CHECK(child_join(other) == 0);
    CHILD_CHECK(yoke_process_close(process) == YOKE_OK);
    yoke_queue_close(queue);
    yoke__threads_leave(shared_domain());
    yoke__watch_clear();
    CHILD_CHECK(fault_descriptors() <= before);
    return hit ? HIT : NOT_HIT;
}

/* ------------------------------------------------------------------------------------------------------------------------ */

static void sweep(int (*run)(void *user), const char *bell, long least)
{
    plan p = {.every = 0};

    assert_int_equal(setenv("YOKE_BELL", bell, 1), 0);
    for (p.every = 0; p.every < 2; p.every++)
        for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
            int result = HIT;
            p.error = errors[i];
            for (p.at = 1; result == HIT && p.at < 200; p.at++)
                result = child_join(child_start(run, &p));
            if (result != NOT_HIT && p.at < 200)
                fail_msg("call %ld failing with %s: exit code %d", p.at - 1, strerror(p.error), result);
            assert_true(p.at > least);
        }
    assert_int_equal(unsetenv("YOKE_BELL"), 0);
}

static void test_watches(void **state)
{
    (void)state;
    sweep(watch_with_faults, "socket", 5);
}

static void test_watches_with_fifo_bells(void **state)
{
    (void)state;
    sweep(watch_with_faults, "fifo", 5);
}

static void test_descriptors(void **state)
{
    (void)state;
    sweep(native_with_faults, "socket", 4);
}

static void test_waiting_for_many(void **state)
{
    (void)state;
    sweep(wait_with_faults, "socket", 4);
}

static void test_waiting_for_many_with_fifo_bells(void **state)
{
    (void)state;
    sweep(wait_with_faults, "fifo", 4);
}

int main(int argc, char **argv)
{
    setenv("YOKE_START_METHOD", "fork", 1);
    yoke_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watches),
        cmocka_unit_test(test_watches_with_fifo_bells),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_waiting_for_many),
        cmocka_unit_test(test_waiting_for_many_with_fifo_bells),
    };
    return cmocka_run_group_tests_name("watches, with failing calls", tests, shared_setup, shared_teardown);
}
