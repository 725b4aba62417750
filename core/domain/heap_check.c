/* Checks every claim of heap.h; for tests, and for attaching to memory of doubtful origin. */
#include "allocator.h"

#include "../error.h"
#include "heap.h"

static int disorder(uint64_t offset, const char *what, uint64_t found, uint64_t expected)
{
    return yoke__fail(YOKE_EPROTO, "heap: block at %llu: %s is %llu, should be %llu", (unsigned long long)offset, what,
                      (unsigned long long)found, (unsigned long long)expected);
}

/* Counts one block; *previous_free and *before are those of the block before it. */
static int check_block(const yoke_domain *domain, uint64_t offset, uint32_t before, bool previous_free,
                       yoke__alloc_stats *stats)
{
    const yoke__block *block = yoke__block_at(domain, offset);
    uint64_t           end = yoke__a64_load_acquire(&yoke__domain_header(domain)->heap_end);
    uint64_t           state = yoke__a64_load_acquire(&block->state);
    uint64_t           size = yoke__block_granules(state) * YOKE__GRANULE;
    if (size == 0 || size > end - offset) {
        return disorder(offset, "size", size, end - offset);
    }
    if (yoke__a32_load_acquire(&block->before) != before) {
        return disorder(offset, "size of the block before", yoke__a32_load_acquire(&block->before), before);
    }
    if (yoke__a32_load_acquire(&block->check) != yoke__block_check(offset)) {
        return disorder(offset, "check", yoke__a32_load_acquire(&block->check), yoke__block_check(offset));
    }
    stats->blocks++;
    stats->owned_blocks += !yoke__block_is_free(block) && yoke__a64_load_acquire(&block->object) != 0;
    switch (yoke__block_kind_of(state)) {
    case YOKE__BLOCK_FREE:
        if (previous_free) {
            return disorder(offset, "free neighbours", 2, 1);
        }
        stats->free_blocks++;
        stats->free_bytes += size;
        return YOKE_OK;
    case YOKE__BLOCK_TOKEN:
    case YOKE__BLOCK_HELD:
        stats->token_blocks++;
        return yoke__block_owner(state) & YOKE__TOKEN_MASK ? YOKE_OK : disorder(offset, "owner", 0, 1);
    default: /* an object's */
        stats->object_blocks++;
        return YOKE__ID_INDEX(yoke__a64_load_acquire(&block->object)) == yoke__block_owner(state)
                   ? YOKE_OK
                   : disorder(offset, "owner", yoke__block_owner(state), yoke__a64_load_acquire(&block->object));
    }
}

static int check_blocks(const yoke_domain *domain, yoke__alloc_stats *stats)
{
    const yoke__header *header = yoke__domain_header(domain);
    uint64_t            end = yoke__a64_load_acquire(&header->heap_end);
    uint64_t            last = 0;
    uint32_t            before = 0;
    bool                previous_free = false;
    if (end <= YOKE__BLOCK_FIRST || end > yoke__a64_load_acquire(&header->committed) ||
        end % YOKE__GRANULE != YOKE__BLOCK_FIRST % YOKE__GRANULE) {
        return disorder(end, "end of the heap", end, yoke__a64_load_acquire(&header->committed));
    }
    for (uint64_t offset = YOKE__BLOCK_FIRST; offset < end;) {
        YOKE_TRY(check_block(domain, offset, before, previous_free, stats));
        uint64_t state = yoke__a64_load_acquire(&yoke__block_at(domain, offset)->state);
        before = (uint32_t)yoke__block_granules(state);
        previous_free = yoke__block_kind_of(state) == YOKE__BLOCK_FREE;
        last = offset;
        offset += (uint64_t)before * YOKE__GRANULE;
    }
    if (yoke__a64_load_acquire(&header->heap_last) != last) {
        return disorder(last, "last block", yoke__a64_load_acquire(&header->heap_last), last);
    }
    uint64_t used = end - YOKE__BLOCK_FIRST - stats->free_bytes;
    return yoke__a64_load_acquire(&header->used) == used
               ? YOKE_OK
               : disorder(0, "bytes used", yoke__a64_load_acquire(&header->used), used);
}

