/*
 * Each system call of a wait in the parking lot fails in turn: the lock is acquired all the same, if only at the end of a
 * slice, and no descriptor and no file is left. The same for the doorbells alone, of both kinds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/backend.h"
#include "core/domain/watch.h"
#include "core/sync/lock.h"
#include "fault.h"
#include "support/child.h"
#include "support/shared.h"

#include <yoke/yoke.h>

static const int errors[] = {EMFILE, ENOMEM, EIO};

/* How a run is made to fail. */
typedef struct plan {
    yoke_lock *lock;
    long       at, every;
    int        error;
} plan;

enum { NOT_HIT = 0, HIT = 1 };

/* ---- the parking lot --------------------------------------------------------------------------------------------- */

/* Descriptors of waiting only: others of this process stay open whatever happens here. */
static void drop_what_is_kept(void)
{
    yoke__threads_leave(shared_domain());
    yoke__watch_clear();
}

static int wait_with_faults(void *user)
{
    plan *p = user;

    CHILD_CHECK(yoke_lock_acquire(p->lock, YOKE_NOWAIT) == YOKE_ETIMEDOUT); /* joined, and nothing asked of it yet */
    drop_what_is_kept();
    int before = fault_descriptors();
    fault_on(NULL, p->at, p->every, p->error);
    int  result = yoke_lock_acquire(p->lock, 60000);
    bool hit = fault_hit();
    fault_off();
    CHILD_CHECK(result == YOKE_OK);
    CHILD_CHECK(yoke_lock_release(p->lock) == YOKE_OK);
    drop_what_is_kept();
    CHILD_CHECK(fault_descriptors() <= before + 1); /* the socket that it rings with may be new */
    return hit ? HIT : NOT_HIT;
}

static int release_to_a_waiter(plan *p)
{
    yoke__lock_state *state = p->lock->handle.object;

    assert_int_equal(yoke_lock_acquire(p->lock, YOKE_NOWAIT), YOKE_OK);
    pid_t waiter = child_start(wait_with_faults, p);
    while (!(yoke__a32_load_acquire(&state->word) & YOKE__WAITERS))
        (void)usleep(500);
    if (p->every == 0) /* with every call failing it can't even sleep */
        assert_true(sleeps(waiter));
    assert_int_equal(yoke_lock_release(p->lock), YOKE_OK);
    return child_join(waiter);
}

static void sweep_waits(long every)
{
    plan p = {.every = every};

    assert_int_equal(yoke_lock_create(&p.lock, NULL), YOKE_OK);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        int result = HIT;
        p.error = errors[i];
        for (p.at = 1; result == HIT; p.at++)
            result = release_to_a_waiter(&p);
        if (result != NOT_HIT)
            fail_msg("call %ld failing with %s: exit code %d", p.at - 1, strerror(p.error), result);
        assert_true(p.at > 3);
    }
    yoke_lock_close(p.lock);
}

static void test_a_wait_survives_each_failing_call(void **state)
{
    (void)state;
    sweep_waits(0);
}

static void test_a_wait_survives_when_every_call_from_some_on_fails(void **state)
{
    (void)state;
    sweep_waits(1);
}

static int ring_with_faults(void *user)
{
    plan *p = user;

    CHILD_CHECK(yoke_lock_acquire(p->lock, YOKE_NOWAIT) == YOKE_OK);
    pid_t             waiter = child_start(wait_with_faults, &(plan){.lock = p->lock, .at = 1000000});
    yoke__lock_state *state = p->lock->handle.object;
    while (!(yoke__a32_load_acquire(&state->word) & YOKE__WAITERS))
        (void)usleep(500);
    CHILD_CHECK(sleeps(waiter));
    fault_on(NULL, p->at, p->every, p->error);
    int  result = yoke_lock_release(p->lock);
    bool hit = fault_hit();
    fault_off();
    CHILD_CHECK(result == YOKE_OK);
    CHILD_CHECK(child_join(waiter) == NOT_HIT);
    return hit ? HIT : NOT_HIT;
}

