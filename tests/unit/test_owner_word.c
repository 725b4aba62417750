/* The owner word: exclusion, takeover, wake-ups, and the flag that belongs to the object around it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "core/domain/participant.h"
#include "core/sync/owner_word.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

#include <yoke/error.h>

#define SLICE_MS (YOKE__SLICE / 1000000)

typedef struct board {
    yoke__a32 word;
    yoke__a32 held;  /* tokens of who holds it, for the test to see */
    uint64_t  count; /* plain: guarded by word */
} board;

static yoke__token my_token(void)
{
    return yoke__domain_token(shared_domain());
}

static int acquire(board *b, int64_t timeout, yoke__token *dead)
{
    return yoke__owner_acquire(shared_domain(), &b->word, yoke__deadline_after(timeout), dead);
}

static void release(board *b)
{
    yoke__owner_release(shared_domain(), &b->word);
}

static void test_it_holds_the_owners_token_and_nothing_when_free(void **state)
{
    board *b = shared_alloc(sizeof *b);

    (void)state;
    assert_int_equal(acquire(b, YOKE_NOWAIT, NULL), YOKE_OK);
    assert_int_equal(yoke__a32_load_relaxed(&b->word), my_token());
    release(b);
    assert_int_equal(yoke__a32_load_relaxed(&b->word), 0);
    shared_free(b);
}

static void test_one_that_is_held_times_out(void **state)
{
    board *b = shared_alloc(sizeof *b);

    (void)state;
    assert_int_equal(acquire(b, YOKE_NOWAIT, NULL), YOKE_OK);
    assert_int_equal(acquire(b, YOKE_NOWAIT, NULL), YOKE_ETIMEDOUT);
    assert_int_equal(yoke__a32_load_relaxed(&b->word), my_token()); /* a look leaves no trace */
    long long start = milliseconds();
    assert_int_equal(acquire(b, 30, NULL), YOKE_ETIMEDOUT);
    assert_true(milliseconds() - start >= 29);
    release(b);
    shared_free(b);
}

static int hold_for_ever(void *user)
{
    board *b = user;

    CHILD_CHECK(acquire(b, YOKE_FOREVER, NULL) == YOKE_OK);
    yoke__a32_store_release(&b->held, my_token());
    for (;;)
        (void)pause();
}

static yoke__token start_holder(board *b, pid_t *pid)
{
    yoke__a32_store_relaxed(&b->held, 0);
    *pid = child_start(hold_for_ever, b);
    while (yoke__a32_load_acquire(&b->held) == 0)
        (void)usleep(500);
    return yoke__a32_load_acquire(&b->held);
}

static void test_a_stopped_owner_keeps_it(void **state)
{
    board *b = shared_alloc(sizeof *b);
    pid_t  pid;

    (void)state;
    yoke__token owner = start_holder(b, &pid);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_int_equal(acquire(b, 2 * SLICE_MS + 50, NULL), YOKE_ETIMEDOUT);
    assert_int_equal(yoke__a32_load_relaxed(&b->word) & YOKE__TOKEN_MASK, owner);
    child_kill(pid);
    shared_free(b);
}

static void test_a_dead_owners_is_taken_over_and_the_taker_is_told(void **state)
{
    board      *b = shared_alloc(sizeof *b);
    yoke__token dead = 0;
    pid_t       pid;

    (void)state;
    for (int unreaped = 0; unreaped < 2; unreaped++) {
        yoke__token owner = start_holder(b, &pid);
        if (unreaped)
            child_kill_unreaped(pid);
        else
            child_kill(pid);
        assert_int_equal(acquire(b, YOKE_NOWAIT, &dead), YOKE_OWNER_DIED);
        assert_int_equal(dead, owner);
        assert_int_equal(yoke__a32_load_relaxed(&b->word) & YOKE__TOKEN_MASK, my_token());
        release(b);
        assert_int_equal(acquire(b, YOKE_NOWAIT, NULL), YOKE_OK);
        release(b);
        if (unreaped)
            (void)child_join(pid);
    }
    shared_free(b);
}

