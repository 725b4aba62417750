/* Events: their calls and errors, within one process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "core/sync/event.h"
#include "core/wait/word.h"
#include "support/child.h"
#include "support/shared.h"

#include <yoke/yoke.h>

#define MINUTE 60000

static yoke_event *new_event(void)
{
    yoke_event *event;

    assert_int_equal(yoke_event_create(&event, NULL), YOKE_OK);
    return event;
}

static bool error_says(const char *text)
{
    return strstr(yoke_last_error()->text, text) != NULL;
}

static yoke__a32 *word_of(const yoke_event *event)
{
    return &((yoke__event_state *)event->handle.object)->word;
}

static void test_set_clear_and_looks(void **state)
{
    yoke_event *event = new_event();
    (void)state;

    assert_false(yoke_event_is_set(event));
    assert_int_equal(yoke_event_wait(event, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_event_wait(event, -1), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_event_clear(event), YOKE_OK);
    assert_int_equal(yoke_event_set(event), YOKE_OK);
    assert_int_equal(yoke_event_set(event), YOKE_OK);
    assert_true(yoke_event_is_set(event));
    assert_int_equal(yoke_event_wait(event, YOKE_FOREVER), YOKE_OK);
    assert_true(yoke_event_is_set(event)); /* waiting takes nothing */
    assert_int_equal(yoke_event_clear(event), YOKE_OK);
    assert_false(yoke_event_is_set(event));
    yoke_event_close(event);
}

static void test_a_time_out_takes_its_time_and_says_so(void **state)
{
    yoke_event *event = new_event();
    long long   start = milliseconds();
    (void)state;

    assert_int_equal(yoke_event_wait(event, 200), YOKE_ETIMEDOUT);
    assert_true(milliseconds() - start >= 199);
    assert_true(error_says("not set within 200 ms"));
    yoke_event_close(event);
}

static void test_bad_handles_are_refused(void **state)
{
    yoke_event *event = new_event(), *none = NULL;
    (void)state;

    yoke_event_close(NULL);
    yoke_event_close(event);
    yoke_event_close(event);
    assert_int_equal(yoke_event_set(event), YOKE_EINVAL);
    assert_int_equal(yoke_event_clear(NULL), YOKE_EINVAL);
    assert_false(yoke_event_is_set(event));
    assert_int_equal(yoke_last_error()->code, YOKE_EINVAL);
    assert_int_equal(yoke_event_wait(event, YOKE_FOREVER), YOKE_EINVAL);
    assert_int_equal(yoke_event_create(NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_event_create(&none, &(yoke_event_options){.struct_size = 1}), YOKE_EINVAL);
    assert_int_equal(yoke_event_create(&none, YOKE_OPTIONS(yoke_event_options, .name = "")), YOKE_EINVAL);
    assert_int_equal(yoke_event_open(&none, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_event_open(&none, NULL, "no-such-event"), YOKE_ENOENT);
    assert_null(none);
}

static void test_a_named_event_is_found(void **state)
{
    yoke_event     *event, *same, *none = NULL;
    yoke_semaphore *other = NULL;
    (void)state;

    assert_int_equal(yoke_event_create(&event, YOKE_OPTIONS(yoke_event_options, .name = "go")), YOKE_OK);
    assert_int_equal(yoke_event_create(&none, YOKE_OPTIONS(yoke_event_options, .name = "go")), YOKE_EEXIST);
    assert_int_equal(
        yoke_event_create(&same, YOKE_OPTIONS(yoke_event_options, .name = "go", .mode = YOKE_OPEN_OR_CREATE)), YOKE_OK);
    assert_int_equal(yoke_event_set(same), YOKE_OK);
    assert_true(yoke_event_is_set(event));
    assert_int_equal(yoke_semaphore_open(&other, NULL, "go"), YOKE_ETYPE);
    yoke_event_close(event);
    assert_true(yoke_event_is_set(same));
    yoke_event_close(same);
    assert_int_equal(yoke_event_open(&none, NULL, "go"), YOKE_ENOENT);
    assert_null(none);
}

/* ---- waiters ----------------------------------------------------------------------------------------------------------- */

typedef struct waiter {
    yoke_event *event;
    int         result;
    pthread_t   thread;
} waiter;

static void *wait_for_it(void *user)
{
    waiter *w = user;

    w->result = yoke_event_wait(w->event, MINUTE);
    return NULL;
}

static void start(waiter *waiters, int count, yoke_event *event)
{
    for (int i = 0; i < count; i++) {
        waiters[i] = (waiter){.event = event};
        assert_int_equal(pthread_create(&waiters[i].thread, NULL, wait_for_it, &waiters[i]), 0);
    }
    while (yoke__a32_load_acquire(&event->handle.users) < (uint32_t)count)
        (void)sched_yield();
}

static void end(waiter *waiters, int count, int result)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(pthread_join(waiters[i].thread, NULL), 0);
        assert_int_equal(waiters[i].result, result);
    }
}

