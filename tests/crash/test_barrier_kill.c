/*
 * A process is killed at every instruction of arriving at a barrier, first or last and with an action, of abort, reset, join
 * and leave, while others sleep in the barrier. They go on by themselves within three slices wherever a party is dead or
 * the round has ended; nobody is released unless all have arrived; and the barrier can be used again.
 */
#include "begin.h"
#include "core/domain/participant.h"
#include "core/domain/watch.h"
#include "core/sync/barrier.h"
#include "sleeper_main.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yoke/yoke.h>

typedef struct board {
    sleeper     sleepers[SLEEPERS_MOST];
    int         parties, asleep;
    bool        acts;    /* it has an action */
    bool        broken;  /* before the victim comes */
    _Atomic int actions; /* run */
} board;

static struct {
    board        *board;
    yoke_barrier *barrier;
    yoke__barrier inner;
} now;

static yoke__round *round_now(void)
{
    return yoke__barrier_round(&now.inner);
}

static int count_action(void *user)
{
    ((board *)user)->actions++;
    return 0;
}

static int wait_in_it(void *user)
{
    (void)user;
    return yoke_barrier_wait(now.barrier, YOKE_FOREVER, NULL);
}

/* ---- each trial ---------------------------------------------------------------------------------------------------- */

static void recover(void *context)
{
    (void)context;
    (void)yoke__domain_recover(shared_domain());
}

static void until_asleep(const board *b)
{
    long long end = milliseconds() + sleepers_patience;

    while (yoke_barrier_waiting(now.barrier) < b->asleep && milliseconds() < end)
        (void)usleep(100);
    if (yoke_barrier_waiting(now.barrier) >= b->asleep)
        return;
    for (int i = 0; i < b->asleep; i++)
        fprintf(stderr, "sleeper %d (pid %d): result %d (0: none yet; else code + 1000)\n", i, (int)b->sleepers[i].pid,
                (int)b->sleepers[i].result);
    fprintf(stderr, "%lld of %d sleepers wait in the barrier\n", (long long)yoke_barrier_waiting(now.barrier),
            b->asleep);
    abort();
}

static void set_up(void *context)
{
    board *b = now.board;

    (void)context;
    if (yoke_barrier_create(&now.barrier, b->parties,
                            YOKE_OPTIONS(yoke_barrier_options, .action = b->acts ? count_action : NULL, .user = b)) !=
        YOKE_OK)
        abort();
    now.inner = (yoke__barrier){shared_domain(), now.barrier->handle.object, now.barrier->handle.id};
    b->actions = 0;
    for (int i = 0; i < b->asleep; i++)
        sleeper_start(&b->sleepers[i], wait_in_it, NULL);
    until_asleep(b);
    if (b->broken)
        (void)yoke_barrier_abort(now.barrier);
}

static void tear_down(void *context)
{
    (void)context;
    for (int i = 0; i < SLEEPERS_MOST; i++)
        sleeper_clear(&now.board->sleepers[i]);
    recover(NULL);
    yoke_barrier_close(now.barrier);
}

static void enter(void *context)
{
    (void)context;
    if (!yoke__domain_token(shared_domain()))
        abort();
}

/* ---- what must hold ------------------------------------------------------------------------------------------------ */

/* By themselves, unless the stores are looked at, which is about the recovery. */
static void help(void)
{
#ifdef YOKE_CRASH_POINTS
    recover(NULL);
    for (int i = 0; i < now.board->asleep; i++) { /* all records that there are, for who sleeps in an old one */
        yoke__round *round = yoke__domain_at(shared_domain(), yoke__a64_load_relaxed(&now.inner.state->rounds));
        for (; round; round = yoke__a64_load_relaxed(&round->next)
                                  ? yoke__domain_at(shared_domain(), yoke__a64_load_relaxed(&round->next))
                                  : NULL)
            yoke__word_wake(shared_domain(), &round->state, UINT32_MAX);
    }
#endif
}

static bool anybody_joined(void)
{
    for (uint32_t i = 0; i < now.inner.state->parties; i++)
        if (yoke__a32_load_acquire(&now.inner.state->joined[i]) != 0)
            return true;
    return false;
}

/* Whether those who sleep have to go on: nobody else would help them. */
static bool must_end(void)
{
    const yoke__round *round = round_now();

    return yoke__barrier_broken(&now.inner, NULL) != YOKE__WHY_NOT || anybody_joined() ||
           yoke__a32_load_acquire(&round->state) != YOKE__ROUND_OPEN ||
           (int)yoke__a32_load_acquire(&round->count) != now.board->asleep;
}

static bool all_left(void)
{
    uint64_t offset = yoke__a64_load_relaxed(&now.inner.state->rounds);

    while (offset != 0) {
        const yoke__round *round = yoke__domain_at(shared_domain(), offset);
        for (uint32_t i = 0; i < now.inner.state->parties; i++)
            if (yoke__a32_load_acquire(&round->arrived[i]) != 0)
                return false;
        offset = yoke__a64_load_relaxed(&round->next);
    }
    return yoke__a32_load_acquire(&now.inner.state->guard) == 0 && !anybody_joined();
}

