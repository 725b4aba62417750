/* A condition in shared memory: its lock, or which one it was given, and who waits. docs/design/conditions.md */
#ifndef YOKE_CORE_SYNC_CONDITION_H
#define YOKE_CORE_SYNC_CONDITION_H

#include "rlock.h"
#include "waiters.h"

#include <yoke/condition.h>

/* Which and whose lock is settled before anybody sees the condition. */
typedef struct yoke__condition_state {
    uint64_t          given;     /* id of the lock it was given; 0: its own */
    uint32_t          recursive; /* the lock is an rlock, as its own always is */
    uint32_t          reserved;
    yoke__rlock_state lock; /* its own; unused if it was given one */
    yoke__waiters     waiters;
} yoke__condition_state;

struct yoke_condition {
    yoke__handle handle;
};

/* What a call works on. */
typedef struct yoke__condition {
    yoke_domain           *domain;
    yoke__handle          *handle;
    yoke__condition_state *state;
    yoke__rlock_state     *lock; /* of which a plain lock is the first part */
} yoke__condition;

/* What a handle stands for; false with the error noted. */
bool yoke__condition_find(yoke__condition *out, const yoke_condition *condition);

/* condition_lock.c: the lock, whichever it is. */

/* False with the error noted: the given lock is not there, which means that the domain is damaged. */
bool yoke__condition_find_lock(yoke__condition *condition);
/* YOKE_ENOTOWNER with a sentence unless the caller holds it. what: "waited". */
int yoke__condition_holds(const yoke__condition *condition, const char *what);
int yoke__condition_acquire(const yoke__condition *condition, int64_t timeout);
int yoke__condition_release(const yoke__condition *condition);
/* As yoke_lock_death() and yoke_lock_mark_repaired(). */
int yoke__condition_death(const yoke__condition *condition, yoke_death *out);
int yoke__condition_mark_repaired(const yoke__condition *condition);
/* Around a wait: gives up all levels, and takes as many back. Codes of release and acquire. */
typedef struct yoke__condition_levels {
    uint32_t levels;
    bool     death_known; /* a death was reported by the lock, and not repaired, when it was let go */
} yoke__condition_levels;
int yoke__condition_let_go(const yoke__condition *condition, yoke__condition_levels *levels);
int yoke__condition_take_back(const yoke__condition *condition, const yoke__condition_levels *levels);
/* The lock reports a death that wasn't known when it was let go. */
bool yoke__condition_death_since(const yoke__condition *condition, const yoke__condition_levels *levels);

extern const yoke__object_type yoke__condition_type;

#endif
