/*
 * A process is killed at every instruction of making, opening, closing, unlinking and reclaiming named segments: who uses
 * one goes on undisturbed, the name is free or can be made so, what is to stay stays whole, and nothing is left behind.
 *
 * Built twice: here the victim is killed at every n-th instruction; with YOKE_CRASH_POINTS before every shared store, and who
 * comes after it before every store of its own. And
 * once more for each planted fault of mutants.cmake, with CRASH_MUTANT defined: then at least one kill must be
 * followed by a complaint.
 */
#include "begin.h"
#include "core/backend.h"
#include "core/memory/segment.h"
#include "guard.h"
#include "harness.h"
#include "support/child.h"
#include "support/leak.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <yoke/process.h>
#include <yoke/shm.h>

#ifndef CRASH_MUTANT
#define CRASH_MUTANT 0
#endif

#ifdef YOKE_CRASH_POINTS
#define RUN       crash_run_points
#define AFTER(by) by
#else
#define RUN crash_run
#define AFTER(by)                                                                                                      \
    NULL /* a second process killed for each of so many would take minutes: before each store it is quick */
#endif

#define SIZE 5000

static struct {
    char      name[64];
    yoke_shm *mine;   /* the survivor's, if it uses it */
    yoke_shm *theirs; /* the victim's */
    bool      persist;
    bool      kept; /* the survivor uses it meanwhile */
} now;

static bool exists(void)
{
    char        path[160];
    struct stat status;
    (void)snprintf(path, sizeof path, "/dev/shm/yoke-%lu-+%s", (unsigned long)geteuid(), now.name);
    return stat(path, &status) == 0;
}

static int make(yoke_shm **out, yoke_open_mode mode)
{
    return yoke_shm_create(out, SIZE,
                           YOKE_OPTIONS(yoke_shm_options, .name = now.name, .mode = mode, .persist = now.persist));
}

static void fill(const yoke_shm *shm)
{
    memset(yoke_shm_data(shm), 'k', SIZE);
}

static bool is_filled(const yoke_shm *shm)
{
    const char *data = yoke_shm_data_const(shm);
    for (size_t i = 0; i < SIZE; i++)
        if (data[i] != 'k')
            return false;
    return yoke_shm_size(shm) == SIZE;
}

/* ---- before ------------------------------------------------------------------------------------------------------ */

static void set_up(void *context)
{
    (void)context;
    if (!now.kept)
        return;
    assert_int_equal(make(&now.mine, YOKE_CREATE), YOKE_OK);
    fill(now.mine);
}

static int make_fill_and_die(void *user)
{
    (void)user;
    if (make(&now.theirs, YOKE_CREATE) < 0)
        return 1;
    fill(now.theirs);
    (void)raise(SIGKILL);
    return 0;
}

/* The last user is dead: a leftover, or one that stays. */
static void set_up_left(void *context)
{
    (void)context;
    assert_int_equal(child_join(child_start(make_fill_and_die, NULL)), 1000 + SIGKILL);
    assert_true(exists());
}

static void tear_down(void *context)
{
    (void)context;
}

