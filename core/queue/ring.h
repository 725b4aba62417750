/* One ring: records in, records out. The caller holds the lock of its side; docs of the format are in layout.h. */
#ifndef YOKE_CORE_QUEUE_RING_H
#define YOKE_CORE_QUEUE_RING_H

#include "layout.h"

#include <stdbool.h>
#include <string.h>

/* Bytes that a record with that much payload takes. */
static inline uint64_t yoke__record_bytes(uint64_t payload)
{
    return (sizeof(yoke__record) + payload + 15u) & ~UINT64_C(15);
}

/* Copies a small payload. The library's memcpy() is called for what is large enough to be worth a call, or too small for
 * steps of 16 bytes. */
YOKE__INLINE void yoke__copy(void *to, const void *from, uint64_t size)
{
    uint8_t       *out = (uint8_t *)to;
    const uint8_t *in = (const uint8_t *)from;

    if (size < 16 || size > 256) {
        if (size)
            memcpy(out, in, (size_t)size);
        return;
    }
    for (uint64_t at = 0; at + 16 < size; at += 16)
        memcpy(out + at, in + at, 16);
    memcpy(out + size - 16, in + size - 16, 16);
}

/* Makes an empty ring that continues counting messages at sequence. Nobody else can see it yet. */
void yoke__ring_init(yoke__ring *ring, uint64_t capacity, uint64_t sequence);

/* The record at a position counted in units; capacity is a power of two. */
static inline yoke__record *yoke__ring_record(yoke__ring *ring, uint64_t units)
{
    return (yoke__record *)(void *)(yoke__ring_records(ring) + ((units * 16u) & (ring->capacity - 1)));
}

/* Producers' lock held. Room for a record with that much payload, or NULL. A record that would cross the end is preceded
 * by padding; *tail_after is what yoke__ring_commit() must store. The record may be written freely until then. */
yoke__record *yoke__ring_make_room(yoke__ring *ring, uint64_t payload, uint64_t *tail_after);
/* The same, nearly always: room by an old head, and no wrapping; else NULL, and it is worth a try of the other. */
YOKE__INLINE yoke__record *yoke__ring_quick_room(yoke__ring *ring, uint64_t payload, uint64_t *tail_after)
{
    uint64_t tail = yoke__a64_load_relaxed(&ring->tail);
    uint64_t at = yoke__position_units(tail);
    uint64_t units = yoke__record_bytes(payload) / 16u;
    uint64_t capacity = ring->capacity / 16u;
    uint64_t used = (at - yoke__position_units(ring->head_seen)) & YOKE__POSITION_MASK;

    if (used + units > capacity || (at & (capacity - 1)) + units > capacity)
        return NULL;
    *tail_after = yoke__pack_position(at + units, yoke__position_sequence(tail) + 1);
    return yoke__ring_record(ring, at);
}
static inline yoke__record *yoke__ring_room(yoke__ring *ring, uint64_t payload, uint64_t *tail_after)
{
    yoke__record *record = yoke__ring_quick_room(ring, payload, tail_after);

    return record ? record : yoke__ring_make_room(ring, payload, tail_after);
}

/* Producers' lock held. The put is done: one store. */
static inline void yoke__ring_commit(yoke__ring *ring, uint64_t tail)
{
    yoke__a64_store_release(&ring->tail, tail);
}

/* Consumers' lock held. The oldest record, or NULL; *head_after is what yoke__ring_consume() must store. A record that
 * makes no sense counts as none, and *damaged is set. */
yoke__record               *yoke__ring_look_for(yoke__ring *ring, uint64_t *head_after, bool *damaged);
static inline yoke__record *yoke__ring_oldest(yoke__ring *ring, uint64_t *head_after, bool *damaged)
{
    uint64_t      head = yoke__a64_load_relaxed(&ring->head);
    uint64_t      at = yoke__position_units(head);
    uint64_t      capacity = ring->capacity / 16u;
    yoke__record *record = yoke__ring_record(ring, at);
    uint64_t      seen = yoke__a64_load_relaxed(&ring->tail_seen);
    uint64_t      units;

    if (head != seen && record->form == YOKE__FORM_INLINE) {
        units = yoke__record_bytes(record->size) / 16u;
        if (units <= ((yoke__position_units(seen) - at) & YOKE__POSITION_MASK) &&
            (at & (capacity - 1)) + units <= capacity) {
            *head_after = yoke__pack_position(at + units, yoke__position_sequence(head) + 1);
            return record;
        }
    }
    return yoke__ring_look_for(ring, head_after, damaged);
}

/* Consumers' lock held. The record is gone: one store. */
static inline void yoke__ring_consume(yoke__ring *ring, uint64_t head)
{
    yoke__a64_store_release(&ring->head, head);
}

/* Both locks held. Calls visit for each record in order until it returns true; tells whether it did. */
bool yoke__ring_walk(yoke__ring *ring, bool (*visit)(void *user, yoke__record *record), void *user);

#endif
