/*
 * The domain's allocator: blocks with one 64-bit state word each, so that every transition is one store and a holder of
 * the lock may die anywhere (heap.h has the format). Free lists are caches, rebuilt from the block headers.
 *
 * A block belongs to nobody (free), to a participant's token (being built, or in transit: comes back when that token is
 * recovered, unless its intended object says that it links the block), or to an object (comes back with it).
 */
#ifndef YOKE_CORE_DOMAIN_ALLOCATOR_H
#define YOKE_CORE_DOMAIN_ALLOCATOR_H

#include "domain.h"

/* Returns memory of at least size bytes (32, 96, 160, ... fit best), 64-aligned, not zeroed, owned by this process's
 * token; intended: the object that may come to link it, or 0. NULL: no memory within the budget, or the domain is
 * damaged; error noted. */
void *yoke__alloc(yoke_domain *domain, uint64_t size, yoke__id intended);
/* The same, zeroed. */
void *yoke__alloc_zero(yoke_domain *domain, uint64_t size, yoke__id intended);
/* One store: the block is the object's from now on / this process's again. */
void yoke__alloc_give(yoke_domain *domain, void *payload, yoke__id object);
void yoke__alloc_take(yoke_domain *domain, void *payload);
/* As take, and in the same store marks the block as held (the state word's fourth kind): what a consumer has taken but
 * not consumed. links() is told. */
void yoke__alloc_hold(yoke_domain *domain, void *payload);
/* The same for another's token, by who finishes what that one began: held, or merely its own again. */
void yoke__alloc_assign(yoke_domain *domain, void *payload, yoke__token token, bool held);
/* Whether it is a block that this process has allocated or taken, and neither given away nor held. */
bool yoke__alloc_is_mine(yoke_domain *domain, const void *payload);
/* Whose hold it is; 0: it isn't held, or no block in use. */
yoke__token yoke__alloc_holder(yoke_domain *domain, const void *payload);
/* NULL is fine. What is not a block in use (freed already) is left alone, and noted as YOKE_EINVAL. */
void yoke__free(yoke_domain *domain, void *payload);
/* Usable bytes; 0 if that is not a block in use. Safe for any offset-derived pointer inside the domain. */
uint64_t yoke__alloc_size(yoke_domain *domain, const void *payload);

/* Calls visit for each block in use that the object owns or may come to link, its owner's work in progress included, under
 * the allocator's lock; until it returns false. */
typedef bool yoke__block_visit(void *user, void *payload, uint64_t size);
void         yoke__alloc_each(yoke_domain *domain, yoke__id object, yoke__block_visit *visit, void *user);

/* Registry lock held: frees what dead owned, block by block, asking links() of each block's intended object (true: it
 * is linked, so it goes to that object). held: as it stood before links() took the object's locks. Where links() counts
 * domain->put_off up the block stays the dead one's; false: there was such a block. May be repeated. The block goes to
 * the object by a CAS from the dead owner's state word: once links() has answered true, a living participant may take
 * and even free the block. */
typedef bool yoke__links_fn(yoke_domain *domain, yoke__id object, void *block, bool held);
bool         yoke__alloc_recover(yoke_domain *domain, yoke__token dead, yoke__links_fn *links);
/* Registry lock held: frees every block of an object that went away. */
void yoke__alloc_free_object(yoke_domain *domain, yoke__id object);

/* Walks all blocks; for tests and checks. YOKE_EPROTO with a sentence if anything is out of order. */
typedef struct yoke__alloc_stats {
    uint64_t blocks, free_blocks, free_bytes, token_blocks, object_blocks;
    uint64_t owned_blocks; /* in use, with an object that owns it or may come to */
} yoke__alloc_stats;
int yoke__alloc_check(yoke_domain *domain, yoke__alloc_stats *out);

#endif
