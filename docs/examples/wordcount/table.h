/* How often each name occurs. Memory that lacks ends the program. */
#ifndef WORDCOUNT_TABLE_H
#define WORDCOUNT_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct entry {
    char    *name; /* NUL-terminated; NULL: free */
    int64_t  count;
    uint64_t hash;
};

struct table {
    struct entry *entries;
    size_t        capacity; /* 0 or a power of two */
    size_t        used;
};

void table_add(struct table *table, const char *name, size_t size, int64_t count);
/* Puts the entries in order, the most frequent first, equal ones by name; the table can't be added to any more. */
void table_sort(struct table *table);
void table_free(struct table *table);

#endif
