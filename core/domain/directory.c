/* Entries of the directory: taking, showing, finding, destroying. The format is in directory.h. */
#include "directory.h"

#include "../error.h"
#include "allocator.h"
#include "participant.h"

/* ---- finding entries ------------------------------------------------------------------------------------------------- */

/* Chunk k begins at index FIRST * (2^k - 1). */
static uint32_t chunk_of(uint32_t index, uint32_t *within)
{
    uint32_t n = index / YOKE__DIRECTORY_FIRST + 1;
    uint32_t k = 0;
    while (n >> (k + 1))
        k++;
    *within = index - YOKE__DIRECTORY_FIRST * ((UINT32_C(1) << k) - 1);
    return k;
}

static uint64_t chunk_bytes(uint32_t k)
{
    return ((uint64_t)YOKE__DIRECTORY_FIRST << k) * sizeof(yoke__entry);
}

yoke__entry *yoke__entry_at(yoke_domain *domain, uint32_t index)
{
    uint32_t within;
    uint32_t k = chunk_of(index, &within);
    if (k >= YOKE__DIRECTORY_CHUNKS)
        return NULL;
    uint64_t offset = yoke__a64_load_acquire(&yoke__domain_header(domain)->directory[k]);
    if (!offset)
        return NULL;
    return (yoke__entry *)yoke__domain_at(domain, offset) + within;
}

yoke__entry *yoke__entry_live(yoke_domain *domain, yoke__id id)
{
    yoke__entry *entry = yoke__entry_at(domain, YOKE__ID_INDEX(id));
    if (!entry)
        return NULL;
    uint64_t word = yoke__a64_load_acquire(&entry->word);
    if (yoke__entry_state_of(word) != YOKE__ENTRY_LIVE || yoke__entry_generation(word) != YOKE__ID_GENERATION(id))
        return NULL;
    return entry;
}

int yoke__object_find(void **object, yoke_domain *domain, yoke__kind kind, yoke__id id)
{
    yoke__entry *entry = yoke__entry_live(domain, id);
    if (!entry || id == YOKE__ROOT_ID)
        return yoke__fail(YOKE_ENOENT, "no object has the id %llx: it is gone, or there never was one",
                          (unsigned long long)id);
    yoke__kind found = yoke__entry_kind(yoke__a64_load_relaxed(&entry->word));
    if (kind != YOKE__KIND_NONE && found != kind)
        return yoke__fail(YOKE_ETYPE, "this is %s %s, not %s %s", yoke__article(yoke__kind_name(found)),
                          yoke__kind_name(found), yoke__article(yoke__kind_name(kind)), yoke__kind_name(kind));
    void *address = yoke__domain_check(domain, yoke__a64_load_relaxed(&entry->offset), 1);
    if (!address)
        return yoke__fail(YOKE_EPROTO, "the domain is damaged: a %s lies outside of it", yoke__kind_name(found));
    *object = address;
    return YOKE_OK;
}

const char *yoke__entry_name(yoke_domain *domain, const yoke__entry *entry)
{
    uint32_t at = yoke__a32_load_relaxed(&entry->name);
    return at ? (const char *)yoke__entry_object(domain, entry) + (uint64_t)at * 16u : NULL;
}

yoke__root *yoke__directory_root(yoke_domain *domain)
{
    yoke__entry *entry = yoke__entry_live(domain, YOKE__ROOT_ID);
    return entry ? yoke__domain_check(domain, yoke__a64_load_relaxed(&entry->offset), sizeof(yoke__root)) : NULL;
}

static bool root_links(yoke_domain *domain, uint64_t offset)
{
    yoke__header *header = yoke__domain_header(domain);
    for (uint32_t k = 0; k < YOKE__DIRECTORY_CHUNKS; k++)
        if (yoke__a64_load_relaxed(&header->directory[k]) == offset)
            return true;
    yoke__entry *root = yoke__entry_live(domain, YOKE__ROOT_ID);
    return root && yoke__a64_load_relaxed(&root->offset) == offset;
}

bool yoke__directory_links(yoke_domain *domain, yoke__id id, void *block, bool held)
{
    uint64_t offset = yoke__domain_offset(domain, block);
    if (id == YOKE__ROOT_ID)
        return root_links(domain, offset);
    yoke__entry *entry = yoke__entry_live(domain, id);
    if (!entry)
        return false;
    if (yoke__a64_load_relaxed(&entry->offset) == offset)
        return true;
    const yoke__object_type *type = yoke__object_type_of(yoke__entry_kind(yoke__a64_load_relaxed(&entry->word)));
    return type && type->links && type->links(domain, id, yoke__entry_object(domain, entry), block, held);
}

