/*
 * A process is killed at every instruction of acquire, release, takeover, sweep and mark_repaired, and of a wait for the
 * lock, while another one sleeps in the lock. The sleeper gets it within three slices, though nobody does anything that
 * would help it; no death is forgotten before somebody has marked the lock repaired. With YOKE_CRASH_POINTS before every
 * shared store instead, and then a recovery before its stores.
 */
#include "begin.h"
#include "core/domain/participant.h"
#include "core/sync/lock.h"
#include "core/wait/parking.h"
#include "harness.h"
#include "support/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/backend.h"

#include <yoke/yoke.h>

/* How long a machine may take to run the sleeper at all, ms. What is measured is not time: a sleeper that has gone to
 * sleep more than three times since the kill has missed its slices. */
#define PATIENCE 20000
#define SLICES   3

/* What the processes tell each other. */
typedef struct board {
    _Atomic int     held;     /* somebody holds the lock: the sleeper may come */
    _Atomic int     result;   /* of the sleeper's acquire, + 100 */
    _Atomic long    sleeps;   /* how often it had slept in its life when it got the lock */
    _Atomic int64_t dead_pid; /* whom the sleeper was told of */
} board;

typedef struct fixture {
    yoke_domain *domain;
    yoke_lock   *lock;
    board       *board;
    int (*sleep)(struct fixture *f); /* the sleeper's acquire; NULL: there is no sleeper */
    pid_t sleeper;
    pid_t first_dead; /* who died holding it before the victim came, or 0 */
    bool  mine;       /* the calling process holds it meanwhile */
    bool  repairs;    /* the victim marks it repaired */
    int   patience;   /* ms */
} fixture;

static fixture now;

static yoke__a32 *word_of(const fixture *f)
{
    return &((yoke__lock_state *)f->lock->handle.object)->word;
}

/* ---- the sleeper ------------------------------------------------------------------------------------------------- */

static int properly(fixture *f)
{
    return yoke_lock_acquire(f->lock, YOKE_FOREVER);
}

/* Acquires as the library does, but by what `rest` does to wait, and with or without a question for the owner's life. */
static int acquire_by(fixture *f, bool takes_over, void (*rest)(fixture *f, uint32_t seen))
{
    yoke__a32  *word = word_of(f);
    yoke__token mine = yoke__domain_token(f->domain);

    for (;;) {
        uint32_t seen = yoke__a32_load_acquire(word), owner = seen & YOKE__TOKEN_MASK;
        if (owner == 0 || (takes_over && !yoke__token_alive(f->domain, owner))) {
            if (yoke__a32_cas_acq_rel(word, &seen, mine | YOKE__WAITERS))
                return owner ? YOKE_OWNER_DIED : YOKE_OK;
        } else if ((seen & YOKE__WAITERS) || yoke__a32_cas_acq_rel(word, &seen, seen | YOKE__WAITERS)) {
            rest(f, seen | YOKE__WAITERS);
        }
    }
}

static void rest_a_slice(fixture *f, uint32_t seen)
{
    yoke__word_wait(f->domain, word_of(f), seen, INT64_MAX);
}

static void rest_until_woken(fixture *f, uint32_t seen)
{
    const int64_t minute = INT64_C(60000000000);

    if (yoke__domain_header(f->domain)->wait_mode == YOKE__WAIT_NATIVE)
        (void)yoke__backend()->waiting->wait_word((const uint32_t *)(const void *)&word_of(f)->word, seen, minute);
    else
        yoke__park(f->domain, word_of(f), seen, minute);
}

static int without_takeover(fixture *f)
{
    return acquire_by(f, false, rest_a_slice);
}

static int without_slices(fixture *f)
{
    return acquire_by(f, true, rest_until_woken);
}

static int be_the_sleeper(void *user)
{
    fixture   *f = user;
    yoke_death death = {.struct_size = sizeof death};

    while (!f->board->held)
        (void)usleep(200);
    int           result = f->sleep(f);
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    f->board->sleeps = usage.ru_nvcsw;
    if (result >= 0 && yoke_lock_death(f->lock, &death) == YOKE_OK)
        f->board->dead_pid = death.pid;
    f->board->result = result + 100;
    (void)yoke_lock_release(f->lock);
    return 0;
}

static void until_it_sleeps(fixture *f)
{
    f->board->held = 1;
    while (f->sleep && !(yoke__a32_load_acquire(word_of(f)) & YOKE__WAITERS))
        (void)usleep(200);
    if (f->sleep && !sleeps(f->sleeper))
        abort();
}

/* ---- each trial -------------------------------------------------------------------------------------------------- */

