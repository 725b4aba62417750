/*
 * Which objects are still wanted. Those in reference tables are (their count tells), those that something outside of the
 * domain keeps (a message on a connection), and those that a wanted carrier shows: messages of a queue, arguments of a
 * start record. The rest goes, cycles included. And how counts and lists are
 * taken anew after a holder of the registry lock died.
 */
#include "directory.h"

#include "allocator.h"
#include "participant.h"

/* While there are this many entries or fewer for each object in doubt, they are looked through at once: a bounded cost
 * for each object closed, however many there are. */
#define ENTRIES_PER_PENDING 1024u

static uint32_t entry_count(yoke_domain *domain)
{
    return yoke__a32_load_relaxed(&yoke__domain_header(domain)->directory_count);
}

static yoke__id id_of(const yoke__entry *entry, uint32_t index)
{
    return YOKE__ID(index, yoke__entry_generation(yoke__a64_load_relaxed(&entry->word)));
}

static yoke__entry_state state_of(const yoke__entry *entry)
{
    return yoke__entry_state_of(yoke__a64_load_relaxed(&entry->word));
}

static const yoke__object_type *type_of(const yoke__entry *entry)
{
    return yoke__object_type_of(yoke__entry_kind(yoke__a64_load_relaxed(&entry->word)));
}

/* ---- collecting ------------------------------------------------------------------------------------------------------ */

static void mark(void *user, yoke__reference reference)
{
    yoke_domain *domain = user;
    yoke__id     id = yoke__reference_id(reference);
    yoke__entry *entry = yoke__entry_live(domain, id);
    if (entry && id != YOKE__ROOT_ID)
        yoke__a32_store_relaxed(&entry->count, yoke__a32_load_relaxed(&entry->count) | YOKE__COUNT_MARK);
}

/* Follows the references of entries marked and not yet done. True if there were any. */
static bool follow_marks(yoke_domain *domain)
{
    bool any = false;
    for (uint32_t i = 1, n = entry_count(domain); i < n; i++) {
        yoke__entry *entry = yoke__entry_at(domain, i);
        uint32_t     count = yoke__a32_load_relaxed(&entry->count);
        if (state_of(entry) != YOKE__ENTRY_LIVE || !(count & YOKE__COUNT_MARK) || (count & YOKE__COUNT_DONE))
            continue;
        yoke__a32_store_relaxed(&entry->count, count | YOKE__COUNT_DONE);
        const yoke__object_type *type = type_of(entry);
        if (type && type->references) {
            type->references(domain, id_of(entry, i), yoke__entry_object(domain, entry), mark, domain);
            any = true;
        }
    }
    return any;
}

static bool wanted_outside(yoke_domain *domain, const yoke__entry *entry, uint32_t index)
{
    const yoke__object_type *type = type_of(entry);
    return type && type->wanted && type->wanted(domain, id_of(entry, index), yoke__entry_object(domain, entry));
}

static void mark_held(yoke_domain *domain)
{
    for (uint32_t i = 1, n = entry_count(domain); i < n; i++) {
        yoke__entry *entry = yoke__entry_at(domain, i);
        if (state_of(entry) != YOKE__ENTRY_LIVE)
            continue;
        uint32_t count = yoke__a32_load_relaxed(&entry->count) & YOKE__COUNT_MASK;
        bool     held = count || wanted_outside(domain, entry, i);
        yoke__a32_store_relaxed(&entry->count, held ? count | YOKE__COUNT_MARK : 0);
    }
}

static void finish_entry(yoke_domain *domain, yoke__entry *entry, uint32_t index)
{
    uint32_t count = yoke__a32_load_relaxed(&entry->count);
    yoke__id id = id_of(entry, index);
    switch (state_of(entry)) {
    case YOKE__ENTRY_LIVE:
        yoke__a32_store_relaxed(&entry->count, count & YOKE__COUNT_MASK);
        if (!(count & YOKE__COUNT_MARK))
            yoke__directory_destroy(domain, entry, id);
        break;
    case YOKE__ENTRY_MAKING:
        if (!yoke__token_alive(domain, count))
            yoke__directory_abandon(domain, id);
        break;
    case YOKE__ENTRY_DYING:
    case YOKE__ENTRY_RELEASED:
        yoke__directory_destroy(domain, entry, id);
        break;
    case YOKE__ENTRY_FREE:
        break;
    }
}

