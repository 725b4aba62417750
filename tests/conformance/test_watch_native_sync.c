/* The descriptors of events and semaphores in a loop that the library doesn't know: poll(2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <yoke/uv.h>
#include <yoke/yoke.h>

#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

#define MINUTE 60000

static bool readable(intptr_t native, int timeout)
{
    struct pollfd polled = {.fd = (int)native, .events = POLLIN};

    return poll(&polled, 1, timeout) == 1;
}

/* ---- events ------------------------------------------------------------------------------------------------------------ */

static yoke_event *new_event(intptr_t *native)
{
    yoke_event *event;

    assert_int_equal(yoke_event_create(&event, NULL), YOKE_OK);
    assert_int_equal(yoke_event_native_set(event, native), YOKE_OK);
    return event;
}

static void test_it_is_readable_while_the_event_is_set(void **state)
{
    intptr_t    native = -1;
    yoke_event *event = new_event(&native);
    (void)state;

    for (int round = 0; round < 3; round++) {
        assert_false(readable(native, 0));
        assert_int_equal(yoke_event_set(event), YOKE_OK);
        assert_true(readable(native, MINUTE));
        assert_int_equal(yoke_event_wait(event, YOKE_NOWAIT), YOKE_OK);
        assert_true(readable(native, 0));
        assert_int_equal(yoke_event_clear(event), YOKE_OK);
        assert_int_equal(yoke_event_wait(event, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    }
    assert_false(readable(native, 0));
    yoke_event_close(event);
}

static int set_it(void *user)
{
    return yoke_event_set(user);
}

static void test_another_process_sets_it(void **state)
{
    intptr_t    native = -1;
    yoke_event *event = new_event(&native);
    (void)state;

    pid_t child = child_start(set_it, event);
    assert_true(readable(native, MINUTE));
    assert_int_equal(child_join(child), 0);
    assert_int_equal(yoke_event_wait(event, YOKE_NOWAIT), YOKE_OK);
    yoke_event_close(event);
}

static int set_its_own(void *user)
{
    intptr_t native = -1;

    CHILD_CHECK(yoke_event_wait(user, YOKE_NOWAIT) == YOKE_ETIMEDOUT); /* must not empty the parent's */
    CHILD_CHECK(yoke_event_native_set(user, &native) == YOKE_OK);
    CHILD_CHECK(yoke_event_set(user) == YOKE_OK);
    CHILD_CHECK(readable(native, MINUTE));
    return 0;
}

static void test_a_forked_child_asks_anew(void **state)
{
    intptr_t    native = -1;
    yoke_event *event = new_event(&native);
    (void)state;

    assert_int_equal(child_join(child_start(set_its_own, event)), 0);
    assert_true(readable(native, MINUTE));
    yoke_event_close(event);
}

static void test_mistakes_are_refused_and_a_close_takes_it_away(void **state)
{
    intptr_t        native = -1, again = -1;
    yoke_event     *event = new_event(&native);
    yoke_semaphore *semaphore;
    (void)state;

    assert_int_equal(yoke_semaphore_create(&semaphore, 1, NULL), YOKE_OK);
    int before = leak_descriptors();
    assert_int_equal(yoke_event_native_set(event, &again), YOKE_OK);
    assert_int_equal(again, native);
    assert_int_equal(yoke_event_native_set(event, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_event_native_set((yoke_event *)(void *)semaphore, &again), YOKE_EINVAL);
    assert_int_equal(yoke_semaphore_native_available(NULL, &again), YOKE_EINVAL);
    yoke_event_close(event);
    assert_true(leak_descriptors() < before);
    assert_int_equal(yoke_event_native_set(event, &again), YOKE_EINVAL);
    yoke_semaphore_close(semaphore);
}

/* ---- semaphores ---------------------------------------------------------------------------------------------------------- */

static yoke_semaphore *new_semaphore(int64_t initial, bool permits, intptr_t *native)
{
    yoke_semaphore *semaphore;

    assert_int_equal(
        yoke_semaphore_create(&semaphore, initial, YOKE_OPTIONS(yoke_semaphore_options, .permits = permits)), YOKE_OK);
    assert_int_equal(yoke_semaphore_native_available(semaphore, native), YOKE_OK);
    return semaphore;
}

static void test_it_is_readable_until_an_acquire_finds_nothing(void **state)
{
    (void)state;
    for (int permits = 0; permits < 2; permits++) {
        intptr_t        native = -1;
        yoke_semaphore *semaphore = new_semaphore(2, permits != 0, &native);
        for (int round = 0; round < 3; round++) {
            assert_true(readable(native, MINUTE));
            assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT), YOKE_OK);
            assert_true(readable(native, 0));
            assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT), YOKE_OK);
            assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT), YOKE_ETIMEDOUT);
            assert_false(readable(native, 0));
            assert_int_equal(yoke_semaphore_release_many(semaphore, 2), YOKE_OK);
        }
        yoke_semaphore_close(semaphore);
    }
}