/* Whatever fails in the waking, the release is done, and the waiter gets the lock. */
static void test_a_release_is_done_though_its_wake_fails(void **state)
{
    plan p = {.every = 1};

    (void)state;
    assert_int_equal(yoke_lock_create(&p.lock, NULL), YOKE_OK);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        int result = HIT;
        p.error = errors[i];
        for (p.at = 1; result == HIT; p.at++)
            result = child_join(child_start(ring_with_faults, &p));
        assert_int_equal(result, NOT_HIT);
    }
    yoke_lock_close(p.lock);
}

/* ---- doorbells --------------------------------------------------------------------------------------------------- */

/* Opens, rings, waits and closes with a fault; then again without, under the same name: nothing may stand in the way. */
static int use_a_bell(void *user)
{
    const yoke_wait_ops *waiting = yoke__backend()->waiting;
    plan                *p = user;
    yoke_bell_name       name = {(uint64_t)getpid() << 20, 1, 1};
    yoke_native          bell = YOKE_NO_NATIVE;
    uint8_t              ready;

    CHILD_CHECK(waiting->bell_ring(&name) == YOKE_ENOENT); /* opens what is kept for ringing */
    int before = fault_descriptors();
    fault_on(NULL, p->at, p->every, p->error);
    int result = waiting->bell_open(&bell, &name);
    if (result == YOKE_OK) {
        (void)waiting->bell_ring(&name);
        (void)waiting->wait_natives(&bell, &ready, 1, 1000000);
        (void)waiting->bell_wait(bell, 1000000);
        waiting->bell_close(bell, &name);
    }
    bool hit = fault_hit();
    fault_off();
    CHILD_CHECK(result == YOKE_OK || hit);
    CHILD_CHECK(fault_descriptors() == before);
    waiting->bell_remove(&name);
    CHILD_CHECK(waiting->bell_open(&bell, &name) == YOKE_OK);
    waiting->bell_close(bell, &name);
    return hit ? HIT : NOT_HIT;
}

static void sweep_bells(const char *kind)
{
    plan p = {.every = 0};

    assert_int_equal(setenv("YOKE_BELL", kind, 1), 0);
    for (p.every = 0; p.every < 2; p.every++)
        for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
            int result = HIT;
            p.error = errors[i];
            for (p.at = 1; result == HIT; p.at++)
                result = child_join(child_start(use_a_bell, &p));
            if (result != NOT_HIT)
                fail_msg("%s: call %ld failing with %s: exit code %d", kind, p.at - 1, strerror(p.error), result);
            assert_true(p.at > 3);
        }
    assert_int_equal(unsetenv("YOKE_BELL"), 0);
}

static void test_socket_bells_leave_nothing(void **state)
{
    (void)state;
    sweep_bells("socket");
}

static void test_fifo_bells_leave_nothing(void **state)
{
    (void)state;
    sweep_bells("fifo");
}

static int setup(void **state)
{
    return setenv("YOKE_WAIT", "parking", 1) != 0 ? -1 : shared_setup(state);
}

static int teardown(void **state)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/yoke", getenv("XDG_RUNTIME_DIR")); /* the group's own */
    int failed = rmdir(path) != 0 && errno != ENOENT;                        /* empty, or this is the failure */
    return shared_teardown(state) | failed;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_wait_survives_each_failing_call),
        cmocka_unit_test(test_a_wait_survives_when_every_call_from_some_on_fails),
        cmocka_unit_test(test_a_release_is_done_though_its_wake_fails),
        cmocka_unit_test(test_socket_bells_leave_nothing),
        cmocka_unit_test(test_fifo_bells_leave_nothing),
    };
    return cmocka_run_group_tests_name("waiting, with failing calls", tests, setup, teardown);
}
