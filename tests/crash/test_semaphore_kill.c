/*
 * A process is killed anywhere in acquire, release, a wait, a takeover and a sweep of a semaphore, in both modes, while
 * others sleep in it. Nobody sleeps on over something for more than three slices though nobody helps; in permit mode no
 * permit is lost, in signal mode the value is what it was before or after the call.
 */
#include "begin.h"
#include "core/sync/semaphore.h"
#include "semaphore_fixture.h"
#include "support/child.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef CRASH_MUTANT
#define CRASH_MUTANT 0
#endif

#ifdef YOKE_CRASH_POINTS
#define RUN     crash_run_points
#define RECOVER semaphore_recover
#else
#define RUN     crash_run
#define RECOVER NULL
#endif

static int faults_found;

/* ---- what victims do ----------------------------------------------------------------------------------------------- */

static yoke_semaphore *of(void *context)
{
    return ((semaphore_fixture *)context)->semaphore;
}

static void release(void *context)
{
    (void)yoke_semaphore_release(of(context));
}

static void release_two(void *context)
{
    (void)yoke_semaphore_release_many(of(context), 2);
}

static void acquire(void *context)
{
    (void)!yoke_semaphore_acquire(of(context), YOKE_NOWAIT);
}

static void acquire_and_release(void *context)
{
    if (yoke_semaphore_acquire(of(context), YOKE_NOWAIT) >= 0)
        (void)yoke_semaphore_release(of(context));
}

/* Long enough to be asleep before it is over, stepped as it is. */
static void wait_a_while(void *context)
{
    (void)!yoke_semaphore_acquire(of(context), 60);
}

/* ---- cases --------------------------------------------------------------------------------------------------------- */

static void run(semaphore_case test)
{
    crash_result result;
    crash_case   c = {.name = test.name,
                      .set_up = semaphore_set_up,
                      .enter = semaphore_enter,
                      .operation = test.operation,
                      .recover = RECOVER,
                      .verify = semaphore_verify,
                      .tear_down = semaphore_tear_down,
                      .context = &semaphore_now,
                      .stride = 1,
                      .second_stride = test.dead                        ? 97
                                       : test.operation == wait_a_while ? 41
                                                                        : 13,
                      .part = 3,
                      .expect_fault = CRASH_MUTANT != 0};

    if (CRASH_MUTANT && faults_found)
        return;
    if (!test.permits)
        c.recover = NULL; /* there is nothing to recover */
    semaphore_now.test = &test;
    assert_true(RUN(&c, &result));
    if (CRASH_MUTANT)
        faults_found += result.faults > 0;
    else if (result.faults)
        fail_msg("%s: %s", test.name, result.first);
    else
        assert_true(result.points > 0);
}

static void test_signals_released_to_sleepers(void **state)
{
    (void)state;
    run((semaphore_case){.name = "signal: release, asleep", .sleepers = 1, .adds = 1, .operation = release});
    run((semaphore_case){.name = "signal: release 2, 2 asleep", .sleepers = 2, .adds = 2, .operation = release_two});
    run((semaphore_case){
        .name = "signal: release, one waits", .sleepers = 1, .among = true, .adds = 1, .operation = release});
}

static void test_a_signal_semaphore_at_its_max(void **state)
{
    (void)state;
    run((semaphore_case){.name = "signal: release at max", .initial = 2, .max = 2, .adds = 1, .operation = release});
}

static void test_signals_acquired(void **state)
{
    (void)state;
    run((semaphore_case){.name = "signal: acquire", .initial = 2, .takes = 1, .operation = acquire});
    run((semaphore_case){
        .name = "signal: wait beside a sleeper", .sleepers = 1, .takes = 1, .release = 1, .operation = wait_a_while});
    run((semaphore_case){
        .name = "signal: woken beside a sleeper", .sleepers = 1, .helped = 1, .takes = 1, .operation = wait_a_while});
}

static void test_permits_released_to_sleepers(void **state)
{
    (void)state;
    run((semaphore_case){
        .name = "permit: release, one asleep", .permits = 1, .sleepers = 1, .holds = 1, .operation = release});
    run((semaphore_case){
        .name = "permit: release 2, 2 asleep", .permits = 2, .sleepers = 2, .holds = 2, .operation = release_two});
    run((semaphore_case){.name = "permit: release, one waits",
                         .permits = 1,
                         .sleepers = 1,
                         .among = true,
                         .holds = 1,
                         .operation = release});
}

