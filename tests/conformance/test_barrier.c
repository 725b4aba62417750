/* What a barrier promises between processes, through the public calls alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "support/child.h"
#include "support/shared.h"

#include <yoke/yoke.h>

enum { PARTIES = 4, ROUNDS = 400 };

typedef struct meeting {
    yoke_barrier *barrier;
    _Atomic int   in_round[ROUNDS];
    _Atomic int   indices[ROUNDS]; /* bit per index */
    _Atomic int   actions;
    _Atomic int   stage;
    int           action_result;
    int64_t       timeout;
    int           expected; /* of a wait */
} meeting;

static int count_action(void *user)
{
    meeting *m = user;

    m->actions++;
    return m->action_result;
}

static meeting *open_meeting(int parties, bool action)
{
    meeting *m = shared_alloc(sizeof *m);

    m->timeout = YOKE_FOREVER;
    assert_int_equal(
        yoke_barrier_create(&m->barrier, parties,
                            YOKE_OPTIONS(yoke_barrier_options, .action = action ? count_action : NULL, .user = m)),
        YOKE_OK);
    return m;
}

static void close_meeting(meeting *m)
{
    yoke_barrier_close(m->barrier);
    shared_free(m);
}

/* Goes by what is to be seen, and sleeps only between two looks. */
static void until_waiting(const meeting *m, int64_t n)
{
    while (yoke_barrier_waiting(m->barrier) != n)
        (void)usleep(200);
}

static bool error_says(const char *text)
{
    return strstr(yoke_last_error()->text, text) != NULL;
}

/* ---- rounds ------------------------------------------------------------------------------------------------------- */

static int pass_many(void *user)
{
    meeting *m = user;

    for (int i = 0; i < ROUNDS; i++) {
        int64_t index = -1;
        m->in_round[i]++;
        CHILD_CHECK(yoke_barrier_wait(m->barrier, YOKE_FOREVER, &index) == YOKE_OK);
        CHILD_CHECK(m->in_round[i] == PARTIES);
        m->indices[i] |= 1 << index;
    }
    return 0;
}

static void *pass_in_thread(void *user)
{
    return (void *)(intptr_t)pass_many(user);
}

