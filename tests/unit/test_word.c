/* Sleeping on a word of a domain and waking, between processes and between threads, in the mode that YOKE_WAIT sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "core/backend.h"
#include "core/wait/word.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

#include <yoke/error.h>

#define SLICE_MS (YOKE__SLICE / 1000000)

typedef struct board {
    yoke__a32 word;
    yoke__a32 other;
    yoke__a32 woken;
} board;

static void test_a_word_that_differs_is_not_waited_for(void **state)
{
    board    *b = shared_alloc(sizeof *b);
    long long start = milliseconds();

    (void)state;
    for (int i = 0; i < 100; i++)
        yoke__word_wait(shared_domain(), &b->word, 1, INT64_MAX);
    assert_true(milliseconds() - start < SLICE_MS);
    shared_free(b);
}

static void test_nobody_sleeps_longer_than_a_slice(void **state)
{
    board    *b = shared_alloc(sizeof *b);
    long long start = milliseconds();

    (void)state;
    yoke__word_wait(shared_domain(), &b->word, 0, INT64_MAX);
    assert_true(milliseconds() - start < 20 * SLICE_MS); /* a busy machine may take its time */
    shared_free(b);
}

static void test_a_deadline_within_the_slice_is_kept(void **state)
{
    board    *b = shared_alloc(sizeof *b);
    long long start = milliseconds();

    (void)state;
    yoke__deadline deadline = yoke__deadline_after(20);
    while (!yoke__deadline_past(deadline))
        yoke__word_wait(shared_domain(), &b->word, 0, deadline);
    assert_true(milliseconds() - start >= 19);
    start = milliseconds();
    yoke__word_wait(shared_domain(), &b->word, 0, yoke__deadline_after(0));
    assert_true(milliseconds() - start < SLICE_MS);
    shared_free(b);
}

/* Sleeps till word is not 0; tells how often it woke. */
static int sleeper(void *user)
{
    board *b = user;

    while (yoke__a32_load_acquire(&b->word) == 0) {
        yoke__word_wait(shared_domain(), &b->word, 0, INT64_MAX);
        yoke__a32_add_acq_rel(&b->woken, 1);
    }
    return 0;
}

static void set_and_wake(board *b, uint32_t count)
{
    yoke__a32_store_release(&b->word, 1);
    yoke__fence_seq_cst();
    yoke__word_wake(shared_domain(), &b->word, count);
}

static void test_a_sleeper_in_another_process_is_woken(void **state)
{
    board *b = shared_alloc(sizeof *b);
    int    quick = 0;

    (void)state;
    for (int i = 0; i < 10; i++) {
        yoke__a32_store_relaxed(&b->word, 0);
        pid_t child = child_start(sleeper, b);
        assert_true(sleeps(child));
        long long start = milliseconds();
        set_and_wake(b, 1);
        assert_int_equal(child_join(child), 0);
        quick += milliseconds() - start < SLICE_MS / 2;
    }
    assert_true(quick >= 5); /* by a wake, not by the ends of slices */
    shared_free(b);
}

static void test_all_sleepers_are_woken(void **state)
{
    board *b = shared_alloc(sizeof *b);
    pid_t  children[5];

    (void)state;
    for (int i = 0; i < 5; i++)
        children[i] = child_start(sleeper, b);
    for (int i = 0; i < 5; i++)
        assert_true(sleeps(children[i]));
    set_and_wake(b, UINT32_MAX);
    for (int i = 0; i < 5; i++)
        assert_int_equal(child_join(children[i]), 0);
    shared_free(b);
}

/* A waker that dies between its store and the wake: the slice ends the sleep. */
static void test_without_a_wake_the_slice_ends_the_sleep(void **state)
{
    board *b = shared_alloc(sizeof *b);
    pid_t  child = child_start(sleeper, b);

    (void)state;
    assert_true(sleeps(child));
    long long start = milliseconds();
    yoke__a32_store_release(&b->word, 1);
    assert_int_equal(child_join(child), 0);
    assert_true(milliseconds() - start < 20 * SLICE_MS);
    shared_free(b);
}

