/* The public calls of read-write locks. */
#include "rwlock.h"

#include "../error.h"
#include "../options.h"

#include <stdio.h>

static yoke__rwlock_rules rules_of(const yoke_rwlock_options *options)
{
    return (yoke__rwlock_rules){
        .rules = (options->on_death == YOKE_IGNORE_DEATH ? YOKE__IGNORES_DEATH : 0u) |
                 (options->detect_deadlock ? YOKE__DETECTS : 0u),
        .places = options->max_readers ? options->max_readers : YOKE__PLACES_DEFAULT,
    };
}

static int init(yoke_domain *domain, yoke__id id, void *object, const void *argument)
{
    yoke__rwlock_rules rules = rules_of(argument);

    (void)domain;
    (void)id;
    yoke__rwlock_init(object, &rules);
    return YOKE_OK;
}

static int agree(yoke_domain *domain, const void *object, const void *argument)
{
    const yoke_rwlock_options *options = argument;
    const yoke__rwlock_state  *state = object;
    char                       what[YOKE__NAME_SIZE + 8];

    (void)domain;
    if (!options)
        return YOKE_OK;
    yoke__rwlock_rules rules = rules_of(options);
    uint32_t           places = yoke__a32_load_relaxed(&state->places);
    (void)snprintf(what, sizeof what, "rwlock %s", options->name);
    if (options->max_readers && rules.places != places)
        return yoke__fail(YOKE_EINVAL, "%s is there with max_readers %lu, not with %lu", what, (unsigned long)places,
                          (unsigned long)rules.places);
    return yoke__lock_agree(what, &state->gate, rules.rules | YOKE__OWNER_RELEASES);
}

static int make(yoke_rwlock **out, yoke_domain *domain, const char *name, yoke_open_mode mode,
                const yoke_rwlock_options *options)
{
    uint64_t          places = options ? rules_of(options).places : 0;
    yoke__object_spec spec = {
        .kind = YOKE__KIND_RWLOCK,
        .name = name,
        .mode = mode,
        .size = sizeof(yoke__rwlock_state) + places * sizeof(yoke__share),
        .argument = options,
        .init = init,
        .agree = agree,
    };
    yoke__handle *handle;
    int           result = yoke__handle_create(&handle, domain, &spec);

    if (result == YOKE_OK)
        *out = (yoke_rwlock *)handle;
    return result;
}

int yoke_rwlock_create(yoke_rwlock **out, const yoke_rwlock_options *options)
{
    yoke_rwlock_options given;

    if (!out)
        return yoke__fail(YOKE_EINVAL, "yoke_rwlock_create: no place for the handle");
    YOKE_TRY(yoke__options_take(yoke_rwlock_options, &given, options));
    if (given.on_death != YOKE_REPORT_DEATH && given.on_death != YOKE_IGNORE_DEATH)
        return yoke__fail(YOKE_EINVAL, "yoke_rwlock_create: no such on_death: %d", (int)given.on_death);
    if (given.max_readers > YOKE__PLACES_MAX)
        return yoke__fail(YOKE_EINVAL, "yoke_rwlock_create: max_readers is %lu, but at most %lu",
                          (unsigned long)given.max_readers, (unsigned long)YOKE__PLACES_MAX);
    return make(out, given.domain, given.name, given.mode, &given);
}

int yoke_rwlock_open(yoke_rwlock **out, yoke_domain *domain, const char *name)
{
    if (!out || !name)
        return yoke__fail(YOKE_EINVAL, "yoke_rwlock_open: no %s", out ? "name" : "place for the handle");
    return make(out, domain, name, YOKE_OPEN, NULL);
}

static yoke__handle *check(const yoke_rwlock *rwlock)
{
    return yoke__handle_check(rwlock, YOKE__KIND_RWLOCK);
}

void yoke_rwlock_close(yoke_rwlock *rwlock)
{
    yoke__handle *handle = rwlock ? check(rwlock) : NULL;

    if (handle)
        yoke__handle_close(handle, yoke__rwlock_wake);
}

int yoke_rwlock_acquire_shared(yoke_rwlock *rwlock, int64_t timeout)
{
    yoke__handle *handle = check(rwlock);

    return handle ? yoke__rwlock_acquire_shared(handle, timeout) : yoke__noted();
}

int yoke_rwlock_release_shared(yoke_rwlock *rwlock)
{
    yoke__handle *handle = check(rwlock);

    return handle ? yoke__rwlock_release_shared(handle) : yoke__noted();
}

int yoke_rwlock_acquire_exclusive(yoke_rwlock *rwlock, int64_t timeout)
{
    yoke__handle *handle = check(rwlock);

    return handle ? yoke__rwlock_acquire_exclusive(handle, timeout) : yoke__noted();
}

int yoke_rwlock_release_exclusive(yoke_rwlock *rwlock)
{
    yoke__handle *handle = check(rwlock);

    return handle ? yoke__rwlock_release_exclusive(handle) : yoke__noted();
}

int yoke_rwlock_downgrade(yoke_rwlock *rwlock)
{
    yoke__handle *handle = check(rwlock);

    return handle ? yoke__rwlock_downgrade(handle) : yoke__noted();
}

static yoke__lock_state *gate_of(const yoke__handle *handle)
{
    return &((yoke__rwlock_state *)handle->object)->gate;
}

bool yoke_rwlock_locked(const yoke_rwlock *rwlock)
{
    const yoke__handle *handle = check(rwlock);

    return handle && yoke__lock_held(gate_of(handle));
}

int64_t yoke_rwlock_readers(const yoke_rwlock *rwlock)
{
    const yoke__handle *handle = check(rwlock);

    return handle ? yoke__rwlock_readers(handle->domain, handle->object) : yoke__noted();
}

int yoke_rwlock_death(yoke_rwlock *rwlock, yoke_death *out)
{
    yoke__handle *handle = check(rwlock);

    return handle ? yoke__lock_death(handle, handle->id, gate_of(handle), out) : yoke__noted();
}

int yoke_rwlock_mark_repaired(yoke_rwlock *rwlock)
{
    yoke__handle *handle = check(rwlock);

    return handle ? yoke__lock_mark_repaired(handle, handle->id, gate_of(handle)) : yoke__noted();
}
