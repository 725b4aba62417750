/* Blocks and their caches; see heap.h for the format. */
#include "heap.h"

#include "../backend.h"
#include "../error.h"
#include "../sync/owner_word.h"

#define TRIM_LEAST (UINT64_C(64) << 20) /* bytes: smaller free blocks keep their pages */
#define TRIM_AGAIN (UINT64_C(1) << 20)  /* bytes: what is freed next to a hole goes too, from this size on */
#define PAGE       UINT64_C(65536)      /* no system has larger ones: what is aligned to this is aligned to pages */

static void set_free(yoke__block *block, uint64_t granules, uint32_t holes)
{
    yoke__a64_store_release(&block->state, yoke__block_state(granules, YOKE__BLOCK_FREE, holes));
}

/* Tells the block that follows how long this one is. */
static void set_before(yoke_domain *domain, yoke__block *block)
{
    yoke__header *header = yoke__domain_header(domain);
    uint64_t      offset = yoke__domain_offset(domain, block);
    uint64_t      size = yoke__block_size(block);
    if (offset + size < yoke__a64_load_acquire(&header->heap_end)) {
        yoke__a32_store_release(&yoke__block_at(domain, offset + size)->before, (uint32_t)(size / YOKE__GRANULE));
    } else {
        yoke__a64_store_release(&header->heap_last, offset);
    }
}

/* ---- life of a block --------------------------------------------------------------------------------------------- */

/* Writes the header of a free block that nobody can see yet. */
static void prepare(yoke_domain *domain, yoke__block *block, uint64_t granules, uint32_t before, uint32_t holes)
{
    yoke__a64_store_release(&block->object, 0);
    yoke__a32_store_release(&block->before, before);
    yoke__a32_store_release(&block->check, yoke__block_check(yoke__domain_offset(domain, block)));
    yoke__a32_store_release(&block->next, 0);
    yoke__a32_store_release(&block->previous, 0);
    set_free(block, granules, holes);
}

/* Enlarges `block` over the free block behind it. One store is the merge; the header in the middle is payload then. */
static void absorb_next(yoke_domain *domain, yoke__block *block, yoke__block *next)
{
    uint64_t mine = yoke__a64_load_acquire(&block->state);
    uint64_t other = yoke__a64_load_acquire(&next->state);
    uint32_t holes = (yoke__block_owner(mine) | yoke__block_owner(other)) & YOKE__BLOCK_HOLES;
    set_free(block, yoke__block_granules(mine) + yoke__block_granules(other), holes);
    yoke__a32_store_release(&next->check, 0);
    set_before(domain, block);
}

/* Merges a free block, which is in no list, with free neighbours; lists the result. */
static yoke__block *merge(yoke_domain *domain, yoke__block *block)
{
    uint64_t     end = yoke__domain_offset(domain, block) + yoke__block_size(block);
    uint32_t     before = yoke__a32_load_acquire(&block->before);
    yoke__block *next = yoke__block_at_granule(domain, (uint32_t)(end / YOKE__GRANULE));
    yoke__block *previous = before ? yoke__block_at_granule(domain, yoke__block_granule(domain, block) - before) : NULL;
    if (next && yoke__block_is_free(next)) {
        yoke__free_list_remove(domain, next);
        absorb_next(domain, block, next);
    }
    if (previous && yoke__block_is_free(previous)) {
        yoke__free_list_remove(domain, previous);
        absorb_next(domain, previous, block);
        block = previous;
    }
    yoke__free_list_insert(domain, block);
    return block;
}

/* Gives the whole pages of [from, to) back; the block they lie in is marked before, so that they are asked for
 * again. */
static void trim(yoke_domain *domain, yoke__block *block, uint64_t from, uint64_t to)
{
    uint64_t first = (from + PAGE - 1) & ~(PAGE - 1);
    uint64_t last = to & ~(PAGE - 1);
    if (first < last) {
        set_free(block, yoke__block_size(block) / YOKE__GRANULE, YOKE__BLOCK_HOLES);
        (void)yoke__backend()->memory->trim(&domain->memory, first, last);
    }
}

/* Keeps pages for reuse, up to an eighth of what the system has left. */
static void trim_large(yoke_domain *domain, yoke__block *block, uint64_t freed, uint64_t freed_size)
{
    uint64_t size = yoke__block_size(block);
    if (yoke__block_owner(yoke__a64_load_acquire(&block->state)) & YOKE__BLOCK_HOLES) {
        if (freed_size >= TRIM_AGAIN) {
            trim(domain, block, freed + YOKE__BLOCK_HEADER, freed + freed_size);
        }
    } else if (size >= TRIM_LEAST && size > yoke__backend()->memory->available() / 8) {
        uint64_t start = yoke__domain_offset(domain, block);
        trim(domain, block, start + YOKE__BLOCK_HEADER, start + size);
    }
}

