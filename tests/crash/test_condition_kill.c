/*
 * A process is killed at every instruction of acquire, wait, notify and notify_all, while others sleep in the condition.
 * They go on by themselves within three slices wherever they have to: notified, or told of the death. No notify is lost
 * or given twice, and no slot is left to the dead.
 */
#include "begin.h"
#include "core/domain/participant.h"
#include "core/domain/watch.h"
#include "core/sync/condition.h"
#include "sleeper_main.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yoke/yoke.h>

typedef struct board {
    sleeper     sleepers[SLEEPERS_MOST];
    sleeper     director;
    _Atomic int waits;  /* a sleeper is about to wait, and holds the lock */
    _Atomic int go;     /* the sleeper may come */
    _Atomic int over;   /* the victim is dead */
    _Atomic int done;   /* the victim has returned from its wait, and holds the lock */
    int         asleep; /* sleepers there when the victim begins */
    int64_t     n;      /* that it notifies */
} board;

static struct {
    board          *board;
    yoke_condition *condition;
} now;

static yoke__condition_state *state_of(void)
{
    return now.condition->handle.object;
}

/* How many slots have one of these states. */
static int slots(uint32_t state)
{
    const yoke__waiters *waiters = &state_of()->waiters;
    int                  n = 0;

    for (uint32_t i = 0; i < YOKE__FEW_WAITERS; i++)
        n += (yoke__a32_load_acquire(&waiters->few[i].word) & YOKE__ORPHANED) == state;
    return n;
}

static bool is_clean(void)
{
    for (uint32_t i = 0; i < YOKE__FEW_WAITERS; i++)
        if (yoke__a32_load_acquire(&state_of()->waiters.few[i].word) != 0)
            return false;
    return true;
}

/* ---- the processes ------------------------------------------------------------------------------------------------- */

static int acquire(void)
{
    int result = yoke_condition_acquire(now.condition, YOKE_FOREVER);

    if (result < 0)
        abort();
    return result;
}

/* Who waits for others here must not sleep: that is counted. */
static int wait_in_it(void *user)
{
    (void)user;
    while (!now.board->go)
        (void)sched_yield();
    (void)acquire();
    now.board->waits++;
    int result = yoke_condition_wait(now.condition, YOKE_FOREVER);
    (void)yoke_condition_release(now.condition);
    return result;
}

/* When the victim waits, or is dead: lets the sleeper come after it, and notifies one. */
static int direct(void *user)
{
    (void)user;
    while (yoke_condition_waiting(now.condition) == 0 && !now.board->over)
        (void)sched_yield();
    now.board->go = 1;
    while (now.board->waits == 0)
        (void)sched_yield();
    if (acquire() == YOKE_OWNER_DIED)
        (void)yoke_condition_mark_repaired(now.condition);
    int result = yoke_condition_notify(now.condition, 1);
    (void)yoke_condition_release(now.condition);
    return result;
}

/* A sleeper that does not come would be an error of the library. */
static void until_asleep(void)
{
    for (int i = 0; slots(YOKE__WAITING) < now.board->asleep; i++) {
        if (i == 200000) {
            fprintf(stderr, "%d of %d sleepers wait\n", slots(YOKE__WAITING), now.board->asleep);
            abort();
        }
        (void)usleep(100);
    }
}

static void set_up(void *context)
{
    int directed = context != NULL;

    if (yoke_condition_create(&now.condition, NULL) != YOKE_OK)
        abort();
    board fresh = {.asleep = now.board->asleep, .n = now.board->n};
    memcpy(now.board, &fresh, sizeof fresh);
    now.board->go = !directed;
    for (int i = 0; i < now.board->asleep; i++)
        sleeper_start(&now.board->sleepers[i], wait_in_it, NULL);
    if (directed)
        sleeper_start(&now.board->director, direct, NULL);
    else
        until_asleep();
}