static int acquire_within_a_minute(void *user)
{
    board    *b = user;
    long long start = milliseconds();
    int       result = acquire(b, 60000, NULL);

    if (result < 0)
        return 90;
    release(b);
    return (milliseconds() - start > 50000 ? 40 : 0) + result;
}

static void test_a_sleeper_gets_it_when_the_owner_dies(void **state)
{
    board *b = shared_alloc(sizeof *b);
    pid_t  pid;

    (void)state;
    (void)start_holder(b, &pid);
    pid_t sleeper = child_start(acquire_within_a_minute, b);
    assert_true(sleeps(sleeper));
    long long start = milliseconds();
    child_kill(pid);
    assert_int_equal(child_join(sleeper), YOKE_OWNER_DIED);
    assert_true(milliseconds() - start < 20 * SLICE_MS);
    shared_free(b);
}

static void test_a_sleeper_is_woken_by_the_release(void **state)
{
    board *b = shared_alloc(sizeof *b);
    int    quick = 0;

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(acquire(b, YOKE_NOWAIT, NULL), YOKE_OK);
        pid_t sleeper = child_start(acquire_within_a_minute, b);
        assert_true(sleeps(sleeper));
        assert_true(yoke__a32_load_relaxed(&b->word) & YOKE__WAITERS);
        long long start = milliseconds();
        release(b);
        assert_int_equal(child_join(sleeper), YOKE_OK);
        quick += milliseconds() - start < SLICE_MS / 2;
    }
    assert_true(quick >= 5);
    shared_free(b);
}

/* Several sleepers, one release: each hands on to the next, though only one is woken at a time. */
static void test_all_sleepers_get_it_one_after_another(void **state)
{
    board *b = shared_alloc(sizeof *b);
    pid_t  sleepers[4];

    (void)state;
    assert_int_equal(acquire(b, YOKE_NOWAIT, NULL), YOKE_OK);
    for (int i = 0; i < 4; i++)
        sleepers[i] = child_start(acquire_within_a_minute, b);
    for (int i = 0; i < 4; i++)
        assert_true(sleeps(sleepers[i]));
    release(b);
    for (int i = 0; i < 4; i++)
        assert_int_equal(child_join(sleepers[i]), YOKE_OK);
    shared_free(b);
}

/* ---- exclusion --------------------------------------------------------------------------------------------------- */

#define TURNS 20000

static int count_up(void *user)
{
    board *b = user;

    for (int i = 0; i < TURNS; i++) {
        CHILD_CHECK(acquire(b, YOKE_FOREVER, NULL) == YOKE_OK);
        b->count++;
        release(b);
    }
    return 0;
}

static void *count_up_in_thread(void *user)
{
    (void)count_up(user);
    return NULL;
}

static void test_processes_exclude_each_other(void **state)
{
    board *b = shared_alloc(sizeof *b);
    pid_t  pids[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        pids[i] = child_start(count_up, b);
    for (int i = 0; i < 4; i++)
        assert_int_equal(child_join(pids[i]), 0);
    assert_int_equal(b->count, 4 * TURNS);
    assert_int_equal(yoke__a32_load_relaxed(&b->word), 0);
    shared_free(b);
}

static void test_threads_of_one_process_exclude_each_other(void **state)
{
    board    *b = shared_alloc(sizeof *b);
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up_in_thread, b), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(b->count, 4 * TURNS);
    shared_free(b);
}

/* Who dies inside has counted or not; nobody hangs, and nobody else's turn is lost. */
static int count_and_die(void *user)
{
    board *b = user;

    for (int i = 0; i < 50; i++) {
        CHILD_CHECK(acquire(b, YOKE_FOREVER, NULL) >= 0);
        b->count++;
        if (i == 49)
            (void)kill(getpid(), SIGKILL);
        release(b);
    }
    return 0;
}

static void test_a_row_of_deaths_is_survived(void **state)
{
    board *b = shared_alloc(sizeof *b);
    pid_t  pids[3];

    (void)state;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++)
            pids[i] = child_start(count_and_die, b);
        for (int i = 0; i < 3; i++)
            assert_int_equal(child_join(pids[i]), 1000 + SIGKILL);
    }
    assert_int_equal(acquire(b, YOKE_FOREVER, NULL), YOKE_OWNER_DIED);
    assert_int_equal(b->count, 5 * 3 * 50);
    release(b);
    shared_free(b);
}