uint64_t yoke__heap_release(yoke_domain *domain, yoke__block *block)
{
    yoke__header *header = yoke__domain_header(domain);
    uint64_t      offset = yoke__domain_offset(domain, block);
    uint64_t      size = yoke__block_size(block);
    yoke__owned_remove(domain, block);
    set_free(block, size / YOKE__GRANULE, 0); /* from here on it is free, whatever happens to us */
    yoke__a64_store_release(&header->used, yoke__a64_load_acquire(&header->used) - size);
    block = merge(domain, block);
    trim_large(domain, block, offset, size);
    return yoke__domain_offset(domain, block);
}

void yoke__heap_claim(yoke_domain *domain, yoke__block *block, uint64_t granules, yoke__token token, yoke__id intended)
{
    yoke__header *header = yoke__domain_header(domain);
    uint64_t      state = yoke__a64_load_acquire(&block->state);
    uint64_t      rest = yoke__block_granules(state) - granules;
    yoke__block  *remainder = yoke__block_at(domain, yoke__domain_offset(domain, block) + granules * YOKE__GRANULE);
    yoke__free_list_remove(domain, block);
    if (rest) { /* inside the free block still: nobody sees it */
        prepare(domain, remainder, rest, (uint32_t)granules, yoke__block_owner(state));
    }
    yoke__a64_store_release(&block->object, intended);
    /* What lay here must not be taken for what the block is to become. */
    yoke__a32_store_release((yoke__a32 *)yoke__block_payload(block), 0);
    yoke__a64_store_release(&block->state, yoke__block_state(granules, YOKE__BLOCK_TOKEN, token)); /* both at once */
    yoke__owned_insert(domain, block);
    if (rest) {
        set_before(domain, remainder);
        yoke__free_list_insert(domain, remainder);
    }
    yoke__a64_store_release(&header->used, yoke__a64_load_acquire(&header->used) + granules * YOKE__GRANULE);
}

/* ---- finding and growing ----------------------------------------------------------------------------------------- */

/* Adds memory at the end, for a free block of that many granules with what is free there already. */
static yoke__block *extend(yoke_domain *domain, uint64_t granules)
{
    yoke__header *header = yoke__domain_header(domain);
    uint64_t      end = yoke__a64_load_acquire(&header->heap_end);
    yoke__block  *last = yoke__block_at(domain, yoke__a64_load_acquire(&header->heap_last));
    uint64_t      need = granules * YOKE__GRANULE;
    if (yoke__block_is_free(last)) {
        need -= yoke__block_size(last) < need ? yoke__block_size(last) : need;
    }
    if (yoke__domain_commit(domain, end + need + YOKE__BLOCK_HEADER) < 0) {
        return NULL;
    }
    uint64_t top = yoke__a64_load_acquire(&header->committed) / YOKE__GRANULE * YOKE__GRANULE - YOKE__BLOCK_HEADER;
    if (top <= end) {
        return last; /* nothing was missing after all */
    }
    yoke__block *block = yoke__block_at(domain, end);
    yoke__heap_begin(domain);
    prepare(domain, block, (top - end) / YOKE__GRANULE, (uint32_t)(yoke__block_size(last) / YOKE__GRANULE), 0);
    yoke__a64_store_release(&header->heap_end, top);
    yoke__a64_store_release(&header->heap_last, end);
    block = merge(domain, block);
    yoke__heap_end(domain);
    return block;
}

/* Asks again for the pages that `granules` of a block with holes, and the header behind them, need. */
static bool fill_holes(yoke_domain *domain, yoke__block *block, uint64_t granules)
{
    uint64_t state = yoke__a64_load_acquire(&block->state);
    if (!(yoke__block_owner(state) & YOKE__BLOCK_HOLES)) {
        return true;
    }
    uint64_t start = yoke__domain_offset(domain, block) & ~(PAGE - 1);
    uint64_t end = yoke__domain_offset(domain, block) + granules * YOKE__GRANULE + YOKE__BLOCK_HEADER;
    uint64_t committed = yoke__a64_load_acquire(&yoke__domain_header(domain)->committed);
    end = (end + PAGE - 1) & ~(PAGE - 1);
    return yoke__domain_back(domain, start, end < committed ? end : committed) == YOKE_OK;
}