void yoke__directory_collect(yoke_domain *domain)
{
    yoke__root *root = yoke__directory_root(domain);
    if (!root)
        return;
    mark_held(domain);
    while (follow_marks(domain))
        ;
    for (uint32_t i = 1, n = entry_count(domain); i < n; i++)
        finish_entry(domain, yoke__entry_at(domain, i), i);
    /* Carriers that went have noted their contents as in doubt, but those were judged in the same round. */
    yoke__a32_store_relaxed(&root->pending, 0);
}

void yoke__directory_tidy(yoke_domain *domain)
{
    yoke__root *root = yoke__directory_root(domain);
    if (root && (yoke__a32_load_relaxed(&root->pending) || yoke__a32_load_relaxed(&root->making)))
        yoke__directory_collect(domain);
}

/* True when it is time to look at those in doubt. */
static bool pending_due(yoke_domain *domain)
{
    yoke__root *root = yoke__directory_root(domain);
    if (!root)
        return false;
    uint32_t pending = yoke__a32_load_relaxed(&root->pending);
    return pending && pending >= entry_count(domain) / ENTRIES_PER_PENDING;
}

void yoke__directory_note_pending(yoke_domain *domain)
{
    yoke__root *root = yoke__directory_root(domain);
    if (root)
        yoke__a32_store_relaxed(&root->pending, yoke__a32_load_relaxed(&root->pending) + 1);
}

void yoke__directory_unused(yoke_domain *domain, yoke__entry *entry, yoke__id id)
{
    if (yoke__a32_load_relaxed(&entry->count) & YOKE__COUNT_MASK)
        return;
    if (yoke__entry_flags(yoke__a64_load_relaxed(&entry->word)) & YOKE__ENTRY_TRAVELS)
        yoke__directory_note_pending(domain);
    else
        yoke__directory_destroy(domain, entry, id);
    if (pending_due(domain))
        yoke__directory_collect(domain);
}

/* ---- rebuilding ------------------------------------------------------------------------------------------------------ */

static void clear_lists(yoke_domain *domain, yoke__root *root)
{
    yoke__a32_store_relaxed(&yoke__domain_header(domain)->directory_free, 0);
    for (uint32_t i = 0; i < YOKE__NAME_BUCKETS; i++)
        yoke__a32_store_relaxed(&root->names[i], 0);
    yoke__a32_store_relaxed(&root->pending, 1); /* whatever it was */
    yoke__a32_store_relaxed(&root->making, 0);
}

static void relist_entry(yoke_domain *domain, yoke__root *root, yoke__entry *entry, uint32_t index)
{
    yoke__header *header = yoke__domain_header(domain);
    switch (state_of(entry)) {
    case YOKE__ENTRY_FREE:
        yoke__a32_store_relaxed(&entry->next_free, yoke__a32_load_relaxed(&header->directory_free));
        yoke__a32_store_relaxed(&header->directory_free, index + 1);
        break;
    case YOKE__ENTRY_LIVE:
        yoke__a32_store_relaxed(&entry->count, 0);
        if (yoke__a32_load_relaxed(&entry->name))
            yoke__name_link(domain, root, entry, index);
        break;
    case YOKE__ENTRY_MAKING:
        yoke__a32_store_relaxed(&root->making, yoke__a32_load_relaxed(&root->making) + 1);
        break;
    default: /* collecting finishes the others */
        break;
    }
}

void yoke__directory_rebuild(yoke_domain *domain)
{
    yoke__root *root = yoke__directory_root(domain);
    if (!root)
        return;
    clear_lists(domain, root);
    for (uint32_t i = 1, n = entry_count(domain); i < n; i++)
        relist_entry(domain, root, yoke__entry_at(domain, i), i);
    for (uint32_t i = 0, bound = yoke__slot_bound(domain); i < bound; i++)
        yoke__table_recount(domain, &domain->layout->participants[i]);
}