static void tear_down(void *context)
{
    (void)context;
    for (int i = 0; i < SLEEPERS_MOST; i++)
        sleeper_clear(&now.board->sleepers[i]);
    sleeper_clear(&now.board->director);
    (void)yoke__domain_recover(shared_domain());
    yoke_condition_close(now.condition);
}

static void enter(void *context)
{
    (void)context;
    if (!yoke__domain_token(shared_domain()))
        abort();
}

static void recover(void *context)
{
    (void)context;
    (void)yoke__domain_recover(shared_domain());
}

/* ---- what must hold ------------------------------------------------------------------------------------------------ */

/* By itself, unless the stores are looked at, which is about the recovery. */
static void help(void)
{
#ifdef YOKE_CRASH_POINTS
    recover(NULL);
    yoke__lock_wake(shared_domain(), &state_of()->lock.lock);
    yoke__waiters_stir(shared_domain(), &state_of()->waiters);
#endif
}

static const char *sleepers_end(void)
{
    const char *wrong = NULL;

    for (int i = 0; i < now.board->asleep && !wrong; i++)
        wrong = sleeper_ends(&now.board->sleepers[i]);
    return wrong;
}

static int ended(void)
{
    int n = 0;

    for (int i = 0; i < now.board->asleep; i++)
        n += now.board->sleepers[i].result != 0;
    return n;
}

/* The lock is free, nobody is left in the condition, and it goes on. */
static const char *goes_on(void)
{
    recover(NULL);
    if (!is_clean())
        return "a slot is left to the dead";
    if (acquire() == YOKE_OWNER_DIED && yoke_condition_mark_repaired(now.condition) != YOKE_OK)
        return "the lock can't be repaired";
    if (yoke_condition_wait(now.condition, YOKE_NOWAIT) != YOKE_ETIMEDOUT)
        return "a wait is notified by nobody";
    return yoke_condition_release(now.condition) == YOKE_OK ? NULL : "the lock was not held";
}

static bool died_holding(void)
{
    uint32_t word = yoke__a32_load_acquire(&state_of()->lock.lock.word);

    return (word & YOKE__TOKEN_FLAG) != 0 ||
           ((word & YOKE__TOKEN_MASK) != 0 && !yoke__token_alive(shared_domain(), word & YOKE__TOKEN_MASK));
}

/* Everybody is told of a death; else all that were notified go, and the others stay. */
static const char *verify_notified(void *context)
{
    (void)context;
    help();
    for (int i = 0; i < 30000 && !died_holding() && slots(YOKE__NOTIFIED) + slots(YOKE__ORPHANED) > 0; i++)
        (void)usleep(500);
    if (slots(YOKE__NOTIFIED) + slots(YOKE__ORPHANED) > 0 && !died_holding())
        return "a notified waiter does not go on";
    if (!died_holding()) {
        if (acquire() != YOKE_OK)
            return "a death is told that was none";
        int left = (int)yoke_condition_waiting(now.condition);
        int most = now.board->n < now.board->asleep ? (int)now.board->n : now.board->asleep;
        if (left != now.board->asleep && left != now.board->asleep - most)
            return "not as many were notified as were to be";
        if (yoke_condition_notify_all(now.condition) != YOKE_OK || yoke_condition_release(now.condition) != YOKE_OK)
            return "the rest can't be notified";
    }
    const char *wrong = sleepers_end();
    if (!wrong && ended() != now.board->asleep)
        wrong = "a sleeper is lost";
    for (int i = 0; i < now.board->asleep && !wrong; i++)
        if (now.board->sleepers[i].result < 1000)
            wrong = "a sleeper failed";
    return wrong ? wrong : goes_on();
}

