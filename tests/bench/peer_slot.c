/* Bounds of a round trip: one slot over shared memory, its reader spinning or asleep in a futex. */
#include "peers.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct slot {
    size_t bytes;
    _Alignas(64) _Atomic uint32_t full; /* 1: to be read; 0: to be written */
    uint8_t data[];
} slot;

static void *open_slot(const bench_shape *shape)
{
    slot *s = bench_shared(sizeof *s + shape->size);

    if (s)
        s->bytes = sizeof *s + shape->size;
    return s;
}

static bool join(void *lane, bench_side side, int index)
{
    (void)lane;
    (void)side;
    (void)index;
    return true;
}

static void close_slot(void *lane)
{
    slot *s = lane;

    bench_unshare(s, s->bytes);
}

/* ---- spinning ---- */

static void spin_until(slot *s, uint32_t wanted)
{
    for (unsigned turns = 0; atomic_load_explicit(&s->full, memory_order_acquire) != wanted;)
        bench_spin_turn(&turns);
}

static bool send_spinning(void *lane, const void *data, size_t size)
{
    slot *s = lane;

    spin_until(s, 0);
    memcpy(s->data, data, size);
    atomic_store_explicit(&s->full, 1, memory_order_release);
    return true;
}

static bool receive_spinning(void *lane, void *data, size_t size)
{
    slot *s = lane;

    spin_until(s, 1);
    memcpy(data, s->data, size);
    atomic_store_explicit(&s->full, 0, memory_order_release);
    return true;
}

const bench_peer bench_spin_slot = {
    .name = "bound_spin_slot",
    .bound = true,
    .no_stream = true,
    .open = open_slot,
    .join = join,
    .send = send_spinning,
    .receive = receive_spinning,
    .close = close_slot,
};

/* ---- asleep: in a round trip the slot is always free when it is written, so only readers wait ---- */

static bool send_waking(void *lane, const void *data, size_t size)
{
    slot *s = lane;

    memcpy(s->data, data, size);
    atomic_store_explicit(&s->full, 1, memory_order_release);
    (void)syscall(SYS_futex, &s->full, FUTEX_WAKE, 1, NULL, NULL, 0);
    return true;
}

static bool receive_sleeping(void *lane, void *data, size_t size)
{
    slot *s = lane;

    while (atomic_load_explicit(&s->full, memory_order_acquire) == 0)
        (void)syscall(SYS_futex, &s->full, FUTEX_WAIT, 0, NULL, NULL, 0);
    memcpy(data, s->data, size);
    atomic_store_explicit(&s->full, 0, memory_order_release);
    return true;
}

const bench_peer bench_futex_slot = {
    .name = "bound_futex_slot",
    .bound = true,
    .no_stream = true,
    .open = open_slot,
    .join = join,
    .send = send_waking,
    .receive = receive_sleeping,
    .close = close_slot,
};
