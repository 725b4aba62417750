/* Semaphores in signal mode: their calls and errors, within one process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "core/sync/semaphore.h"
#include "support/child.h"
#include "support/shared.h"

#include <yoke/yoke.h>

#define MINUTE 60000

static yoke_semaphore *new_semaphore(int64_t initial, int64_t max)
{
    yoke_semaphore *semaphore;

    assert_int_equal(yoke_semaphore_create(&semaphore, initial, YOKE_OPTIONS(yoke_semaphore_options, .max = max)),
                     YOKE_OK);
    return semaphore;
}

static bool error_says(const char *text)
{
    return strstr(yoke_last_error()->text, text) != NULL;
}

static uint32_t word_of(const yoke_semaphore *semaphore)
{
    return yoke__a32_load_acquire(&((const yoke__semaphore_state *)semaphore->handle.object)->word);
}

static void set_word(const yoke_semaphore *semaphore, uint32_t word)
{
    yoke__a32_store_release(&((yoke__semaphore_state *)semaphore->handle.object)->word, word);
}

/* ---- the value ------------------------------------------------------------------------------------------------------- */

static void test_acquire_takes_one_and_release_adds_one(void **state)
{
    yoke_semaphore *semaphore = new_semaphore(2, 0);
    (void)state;

    assert_int_equal(yoke_semaphore_value(semaphore), 2);
    assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_semaphore_value(semaphore), 0);
    assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_semaphore_acquire(semaphore, -7), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_semaphore_release(semaphore), YOKE_OK);
    assert_int_equal(yoke_semaphore_value(semaphore), 1);
    assert_int_equal(yoke_semaphore_release_many(semaphore, 5), YOKE_OK);
    assert_int_equal(yoke_semaphore_value(semaphore), 6);
    yoke_semaphore_close(semaphore);
}

static void test_a_time_out_takes_its_time_and_says_so(void **state)
{
    yoke_semaphore *semaphore = new_semaphore(0, 0);
    long long       start = milliseconds();
    (void)state;

    assert_int_equal(yoke_semaphore_acquire(semaphore, 200), YOKE_ETIMEDOUT);
    assert_true(milliseconds() - start >= 199);
    assert_true(error_says("200 ms") && error_says("its value was 0"));
    assert_int_equal(yoke_semaphore_value(semaphore), 0);
    yoke_semaphore_close(semaphore);
}

static void test_a_release_above_max_is_an_error_and_nothing_happens(void **state)
{
    yoke_semaphore *semaphore = new_semaphore(1, 3);
    (void)state;

    assert_int_equal(yoke_semaphore_release_many(semaphore, 3), YOKE_ERANGE);
    assert_int_equal(yoke_semaphore_value(semaphore), 1);
    assert_int_equal(yoke_semaphore_release_many(semaphore, 2), YOKE_OK);
    assert_int_equal(yoke_semaphore_release(semaphore), YOKE_ERANGE);
    assert_true(error_says("3 would be above its max, 3"));
    assert_int_equal(yoke_semaphore_value(semaphore), 3);
    assert_int_equal(yoke_semaphore_release_many(semaphore, INT64_MAX), YOKE_ERANGE);
    assert_int_equal(yoke_semaphore_release_many(semaphore, (INT64_C(1) << 32) + 1), YOKE_ERANGE);
    yoke_semaphore_close(semaphore);
}

static void test_the_value_does_not_overflow(void **state)
{
    yoke_semaphore *semaphore = new_semaphore(YOKE_SEMAPHORE_MAX, 0);
    (void)state;

    assert_int_equal(yoke_semaphore_release(semaphore), YOKE_ERANGE);
    assert_int_equal(yoke_semaphore_value(semaphore), YOKE_SEMAPHORE_MAX);
    assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_semaphore_release_many(semaphore, 2), YOKE_ERANGE);
    assert_int_equal(yoke_semaphore_release_many(semaphore, YOKE_SEMAPHORE_MAX), YOKE_ERANGE);
    assert_int_equal(yoke_semaphore_release(semaphore), YOKE_OK);
    yoke_semaphore_close(semaphore);
}

