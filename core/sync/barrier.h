/*
 * A barrier in shared memory. Each round has a record of its own: who arrived, and how it ended. So one store ends it for
 * all who wait, and they may read that as late as they like: a record is used again only when all have left it.
 *
 * A round ends once, by a CAS of its state from OPEN. A party of it may do that without the guard: its record can't serve
 * another round before it has left. So who gives up, and who has run the action, waits for nobody. All else is under
 * `guard`, an owner word; the sections run nothing of the user's. Each change commits by one store, named below; the next
 * holder finishes what a dead one committed.
 *
 *   arrival         round.count
 *   last arrival    round.state = DONE (with an action: when that is done, without the guard)
 *   giving up       round.state = BROKEN, without the guard; so does an action that fails
 *   breaking        current, with a reason in it; round.state follows
 *   next round      current = another record (by its first arrival)
 *   reset           current = another record, without a reason; the old round.state follows
 *
 * The barrier is broken if current has a reason in it, or if the current round ended BROKEN.
 */
#ifndef YOKE_CORE_SYNC_BARRIER_H
#define YOKE_CORE_SYNC_BARRIER_H

#include "../domain/object.h"
#include "owner_word.h"

#include <yoke/barrier.h>

#define YOKE__PARTIES_MOST 1048576

/* Why a barrier is broken; in the lowest bits of an offset, and beside BROKEN. */
typedef enum yoke__barrier_why {
    YOKE__WHY_NOT,
    YOKE__WHY_ABORTED,
    YOKE__WHY_TIMED_OUT,
    YOKE__WHY_DIED,
    YOKE__WHY_FAILED, /* its action */
    YOKE__WHY_CLOSED,
    YOKE__WHY_RESET,
    YOKE__WHYS = 8
} yoke__barrier_why;
#define YOKE__WHY_MASK UINT64_C(63) /* rounds are 64-aligned */

#define YOKE__ROUND_OPEN      0u
#define YOKE__ROUND_DONE      1u
#define YOKE__ROUND_BROKEN(w) (2u | (uint32_t)(w) << 8)
#define YOKE__ROUND_WHY(s)    ((yoke__barrier_why)((s) >> 8)) /* YOKE__WHY_NOT: it is open or done */

typedef struct yoke__round {
    yoke__a32 state; /* who has arrived sleeps on it; from OPEN by CAS, to OPEN again only when all have left */
    yoke__a32 count; /* arrivals so far; arrived[] below it is valid */
    yoke__a64 next;  /* offset of another record, or 0; once and for all */
    /* By the reason, token of who broke it for that one, or 0; by CAS from 0, before the state says BROKEN for that reason.
     * Of several that end it at once each says its own reason, and the state tells which one was the first. */
    yoke__a32 culprits[YOKE__WHYS];
    yoke__a32 arrived[]; /* token of who came as n-th; 0 when it has left (by itself, without the guard) */
} yoke__round;

typedef struct yoke__barrier_state {
    yoke__a32 guard;
    uint32_t  parties;    /* before anybody sees the barrier */
    uint32_t  has_action; /* likewise */
    yoke__a32 broken_by;  /* token or 0; before current has a reason */
    yoke__a64 current;    /* offset of the round's record | why it is broken */
    yoke__a64 rounds;     /* offset of the first record */
    uint64_t  reserved[4];
    yoke__a32 joined[]; /* one token per yoke_barrier_join(), or 0 */
} yoke__barrier_state;

struct yoke_barrier {
    yoke__handle handle;
};

typedef struct yoke__barrier {
    yoke_domain         *domain;
    yoke__barrier_state *state;
    yoke__id             id;
} yoke__barrier;

/* What a handle's private_ are. The action is written before other threads use it, the rest under the guard. */
enum { YOKE__BARRIER_ACTION, YOKE__BARRIER_USER, YOKE__BARRIER_JOINED, YOKE__BARRIER_JOINED_AS };

/* The handle if it is open, and what it stands for; else NULL with the error noted. */
yoke__handle *yoke__barrier_find(yoke__barrier *out, const yoke_barrier *barrier);

/* barrier_round.c */

int  yoke__barrier_init(const yoke__barrier *barrier);
void yoke__barrier_destroy(const yoke__barrier *barrier);
bool yoke__barrier_links(const yoke__barrier *barrier, const void *block);

/* Takes the guard, and finishes what a dead holder began. YOKE_ENOMEM: this process could not join the domain. YOKE_EPROTO:
 * the barrier is damaged. YOKE_ETIMEDOUT: who has it has not gone on for YOKE_BARRIER_LIMIT. Not held then. */
int yoke__barrier_lock(const yoke__barrier *barrier);
/* The same with an end: YOKE_ETIMEDOUT, naming the holder; YOKE_ECLOSED, not noted. */
int  yoke__barrier_lock_until(const yoke__barrier *barrier, yoke__deadline deadline, const yoke__a32 *closing);
void yoke__barrier_unlock(const yoke__barrier *barrier);

/* The current record. NULL: the barrier is damaged. */
yoke__round *yoke__barrier_round(const yoke__barrier *barrier);
/* YOKE__WHY_NOT, or why it is broken, and by whom if culprit isn't NULL. Without the guard: at a moment of the call. */
yoke__barrier_why yoke__barrier_broken(const yoke__barrier *barrier, yoke__token *culprit);
/* How many wait, at a moment of the call; or YOKE_EPROTO. */
int64_t yoke__barrier_waiting(const yoke__barrier *barrier);

/* By a party of that round, with or without the guard. False: it has ended already. */
bool yoke__barrier_finish(const yoke__barrier *barrier, yoke__round *round);
bool yoke__barrier_give_up(const yoke__barrier *barrier, yoke__round *round, yoke__barrier_why why);

/* All below with the guard held. */

/* Arrives in *round as *index-th. YOKE_EBUSY: it is full, and its action is running; YOKE_EBROKEN (both without a noted
 * error); YOKE_ENOMEM. */
int yoke__barrier_arrive(const yoke__barrier *barrier, yoke__round **round, uint32_t *index);
/* Unless it is broken already. */
void yoke__barrier_break(const yoke__barrier *barrier, yoke__barrier_why why, yoke__token culprit);
int  yoke__barrier_reset(const yoke__barrier *barrier);
/* Takes up to `most` joinings of that token out; returns how many. */
uint32_t yoke__barrier_unjoin(const yoke__barrier *barrier, yoke__token token, uint32_t most);
/* That one is dead. Repeatable. */
void yoke__barrier_bury(const yoke__barrier *barrier, yoke__token dead);

extern const yoke__object_type yoke__barrier_type;

#endif
