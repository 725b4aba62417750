#include "lock_make.h"

#include "../error.h"
#include "rwlock.h"

#include <stdio.h>

static uint32_t rules_of(const yoke__lock_wanted *wanted)
{
    return wanted->rules | (wanted->on_death == YOKE_IGNORE_DEATH ? YOKE__IGNORES_DEATH : 0u) |
           (wanted->detect ? YOKE__DETECTS : 0u);
}

static int init(yoke_domain *domain, yoke__id id, void *object, const void *argument)
{
    const yoke__lock_wanted *wanted = argument;

    (void)domain;
    (void)id;
    if (wanted->kind == YOKE__KIND_RWLOCK)
        yoke__rwlock_init(object, rules_of(wanted), wanted->places ? wanted->places : YOKE__PLACES_DEFAULT);
    else
        yoke__lock_init_rules(object, rules_of(wanted));
    return YOKE_OK;
}

static int agree(yoke_domain *domain, const void *object, const void *argument)
{
    const yoke__lock_wanted *wanted = argument;
    char                     what[YOKE__NAME_SIZE + 8];

    (void)domain;
    if (!wanted)
        return YOKE_OK;
    (void)snprintf(what, sizeof what, "%s %s", yoke__kind_name(wanted->kind), wanted->name);
    if (wanted->places) {
        uint32_t places = yoke__a32_load_relaxed(&((const yoke__rwlock_state *)object)->places);
        if (wanted->places != places)
            return yoke__fail(YOKE_EINVAL, "%s is there with max_readers %lu, not with %lu", what,
                              (unsigned long)places, (unsigned long)wanted->places);
    }
    return yoke__lock_agree(what, object, rules_of(wanted));
}

static int make(yoke__handle **out, yoke_domain *domain, const yoke__object_spec *spec)
{
    yoke__handle *handle;
    int           result = yoke__handle_create(&handle, domain, spec);

    if (result == YOKE_OK)
        *out = handle;
    return result;
}

int yoke__lock_create(yoke__handle **out, const yoke__lock_wanted *wanted)
{
    yoke__object_spec spec = {
        .kind = wanted->kind,
        .name = wanted->name,
        .mode = wanted->mode,
        .size = wanted->size,
        .argument = wanted,
        .init = init,
        .agree = agree,
    };

    if (!out)
        return yoke__fail(YOKE_EINVAL, "yoke_%s_create: no place for the handle", yoke__kind_name(wanted->kind));
    if (wanted->on_death != YOKE_REPORT_DEATH && wanted->on_death != YOKE_IGNORE_DEATH)
        return yoke__fail(YOKE_EINVAL, "yoke_%s_create: no such on_death: %d", yoke__kind_name(wanted->kind),
                          (int)wanted->on_death);
    return make(out, wanted->domain, &spec);
}

int yoke__lock_open(yoke__handle **out, yoke__kind kind, yoke_domain *domain, const char *name)
{
    yoke__object_spec spec = {.kind = kind, .name = name, .mode = YOKE_OPEN, .init = init, .agree = agree};

    if (!out || !name)
        return yoke__fail(YOKE_EINVAL, "yoke_%s_open: no %s", yoke__kind_name(kind),
                          out ? "name" : "place for the handle");
    return make(out, domain, &spec);
}