yoke__block *yoke__heap_find(yoke_domain *domain, uint64_t granules)
{
    yoke__block *block = yoke__free_list_find(domain, granules);
    if (!block) {
        block = extend(domain, granules);
    }
    if (!block) { /* no memory: now the long lists are worth a walk */
        block = yoke__free_list_search(domain, granules);
    }
    return block && fill_holes(domain, block, granules) ? block : NULL;
}

/* ---- the lock and what it guards --------------------------------------------------------------------------------- */

void yoke__heap_init(yoke_domain *domain)
{
    yoke__header *header = yoke__domain_header(domain);
    uint64_t      committed = yoke__a64_load_acquire(&header->committed);
    uint64_t      top = committed / YOKE__GRANULE * YOKE__GRANULE - YOKE__BLOCK_HEADER;
    yoke__block  *block = yoke__block_at(domain, YOKE__BLOCK_FIRST);
    yoke__a64_store_release(&header->heap_end, top);
    yoke__a64_store_release(&header->heap_last, YOKE__BLOCK_FIRST);
    prepare(domain, block, (top - YOKE__BLOCK_FIRST) / YOKE__GRANULE, 0, 0);
    yoke__free_list_insert(domain, block);
}

void yoke__heap_begin(yoke_domain *domain)
{
    yoke__a32_store_release(&yoke__domain_header(domain)->allocator_dirty, 1);
}

void yoke__heap_end(yoke_domain *domain)
{
    yoke__a32_store_release(&yoke__domain_header(domain)->allocator_dirty, 0);
}

int yoke__heap_lock(yoke_domain *domain)
{
    yoke__header *header = yoke__domain_header(domain);
    int           rc = yoke__owner_acquire(domain, &header->allocator, INT64_MAX, NULL);
    if (rc < 0) {
        return rc; /* no participant slot: noted */
    }
    if (yoke__a32_load_acquire(&header->allocator_dirty)) {
        rc = yoke__heap_rebuild(domain);
        if (rc < 0) {
            yoke__owner_release(domain, &header->allocator);
            return rc;
        }
        yoke__heap_end(domain);
    }
    return YOKE_OK;
}

void yoke__heap_unlock(yoke_domain *domain)
{
    yoke__owner_release(domain, &yoke__domain_header(domain)->allocator);
}

static int damaged(const yoke_domain *domain, uint64_t offset, uint64_t state)
{
    return yoke__fail(YOKE_EPROTO, "domain %016llx is damaged: the block at %llu says {%llu granules, kind %u}",
                      (unsigned long long)yoke__domain_header(domain)->id, (unsigned long long)offset,
                      (unsigned long long)yoke__block_granules(state), (unsigned)yoke__block_kind_of(state));
}

int yoke__heap_rebuild(yoke_domain *domain)
{
    yoke__header *header = yoke__domain_header(domain);
    uint64_t      end = yoke__a64_load_acquire(&header->heap_end);
    uint64_t      used = 0;
    uint32_t      before = 0;
    yoke__block  *open = NULL; /* free block that may still grow; listed when its end is known */
    yoke__free_list_clear(domain);
    yoke__owned_clear(domain);
    for (uint64_t offset = YOKE__BLOCK_FIRST; offset < end;) {
        yoke__block *block = yoke__block_at(domain, offset);
        uint64_t     state = yoke__a64_load_acquire(&block->state);
        uint64_t     size = yoke__block_granules(state) * YOKE__GRANULE;
        if (size == 0 || size > end - offset) {
            return damaged(domain, offset, state);
        }
        offset += size;
        if (yoke__block_kind_of(state) == YOKE__BLOCK_FREE && open) {
            absorb_next(domain, open, block);
            before = (uint32_t)(yoke__block_size(open) / YOKE__GRANULE);
            continue;
        }
        if (open) {
            yoke__free_list_insert(domain, open);
        }
        open = yoke__block_kind_of(state) == YOKE__BLOCK_FREE ? block : NULL;
        if (!open) {
            used += size;
            yoke__owned_insert(domain, block);
        }
        yoke__a32_store_release(&block->before, before);
        yoke__a32_store_release(&block->check, yoke__block_check(yoke__domain_offset(domain, block)));
        before = (uint32_t)(size / YOKE__GRANULE);
        yoke__a64_store_release(&header->heap_last, yoke__domain_offset(domain, block));
    }
    if (open) {
        yoke__free_list_insert(domain, open);
    }
    yoke__a64_store_release(&header->used, used);
    return YOKE_OK;
}