/* ---- mistakes -------------------------------------------------------------------------------------------------------- */

static void test_bad_figures_are_refused(void **state)
{
    yoke_semaphore *none = NULL, *semaphore = new_semaphore(1, 0);
    (void)state;

    assert_int_equal(yoke_semaphore_create(&none, -1, NULL), YOKE_EINVAL);
    assert_true(error_says("the initial value is -1"));
    assert_int_equal(yoke_semaphore_create(&none, YOKE_SEMAPHORE_MAX + 1, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_semaphore_create(&none, 4, YOKE_OPTIONS(yoke_semaphore_options, .max = 3)), YOKE_EINVAL);
    assert_true(error_says("4") && error_says("0 to 3"));
    assert_int_equal(yoke_semaphore_create(&none, 0, YOKE_OPTIONS(yoke_semaphore_options, .max = -1)), YOKE_EINVAL);
    assert_int_equal(
        yoke_semaphore_create(&none, 0, YOKE_OPTIONS(yoke_semaphore_options, .max = YOKE_SEMAPHORE_MAX + 1)),
        YOKE_EINVAL);
    assert_int_equal(
        yoke_semaphore_create(&none, 0, YOKE_OPTIONS(yoke_semaphore_options, .on_death = YOKE_IGNORE_DEATH)),
        YOKE_EINVAL);
    assert_int_equal(yoke_semaphore_release_many(semaphore, 0), YOKE_EINVAL);
    assert_int_equal(yoke_semaphore_release_many(semaphore, -3), YOKE_EINVAL);
    assert_true(error_says("-3"));
    assert_int_equal(yoke_semaphore_value(semaphore), 1);
    assert_null(none);
    yoke_semaphore_close(semaphore);
}

static void test_bad_handles_are_refused(void **state)
{
    yoke_semaphore *semaphore = new_semaphore(1, 0), *none = NULL;
    yoke_event     *event;
    (void)state;

    assert_int_equal(yoke_event_create(&event, NULL), YOKE_OK);
    assert_int_equal(yoke_semaphore_acquire((yoke_semaphore *)(void *)event, YOKE_NOWAIT), YOKE_EINVAL);
    assert_int_equal(yoke_event_set((yoke_event *)(void *)semaphore), YOKE_EINVAL);
    yoke_event_close(event);
    yoke_semaphore_close(NULL);
    yoke_semaphore_close(semaphore);
    yoke_semaphore_close(semaphore);
    assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT), YOKE_EINVAL);
    assert_int_equal(yoke_semaphore_acquire(NULL, YOKE_NOWAIT), YOKE_EINVAL);
    assert_int_equal(yoke_semaphore_release(semaphore), YOKE_EINVAL);
    assert_int_equal(yoke_semaphore_release_many(NULL, 1), YOKE_EINVAL);
    assert_int_equal(yoke_semaphore_value(semaphore), YOKE_EINVAL);
    assert_int_equal(yoke_semaphore_create(NULL, 1, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_semaphore_create(&none, 1, &(yoke_semaphore_options){.struct_size = 0}), YOKE_EINVAL);
    assert_int_equal(yoke_semaphore_open(&none, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_semaphore_open(NULL, NULL, "x"), YOKE_EINVAL);
    assert_int_equal(yoke_semaphore_open(&none, NULL, "no-such-semaphore"), YOKE_ENOENT);
    assert_int_equal(yoke_semaphore_create(&none, 1, YOKE_OPTIONS(yoke_semaphore_options, .name = "a/b")), YOKE_EINVAL);
    assert_null(none);
}

/* ---- names ----------------------------------------------------------------------------------------------------------- */

static void refuses(int64_t initial, yoke_semaphore_options options, const char *reason)
{
    yoke_semaphore *none = NULL;

    options.struct_size = sizeof options;
    options.name = "places";
    options.mode = YOKE_OPEN_OR_CREATE;
    assert_int_equal(yoke_semaphore_create(&none, initial, &options), YOKE_EINVAL);
    assert_true(error_says("places") && error_says(reason));
    assert_null(none);
}

static void test_a_named_semaphore_is_found_and_its_options_are_compared(void **state)
{
    yoke_semaphore *semaphore, *same, *none = NULL;
    yoke_event     *event = NULL;
    (void)state;

    assert_int_equal(
        yoke_semaphore_create(&semaphore, 2, YOKE_OPTIONS(yoke_semaphore_options, .name = "places", .max = 4)),
        YOKE_OK);
    assert_int_equal(yoke_semaphore_create(&none, 2, YOKE_OPTIONS(yoke_semaphore_options, .name = "places", .max = 4)),
                     YOKE_EEXIST);
    assert_int_equal(yoke_semaphore_open(&same, NULL, "places"), YOKE_OK);
    assert_int_equal(yoke_semaphore_acquire(same, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_semaphore_value(semaphore), 1);
    yoke_semaphore_close(same);
    assert_int_equal(
        yoke_semaphore_create(
            &same, 2, YOKE_OPTIONS(yoke_semaphore_options, .name = "places", .mode = YOKE_OPEN_OR_CREATE, .max = 4)),
        YOKE_OK);
    assert_int_equal(yoke_semaphore_value(same), 1);
    refuses(3, (yoke_semaphore_options){.max = 4}, "an initial value of 2, not with 3");
    refuses(2, (yoke_semaphore_options){.max = 5}, "a max of 4, not with 5");
    refuses(2, (yoke_semaphore_options){.permits = true}, "in signal mode, not in permit mode");
    assert_int_equal(yoke_event_open(&event, NULL, "places"), YOKE_ETYPE);
    assert_true(error_says("semaphore"));
    yoke_semaphore_close(same);
    yoke_semaphore_close(semaphore);
    assert_int_equal(yoke_semaphore_open(&none, NULL, "places"), YOKE_ENOENT);
}

/* ---- threads ----------------------------------------------------------------------------------------------------------- */

typedef struct waiter {
    yoke_semaphore *semaphore;
    int64_t         timeout;
    int             result;
    pthread_t       thread;
} waiter;

static void *acquire(void *user)
{
    waiter *w = user;

    w->result = yoke_semaphore_acquire(w->semaphore, w->timeout);
    return NULL;
}

static void start(waiter *w, yoke_semaphore *semaphore, int64_t timeout)
{
    *w = (waiter){.semaphore = semaphore, .timeout = timeout};
    assert_int_equal(pthread_create(&w->thread, NULL, acquire, w), 0);
}

static int end(waiter *w)
{
    assert_int_equal(pthread_join(w->thread, NULL), 0);
    return w->result;
}

static void until_someone_sleeps(const yoke_semaphore *semaphore)
{
    while ((word_of(semaphore) & YOKE__WAITERS) == 0)
        (void)sched_yield();
}

static void test_a_release_of_several_wakes_as_many(void **state)
{
    yoke_semaphore *semaphore = new_semaphore(0, 0);
    waiter          waiters[6];
    (void)state;

    for (int i = 0; i < 6; i++)
        start(&waiters[i], semaphore, MINUTE);
    until_someone_sleeps(semaphore);
    assert_int_equal(yoke_semaphore_release_many(semaphore, 4), YOKE_OK);
    while (yoke_semaphore_value(semaphore) > 0)
        (void)sched_yield();
    assert_int_equal(yoke_semaphore_release_many(semaphore, 3), YOKE_OK);
    for (int i = 0; i < 6; i++)
        assert_int_equal(end(&waiters[i]), YOKE_OK);
    assert_int_equal(yoke_semaphore_value(semaphore), 1);
    yoke_semaphore_close(semaphore);
}

static void test_closing_ends_the_waits(void **state)
{
    yoke_semaphore *semaphore = new_semaphore(0, 0);
    waiter          waiters[3];
    (void)state;

    for (int i = 0; i < 3; i++)
        start(&waiters[i], semaphore, YOKE_FOREVER);
    until_someone_sleeps(semaphore);
    while (yoke__a32_load_acquire(&semaphore->handle.users) < 3)
        (void)sched_yield();
    yoke_semaphore_close(semaphore);
    for (int i = 0; i < 3; i++)
        assert_int_equal(end(&waiters[i]), YOKE_ECLOSED);
}

typedef struct crowd {
    yoke_semaphore *semaphore;
    int             inside, most, turns; /* inside: by all threads */
} crowd;

static void *pass_through(void *user)
{
    crowd *c = user;

    for (int i = 0; i < c->turns; i++) {
        if (yoke_semaphore_acquire(c->semaphore, i % 3 ? YOKE_FOREVER : MINUTE) != YOKE_OK)
            return user;
        int inside = __atomic_add_fetch(&c->inside, 1, __ATOMIC_SEQ_CST);
        if (inside > c->most)
            return user;
        (void)sched_yield();
        (void)__atomic_sub_fetch(&c->inside, 1, __ATOMIC_SEQ_CST);
        if (yoke_semaphore_release(c->semaphore) != YOKE_OK)
            return user;
    }
    return NULL;
}

static void test_no_more_threads_are_inside_than_the_value_was(void **state)
{
    crowd     c = {.semaphore = new_semaphore(2, 2), .most = 2, .turns = 3000};
    pthread_t threads[6];
    void     *failed;
    (void)state;

    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pass_through, &c), 0);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(yoke_semaphore_value(c.semaphore), 2);
    yoke_semaphore_close(c.semaphore);
}

