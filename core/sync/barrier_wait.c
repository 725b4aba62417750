/* Arriving at a barrier, and waiting for the others. */
#include "barrier.h"

#include "../domain/participant.h"
#include "../error.h"

#define GRACE 50 /* ms for the guard where the time is over: who has it needs a microsecond, once it has a CPU */

/* ---- sentences ----------------------------------------------------------------------------------------------------- */

static int broken(const yoke__barrier *barrier, yoke__barrier_why why, yoke__token culprit)
{
    static const char *const whys[] = {"broken",
                                       "aborted by",
                                       "broken by the time-out of",
                                       "broken by the death of",
                                       "broken, as its action failed in",
                                       "broken by a close in",
                                       "reset by"};
    yoke__obituary           who = {0};
    char                     what[128];

    if (culprit)
        yoke__token_describe(barrier->domain, culprit, &who);
    return yoke__fail_process(YOKE_EBROKEN, who.pid, "%s: %s %s (pid %lld)",
                              yoke__object_describe(barrier->domain, barrier->id, what, sizeof what),
                              (size_t)why < sizeof whys / sizeof whys[0] ? whys[why] : whys[0],
                              who.name[0] ? who.name : "a process", (long long)who.pid);
}

static int closed(void)
{
    return yoke__fail(YOKE_ECLOSED, "the barrier was closed by another thread while this one waited in it");
}

static int action_runs_on(const yoke__barrier *barrier)
{
    char what[128];

    return yoke__fail(YOKE_ETIMEDOUT, "%s: the action of the round before has not ended within the time",
                      yoke__object_describe(barrier->domain, barrier->id, what, sizeof what));
}

static int timed_out(const yoke__barrier *barrier, uint32_t arrived)
{
    char what[128];

    return yoke__fail(YOKE_ETIMEDOUT, "%s: %u of %u parties came within the time",
                      yoke__object_describe(barrier->domain, barrier->id, what, sizeof what), (unsigned)arrived,
                      (unsigned)barrier->state->parties);
}

/* ---- waiting ------------------------------------------------------------------------------------------------------- */

typedef struct party {
    yoke__barrier  barrier;
    yoke__handle  *handle;
    yoke__round   *round;
    uint32_t       index;
    yoke__deadline deadline;
} party;

static bool is_closing(const party *p)
{
    return yoke__a32_load_acquire(&p->handle->closing) != 0;
}

static bool spin(const party *p)
{
    static _Thread_local yoke__spin_luck luck;
    yoke__spin                           spin = yoke__spin_begin(&luck);

    while (yoke__spin_for(&spin, 1))
        if (yoke__a32_load_relaxed(&p->round->state) != YOKE__ROUND_OPEN) {
            yoke__spin_won(&spin);
            return true;
        }
    return false;
}

/* Sleeps once, while the round is open. YOKE_ETIMEDOUT, YOKE_ECLOSED: it is no use any more. No error is noted. */
static int sleep_once(const party *p)
{
    yoke__a32 *word = &p->round->state;

    if (is_closing(p))
        return YOKE_ECLOSED;
    if (yoke__deadline_past(p->deadline))
        return YOKE_ETIMEDOUT;
    yoke__word_wait(p->barrier.domain, word, YOKE__ROUND_OPEN, p->deadline);
    if (yoke__a32_load_relaxed(word) == YOKE__ROUND_OPEN) /* a slice has passed: has one of us died? */
        (void)yoke__domain_patrol(p->barrier.domain);
    return YOKE_OK;
}

/* Until the round is not open any more: YOKE_OK. YOKE_ETIMEDOUT, YOKE_ECLOSED: it still was. No error is noted. Only for a
 * party of that round: for others the record may be that of a later one by now, or of one after that. */
static int until_ended(const party *p)
{
    if (p->deadline > 0 && !is_closing(p) && spin(p))
        return YOKE_OK;
    while (yoke__a32_load_acquire(&p->round->state) == YOKE__ROUND_OPEN)
        YOKE_TRY(sleep_once(p));
    return YOKE_OK;
}

/* How the round has ended. The last look at it: after that its record may serve another one. */
static int leave_round(const party *p)
{
    uint32_t    state = yoke__a32_load_acquire(&p->round->state);
    yoke__token culprit = yoke__a32_load_relaxed(&p->round->culprits[YOKE__ROUND_WHY(state) % YOKE__WHYS]);

    yoke__a32_store_release(&p->round->arrived[p->index], 0);
    return state == YOKE__ROUND_DONE ? YOKE_OK : broken(&p->barrier, YOKE__ROUND_WHY(state), culprit);
}

