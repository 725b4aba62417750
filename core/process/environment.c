/* Environments for children: lists of "NAME=value". */
#include "options.h"

#include "../error.h"

#include <stdlib.h>
#include <string.h>

static size_t count_of(const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

/* Whether two entries have the same name. Where names ignore case (Windows), the backend's spawn merges again. */
static bool same_name(const char *a, const char *b)
{
    size_t length = strcspn(a, "=");
    return strcspn(b, "=") == length && strncmp(a, b, length) == 0;
}

static bool named_in(const char *entry, const char *const *list)
{
    for (; list && *list; list++)
        if (same_name(entry, *list))
            return true;
    return false;
}

int yoke__environment_check(const char *const *list, bool names_allowed, const char *option)
{
    for (; list && *list; list++) {
        size_t length = strcspn(*list, "=");
        if (length == 0)
            return yoke__fail(YOKE_EINVAL, "%s: \"%.40s\" has no name", option, *list);
        if ((*list)[length] == '\0' && !names_allowed)
            return yoke__fail(YOKE_EINVAL, "%s: \"%.40s\" has no value: write NAME=value", option, *list);
    }
    return YOKE_OK;
}

int yoke__environment_merge(const char ***out, const char *const *base, const char *const *additions)
{
    const char **merged = malloc((count_of(base) + count_of(additions) + 1) * sizeof *merged);
    size_t       n = 0;

    if (!merged)
        return yoke__fail(YOKE_ENOMEM, "no memory for an environment");
    for (; base && *base; base++)
        if (!named_in(*base, additions))
            merged[n++] = *base;
    for (; additions && *additions; additions++)
        if (strchr(*additions, '=') && !named_in(*additions, additions + 1)) /* the last of a name wins */
            merged[n++] = *additions;
    merged[n] = NULL;
    *out = merged;
    return YOKE_OK;
}
