/*
 * The state of a lock, as it stands in a lock object or inside another object (value, array, rlock, rwlock), and calls on
 * it.
 */
#ifndef YOKE_CORE_SYNC_LOCK_H
#define YOKE_CORE_SYNC_LOCK_H

#include "../domain/object.h"
#include "../wait/thread.h"
#include "deadlock.h"
#include "death_note.h"
#include "owner_word.h"

#include <yoke/sync.h>

/* Rules of a lock, in yoke__lock_state.rules. */
enum {
    YOKE__IGNORES_DEATH = 1,
    YOKE__OWNER_RELEASES = 2, /* only the thread that acquired it may release it: it is owner-bound */
    YOKE__DETECTS = 4         /* waits in a cycle end with YOKE_EDEADLK */
};

/*
 * All zero bytes: a free lock that reports deaths.
 *
 *   word     = owner word; YOKE__TOKEN_FLAG: a holder died, and nobody has marked it repaired. The flag is set by the
 *              CAS of the takeover itself, so a taker that dies too leaves it behind.
 *   holder   = of an owner-bound lock, {token:32 | thread:32} of who holds it; by the holder alone, after it got the word.
 *              The holder clears it before it lets go of the word: so whoever reads it there reads the truth, and the
 *              token in it keeps a dead one's entry from being taken for somebody else's.
 *   acquired = of an owner-bound lock, counted up by the holder before it writes holder. Two looks that find the same
 *              holder and the same count have seen one acquisition, that stood from the first to the second.
 *              Of other locks {acquisitions of the thread:32 | thread:32}, by who acquired it, after it got the word: for
 *              texts, and stale for a moment. (A count in the lock would cost a load between the two locked instructions.)
 *   seen     = {bits of acquired:24 | ms:40}: since when somebody has found that acquisition in its way; by who waits, for
 *              texts
 *   depth    = levels held, of recursive locks; the holder's alone, valid only while it holds
 */
typedef struct yoke__lock_state {
    yoke__a32        word;
    yoke__a32        rules; /* before anybody sees the lock */
    yoke__a64        holder;
    yoke__a64        acquired;
    yoke__a64        seen;
    yoke__a32        depth;
    yoke__a32        reserved;
    yoke__death_note note;
} yoke__lock_state;
_Static_assert(sizeof(yoke__lock_state) == 208, "shared layout");

struct yoke__waiter; /* holder.h */

struct yoke_lock {
    yoke__handle handle;
};

static inline uint64_t yoke__holder_make(yoke__token token, uint32_t thread)
{
    return (uint64_t)token << 32 | thread;
}

static inline void yoke__lock_sign(yoke__lock_state *state, yoke__token token)
{
    uint32_t thread = yoke__thread_number();

    if ((yoke__a32_load_relaxed(&state->rules) & YOKE__OWNER_RELEASES) == 0) {
        uint64_t mine = ++yoke__thread_cached.acquisitions;
        yoke__a64_store_relaxed(&state->acquired, mine << 32 | thread);
        return;
    }
    yoke__a64_store_release(&state->acquired, yoke__a64_load_relaxed(&state->acquired) + 1);
    yoke__a64_store_release(&state->holder, yoke__holder_make(token, thread));
}

/* Whether the calling thread holds it: exact for owner-bound locks. */
static inline bool yoke__lock_mine(const yoke_domain *domain, const yoke__lock_state *state)
{
    uint64_t mine = yoke__holder_make(yoke__a32_load_relaxed(&domain->token), yoke__thread_number());
    return yoke__a64_load_relaxed(&state->holder) == mine;
}

/* Nearly always that is all: the lock is free, nobody died holding it, nobody waits. */
static inline bool yoke__lock_take(yoke_domain *domain, yoke__lock_state *state)
{
    uint32_t    nobody = 0;
    yoke__token token = yoke__a32_load_relaxed(&domain->token);

    if (!token || !yoke__a32_cas_acq_rel(&state->word, &nobody, token))
        return false;
    yoke__lock_sign(state, token);
    return true;
}

