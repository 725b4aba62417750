/*
 * The state of a lock, as it stands in a lock object or inside another object (value, array), and calls on it.
 */
#ifndef YOKE_CORE_SYNC_LOCK_H
#define YOKE_CORE_SYNC_LOCK_H

#include "../domain/object.h"
#include "owner_word.h"

#include <yoke/sync.h>

/* Who died holding it. Written by the lock's holder after it took over. */
typedef struct yoke__lock_death {
    yoke__a32 token;
    yoke__a32 reserved;
    yoke__a64 pid;
    yoke__a64 name[YOKE__NAME_SIZE / 8]; /* text in words, so that it may be read while it is written */
} yoke__lock_death;

/*
 * All zero bytes: a free lock that reports deaths.
 *
 *   word     = owner word; YOKE__TOKEN_FLAG: a holder died, and nobody has marked it repaired. The flag is set by the
 *              CAS of the takeover itself, so a taker that dies too leaves it behind.
 *   version  = deaths noted so far; deaths[version % 2] is the last one, the other copy may be in the making. Counted up
 *              by the holder when the copy is complete.
 */
typedef struct yoke__lock_state {
    yoke__a32        word;
    yoke__a32        on_death; /* yoke_on_death; before anybody sees the lock */
    yoke__a32        version;
    yoke__a32        reserved;
    yoke__lock_death deaths[2];
} yoke__lock_state;
_Static_assert(sizeof(yoke__lock_state) == 176, "shared layout");

struct yoke_lock {
    yoke__handle handle;
};

void yoke__lock_init(yoke__lock_state *state, yoke_on_death on_death);
/* As yoke_lock_acquire() and yoke_lock_release(). handle: through which the lock is reached; its closing ends the wait.
 * id: the object that the lock is in, for texts and diagnosis. */
int yoke__lock_acquire(yoke__handle *handle, yoke__id id, yoke__lock_state *state, int64_t timeout);
int yoke__lock_release(yoke__handle *handle, yoke__id id, yoke__lock_state *state);
/* Wakes all who sleep in it, to see that a handle is closing: for the wake function of yoke__handle_close(). */
void yoke__lock_wake(yoke_domain *domain, yoke__lock_state *state);
/* Adds how it stands to a text, for the describe() of an object with a lock in it. */
void yoke__lock_describe(yoke_domain *domain, const yoke__lock_state *state, char *text, size_t size);
/* For the sweep of an object with a lock in it: takes the lock from the dead and frees it, noting the death. */
void yoke__lock_sweep(yoke_domain *domain, yoke__lock_state *state, yoke__token dead);

/* A handle to the lock inside the object that owner stands for; lives until it is returned, which is to be done before
 * owner is closed. YOKE_ENOMEM. NULL is fine for the return. */
int  yoke__lock_borrow(yoke_lock **out, const yoke__handle *owner, yoke__lock_state *state);
void yoke__lock_return(yoke_lock *lock);

extern const yoke__object_type yoke__lock_type;

#endif
