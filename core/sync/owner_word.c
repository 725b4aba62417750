#include "owner_word.h"

#include "../domain/participant.h"

/* One try at a word that stood at *seen: YOKE_OK, or YOKE_EBUSY with *seen renewed if it is held by now. */
static int take_free(yoke__a32 *word, uint32_t *seen, uint32_t mine, yoke__owner_wait *wait)
{
    while ((*seen & YOKE__TOKEN_MASK) == 0) {
        wait->held = mine | (*seen & YOKE__TOKEN_FLAG);
        if (yoke__a32_cas_acq_rel(word, seen, wait->held))
            return YOKE_OK;
    }
    return YOKE_EBUSY;
}

/* The dead owner's token goes by CAS, so that one taker gets it. Others may be asleep: WAITERS stays or is set. */
static int take_over(yoke__a32 *word, uint32_t *seen, yoke__token token, yoke__owner_wait *wait)
{
    wait->dead = wait->entered ? yoke__a32_load_acquire(wait->entered) : *seen & YOKE__TOKEN_MASK;
    wait->held = token | YOKE__WAITERS | (*seen & YOKE__TOKEN_FLAG) | (wait->dead ? wait->mark : 0);
    if (yoke__a32_cas_acq_rel(word, seen, wait->held))
        return YOKE_OWNER_DIED;
    wait->dead = 0;
    return YOKE_EBUSY;
}

#define PAUSE_MOST 64u

static int spin(yoke__a32 *word, uint32_t *seen, yoke__token token, yoke__owner_wait *wait)
{
    static _Thread_local yoke__spin_luck luck;
    yoke__spin                           spin = yoke__spin_begin(&luck);

    /* Looks ever less often: each one takes the line from the holder, who wants it for what it guards and to release. */
    for (uint32_t pause = 1; yoke__spin_for(&spin, pause); pause += pause < PAUSE_MOST ? pause : 0) {
        *seen = yoke__a32_load_relaxed(word);
        if (take_free(word, seen, token, wait) == YOKE_OK) {
            yoke__spin_won(&spin);
            return YOKE_OK;
        }
    }
    return YOKE_EBUSY;
}

/*
 * Each round takes a free word, takes a dead owner's, or sleeps on a living owner's. Whoever has slept may have been
 * woken in the place of others that still sleep, so it holds the lock with WAITERS set, and sees to it that WAITERS
 * stands before it gives up.
 */
static int sleep_for(yoke_domain *domain, yoke__a32 *word, yoke__token token, yoke__owner_wait *wait)
{
    uint32_t seen = yoke__a32_load_relaxed(word);
    uint32_t slept = 0; /* YOKE__WAITERS once it has */

    for (;;) {
        if (take_free(word, &seen, token | slept, wait) == YOKE_OK)
            return YOKE_OK;
        if (!yoke__token_alive(domain, seen & YOKE__TOKEN_MASK)) {
            if (take_over(word, &seen, token, wait) == YOKE_OWNER_DIED)
                return YOKE_OWNER_DIED;
            continue;
        }
        bool past = yoke__deadline_past(wait->deadline);
        if ((slept || !past) && (seen & YOKE__WAITERS) == 0) {
            if (!yoke__a32_cas_acq_rel(word, &seen, seen | YOKE__WAITERS))
                continue;
            seen |= YOKE__WAITERS;
        }
        if (wait->closing && yoke__a32_load_acquire(wait->closing) != 0)
            return YOKE_ECLOSED;
        if (past)
            return YOKE_ETIMEDOUT;
        int result = wait->look ? wait->look(wait->user) : YOKE_OK;
        if (result != YOKE_OK)
            return result;
        yoke__word_wait(domain, word, seen, wait->deadline);
        slept = YOKE__WAITERS;
        seen = yoke__a32_load_relaxed(word);
    }
}

static int acquire_held(yoke_domain *domain, yoke__a32 *word, yoke__token token, yoke__owner_wait *wait)
{
    uint32_t seen = 0;

    if (wait->deadline > 0 && spin(word, &seen, token, wait) == YOKE_OK)
        return YOKE_OK;
    if (wait->object == 0)
        return sleep_for(domain, word, token, wait);
    yoke__wait_begin(domain, wait->object);
    int result = sleep_for(domain, word, token, wait);
    yoke__wait_end(domain);
    return result;
}

int yoke__owner_try(yoke_domain *domain, yoke__a32 *word, yoke__owner_wait *wait)
{
    yoke__token token = yoke__domain_token(domain);
    uint32_t    seen = 0;

    wait->dead = 0;
    return token ? take_free(word, &seen, token, wait) : YOKE_ENOMEM;
}

int yoke__owner_acquire_with(yoke_domain *domain, yoke__a32 *word, yoke__owner_wait *wait)
{
    int result = yoke__owner_try(domain, word, wait);

    return result == YOKE_EBUSY ? acquire_held(domain, word, yoke__domain_token(domain), wait) : result;
}

int yoke__owner_acquire(yoke_domain *domain, yoke__a32 *word, yoke__deadline deadline, yoke__token *dead)
{
    yoke__owner_wait wait = {.deadline = deadline};
    int              result = yoke__owner_acquire_with(domain, word, &wait);

    if (dead && result == YOKE_OWNER_DIED)
        *dead = wait.dead;
    return result;
}

/*
 * The sleepers' half is: WAITERS into the word, bit into the parking lot, full fence, look at the word. This half: token
 * and WAITERS out of the word, full fence, look into the parking lot. On x86 the exchange is the fence; on AArch64 an
 * acquire-release exchange may be passed by later loads.
 */
static void wake_one(yoke_domain *domain, yoke__a32 *word)
{
    yoke__fence_seq_cst();
    yoke__word_wake(domain, word, 1);
}

void yoke__owner_release(yoke_domain *domain, yoke__a32 *word)
{
    if ((yoke__a32_exchange_acq_rel(word, 0) & YOKE__WAITERS) != 0)
        wake_one(domain, word);
}

/* While the token in *stood has the word. Not by an AND, which would be a loop too wherever what stood there is asked
 * for. */
static bool leave(yoke_domain *domain, yoke__a32 *word, uint32_t *stood, yoke__token token)
{
    yoke__token owner = *stood & YOKE__TOKEN_MASK;

    do {
        if ((*stood & YOKE__TOKEN_MASK) != owner)
            return false;
    } while (!yoke__a32_cas_acq_rel(word, stood, (*stood & YOKE__TOKEN_FLAG) | token));
    if ((*stood & YOKE__WAITERS) != 0)
        wake_one(domain, word);
    return true;
}

bool yoke__owner_release_of(yoke_domain *domain, yoke__a32 *word, uint32_t *stood)
{
    return leave(domain, word, stood, 0);
}

uint32_t yoke__owner_release_keep(yoke_domain *domain, yoke__a32 *word)
{
    uint32_t stood = yoke__a32_load_relaxed(word);

    (void)leave(domain, word, &stood, 0);
    return stood;
}

void yoke__owner_leave(yoke_domain *domain, yoke__a32 *word)
{
    uint32_t stood = yoke__a32_load_relaxed(word);

    (void)leave(domain, word, &stood, YOKE__TOKEN_GONE);
}
