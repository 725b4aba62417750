/* What others call: allocation, ownership, recovery of what the dead owned. */
#include "allocator.h"

#include "../error.h"
#include "heap.h"

#include <string.h>

static uint64_t granules_for(uint64_t size)
{
    return (size + YOKE__BLOCK_HEADER + YOKE__GRANULE - 1) / YOKE__GRANULE;
}

/* The block that has this payload, if it is in use; NULL otherwise, whatever the address is. */
static yoke__block *block_in_use(const yoke_domain *domain, const void *payload)
{
    uintptr_t base = (uintptr_t)domain->memory.base;
    uintptr_t address = (uintptr_t)payload;
    uint64_t  end = yoke__a64_load_acquire(&yoke__domain_header(domain)->heap_end);
    uint64_t  first = YOKE__BLOCK_FIRST + YOKE__BLOCK_HEADER;
    if (address < base || address - base < first || address - base >= end || (address - base) % YOKE__GRANULE) {
        return NULL;
    }
    uint64_t     offset = address - base - YOKE__BLOCK_HEADER;
    yoke__block *block = yoke__block_at(domain, offset);
    uint64_t     state = yoke__a64_load_acquire(&block->state);
    uint64_t     size = yoke__block_granules(state) * YOKE__GRANULE;
    bool         sound = yoke__a32_load_acquire(&block->check) == yoke__block_check(offset) && size > 0 &&
                 size <= end - offset && yoke__block_kind_of(state) != YOKE__BLOCK_FREE;
    return sound ? block : NULL;
}

static int fail_block(const yoke_domain *domain, const char *what, const void *payload)
{
    return yoke__fail(YOKE_EINVAL, "%s: offset %lld of domain %016llx is not a block in use", what,
                      (long long)((intptr_t)payload - (intptr_t)domain->memory.base),
                      (unsigned long long)yoke__domain_header(domain)->id);
}

void *yoke__alloc(yoke_domain *domain, uint64_t size, yoke__id intended)
{
    yoke__token token = yoke__domain_token(domain);
    if (!token) {
        return NULL;
    }
    if (size >= yoke__domain_header(domain)->reserve) {
        yoke__fail(YOKE_ENOMEM, "%llu bytes don't fit into a domain of at most %llu", (unsigned long long)size,
                   (unsigned long long)yoke__domain_header(domain)->reserve);
        return NULL;
    }
    if (yoke__heap_lock(domain) < 0) {
        return NULL;
    }
    uint64_t     granules = granules_for(size);
    yoke__block *block = yoke__heap_find(domain, granules);
    if (block) {
        yoke__heap_begin(domain);
        yoke__heap_claim(domain, block, granules, token, intended);
        yoke__heap_end(domain);
    }
    yoke__heap_unlock(domain);
    return block ? yoke__block_payload(block) : NULL;
}

void *yoke__alloc_zero(yoke_domain *domain, uint64_t size, yoke__id intended)
{
    void *payload = yoke__alloc(domain, size, intended);
    if (payload) {
        memset(payload, 0, (size_t)size);
    }
    return payload;
}

/* The owner writes without the lock: nobody else changes a block in use. */
static void set_owner(yoke__block *block, yoke__block_kind kind, uint32_t owner)
{
    uint64_t granules = yoke__block_granules(yoke__a64_load_acquire(&block->state));
    yoke__a64_store_release(&block->state, yoke__block_state(granules, kind, owner));
}

/* Under another object's name than it was allocated for: it changes chains. */
static int rename_object(yoke_domain *domain, yoke__block *block, yoke__id object)
{
    YOKE_TRY(yoke__heap_lock(domain));
    yoke__heap_begin(domain);
    yoke__owned_remove(domain, block);
    yoke__a64_store_release(&block->object, object);
    yoke__owned_insert(domain, block);
    yoke__heap_end(domain);
    yoke__heap_unlock(domain);
    return YOKE_OK;
}

void yoke__alloc_give(yoke_domain *domain, void *payload, yoke__id object)
{
    yoke__block *block = block_in_use(domain, payload);
    if (!block) {
        fail_block(domain, "give", payload);
        return;
    }
    /* `object` means "intended" until the state says that it owns the block. */
    if (yoke__a64_load_acquire(&block->object) != object && rename_object(domain, block, object) < 0) {
        return;
    }
    set_owner(block, YOKE__BLOCK_OBJECT, YOKE__ID_INDEX(object));
}

void yoke__alloc_assign(yoke_domain *domain, void *payload, yoke__token token, bool held)
{
    yoke__block *block = block_in_use(domain, payload);
    if (!block || !token) {
        fail_block(domain, "take", payload);
        return;
    }
    set_owner(block, held ? YOKE__BLOCK_HELD : YOKE__BLOCK_TOKEN, token);
}

void yoke__alloc_take(yoke_domain *domain, void *payload)
{
    yoke__alloc_assign(domain, payload, yoke__domain_token(domain), false);
}

void yoke__alloc_hold(yoke_domain *domain, void *payload)
{
    yoke__alloc_assign(domain, payload, yoke__domain_token(domain), true);
}

bool yoke__alloc_is_mine(yoke_domain *domain, const void *payload)
{
    const yoke__block *block = block_in_use(domain, payload);
    uint64_t           state = block ? yoke__a64_load_acquire(&block->state) : 0;
    return yoke__block_kind_of(state) == YOKE__BLOCK_TOKEN && yoke__block_owner(state) == yoke__domain_token(domain);
}

yoke__token yoke__alloc_holder(yoke_domain *domain, const void *payload)
{
    const yoke__block *block = block_in_use(domain, payload);
    uint64_t           state = block ? yoke__a64_load_acquire(&block->state) : 0;
    return yoke__block_kind_of(state) == YOKE__BLOCK_HELD ? yoke__block_owner(state) : 0;
}

