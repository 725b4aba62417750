/*
 * Sleeping on a word of a domain, and waking its sleepers, across processes: by the backend's wait_word or by the parking
 * lot, as the domain's header says.
 *
 * Nobody may sleep longer than a slice without looking again at the predicate and at the owner's life: a waker can die
 * between changing the state and waking.
 */
#ifndef YOKE_CORE_WAIT_WORD_H
#define YOKE_CORE_WAIT_WORD_H

#include "../domain/domain.h"
#include "deadline.h"

#define YOKE__SLICE INT64_C(150000000) /* ns */

/* Sleeps while *word is expected, at most until the deadline and at most a slice. Returns for any reason or none. */
void yoke__word_wait(yoke_domain *domain, const yoke__a32 *word, uint32_t expected, yoke__deadline deadline);
/* Wakes up to count sleepers. Call it after the store that they wait for and a full fence (or a seq_cst RMW). */
void yoke__word_wake(yoke_domain *domain, yoke__a32 *word, uint32_t count);

/* A bounded spin, calibrated once, that adapts to whether it helps; none on one CPU:
 *     static _Thread_local yoke__spin_luck luck;
 *     yoke__spin spin = yoke__spin_begin(&luck);
 *     while (yoke__spin_for(&spin, 1))
 *         if (ready) {
 *             yoke__spin_won(&spin);
 *             ...
 *         }
 */
typedef struct yoke__spin_luck {
    uint32_t halvings; /* how often spinning was in vain since it last was not, up to a point */
    uint32_t skipped;
} yoke__spin_luck;
typedef struct yoke__spin {
    yoke__spin_luck *luck;
    uint32_t         left;
} yoke__spin;
yoke__spin yoke__spin_begin(yoke__spin_luck *luck);
/* Waits that many iterations, a few ns each. False: enough of it. */
bool yoke__spin_for(yoke__spin *spin, uint32_t iterations);
void yoke__spin_won(yoke__spin *spin);
/* For tests: so many iterations at most from now on; 0: none. */
void yoke__spin_set(uint32_t iterations);

/* -- doorbells: for who waits on several things at once, or from an event loop. One per thread record. */
typedef struct yoke__bell {
    yoke_domain *domain;
    uint32_t     thread; /* index of the thread record */
    yoke_native  native; /* pollable */
} yoke__bell;
/* This thread's bell in that domain, opened on first use; stays open until the thread ends or the process leaves. Ask
 * anew after a fork. YOKE_ENOMEM: no thread record or no descriptor left. */
int yoke__bell_mine(yoke_domain *domain, yoke__bell **out);
/* False: that record has no bell open (any more). Cheap to call with a stale index; a ring is only a hint. */
bool yoke__bell_ring(yoke_domain *domain, uint32_t thread);

/* -- who waits for what, for diagnosis. Around a sleep of the calling thread; does nothing if all records are taken. */
void yoke__wait_begin(yoke_domain *domain, yoke__id object);
void yoke__wait_end(yoke_domain *domain);

/* -- the thread records of a process that goes. */
/* This process leaves the domain: closes its bells there and gives the records back. No thread of it may sleep there. */
void yoke__threads_leave(yoke_domain *domain);
/* Registry lock held: takes the records of a dead token out of the parking lot and frees them. Repeatable. */
void yoke__threads_recover(yoke_domain *domain, yoke__token dead);

#endif
