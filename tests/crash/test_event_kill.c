/*
 * A process is killed anywhere in set, clear and a wait of an event, and in making, opening and closing events and
 * semaphores, while others sleep. Whoever slept at a set goes on within three slices, though nobody helps; nothing is
 * left of the dead.
 */
#include "begin.h"
#include "core/domain/allocator.h"
#include "core/domain/directory.h"
#include "core/domain/participant.h"
#include "core/sync/event.h"
#include "core/wait/word.h"
#include "harness.h"
#include "sleepers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <yoke/yoke.h>

#ifndef CRASH_MUTANT
#define CRASH_MUTANT 0
#endif

#ifdef YOKE_CRASH_POINTS
#define RUN     crash_run_points
#define RECOVER recover
#else
#define RUN     crash_run
#define RECOVER NULL
#endif

typedef struct fixture {
    yoke_domain *domain;
    yoke_event  *event;
    sleepers     sleepers;
    bool         among;  /* they wait for it besides a semaphore */
    bool         stands; /* it is set to begin with, and nobody sleeps */
    uint64_t     blocks;
} fixture;

static fixture now;
static int     faults_found;

static uint32_t word_of(const fixture *f)
{
    return yoke__a32_load_acquire(&((const yoke__event_state *)f->event->handle.object)->word);
}

static uint64_t blocks_in_use(const fixture *f)
{
    yoke__alloc_stats stats = {0};

    if (yoke__alloc_check(f->domain, &stats) != YOKE_OK)
        return UINT64_MAX;
    return stats.token_blocks + stats.object_blocks;
}

/* ---- the sleepers -------------------------------------------------------------------------------------------------- */

static int wait_for_it(void *user)
{
    fixture *f = user;

    return yoke_event_wait(f->event, YOKE_FOREVER);
}

static int wait_among(void *user)
{
    fixture        *f = user;
    yoke_semaphore *never;

    YOKE_TRY(yoke_semaphore_create(&never, 0, YOKE_OPTIONS(yoke_semaphore_options, .domain = f->domain)));
    yoke_wait_entry entries[] = {yoke_wait_semaphore_available(never), yoke_wait_event_set(f->event)};
    return yoke_wait(entries, 2, YOKE_FOREVER);
}

static bool never(void *user)
{
    (void)user;
    return false;
}

/* ---- each trial ---------------------------------------------------------------------------------------------------- */

static void make(fixture *f)
{
    char name[64];

    (void)snprintf(name, sizeof name, "event-kill-%ld", (long)getpid());
    assert_int_equal(yoke_domain_open(&f->domain, name, NULL), YOKE_OK);
    crash_hide(f->domain);
    assert_int_equal(yoke_event_create(&f->event, YOKE_OPTIONS(yoke_event_options, .domain = f->domain)), YOKE_OK);
}

static void set_up(void *context)
{
    fixture *f = context;

    make(f);
    if (f->stands)
        assert_int_equal(yoke_event_set(f->event), YOKE_OK);
    sleepers_start(&f->sleepers, f->stands ? 0 : 2, f->among ? wait_among : wait_for_it, f, false);
    sleepers_begin(&f->sleepers);
    f->blocks = blocks_in_use(f);
}

static void enter(void *context)
{
    if (!yoke__domain_token(((fixture *)context)->domain))
        abort();
}

static void recover(void *context)
{
    (void)yoke__domain_recover(((fixture *)context)->domain);
}

/* Was it ever set? Then all must end; else a set of the survivor's ends them. */
static const char *verify(void *context)
{
    fixture    *f = context;
    const char *wrong;

    sleepers_mark(&f->sleepers);
    if ((word_of(f) & ~YOKE__WAITERS) == 0 && yoke_event_set(f->event) != YOKE_OK)
        return "the survivor can't set it";
    if (f->among && !yoke_event_is_set(f->event))
        (void)yoke_event_set(f->event); /* set and cleared: a look comes too late for that */
    wrong = sleepers_end(&f->sleepers, never, f, SLEEPERS_PATIENCE);
    if (wrong)
        return wrong;
    if (yoke_event_set(f->event) != YOKE_OK || yoke_event_wait(f->event, YOKE_NOWAIT) != YOKE_OK)
        return "it can't be set any more";
    if (yoke_event_clear(f->event) != YOKE_OK || yoke_event_wait(f->event, 1) != YOKE_ETIMEDOUT)
        return "it can't be cleared any more";
    recover(f);
    return blocks_in_use(f) == f->blocks ? NULL : "blocks are in use that were not";
}

static void tear_down(void *context)
{
    fixture *f = context;

    sleepers_kill(&f->sleepers);
    yoke_event_close(f->event);
    yoke_domain_close(f->domain);
}

