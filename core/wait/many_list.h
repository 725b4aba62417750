/*
 * The threads of this process that are in yoke_wait (many.c), to be rung when something of this process changes that no
 * word or native tells: a handle is closed, a message is left in a connection's memory.
 */
#ifndef YOKE_CORE_WAIT_MANY_LIST_H
#define YOKE_CORE_WAIT_MANY_LIST_H

#include "word.h"

typedef struct yoke__many {
    struct yoke__many *next;  /* of all; under the mutex */
    yoke__bell       **bells; /* don't change while it is listed */
    size_t             bell_count;
} yoke__many;

/* From now on it is rung. Whoever looks at something after that, and whoever changes it and rings after that: one of the
 * two sees the other. */
void yoke__many_list(yoke__many *waiter);
void yoke__many_unlist(yoke__many *waiter);

extern yoke__a32 yoke__many_count;
void             yoke__many_ring_all(void);
/* Rings them all; they look whether it was for a handle of theirs. After an exchange, addition or CAS of the change. */
static inline void yoke__many_ring(void)
{
    yoke__fence_after_exchange();
    if (yoke__a32_load_relaxed(&yoke__many_count) != 0)
        yoke__many_ring_all();
}

#endif
