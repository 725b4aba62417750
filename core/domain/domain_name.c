/* Names of domains, and who is admitted to them. */
#include "make.h"

#include "../backend.h"
#include "../error.h"

#include <stdio.h>
#include <string.h>

#define PERMISSIONS_DEFAULT 0600u

static bool allowed(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("._-", c));
}

/* what: "domain" or "user". */
static int check_part(const char *what, const char *part, const char *whole)
{
    if (!*part)
        return yoke__fail(YOKE_EINVAL, "the name of the %s in '%.80s' is empty", what, whole);
    for (const char *c = part; *c; c++)
        if (!allowed(*c))
            return yoke__fail(YOKE_EINVAL, "a %s's name has only letters, digits, '.', '_' and '-': '%.80s' has others",
                              what, whole);
    return YOKE_OK;
}

/* The user before the colon; *rest: what follows. */
static int resolve(uint64_t *user, const char **rest, const char *text)
{
    const yoke_memory_ops *ops = yoke__backend()->memory;
    char                   name[YOKE__NAME_SIZE];
    const char            *colon = strchr(text, ':');
    *rest = colon ? colon + 1 : text;
    YOKE_TRY(check_part("domain", *rest, text));
    if (!ops->name_user)
        return yoke__fail(YOKE_ENOTSUP, "backend '%s' has no named memory", yoke__backend()->name);
    if (!colon)
        return ops->name_user(user, NULL);
    snprintf(name, sizeof name, "%.*s", (int)(colon - text), text);
    YOKE_TRY(check_part("user", name, text));
    int rc = ops->name_user(user, name);
    return rc < 0 ? yoke__fail_in(rc, "domain '%s'", text) : rc;
}

int yoke__domain_name(char out[YOKE__NAME_SIZE], const char *text)
{
    size_t      length = text ? strlen(text) : 0;
    uint64_t    user = 0, self = 0;
    const char *rest = text;
    if (!text || length == 0 || length >= YOKE__NAME_SIZE)
        return yoke__fail(YOKE_EINVAL, "a domain's name has 1 to %u characters, not %zu", YOKE__NAME_SIZE - 1, length);
    YOKE_TRY(resolve(&user, &rest, text));
    YOKE_TRY(yoke__backend()->memory->name_user(&self, NULL));
    int size = user == self ? snprintf(out, YOKE__NAME_SIZE, "%s", rest)
                            : snprintf(out, YOKE__NAME_SIZE, "%llu:%s", (unsigned long long)user, rest);
    return (size_t)size < YOKE__NAME_SIZE
               ? YOKE_OK
               : yoke__fail(YOKE_EINVAL, "the name '%s', with its user's number %llu, is longer than %u characters",
                            text, (unsigned long long)user, YOKE__NAME_SIZE - 1);
}

/* A member of a domain writes to it: there is no such thing as a reader. And its user is always one. */
int yoke__domain_permissions(unsigned *out, unsigned asked)
{
    if (asked & ~0666u)
        return yoke__fail(YOKE_EINVAL, "permissions %#o have bits other than those of reading and writing, %#o", asked,
                          0666u);
    for (unsigned shift = 0; shift < 9; shift += 3) {
        unsigned part = asked >> shift & 7u;
        if (part != 0 && part != 6)
            return yoke__fail(YOKE_EINVAL,
                              "permissions %#o admit some to read only or to write only: who is in a "
                              "domain does both",
                              asked);
    }
    if (asked && (asked & 0600u) != 0600u)
        return yoke__fail(YOKE_EINVAL, "permissions %#o don't admit the domain's own user", asked);
    *out = asked ? asked : PERMISSIONS_DEFAULT;
    return YOKE_OK;
}
