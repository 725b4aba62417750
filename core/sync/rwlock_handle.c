/* The public calls of read-write locks. */
#include "rwlock.h"

#include "../error.h"
#include "../options.h"
#include "lock_make.h"

int yoke_rwlock_create(yoke_rwlock **out, const yoke_rwlock_options *options)
{
    yoke_rwlock_options given;

    YOKE_TRY(yoke__options_take(yoke_rwlock_options, &given, options));
    if (given.max_readers > YOKE__PLACES_MAX)
        return yoke__fail(YOKE_EINVAL, "yoke_rwlock_create: max_readers is %lu, but at most %lu",
                          (unsigned long)given.max_readers, (unsigned long)YOKE__PLACES_MAX);
    uint64_t          places = given.max_readers ? given.max_readers : YOKE__PLACES_DEFAULT;
    yoke__lock_wanted wanted = {.kind = YOKE__KIND_RWLOCK,
                                .domain = given.domain,
                                .name = given.name,
                                .mode = given.mode,
                                .on_death = given.on_death,
                                .rules = YOKE__OWNER_RELEASES,
                                .detect = given.detect_deadlock,
                                .size = sizeof(yoke__rwlock_state) + places * sizeof(yoke__share),
                                .places = given.max_readers};
    yoke__handle     *handle;
    YOKE_TRY(yoke__lock_create(out ? &handle : NULL, &wanted));
    *out = (yoke_rwlock *)handle;
    return YOKE_OK;
}

int yoke_rwlock_open(yoke_rwlock **out, yoke_domain *domain, const char *name)
{
    yoke__handle *handle;

    YOKE_TRY(yoke__lock_open(out ? &handle : NULL, YOKE__KIND_RWLOCK, domain, name));
    *out = (yoke_rwlock *)handle;
    return YOKE_OK;
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
