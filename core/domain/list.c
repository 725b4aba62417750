/* Which named domains there are. */
#include "names.h"

#include "../backend.h"
#include "../error.h"
#include "make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct growing {
    yoke__name_list list;
    size_t          capacity;
    bool            failed;
} growing;

/* In between two reads of a directory: takes no lock. */
static bool add_name(void *user, const char *name)
{
    growing *to = user;
    size_t   size = strlen(name) + 1;
    if (to->list.size + size > to->capacity) {
        size_t capacity = (to->capacity + size) * 2;
        char  *larger = realloc(to->list.text, capacity);
        to->failed = !larger;
        if (!larger)
            return false;
        to->list.text = larger;
        to->capacity = capacity;
    }
    memcpy(to->list.text + to->list.size, name, size);
    to->list.size += size;
    return true;
}

int yoke__names_collect(yoke__name_list *out)
{
    growing all = {.failed = false};
    YOKE_TRY(yoke__backend_ready());
    if (!yoke__backend()->memory->name_each)
        return yoke__fail(YOKE_ENOTSUP, "backend '%s' can't list names of shared memory on this system",
                          yoke__backend()->name);
    int rc = yoke__backend()->memory->name_each(add_name, &all);
    if (rc == YOKE_OK && all.failed)
        rc = yoke__fail(YOKE_ENOMEM, "no memory for a list of names");
    if (rc < 0)
        free(all.list.text);
    else
        *out = all.list;
    return rc;
}

const char *yoke__names_next(const yoke__name_list *list, const char *name)
{
    const char *next = name ? name + strlen(name) + 1 : list->text;
    return next && next < list->text + list->size ? next : NULL;
}

/* Segments have a '+' where a domain's name begins. */
bool yoke__name_is_domain(const char *name)
{
    const char *colon = strchr(name, ':');
    const char *own = colon ? colon + 1 : name;
    return *own != '+' && strlen(name) < YOKE__NAME_SIZE;
}

/* ---- telling ----------------------------------------------------------------------------------------------------- */

void yoke__domain_tell(yoke_domain_info *out, const yoke__header *header)
{
    out->created = (int64_t)header->created;
    out->used = yoke__a64_load_relaxed(&header->used);
    out->max_bytes = header->budget;
    out->reserve_bytes = header->reserve;
    out->objects = yoke__a32_load_relaxed(&header->directory_count);
    out->objects -= out->objects > 0; /* the first is the domain's own */
}

static yoke_domain_info tell(const yoke__glance *glance, const char *name)
{
    yoke_domain_info info = {.struct_size = sizeof info,
                             .code = glance->code,
                             .permissions = glance->about.permissions,
                             .user = glance->about.user,
                             .committed = glance->about.size,
                             .alive = glance->alive,
                             .dead = glance->dead};
    snprintf(info.name, sizeof info.name, "%s", name);
    if (glance->code == YOKE_OK)
        yoke__domain_tell(&info, glance->header);
    return info;
}

/* What is gone again, or not to be seen, is passed over; so is what is being made. */
static int64_t visit_all(const yoke__name_list *names, yoke__glance *glance, yoke_domain_visit *visit, void *user)
{
    int64_t count = 0;
    for (const char *name = yoke__names_next(names, NULL); name; name = yoke__names_next(names, name)) {
        if (!yoke__name_is_domain(name))
            continue;
        int rc = yoke__glance_at(glance, name);
        if (rc == YOKE_ENOMEM)
            return rc;
        if (rc < 0 || !glance->finished)
            continue;
        yoke_domain_info info = tell(glance, name);
        count++;
        if (!visit(user, &info))
            break;
    }
    return count;
}

int64_t yoke_domain_list(yoke_domain_visit *visit, void *user)
{
    yoke__name_list names;
    yoke__glance    glance;
    if (!visit)
        return yoke__fail(YOKE_EINVAL, "yoke_domain_list needs a function to call");
    YOKE_TRY(yoke__names_collect(&names));
    int     rc = yoke__glance_begin(&glance);
    int64_t count = rc == YOKE_OK ? visit_all(&names, &glance, visit, user) : rc;
    yoke__glance_end(&glance);
    free(names.text);
    return count;
}
