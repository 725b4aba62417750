/*
 * Semaphores in shared memory. docs/design/semaphores.md has the protocol, what each death leaves, and the orders.
 *
 * Files: semaphore.c (public calls), count.c (signal mode), permits.c (permit mode), permit_notes.c (who died holding one),
 * semaphore_wait.c (sleeping).
 */
#ifndef YOKE_CORE_SYNC_SEMAPHORE_H
#define YOKE_CORE_SYNC_SEMAPHORE_H

#include "../domain/object.h"
#include "../domain/participant.h"
#include "../wait/word.h"
#include "death_note.h"

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
 *   permit[] = {dead:32 | holder:32} each. holder: token of the process that has it, or 0. dead: token of the one that died
 *              having it before, 0: none. It stands there until who got the permit releases it, or dies too, so that it can
 *              be asked. One word, so that the CAS that takes from the dead says from whom.
 *   after the permits, as many as notes says: who the dead are (permit_notes.c)
 * The rest is written before anybody sees the object.
 */
typedef struct yoke__semaphore_state {
    yoke__a32 word;
    uint32_t  permits; /* how many; 0: signal mode */
    uint32_t  max;
    uint32_t  initial;
    yoke__a64 watchers;
    uint32_t  on_death; /* yoke_on_death */
    uint32_t  notes;    /* 0: nobody is told of deaths */
    yoke__a64 permit[];
} yoke__semaphore_state;
_Static_assert(sizeof(yoke__semaphore_state) == 32, "shared layout");

#define YOKE__SEMAPHORE_COUNT  UINT32_C(0x3fffffff)
#define YOKE__SEMAPHORE_HUNGRY UINT32_C(0x40000000)
_Static_assert(YOKE_SEMAPHORE_MAX == YOKE__SEMAPHORE_COUNT, "the value fits");

/* A permit's word. */
static inline uint64_t yoke__permit_make(yoke__token dead, yoke__token holder)
{
    return (uint64_t)dead << 32 | holder;
}
static inline yoke__token yoke__permit_holder(uint64_t word)
{
    return (yoke__token)word;
}
static inline yoke__token yoke__permit_dead(uint64_t word)
{
    return (yoke__token)(word >> 32);
}

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
static inline yoke__a64 *yoke__permits_first(yoke__semaphore_state *state, yoke__token mine)
{
    return &state->permit[(uint64_t)(yoke__token_slot(mine) * UINT32_C(2654435761)) * state->permits >> 32];
}
/* What is there mostly: the first one is free, nobody is hungry and there is no news. */
static inline bool yoke__permits_take_first(yoke__semaphore_state *state, yoke__token mine)
{
    uint64_t seen = 0;

    return mine != 0 && !yoke__semaphore_must_wait(yoke__a32_load_relaxed(&state->word), YOKE__POLITE) &&
           yoke__a64_cas_acq_rel(yoke__permits_first(state, mine), &seen, mine);
}
/* Likewise. True: given back, and yoke__permits_told() is to be called. */
static inline bool yoke__permits_give_first(yoke__semaphore_state *state, yoke__token mine)
{
    uint64_t seen = mine;

    return yoke__a64_cas_acq_rel(yoke__permits_first(state, mine), &seen, 0);
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
/* Who had the permit that the calling thread got last with news, if its process has that one still; or another permit that
 * it has with news. 0: there is none. */
yoke__token yoke__permits_death(const yoke__semaphore_state *state, yoke__token mine);

/* How many notes a semaphore needs, and what they take. */
uint32_t yoke__permit_notes(uint32_t permits);
uint64_t yoke__permit_notes_size(uint32_t notes);
/* Under the registry lock, before a dead one is forgotten: notes who it was, if a permit says that it had it. */
void yoke__permit_note_write(yoke_domain *domain, yoke__semaphore_state *state, yoke__token dead);
/* Who that was, by its note or by what the domain knows. False: forgotten. */
bool yoke__permit_note_read(yoke_domain *domain, const yoke__semaphore_state *state, yoke__token dead,
                            yoke__obituary *out);

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
