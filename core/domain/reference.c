/*
 * Reference tables: which objects a participant has open. One per participant, written by it alone, under the registry
 * lock; read by others only under that lock, when it is dead or counts are taken anew. Chunks that double in size,
 * linked by offset, which belong to the participant's token: they come back with its death.
 */
#include "directory.h"

#include "../error.h"
#include "allocator.h"
#include "participant.h"

#define TABLE_FIRST 64u

/* An entry of ids[]: a reference; or, its upper half being 0, free: index + 1 of the next free one. */
typedef struct table_chunk {
    yoke__a64 next;            /* offset of the chunk that follows, or 0 */
    uint32_t  first, capacity; /* indices that lie here */
    yoke__a32 free;            /* in the first chunk: index + 1 of a free entry, or 0 */
    yoke__a32 used;            /* in the first chunk: entries ever used */
    uint64_t  reserved;
    yoke__a64 ids[];
} table_chunk;
_Static_assert(sizeof(table_chunk) == 32, "shared layout");

static table_chunk *chunk_at(yoke_domain *domain, const yoke__a64 *link)
{
    uint64_t offset = yoke__a64_load_relaxed(link);
    return offset ? yoke__domain_at(domain, offset) : NULL;
}

static yoke__a64 *table_entry(yoke_domain *domain, table_chunk *chunk, uint32_t index)
{
    while (chunk && index - chunk->first >= chunk->capacity)
        chunk = chunk_at(domain, &chunk->next);
    return chunk ? &chunk->ids[index - chunk->first] : NULL;
}

/* Adds a chunk at the end of the list that begins at link. */
static int grow(yoke_domain *domain, yoke__a64 *link)
{
    uint32_t     first = 0, capacity = TABLE_FIRST;
    table_chunk *chunk;
    while ((chunk = chunk_at(domain, link)) != NULL) {
        first = chunk->first + chunk->capacity;
        capacity = chunk->capacity * 2;
        link = &chunk->next;
    }
    chunk = yoke__alloc_zero(domain, sizeof *chunk + (uint64_t)capacity * sizeof chunk->ids[0], 0);
    if (!chunk)
        return YOKE_ENOMEM;
    chunk->first = first;
    chunk->capacity = capacity;
    yoke__a64_store_release(link, yoke__domain_offset(domain, chunk));
    return YOKE_OK;
}

static int take_index(yoke_domain *domain, yoke__participant *participant, uint32_t *index)
{
    table_chunk *table = chunk_at(domain, &participant->references);
    if (!table) {
        YOKE_TRY(grow(domain, &participant->references));
        table = chunk_at(domain, &participant->references);
        if (!table)
            return yoke__fail(YOKE_EPROTO, "the reference table of this process is damaged");
    }
    uint32_t free = yoke__a32_load_relaxed(&table->free);
    if (free) {
        yoke__a64 *entry = table_entry(domain, table, free - 1);
        yoke__a32_store_relaxed(&table->free, (uint32_t)yoke__a64_load_relaxed(entry));
        *index = free - 1;
        return YOKE_OK;
    }
    uint32_t used = yoke__a32_load_relaxed(&table->used);
    if (!table_entry(domain, table, used))
        YOKE_TRY(grow(domain, &participant->references));
    yoke__a32_store_relaxed(&table->used, used + 1);
    *index = used;
    return YOKE_OK;
}

static void add_to_count(yoke__entry *entry, uint32_t n)
{
    yoke__a32_store_relaxed(&entry->count, yoke__a32_load_relaxed(&entry->count) + n);
}

int yoke__table_add(yoke_domain *domain, yoke__entry *entry, yoke__reference reference, uint32_t *index)
{
    yoke__participant *participant = yoke__participant_of(domain, yoke__domain_token(domain));
    uint32_t           at = 0;
    YOKE_TRY(take_index(domain, participant, &at));
    yoke__a64_store_release(table_entry(domain, chunk_at(domain, &participant->references), at), reference);
    add_to_count(entry, 1);
    *index = at;
    return YOKE_OK;
}

/* Tells the kind that there is one reference less to a live object. */
static void tell(yoke_domain *domain, yoke__entry *entry, yoke__id id)
{
    const yoke__object_type *type = yoke__object_type_of(yoke__entry_kind(yoke__a64_load_relaxed(&entry->word)));
    if (type && type->unreferenced)
        type->unreferenced(domain, id, yoke__entry_object(domain, entry));
}

void yoke__table_change(yoke_domain *domain, yoke__reference reference, uint32_t index)
{
    yoke__participant *participant = yoke__participant_of(domain, yoke__domain_token(domain));
    yoke__a64         *at = table_entry(domain, chunk_at(domain, &participant->references), index);
    yoke__id           id = yoke__reference_id(reference);
    yoke__entry       *entry = yoke__entry_live(domain, id);
    if (!at || !entry || yoke__reference_id(yoke__a64_load_relaxed(at)) != id)
        return;
    yoke__a64_store_release(at, reference);
    tell(domain, entry, id);
}

void yoke__table_remove(yoke_domain *domain, yoke__id id, uint32_t index)
{
    yoke__participant *participant = yoke__participant_of(domain, yoke__domain_token(domain));
    table_chunk       *table = chunk_at(domain, &participant->references);
    yoke__a64         *at = table_entry(domain, table, index);
    if (!at || yoke__reference_id(yoke__a64_load_relaxed(at)) != id)
        return;
    yoke__a64_store_release(at, yoke__a32_load_relaxed(&table->free));
    yoke__a32_store_relaxed(&table->free, index + 1);
    yoke__entry *entry = yoke__entry_live(domain, id);
    if (!entry)
        return;
    add_to_count(entry, UINT32_MAX);
    tell(domain, entry, id);
    yoke__directory_unused(domain, entry, id);
}