/* Each entry a free block of that class that knows its neighbours; counts them. */
static int check_list(const yoke_domain *domain, uint32_t class, uint64_t most, uint64_t *count)
{
    const yoke__header *header = yoke__domain_header(domain);
    uint64_t            end = yoke__a64_load_acquire(&header->heap_end);
    uint64_t            offset = yoke__a64_load_acquire(&header->free_lists[class]);
    uint32_t            previous = 0;
    bool                marked = yoke__a64_load_acquire(&header->free_classes) >> class & 1;
    if (marked != (offset != 0)) {
        return disorder(offset, "mark of a free list", marked, offset != 0);
    }
    while (offset) {
        if (offset < YOKE__BLOCK_FIRST || offset >= end ||
            offset % YOKE__GRANULE != YOKE__BLOCK_FIRST % YOKE__GRANULE) {
            return disorder(offset, "place in a free list", offset, end);
        }
        const yoke__block *block = yoke__block_at(domain, offset);
        uint64_t           state = yoke__a64_load_acquire(&block->state);
        if (yoke__block_kind_of(state) != YOKE__BLOCK_FREE || yoke__heap_class(yoke__block_granules(state)) != class) {
            return disorder(offset, "class of a listed block", yoke__heap_class(yoke__block_granules(state)), class);
        }
        if (yoke__a32_load_acquire(&block->previous) != previous) {
            return disorder(offset, "link back", yoke__a32_load_acquire(&block->previous), previous);
        }
        if (++*count > most) {
            return disorder(offset, "count of listed blocks", *count, most);
        }
        previous = (uint32_t)(offset / YOKE__GRANULE);
        uint64_t next = yoke__a32_load_acquire(&block->next);
        offset = next ? next * YOKE__GRANULE + YOKE__BLOCK_HEADER : 0;
    }
    return YOKE_OK;
}

static int check_lists(const yoke_domain *domain, const yoke__alloc_stats *stats)
{
    uint64_t listed = 0;
    for (uint32_t class = 0; class < YOKE__CLASSES; class ++) {
        YOKE_TRY(check_list(domain, class, stats->free_blocks, &listed));
    }
    return listed == stats->free_blocks ? YOKE_OK : disorder(0, "count of listed blocks", listed, stats->free_blocks);
}

/* Every block that has an object is in the chain of that object, and nothing else is. */
static int check_chains(const yoke_domain *domain, uint64_t owned)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < YOKE__CHAINS; i++) {
        uint32_t     granule = yoke__a32_load_acquire(&yoke__domain_header(domain)->owned[i]);
        uint32_t     previous = 0;
        yoke__block *block = yoke__block_at_granule(domain, granule);
        for (; block; block = yoke__owned_next(domain, block)) {
            uint64_t offset = yoke__domain_offset(domain, block);
            yoke__id object = yoke__a64_load_acquire(&block->object);
            if (yoke__block_is_free(block) || object == 0 ||
                (previous == 0 && yoke__owned_first(domain, object) != block)) {
                return disorder(offset, "object of a chained block", object, 0);
            }
            if (yoke__a32_load_acquire(&block->previous) != previous) {
                return disorder(offset, "link back in the chain", yoke__a32_load_acquire(&block->previous), previous);
            }
            if (++count > owned) {
                return disorder(offset, "count of chained blocks", count, owned);
            }
            previous = yoke__block_granule(domain, block);
        }
    }
    return count == owned ? YOKE_OK : disorder(0, "count of chained blocks", count, owned);
}

int yoke__alloc_check(yoke_domain *domain, yoke__alloc_stats *out)
{
    yoke__alloc_stats stats = {0};
    YOKE_TRY(yoke__heap_lock(domain));
    int rc = check_blocks(domain, &stats);
    if (rc == YOKE_OK) {
        rc = check_lists(domain, &stats);
    }
    if (rc == YOKE_OK) {
        rc = check_chains(domain, stats.owned_blocks);
    }
    yoke__heap_unlock(domain);
    if (rc == YOKE_OK && out) {
        *out = stats;
    }
    return rc;
}