/* ---- the flag, the mark, closing --------------------------------------------------------------------------------- */

static void test_the_flag_stays_through_acquire_and_release_keep(void **state)
{
    board           *b = shared_alloc(sizeof *b);
    yoke__owner_wait wait = {.deadline = 0};

    (void)state;
    yoke__a32_store_relaxed(&b->word, YOKE__TOKEN_FLAG);
    assert_int_equal(yoke__owner_acquire_with(shared_domain(), &b->word, &wait), YOKE_OK);
    assert_int_equal(wait.held, my_token() | YOKE__TOKEN_FLAG);
    assert_int_equal(yoke__owner_release_keep(shared_domain(), &b->word), my_token() | YOKE__TOKEN_FLAG);
    assert_int_equal(yoke__a32_load_relaxed(&b->word), YOKE__TOKEN_FLAG);
    assert_int_equal(yoke__owner_release_keep(shared_domain(), &b->word), YOKE__TOKEN_FLAG);
    assert_int_equal(yoke__a32_load_relaxed(&b->word), YOKE__TOKEN_FLAG);
    shared_free(b);
}

static void test_a_takeover_sets_the_mark(void **state)
{
    board           *b = shared_alloc(sizeof *b);
    yoke__owner_wait wait = {.deadline = 0, .mark = YOKE__TOKEN_FLAG};
    pid_t            pid;

    (void)state;
    yoke__token owner = start_holder(b, &pid);
    child_kill(pid);
    assert_int_equal(yoke__owner_acquire_with(shared_domain(), &b->word, &wait), YOKE_OWNER_DIED);
    assert_int_equal(wait.dead, owner);
    assert_int_equal(wait.held & YOKE__TOKEN_FLAG, YOKE__TOKEN_FLAG);
    assert_int_equal(yoke__a32_load_relaxed(&b->word), wait.held);
    shared_free(b);
}

typedef struct closer {
    board    *b;
    yoke__a32 closing;
    int       result;
} closer;

static void *wait_until_closed(void *user)
{
    closer          *c = user;
    yoke__owner_wait wait = {.deadline = INT64_MAX, .closing = &c->closing};

    c->result = yoke__owner_acquire_with(shared_domain(), &c->b->word, &wait);
    return NULL;
}

static void test_closing_ends_a_wait(void **state)
{
    closer    c = {.b = shared_alloc(sizeof(board))};
    pthread_t thread;

    (void)state;
    assert_int_equal(acquire(c.b, YOKE_NOWAIT, NULL), YOKE_OK);
    assert_int_equal(pthread_create(&thread, NULL, wait_until_closed, &c), 0);
    while (!(yoke__a32_load_relaxed(&c.b->word) & YOKE__WAITERS))
        (void)usleep(500);
    yoke__a32_store_release(&c.closing, 1);
    yoke__fence_seq_cst();
    yoke__word_wake(shared_domain(), &c.b->word, UINT32_MAX);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(c.result, YOKE_ECLOSED);
    release(c.b);
    shared_free(c.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_holds_the_owners_token_and_nothing_when_free),
        cmocka_unit_test(test_one_that_is_held_times_out),
        cmocka_unit_test(test_a_stopped_owner_keeps_it),
        cmocka_unit_test(test_a_dead_owners_is_taken_over_and_the_taker_is_told),
        cmocka_unit_test(test_a_sleeper_gets_it_when_the_owner_dies),
        cmocka_unit_test(test_a_sleeper_is_woken_by_the_release),
        cmocka_unit_test(test_all_sleepers_get_it_one_after_another),
        cmocka_unit_test(test_processes_exclude_each_other),
        cmocka_unit_test(test_threads_of_one_process_exclude_each_other),
        cmocka_unit_test(test_a_row_of_deaths_is_survived),
        cmocka_unit_test(test_the_flag_stays_through_acquire_and_release_keep),
        cmocka_unit_test(test_a_takeover_sets_the_mark),
        cmocka_unit_test(test_closing_ends_a_wait),
    };
    return cmocka_run_group_tests_name("owner word", tests, shared_setup, shared_teardown);
}
