/*
 * Bounds: rings over shared memory that only spin. One producer and one consumer: two indices. Several: a sequence number
 * per slot. Neither can sleep, and nobody can die at them.
 */
#include "peers.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct indices {
    _Alignas(64) _Atomic uint64_t tail; /* producers' line */
    _Alignas(64) _Atomic uint64_t head; /* consumers' line */
    _Alignas(64) uint8_t slots[];
} indices;

typedef struct ring {
    indices *shared;
    size_t   stride, mask, bytes, sequence_bytes;
    /* One to one, each process its own: its position, and the other's when last looked at. Nothing is loaded from a line
     * that the other side polls. */
    uint64_t mine, other;
} ring;

static size_t power_of_two(size_t least)
{
    size_t n = 2;

    while (n < least)
        n *= 2;
    return n;
}

static void *open_ring(const bench_shape *shape, size_t sequence_bytes)
{
    ring  *r = calloc(1, sizeof *r);
    size_t count = power_of_two(shape->depth);

    if (!r)
        return NULL;
    r->sequence_bytes = sequence_bytes;
    r->stride = sequence_bytes + ((shape->size + 15) & ~(size_t)15);
    r->mask = count - 1;
    r->bytes = sizeof *r->shared + count * r->stride;
    r->shared = bench_shared(r->bytes);
    if (r->shared)
        return r;
    free(r);
    return NULL;
}

static bool join(void *lane, bench_side side, int index)
{
    (void)lane;
    (void)side;
    (void)index;
    return true;
}

static void close_ring(void *lane)
{
    ring *r = lane;

    bench_unshare(r->shared, r->bytes);
    free(r);
}

static uint8_t *slot_at(ring *r, uint64_t position)
{
    return r->shared->slots + (position & r->mask) * r->stride;
}

/* ---- one to one ---- */

static void *open_spsc(const bench_shape *shape)
{
    return open_ring(shape, 0);
}

static bool send_spsc(void *lane, const void *data, size_t size)
{
    ring *r = lane;

    for (unsigned turns = 0; r->mine - r->other > r->mask;) {
        r->other = atomic_load_explicit(&r->shared->head, memory_order_acquire);
        if (r->mine - r->other > r->mask)
            bench_spin_turn(&turns);
    }
    memcpy(slot_at(r, r->mine), data, size);
    atomic_store_explicit(&r->shared->tail, ++r->mine, memory_order_release);
    return true;
}

static bool receive_spsc(void *lane, void *data, size_t size)
{
    ring *r = lane;

    for (unsigned turns = 0; r->mine == r->other;) {
        r->other = atomic_load_explicit(&r->shared->tail, memory_order_acquire);
        if (r->mine == r->other)
            bench_spin_turn(&turns);
    }
    memcpy(data, slot_at(r, r->mine), size);
    atomic_store_explicit(&r->shared->head, ++r->mine, memory_order_release);
    return true;
}

const bench_peer bench_spsc = {
    .name = "bound_spsc",
    .bound = true,
    .open = open_spsc,
    .join = join,
    .send = send_spsc,
    .receive = receive_spsc,
    .close = close_ring,
};

/* ---- many to many: a slot's sequence says whose turn it is: position to be written, position + 1 to be read ---- */

static _Atomic uint64_t *sequence_of(ring *r, uint64_t position)
{
    return (_Atomic uint64_t *)(void *)slot_at(r, position);
}

static void *open_mpmc(const bench_shape *shape)
{
    ring *r = open_ring(shape, 16);

    for (uint64_t i = 0; r && i <= r->mask; i++)
        atomic_init(sequence_of(r, i), i);
    return r;
}

/* Takes the next position of a side once its slot has the sequence that the side waits for. */
static uint64_t claim(ring *r, _Atomic uint64_t *next, uint64_t offset)
{
    uint64_t position = atomic_load_explicit(next, memory_order_relaxed);

    for (unsigned turns = 0;;) {
        uint64_t found = atomic_load_explicit(sequence_of(r, position), memory_order_acquire);
        if (found == position + offset) {
            if (atomic_compare_exchange_weak_explicit(next, &position, position + 1, memory_order_relaxed,
                                                      memory_order_relaxed))
                return position;
        } else {
            bench_spin_turn(&turns);
            position = atomic_load_explicit(next, memory_order_relaxed);
        }
    }
}

static bool send_mpmc(void *lane, const void *data, size_t size)
{
    ring    *r = lane;
    uint64_t position = claim(r, &r->shared->tail, 0);

    memcpy(slot_at(r, position) + r->sequence_bytes, data, size);
    atomic_store_explicit(sequence_of(r, position), position + 1, memory_order_release);
    return true;
}

static bool receive_mpmc(void *lane, void *data, size_t size)
{
    ring    *r = lane;
    uint64_t position = claim(r, &r->shared->head, 1);

    memcpy(data, slot_at(r, position) + r->sequence_bytes, size);
    atomic_store_explicit(sequence_of(r, position), position + r->mask + 1, memory_order_release);
    return true;
}

const bench_peer bench_mpmc = {
    .name = "bound_mpmc",
    .bound = true,
    .many = true,
    .open = open_mpmc,
    .join = join,
    .send = send_mpmc,
    .receive = receive_mpmc,
    .close = close_ring,
};
