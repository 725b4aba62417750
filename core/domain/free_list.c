/*
 * Free blocks by size. The lists are caches: what they say is checked against the blocks before it is believed, and
 * they are written anew after a holder's death.
 */
#include "heap.h"

#define SEARCH_SHORT 16u /* blocks looked at in a list before larger classes are tried */

static uint32_t log2_floor(uint64_t n)
{
    uint32_t log = 0;
    for (uint32_t half = 32; half > 0; half /= 2) {
        if (n >> half) {
            n >>= half;
            log += half;
        }
    }
    return log;
}

/* One class per size up to 8 granules, two per doubling above; the last one has no upper bound. */
uint32_t yoke__heap_class(uint64_t granules)
{
    if (granules <= 8) {
        return granules ? (uint32_t)granules - 1 : 0;
    }
    uint32_t log = log2_floor(granules);
    uint32_t class = 8 + (log - 3) * 2 + (uint32_t)(granules >> (log - 1) & 1);
    return class < YOKE__CLASSES ? class : YOKE__CLASSES - 1;
}

static void set_first(yoke__header *header, uint32_t class, uint64_t offset)
{
    uint64_t bit = UINT64_C(1) << class;
    uint64_t classes = yoke__a64_load_acquire(&header->free_classes);
    yoke__a64_store_release(&header->free_lists[class], offset);
    yoke__a64_store_release(&header->free_classes, offset ? classes | bit : classes & ~bit);
}

void yoke__free_list_insert(yoke_domain *domain, yoke__block *block)
{
    yoke__header *header = yoke__domain_header(domain);
    uint32_t class = yoke__heap_class(yoke__block_size(block) / YOKE__GRANULE);
    uint64_t     first = yoke__a64_load_acquire(&header->free_lists[class]);
    yoke__block *next = yoke__block_at_granule(domain, (uint32_t)(first / YOKE__GRANULE));
    yoke__a32_store_release(&block->previous, 0);
    yoke__a32_store_release(&block->next, next ? yoke__block_granule(domain, next) : 0);
    if (next) {
        yoke__a32_store_release(&next->previous, yoke__block_granule(domain, block));
    }
    set_first(header, class, yoke__domain_offset(domain, block));
}

void yoke__free_list_remove(yoke_domain *domain, yoke__block *block)
{
    yoke__block *next = yoke__block_at_granule(domain, yoke__a32_load_acquire(&block->next));
    yoke__block *previous = yoke__block_at_granule(domain, yoke__a32_load_acquire(&block->previous));
    if (previous) {
        yoke__a32_store_release(&previous->next, next ? yoke__block_granule(domain, next) : 0);
    } else {
        set_first(yoke__domain_header(domain), yoke__heap_class(yoke__block_size(block) / YOKE__GRANULE),
                  next ? yoke__domain_offset(domain, next) : 0);
    }
    if (next) {
        yoke__a32_store_release(&next->previous, previous ? yoke__block_granule(domain, previous) : 0);
    }
    yoke__a32_store_release(&block->next, 0);
    yoke__a32_store_release(&block->previous, 0);
}

/* The smallest fit among the first `most` blocks of a list. */
static yoke__block *list_find(const yoke_domain *domain, uint32_t class, uint64_t granules, uint32_t most)
{
    uint64_t     first = yoke__a64_load_acquire(&yoke__domain_header(domain)->free_lists[class]);
    uint64_t     end = yoke__a64_load_acquire(&yoke__domain_header(domain)->heap_end);
    yoke__block *block = yoke__block_at_granule(domain, (uint32_t)(first / YOKE__GRANULE));
    yoke__block *best = NULL;
    uint64_t     best_size = UINT64_MAX;
    while (block && most-- > 0) {
        uint64_t size = yoke__block_size(block) / YOKE__GRANULE;
        uint64_t room = (end - yoke__domain_offset(domain, block)) / YOKE__GRANULE;
        if (yoke__block_is_free(block) && size <= room && size >= granules && size < best_size) {
            best = block;
            best_size = size;
            if (size == granules) {
                break;
            }
        }
        block = yoke__block_at_granule(domain, yoke__a32_load_acquire(&block->next));
    }
    return best;
}

static uint32_t lowest_bit(uint64_t bits)
{
    uint32_t number = 0;
    for (uint32_t half = 32; half > 0; half /= 2) {
        if ((bits & ((UINT64_C(1) << half) - 1)) == 0) {
            bits >>= half;
            number += half;
        }
    }
    return number;
}

yoke__block *yoke__free_list_find(const yoke_domain *domain, uint64_t granules)
{
    uint64_t     all = (UINT64_C(1) << YOKE__CLASSES) - 1;
    uint64_t     above = all << yoke__heap_class(granules) & all;
    uint64_t     classes = yoke__a64_load_acquire(&yoke__domain_header(domain)->free_classes) & above;
    yoke__block *block = NULL;
    while (classes && !block) {
        block = list_find(domain, lowest_bit(classes), granules, SEARCH_SHORT);
        classes &= classes - 1;
    }
    return block;
}

yoke__block *yoke__free_list_search(const yoke_domain *domain, uint64_t granules)
{
    return list_find(domain, yoke__heap_class(granules), granules, UINT32_MAX);
}

void yoke__free_list_clear(yoke_domain *domain)
{
    for (uint32_t class = 0; class < YOKE__CLASSES; class ++) {
        set_first(yoke__domain_header(domain), class, 0);
    }
}
