/*
 * Processes go through semaphores of both modes and wait for an event while others are killed at random. In permit mode
 * never more are inside than there are permits, and all permits return; in signal mode what the dead took is made up for;
 * nobody hangs.
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

enum { WORKERS = 6, PLACES = 2, MINUTE = 60000 };

/* A worker's own; what it holds is judged when it is dead. */
typedef struct desk {
    _Atomic int64_t turns;
    _Atomic int     inside; /* it has acquired, and not begun to release */
} desk;

typedef struct hall {
    yoke_semaphore *semaphore;
    yoke_event     *event;
    desk            desks[WORKERS];
    _Atomic int     kills; /* begun and ended: odd while one of the desks may be a dead one's */
    _Atomic int     stop;
} hall;

static int
    next; /* which desk a new worker gets; this process's own, so that a child keeps what stood there at its fork */

/* What those at the desks hold together; not to be judged if one of them died meanwhile, since its permit may be taken
 * over before its desk is cleared. */
static bool too_many_inside(const hall *h)
{
    int kills = h->kills, inside = 0;

    for (int i = 0; i < WORKERS; i++)
        inside += h->desks[i].inside;
    return inside > PLACES && kills % 2 == 0 && h->kills == kills;
}

static int work(void *user)
{
    hall *h = user;
    desk *mine = &h->desks[next];

    mine->inside = 0;
    while (!h->stop) {
        CHILD_CHECK(yoke_semaphore_acquire(h->semaphore, MINUTE) >= 0);
        mine->inside = 1;
        CHILD_CHECK(!too_many_inside(h));
        mine->inside = 0;
        mine->turns++;
        CHILD_CHECK(yoke_semaphore_release(h->semaphore) == YOKE_OK);
        if (mine->turns % 16 == 0) {
            int result = yoke_event_wait(h->event, 5);
            CHILD_CHECK(result == YOKE_OK || result == YOKE_ETIMEDOUT);
        }
        if (mine->turns % 7 == 0) {
            (void)yoke_event_set(h->event);
            (void)yoke_event_clear(h->event);
        }
    }
    return 0;
}

static int seconds_of_stress(void)
{
    const char *text = getenv("YOKE_STRESS_SECONDS");
    int         seconds = text ? atoi(text) : 0;

    return seconds > 0 ? seconds / 2 + 1 : 4;
}

static int64_t turns_of(const hall *h)
{
    int64_t turns = 0;

    for (int i = 0; i < WORKERS; i++)
        turns += h->desks[i].turns;
    return turns;
}

/* In signal mode, what has gone with the dead: between 0 and their number. Until the workers make turns again. */
static void make_up(hall *h, int *lost, int deaths)
{
    int64_t   before = turns_of(h);
    long long end = milliseconds() + 1500;

    while (turns_of(h) < before + 20 && milliseconds() < end)
        (void)usleep(1000);
    if (turns_of(h) >= before + 20)
        return;
    assert_int_equal(yoke_semaphore_value(h->semaphore), 0); /* so they wait for what the dead have taken */
    assert_true(++*lost <= deaths);
    assert_int_equal(yoke_semaphore_release(h->semaphore), YOKE_OK);
}

static void until_they_go_on(hall *h)
{
    int64_t   before = turns_of(h);
    long long end = milliseconds() + MINUTE;

    while (turns_of(h) < before + 20)
        assert_true(milliseconds() < end && usleep(1000) == 0);
}

static void kill_at_random(bool permits)
{
    hall     *h = shared_alloc(sizeof *h);
    pid_t     workers[WORKERS];
    int       deaths = 0, lost = 0;
    unsigned  seed = (unsigned)getpid();
    long long end = milliseconds() + seconds_of_stress() * 1000;

    assert_int_equal(
        yoke_semaphore_create(&h->semaphore, PLACES, YOKE_OPTIONS(yoke_semaphore_options, .permits = permits)),
        YOKE_OK);
    assert_int_equal(yoke_event_create(&h->event, NULL), YOKE_OK);
    for (next = 0; next < WORKERS; next++)
        workers[next] = child_start(work, h);
    while (milliseconds() < end) {
        next = rand_r(&seed) % WORKERS;
        (void)usleep((unsigned)(rand_r(&seed) % 3000));
        h->kills++;
        child_kill(workers[next]);
        h->desks[next].inside = 0;
        h->kills++;
        deaths++;
        if (permits)
            until_they_go_on(h);
        else
            make_up(h, &lost, deaths);
        workers[next] = child_start(work, h);
    }
    h->stop = 1;
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(child_join(workers[i]), 0);
    (void)yoke__domain_recover(shared_domain());
    if (permits)
        assert_int_equal(yoke_semaphore_value(h->semaphore), PLACES);
    else
        assert_in_range(yoke_semaphore_value(h->semaphore), PLACES + lost - deaths < 0 ? 0 : PLACES + lost - deaths,
                        PLACES);
    printf("%s mode: %d killed, %d lost with them, %lld turns\n", permits ? "permit" : "signal", deaths, lost,
           (long long)turns_of(h));
    yoke_semaphore_close(h->semaphore);
    yoke_event_close(h->event);
    shared_free(h);
}

static void test_signals_survive_random_kills(void **state)
{
    (void)state;
    kill_at_random(false);
}

static void test_permits_survive_random_kills(void **state)
{
    (void)state;
    kill_at_random(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals_survive_random_kills),
        cmocka_unit_test(test_permits_survive_random_kills),
    };
    return cmocka_run_group_tests_name("semaphores under random kills", tests, shared_setup, shared_teardown);
}