/* Two sides that wake each other by one word; a lost wake-up costs a slice, and thousands of them minutes. */
#define ROUNDS 3000u

static void play(board *b, uint32_t side)
{
    for (uint32_t i = 0; i < ROUNDS; i++) {
        for (;;) {
            uint32_t seen = yoke__a32_load_acquire(&b->word);
            if (seen % 2 == side)
                break;
            yoke__word_wait(shared_domain(), &b->word, seen, INT64_MAX);
        }
        yoke__a32_add_acq_rel(&b->word, 1);
        yoke__fence_seq_cst();
        yoke__word_wake(shared_domain(), &b->word, 1);
    }
}

static int play_odd(void *user)
{
    play(user, 1);
    return 0;
}

static void *play_odd_in_thread(void *user)
{
    play(user, 1);
    return NULL;
}

static void test_no_wake_is_lost_between_two_processes(void **state)
{
    board    *b = shared_alloc(sizeof *b);
    long long start = milliseconds();
    pid_t     child = child_start(play_odd, b);

    (void)state;
    play(b, 0);
    assert_int_equal(child_join(child), 0);
    assert_true(milliseconds() - start < ROUNDS * SLICE_MS / 20);
    shared_free(b);
}

static void test_no_wake_is_lost_between_two_threads(void **state)
{
    board    *b = shared_alloc(sizeof *b);
    pthread_t thread;
    long long start = milliseconds();

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, play_odd_in_thread, b), 0);
    play(b, 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(milliseconds() - start < ROUNDS * SLICE_MS / 20);
    shared_free(b);
}

/* How many iterations it takes until a spin says that it is enough. */
static uint32_t spin_in_vain(yoke__spin_luck *luck)
{
    yoke__spin spin = yoke__spin_begin(luck);
    uint32_t   count = 0;

    while (yoke__spin_for(&spin, 1))
        count++;
    return count;
}

static void test_a_spin_is_bounded(void **state)
{
    yoke__spin_luck luck = {0};
    long long       start = milliseconds();
    uint32_t        count = spin_in_vain(&luck);

    (void)state;
    assert_in_range(count, 0, 16384);
    assert_true((count > 0) == (yoke__backend()->system->cpu_count_all() > 1));
    assert_true(milliseconds() - start < 1000);
}

static void test_spinning_in_vain_is_given_up_and_one_success_brings_it_back(void **state)
{
    yoke__spin_luck luck = {0};
    yoke__spin      spin;
    uint32_t        some = 0, most = 0;

    (void)state;
    yoke__spin_set(1024);
    assert_int_equal(spin_in_vain(&luck), 1024);
    assert_int_equal(spin_in_vain(&luck), 512);
    for (int i = 0; i < 100; i++) {
        uint32_t count = spin_in_vain(&luck);
        some += count > 0;
        most = count > most ? count : most;
    }
    assert_in_range(some, 5, 15);
    assert_int_equal(most, 1024); /* the rare ones are long enough to meet somebody who wakes up first */
    do
        spin = yoke__spin_begin(&luck);
    while (!yoke__spin_for(&spin, 1));
    yoke__spin_won(&spin);
    assert_int_equal(spin_in_vain(&luck), 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_word_that_differs_is_not_waited_for),
        cmocka_unit_test(test_nobody_sleeps_longer_than_a_slice),
        cmocka_unit_test(test_a_deadline_within_the_slice_is_kept),
        cmocka_unit_test(test_a_sleeper_in_another_process_is_woken),
        cmocka_unit_test(test_all_sleepers_are_woken),
        cmocka_unit_test(test_without_a_wake_the_slice_ends_the_sleep),
        cmocka_unit_test(test_no_wake_is_lost_between_two_processes),
        cmocka_unit_test(test_no_wake_is_lost_between_two_threads),
        cmocka_unit_test(test_a_spin_is_bounded),
        cmocka_unit_test(test_spinning_in_vain_is_given_up_and_one_success_brings_it_back),
    };
    return cmocka_run_group_tests_name("word", tests, shared_setup, shared_teardown);
}