static void test_a_set_wakes_all(void **state)
{
    yoke_event *event = new_event();
    waiter      waiters[5];
    (void)state;

    start(waiters, 5, event);
    assert_int_equal(yoke_event_set(event), YOKE_OK);
    end(waiters, 5, YOKE_OK);
    yoke_event_close(event);
}

/* None may see the event set: it is cleared before they can look. */
static void test_who_waited_at_the_set_goes_on_though_it_was_cleared_since(void **state)
{
    yoke_event *event = new_event();
    waiter      waiters[5];
    (void)state;

    start(waiters, 5, event);
    for (int i = 0; i < 5; i++) { /* again and again: some would always be asleep at the wrong moment */
        assert_int_equal(yoke_event_set(event), YOKE_OK);
        assert_int_equal(yoke_event_clear(event), YOKE_OK);
    }
    end(waiters, 5, YOKE_OK);
    assert_int_equal(yoke_event_wait(event, 20), YOKE_ETIMEDOUT); /* sets before the wait don't count */
    yoke_event_close(event);
}

static void test_closing_ends_the_waits(void **state)
{
    yoke_event *event = new_event();
    waiter      waiters[3];
    (void)state;

    start(waiters, 3, event);
    yoke_event_close(event);
    end(waiters, 3, YOKE_ECLOSED);
}

static void test_the_number_of_sets_may_wrap(void **state)
{
    yoke_event *event = new_event();
    waiter      waiters[2];
    (void)state;

    yoke__a32_store_release(word_of(event), YOKE__EVENT_SETS);
    start(waiters, 2, event);
    assert_int_equal(yoke_event_set(event), YOKE_OK);
    assert_int_equal(yoke__a32_load_acquire(word_of(event)) & ~YOKE__WAITERS, YOKE__EVENT_SET);
    end(waiters, 2, YOKE_OK);
    yoke_event_close(event);
}

/* ---- signal handlers ------------------------------------------------------------------------------------------------------ */

static yoke_event *handled;

static void set_and_clear(int number)
{
    int keep = errno;

    (void)number;
    (void)yoke_event_set(handled);
    (void)yoke_event_is_set(handled);
    (void)yoke_event_clear(handled);
    errno = keep;
}

static void *wait_many_times(void *user)
{
    for (int i = 0; i < 40; i++)
        if (yoke_event_wait(handled, MINUTE) != YOKE_OK)
            return user;
    __atomic_store_n((int *)user, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* The handler comes at any point of these calls, and at any of the library's locks that others of them take. */
static void test_a_signal_handler_may_set_and_clear(void **state)
{
    struct sigaction action = {.sa_handler = set_and_clear}, before;
    struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    yoke_event      *other = new_event();
    int              done = 0;
    pthread_t        thread;
    void            *failed;
    (void)state;

    handled = new_event();
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(pthread_create(&thread, NULL, wait_many_times, &done), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    while (!__atomic_load_n(&done, __ATOMIC_SEQ_CST)) {
        yoke_event *passing = new_event();
        assert_int_equal(yoke_event_wait(other, 1), YOKE_ETIMEDOUT);
        assert_int_equal(yoke_event_set(passing), YOKE_OK);
        yoke_event_close(passing);
    }
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    yoke_event_close(handled);
    yoke_event_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_clear_and_looks),
        cmocka_unit_test(test_a_time_out_takes_its_time_and_says_so),
        cmocka_unit_test(test_bad_handles_are_refused),
        cmocka_unit_test(test_a_named_event_is_found),
        cmocka_unit_test(test_a_set_wakes_all),
        cmocka_unit_test(test_who_waited_at_the_set_goes_on_though_it_was_cleared_since),
        cmocka_unit_test(test_closing_ends_the_waits),
        cmocka_unit_test(test_the_number_of_sets_may_wrap),
        cmocka_unit_test(test_a_signal_handler_may_set_and_clear),
    };
    return cmocka_run_group_tests_name("event", tests, shared_setup, shared_teardown);
}