/* ---- what victims do ----------------------------------------------------------------------------------------------- */

static void set(void *context)
{
    (void)yoke_event_set(((fixture *)context)->event);
}

static void set_and_clear(void *context)
{
    (void)yoke_event_set(((fixture *)context)->event);
    (void)yoke_event_clear(((fixture *)context)->event);
}

static void clear_and_set(void *context)
{
    (void)yoke_event_clear(((fixture *)context)->event);
    (void)yoke_event_set(((fixture *)context)->event);
}

static void wait_a_while(void *context)
{
    (void)!yoke_event_wait(((fixture *)context)->event, 60);
}

static void make_and_close(void *context)
{
    yoke_domain    *domain = ((fixture *)context)->domain;
    yoke_event     *event = NULL;
    yoke_semaphore *signals = NULL, *permits = NULL, *same = NULL;

    if (yoke_event_create(&event, YOKE_OPTIONS(yoke_event_options, .domain = domain, .name = "begin")) != YOKE_OK ||
        yoke_semaphore_create(&signals, 0, YOKE_OPTIONS(yoke_semaphore_options, .domain = domain)) != YOKE_OK ||
        yoke_semaphore_create(
            &permits, 99, YOKE_OPTIONS(yoke_semaphore_options, .domain = domain, .name = "places", .permits = true)) !=
            YOKE_OK ||
        yoke_semaphore_open(&same, domain, "places") != YOKE_OK)
        abort();
    yoke_event_close(event);
    yoke_semaphore_close(signals);
    yoke_semaphore_close(permits);
    yoke_semaphore_close(same);
}

/* ---- cases --------------------------------------------------------------------------------------------------------- */

static void run(const char *name, void (*operation)(void *))
{
    crash_result result;
    crash_case   c = {.name = name,
                      .set_up = set_up,
                      .enter = enter,
                      .operation = operation,
                      .recover = RECOVER,
                      .verify = verify,
                      .tear_down = tear_down,
                      .context = &now,
                      .stride = operation == make_and_close ? 3 : 1,
                      .second_stride = 29,
                      .part = 2,
                      .expect_fault = CRASH_MUTANT != 0};

    if (CRASH_MUTANT && faults_found)
        return;
    if (operation != make_and_close)
        c.recover = NULL; /* there is nothing to recover */
    assert_true(RUN(&c, &result));
    if (CRASH_MUTANT)
        faults_found += result.faults > 0;
    else if (result.faults)
        fail_msg("%s: %s", name, result.first);
    else
        assert_true(result.points > 0);
    now.among = now.stands = false;
}

static void test_setters(void **state)
{
    (void)state;
    run("event: set, two asleep", set);
    run("event: set, clear, two asleep", set_and_clear);
    now.among = true;
    run("event: set, two wait", set);
}

static void test_waiters_and_clearers(void **state)
{
    (void)state;
    now.stands = true;
    run("event: clear, set", clear_and_set);
    run("event: wait beside sleepers", wait_a_while);
}

static void test_makers(void **state)
{
    (void)state;
    now.stands = true;
    run("make, open and close all kinds", make_and_close);
}

/* Nobody dies here, so every sleeper has to be woken: they would sleep for an hour. */
static void test_wake_ups_do_not_rely_on_slices(void **state)
{
    (void)state;
    for (int among = 0; among < 2; among++) {
        make(&now);
        sleepers_start(&now.sleepers, 3, among ? wait_among : wait_for_it, &now, true);
        sleepers_begin(&now.sleepers);
        sleepers_mark(&now.sleepers);
        assert_int_equal(yoke_event_set(now.event), YOKE_OK);
        if (!among)
            assert_int_equal(yoke_event_clear(now.event), YOKE_OK);
        const char *wrong = sleepers_end(&now.sleepers, never, &now, CRASH_MUTANT ? 2000 : SLEEPERS_PATIENCE);
        tear_down(&now);
        faults_found += wrong != NULL;
        if (!CRASH_MUTANT && wrong)
            fail_msg("%s", wrong);
    }
}

static int share(void **state)
{
    (void)state;
    yoke__spin_set(0); /* a victim is stepped instruction by instruction: spinning would be most of them */
    sleepers_share(&now.sleepers);
    return 0;
}

static int check_mutant(void **state)
{
    (void)state;
    return CRASH_MUTANT && faults_found == 0;
}

int main(int argc, char **argv)
{
    crash_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wake_ups_do_not_rely_on_slices),
        cmocka_unit_test(test_setters),
        cmocka_unit_test(test_waiters_and_clearers),
        cmocka_unit_test(test_makers),
    };
    return cmocka_run_group_tests_name("events, killed", tests, share, check_mutant);
}
