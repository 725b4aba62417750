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
    YOKE__FORM_BLOCK = 2,  /* the message lies in a block */
    YOKE__FORM_PAD = 3     /* skip to the start of the ring */
} yoke__form;

/* What a message is, so that bytes are never read as a variant. */
typedef enum yoke__content { YOKE__CONTENT_BYTES = 1, YOKE__CONTENT_VARIANT = 2 } yoke__content;

/* First word of what a queue has allocated, so that one is never taken for the other. */
#define YOKE__TAG_RING    UINT32_C(0x676e6972)
#define YOKE__TAG_MESSAGE UINT32_C(0x6567736d)

typedef struct yoke__record {
    uint32_t size; /* payload bytes of INLINE; bytes skipped, header included, of PAD */
    uint8_t  form;
    uint8_t  content;
    uint16_t reserved;
    uint64_t block; /* offset of the yoke__message_block, for BLOCK */
} yoke__record;
_Static_assert(sizeof(yoke__record) == 16, "shared layout");

typedef struct yoke__ring {
    yoke__a32 tag;      /* as a message block's */
    yoke__a32 mark;     /* as a message block's */
    uint64_t  capacity; /* bytes of records, a power of two; set before the ring is linked */
    yoke__a64 next;     /* offset of the ring that follows, 0 before; stored once, under the producers' lock */
    uint64_t  reserved[5];
    /* producers' line: written under their lock */
    yoke__a64 tail;      /* the release store is the commit of a put; pairs with the acquire load in ring_look_for */
    uint64_t  head_seen; /* an old head */
    uint64_t  reserved_tail[6];
    /* consumers' line: written under their lock */
    yoke__a64 head;      /* the release store gives the space back; pairs with the acquire load in has_room (ring.c) */
    yoke__a64 tail_seen; /* an old tail */
    uint64_t  reserved_head[6];
} yoke__ring;
_Static_assert(sizeof(yoke__ring) == 192, "shared layout");
_Static_assert(offsetof(yoke__ring, tail) == 64, "shared layout");
_Static_assert(offsetof(yoke__ring, head) == 128, "shared layout");

/* A message outside the rings. Owned by its producer's token until a consumer holds it (or either dies); written by its
 * owner, but for next, ticket and mark. The ids of the objects in it stand before the payload. */
typedef struct yoke__message_block {
    yoke__a32 tag;     /* fresh memory has 0 here; stored last, by release: who finds it finds what this block is */
    uint32_t  content; /* yoke__content */
    uint64_t  size;    /* payload bytes */
    yoke__a64 next;    /* in the list of redeliveries: offset of the next one; under the consumers' lock */
    yoke__a64 ticket; /* names this reservation or hold, so that a stale view of the memory is told apart; 0: neither */
    yoke__a32 flags;  /* YOKE__MESSAGE_... */
    uint32_t  handles; /* how many ids stand before the payload */
    uint64_t  queue;   /* id of the queue */
    /* While held, the holder's own business (hold.c): which of its handles has it, and neighbours in that one's list, as
     * offset / 64. */
    uint32_t  handle;
    uint32_t  older, newer;
    yoke__a32 mark; /* the recovery that found it linked, as in yoke__queue_state.mark; both locks held */
} yoke__message_block;
_Static_assert(sizeof(yoke__message_block) == 64, "shared layout");

#define YOKE__MESSAGE_REDELIVERED UINT32_C(1) /* somebody had it before */
#define YOKE__MESSAGE_TASK        UINT32_C(4) /* held, and copied out whole: a task done may be meant for it */
#define YOKE__MESSAGE_RESERVED    UINT32_C(2) /* counted in reserved_items and reserved_bytes; producers' lock */

/*
 * Redo record of the consumers: what must change together although it stands in several words. Written under their lock;
 * `valid` is the commit. Whoever takes the lock from a dead owner does what a valid one says before anything else.
 */
typedef struct yoke__journal {
    yoke__a32 valid;
    uint32_t  steps; /* YOKE__STEP_... */
    uint32_t  token; /* HOLD, LET_GO: whose the block is */
    uint32_t  reserved;
    uint64_t  ring; /* HEAD: of that ring */
    uint64_t  head;
    uint64_t  list;  /* LIST: what redeliver becomes */
    uint64_t  block; /* HOLD, LET_GO */
    uint64_t  done;  /* DONE: what done becomes */
    uint64_t  reserved_journal;
} yoke__journal;
_Static_assert(sizeof(yoke__journal) == 64, "shared layout");

#define YOKE__STEP_HEAD   1u /* the ring's head moves */
#define YOKE__STEP_LIST   2u /* the list of redeliveries begins elsewhere */
#define YOKE__STEP_HOLD   4u /* the block is held by token */
#define YOKE__STEP_LET_GO 8u /* the block is token's and nothing more: it is freed next, or by token's recovery */
#define YOKE__STEP_DONE   16u

/* Options that stay. */
#define YOKE__QUEUE_JOINABLE        1u
#define YOKE__QUEUE_REPORT_ORPHANED 2u