/* The one notify was for the victim, which came first: it has either got it, or it is the sleeper's. */
static const char *verify_passed_on(void *context)
{
    (void)context;
    now.board->over = 1;
    help();
    const char *wrong = sleeper_ends(&now.board->director);
    help(); /* it may have notified the dead since */
    if (!wrong && now.board->done) {
        bool told = acquire() == YOKE_OWNER_DIED;
        if (!told && now.board->sleepers[0].result == 0 && yoke_condition_waiting(now.condition) != 1)
            wrong = "the notify was given twice";
        (void)yoke_condition_notify_all(now.condition);
        (void)yoke_condition_release(now.condition);
    }
    if (!wrong)
        wrong = sleepers_end();
    return wrong ? wrong : goes_on();
}

/* ---- operations ---------------------------------------------------------------------------------------------------- */

static void notify(void *context)
{
    (void)context;
    (void)acquire();
    (void)yoke_condition_notify(now.condition, now.board->n);
    (void)yoke_condition_release(now.condition);
}

static void notify_all(void *context)
{
    (void)context;
    (void)acquire();
    (void)yoke_condition_notify_all(now.condition);
    (void)yoke_condition_release(now.condition);
}

static void wait_for_a_while(void *context)
{
    (void)context;
    (void)acquire();
    (void)!yoke_condition_wait(now.condition, 5);
    (void)yoke_condition_release(now.condition);
}

static void wait_until_notified(void *context)
{
    (void)context;
    (void)acquire();
    (void)!yoke_condition_wait(now.condition, YOKE_FOREVER);
    now.board->done = 1;
    (void)yoke_condition_release(now.condition);
}

/* ---- runs ---------------------------------------------------------------------------------------------------------- */

static void run(crash_case test, int asleep, int64_t n)
{
    now.board->asleep = asleep;
    now.board->n = n;
    test.set_up = set_up;
    test.enter = enter;
    test.recover = recover;
    test.tear_down = tear_down;
    if (test.second_stride == 0)
        test.second_stride = 31;
    sleepers_run(test);
}

static void test_one_that_notifies(void **state)
{
    (void)state;
    run((crash_case){.name = "notify one of two", .operation = notify, .verify = verify_notified}, 2, 1);
    run((crash_case){.name = "notify two of three", .operation = notify, .verify = verify_notified}, 3, 2);
    run((crash_case){.name = "notify all", .operation = notify_all, .verify = verify_notified}, 2, 2);
}

static void test_one_that_waits_and_gives_up(void **state)
{
    (void)state;
    run((crash_case){.name = "wait, time-out", .operation = wait_for_a_while, .verify = verify_notified}, 1, 0);
}

static void test_one_that_is_notified(void **state)
{
    (void)state;
    run((crash_case){.name = "wait, notified",
                     .operation = wait_until_notified,
                     .verify = verify_passed_on,
                     .context = &now, /* directed */
                     .second_stride = 13},
        1, 1);
}

static long long wake_one_up(void)
{
    now.board->asleep = 1;
    set_up(NULL);
    long long start = sleeps(now.board->sleepers[0].pid) ? milliseconds() : 0;
    notify_all(NULL);
    (void)sleeper_ends(&now.board->sleepers[0]);
    long long took = milliseconds() - start;
    tear_down(NULL);
    return took;
}

static void test_who_sleeps_is_woken(void **state)
{
    (void)state;
    sleepers_woken(wake_one_up);
}

static int group_setup(void **state)
{
    yoke__spin_set(0);
    if (yoke__domain_default(&(yoke_domain *){NULL}) != YOKE_OK)
        return -1;
    now.board = shared_alloc(sizeof *now.board);
    set_up(NULL); /* directory and tables stand from here on */
    tear_down(NULL);
    return shared_setup(state);
}

int main(int argc, char **argv)
{
    crash_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_sleeps_is_woken),
        cmocka_unit_test(test_one_that_notifies),
        cmocka_unit_test(test_one_that_waits_and_gives_up),
        cmocka_unit_test(test_one_that_is_notified),
    };
    return sleepers_exit(cmocka_run_group_tests_name("condition, killed", tests, group_setup, shared_teardown));
}
