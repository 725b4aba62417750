/*
 * Semaphores in shared memory. docs/design/semaphores.md has the protocol, what each death leaves, and the orders.
 *
 * Files: semaphore.c (public calls), count.c (signal mode), permits.c (permit mode), semaphore_wait.c (sleeping).
 */
#ifndef YOKE_CORE_SYNC_SEMAPHORE_H
#define YOKE_CORE_SYNC_SEMAPHORE_H

#include "../domain/object.h"
#include "../domain/participant.h"
#include "../wait/word.h"

#include <yoke/semaphore.h>

/*
 *   word     = {WAITERS | HUNGRY | 30 bits}. Sleepers sleep on it. The 30 bits are the value in signal mode; in permit
 *              mode a number that is counted up by who wakes, so that nobody falls asleep over a wake-up.
 *              WAITERS: somebody may be asleep. Set by who is about to sleep; cleared by who releases, which then wakes
 *              as many as it released; set again by each that has slept, as it may have been woken in the place of
 *              others. So if somebody sleeps and WAITERS is clear, then somebody else has been woken and is on its way,
 *              or was killed, and a slice ends the sleep.
 *              HUNGRY: somebody has been woken in vain too often: who has not slept yet must not take. Set and cleared
 *              by those who have slept. One left behind by the dead costs who comes next a slice at most.
 *   watchers = threads that wait for it besides other things (wait/watchers.h)
 *   permit[] = one word each: the holder's token, or 0; YOKE__TOKEN_FLAG: whoever had it last died having it
 * The rest is written before anybody sees the object.
 */
typedef struct yoke__semaphore_state {
    yoke__a32 word;
    uint32_t  permits; /* how many; 0: signal mode */
    uint32_t  max;
    uint32_t  initial;
    yoke__a64 watchers;
    uint32_t  on_death; /* yoke_on_death */
    uint32_t  reserved;
    yoke__a32 permit[];
} yoke__semaphore_state;
_Static_assert(sizeof(yoke__semaphore_state) == 32, "shared layout");

#define YOKE__SEMAPHORE_COUNT  UINT32_C(0x3fffffff)
#define YOKE__SEMAPHORE_HUNGRY UINT32_C(0x40000000)
_Static_assert(YOKE_SEMAPHORE_MAX == YOKE__SEMAPHORE_COUNT, "the value fits");

struct yoke_semaphore {
    yoke__handle handle;
};

/* Who may take: those who come anew only if nobody is hungry. */
typedef enum yoke__taker { YOKE__POLITE, YOKE__DUE } yoke__taker;

static inline bool yoke__semaphore_must_wait(uint32_t word, yoke__taker who)
{
    return who == YOKE__POLITE && (word & YOKE__SEMAPHORE_HUNGRY) != 0;
}

/* -- one look, no wait: YOKE_OK, YOKE_OWNER_DIED, YOKE_EBUSY; no error is noted. */
static inline int yoke__count_take(yoke__semaphore_state *state, yoke__taker who)
{
    uint32_t seen = yoke__a32_load_relaxed(&state->word);

    while ((seen & YOKE__SEMAPHORE_COUNT) != 0 && !yoke__semaphore_must_wait(seen, who))
        if (yoke__a32_cas_acq_rel(&state->word, &seen, seen - 1))
            return YOKE_OK;
    return YOKE_EBUSY;
}
int yoke__permits_take(yoke__semaphore_state *state, yoke__token mine, yoke__taker who);
/* Where a process begins its search. All permits are alike: with places of their own, processes meet less, and what one
 * releases it finds again at once. */
static inline yoke__a32 *yoke__permits_first(yoke__semaphore_state *state, yoke__token mine)
{
    return &state->permit[(uint64_t)(yoke__token_slot(mine) * UINT32_C(2654435761)) * state->permits >> 32];
}
/* What is there mostly: the first one is free, nobody is hungry and there is no news. */
static inline bool yoke__permits_take_first(yoke__semaphore_state *state, yoke__token mine)
{
    uint32_t seen = 0;

    return mine != 0 && !yoke__semaphore_must_wait(yoke__a32_load_relaxed(&state->word), YOKE__POLITE) &&
           yoke__a32_cas_acq_rel(yoke__permits_first(state, mine), &seen, mine);
}
/* Likewise. True: given back, and yoke__permits_told() is to be called. */
static inline bool yoke__permits_give_first(yoke__semaphore_state *state, yoke__token mine)
{
    uint32_t seen = mine;

    return yoke__a32_cas_acq_rel(yoke__permits_first(state, mine), &seen, 0);
}
/* After permits were given back by CAS: wakes who waits. */
void               yoke__permits_tell(yoke_domain *domain, yoke__semaphore_state *state, uint32_t count);
static inline void yoke__permits_told(yoke_domain *domain, yoke__semaphore_state *state)
{
    yoke__fence_after_exchange(); /* either we see WAITERS or the watcher, or they see the permits */
    if ((yoke__a32_load_relaxed(&state->word) & YOKE__WAITERS) != 0 || yoke__a64_load_relaxed(&state->watchers) != 0)
        yoke__permits_tell(domain, state, 1);
}
/* And asks for each holder whether it lives. */
int yoke__permits_take_dead(yoke_domain *domain, yoke__semaphore_state *state, yoke__token mine);

/* -- gives back and wakes. YOKE_ERANGE, YOKE_ENOTOWNER, without an error noted. count: 1 and above. */
int yoke__count_give(yoke_domain *domain, yoke__semaphore_state *state, uint32_t count);
int yoke__permits_give(yoke_domain *domain, yoke__semaphore_state *state, yoke__token mine, uint32_t count);

/* Takes from the dead; for the type's sweep. */
void yoke__permits_sweep(yoke_domain *domain, yoke__semaphore_state *state, yoke__token dead);
/* How many nobody has; dead: or only the dead. */
uint32_t yoke__permits_free(yoke_domain *domain, const yoke__semaphore_state *state, bool dead);
/* Who has some: a few of them as text, and the process id of one. Returns its argument. */
const char *yoke__permits_holders(yoke_domain *domain, const yoke__semaphore_state *state, char *text, size_t size,
                                  int64_t *pid);

/* One look in either mode. ask: whether holders live. */
int yoke__semaphore_try(yoke__handle *handle, yoke__taker who, bool ask);
/* Spins and sleeps. Codes as yoke_semaphore_acquire(), without an error noted. */
int yoke__semaphore_wait(yoke__handle *handle, int64_t timeout);

extern const yoke__object_type yoke__semaphore_type;

#endif