static void test_all_parties_pass_each_round_together_and_have_an_index_each(void **state)
{
    meeting  *m = open_meeting(PARTIES, true);
    pid_t     children[3];
    pthread_t thread;

    (void)state;
    for (int i = 0; i < 3; i++)
        children[i] = child_start(pass_many, m);
    assert_int_equal(pthread_create(&thread, NULL, pass_in_thread, m), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(child_join(children[i]), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(m->indices[i], (1 << PARTIES) - 1);
    assert_int_equal(m->actions, ROUNDS);
    close_meeting(m);
}

static int wait_once(void *user)
{
    meeting *m = user;

    return yoke_barrier_wait(m->barrier, m->timeout, NULL) == m->expected ? 0 : 1;
}

/* Two of three are stopped when the round ends, and read how it ended three rounds later. */
static void test_who_is_slow_to_leave_is_not_mixed_up_with_later_rounds(void **state)
{
    meeting *m = open_meeting(2, false);
    pid_t    slow = child_start(wait_once, m);

    (void)state;
    until_waiting(m, 1);
    assert_true(sleeps(slow));
    assert_int_equal(kill(slow, SIGSTOP), 0);
    assert_int_equal(yoke_barrier_wait(m->barrier, YOKE_FOREVER, NULL), YOKE_OK);
    for (int i = 0; i < 5; i++) {
        pid_t other = child_start(wait_once, m);
        assert_int_equal(yoke_barrier_wait(m->barrier, YOKE_FOREVER, NULL), YOKE_OK);
        assert_int_equal(child_join(other), 0);
    }
    assert_int_equal(yoke_barrier_abort(m->barrier), YOKE_OK);
    assert_int_equal(kill(slow, SIGCONT), 0);
    assert_int_equal(child_join(slow), 0);
    close_meeting(m);
}

/* ---- breaking ------------------------------------------------------------------------------------------------------ */

static void start_waiters(meeting *m, pid_t *children, int n, int expected)
{
    m->expected = expected;
    for (int i = 0; i < n; i++)
        children[i] = child_start(wait_once, m);
    until_waiting(m, n);
}

static void join_all(const pid_t *children, int n)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(child_join(children[i]), 0);
}

static void expect_broken(meeting *m, const char *why)
{
    int64_t index = 77;

    assert_true(yoke_barrier_broken(m->barrier));
    assert_int_equal(yoke_barrier_waiting(m->barrier), 0);
    assert_int_equal(yoke_barrier_wait(m->barrier, YOKE_FOREVER, &index), YOKE_EBROKEN);
    assert_true(error_says(why));
    assert_int_equal(index, 77);
}

/* It is as good as new. */
static void expect_whole(meeting *m, int parties)
{
    pid_t children[8];

    assert_false(yoke_barrier_broken(m->barrier));
    start_waiters(m, children, parties - 1, YOKE_OK);
    assert_int_equal(yoke_barrier_wait(m->barrier, YOKE_FOREVER, NULL), YOKE_OK);
    join_all(children, parties - 1);
}

static void test_who_gives_up_breaks_it_for_all(void **state)
{
    meeting *m = open_meeting(4, false);
    pid_t    children[2];

    (void)state;
    start_waiters(m, children, 2, YOKE_EBROKEN);
    assert_int_equal(yoke_barrier_wait(m->barrier, 30, NULL), YOKE_ETIMEDOUT);
    assert_true(error_says("3 of 4"));
    join_all(children, 2);
    expect_broken(m, "time-out");
    assert_int_equal(yoke_barrier_reset(m->barrier), YOKE_OK);
    expect_whole(m, 4);
    close_meeting(m);
}

static void test_abort_breaks_it_until_it_is_reset(void **state)
{
    meeting *m = open_meeting(3, false);
    pid_t    children[2];

    (void)state;
    start_waiters(m, children, 2, YOKE_EBROKEN);
    assert_int_equal(yoke_barrier_abort(m->barrier), YOKE_OK);
    assert_int_equal(yoke_barrier_abort(m->barrier), YOKE_OK);
    join_all(children, 2);
    expect_broken(m, "aborted");
    assert_int_equal(yoke_barrier_reset(m->barrier), YOKE_OK);
    expect_whole(m, 3);
    assert_int_equal(yoke_barrier_abort(m->barrier), YOKE_OK); /* with nobody there, after a round */
    expect_broken(m, "aborted");
    assert_int_equal(yoke_barrier_reset(m->barrier), YOKE_OK);
    expect_whole(m, 3);
    close_meeting(m);
}

static void test_reset_sends_away_who_waits_and_breaks_nothing(void **state)
{
    meeting *m = open_meeting(3, false);
    pid_t    children[2];

    (void)state;
    assert_int_equal(yoke_barrier_reset(m->barrier), YOKE_OK);
    start_waiters(m, children, 2, YOKE_EBROKEN);
    assert_int_equal(yoke_barrier_reset(m->barrier), YOKE_OK);
    join_all(children, 2);
    expect_whole(m, 3);
    close_meeting(m);
}

static void test_an_action_that_fails_breaks_it(void **state)
{
    meeting *m = open_meeting(3, true);
    pid_t    children[2];

    (void)state;
    m->action_result = YOKE_ERANGE;
    start_waiters(m, children, 2, YOKE_EBROKEN);
    assert_int_equal(yoke_barrier_wait(m->barrier, YOKE_FOREVER, NULL), YOKE_ERANGE);
    join_all(children, 2);
    expect_broken(m, "action");
    m->action_result = 7;
    assert_int_equal(yoke_barrier_reset(m->barrier), YOKE_OK);
    expect_whole(m, 3);
    close_meeting(m);
}

/* ---- deaths -------------------------------------------------------------------------------------------------------- */

static void test_a_party_that_dies_waiting_breaks_it(void **state)
{
    meeting *m = open_meeting(4, false);
    pid_t    children[3];

    (void)state;
    start_waiters(m, children, 3, YOKE_EBROKEN);
    child_kill(children[0]);
    join_all(children + 1, 2);
    expect_broken(m, "death");
    assert_int_equal(yoke_last_error()->pid, children[0]);
    assert_int_equal(yoke_barrier_reset(m->barrier), YOKE_OK);
    expect_whole(m, 4);
    close_meeting(m);
}

static int join_and_stay(void *user)
{
    meeting *m = user;

    CHILD_CHECK(yoke_barrier_join(m->barrier) == YOKE_OK);
    m->stage = 1;
    (void)pause();
    return 0;
}

static void test_a_party_that_has_joined_breaks_it_wherever_it_dies(void **state)
{
    meeting *m = open_meeting(3, false);
    pid_t    waiters[2], joined = child_start(join_and_stay, m);

    (void)state;
    while (m->stage != 1)
        (void)sched_yield();
    start_waiters(m, waiters, 2, YOKE_EBROKEN);
    child_kill(joined);
    join_all(waiters, 2);
    expect_broken(m, "death");
    assert_int_equal(yoke_barrier_reset(m->barrier), YOKE_OK);
    expect_whole(m, 3);
    close_meeting(m);
}

static int join_and_leave(void *user)
{
    meeting      *m = user;
    yoke_barrier *again;

    CHILD_CHECK(yoke_barrier_join(m->barrier) == YOKE_OK);
    CHILD_CHECK(yoke_barrier_join(m->barrier) == YOKE_OK);
    CHILD_CHECK(yoke_barrier_join(m->barrier) == YOKE_EBUSY);
    CHILD_CHECK(yoke_barrier_leave(m->barrier) == YOKE_OK);
    CHILD_CHECK(yoke_barrier_open(&again, NULL, "meeting") == YOKE_OK);
    CHILD_CHECK(yoke_barrier_leave(again) == YOKE_ENOTOWNER);
    CHILD_CHECK(yoke_barrier_join(again) == YOKE_OK);
    yoke_barrier_close(again); /* which leaves */
    CHILD_CHECK(yoke_barrier_leave(m->barrier) == YOKE_OK);
    CHILD_CHECK(yoke_barrier_leave(m->barrier) == YOKE_ENOTOWNER);
    return 0;
}

static void test_who_has_left_breaks_nothing(void **state)
{
    meeting *m = shared_alloc(sizeof *m);

    (void)state;
    m->timeout = YOKE_FOREVER;
    assert_int_equal(yoke_barrier_create(&m->barrier, 2, YOKE_OPTIONS(yoke_barrier_options, .name = "meeting")),
                     YOKE_OK);
    assert_int_equal(child_join(child_start(join_and_leave, m)), 0);
    expect_whole(m, 2);
    close_meeting(m);
}

static int act_for_ever(void *user)
{
    ((meeting *)user)->stage = (int)getpid();
    (void)pause();
    return 0;
}

static void test_who_dies_in_the_action_breaks_it(void **state)
{
    meeting *m = open_meeting(3, true);
    pid_t    children[3];

    (void)state;
    assert_int_equal(yoke_barrier_set_action(m->barrier, act_for_ever, m), YOKE_OK);
    m->expected = YOKE_EBROKEN;
    for (int i = 0; i < 3; i++)
        children[i] = child_start(wait_once, m);
    while (m->stage == 0)
        (void)sched_yield();
    assert_int_equal(yoke_barrier_waiting(m->barrier), 3);
    assert_int_equal(yoke_barrier_wait(m->barrier, 20, NULL), YOKE_ETIMEDOUT); /* not a party of that round */
    assert_false(yoke_barrier_broken(m->barrier));
    assert_int_equal(kill(m->stage, SIGKILL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(child_join(children[i]), children[i] == m->stage ? 1000 + SIGKILL : 0);
    expect_broken(m, "death");
    close_meeting(m);
}

/* ---- closing ------------------------------------------------------------------------------------------------------- */

static void *wait_in_thread(void *user)
{
    return (void *)(intptr_t)yoke_barrier_wait(user, YOKE_FOREVER, NULL);
}

static void test_closing_wakes_the_waiters_of_this_process_and_breaks_it(void **state)
{
    yoke_barrier *barrier, *same;
    pthread_t     thread;
    void         *result;

    (void)state;
    assert_int_equal(yoke_barrier_create(&barrier, 2, YOKE_OPTIONS(yoke_barrier_options, .name = "closing")), YOKE_OK);
    assert_int_equal(yoke_barrier_open(&same, NULL, "closing"), YOKE_OK);
    assert_int_equal(pthread_create(&thread, NULL, wait_in_thread, same), 0);
    while (yoke_barrier_waiting(barrier) != 1) /* between two looks */
        (void)usleep(200);
    yoke_barrier_close(same);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_int_equal((int)(intptr_t)result, YOKE_ECLOSED);
    assert_true(yoke_barrier_broken(barrier));
    assert_int_equal(yoke_barrier_wait(barrier, YOKE_FOREVER, NULL), YOKE_EBROKEN);
    assert_true(error_says("close"));
    yoke_barrier_close(barrier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_parties_pass_each_round_together_and_have_an_index_each),
        cmocka_unit_test(test_who_is_slow_to_leave_is_not_mixed_up_with_later_rounds),
        cmocka_unit_test(test_who_gives_up_breaks_it_for_all),
        cmocka_unit_test(test_abort_breaks_it_until_it_is_reset),
        cmocka_unit_test(test_reset_sends_away_who_waits_and_breaks_nothing),
        cmocka_unit_test(test_an_action_that_fails_breaks_it),
        cmocka_unit_test(test_a_party_that_dies_waiting_breaks_it),
        cmocka_unit_test(test_a_party_that_has_joined_breaks_it_wherever_it_dies),
        cmocka_unit_test(test_who_has_left_breaks_nothing),
        cmocka_unit_test(test_who_dies_in_the_action_breaks_it),
        cmocka_unit_test(test_closing_wakes_the_waiters_of_this_process_and_breaks_it),
    };
    return cmocka_run_group_tests_name("barrier", tests, shared_setup, shared_teardown);
}
