/*
 * Processes meet at a barrier over and over while one after the other is killed at random and replaced. Nobody goes on
 * unless all have come, nobody hangs, and in the end the barrier is as good as new.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/domain/participant.h"
#include "support/child.h"
#include "support/shared.h"

#include <yoke/yoke.h>

enum { PARTIES = 4, MINUTE = 60000 };

typedef struct hall {
    yoke_barrier   *barrier;
    bool            joined;          /* all say that they are parties, so that a death anywhere is one */
    _Atomic int     in[PARTIES];     /* that one is about to wait, or waits */
    _Atomic int64_t passed[PARTIES]; /* by index: rounds that were passed */
    _Atomic int64_t actions;
    _Atomic int     kills; /* begun and ended: odd while what a dead one left may be misleading */
    _Atomic int     stop, early;
} hall;

static int next; /* which place a new one has; this process's own, so that a child keeps what stood there at its fork */

/* All wait while it runs; unless one of them has been killed meanwhile. */
static int look_around(void *user)
{
    hall *h = user;
    int   kills = h->kills, here = 0;

    for (int i = 0; i < PARTIES; i++)
        here += h->in[i];
    if (here < PARTIES && kills % 2 == 0 && h->kills == kills)
        h->early++;
    h->actions++;
    return YOKE_OK;
}

static void join(hall *h)
{
    int result = YOKE_OK;

    for (long long end = milliseconds() + MINUTE; h->joined && milliseconds() < end;) {
        result = yoke_barrier_join(h->barrier);
        if (result != YOKE_EBUSY)
            break;
        (void)yoke__domain_recover(shared_domain()); /* one of the places is a dead one's */
    }
    CHILD_CHECK(result == YOKE_OK);
}

static int meet(void *user)
{
    hall   *h = user;
    int     mine = next;
    int64_t index = -1;

    join(h);
    while (!h->stop) {
        h->in[mine] = 1;
        int result = yoke_barrier_wait(h->barrier, MINUTE, &index);
        h->in[mine] = 0;
        if (result == YOKE_OK) {
            CHILD_CHECK(index >= 0 && index < PARTIES);
            h->passed[index]++;
            continue;
        }
        CHILD_CHECK(result == YOKE_EBROKEN);
        if (yoke_barrier_broken(h->barrier) && !h->stop)
            CHILD_CHECK(yoke_barrier_reset(h->barrier) == YOKE_OK);
    }
    if (h->joined)
        CHILD_CHECK(yoke_barrier_leave(h->barrier) == YOKE_OK);
    return 0;
}

static int64_t passed(const hall *h)
{
    int64_t sum = 0;

    for (int i = 0; i < PARTIES; i++)
        sum += h->passed[i];
    return sum;
}

static void until_they_go_on(hall *h)
{
    int64_t   before = passed(h);
    long long end = milliseconds() + MINUTE;

    while (passed(h) < before + (int64_t)PARTIES * 5)
        assert_true(milliseconds() < end && usleep(1000) == 0);
}

static int seconds_of_stress(void)
{
    const char *text = getenv("YOKE_STRESS_SECONDS");
    int         seconds = text ? atoi(text) : 0;

    return seconds > 0 ? seconds / 2 + 1 : 5;
}

/* Each round was passed by all, or not at all, but for those killed before they could count it. */
static void check_rounds(const hall *h, int deaths)
{
    for (int i = 0; i < PARTIES; i++) {
        assert_true(h->passed[i] <= h->actions);
        for (int k = 0; k < PARTIES; k++)
            assert_true(h->passed[i] - h->passed[k] <= deaths);
    }
    assert_int_equal(h->early, 0);
}

static void end_all(hall *h, const pid_t parties[PARTIES])
{
    h->kills++; /* who acts is alone from now on */
    h->stop = 1;
    assert_int_equal(yoke_barrier_abort(h->barrier), YOKE_OK);
    for (int i = 0; i < PARTIES; i++)
        assert_int_equal(child_join(parties[i]), 0);
    (void)yoke__domain_recover(shared_domain());
    assert_int_equal(yoke_barrier_reset(h->barrier), YOKE_OK);
    assert_false(yoke_barrier_broken(h->barrier));
    assert_int_equal(yoke_barrier_waiting(h->barrier), 0);
    for (int i = 0; i < PARTIES; i++) /* no place is a dead one's */
        assert_int_equal(yoke_barrier_join(h->barrier), YOKE_OK);
}

static void kill_at_random(bool joined)
{
    hall     *h = shared_alloc(sizeof *h);
    pid_t     parties[PARTIES];
    unsigned  seed = (unsigned)getpid();
    int       deaths = 0;
    long long end = milliseconds() + seconds_of_stress() * 1000;

    h->joined = joined;
    assert_int_equal(
        yoke_barrier_create(&h->barrier, PARTIES, YOKE_OPTIONS(yoke_barrier_options, .action = look_around, .user = h)),
        YOKE_OK);
    for (next = 0; next < PARTIES; next++)
        parties[next] = child_start(meet, h);
    while (milliseconds() < end) {
        next = rand_r(&seed) % PARTIES;
        (void)usleep((unsigned)(rand_r(&seed) % 3000));
        h->kills++;
        child_kill(parties[next]);
        h->in[next] = 0;
        deaths++;
        parties[next] = child_start(meet, h);
        until_they_go_on(h); /* by when the dead one's round is over */
        h->kills++;
    }
    end_all(h, parties);
    check_rounds(h, deaths);
    printf("barrier: %d killed, %lld rounds\n", deaths, (long long)h->actions);
    yoke_barrier_close(h->barrier);
    shared_free(h);
}

static void test_a_death_in_the_barrier_is_survived(void **state)
{
    (void)state;
    kill_at_random(false);
}

static void test_a_death_anywhere_of_one_that_joined_is_survived(void **state)
{
    (void)state;
    kill_at_random(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_death_in_the_barrier_is_survived),
        cmocka_unit_test(test_a_death_anywhere_of_one_that_joined_is_survived),
    };
    return cmocka_run_group_tests_name("barriers, killed", tests, shared_setup, shared_teardown);
}