static int release_many(const yoke_args *args)
{
    for (int i = 0; i < 20000; i++)
        YOKE_TRY(yoke_semaphore_release(yoke_args_semaphore(args, 0)));
    return 0;
}

static void test_no_release_is_lost(void **state)
{
    intptr_t        native = -1;
    yoke_semaphore *semaphore = new_semaphore(0, false, &native);
    yoke_process   *process;
    int             taken = 0;
    (void)state;

    assert_int_equal(yoke_process_start(&process, release_many, YOKE_ARGS(semaphore), NULL), YOKE_OK);
    while (taken < 20000) {
        assert_true(readable(native, MINUTE));
        while (yoke_semaphore_acquire(semaphore, YOKE_NOWAIT) == YOKE_OK)
            taken++;
    }
    assert_false(readable(native, 0));
    assert_int_equal(yoke_process_finish(process, NULL, MINUTE), YOKE_OK);
    yoke_semaphore_close(semaphore);
}

static int acquire_and_wait(void *user)
{
    if (yoke_semaphore_acquire(user, MINUTE) != YOKE_OK)
        return 1;
    for (;;)
        (void)pause();
}

/* As the contract says: whoever must not miss the dead tries now and then. */
static void test_permits_of_the_dead_are_found_by_trying(void **state)
{
    intptr_t        native = -1;
    yoke_semaphore *semaphore = new_semaphore(1, true, &native);
    (void)state;

    pid_t child = child_start(acquire_and_wait, semaphore);
    while (yoke_semaphore_acquire(semaphore, YOKE_NOWAIT) == YOKE_OK)
        assert_int_equal(yoke_semaphore_release(semaphore), YOKE_OK);
    assert_false(readable(native, 0));
    child_kill(child);
    assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT), YOKE_OWNER_DIED);
    assert_int_equal(yoke_semaphore_release(semaphore), YOKE_OK);
    assert_true(readable(native, MINUTE));
    yoke_semaphore_close(semaphore);
}

static int nothing(const yoke_args *args)
{
    (void)args;
    return 0;
}

/* What lives as long as the process. */
static int setup(void **state)
{
    intptr_t      native = -1;
    yoke_event   *event = new_event(&native);
    yoke_process *process;

    YOKE_CHECK(yoke_process_start(&process, nothing, YOKE_ARGS(), NULL));
    YOKE_CHECK(yoke_process_finish(process, NULL, MINUTE));
    YOKE_CHECK(yoke_event_set(event)); /* makes what it rings with */
    yoke_event_close(event);
    return shared_setup(state);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_readable_while_the_event_is_set),
        cmocka_unit_test(test_another_process_sets_it),
        cmocka_unit_test(test_a_forked_child_asks_anew),
        cmocka_unit_test(test_mistakes_are_refused_and_a_close_takes_it_away),
        cmocka_unit_test(test_it_is_readable_until_an_acquire_finds_nothing),
        cmocka_unit_test(test_no_release_is_lost),
        cmocka_unit_test(test_permits_of_the_dead_are_found_by_trying),
    };
    return cmocka_run_group_tests_name("descriptors of events and semaphores", tests, setup, shared_teardown);
}