void yoke__alloc_each(yoke_domain *domain, yoke__id object, yoke__block_visit *visit, void *user)
{
    if (yoke__heap_lock(domain) < 0) {
        return;
    }
    for (yoke__block *block = yoke__owned_first(domain, object); block; block = yoke__owned_next(domain, block)) {
        uint64_t size = yoke__block_size(block) - YOKE__BLOCK_HEADER;
        if (yoke__a64_load_acquire(&block->object) == object && !visit(user, yoke__block_payload(block), size)) {
            break;
        }
    }
    yoke__heap_unlock(domain);
}

void yoke__free(yoke_domain *domain, void *payload)
{
    if (!payload || yoke__heap_lock(domain) < 0) {
        return;
    }
    yoke__block *block = block_in_use(domain, payload);
    if (block) {
        yoke__heap_begin(domain);
        yoke__heap_release(domain, block);
        yoke__heap_end(domain);
    }
    yoke__heap_unlock(domain);
    if (!block) {
        fail_block(domain, "free", payload);
    }
}

uint64_t yoke__alloc_size(yoke_domain *domain, const void *payload)
{
    const yoke__block *block = block_in_use(domain, payload);
    return block ? yoke__block_granules(yoke__a64_load_acquire(&block->state)) * YOKE__GRANULE - YOKE__BLOCK_HEADER : 0;
}

/* ---- recovery ---------------------------------------------------------------------------------------------------- */

static bool is_owned_by(uint64_t state, yoke__token token)
{
    yoke__block_kind kind = yoke__block_kind_of(state);
    return (kind == YOKE__BLOCK_TOKEN || kind == YOKE__BLOCK_HELD) && yoke__block_owner(state) == token;
}

/* The first block from `offset` on that the token owns, or 0. Lock held. */
static uint64_t next_of_token(const yoke_domain *domain, uint64_t offset, yoke__token token)
{
    uint64_t end = yoke__a64_load_acquire(&yoke__domain_header(domain)->heap_end);
    while (offset < end) {
        uint64_t state = yoke__a64_load_acquire(&yoke__block_at(domain, offset)->state);
        if (is_owned_by(state, token)) {
            return offset;
        }
        offset += yoke__block_granules(state) * YOKE__GRANULE;
    }
    return 0;
}

/*
 * Gives a dead token's block to its object, or frees it, or passes it by if the object put that off. Lock held. Returns
 * from where to look on: from the start if a living participant took the block meanwhile, as it may have freed it since.
 */
static uint64_t settle(yoke_domain *domain, uint64_t offset, uint64_t state, bool linked, bool put_off)
{
    yoke__block *block = yoke__block_at(domain, offset);
    if (put_off) {
        bool stands = yoke__a64_load_acquire(&block->state) == state;
        return stands ? offset + yoke__block_granules(state) * YOKE__GRANULE : YOKE__BLOCK_FIRST;
    }
    if (linked) {
        uint32_t index = YOKE__ID_INDEX(yoke__a64_load_acquire(&block->object));
        uint64_t given = yoke__block_state(yoke__block_granules(state), YOKE__BLOCK_OBJECT, index);
        return yoke__a64_cas_acq_rel(&block->state, &state, given) ? offset : YOKE__BLOCK_FIRST;
    }
    if (!is_owned_by(yoke__a64_load_acquire(&block->state), yoke__block_owner(state))) {
        return YOKE__BLOCK_FIRST;
    }
    yoke__heap_begin(domain);
    offset = yoke__heap_release(domain, block);
    yoke__heap_end(domain);
    return offset;
}

/* Objects are asked without the lock: they take theirs first. The registry lock keeps other recoverers out
 * meanwhile. */
bool yoke__alloc_recover(yoke_domain *domain, yoke__token dead, yoke__links_fn *links)
{
    uint64_t offset = YOKE__BLOCK_FIRST;
    uint64_t state = 0;
    bool     asked = false;
    bool     linked = false;
    uint32_t put_off = domain->put_off;
    uint32_t put_off_before = put_off;
    while (yoke__heap_lock(domain) == YOKE_OK) {
        offset = asked ? settle(domain, offset, state, linked, domain->put_off != put_off) : offset;
        put_off = domain->put_off;
        offset = next_of_token(domain, offset, dead);
        yoke__block *block = offset ? yoke__block_at(domain, offset) : NULL;
        yoke__id     object = block ? yoke__a64_load_acquire(&block->object) : 0;
        state = block ? yoke__a64_load_acquire(&block->state) : 0;
        yoke__heap_unlock(domain);
        if (!block) {
            return put_off == put_off_before;
        }
        bool held = yoke__block_kind_of(state) == YOKE__BLOCK_HELD;
        linked = object && links && links(domain, object, yoke__block_payload(block), held);
        asked = true;
    }
    return false;
}

void yoke__alloc_free_object(yoke_domain *domain, yoke__id object)
{
    if (yoke__heap_lock(domain) < 0) {
        return;
    }
    yoke__block *next;
    for (yoke__block *block = yoke__owned_first(domain, object); block; block = next) {
        uint64_t state = yoke__a64_load_acquire(&block->state);
        next = yoke__owned_next(domain, block);
        if (yoke__block_kind_of(state) == YOKE__BLOCK_OBJECT && yoke__a64_load_acquire(&block->object) == object) {
            yoke__heap_begin(domain);
            yoke__heap_release(domain, block);
            yoke__heap_end(domain);
        }
    }
    yoke__heap_unlock(domain);
}