/* ---- taking entries -------------------------------------------------------------------------------------------------- */

/* The chunk is linked before it is given away: a death in between is found by root_links(). */
static int make_chunk(yoke_domain *domain, uint32_t k)
{
    if (k >= YOKE__DIRECTORY_CHUNKS)
        return yoke__fail(YOKE_ENOMEM, "the domain has no room for more objects");
    void *chunk = yoke__alloc_zero(domain, chunk_bytes(k), YOKE__ROOT_ID);
    if (!chunk)
        return YOKE_ENOMEM;
    yoke__a64_store_release(&yoke__domain_header(domain)->directory[k], yoke__domain_offset(domain, chunk));
    yoke__alloc_give(domain, chunk, YOKE__ROOT_ID);
    return YOKE_OK;
}

static int make_root(yoke_domain *domain)
{
    if (!yoke__entry_at(domain, 0))
        YOKE_TRY(make_chunk(domain, 0));
    yoke__entry *entry = yoke__entry_at(domain, 0);
    void        *root = yoke__alloc_zero(domain, sizeof(yoke__root), YOKE__ROOT_ID);
    if (!root)
        return YOKE_ENOMEM;
    yoke__a64_store_relaxed(&entry->offset, yoke__domain_offset(domain, root));
    yoke__a64_store_release(&entry->word, yoke__entry_word(1, 0, YOKE__ENTRY_LIVE, YOKE__KIND_DOMAIN));
    yoke__alloc_give(domain, root, YOKE__ROOT_ID);
    return YOKE_OK;
}

static uint32_t damaged(const char *what, uint32_t index)
{
    (void)yoke__fail(YOKE_EPROTO, "the domain is damaged: its %s leads to entry %lu", what, (unsigned long)index);
    return 0;
}

/* Index of an entry that is free, or 0 with the error noted. */
static uint32_t take_index(yoke_domain *domain)
{
    yoke__header *header = yoke__domain_header(domain);
    uint32_t      free = yoke__a32_load_relaxed(&header->directory_free);
    if (free) {
        yoke__entry *entry = yoke__entry_at(domain, free - 1);
        if (!entry || free == 1 || yoke__entry_state_of(yoke__a64_load_relaxed(&entry->word)) != YOKE__ENTRY_FREE)
            return damaged("list of free entries", free - 1);
        yoke__a32_store_relaxed(&header->directory_free, yoke__a32_load_relaxed(&entry->next_free));
        return free - 1;
    }
    uint32_t index = yoke__a32_load_relaxed(&header->directory_count);
    if (!index)
        index = 1; /* 0 is the root's */
    uint32_t within;
    uint32_t k = chunk_of(index, &within);
    if (!yoke__entry_at(domain, index)) {
        if (within != 0) /* chunks are made for their first entry */
            return damaged("number of entries", index);
        if (make_chunk(domain, k) != YOKE_OK)
            return 0;
    }
    yoke__a32_store_release(&header->directory_count, index + 1); /* after the chunk: see validate_directory() */
    return index;
}

static void count_making(yoke_domain *domain, uint32_t n)
{
    yoke__a32 *making = &yoke__directory_root(domain)->making;
    yoke__a32_store_relaxed(making, yoke__a32_load_relaxed(making) + n);
}

int yoke__directory_reserve(yoke_domain *domain, yoke__kind kind, yoke__id *id)
{
    if (!yoke__directory_root(domain)) {
        if (yoke__entry_live(domain, YOKE__ROOT_ID))
            return yoke__fail(YOKE_EPROTO, "the domain is damaged: its root lies outside of it");
        YOKE_TRY(make_root(domain));
    }
    uint32_t index = take_index(domain);
    if (!index)
        return yoke__noted();
    yoke__entry *entry = yoke__entry_at(domain, index);
    uint32_t     generation = yoke__entry_generation(yoke__a64_load_relaxed(&entry->word));
    if (!generation)
        generation = 1;
    yoke__a32_store_relaxed(&entry->count, yoke__domain_token(domain));
    yoke__a32_store_relaxed(&entry->name, 0);
    yoke__a64_store_relaxed(&entry->offset, 0);
    yoke__a64_store_release(&entry->word, yoke__entry_word(generation, 0, YOKE__ENTRY_MAKING, kind));
    count_making(domain, 1);
    *id = YOKE__ID(index, generation);
    return YOKE_OK;
}

