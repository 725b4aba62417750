/* The part of sleeper.h that depends on how a program is built. Included once by each. */
#ifndef YOKE_TESTS_CRASH_SLEEPER_MAIN_H
#define YOKE_TESTS_CRASH_SLEEPER_MAIN_H

#include "sleeper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#ifdef CRASH_MUTANT
static const bool is_mutant = true;
#else
static const bool is_mutant = false;
#endif
static bool found;

static void complain(const char *name, const char *wrong)
{
    if (!is_mutant)
        fail_msg("%s: %s", name, wrong);
    printf("found: %s: %s\n", name, wrong);
    found = true;
}

void sleepers_run(crash_case test)
{
    crash_result result;

    if (found)
        return;
    test.expect_fault = is_mutant;
    sleepers_patience = is_mutant ? 3000 : sleepers_patience;
#ifdef YOKE_CRASH_POINTS
    bool ran = crash_run_points(&test, &result);
#else
    test.recover = NULL; /* nobody helps */
    bool ran = crash_run(&test, &result);
#endif
    if (!ran)
        fail_msg("%s: %s", test.name, result.first);
    if (result.faults)
        complain(test.name, result.first);
}

void sleepers_woken(long long (*attempt)(void))
{
    long long best = 1000;

    for (int i = 0; i < 5 && best > 75; i++) {
        long long took = attempt();
        best = took < best ? took : best;
    }
    if (best > 75)
        complain("wake-up", "who sleeps is not woken, but looks by itself after a slice");
}

int sleepers_exit(int failed)
{
    return is_mutant ? !found : failed;
}

#endif