/* Gives up, and breaks it for the others; unless it has ended at that moment. */
static int give_up(const party *p, yoke__barrier_why why)
{
    uint32_t arrived = yoke__a32_load_relaxed(&p->round->count);

    if (!yoke__barrier_give_up(&p->barrier, p->round, why))
        return leave_round(p);
    yoke__a32_store_release(&p->round->arrived[p->index], 0);
    return why == YOKE__WHY_CLOSED ? closed() : timed_out(&p->barrier, arrived);
}

static int wait_for_others(const party *p)
{
    int result;

    yoke__wait_begin(p->barrier.domain, p->barrier.id);
    result = until_ended(p);
    yoke__wait_end(p->barrier.domain);
    if (result == YOKE_OK)
        return leave_round(p);
    return give_up(p, result == YOKE_ECLOSED ? YOKE__WHY_CLOSED : YOKE__WHY_TIMED_OUT);
}

/* The last to arrive has come. Meanwhile somebody may give up, abort or reset, or we may be killed: then it is broken. */
static int act(const party *p)
{
    yoke_barrier_action *action = (yoke_barrier_action *)(uintptr_t)p->handle->private_[YOKE__BARRIER_ACTION];
    int                  result = action((void *)(uintptr_t)p->handle->private_[YOKE__BARRIER_USER]);

    if (result < 0)
        (void)yoke__barrier_give_up(&p->barrier, p->round, YOKE__WHY_FAILED);
    else
        (void)yoke__barrier_finish(&p->barrier, p->round);
    int ended = leave_round(p);
    return result < 0 ? result : ended;
}

static int enter(const party *p)
{
    bool past = yoke__deadline_past(p->deadline);

    return yoke__barrier_lock_until(&p->barrier, past ? yoke__deadline_after(GRACE) : p->deadline, &p->handle->closing);
}

/* With the guard, which is held after it if and only if it returns YOKE_OK. */
static int try_to_arrive(party *p)
{
    yoke__token       culprit = 0;
    int               result = yoke__barrier_arrive(&p->barrier, &p->round, &p->index);
    yoke__barrier_why why = result == YOKE_EBROKEN ? yoke__barrier_broken(&p->barrier, &culprit) : YOKE__WHY_NOT;

    if (result != YOKE_OK)
        yoke__barrier_unlock(&p->barrier);
    return result == YOKE_EBROKEN ? broken(&p->barrier, why, culprit) : result;
}

/*
 * Holds the guard if and only if it returns YOKE_OK: arrived. While the action of the round before runs, it sleeps on the
 * record of that one without standing in it, so the record may have served other rounds when it looks: after each sleep
 * all is asked again.
 */
static int arrive(party *p)
{
    int result;

    while ((result = enter(p)) == YOKE_OK && (result = try_to_arrive(p)) == YOKE_EBUSY)
        if ((result = sleep_once(p)) < 0)
            return result == YOKE_ECLOSED ? closed() : action_runs_on(&p->barrier);
    return result == YOKE_ECLOSED ? closed() : result;
}

static int wait(party *p)
{
    YOKE_TRY(arrive(p));
    bool last = p->index + 1 == p->barrier.state->parties;
    if (last && !p->barrier.state->has_action)
        (void)yoke__barrier_finish(&p->barrier, p->round);
    yoke__barrier_unlock(&p->barrier);
    if (last)
        return p->barrier.state->has_action ? act(p) : leave_round(p);
    return wait_for_others(p);
}

int yoke_barrier_wait(yoke_barrier *barrier, int64_t timeout, int64_t *index)
{
    party p = {.deadline = yoke__deadline_after(timeout)};
    char  what[128];

    p.handle = yoke__barrier_find(&p.barrier, barrier);
    if (!p.handle)
        return yoke__noted();
    if (p.barrier.state->has_action && !p.handle->private_[YOKE__BARRIER_ACTION])
        return yoke__fail(YOKE_EINVAL, "%s: this handle has no action yet: see yoke_barrier_set_action()",
                          yoke__object_describe(p.barrier.domain, p.barrier.id, what, sizeof what));
    yoke__handle_enter(p.handle);
    int result = wait(&p);
    yoke__handle_exit(p.handle);
    if (result == YOKE_OK && index)
        *index = p.index;
    return result;
}
