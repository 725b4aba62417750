/* Is the directory as it should be? For tests, and for whoever doubts it. */
#include "directory.h"

#include "../error.h"
#include "participant.h"

#include <stdlib.h>

static int check_states(yoke_domain *domain, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        yoke__entry *entry = yoke__entry_at(domain, i);
        switch (yoke__entry_state_of(yoke__a64_load_relaxed(&entry->word))) {
        case YOKE__ENTRY_FREE:
        case YOKE__ENTRY_LIVE:
            break;
        case YOKE__ENTRY_MAKING:
            if (yoke__token_alive(domain, yoke__a32_load_relaxed(&entry->count)))
                break;
            return yoke__fail(YOKE_EPROTO, "entry %u is being made by a dead participant", i);
        default:
            return yoke__fail(YOKE_EPROTO, "entry %u was left half destroyed", i);
        }
    }
    return YOKE_OK;
}

static uint32_t count_states(yoke_domain *domain, uint32_t count, yoke__entry_state state, bool named)
{
    uint32_t n = 0;
    for (uint32_t i = 1; i < count; i++) {
        yoke__entry *entry = yoke__entry_at(domain, i);
        n += yoke__entry_state_of(yoke__a64_load_relaxed(&entry->word)) == state &&
             (!named || yoke__a32_load_relaxed(&entry->name) != 0);
    }
    return n;
}

static int check_free_list(yoke_domain *domain, uint32_t count)
{
    uint32_t wanted = count_states(domain, count, YOKE__ENTRY_FREE, false), n = 0;
    uint32_t at = yoke__a32_load_relaxed(&yoke__domain_header(domain)->directory_free);
    for (; at && n <= wanted; n++) {
        yoke__entry *entry = at <= count ? yoke__entry_at(domain, at - 1) : NULL;
        if (!entry || yoke__entry_state_of(yoke__a64_load_relaxed(&entry->word)) != YOKE__ENTRY_FREE)
            return yoke__fail(YOKE_EPROTO, "the free list leads to entry %u, which is not free", at - 1);
        at = yoke__a32_load_relaxed(&entry->next_free);
    }
    if (n != wanted)
        return yoke__fail(YOKE_EPROTO, "%u entries are free, the free list has %u", wanted, n);
    return YOKE_OK;
}

static int check_names(yoke_domain *domain, yoke__root *root, uint32_t count)
{
    uint32_t wanted = count_states(domain, count, YOKE__ENTRY_LIVE, true), n = 0;
    for (uint32_t bucket = 0; bucket < YOKE__NAME_BUCKETS; bucket++) {
        uint32_t at = yoke__a32_load_relaxed(&root->names[bucket]);
        for (; at && n <= wanted; n++)
            at = yoke__a32_load_relaxed(&yoke__entry_at(domain, at)->name_next);
    }
    if (n != wanted)
        return yoke__fail(YOKE_EPROTO, "%u objects have a name, the lists have %u", wanted, n);
    for (uint32_t i = 1; i < count; i++) {
        yoke__entry *entry = yoke__entry_at(domain, i);
        bool         live = yoke__entry_state_of(yoke__a64_load_relaxed(&entry->word)) == YOKE__ENTRY_LIVE;
        const char  *name = live ? yoke__entry_name(domain, entry) : NULL;
        if (name && yoke__name_find(domain, name) != i)
            return yoke__fail(YOKE_EPROTO, "'%s' is not found by its name", name);
    }
    return YOKE_OK;
}

/* Counts anew and compares; what was there is put back. */
static int check_counts(yoke_domain *domain, uint32_t count, uint32_t *before)
{
    int code = YOKE_OK;
    for (uint32_t i = 1; i < count; i++) {
        yoke__entry *entry = yoke__entry_at(domain, i);
        before[i] = yoke__a32_load_relaxed(&entry->count);
        if (yoke__entry_state_of(yoke__a64_load_relaxed(&entry->word)) == YOKE__ENTRY_LIVE)
            yoke__a32_store_relaxed(&entry->count, 0);
    }
    for (uint32_t slot = 0; slot < yoke__slot_bound(domain); slot++)
        yoke__table_recount(domain, &domain->layout->participants[slot]);
    for (uint32_t i = 1; i < count; i++) {
        yoke__entry *entry = yoke__entry_at(domain, i);
        uint32_t     found = yoke__a32_load_relaxed(&entry->count);
        if (found != before[i] && code == YOKE_OK)
            code = yoke__fail(YOKE_EPROTO, "entry %u is said to have %u references, and has %u", i, before[i], found);
        yoke__a32_store_relaxed(&entry->count, before[i]);
    }
    return code;
}

static int check(yoke_domain *domain, yoke__root *root, uint32_t count, uint32_t *before)
{
    YOKE_TRY(check_states(domain, count));
    YOKE_TRY(check_free_list(domain, count));
    YOKE_TRY(check_names(domain, root, count));
    return check_counts(domain, count, before);
}

int yoke__directory_check(yoke_domain *domain)
{
    yoke__registry_acquire(domain);
    yoke__root *root = yoke__directory_root(domain);
    uint32_t    count = yoke__a32_load_relaxed(&yoke__domain_header(domain)->directory_count);
    uint32_t   *before = calloc((size_t)count + 1, sizeof *before);
    int         code = before ? YOKE_OK : yoke__fail(YOKE_ENOMEM, "no memory to check the directory");
    if (before && root)
        code = check(domain, root, count, before);
    yoke__registry_release(domain);
    free(before);
    return code;
}