static int die_holding(void *user)
{
    fixture *f = user;

    if (yoke_lock_acquire(f->lock, YOKE_NOWAIT) != YOKE_OK)
        return 1;
    (void)raise(SIGKILL);
    return 1;
}

static void set_up(void *context)
{
    fixture *f = context;
    char     name[64];
    bool     dead_first = f->first_dead != 0;

    (void)snprintf(name, sizeof name, "lock-kill-%ld", (long)getpid());
    assert_int_equal(yoke_domain_open(&f->domain, name, NULL), YOKE_OK);
    crash_hide(f->domain);
    assert_int_equal(yoke_lock_create(&f->lock, YOKE_OPTIONS(yoke_lock_options, .domain = f->domain)), YOKE_OK);
    memset(f->board, 0, sizeof *f->board);
    if (f->mine)
        assert_int_equal(yoke_lock_acquire(f->lock, YOKE_NOWAIT), YOKE_OK);
    if (dead_first) {
        f->first_dead = child_start(die_holding, f);
        assert_int_equal(child_join(f->first_dead), 1000 + SIGKILL);
    }
    if (f->sleep)
        f->sleeper = child_start(be_the_sleeper, f);
    if (f->mine)
        until_it_sleeps(f);
}

static void tear_down(void *context)
{
    fixture *f = context;

    yoke_lock_close(f->lock);
    yoke_domain_close(f->domain);
}

/* Joins the domain. */
static void enter(void *context)
{
    fixture *f = context;

    if (!yoke__domain_token(f->domain))
        abort();
}

static void enter_holding(void *context)
{
    fixture *f = context;

    enter(context);
    if (yoke_lock_acquire(f->lock, YOKE_FOREVER) < 0)
        abort();
    until_it_sleeps(f);
}

/* True if the sleeper has ended within the time. */
static bool sleeper_ends(const fixture *f, long long until)
{
    while (milliseconds() < until) {
        if (waitpid(f->sleeper, NULL, WNOHANG) == f->sleeper)
            return true;
        (void)usleep(1000);
    }
    return false;
}

static const char *verify_sleeper(fixture *f)
{
    static char text[80];
    long        before = times_slept(f->sleeper);

    if (f->mine && yoke_lock_release(f->lock) != YOKE_OK)
        return "the lock was not the survivor's any more";
    if (!sleeper_ends(f, milliseconds() + f->patience)) {
        child_kill(f->sleeper);
        return "the sleeper hangs";
    }
    if (f->board->result < 100)
        return "the sleeper did not get the lock";
    if (f->board->sleeps - before <= SLICES)
        return NULL;
    (void)snprintf(text, sizeof text, "the sleeper slept %ld times more", (long)f->board->sleeps - before);
    return text;
}