/* ---- fairness -------------------------------------------------------------------------------------------------------- */

static void test_who_comes_anew_leaves_what_is_there_to_the_hungry(void **state)
{
    yoke_semaphore *semaphore = new_semaphore(0, 0);
    (void)state;

    set_word(semaphore, 1 | YOKE__SEMAPHORE_HUNGRY);
    assert_int_equal(yoke__count_take(semaphore->handle.object, YOKE__POLITE), YOKE_EBUSY);
    assert_int_equal(yoke__count_take(semaphore->handle.object, YOKE__DUE), YOKE_OK);
    yoke_semaphore_close(semaphore);
}

static void test_what_a_hungry_one_left_when_it_died_costs_a_slice_at_most(void **state)
{
    yoke_semaphore *semaphore = new_semaphore(0, 0);
    (void)state;

    set_word(semaphore, 3 | YOKE__SEMAPHORE_HUNGRY);
    assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_semaphore_acquire(semaphore, 20), YOKE_OK); /* rather than to time out */
    set_word(semaphore, 2 | YOKE__SEMAPHORE_HUNGRY);
    assert_int_equal(yoke_semaphore_acquire(semaphore, MINUTE), YOKE_OK);
    assert_int_equal(word_of(semaphore) & YOKE__SEMAPHORE_HUNGRY, 0);
    yoke_semaphore_close(semaphore);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acquire_takes_one_and_release_adds_one),
        cmocka_unit_test(test_a_time_out_takes_its_time_and_says_so),
        cmocka_unit_test(test_a_release_above_max_is_an_error_and_nothing_happens),
        cmocka_unit_test(test_the_value_does_not_overflow),
        cmocka_unit_test(test_bad_figures_are_refused),
        cmocka_unit_test(test_bad_handles_are_refused),
        cmocka_unit_test(test_a_named_semaphore_is_found_and_its_options_are_compared),
        cmocka_unit_test(test_a_release_of_several_wakes_as_many),
        cmocka_unit_test(test_closing_ends_the_waits),
        cmocka_unit_test(test_no_more_threads_are_inside_than_the_value_was),
        cmocka_unit_test(test_who_comes_anew_leaves_what_is_there_to_the_hungry),
        cmocka_unit_test(test_what_a_hungry_one_left_when_it_died_costs_a_slice_at_most),
    };
    return cmocka_run_group_tests_name("semaphore", tests, shared_setup, shared_teardown);
}