static const char *one_more_round(void)
{
    board      *b = now.board;
    const char *wrong = NULL;

    for (int i = 0; i < b->parties - 1; i++)
        sleeper_start(&b->sleepers[i], wait_in_it, NULL);
    if (yoke_barrier_wait(now.barrier, 15000, NULL) != YOKE_OK)
        wrong = "it can't be used again";
    for (int i = 0; i < b->parties - 1 && !wrong; i++)
        wrong = sleeper_ends(&b->sleepers[i]);
    return wrong;
}

/* All of them have ended in the same way, which is one that this death allows. */
static const char *verify_results(void)
{
    board *b = now.board;
    int    first = b->sleepers[0].result - 1000;

    for (int i = 0; i < b->asleep; i++)
        if (b->sleepers[i].result != b->sleepers[0].result)
            return "some were released and some not";
    if (b->asleep == 0 || first == YOKE_EBROKEN)
        return NULL;
    if (first != YOKE_OK || b->asleep != b->parties - 1)
        return "released, though not all had arrived";
    return b->acts && b->actions == 0 ? "released without the action" : NULL;
}

static const char *verify(void *context)
{
    board      *b = now.board;
    const char *wrong = NULL;

    (void)context;
    help();
    if (!must_end()) /* the victim did nothing that counts, and now somebody else does */
        (void)yoke_barrier_abort(now.barrier);
    for (int i = 0; i < b->asleep && !wrong; i++)
        wrong = sleeper_ends(&b->sleepers[i]);
    if (!wrong)
        wrong = verify_results();
    for (int i = 0; i < b->asleep; i++)
        sleeper_clear(&b->sleepers[i]);
    recover(NULL);
    if (!wrong && !all_left())
        wrong = "something is left of the dead";
    if (!wrong && yoke_barrier_reset(now.barrier) != YOKE_OK)
        wrong = "it can't be reset";
    return wrong ? wrong : one_more_round();
}

/* ---- operations ---------------------------------------------------------------------------------------------------- */

static void arrive(void *context)
{
    (void)context;
    (void)!yoke_barrier_wait(now.barrier, 5, NULL);
}

static void abort_it(void *context)
{
    (void)context;
    (void)yoke_barrier_abort(now.barrier);
}

static void reset(void *context)
{
    (void)context;
    (void)yoke_barrier_reset(now.barrier);
}

static void join_and_leave(void *context)
{
    (void)context;
    (void)!yoke_barrier_join(now.barrier);
    (void)yoke_barrier_leave(now.barrier);
}

/* ---- runs ---------------------------------------------------------------------------------------------------------- */

static void run(crash_case test, board wanted)
{
    now.board->parties = wanted.parties;
    now.board->asleep = wanted.asleep;
    now.board->acts = wanted.acts;
    now.board->broken = wanted.broken;
    test.set_up = set_up;
    test.enter = enter;
    test.recover = recover;
    test.verify = verify;
    test.tear_down = tear_down;
    test.second_stride = 11;
    test.part = 2;
    sleepers_run(test);
}

static void test_one_that_arrives(void **state)
{
    (void)state;
    run((crash_case){.name = "arrive first, time-out", .operation = arrive}, (board){.parties = 2});
    run((crash_case){.name = "arrive second of three", .operation = arrive}, (board){.parties = 3, .asleep = 1});
    run((crash_case){.name = "arrive last", .operation = arrive}, (board){.parties = 3, .asleep = 2});
    run((crash_case){.name = "arrive last, with action", .operation = arrive},
        (board){.parties = 2, .asleep = 1, .acts = true});
}

static void test_one_that_breaks_it(void **state)
{
    (void)state;
    run((crash_case){.name = "abort", .operation = abort_it}, (board){.parties = 3, .asleep = 1});
}

static void test_one_that_resets_it(void **state)
{
    (void)state;
    run((crash_case){.name = "reset", .operation = reset}, (board){.parties = 3, .asleep = 1});
    run((crash_case){.name = "reset, broken", .operation = reset}, (board){.parties = 2, .broken = true});
}

static void test_one_that_joins_and_leaves(void **state)
{
    (void)state;
    run((crash_case){.name = "join, leave", .operation = join_and_leave}, (board){.parties = 3, .asleep = 1});
}

static long long wake_one_up(void)
{
    now.board->parties = 2;
    now.board->asleep = 1;
    now.board->acts = now.board->broken = false;
    set_up(NULL);
    long long start = sleeps(now.board->sleepers[0].pid) ? milliseconds() : 0;
    (void)!yoke_barrier_wait(now.barrier, YOKE_FOREVER, NULL);
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
    now.board->parties = 1;
    set_up(NULL); /* directory and tables stand from here on */
    tear_down(NULL);
    return shared_setup(state);
}

int main(int argc, char **argv)
{
    crash_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_sleeps_is_woken),       cmocka_unit_test(test_one_that_arrives),
        cmocka_unit_test(test_one_that_breaks_it),        cmocka_unit_test(test_one_that_resets_it),
        cmocka_unit_test(test_one_that_joins_and_leaves),
    };
    return sleepers_exit(cmocka_run_group_tests_name("barrier, killed", tests, group_setup, shared_teardown));
}
