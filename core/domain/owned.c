/*
 * Which blocks an object has, so that they can go with it without a walk over all: chains by the hash of the object's
 * index, through the headers of the blocks. A cache, written anew after a holder's death.
 */
#include "heap.h"

#include <string.h>

static yoke__a32 *chain_of(const yoke_domain *domain, yoke__id object)
{
    uint32_t hash = YOKE__ID_INDEX(object) * UINT32_C(0x9e3779b1) >> 20;
    return &yoke__domain_header(domain)->owned[hash % YOKE__CHAINS];
}

void yoke__owned_insert(yoke_domain *domain, yoke__block *block)
{
    yoke__id object = yoke__a64_load_acquire(&block->object);
    if (object == 0) {
        return;
    }
    yoke__a32   *chain = chain_of(domain, object);
    yoke__block *next = yoke__block_at_granule(domain, yoke__a32_load_acquire(chain));
    yoke__a32_store_release(&block->previous, 0);
    yoke__a32_store_release(&block->next, next ? yoke__block_granule(domain, next) : 0);
    if (next) {
        yoke__a32_store_release(&next->previous, yoke__block_granule(domain, block));
    }
    yoke__a32_store_release(chain, yoke__block_granule(domain, block));
}

void yoke__owned_remove(yoke_domain *domain, yoke__block *block)
{
    yoke__id object = yoke__a64_load_acquire(&block->object);
    if (object == 0) {
        return;
    }
    yoke__block *next = yoke__block_at_granule(domain, yoke__a32_load_acquire(&block->next));
    yoke__block *previous = yoke__block_at_granule(domain, yoke__a32_load_acquire(&block->previous));
    uint32_t     after = next ? yoke__block_granule(domain, next) : 0;
    yoke__a32_store_release(previous ? &previous->next : chain_of(domain, object), after);
    if (next) {
        yoke__a32_store_release(&next->previous, previous ? yoke__block_granule(domain, previous) : 0);
    }
}

yoke__block *yoke__owned_first(const yoke_domain *domain, yoke__id object)
{
    return yoke__block_at_granule(domain, yoke__a32_load_acquire(chain_of(domain, object)));
}

yoke__block *yoke__owned_next(const yoke_domain *domain, const yoke__block *block)
{
    return yoke__block_at_granule(domain, yoke__a32_load_acquire(&block->next));
}

/* Plain stores: nobody looks at the chains without the lock, and the caches are marked as off until they are all
 * written. */
void yoke__owned_clear(yoke_domain *domain)
{
    memset(yoke__domain_header(domain)->owned, 0, sizeof yoke__domain_header(domain)->owned);
}
