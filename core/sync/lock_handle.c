/* Locks as objects of their own and as parts of others: handles and the public calls. */
#include "lock_make.h"

#include "../error.h"
#include "../options.h"

#define UNLIKELY(condition) __builtin_expect((condition), 0)

/* ---- handles ----------------------------------------------------------------------------------------------------- */

/* In private_ of a borrowed handle: the handle of the object that the lock is in. 0: the lock is an object itself. */
#define OWNER 0

static const yoke__handle *owner_of(const yoke__handle *handle)
{
    return (const yoke__handle *)(uintptr_t)handle->private_[OWNER];
}

static yoke__id id_of(const yoke__handle *handle)
{
    return owner_of(handle) ? owner_of(handle)->id : handle->id;
}

/* A borrowed lock is gone when what it is in is gone. */
static yoke__handle *check(const yoke_lock *lock)
{
    yoke__handle       *handle = yoke__handle_check(lock, YOKE__KIND_LOCK);
    const yoke__handle *owner = handle ? owner_of(handle) : NULL;

    if (owner && (yoke__a32_load_acquire(&owner->closing) & YOKE__UNHELD) != 0 &&
        !yoke__handle_check(owner, (yoke__kind)(yoke__a32_load_relaxed(&owner->magic) & 0xffu)))
        return NULL;
    if (owner && (yoke__a32_load_acquire(&owner->closing) & YOKE__GONE) != 0) {
        yoke__fail(YOKE_ECLOSED, "the object that this lock belongs to is gone");
        return NULL;
    }
    return handle;
}

static void wake_sleepers(yoke__handle *handle)
{
    yoke__lock_wake(handle->domain, handle->object);
}

int yoke__lock_borrow(yoke_lock **out, const yoke__handle *owner, yoke__lock_state *state)
{
    yoke__handle *handle;
    int           result = yoke__handle_local(&handle, YOKE__KIND_LOCK);

    if (result != YOKE_OK)
        return result;
    handle->domain = owner->domain;
    handle->object = state;
    handle->private_[OWNER] = (uint64_t)(uintptr_t)owner;
    *out = (yoke_lock *)handle;
    return YOKE_OK;
}

void yoke__lock_return(yoke_lock *lock)
{
    if (lock)
        yoke__handle_close(&lock->handle, wake_sleepers);
}

/* ---- the public calls --------------------------------------------------------------------------------------------- */

static void sweep(yoke_domain *domain, yoke__id id, void *object, yoke__token dead)
{
    (void)id;
    yoke__lock_sweep(domain, object, dead);
}

static uint32_t blockers(yoke_domain *domain, const void *object, uint64_t waiter, yoke__blocker *out, uint32_t most)
{
    (void)domain;
    (void)waiter;
    return most ? yoke__lock_blocker(object, out) : 0;
}

static void describe(yoke_domain *domain, yoke__id id, const void *object, char *text, size_t size)
{
    (void)id;
    yoke__lock_describe(domain, object, text, size);
}

const yoke__object_type yoke__lock_type = {
    .kind = YOKE__KIND_LOCK, .name = "lock", .sweep = sweep, .blockers = blockers, .describe = describe};

int yoke_lock_create(yoke_lock **out, const yoke_lock_options *options)
{
    yoke_lock_options given;

    YOKE_TRY(yoke__options_take(yoke_lock_options, &given, options));
    if (given.detect_deadlock && !given.owner_releases)
        return yoke__fail(YOKE_EINVAL, "yoke_lock_create: detect_deadlock needs owner_releases: who holds a lock that "
                                       "anybody may release is not who would have to release it");
    yoke__lock_wanted wanted = {.kind = YOKE__KIND_LOCK,
                                .domain = given.domain,
                                .name = given.name,
                                .mode = given.mode,
                                .on_death = given.on_death,
                                .rules = given.owner_releases ? YOKE__OWNER_RELEASES : 0,
                                .detect = given.detect_deadlock,
                                .size = sizeof(yoke__lock_state)};
    yoke__handle     *handle;
    YOKE_TRY(yoke__lock_create(out ? &handle : NULL, &wanted));
    *out = (yoke_lock *)handle;
    return YOKE_OK;
}

