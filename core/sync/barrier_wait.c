/* Arriving at a barrier, and waiting for the others. */
#include "barrier.h"

#include "../domain/participant.h"
#include "../error.h"

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

/* Until the round is not open any more: YOKE_OK. YOKE_ETIMEDOUT, YOKE_ECLOSED: it still was. No error is noted. */
static int until_ended(const party *p)
{
    yoke__a32 *word = &p->round->state;

    if (p->deadline > 0 && !is_closing(p) && spin(p))
        return YOKE_OK;
    while (yoke__a32_load_acquire(word) == YOKE__ROUND_OPEN) {
        if (is_closing(p))
            return YOKE_ECLOSED;
        if (yoke__deadline_past(p->deadline))
            return YOKE_ETIMEDOUT;
        yoke__word_wait(p->barrier.domain, word, YOKE__ROUND_OPEN, p->deadline);
        if (yoke__a32_load_relaxed(word) == YOKE__ROUND_OPEN) /* a slice has passed: has one of us died? */
            (void)yoke__domain_patrol(p->barrier.domain);
    }
    return YOKE_OK;
}

/* How the round has ended. The last look at it: after that its record may serve another one. */
static int leave_round(const party *p)
{
    uint32_t    state = yoke__a32_load_acquire(&p->round->state);
    yoke__token culprit = yoke__a32_load_relaxed(&p->round->culprit);

    yoke__a32_store_release(&p->round->arrived[p->index], 0);
    return state == YOKE__ROUND_DONE ? YOKE_OK : broken(&p->barrier, YOKE__ROUND_WHY(state), culprit);
}

/* Gives up, and breaks it for the others; unless it has ended at that moment. */
static int give_up(const party *p, yoke__barrier_why why)
{
    uint32_t arrived = yoke__a32_load_relaxed(&p->round->count);

    YOKE_TRY(yoke__barrier_lock(&p->barrier));
    bool was_open = yoke__barrier_is_open(&p->barrier, p->round);
    if (was_open)
        yoke__barrier_break(&p->barrier, why, yoke__domain_token(p->barrier.domain));
    yoke__barrier_unlock(&p->barrier);
    int result = leave_round(p);
    if (!was_open)
        return result;
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

    YOKE_TRY(yoke__barrier_lock(&p->barrier));
    if (yoke__barrier_is_open(&p->barrier, p->round)) {
        if (result < 0)
            yoke__barrier_break(&p->barrier, YOKE__WHY_FAILED, yoke__domain_token(p->barrier.domain));
        else
            yoke__barrier_finish(&p->barrier, p->round);
    }
    yoke__barrier_unlock(&p->barrier);
    int ended = leave_round(p);
    return result < 0 ? result : ended;
}

/* Holds the guard if and only if it returns YOKE_OK: arrived. */
static int arrive(party *p)
{
    for (;;) {
        YOKE_TRY(yoke__barrier_lock(&p->barrier));
        int result = yoke__barrier_arrive(&p->barrier, &p->round, &p->index);
        if (result == YOKE_OK)
            return YOKE_OK;
        yoke__barrier_why why = yoke__barrier_broken(&p->barrier);
        yoke__token       culprit = yoke__a32_load_relaxed(&p->barrier.state->broken_by);
        yoke__barrier_unlock(&p->barrier);
        if (result == YOKE_EBROKEN)
            return broken(&p->barrier, why, culprit);
        if (result != YOKE_EBUSY)
            return result;
        result = until_ended(p); /* of the round before, whose action is running */
        if (result == YOKE_ECLOSED)
            return closed();
        if (result == YOKE_ETIMEDOUT)
            return timed_out(&p->barrier, p->barrier.state->parties);
    }
}

static int wait(party *p)
{
    YOKE_TRY(arrive(p));
    bool last = p->index + 1 == p->barrier.state->parties;
    if (last && !p->barrier.state->has_action)
        yoke__barrier_finish(&p->barrier, p->round);
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
