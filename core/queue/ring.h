/* One ring: records in, records out. The caller holds the lock of its side; docs of the format are in layout.h. */
#ifndef YOKE_CORE_QUEUE_RING_H
#define YOKE_CORE_QUEUE_RING_H

#include "layout.h"

#include <stdbool.h>

/* Bytes that a record with that much payload takes. */
static inline uint64_t yoke__record_bytes(uint64_t payload)
{
    return (sizeof(yoke__record) + payload + 15u) & ~UINT64_C(15);
}

/* Makes an empty ring that continues counting messages at sequence. Nobody else can see it yet. */
void yoke__ring_init(yoke__ring *ring, uint64_t capacity, uint64_t sequence);

/* Producers' lock held. Room for a record with that much payload, or NULL. A record that would cross the end is preceded
 * by padding; *tail is what yoke__ring_commit() must store. The record may be written freely until then. */
yoke__record *yoke__ring_room(yoke__ring *ring, uint64_t payload, uint64_t *tail);

/* Producers' lock held. The put is done: one store. */
static inline void yoke__ring_commit(yoke__ring *ring, uint64_t tail)
{
    yoke__a64_store_release(&ring->tail, tail);
}

/* Consumers' lock held. The oldest record, or NULL; *head is what yoke__ring_consume() must store. A record that makes no
 * sense counts as none, and *damaged is set. */
yoke__record *yoke__ring_oldest(yoke__ring *ring, uint64_t *head, bool *damaged);

/* Consumers' lock held. The record is gone: one store. */
static inline void yoke__ring_consume(yoke__ring *ring, uint64_t head)
{
    yoke__a64_store_release(&ring->head, head);
}

/* Both locks held. Calls visit for each record in order until it returns true; tells whether it did. */
bool yoke__ring_walk(yoke__ring *ring, bool (*visit)(void *user, yoke__record *record), void *user);

#endif
