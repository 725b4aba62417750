/* Names of objects inside a domain. The buckets are caches over the directory, which holds the truth. */
#include "directory.h"

#include "../error.h"

#include <stdio.h>
#include <string.h>

static bool allowed(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
}

int yoke__name_check(const char *name)
{
    size_t length = 0;
    for (; name[length]; length++) {
        if (!allowed(name[length]))
            return yoke__fail(YOKE_EINVAL,
                              "the name '%.63s' has a character other than letters, digits, '.', '_' and '-'", name);
        if (length + 1 >= YOKE__NAME_SIZE)
            return yoke__fail(YOKE_EINVAL, "the name '%.16s…' is too long: at most %u bytes", name,
                              YOKE__NAME_SIZE - 1u);
    }
    if (!length)
        return yoke__fail(YOKE_EINVAL, "a name must not be empty");
    return YOKE_OK;
}

/* FNV-1a. */
static uint32_t bucket_of(const char *name)
{
    uint32_t hash = UINT32_C(2166136261);
    for (size_t i = 0; name[i] && i < YOKE__NAME_SIZE; i++)
        hash = (hash ^ (uint8_t)name[i]) * UINT32_C(16777619);
    return hash % YOKE__NAME_BUCKETS;
}

uint32_t yoke__name_find(yoke_domain *domain, const char *name)
{
    yoke__root *root = yoke__directory_root(domain);
    if (!root)
        return 0;
    uint32_t index = yoke__a32_load_relaxed(&root->names[bucket_of(name)]);
    while (index) {
        yoke__entry *entry = yoke__entry_at(domain, index);
        if (strcmp(yoke__entry_name(domain, entry), name) == 0)
            return index;
        index = yoke__a32_load_relaxed(&entry->name_next);
    }
    return 0;
}

void yoke__name_link(yoke_domain *domain, yoke__root *root, yoke__entry *entry, uint32_t index)
{
    yoke__a32 *bucket = &root->names[bucket_of(yoke__entry_name(domain, entry))];
    yoke__a32_store_relaxed(&entry->name_next, yoke__a32_load_relaxed(bucket));
    yoke__a32_store_relaxed(bucket, index);
}

void yoke__name_unlink(yoke_domain *domain, yoke__root *root, yoke__entry *entry, uint32_t index)
{
    yoke__a32 *link = &root->names[bucket_of(yoke__entry_name(domain, entry))];
    uint32_t   at = yoke__a32_load_relaxed(link);
    while (at && at != index) {
        link = &yoke__entry_at(domain, at)->name_next;
        at = yoke__a32_load_relaxed(link);
    }
    if (at)
        yoke__a32_store_relaxed(link, yoke__a32_load_relaxed(&entry->name_next));
}

const char *yoke__object_describe(yoke_domain *domain, yoke__id id, char *buffer, size_t size)
{
    yoke__entry *entry = yoke__entry_live(domain, id);
    if (!entry) {
        (void)snprintf(buffer, size, "an object that is gone");
        return buffer;
    }
    const char *kind = yoke__kind_name(yoke__entry_kind(yoke__a64_load_relaxed(&entry->word)));
    const char *name = yoke__entry_name(domain, entry);
    if (name)
        (void)snprintf(buffer, size, "%s '%.*s'", kind, (int)YOKE__NAME_SIZE - 1, name);
    else
        (void)snprintf(buffer, size, "%s %x", kind, (unsigned)YOKE__ID_INDEX(id));
    return buffer;
}
