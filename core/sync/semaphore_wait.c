/*
 * Waiting for a semaphore, in either mode.
 *
 * A sleeper: WAITERS into the word, full fence, another attempt, sleep while the word is as we left it.
 * A waker:   value or permit given back, WAITERS looked at and taken out, which changes the word, wake-ups.
 * Either the waker sees WAITERS, or the sleeper's attempt sees what was given back. More may be asleep than were woken, so
 * whoever has slept sets WAITERS again before each attempt, and when it has taken one it passes the wake-up on if
 * something is left. If it dies before that, the others look by themselves after a slice.
 */
#include "../domain/participant.h"
#include "semaphore.h"

#define BEATEN_OFTEN 4u  /* wake-ups in vain, after which those who come anew have to wait */
#define NARROW       16u /* permits that are looked at in about the time of one iteration of a spin */

typedef struct sleeper {
    yoke__handle          *handle;
    yoke__semaphore_state *state;
    yoke__deadline         deadline;
    bool                   slept;
    uint32_t               beaten; /* how often it was woken and found nothing */
} sleeper;

int yoke__semaphore_try(yoke__handle *handle, yoke__taker who, bool ask)
{
    yoke__semaphore_state *state = handle->object;

    if (state->permits == 0)
        return yoke__count_take(state, who);
    yoke__token mine = yoke__domain_token(handle->domain);
    if (mine == 0)
        return YOKE_ENOMEM;
    int result = yoke__permits_take(state, mine, who);
    if (result == YOKE_EBUSY && ask)
        result = yoke__permits_take_dead(handle->domain, state, mine);
    return result;
}

/* Returns the word as it stands then. */
static uint32_t ask_to_be_woken(const sleeper *s)
{
    uint32_t bits = YOKE__WAITERS | (s->beaten >= BEATEN_OFTEN ? YOKE__SEMAPHORE_HUNGRY : 0);
    uint32_t seen = yoke__a32_load_relaxed(&s->state->word);

    while ((seen & bits) != bits && !yoke__a32_cas_acq_rel(&s->state->word, &seen, seen | bits))
        continue;
    yoke__fence_seq_cst();
    return seen | bits;
}

static bool anything_left(const sleeper *s)
{
    if (s->state->permits != 0)
        return yoke__permits_free(s->handle->domain, s->state, false) != 0;
    return (yoke__a32_load_relaxed(&s->state->word) & YOKE__SEMAPHORE_COUNT) != 0;
}

static void pass_on(const sleeper *s)
{
    uint32_t seen = yoke__a32_load_relaxed(&s->state->word), next;

    do
        next = (seen | YOKE__WAITERS) & ~YOKE__SEMAPHORE_HUNGRY;
    while (seen != next && !yoke__a32_cas_acq_rel(&s->state->word, &seen, next));
    yoke__fence_seq_cst();
    if (anything_left(s))
        yoke__word_wake(s->handle->domain, &s->state->word, 1);
}

/* In signal mode the word may have stood above 0 when we asked, and another was faster than our attempt: it can come to
 * stand so again, and we would sleep over what is there. */
static bool may_sleep_on(const sleeper *s, uint32_t word, yoke__taker who)
{
    return s->state->permits != 0 || (word & YOKE__SEMAPHORE_COUNT) == 0 || yoke__semaphore_must_wait(word, who);
}

/* Others who are hungry say so again. */
static int give_up(const sleeper *s, int code)
{
    if (s->beaten >= BEATEN_OFTEN)
        yoke__a32_and_acq_rel(&s->state->word, ~YOKE__SEMAPHORE_HUNGRY);
    return code;
}

/* True: nothing happened for a slice. */
static bool sleep_on(sleeper *s, uint32_t word)
{
    yoke__word_wait(s->handle->domain, &s->state->word, word, s->deadline);
    s->slept = true;
    if (yoke__a32_load_relaxed(&s->state->word) != word)
        return false;
    (void)yoke__domain_patrol(s->handle->domain);
    return true;
}

static int sleep_until(sleeper *s)
{
    bool ask = true; /* do the holders live? Before the first sleep, and when a slice has passed */

    for (;;) {
        bool        past = yoke__deadline_past(s->deadline);
        uint32_t    word = ask_to_be_woken(s);
        yoke__taker who = s->slept || past ? YOKE__DUE : YOKE__POLITE;
        int         result = yoke__semaphore_try(s->handle, who, ask);
        if (result != YOKE_EBUSY) {
            if (s->slept)
                pass_on(s);
            return result;
        }
        s->beaten += s->slept && !ask;
        if (yoke__a32_load_acquire(&s->handle->closing) != 0)
            return give_up(s, YOKE_ECLOSED);
        if (past)
            return give_up(s, YOKE_ETIMEDOUT);
        if (may_sleep_on(s, word, who))
            ask = sleep_on(s, word);
    }
}

static int spin(const sleeper *s)
{
    static _Thread_local yoke__spin_luck luck;
    yoke__spin                           spin = yoke__spin_begin(&luck);

    while (yoke__spin_for(&spin, 1 + s->state->permits / NARROW)) {
        int result = yoke__semaphore_try(s->handle, YOKE__POLITE, false);
        if (result == YOKE_EBUSY)
            continue;
        yoke__spin_won(&spin);
        return result;
    }
    return YOKE_EBUSY;
}

int yoke__semaphore_wait(yoke__handle *handle, int64_t timeout)
{
    sleeper s = {.handle = handle, .state = handle->object, .deadline = yoke__deadline_after(timeout)};

    yoke__handle_enter(handle);
    int result = spin(&s);
    if (result == YOKE_EBUSY) {
        yoke__wait_begin(handle->domain, handle->id);
        result = sleep_until(&s);
        yoke__wait_end(handle->domain);
    }
    yoke__handle_exit(handle);
    return result;
}
