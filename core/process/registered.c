/* Functions by name, for children of another build or executable. Filled before yoke_main, read-only after. */
#include "options.h"

#include "../error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct registered {
    struct registered *next;
    yoke_function     *function;
    char               name[YOKE__NAME_SIZE];
};
static struct registered *first;

static struct registered *find(const char *name)
{
    struct registered *entry = first;
    while (entry && strcmp(entry->name, name) != 0)
        entry = entry->next;
    return entry;
}

int yoke_register(const char *name, yoke_function *function)
{
    struct registered *entry;

    if (!name || !*name || !function)
        return yoke__fail(YOKE_EINVAL, "registering needs a name and a function");
    if (strlen(name) >= YOKE__NAME_SIZE)
        return yoke__fail(YOKE_EINVAL, "the function name %.20s... has %zu bytes, at most %u are allowed", name,
                          strlen(name), YOKE__NAME_SIZE - 1);
    entry = find(name);
    if (entry && entry->function != function)
        return yoke__fail(YOKE_EEXIST, "another function is registered as %s", name);
    if (entry)
        return YOKE_OK;
    entry = malloc(sizeof *entry);
    if (!entry)
        return yoke__fail(YOKE_ENOMEM, "no memory to register function %s", name);
    entry->function = function;
    snprintf(entry->name, sizeof entry->name, "%s", name);
    entry->next = first;
    first = entry;
    return YOKE_OK;
}

yoke_function *yoke__registered(const char *name)
{
    const struct registered *entry = find(name);
    return entry ? entry->function : NULL;
}
