/* A hash table with open addressing. */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory)
{
    if (!memory) {
        fputs("wordcount: no memory left\n", stderr);
        exit(1);
    }
    return memory;
}

/* FNV-1a */
static uint64_t hash_of(const char *name, size_t size)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)name[i]) * UINT64_C(1099511628211);
    return hash;
}

/* Where the name is, or where it belongs. */
static struct entry *place(const struct table *table, uint64_t hash, const char *name, size_t size)
{
    size_t at = (size_t)hash & (table->capacity - 1);

    for (;; at = (at + 1) & (table->capacity - 1)) {
        struct entry *entry = &table->entries[at];
        if (!entry->name)
            return entry;
        if (entry->hash == hash && strlen(entry->name) == size && memcmp(entry->name, name, size) == 0)
            return entry;
    }
}

static void grow(struct table *table)
{
    struct table larger = {.capacity = table->capacity ? table->capacity * 2 : 1024};

    larger.entries = checked(calloc(larger.capacity, sizeof *larger.entries));
    for (size_t i = 0; i < table->capacity; i++) {
        struct entry *entry = &table->entries[i];
        if (entry->name)
            *place(&larger, entry->hash, entry->name, strlen(entry->name)) = *entry;
    }
    larger.used = table->used;
    free(table->entries);
    *table = larger;
}

void table_add(struct table *table, const char *name, size_t size, int64_t count)
{
    uint64_t      hash = hash_of(name, size);
    struct entry *entry;

    if (table->used >= table->capacity / 2)
        grow(table);
    entry = place(table, hash, name, size);
    if (!entry->name) {
        entry->name = checked(malloc(size + 1));
        memcpy(entry->name, name, size);
        entry->name[size] = 0;
        entry->hash = hash;
        table->used++;
    }
    entry->count += count;
}

static int by_count(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;

    if (!a->name || !b->name)
        return !a->name - !b->name;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return strcmp(a->name, b->name);
}

void table_sort(struct table *table)
{
    if (table->capacity)
        qsort(table->entries, table->capacity, sizeof *table->entries, by_count);
}

void table_free(struct table *table)
{
    for (size_t i = 0; i < table->capacity; i++)
        free(table->entries[i].name);
    free(table->entries);
}
