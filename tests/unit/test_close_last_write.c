/* Who waits in an object has written to it for the last time when the closer of the handle learns that it is out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "backends/posix/sys.h"
#include "core/sync/rwlock.h"
#include "support/shared.h"

#include <yoke/yoke.h>

static yoke_rwlock    *watched;
static _Atomic int     tellings; /* how often the closer was told that nobody is inside */
static _Atomic int64_t held;     /* the gate's owner then */
static long (*real_futex)(const uint32_t *word, int operation, uint32_t value, const struct timespec *timeout);

static yoke__rwlock_state *state_of(const yoke_rwlock *rwlock)
{
    return ((const yoke__handle *)(const void *)rwlock)->object;
}

static long look_at_wakes(const uint32_t *word, int operation, uint32_t value, const struct timespec *timeout)
{
    yoke__handle *handle = (yoke__handle *)(void *)watched;

    if (operation == FUTEX_WAKE_PRIVATE && word == (const uint32_t *)(const void *)&handle->users) {
        held = yoke__a32_load_acquire(&state_of(watched)->gate.word) & YOKE__TOKEN_MASK;
        tellings++;
    }
    return real_futex(word, operation, value, timeout);
}

static void *write_in_thread(void *user)
{
    return (void *)(intptr_t)yoke_rwlock_acquire_exclusive(user, YOKE_FOREVER);
}

static void test_a_writer_has_opened_the_gate_before_it_is_out(void **state)
{
    yoke_rwlock *rwlock;
    pthread_t    writer;
    void        *result;

    (void)state;
    assert_int_equal(yoke_rwlock_create(&rwlock, YOKE_OPTIONS(yoke_rwlock_options, .name = "last-write")), YOKE_OK);
    assert_int_equal(yoke_rwlock_open(&watched, NULL, "last-write"), YOKE_OK);
    assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(pthread_create(&writer, NULL, write_in_thread, watched), 0);
    while (!yoke__lock_held(&state_of(rwlock)->gate) ||
           yoke__a32_load_relaxed(&((yoke__handle *)(void *)watched)->users) == 0)
        (void)usleep(500);
    real_futex = yoke__sys.futex;
    yoke__sys.futex = look_at_wakes;
    yoke_rwlock_close(watched);
    assert_int_equal(pthread_join(writer, &result), 0);
    yoke__sys.futex = real_futex;
    assert_int_equal((int)(intptr_t)result, YOKE_ECLOSED);
    assert_true(tellings > 0);
    assert_int_equal(held, 0);
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
    yoke_rwlock_close(rwlock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_writer_has_opened_the_gate_before_it_is_out),
    };
    return cmocka_run_group_tests_name("last write before a close", tests, shared_setup, shared_teardown);
}