int yoke_lock_open(yoke_lock **out, yoke_domain *domain, const char *name)
{
    yoke__handle *handle;

    YOKE_TRY(yoke__lock_open(out ? &handle : NULL, YOKE__KIND_LOCK, domain, name));
    *out = (yoke_lock *)handle;
    return YOKE_OK;
}

void yoke_lock_close(yoke_lock *lock)
{
    yoke__handle *handle = lock ? yoke__handle_check(lock, YOKE__KIND_LOCK) : NULL;

    if (handle && handle->private_[OWNER] == 0)
        yoke__handle_close(handle, wake_sleepers);
}

/*
 * The uncontended way, in which the loads between two locked instructions are what counts: the handle is open, of a lock of
 * its own, and held in this process's table, so holder is the token and does for domain->token, which is only compared
 * with. 0: another way.
 */
static inline yoke__token quick_token(const yoke_lock *lock)
{
    const yoke__handle *handle = &lock->handle;
    yoke__token         token = yoke__a32_load_relaxed(&handle->holder);

    if (UNLIKELY(yoke__a32_load_acquire(&handle->magic) != (YOKE__HANDLE_MAGIC | YOKE__KIND_LOCK)) ||
        UNLIKELY(yoke__a32_load_acquire(&handle->closing) != 0) || UNLIKELY(token == 0) ||
        UNLIKELY(yoke__a32_load_relaxed(&handle->domain->token) != token))
        return 0;
    return token;
}

static int acquire(yoke_lock *lock, int64_t timeout)
{
    yoke__handle *handle = check(lock);

    if (!handle)
        return yoke__noted();
    yoke__lock_state *state = handle->object;
    return yoke__lock_take(handle->domain, state) ? YOKE_OK : yoke__lock_acquire(handle, id_of(handle), state, timeout);
}

int yoke_lock_acquire(yoke_lock *lock, int64_t timeout)
{
    yoke__token token = lock ? quick_token(lock) : 0;
    uint32_t    nobody = 0;

    if (UNLIKELY(token == 0))
        return acquire(lock, timeout);
    yoke__lock_state *state = lock->handle.object;
    if (UNLIKELY(!yoke__a32_cas_acq_rel(&state->word, &nobody, token)))
        return acquire(lock, timeout);
    yoke__lock_sign(state, token);
    return YOKE_OK;
}

static int release(yoke_lock *lock)
{
    yoke__handle *handle = check(lock);

    return handle ? yoke__lock_release(handle, id_of(handle), handle->object) : yoke__noted();
}

/* That the word is this process's token and nothing else is not looked at but tried. */
int yoke_lock_release(yoke_lock *lock)
{
    uint32_t          token = lock ? quick_token(lock) : 0;
    yoke__lock_state *state = token ? lock->handle.object : NULL;

    if (UNLIKELY(token == 0) || UNLIKELY((yoke__a32_load_relaxed(&state->rules) & YOKE__OWNER_RELEASES) != 0) ||
        UNLIKELY(!yoke__a32_cas_acq_rel(&state->word, &token, 0)))
        return release(lock);
    return YOKE_OK;
}

bool yoke_lock_locked(const yoke_lock *lock)
{
    const yoke__handle *handle = check(lock);

    return handle && yoke__lock_held(handle->object);
}

int yoke_lock_death(yoke_lock *lock, yoke_death *out)
{
    yoke__handle *handle = check(lock);

    return handle ? yoke__lock_death(handle, id_of(handle), handle->object, out) : yoke__noted();
}

int yoke_lock_mark_repaired(yoke_lock *lock)
{
    yoke__handle *handle = check(lock);

    return handle ? yoke__lock_mark_repaired(handle, id_of(handle), handle->object) : yoke__noted();
}
