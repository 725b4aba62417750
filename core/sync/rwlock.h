/*
 * A lock that many threads share or one has for itself.
 *
 * The gate is a lock, held by the writer: the one that is inside, or the one that waits for the readers to leave. Readers
 * stand in places, a thread in one, which name their owners, so that the dead give theirs back. A reader takes a place,
 * and then looks whether the gate is free; a writer takes the gate, and then looks whether all places are empty: full
 * fences between, so one of the two sees the other. A reader that finds the gate taken stays in its place as waiting, which
 * keeps no writer out; the writer that leaves lets all of these in before it opens the gate, so neither side starves.
 */
#ifndef YOKE_CORE_SYNC_RWLOCK_H
#define YOKE_CORE_SYNC_RWLOCK_H

#include "holder.h"

#include <yoke/rwlock.h>

#define YOKE__SHARE_WAITS    YOKE__TOKEN_FLAG /* in yoke__share.owner */
#define YOKE__SHARE_DEPTH    65535u
#define YOKE__PLACES_DEFAULT 64u
#define YOKE__PLACES_MAX     4096u

/*
 *   owner  = 0 | token of the reader, with YOKE__SHARE_WAITS while it is not in. By CAS: 0 to a token by who takes the
 *            place, without the flag by the reader or a writer that lets it in, to 0 by the reader, or by anybody once the
 *            owner is dead. The reader sleeps on it.
 *   depth  = shares that the thread has; its own, valid while it is in
 *   holder = {token:32 | thread:32}; by the reader once it is in, 0 before it leaves
 *   turn   = counted up by the reader before it writes holder
 */
typedef struct yoke__share {
    yoke__a32 owner;
    yoke__a32 depth;
    yoke__a64 holder;
    yoke__a64 turn;
    yoke__a64 reserved;
} yoke__share;
_Static_assert(sizeof(yoke__share) == 32, "shared layout");

typedef struct yoke__rwlock_state {
    yoke__lock_state gate;
    yoke__a32   entered; /* token of the writer that is inside, or was when it died, until its death is noted; by the
                                gate's holder */
    yoke__a32   changed; /* counted up when a reader left; slept on by the gate's holder, and for a place */
    yoke__a32   crowded; /* somebody waits for a place; set by it, cleared by who counts changed up */
    yoke__a32   places;  /* how many; before anybody sees it */
    yoke__share shares[];
} yoke__rwlock_state;
_Static_assert(sizeof(yoke__rwlock_state) == 224, "shared layout");

struct yoke_rwlock {
    yoke__handle handle;
};

void yoke__rwlock_init(yoke__rwlock_state *state, uint32_t rules, uint32_t places);
/* As the public calls. */
int     yoke__rwlock_acquire_shared(yoke__handle *handle, int64_t timeout);
int     yoke__rwlock_release_shared(yoke__handle *handle);
int     yoke__rwlock_acquire_exclusive(yoke__handle *handle, int64_t timeout);
int     yoke__rwlock_release_exclusive(yoke__handle *handle);
int     yoke__rwlock_downgrade(yoke__handle *handle);
int64_t yoke__rwlock_readers(yoke_domain *domain, const yoke__rwlock_state *state);
/* For the wake function of yoke__handle_close(). */
void yoke__rwlock_wake(yoke__handle *handle);

/* ---- between the two halves ---- */

/* The calling thread's place, if it is in, else NULL. */
yoke__share *yoke__share_mine(const yoke_domain *domain, yoke__rwlock_state *state);
/* Takes an empty place, as in; NULL: none is. */
yoke__share *yoke__share_take(yoke_domain *domain, yoke__rwlock_state *state);
/* The calling thread is in, with that place. */
void yoke__share_sign(const yoke_domain *domain, yoke__share *share);
/* After a place was given up, and a full fence: tells those who wait for that. */
void yoke__share_left(yoke_domain *domain, yoke__rwlock_state *state);
/* Whether somebody is in at that place. Gives the place of a dead one back. */
bool yoke__share_in(yoke_domain *domain, yoke__rwlock_state *state, yoke__share *share);
/* By who has the gate: lets all waiting readers in, and opens it. */
/* YOKE_ETIMEDOUT, naming who shares it; reader: its signature, or 0. why: goes before it. */
int  yoke__shared_too_long(const yoke__handle *handle, uint64_t reader, const char *why, int64_t timeout);
void yoke__gate_open(yoke_domain *domain, yoke__rwlock_state *state);
/* If the gate's holder is dead: takes it over and opens it. */
void yoke__gate_recover(yoke_domain *domain, yoke__rwlock_state *state);

extern const yoke__object_type yoke__rwlock_type;

#endif
