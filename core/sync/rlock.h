/*
 * A recursive lock: a lock that is owner-bound, with the depth beside the word. It stands in an rlock object or inside
 * another one (condition).
 */
#ifndef YOKE_CORE_SYNC_RLOCK_H
#define YOKE_CORE_SYNC_RLOCK_H

#include "lock.h"

#include <yoke/rlock.h>

#define YOKE__RLOCK_DEPTH_MAX 65535u

typedef struct yoke__rlock_state {
    yoke__lock_state lock; /* with YOKE__OWNER_RELEASES; depth counts the levels */
} yoke__rlock_state;

struct yoke_rlock {
    yoke__handle handle;
};

/* rules: YOKE__IGNORES_DEATH, YOKE__DETECTS. */
void yoke__rlock_init(yoke__rlock_state *state, uint32_t rules);
/* As yoke_rlock_acquire() and yoke_rlock_release(). handle: through which the lock is reached; its closing ends the wait.
 * id: the object that it is in, for texts and diagnosis. */
int yoke__rlock_acquire(yoke__handle *handle, yoke__id id, yoke__rlock_state *state, int64_t timeout);
int yoke__rlock_release(yoke__handle *handle, yoke__id id, yoke__rlock_state *state);
/* All levels at once, and as many again: for a wait that lets go of the lock. *levels is set on success. The codes are
 * those of release and acquire; YOKE_OWNER_DIED: held, with that many levels. */
int yoke__rlock_release_all(yoke__handle *handle, yoke__id id, yoke__rlock_state *state, uint32_t *levels);
int yoke__rlock_acquire_levels(yoke__handle *handle, yoke__id id, yoke__rlock_state *state, uint32_t levels,
                               int64_t timeout);
/* Levels that the calling thread holds; 0: none. */
uint32_t yoke__rlock_depth(const yoke_domain *domain, const yoke__rlock_state *state);

extern const yoke__object_type yoke__rlock_type;

#endif
