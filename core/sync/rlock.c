#include "rlock.h"

#include "../error.h"
#include "../options.h"
#include "lock_make.h"

#include <stdio.h>

/* ---- the state --------------------------------------------------------------------------------------------------- */

void yoke__rlock_init(yoke__rlock_state *state, uint32_t rules)
{
    yoke__lock_init_rules(&state->lock, rules | YOKE__OWNER_RELEASES);
}

uint32_t yoke__rlock_depth(const yoke_domain *domain, const yoke__rlock_state *state)
{
    return yoke__lock_mine(domain, &state->lock) ? yoke__a32_load_relaxed(&state->lock.depth) : 0;
}

static int one_more(const yoke__handle *handle, yoke__id id, yoke__lock_state *lock)
{
    uint32_t depth = yoke__a32_load_relaxed(&lock->depth);
    char     what[128];

    if (depth >= YOKE__RLOCK_DEPTH_MAX)
        return yoke__fail(YOKE_ERANGE, "%s: this thread holds it %lu times already, and no more are counted",
                          yoke__object_describe(handle->domain, id, what, sizeof what), (unsigned long)depth);
    yoke__a32_store_relaxed(&lock->depth, depth + 1);
    return yoke__a32_load_relaxed(&lock->word) & YOKE__TOKEN_FLAG ? YOKE_OWNER_DIED : YOKE_OK;
}

int yoke__rlock_acquire_levels(yoke__handle *handle, yoke__id id, yoke__rlock_state *state, uint32_t levels,
                               int64_t timeout)
{
    yoke__lock_state *lock = &state->lock;

    if (yoke__lock_take(handle->domain, lock)) {
        yoke__a32_store_relaxed(&lock->depth, levels);
        return YOKE_OK;
    }
    yoke__handle_enter(handle);
    int result = yoke__lock_acquire_inside(handle, id, lock, timeout);
    if (result >= 0) /* what a dead holder counted is not ours */
        yoke__a32_store_relaxed(&lock->depth, levels);
    yoke__handle_exit(handle);
    return result;
}

int yoke__rlock_acquire(yoke__handle *handle, yoke__id id, yoke__rlock_state *state, int64_t timeout)
{
    if (yoke__lock_mine(handle->domain, &state->lock))
        return one_more(handle, id, &state->lock);
    return yoke__rlock_acquire_levels(handle, id, state, 1, timeout);
}

int yoke__rlock_release(yoke__handle *handle, yoke__id id, yoke__rlock_state *state)
{
    yoke__lock_state *lock = &state->lock;

    if (!yoke__lock_mine(handle->domain, lock))
        return yoke__lock_may_release(handle, id, lock, "released");
    uint32_t depth = yoke__a32_load_relaxed(&lock->depth);
    if (depth > 1)
        yoke__a32_store_relaxed(&lock->depth, depth - 1);
    else
        yoke__lock_let_go(handle->domain, lock);
    return YOKE_OK;
}

int yoke__rlock_release_all(yoke__handle *handle, yoke__id id, yoke__rlock_state *state, uint32_t *levels)
{
    YOKE_TRY(yoke__lock_may_release(handle, id, &state->lock, "let go"));
    *levels = yoke__a32_load_relaxed(&state->lock.depth);
    yoke__lock_let_go(handle->domain, &state->lock);
    return YOKE_OK;
}

static void sweep(yoke_domain *domain, yoke__id id, void *object, yoke__token dead)
{
    (void)id;
    yoke__lock_sweep(domain, &((yoke__rlock_state *)object)->lock, dead);
}

static uint32_t blockers(yoke_domain *domain, const void *object, uint64_t waiter, yoke__blocker *out, uint32_t most)
{
    (void)domain;
    (void)waiter;
    return most ? yoke__lock_blocker(&((const yoke__rlock_state *)object)->lock, out) : 0;
}

static void describe(yoke_domain *domain, yoke__id id, const void *object, char *text, size_t size)
{
    (void)id;
    yoke__lock_describe(domain, &((const yoke__rlock_state *)object)->lock, text, size);
}

const yoke__object_type yoke__rlock_type = {
    .kind = YOKE__KIND_RLOCK, .name = "rlock", .sweep = sweep, .blockers = blockers, .describe = describe};

/* ---- the public calls --------------------------------------------------------------------------------------------- */

int yoke_rlock_create(yoke_rlock **out, const yoke_rlock_options *options)
{
    yoke_rlock_options given;

    YOKE_TRY(yoke__options_take(yoke_rlock_options, &given, options));
    yoke__lock_wanted wanted = {.kind = YOKE__KIND_RLOCK,
                                .domain = given.domain,
                                .name = given.name,
                                .mode = given.mode,
                                .on_death = given.on_death,
                                .rules = YOKE__OWNER_RELEASES,
                                .detect = given.detect_deadlock,
                                .size = sizeof(yoke__rlock_state)};
    yoke__handle     *handle;
    YOKE_TRY(yoke__lock_create(out ? &handle : NULL, &wanted));
    *out = (yoke_rlock *)handle;
    return YOKE_OK;
}

int yoke_rlock_open(yoke_rlock **out, yoke_domain *domain, const char *name)
{
    yoke__handle *handle;

    YOKE_TRY(yoke__lock_open(out ? &handle : NULL, YOKE__KIND_RLOCK, domain, name));
    *out = (yoke_rlock *)handle;
    return YOKE_OK;
}

static yoke__handle *check(const yoke_rlock *rlock)
{
    return yoke__handle_check(rlock, YOKE__KIND_RLOCK);
}

static void wake_sleepers(yoke__handle *handle)
{
    yoke__lock_wake(handle->domain, &((yoke__rlock_state *)handle->object)->lock);
}

void yoke_rlock_close(yoke_rlock *rlock)
{
    yoke__handle *handle = rlock ? check(rlock) : NULL;

    if (handle)
        yoke__handle_close(handle, wake_sleepers);
}

int yoke_rlock_acquire(yoke_rlock *rlock, int64_t timeout)
{
    yoke__handle *handle = check(rlock);

    return handle ? yoke__rlock_acquire(handle, handle->id, handle->object, timeout) : yoke__noted();
}

int yoke_rlock_release(yoke_rlock *rlock)
{
    yoke__handle *handle = check(rlock);

    return handle ? yoke__rlock_release(handle, handle->id, handle->object) : yoke__noted();
}

bool yoke_rlock_locked(const yoke_rlock *rlock)
{
    const yoke__handle *handle = check(rlock);

    return handle && yoke__lock_held(handle->object);
}

int64_t yoke_rlock_depth(const yoke_rlock *rlock)
{
    const yoke__handle *handle = check(rlock);

    return handle ? (int64_t)yoke__rlock_depth(handle->domain, handle->object) : yoke__noted();
}

int yoke_rlock_death(yoke_rlock *rlock, yoke_death *out)
{
    yoke__handle *handle = check(rlock);

    return handle ? yoke__lock_death(handle, handle->id, handle->object, out) : yoke__noted();
}

int yoke_rlock_mark_repaired(yoke_rlock *rlock)
{
    yoke__handle *handle = check(rlock);

    return handle ? yoke__lock_mark_repaired(handle, handle->id, handle->object) : yoke__noted();
}
