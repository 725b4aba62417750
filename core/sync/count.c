/* Semaphores in signal mode: the value is the word itself, so each call is one CAS. */
#include "../wait/watchers.h"
#include "semaphore.h"

/*
 * The CAS is the commit, and takes WAITERS out: who it was set for is to be woken. Killed between the two, we leave
 * sleepers that look by themselves after their slice.
 */
int yoke__count_give(yoke_domain *domain, yoke__semaphore_state *state, uint32_t count)
{
    uint32_t seen = yoke__a32_load_relaxed(&state->word);

    do {
        if (count > state->max - (seen & YOKE__SEMAPHORE_COUNT))
            return YOKE_ERANGE;
    } while (!yoke__a32_cas_acq_rel(&state->word, &seen, (seen + count) & ~YOKE__WAITERS));
    if ((seen & YOKE__WAITERS) != 0) {
        yoke__fence_seq_cst(); /* with the one in yoke__park(): either we see the sleeper, or it sees the value */
        yoke__word_wake(domain, &state->word, count);
    }
    yoke__fence_after_exchange(); /* with the one after yoke__watchers_arm() */
    yoke__watchers_ring(domain, &state->watchers);
    return YOKE_OK;
}