/* By the holding thread of an owner-bound lock. */
static inline void yoke__lock_let_go(yoke_domain *domain, yoke__lock_state *state)
{
    uint32_t mine = yoke__a32_load_relaxed(&domain->token);

    yoke__a64_store_relaxed(&state->holder, 0); /* before the word: see there */
    if (!yoke__a32_cas_acq_rel(&state->word, &mine, 0))
        (void)yoke__owner_release_keep(domain, &state->word);
}

void yoke__lock_init(yoke__lock_state *state, yoke_on_death on_death);
void yoke__lock_init_rules(yoke__lock_state *state, uint32_t rules);
/* The rules that options ask for against those of a lock that is there. YOKE_EINVAL naming both. */
int yoke__lock_agree(const char *what, const yoke__lock_state *state, uint32_t rules);
/* As yoke_lock_acquire() and yoke_lock_release(). handle: through which the lock is reached; its closing ends the wait.
 * id: the object that the lock is in, for texts and diagnosis. */
int yoke__lock_acquire(yoke__handle *handle, yoke__id id, yoke__lock_state *state, int64_t timeout);
int yoke__lock_release(yoke__handle *handle, yoke__id id, yoke__lock_state *state);
/* The slow half of acquire, for who touches the object afterwards: between yoke__handle_enter() and yoke__handle_exit() of
 * the caller's, so that the handle does not go before. */
int yoke__lock_acquire_inside(yoke__handle *handle, yoke__id id, yoke__lock_state *state, int64_t timeout);
/* The waiting half of it: no look whether it is free, no error noted; inside, too. waiter: of the caller, made for the lock. entered: as
 * in yoke__owner_wait, or NULL. */
int yoke__lock_acquire_until(struct yoke__waiter *waiter, yoke__handle *handle, yoke__lock_state *state,
                             yoke__deadline deadline, const yoke__a32 *entered);
/* After the word was taken by wait with that result: notes the death, if there was one to note. */
void yoke__lock_note(yoke_domain *domain, yoke__lock_state *state, const yoke__owner_wait *wait, int result);
/* YOKE_OK if the caller may release it, or the failure noted: nobody holds it, or somebody else does. */
int yoke__lock_may_release(yoke__handle *handle, yoke__id id, const yoke__lock_state *state, const char *verb);
/* As yoke_lock_death() and yoke_lock_mark_repaired(). */
int yoke__lock_death(yoke__handle *handle, yoke__id id, const yoke__lock_state *state, yoke_death *out);
int yoke__lock_mark_repaired(yoke__handle *handle, yoke__id id, yoke__lock_state *state);
/* Whether somebody holds it, or died holding it and nobody has taken it over. */
bool yoke__lock_held(const yoke__lock_state *state);
/* The one that holds an owner-bound lock: 1, or 0. As yoke__object_type.blockers. */
uint32_t yoke__lock_blocker(const yoke__lock_state *state, yoke__blocker *out);
/* Wakes all who sleep in it, to see that a handle is closing: for the wake function of yoke__handle_close(). */
void yoke__lock_wake(yoke_domain *domain, yoke__lock_state *state);
/* Adds how it stands to a text, for the describe() of an object with a lock in it. */
void yoke__lock_describe(yoke_domain *domain, const yoke__lock_state *state, char *text, size_t size);
/* For the sweep of an object with a lock in it: takes the lock from the dead and leaves it to the next, noting the death. */
void yoke__lock_sweep(yoke_domain *domain, yoke__lock_state *state, yoke__token dead);
/* The same with yoke__owner_wait.entered, which is cleared. */
void yoke__lock_sweep_entered(yoke_domain *domain, yoke__lock_state *state, yoke__token dead, yoke__a32 *entered);

/* A handle to the lock inside the object that owner stands for; lives until it is returned, which is to be done before
 * owner is closed. YOKE_ENOMEM. NULL is fine for the return. */
int  yoke__lock_borrow(yoke_lock **out, const yoke__handle *owner, yoke__lock_state *state);
void yoke__lock_return(yoke_lock *lock);

extern const yoke__object_type yoke__lock_type;

#endif