typedef struct yoke__queue_state {
    /* read-mostly */
    uint64_t  max_items; /* 0: none; set at creation */
    uint64_t  max_bytes;
    yoke__a32 shut;      /* 0, or yoke_shutdown + 1; only grows, under the producers' lock */
    uint32_t  options;   /* YOKE__QUEUE_...; set at creation */
    yoke__a32 roles;     /* bumped when a role may have lost its last user: sleepers look who is left */
    yoke__a32 carries;   /* 1 once a message with handles was put, for good */
    yoke__a64 head_ring; /* where consumers are; under their lock */
    yoke__a64
        tail_ring;   /* where producers were; under their lock; follow next from here. That ring stays in the chain. */
    yoke__a64 spare; /* a drained ring kept for reuse, or 0; set under the consumers' lock, taken by a CAS to 0 */
    yoke__a64 redeliver; /* what comes once more, see yoke__list_make(); under the consumers' lock */
    /* sleepers: flags on a line of their own, set by those about to sleep, cleared by who wakes one */
    yoke__a32 getters_sleep;
    yoke__a32 putters_sleep;
    yoke__a32 joiners_sleep;
    uint32_t  reserved_joiners;
    yoke__a64 get_watchers; /* who wants to know that a get may succeed (wait/watchers.h) */
    yoke__a64 put_watchers;
    yoke__a64 redeliver_bytes[2]; /* of redeliver when it counts n, in [n & 1], as put_bytes; consumers' lock */
    uint32_t  reserved_sleep[4];
    /* producers' line */
    yoke__a32 producers; /* owner word */
    yoke__a32 reserving; /* 1 while reserved_* are being changed: who finds it so counts anew */
    /* Messages ever put: follows the tail's number by a store after the commit, for looks without a lock. If who made the
     * commit died before that store, whoever takes the lock over does it. */
    yoke__a64 puts;
    uint64_t  reserved_puts;
    yoke__a64 put_bytes[2];       /* after message n in [n & 1]: the other copy is the one being written */
    uint64_t  head_sequence_seen; /* an old head's message number */
    yoke__a64 reserved_items;     /* reservations that are open, if there are limits */
    yoke__a64 reserved_bytes;
    /* consumers' line */
    yoke__a32     consumers;  /* owner word */
    yoke__a32     most_found; /* highest number of messages that a get found in its ring, itself included */
    yoke__a64     gets;       /* first deliveries: follows the head's number, as puts */
    uint64_t      reserved_gets;
    yoke__a64     got_bytes[2];
    yoke__a64     done;    /* joinable: messages done with, or discarded; 64 bits, as puts */
    uint64_t      tickets; /* how many were given */
    uint64_t      reserved_tickets;
    yoke__journal journal; /* consumers' */
    /* figures for people: hints that a death may put out by one */
    yoke__a64 put_waits;
    yoke__a64 get_waits;
    yoke__a64 redelivered;
    yoke__a64 high_items; /* most messages, as puts found; under the producers' lock */
    /* recoveries (redeliver.c); under the registry lock */
    yoke__a32 mark;   /* number of the last that marked what is linked, or began to; never 0 then */
    yoke__a32 marked; /* 1: it came to the end, and the dead it was for are not recovered yet */
    uint64_t  reserved_figures[3];
    /* words slept on: bumped by who wakes */
    yoke__a32 items;
    uint32_t  reserved_items_word[15];
    yoke__a32 space;
    uint32_t  reserved_space_word[15];
    yoke__a32 finished;
    uint32_t  reserved_finished_word[15];
} yoke__queue_state;
_Static_assert(offsetof(yoke__queue_state, getters_sleep) == 64, "shared layout");
_Static_assert(offsetof(yoke__queue_state, producers) == 128, "shared layout");
_Static_assert(offsetof(yoke__queue_state, consumers) == 192, "shared layout");
_Static_assert(offsetof(yoke__queue_state, journal) == 256, "shared layout");
_Static_assert(offsetof(yoke__queue_state, items) == 384, "shared layout");
_Static_assert(sizeof(yoke__queue_state) == 576, "shared layout");

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

/* The list of redeliveries: where the first one lies, and how many there are, in one word so that one store commits both.
 * Blocks lie at multiples of 64. 0: none. */
static inline uint64_t yoke__list_make(uint64_t first, uint64_t count)
{
    return first ? count << 32 | (first / 64u & UINT32_MAX) : 0;
}

static inline uint64_t yoke__list_first(uint64_t word)
{
    return (word & UINT32_MAX) * 64u;
}

static inline uint64_t yoke__list_count(uint64_t word)
{
    return word >> 32;
}

static inline uint8_t *yoke__ring_records(yoke__ring *ring)
{
    return (uint8_t *)(ring + 1);
}

static inline bool yoke__message_is(const yoke__message_block *block)
{
    return yoke__a32_load_acquire(&block->tag) == YOKE__TAG_MESSAGE;
}

/* Bytes that the ids of that many handles take before the payload. */
static inline uint64_t yoke__message_ids(uint32_t handles)
{
    return ((uint64_t)handles * 8u + 15u) & ~UINT64_C(15);
}

static inline void *yoke__message_payload(yoke__message_block *block)
{
    return (uint8_t *)(block + 1) + yoke__message_ids(block->handles);
}

#endif
