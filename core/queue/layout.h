/*
 * The format of a queue in shared memory: an object, a chain of rings, and blocks for large messages. docs/design/queue.md
 * tells why, and what each death leaves behind.
 *
 *   yoke__queue_state ── head_ring ──> ring ──next──> ring <── tail_ring (a hint: the last one is found by next)
 *
 * A ring holds records of 16-byte units. Small messages lie in the ring; a larger one lies in a block, and its record
 * holds the block's offset. Everything before a ring's tail is committed and whole.
 */
#ifndef YOKE_CORE_QUEUE_LAYOUT_H
#define YOKE_CORE_QUEUE_LAYOUT_H

#include "../atomic.h"

#include <stddef.h>

#define YOKE__RING_FIRST     (UINT64_C(16) << 10) /* bytes of the first ring's records */
#define YOKE__RING_LARGEST   (UINT64_C(1) << 20)  /* rings double up to here, then more of them are chained */
#define YOKE__INLINE_LARGEST 4080u                /* payload bytes that a record may hold itself */

/* Position in a ring and number of messages, in one word so that one store commits both:
 * {position / 16 : 36 | messages since the queue was made : 28}. */
#define YOKE__SEQUENCE_BITS 28u
#define YOKE__SEQUENCE_MASK ((UINT64_C(1) << YOKE__SEQUENCE_BITS) - 1)
#define YOKE__POSITION_MASK ((UINT64_C(1) << (64u - YOKE__SEQUENCE_BITS)) - 1)

/* What a record is. */
typedef enum yoke__form {
    YOKE__FORM_INLINE = 1, /* payload follows */
    YOKE__FORM_BLOCK = 2,  /* offset of a yoke__block follows */
    YOKE__FORM_PAD = 3     /* skip to the start of the ring */
} yoke__form;

/* What a message is, so that bytes are never read as a variant. */
typedef enum yoke__content { YOKE__CONTENT_BYTES = 1, YOKE__CONTENT_VARIANT = 2 } yoke__content;

typedef struct yoke__record {
    uint32_t size; /* payload bytes of INLINE; bytes skipped, header included, of PAD */
    uint8_t  form;
    uint8_t  content;
    uint16_t reserved;
    uint64_t block; /* offset of the block, for BLOCK */
} yoke__record;
_Static_assert(sizeof(yoke__record) == 16, "shared layout");

typedef struct yoke__ring {
    uint64_t  capacity; /* bytes of records, a power of two; set before the ring is linked */
    yoke__a64 next;     /* offset of the ring that follows, 0 before; stored once, under the producers' lock */
    uint64_t  reserved[6];
    /* producers' line: written under their lock */
    yoke__a64 tail;      /* the release store is the commit of a put; pairs with the acquire load in ring_take */
    uint64_t  head_seen; /* an old head */
    uint64_t  reserved_tail[6];
    /* consumers' line: written under their lock */
    yoke__a64 head;      /* the release store gives the space back; pairs with the acquire load in ring_room */
    uint64_t  tail_seen; /* an old tail */
    uint64_t  reserved_head[6];
} yoke__ring;
_Static_assert(sizeof(yoke__ring) == 192, "shared layout");
_Static_assert(offsetof(yoke__ring, tail) == 64, "shared layout");
_Static_assert(offsetof(yoke__ring, head) == 128, "shared layout");

/* A message outside the rings. Owned by its producer's token until a consumer takes it (or either dies). */
typedef struct yoke__block {
    uint64_t  size;    /* payload bytes */
    yoke__a64 next;    /* in the redelivery list: offset of the next one; under the consumers' lock */
    uint32_t  content; /* yoke__content */
    uint32_t  reserved[11];
} yoke__block;
_Static_assert(sizeof(yoke__block) == 64, "shared layout");

typedef struct yoke__queue_state {
    /* read-mostly */
    uint64_t  max_items; /* 0: none; set at creation */
    uint64_t  max_bytes;
    yoke__a32 shut; /* 0, or yoke_shutdown + 1; only grows */
    uint32_t  reserved[3];
    yoke__a64 head_ring; /* where consumers are; under their lock */
    yoke__a64 tail_ring; /* where producers were; under their lock; follow next from here */
    yoke__a64 spare;     /* a drained ring kept for reuse, or 0; set under the consumers' lock, taken by a CAS to 0 */
    uint64_t  reserved_mostly;
    /* sleepers: flags on a line of their own, set by those about to sleep, cleared by who wakes one */
    yoke__a32 getters_sleep;
    yoke__a32 putters_sleep;
    yoke__a64 get_watchers; /* who wants to know that a get may succeed (wait/watchers.h) */
    yoke__a64 put_watchers;
    uint32_t  reserved_sleep[10];
    /* producers */
    yoke__a32 producers; /* owner word */
    uint32_t  reserved_producers[3];
    yoke__a64 put_bytes[2]; /* bytes ever put, after message n in [n & 1]: the other copy is the one being written */
    uint64_t  head_sequence_seen; /* an old head's message number */
    uint64_t  reserved_put[3];
    /* consumers */
    yoke__a32 consumers; /* owner word */
    uint32_t  reserved_consumers[3];
    yoke__a64 got_bytes[2];
    yoke__a64 redeliver; /* offset of the first block that a dead consumer held, or 0 */
    uint64_t  reserved_get[3];
    /* words slept on: bumped by who wakes */
    yoke__a32 items;
    uint32_t  reserved_items[15];
    yoke__a32 space;
    uint32_t  reserved_space[15];
} yoke__queue_state;
_Static_assert(offsetof(yoke__queue_state, getters_sleep) == 64, "shared layout");
_Static_assert(offsetof(yoke__queue_state, producers) == 128, "shared layout");
_Static_assert(offsetof(yoke__queue_state, consumers) == 192, "shared layout");
_Static_assert(offsetof(yoke__queue_state, items) == 256, "shared layout");
_Static_assert(sizeof(yoke__queue_state) == 384, "shared layout");

static inline uint64_t yoke__pack_position(uint64_t units, uint64_t sequence)
{
    return ((units & YOKE__POSITION_MASK) << YOKE__SEQUENCE_BITS) | (sequence & YOKE__SEQUENCE_MASK);
}

static inline uint64_t yoke__position_units(uint64_t word)
{
    return word >> YOKE__SEQUENCE_BITS;
}

static inline uint64_t yoke__position_sequence(uint64_t word)
{
    return word & YOKE__SEQUENCE_MASK;
}

static inline uint8_t *yoke__ring_records(yoke__ring *ring)
{
    return (uint8_t *)(ring + 1);
}

static inline void *yoke__block_data(yoke__block *block)
{
    return block + 1;
}

#endif