/* Calls visit for each id in the table. */
static void walk(yoke_domain *domain, yoke__participant *participant,
                 void (*visit)(yoke_domain *, yoke__entry *, yoke__id))
{
    table_chunk *table = chunk_at(domain, &participant->references);
    uint32_t     used = table ? yoke__a32_load_relaxed(&table->used) : 0;
    for (table_chunk *chunk = table; chunk; chunk = chunk_at(domain, &chunk->next)) {
        for (uint32_t i = 0; i < chunk->capacity && chunk->first + i < used; i++) {
            yoke__id     id = yoke__reference_id(yoke__a64_load_relaxed(&chunk->ids[i]));
            yoke__entry *entry = YOKE__ID_GENERATION(id) ? yoke__entry_live(domain, id) : NULL;
            if (entry)
                visit(domain, entry, id);
        }
    }
}

static void count_one(yoke_domain *domain, yoke__entry *entry, yoke__id id)
{
    (void)domain;
    (void)id;
    add_to_count(entry, 1);
}

static void uncount_one(yoke_domain *domain, yoke__entry *entry, yoke__id id)
{
    if (yoke__a32_load_relaxed(&entry->count) & YOKE__COUNT_MASK)
        add_to_count(entry, UINT32_MAX);
    tell(domain, entry, id);
    if (!(yoke__a32_load_relaxed(&entry->count) & YOKE__COUNT_MASK))
        yoke__directory_note_pending(domain);
}

void yoke__table_recount(yoke_domain *domain, yoke__participant *participant)
{
    walk(domain, participant, count_one);
}

void yoke__table_drop(yoke_domain *domain, yoke__participant *participant, bool counted)
{
    if (counted)
        walk(domain, participant, uncount_one);
    yoke__a64_store_release(&participant->references, 0);
}

/* ---- references in flight -------------------------------------------------------------------------------------------- */

static bool travels(const yoke__entry *entry)
{
    return (yoke__entry_flags(yoke__a64_load_acquire(&entry->word)) & YOKE__ENTRY_TRAVELS) != 0;
}

int yoke__reference_add(yoke_domain *domain, yoke__reference reference)
{
    yoke__id     id = yoke__reference_id(reference);
    yoke__entry *entry = yoke__entry_live(domain, id);
    if (entry && travels(entry)) /* for good, once it is set */
        return YOKE_OK;
    if (!yoke__domain_token(domain))
        return YOKE_ENOMEM;
    yoke__registry_acquire(domain);
    entry = yoke__entry_live(domain, id);
    if (entry) {
        uint64_t word = yoke__a64_load_relaxed(&entry->word);
        yoke__a64_store_release(&entry->word, word | ((uint64_t)YOKE__ENTRY_TRAVELS << 16));
    }
    yoke__registry_release(domain);
    if (!entry)
        return yoke__fail(YOKE_ENOENT, "no object has the id %llx any more", (unsigned long long)id);
    return YOKE_OK;
}

void yoke__reference_drop(yoke_domain *domain, yoke__reference reference)
{
    yoke__id id = yoke__reference_id(reference);
    if (!yoke__domain_token(domain))
        return;
    yoke__registry_acquire(domain);
    yoke__entry *entry = yoke__entry_live(domain, id);
    if (entry && id != YOKE__ROOT_ID) {
        tell(domain, entry, id);
        yoke__directory_unused(domain, entry, id);
    }
    yoke__registry_release(domain);
}

/* ---- who has a role ---------------------------------------------------------------------------------------------------- */

typedef struct role_search {
    yoke__id id;
    uint32_t role;
    bool     found;
} role_search;

static void look_at(void *user, yoke__reference reference)
{
    role_search *search = user;
    if (yoke__reference_id(reference) == search->id && !(yoke__reference_lacks(reference) & search->role))
        search->found = true;
}

static void search_table(yoke_domain *domain, yoke__participant *participant, role_search *search)
{
    table_chunk *table = chunk_at(domain, &participant->references);
    uint32_t     used = table ? yoke__a32_load_relaxed(&table->used) : 0;
    for (table_chunk *chunk = table; chunk && !search->found; chunk = chunk_at(domain, &chunk->next))
        for (uint32_t i = 0; i < chunk->capacity && chunk->first + i < used; i++)
            look_at(search, yoke__a64_load_relaxed(&chunk->ids[i]));
}

/* What the object carries of itself doesn't count: to get it out, one would need the role. */
static void search_carriers(yoke_domain *domain, role_search *search)
{
    uint32_t count = yoke__a32_load_relaxed(&yoke__domain_header(domain)->directory_count);
    for (uint32_t i = 1; i < count && !search->found; i++) {
        yoke__entry             *entry = yoke__entry_at(domain, i);
        uint64_t                 word = yoke__a64_load_relaxed(&entry->word);
        yoke__id                 id = YOKE__ID(i, yoke__entry_generation(word));
        const yoke__object_type *type = yoke__object_type_of(yoke__entry_kind(word));
        if (yoke__entry_state_of(word) == YOKE__ENTRY_LIVE && type && type->references && id != search->id)
            type->references(domain, id, yoke__entry_object(domain, entry), look_at, search);
    }
}

bool yoke__role_somewhere(yoke_domain *domain, yoke__id id, uint32_t role)
{
    role_search search = {id, role, false};
    yoke__registry_acquire(domain);
    yoke__directory_tidy(domain); /* carriers that nobody can reach don't count either */
    for (uint32_t slot = 0, bound = yoke__slot_bound(domain); slot < bound && !search.found; slot++)
        search_table(domain, &domain->layout->participants[slot], &search);
    if (!search.found)
        search_carriers(domain, &search);
    yoke__registry_release(domain);
    return search.found;
}
