#include "ring.h"

static uint64_t units_between(uint64_t from, uint64_t to)
{
    return (to - from) & YOKE__POSITION_MASK;
}

void yoke__ring_init(yoke__ring *ring, uint64_t capacity, uint64_t sequence)
{
    uint64_t start = yoke__pack_position(0, sequence);

    yoke__a32_store_relaxed(&ring->mark, 0);
    ring->capacity = capacity;
    yoke__a64_store_relaxed(&ring->next, 0);
    yoke__a64_store_relaxed(&ring->tail, start);
    yoke__a64_store_relaxed(&ring->head, start);
    ring->head_seen = start;
    yoke__a64_store_relaxed(&ring->tail_seen, start);
    yoke__a32_store_release(&ring->tag, YOKE__TAG_RING);
}

/* Free units as far as the cached head tells; looks at the real one only when that isn't enough. */
static bool has_room(yoke__ring *ring, uint64_t tail, uint64_t units)
{
    uint64_t capacity = ring->capacity / 16u;
    uint64_t used = units_between(yoke__position_units(ring->head_seen), yoke__position_units(tail));

    if (used + units <= capacity)
        return true;
    ring->head_seen = yoke__a64_load_acquire(&ring->head);
    used = units_between(yoke__position_units(ring->head_seen), yoke__position_units(tail));
    return used + units <= capacity;
}

yoke__record *yoke__ring_make_room(yoke__ring *ring, uint64_t payload, uint64_t *tail_after)
{
    uint64_t tail = yoke__a64_load_relaxed(&ring->tail);
    uint64_t at = yoke__position_units(tail);
    uint64_t units = yoke__record_bytes(payload) / 16u;
    uint64_t to_end = (ring->capacity / 16u) - (at & (ring->capacity / 16u - 1));
    uint64_t padding = units > to_end ? to_end : 0;

    if (!has_room(ring, tail, units + padding))
        return NULL;
    if (padding) {
        yoke__record *pad = yoke__ring_record(ring, at);
        pad->form = YOKE__FORM_PAD;
        pad->size = (uint32_t)(padding * 16u);
    }
    *tail_after = yoke__pack_position(at + padding + units, yoke__position_sequence(tail) + 1);
    return yoke__ring_record(ring, at + padding);
}

/* Units that the record at this position takes, itself included; 0 if it makes no sense with that many left. */
static uint64_t record_units(const yoke__ring *ring, const yoke__record *record, uint64_t at, uint64_t left)
{
    uint64_t to_end = (ring->capacity / 16u) - (at & (ring->capacity / 16u - 1));
    uint64_t units = 0;

    switch (record->form) {
    case YOKE__FORM_INLINE:
        units = yoke__record_bytes(record->size) / 16u;
        break;
    case YOKE__FORM_BLOCK:
        units = 1;
        break;
    case YOKE__FORM_PAD:
        units = record->size / 16u;
        break;
    default:
        break;
    }
    return units <= left && units <= to_end ? units : 0;
}

yoke__record *yoke__ring_look_for(yoke__ring *ring, uint64_t *head_after, bool *damaged)
{
    uint64_t head = yoke__a64_load_relaxed(&ring->head);
    uint64_t at = yoke__position_units(head);

    uint64_t tail = yoke__a64_load_relaxed(&ring->tail_seen);

    if (head == tail) {
        tail = yoke__a64_load_acquire(&ring->tail);
        yoke__a64_store_relaxed(&ring->tail_seen, tail);
        if (head == tail)
            return NULL;
    }
    for (int step = 0; step < 2; step++) { /* at most one padding before a record */
        uint64_t      left = units_between(at, yoke__position_units(tail));
        yoke__record *record = yoke__ring_record(ring, at);
        uint64_t      units = record_units(ring, record, at, left);
        if (units == 0)
            break;
        at += units;
        if (record->form != YOKE__FORM_PAD) {
            *head_after = yoke__pack_position(at, yoke__position_sequence(head) + 1);
            return record;
        }
    }
    *damaged = true;
    return NULL;
}

bool yoke__ring_walk(yoke__ring *ring, bool (*visit)(void *user, yoke__record *record), void *user)
{
    uint64_t at = yoke__position_units(yoke__a64_load_relaxed(&ring->head));
    uint64_t end = yoke__position_units(yoke__a64_load_acquire(&ring->tail));

    while (at != end) {
        yoke__record *record = yoke__ring_record(ring, at);
        uint64_t      units = record_units(ring, record, at, units_between(at, end));
        if (units == 0)
            return false;
        if (record->form != YOKE__FORM_PAD && visit(user, record))
            return true;
        at = (at + units) & YOKE__POSITION_MASK;
    }
    return false;
}
