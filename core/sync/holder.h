/* Who holds what a thread waits for, in words, and whether it is the thread itself. */
#ifndef YOKE_CORE_SYNC_HOLDER_H
#define YOKE_CORE_SYNC_HOLDER_H

#include "lock.h"

/* A thread at a lock. */
typedef struct yoke__waiter {
    yoke_domain            *domain;
    yoke__id                id; /* the object that the lock is in */
    const yoke__lock_state *state;
    yoke__deadlock          deadlock; /* the looks of this wait, if the lock asks for them */
} yoke__waiter;

/* Before it waits. */
void yoke__waiter_init(yoke__waiter *waiter, yoke_domain *domain, yoke__id id, const yoke__lock_state *state);
/* For yoke__owner_wait.look; user: a yoke__waiter. */
int yoke__waiter_look(void *user);
/* YOKE_EDEADLK if the lock looks for deadlocks and the calling thread holds it itself. */
int yoke__waiter_check_self(const yoke__waiter *waiter);

/* Notes why a wait ended with result, which it returns. */
int yoke__waiter_failed(const yoke__waiter *waiter, int result, int64_t timeout);
/* YOKE_ETIMEDOUT, naming the holder and since when it has been seen. */
int yoke__holder_timed_out(const yoke__waiter *waiter, int64_t timeout);
/* YOKE_ENOTOWNER, naming the holder. verb: "released". */
int yoke__holder_is_other(const yoke__waiter *waiter, const char *verb);

#endif
