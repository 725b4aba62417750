/*
 * Whether a thread waits in a cycle, which it will never leave: over threads, processes and domains, as far as this process
 * has them open. docs/design/locks.md argues why that is never wrong.
 *
 * Kinds of objects whose holders are known tell them by yoke__object_type.blockers.
 */
#ifndef YOKE_CORE_SYNC_DEADLOCK_H
#define YOKE_CORE_SYNC_DEADLOCK_H

#include "waits.h"

/* The looks of one wait. Begins with zeros. */
typedef struct yoke__deadlock {
    int64_t  next;      /* when to look, backend's clock; 0: has not begun */
    uint32_t stands;    /* looks at which the same cycle stood, after the first one */
    uint64_t digest[2]; /* of the cycle found last, with all its counters; 0: none */
} yoke__deadlock;

/* To be called now and then by a thread that waits, as its record says (yoke__wait_begin). YOKE_OK: go on waiting.
 * YOKE_EDEADLK: a cycle has stood over two slices, and it is this thread that hears of it; the error has the chain. */
int yoke__deadlock_look(yoke_domain *domain, yoke__deadlock *deadlock);

/* As text: "Process-1 (pid 12, thread 34)". */
const char *yoke__thread_describe(yoke_domain *domain, uint64_t thread, char *buffer, size_t size);

#endif
