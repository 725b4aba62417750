/*
 * Who waits for whom, thread by thread, in one domain: a walk from the calling thread through what it waits for, who
 * holds that, what these wait for, until it comes back. docs/design/locks.md argues why it is never wrong.
 *
 * Kinds of objects whose holders are known tell them by yoke__object_type.blockers.
 */
#ifndef YOKE_CORE_SYNC_DEADLOCK_H
#define YOKE_CORE_SYNC_DEADLOCK_H

#include "../domain/object.h"

#define YOKE__CHAIN_MAX    16u /* longer cycles are not found */
#define YOKE__BLOCKERS_MAX 64u

/* One that keeps a thread from getting an object. */
typedef struct yoke__blocker {
    uint64_t holder;      /* {token:32 | thread:32}; what it was, at a moment after acquisition was read */
    uint64_t acquisition; /* differs for another acquisition by the same thread */
} yoke__blocker;

/* A thread, what it waits for, and the acquisition of the next one's that it waits for to end. */
typedef struct yoke__edge {
    uint64_t thread; /* {token:32 | thread:32} */
    yoke__id object;
    uint64_t wait; /* counts the waits of that thread's record */
    uint64_t acquisition;
    uint64_t since; /* of the wait, backend's clock */
    bool     looks; /* it looks for deadlocks itself */
} yoke__edge;

/* The looks of one wait. Begins with zeros but for edges. */
typedef struct yoke__deadlock {
    int64_t    next;   /* when to look, backend's clock; 0: has not begun */
    uint32_t   stands; /* looks at which the same cycle stood, after the first one */
    uint32_t   count;  /* edges of the cycle found last; 0: none */
    yoke__edge edges[YOKE__CHAIN_MAX];
} yoke__deadlock;

/* To be called now and then by a thread that waits, as its record says (yoke__wait_begin). YOKE_OK: go on waiting.
 * YOKE_EDEADLK: a cycle has stood over two slices, and it is this thread that hears of it; the error has the chain. */
int yoke__deadlock_look(yoke_domain *domain, yoke__deadlock *deadlock);

/* As text: "Process-1 (pid 12, thread 34)". */
const char *yoke__thread_describe(yoke_domain *domain, uint64_t thread, char *buffer, size_t size);

#endif
