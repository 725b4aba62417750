/* Waiting in a condition. */
#include "condition.h"

#include "../domain/participant.h"
#include "../error.h"

static bool is_closing(const yoke__condition *c)
{
    return yoke__a32_load_acquire(&c->handle->closing) != 0;
}

static bool spin(const yoke__wait_slot *waiter)
{
    static _Thread_local yoke__spin_luck luck;
    yoke__spin                           spin = yoke__spin_begin(&luck);

    while (yoke__spin_for(&spin, 1))
        if (yoke__waiter_notified(waiter)) {
            yoke__spin_won(&spin);
            return true;
        }
    return false;
}

/* Until notified (YOKE_OK), and why not otherwise; *waiter is the slot to leave. */
static int sleep_until(const yoke__condition *c, yoke__wait_slot **waiter, const yoke__condition_levels *levels,
                       yoke__deadline deadline)
{
    bool slept = false;

    for (;;) {
        uint32_t seen = yoke__a32_load_acquire(&(*waiter)->word);
        if ((seen & YOKE__NOTIFIED) != 0 || (slept && yoke__waiters_adopt(c->domain, &c->state->waiters, waiter)))
            return YOKE_OK;
        if (is_closing(c))
            return YOKE_ECLOSED;
        if (yoke__condition_death_since(c, levels))
            return YOKE_OWNER_DIED;
        if (yoke__deadline_past(deadline))
            return YOKE_ETIMEDOUT;
        yoke__word_wait(c->domain, &(*waiter)->word, seen, deadline);
        slept = true;
        if (yoke__a32_load_relaxed(&(*waiter)->word) ==
            seen) /* a slice has passed: has anybody died with our notify? */
            (void)yoke__domain_patrol(c->domain);
    }
}

/* The lock is let go already. */
static int wait_notified(const yoke__condition *c, yoke__wait_slot **waiter, const yoke__condition_levels *levels,
                         yoke__deadline deadline)
{
    int result;

    if (deadline > 0 && !is_closing(c) && spin(*waiter))
        return YOKE_OK;
    yoke__wait_begin(c->domain, c->handle->id);
    result = sleep_until(c, waiter, levels, deadline);
    yoke__wait_end(c->domain);
    if (result != YOKE_OK && !yoke__waiter_give_up(*waiter)) { /* notified after all */
        if (result != YOKE_ECLOSED)
            return YOKE_OK;
        yoke__waiters_pass_on(c->domain, &c->state->waiters, *waiter);
    }
    return result;
}

static int timed_out(const yoke__condition *c)
{
    char what[128];

    return yoke__fail(YOKE_ETIMEDOUT, "%s: not notified within the time",
                      yoke__object_describe(c->domain, c->handle->id, what, sizeof what));
}

static int closed(void)
{
    return yoke__fail(YOKE_ECLOSED, "the condition was closed by another thread while this one waited in it");
}

/* A notify is the waiter's until it has the lock again: if it dies before, another gets it. */
static int wait_until(const yoke__condition *c, yoke__deadline deadline)
{
    yoke__condition_levels levels;
    yoke__wait_slot       *waiter = yoke__waiters_enter(c->domain, &c->state->waiters, c->handle->id);
    int                    result, held;

    if (!waiter)
        return YOKE_ENOMEM;
    result = yoke__condition_let_go(c, &levels);
    if (result < 0) { /* another thread let go of a lock that this one held */
        if (!yoke__waiter_give_up(waiter))
            yoke__waiters_pass_on(c->domain, &c->state->waiters, waiter);
        return result;
    }
    result = wait_notified(c, &waiter, &levels, deadline);
    if (result == YOKE_ECLOSED)
        return closed();
    held = yoke__condition_take_back(c, &levels);
    if (result == YOKE_OK && held >= 0)
        yoke__waiter_leave(waiter);
    else if (result == YOKE_OK)
        yoke__waiters_pass_on(c->domain, &c->state->waiters, waiter);
    if (held == YOKE_ECLOSED)
        return closed();
    if (held != YOKE_OK)
        return held;
    return result == YOKE_ETIMEDOUT ? timed_out(c) : YOKE_OK;
}

/* From the look at the lock to the end, so that who closes the handle waits for us, or we see that it is closed. */
static int begin_wait(yoke__condition *c, const yoke_condition *condition)
{
    if (!yoke__condition_find(c, condition))
        return yoke__noted();
    YOKE_TRY(yoke__condition_holds(c, "wait"));
    yoke__handle_enter(c->handle);
    return YOKE_OK;
}

int yoke_condition_wait(yoke_condition *condition, int64_t timeout)
{
    yoke__condition c;
    int             result;

    YOKE_TRY(begin_wait(&c, condition));
    result = wait_until(&c, yoke__deadline_after(timeout));
    yoke__handle_exit(c.handle);
    return result;
}

static int wait_for(const yoke__condition *c, yoke_predicate *predicate, void *user, yoke__deadline deadline)
{
    int result = YOKE_OK;

    while (!predicate(user)) {
        if (result == YOKE_ETIMEDOUT)
            return timed_out(c);
        result = wait_until(c, deadline);
        if (result != YOKE_OK && result != YOKE_ETIMEDOUT)
            return result;
    }
    return YOKE_OK;
}

int yoke_condition_wait_for(yoke_condition *condition, yoke_predicate *predicate, void *user, int64_t timeout)
{
    yoke__condition c;
    int             result;

    if (!predicate)
        return yoke__fail(YOKE_EINVAL, "yoke_condition_wait_for: no predicate");
    YOKE_TRY(begin_wait(&c, condition));
    result = wait_for(&c, predicate, user, yoke__deadline_after(timeout));
    yoke__handle_exit(c.handle);
    return result;
}
