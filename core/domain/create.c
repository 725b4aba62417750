/* Making objects, and opening them by name. */
#include "directory.h"

#include "../error.h"
#include "allocator.h"
#include "participant.h"

#include <string.h>

/* Registry lock held. Index of what stands under the spec's name, or 0. */
static uint32_t find_named(yoke_domain *domain, const yoke__object_spec *spec)
{
    return spec->name ? yoke__name_find(domain, spec->name) : 0;
}

/* Registry lock held. */
static int open_named(yoke_domain *domain, yoke__handle *handle, const yoke__object_spec *spec, uint32_t index)
{
    uint64_t   word = yoke__a64_load_relaxed(&yoke__entry_at(domain, index)->word);
    yoke__kind kind = yoke__entry_kind(word);
    if (kind != spec->kind)
        return yoke__fail(YOKE_ETYPE, "'%s' is %s %s, not %s %s", spec->name, yoke__article(yoke__kind_name(kind)),
                          yoke__kind_name(kind), yoke__article(yoke__kind_name(spec->kind)),
                          yoke__kind_name(spec->kind));
    if (spec->mode == YOKE_CREATE)
        return yoke__fail(YOKE_EEXIST, "there is %s %s named '%s' already", yoke__article(yoke__kind_name(kind)),
                          yoke__kind_name(kind), spec->name);
    if (spec->agree)
        YOKE_TRY(spec->agree(domain, yoke__entry_object(domain, yoke__entry_at(domain, index)), spec->argument));
    return yoke__handle_hold(domain, handle, YOKE__ID(index, yoke__entry_generation(word)));
}

/* The object's block: its own bytes, then its name. No lock held. */
static int build(yoke_domain *domain, const yoke__object_spec *spec, yoke__id id, void **object, uint32_t *name_at)
{
    uint64_t size = (spec->size + 15u) & ~UINT64_C(15);
    uint64_t name_units = spec->name ? size / 16u : 0;
    if (size < spec->size || name_units > UINT32_MAX)
        return yoke__fail(YOKE_ENOMEM, "a %s of %llu bytes is too large", yoke__kind_name(spec->kind),
                          (unsigned long long)spec->size);
    if (spec->name && !name_units)
        size = (name_units = 1) * 16u;
    uint8_t *block = yoke__alloc_zero(domain, size + (spec->name ? YOKE__NAME_SIZE : 0), id);
    if (!block)
        return YOKE_ENOMEM;
    if (spec->name)
        memcpy(block + size, spec->name, strlen(spec->name) + 1);
    int code = spec->init ? spec->init(domain, id, block, spec->argument) : YOKE_OK;
    if (code != YOKE_OK) {
        yoke__free(domain, block);
        return code;
    }
    *object = block;
    *name_at = (uint32_t)name_units;
    return YOKE_OK;
}

/* Registry lock held. Another may have been faster with the name. */
static int publish(yoke_domain *domain, yoke__handle *handle, const yoke__object_spec *spec, yoke__id id, void *object,
                   uint32_t name_at)
{
    uint32_t index = find_named(domain, spec);
    if (index) {
        yoke__alloc_give(domain, object, id);
        yoke__directory_abandon(domain, id);
        return open_named(domain, handle, spec, index);
    }
    yoke__directory_publish(domain, id, object, name_at);
    int code = yoke__handle_hold(domain, handle, id);
    if (code != YOKE_OK)
        yoke__directory_destroy(domain, yoke__entry_at(domain, YOKE__ID_INDEX(id)), id);
    return code;
}

/* Opens what has the name, or takes an entry for something new: then *id is set. */
static int open_or_reserve(yoke_domain *domain, yoke__handle *handle, const yoke__object_spec *spec, yoke__id *id)
{
    yoke__registry_acquire(domain);
    uint32_t index = find_named(domain, spec);
    int      code;
    if (index)
        code = open_named(domain, handle, spec, index);
    else if (spec->name && spec->mode == YOKE_OPEN)
        code = yoke__fail(YOKE_ENOENT, "there is no %s named '%s'", yoke__kind_name(spec->kind), spec->name);
    else
        code = yoke__directory_reserve(domain, spec->kind, id);
    yoke__registry_release(domain);
    return code;
}

/* The object is built between two sections under the registry lock, so that no user's memory is touched inside one. */
static int make(yoke_domain *domain, yoke__handle *handle, const yoke__object_spec *spec)
{
    yoke__id id = 0;
    void    *object = NULL;
    uint32_t name_at = 0;
    int      code = open_or_reserve(domain, handle, spec, &id);
    if (code != YOKE_OK || !id)
        return code;
    code = build(domain, spec, id, &object, &name_at);
    yoke__registry_acquire(domain);
    if (code == YOKE_OK)
        code = publish(domain, handle, spec, id, object, name_at);
    else
        yoke__directory_abandon(domain, id);
    yoke__registry_release(domain);
    return code;
}

int yoke__handle_create(yoke__handle **out, yoke_domain *domain, const yoke__object_spec *spec)
{
    if (spec->name)
        YOKE_TRY(yoke__name_check(spec->name));
    if ((unsigned)spec->mode > YOKE_OPEN_OR_CREATE)
        return yoke__fail(YOKE_EINVAL, "%d is not an open mode", (int)spec->mode);
    YOKE_TRY(yoke__domain_of(&domain, domain));
    if (!yoke__domain_token(domain))
        return yoke_last_error()->code;
    yoke__handle *handle = yoke__handle_new();
    if (!handle)
        return YOKE_ENOMEM;
    int code = make(domain, handle, spec);
    if (code == YOKE_ENOMEM && yoke__domain_recover(domain)) /* the dead may have had it */
        code = make(domain, handle, spec);
    if (code != YOKE_OK) {
        yoke__handle_free(handle, YOKE__KIND_NONE);
        return code;
    }
    yoke__handle_show(handle, spec->kind);
    *out = handle;
    return YOKE_OK;
}