void yoke__directory_publish(yoke_domain *domain, yoke__id id, void *object, uint32_t name_at)
{
    uint32_t     index = YOKE__ID_INDEX(id);
    yoke__entry *entry = yoke__entry_at(domain, index);
    yoke__kind   kind = yoke__entry_kind(yoke__a64_load_relaxed(&entry->word));
    yoke__a64_store_relaxed(&entry->offset, yoke__domain_offset(domain, object));
    yoke__a32_store_relaxed(&entry->name, name_at);
    yoke__alloc_give(domain, object, id);
    /* The commit. Until here the maker's death frees all that belongs to id; from here on it is an object. The maker's
     * token in count is replaced after that: recovery of a dead holder counts anew. */
    yoke__a64_store_release(&entry->word, yoke__entry_word(YOKE__ID_GENERATION(id), 0, YOKE__ENTRY_LIVE, kind));
    yoke__a32_store_relaxed(&entry->count, 0);
    count_making(domain, UINT32_MAX);
    if (name_at)
        yoke__name_link(domain, yoke__directory_root(domain), entry, index);
}

/* ---- letting them go ------------------------------------------------------------------------------------------------- */

static void free_entry(yoke_domain *domain, yoke__entry *entry, yoke__id id)
{
    yoke__header *header = yoke__domain_header(domain);
    uint32_t      next = YOKE__ID_GENERATION(id) + 1;
    if (next >= YOKE__DIRECTORY_GENERATIONS)
        next = 1;
    yoke__a32_store_relaxed(&entry->count, 0);
    yoke__a64_store_release(&entry->word, yoke__entry_word(next, 0, YOKE__ENTRY_FREE, YOKE__KIND_NONE));
    yoke__a32_store_relaxed(&entry->next_free, yoke__a32_load_relaxed(&header->directory_free));
    yoke__a32_store_relaxed(&header->directory_free, YOKE__ID_INDEX(id) + 1);
}

void yoke__directory_abandon(yoke_domain *domain, yoke__id id)
{
    yoke__alloc_free_object(domain, id);
    free_entry(domain, yoke__entry_at(domain, YOKE__ID_INDEX(id)), id);
    count_making(domain, UINT32_MAX);
}

static void set_state(yoke__entry *entry, yoke__entry_state state)
{
    uint64_t word = yoke__a64_load_relaxed(&entry->word);
    yoke__a64_store_release(&entry->word, yoke__entry_word(yoke__entry_generation(word), yoke__entry_flags(word), state,
                                                           yoke__entry_kind(word)));
}

static void note_reference(void *user, yoke__reference reference)
{
    (void)reference;
    *(bool *)user = true;
}

/* From LIVE. What it carries may be unreachable when it is gone. */
static void begin_destroy(yoke_domain *domain, yoke__entry *entry, yoke__id id, const yoke__object_type *type)
{
    bool carries = false;
    if (type && type->references)
        type->references(domain, id, yoke__entry_object(domain, entry), note_reference, &carries);
    if (carries)
        yoke__directory_note_pending(domain);
    if (yoke__a32_load_relaxed(&entry->name))
        yoke__name_unlink(domain, yoke__directory_root(domain), entry, YOKE__ID_INDEX(id));
    set_state(entry, YOKE__ENTRY_DYING);
}

void yoke__directory_destroy(yoke_domain *domain, yoke__entry *entry, yoke__id id)
{
    uint64_t                 word = yoke__a64_load_relaxed(&entry->word);
    const yoke__object_type *type = yoke__object_type_of(yoke__entry_kind(word));
    yoke__entry_state        found = yoke__entry_state_of(word);
    void                    *object = yoke__entry_object(domain, entry);
    if (found == YOKE__ENTRY_LIVE)
        begin_destroy(domain, entry, id, type);
    if (found != YOKE__ENTRY_RELEASED) {
        if (type && type->destroy)
            type->destroy(domain, id, object);
        set_state(entry, YOKE__ENTRY_RELEASED);
    }
    /* Somebody died in here before us: which blocks are left only the heap can tell. */
    if (found == YOKE__ENTRY_LIVE) /* destroy has freed what else there was */
        yoke__free(domain, object);
    else
        yoke__alloc_free_object(domain, id);
    free_entry(domain, entry, id);
}