static const char *verify(void *context)
{
    fixture    *f = context;
    yoke_death  death = {.struct_size = sizeof death};
    const char *wrong = f->sleep ? verify_sleeper(f) : NULL;

    if (wrong)
        return wrong;
    int result = yoke_lock_acquire(f->lock, PATIENCE);
    if (result < 0)
        return "the survivor can't acquire the lock";
    if (f->sleep && f->sleep == properly && f->board->result == 100 + YOKE_OWNER_DIED && result != YOKE_OWNER_DIED)
        return "a death was forgotten";
    if (f->first_dead && !f->repairs && result != YOKE_OWNER_DIED)
        return "the first death was forgotten";
    if (result == YOKE_OWNER_DIED && (yoke_lock_death(f->lock, &death) != YOKE_OK || death.pid <= 0))
        return "nobody knows who died";
    if (yoke_lock_acquire(f->lock, YOKE_NOWAIT) != YOKE_ETIMEDOUT)
        return "two may hold it";
    if (yoke_lock_mark_repaired(f->lock) != YOKE_OK || yoke_lock_release(f->lock) != YOKE_OK)
        return "it can't be repaired and released";
    if (yoke_lock_acquire(f->lock, YOKE_NOWAIT) != YOKE_OK || yoke_lock_release(f->lock) != YOKE_OK)
        return "it does not go on";
    return NULL;
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

static void release(void *context)
{
    (void)yoke_lock_release(((fixture *)context)->lock);
}

static void acquire_and_release(void *context)
{
    fixture *f = context;

    if (yoke_lock_acquire(f->lock, YOKE_NOWAIT) >= 0)
        (void)yoke_lock_release(f->lock);
}

static void repair(void *context)
{
    fixture *f = context;

    if (yoke_lock_acquire(f->lock, YOKE_NOWAIT) >= 0) {
        (void)yoke_lock_mark_repaired(f->lock);
        (void)yoke_lock_release(f->lock);
    }
}

/* Long enough to be asleep before it is over, stepped as it is. */
static void wait_a_while(void *context)
{
    (void)!yoke_lock_acquire(((fixture *)context)->lock, 60);
}

static void recover(void *context)
{
    (void)yoke__domain_recover(((fixture *)context)->domain);
}

/* The planted fault: who looks at WAITERS after it has given them away wakes nobody. */
static void release_clearing_waiters_early(void *context)
{
    fixture *f = context;

    (void)yoke__a32_and_acq_rel(word_of(f), ~YOKE__WAITERS);
    (void)yoke_lock_release(f->lock);
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static crash_result run(crash_case test)
{
    crash_result result;
    board       *shared = now.board;

    test.set_up = set_up;
    test.verify = verify;
    test.tear_down = tear_down;
    test.context = &now;
    if (!test.enter)
        test.enter = enter;
    now.patience = test.expect_fault ? 2000 : PATIENCE;
#ifdef YOKE_CRASH_POINTS
    if (!test.expect_fault) { /* whose sleepers a recovery would help */
        test.recover = recover;
        test.second_stride = now.sleep ? 53 : 23; /* a sleeper takes slices */
    }
    assert_true(crash_run_points(&test, &result));
#else
    assert_true(crash_run(&test, &result));
#endif
    if (test.expect_fault)
        assert_true(result.faults > 0);
    else if (result.faults)
        fail_msg("%s: %s", test.name, result.first);
    now = (fixture){.board = shared};
    return result;
}

static void test_a_holder_that_releases_to_a_sleeper(void **state)
{
    (void)state;
    now.sleep = properly;
    run((crash_case){.name = "release, one asleep", .enter = enter_holding, .operation = release});
}

static void test_one_that_waits_beside_a_sleeper(void **state)
{
    (void)state;
    now.sleep = properly;
    now.mine = true;
    run((crash_case){.name = "wait, one asleep", .operation = wait_a_while});
}

static void test_acquire_and_release_of_a_free_lock(void **state)
{
    (void)state;
    run((crash_case){.name = "acquire, release", .operation = acquire_and_release});
}

static void test_one_that_takes_over(void **state)
{
    (void)state;
    now.first_dead = 1;
    run((crash_case){.name = "take over, release", .operation = acquire_and_release});
}

static void test_one_that_repairs(void **state)
{
    (void)state;
    now.first_dead = 1;
    now.repairs = true;
    run((crash_case){.name = "take over, repair, release", .operation = repair});
}

static void test_one_that_releases_what_a_dead_one_held(void **state)
{
    (void)state;
    now.first_dead = 1;
    run((crash_case){.name = "release for the dead", .operation = release});
}

static void test_one_that_sweeps(void **state)
{
    (void)state;
    now.first_dead = 1;
    run((crash_case){.name = "sweep", .operation = recover});
}

static void test_a_sleeper_that_never_takes_over_is_caught(void **state)
{
    (void)state;
    now.sleep = without_takeover;
    run((crash_case){.name = "(no takeover)", .enter = enter_holding, .operation = release, .expect_fault = true});
}

static void test_a_sleeper_without_slices_is_caught(void **state)
{
    (void)state;
    now.sleep = without_slices;
    run((crash_case){.name = "(no slices)", .enter = enter_holding, .operation = release, .expect_fault = true});
}

/* In the very first trial, in which nobody is killed before the release is over. */
static void test_a_release_that_clears_waiters_early_is_caught(void **state)
{
    (void)state;
    now.sleep = without_slices;
    crash_result result = run((crash_case){.name = "(WAITERS cleared early)",
                                           .enter = enter_holding,
                                           .operation = release_clearing_waiters_early,
                                           .expect_fault = true});
    assert_int_equal(result.points, 1);
}

static int make_shared(void **state)
{
    (void)state;
    yoke__spin_set(0); /* a victim is stepped instruction by instruction: spinning would be most of them */
    now.board = mmap(NULL, sizeof *now.board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return now.board == MAP_FAILED ? -1 : 0;
}

int main(int argc, char **argv)
{
    crash_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_holder_that_releases_to_a_sleeper),
        cmocka_unit_test(test_one_that_waits_beside_a_sleeper),
        cmocka_unit_test(test_acquire_and_release_of_a_free_lock),
        cmocka_unit_test(test_one_that_takes_over),
        cmocka_unit_test(test_one_that_repairs),
        cmocka_unit_test(test_one_that_releases_what_a_dead_one_held),
        cmocka_unit_test(test_one_that_sweeps),
        cmocka_unit_test(test_a_sleeper_that_never_takes_over_is_caught),
        cmocka_unit_test(test_a_sleeper_without_slices_is_caught),
        cmocka_unit_test(test_a_release_that_clears_waiters_early_is_caught),
    };
    return cmocka_run_group_tests_name("lock, killed", tests, make_shared, NULL);
}