static void open_theirs(void *context)
{
    (void)context;
    if (make(&now.theirs, YOKE_OPEN_OR_CREATE) < 0)
        _exit(3);
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

static void close_theirs(void *context)
{
    (void)context;
    yoke_shm_close(now.theirs);
}

static void open_and_close_theirs(void *context)
{
    open_theirs(context);
    close_theirs(context);
}

static void unlink_it(void *context)
{
    (void)context;
    (void)yoke_shm_unlink(now.name);
}

static void reclaim_it(void *context)
{
    (void)context;
    (void)yoke_shm_reclaim(now.name);
}

/* ---- after ------------------------------------------------------------------------------------------------------- */

/* The name can be had anew, and goes with its only user. */
static const char *verify_free(void)
{
    yoke_shm *fresh;
    bool      persist = now.persist;
    now.persist = false;
    int code = make(&fresh, YOKE_CREATE);
    now.persist = persist;
    if (code != YOKE_OK)
        return yoke_last_error()->text;
    if (((const char *)yoke_shm_data(fresh))[SIZE - 1] != 0)
        return "what is new isn't zero";
    yoke_shm_close(fresh);
    return exists() ? "the name is still there after the last close" : NULL;
}

static const char *verify_gone(void *context)
{
    (void)context;
    return verify_free();
}

static const char *verify_reclaimed(void *context)
{
    (void)context;
    int64_t removed = yoke_shm_reclaim(now.name);
    if (removed < 0 && removed != YOKE_ENOENT)
        return yoke_last_error()->text;
    if (exists())
        return "what the dead left can't be reclaimed";
    return verify_free();
}

/* Whole or not at all; and if somebody had finished it before, whole. */
static const char *verify_stays(bool must, bool filled)
{
    yoke_shm *found;
    int       code = yoke_shm_open(&found, now.name);
    if (code == YOKE_ENOENT && !must)
        return verify_free();
    if (code != YOKE_OK)
        return yoke_last_error()->text;
    if (filled && !is_filled(found))
        return "what stays has changed";
    yoke_shm_close(found);
    if (!exists() || yoke_shm_reclaim(now.name) != 0)
        return "what is to stay went with its last user";
    if (yoke_shm_unlink(now.name) != YOKE_OK)
        return yoke_last_error()->text;
    return verify_free();
}

static const char *verify_made_to_stay(void *context)
{
    (void)context;
    return verify_stays(false, false);
}

static const char *verify_still_stays(void *context)
{
    (void)context;
    return verify_stays(true, true);
}

static const char *verify_unlinked_or_not(void *context)
{
    (void)context;
    return verify_stays(false, true);
}

static const char *verify_in_use(void *context)
{
    yoke_shm *again;
    (void)context;
    if (!exists() || yoke_shm_reclaim(now.name) != 0)
        return "its name went while it was in use";
    if (yoke_shm_open(&again, now.name) != YOKE_OK)
        return yoke_last_error()->text;
    if (!is_filled(again) || !is_filled(now.mine))
        return "what is used has changed";
    yoke_shm_close(again);
    yoke_shm_close(now.mine);
    return exists() ? "a dead user keeps the name" : verify_free();
}

/* Unlinked, half or not at all: after a second unlinking the name is free, and the old user takes nobody's away. */
static const char *verify_unlinked_in_use(void *context)
{
    yoke_shm *fresh;
    (void)context;
    (void)yoke_shm_unlink(now.name);
    if (make(&fresh, YOKE_CREATE) != YOKE_OK)
        return yoke_last_error()->text;
    if (!is_filled(now.mine))
        return "what is used has changed";
    yoke_shm_close(now.mine);
    if (!exists())
        return "the old one's last user took the new one's name away";
    yoke_shm_close(fresh);
    return verify_free();
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static bool found; /* a complaint */

static void run(crash_case test)
{
    crash_result result;

    if (CRASH_MUTANT && found)
        return;
    test.set_up = test.set_up ? test.set_up : set_up;
    test.tear_down = tear_down;
    test.expect_fault = CRASH_MUTANT;
    test.part = 3;
    if (!RUN(&test, &result))
        fail_msg("%s: %s", test.name, result.first);
    found = result.faults > 0;
    if (!CRASH_MUTANT && found)
        fail_msg("%s: %llu faults, the first: %s", test.name, (unsigned long long)result.faults, result.first);
    if (found) { /* whatever stands there: nothing may stay behind */
        char full[YOKE__SEGMENT_FULL_NAME];
        yoke__segment_full_name(full, yoke__segment_self(), now.name);
        (void)yoke__backend()->memory->unlink(full);
        now.mine = NULL;
    }
    now.persist = now.kept = false;
}

static void killed_while_making_one(void **state)
{
    (void)state;
    run((crash_case){
        .name = "segment, make", .operation = open_theirs, .recover = AFTER(open_theirs), .verify = verify_gone});
    run((crash_case){.name = "segment, make, reclaim",
                     .operation = open_theirs,
                     .recover = AFTER(reclaim_it),
                     .verify = verify_reclaimed});
}

static void killed_while_closing_as_the_last(void **state)
{
    (void)state;
    run((crash_case){.name = "segment, last close",
                     .enter = open_theirs,
                     .operation = close_theirs,
                     .recover = AFTER(reclaim_it),
                     .verify = verify_gone});
}

static void killed_while_another_uses_it(void **state)
{
    (void)state;
    now.kept = true;
    run((crash_case){.name = "segment, open and close",
                     .operation = open_and_close_theirs,
                     .recover = AFTER(open_and_close_theirs),
                     .verify = verify_in_use});
}

static void killed_while_unlinking_what_another_uses(void **state)
{
    (void)state;
    now.kept = true;
    run((crash_case){.name = "segment, unlink",
                     .operation = unlink_it,
                     .recover = AFTER(unlink_it),
                     .verify = verify_unlinked_in_use});
}

static void killed_with_one_that_stays(void **state)
{
    (void)state;
    now.persist = true;
    run((crash_case){.name = "staying, make",
                     .operation = open_theirs,
                     .recover = AFTER(open_and_close_theirs),
                     .verify = verify_made_to_stay});
    now.persist = true;
    run((crash_case){.name = "staying, open and close",
                     .set_up = set_up_left,
                     .operation = open_and_close_theirs,
                     .recover = AFTER(open_and_close_theirs),
                     .verify = verify_still_stays});
    now.persist = true;
    run((crash_case){.name = "staying, unlink",
                     .set_up = set_up_left,
                     .operation = unlink_it,
                     .recover = AFTER(unlink_it),
                     .verify = verify_unlinked_or_not});
}

static void killed_while_clearing_what_the_dead_left(void **state)
{
    (void)state;
    run((crash_case){.name = "leftover, reclaim",
                     .set_up = set_up_left,
                     .operation = reclaim_it,
                     .recover = AFTER(reclaim_it),
                     .verify = verify_reclaimed});
    run((crash_case){.name = "leftover, make anew",
                     .set_up = set_up_left,
                     .operation = open_theirs,
                     .recover = AFTER(open_theirs),
                     .verify = verify_gone});
}

static void the_planted_fault_is_found(void **state)
{
    (void)state;
    assert_true(found || !CRASH_MUTANT);
}

int main(int argc, char **argv)
{
    char file[sizeof now.name + 1];

    crash_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_while_making_one),      cmocka_unit_test(killed_while_closing_as_the_last),
        cmocka_unit_test(killed_while_another_uses_it), cmocka_unit_test(killed_while_unlinking_what_another_uses),
        cmocka_unit_test(killed_with_one_that_stays),   cmocka_unit_test(killed_while_clearing_what_the_dead_left),
        cmocka_unit_test(the_planted_fault_is_found),
    };
    (void)snprintf(now.name, sizeof now.name, "shm-kill-%ld", (long)getpid());
    (void)snprintf(file, sizeof file, "+%s", now.name);
    crash_guard(file);
    if (CRASH_MUTANT) /* who has found a fault stops where it stands */
        return cmocka_run_group_tests(tests, NULL, NULL);
    return cmocka_run_group_tests(tests, leak_setup, leak_teardown);
}
