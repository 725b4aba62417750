/*
 * Format of the heap, and its caches. Internal to the allocator; contracts for others are in allocator.h.
 *
 * Blocks lie side by side from YOKE__HEAP_START to header.heap_end, in granules of 64 bytes. A block's header lies in
 * the last 32 bytes of a cache line, so that its payload starts on the next one:
 *
 *      0        32         64                     64*granules+32
 *      | unused | header   | payload ...          | header of the next block
 *
 * Truth is the chain of state words and heap_end. All else (free lists, `before`, `check`, heap_last, used) is a cache:
 * while it may be off, allocator_dirty is set, and whoever takes the lock and finds it set walks the blocks and writes
 * the caches anew. Every store to shared memory is a release store, so that a process killed at any instruction has
 * done all stores before that and none after it.
 */
#ifndef YOKE_CORE_DOMAIN_HEAP_H
#define YOKE_CORE_DOMAIN_HEAP_H

#include "domain.h"

#define YOKE__GRANULE      64u
#define YOKE__BLOCK_HEADER 32u
#define YOKE__CLASSES      48u
#define YOKE__BLOCK_FIRST  (YOKE__HEAP_START + YOKE__BLOCK_HEADER)
/* Granules of a block have 30 bits. */
#define YOKE__RESERVE_MAX (UINT64_C(1) << 36)

typedef enum yoke__block_kind {
    YOKE__BLOCK_FREE = 0,   /* owner: YOKE__BLOCK_HOLES or 0 */
    YOKE__BLOCK_TOKEN = 1,  /* owner: token */
    YOKE__BLOCK_OBJECT = 2, /* owner: index of the object; `object` has all of the id */
    YOKE__BLOCK_HELD = 3,   /* owner: token, which has taken it from an object and not consumed it yet */
} yoke__block_kind;

/* Owner of a free block of which pages may have been given back: they are asked for again before it is used. */
#define YOKE__BLOCK_HOLES 1u

typedef struct yoke__block {
    /* {granules:30 | kind:2 | owner:32}. Free: written under the lock. In use: written by the owner, without it. */
    yoke__a64 state;
    yoke__a64 object; /* id of the object that owns it or may come to link it, or 0; by the block's owner */
    yoke__a32 before; /* granules of the block before, or 0; cache, under the lock */
    yoke__a32 check;  /* tells a header from other bytes; cache, under the lock */
    yoke__a32 next;   /* neighbours in the free list, or in the chain of the object: granules; cache, under the lock */
    yoke__a32 previous;
} yoke__block;
_Static_assert(sizeof(yoke__block) == YOKE__BLOCK_HEADER, "shared layout");

static inline uint64_t yoke__block_state(uint64_t granules, yoke__block_kind kind, uint32_t owner)
{
    return granules << 34 | (uint64_t)kind << 32 | owner;
}
static inline uint64_t yoke__block_granules(uint64_t state)
{
    return state >> 34;
}
static inline yoke__block_kind yoke__block_kind_of(uint64_t state)
{
    return (yoke__block_kind)(state >> 32 & 3);
}
static inline uint32_t yoke__block_owner(uint64_t state)
{
    return (uint32_t)state;
}

static inline yoke__block *yoke__block_at(const yoke_domain *domain, uint64_t offset)
{
    return yoke__domain_at(domain, offset);
}
static inline void *yoke__block_payload(yoke__block *block)
{
    return block + 1;
}
static inline uint32_t yoke__block_check(uint64_t offset)
{
    return (uint32_t)(offset / YOKE__GRANULE) * UINT32_C(0x9e3779b1) ^ UINT32_C(0x626c6b31); /* "blk1" */
}

static inline uint64_t yoke__block_size(const yoke__block *block)
{
    return yoke__block_granules(yoke__a64_load_acquire(&block->state)) * YOKE__GRANULE;
}
static inline bool yoke__block_is_free(const yoke__block *block)
{
    return yoke__block_kind_of(yoke__a64_load_acquire(&block->state)) == YOKE__BLOCK_FREE;
}
/* Place in granules, as caches name blocks; 0 is none. */
static inline uint32_t yoke__block_granule(const yoke_domain *domain, const yoke__block *block)
{
    return (uint32_t)(yoke__domain_offset(domain, block) / YOKE__GRANULE);
}
/* NULL if no block can be there: caches are only believed that far. */
static inline yoke__block *yoke__block_at_granule(const yoke_domain *domain, uint32_t granule)
{
    uint64_t offset = (uint64_t)granule * YOKE__GRANULE + YOKE__BLOCK_HEADER;
    uint64_t end = yoke__a64_load_acquire(&yoke__domain_header(domain)->heap_end);
    return offset >= YOKE__BLOCK_FIRST && offset < end ? yoke__block_at(domain, offset) : NULL;
}

/* free_list.c; lock held. */

/* List that blocks of that size are in. */
uint32_t yoke__heap_class(uint64_t granules);
void     yoke__free_list_insert(yoke_domain *domain, yoke__block *block);
void     yoke__free_list_remove(yoke_domain *domain, yoke__block *block);
void     yoke__free_list_clear(yoke_domain *domain);
/* A block of at least that many granules after a short look, or NULL: then search() looks at every one that may fit. */
yoke__block *yoke__free_list_find(const yoke_domain *domain, uint64_t granules);
yoke__block *yoke__free_list_search(const yoke_domain *domain, uint64_t granules);

/* owned.c; lock held. Blocks without an object are passed over. */
void yoke__owned_insert(yoke_domain *domain, yoke__block *block);
void yoke__owned_remove(yoke_domain *domain, yoke__block *block);
void yoke__owned_clear(yoke_domain *domain);
/* The chain that an object's blocks are in; those of others too. */
yoke__block *yoke__owned_first(const yoke_domain *domain, yoke__id object);
yoke__block *yoke__owned_next(const yoke_domain *domain, const yoke__block *block);

/* heap.c; all but init need the allocator's lock. */

/* Writes the first block over [YOKE__HEAP_START, committed) of a domain in the making. */
void yoke__heap_init(yoke_domain *domain);
/* Takes the lock, and writes the caches anew if a holder died. YOKE_EPROTO: the chain of blocks is damaged; not
 * held. */
int  yoke__heap_lock(yoke_domain *domain);
void yoke__heap_unlock(yoke_domain *domain);
/* Around changes: in between, caches may be off. */
void yoke__heap_begin(yoke_domain *domain);
void yoke__heap_end(yoke_domain *domain);
/* A free block of at least that many granules, backed by memory as far as they go; grows the domain if there is none.
 * NULL: error noted. */
yoke__block *yoke__heap_find(yoke_domain *domain, uint64_t granules);
/* Takes that many granules of a found block for a token. */
void yoke__heap_claim(yoke_domain *domain, yoke__block *block, uint64_t granules, yoke__token token, yoke__id intended);
/* Frees a block in use and merges it with its neighbours. Returns the offset of the block it is part of now. */
uint64_t yoke__heap_release(yoke_domain *domain, yoke__block *block);
/* Walks all blocks and writes the caches anew; merges free neighbours. YOKE_EPROTO. */
int yoke__heap_rebuild(yoke_domain *domain);

#endif