static void test_permits_acquired(void **state)
{
    (void)state;
    run((semaphore_case){.name = "permit: acquire, release", .permits = 2, .operation = acquire_and_release});
    run((semaphore_case){.name = "permit: wait beside a sleeper",
                         .permits = 1,
                         .sleepers = 1,
                         .mine = 1,
                         .release = 1,
                         .operation = wait_a_while});
    run((semaphore_case){
        .name = "permit: woken beside a sleeper", .permits = 1, .sleepers = 1, .helped = 1, .operation = wait_a_while});
}

static void test_permits_of_the_dead(void **state)
{
    (void)state;
    run((semaphore_case){
        .name = "permit: take over, release", .permits = 2, .dead = 2, .operation = acquire_and_release});
    run((semaphore_case){
        .name = "permit: take over the only one", .permits = 1, .dead = 1, .operation = acquire_and_release});
    run((semaphore_case){.name = "permit: sweep", .permits = 3, .dead = 2, .operation = semaphore_recover});
}

/* ---- nothing relies on slices ---------------------------------------------------------------------------------------- */

static int acquire_for_ever(void *user)
{
    return yoke_semaphore_acquire(of(user), YOKE_FOREVER);
}

static int wait_among(void *user)
{
    semaphore_fixture *f = user;
    yoke_wait_entry    entries[] = {yoke_wait_event_set(f->never), yoke_wait_semaphore_available(f->semaphore)};

    return yoke_wait(entries, 2, YOKE_FOREVER);
}

static bool never(void *user)
{
    (void)user;
    return false;
}

/* Nobody dies here, so every sleeper has to be woken: they would sleep for an hour. */
static void all_are_woken(const semaphore_case *test, int (*wait)(void *), int by)
{
    semaphore_fixture *f = &semaphore_now;

    if (CRASH_MUTANT && faults_found)
        return;
    f->test = test;
    semaphore_make(f);
    for (int i = 0; i < test->mine; i++)
        assert_int_equal(yoke_semaphore_acquire(f->semaphore, YOKE_NOWAIT), YOKE_OK);
    sleepers_start(&f->sleepers, test->sleepers, wait, f, true);
    sleepers_begin(&f->sleepers);
    sleepers_mark(&f->sleepers);
    for (int i = 0; i < test->sleepers; i += by)
        assert_int_equal(yoke_semaphore_release_many(f->semaphore, by), YOKE_OK);
    const char *wrong = sleepers_end(&f->sleepers, never, f, CRASH_MUTANT ? 2000 : SLEEPERS_PATIENCE);
    semaphore_tear_down(f);
    if (CRASH_MUTANT)
        faults_found += wrong != NULL;
    else if (wrong)
        fail_msg("%s: %s", test->name, wrong);
}

static void test_wake_ups_do_not_rely_on_slices(void **state)
{
    (void)state;
    for (int times = 0; times < 3; times++)
        for (int permits = 0; permits <= 4; permits += 4)
            for (int by = 1; by <= 4; by *= 2) {
                const semaphore_case test = {.name = "no slices", .permits = permits, .mine = permits, .sleepers = 4};
                all_are_woken(&test, acquire_for_ever, by);
            }
}

static void test_watchers_are_rung(void **state)
{
    (void)state;
    for (int permits = 0; permits <= 1; permits++) {
        const semaphore_case test = {.name = "rung", .permits = permits, .mine = permits, .sleepers = 1};
        all_are_woken(&test, wait_among, 1);
    }
}

static int check_mutant(void **state)
{
    (void)state;
    if (CRASH_MUTANT && faults_found == 0)
        fprintf(stderr, "the planted fault was not found\n");
    return CRASH_MUTANT && faults_found == 0;
}

static int share(void **state)
{
    (void)state;
    yoke__spin_set(0); /* a victim is stepped instruction by instruction: spinning would be most of them */
    sleepers_share(&semaphore_now.sleepers);
    return 0;
}

int main(int argc, char **argv)
{
    crash_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wake_ups_do_not_rely_on_slices),
        cmocka_unit_test(test_watchers_are_rung),
        cmocka_unit_test(test_a_signal_semaphore_at_its_max),
        cmocka_unit_test(test_permits_of_the_dead),
        cmocka_unit_test(test_signals_acquired),
        cmocka_unit_test(test_signals_released_to_sleepers),
        cmocka_unit_test(test_permits_acquired),
        cmocka_unit_test(test_permits_released_to_sleepers),
    };
    return cmocka_run_group_tests_name("semaphores, killed", tests, share, check_mutant);
}
