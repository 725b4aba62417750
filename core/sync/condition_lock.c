/* The lock of a condition: its own, or one it was given. */
#include "condition.h"

#include "../error.h"

bool yoke__condition_find_lock(yoke__condition *condition)
{
    yoke__kind kind = condition->state->recursive ? YOKE__KIND_RLOCK : YOKE__KIND_LOCK;
    void      *found;

    condition->lock = &condition->state->lock;
    if (condition->state->given == 0)
        return true;
    if (yoke__object_find(&found, condition->domain, kind, condition->state->given) < 0) {
        yoke__fail_in(YOKE_EPROTO, "the lock of a condition");
        return false;
    }
    condition->lock = found;
    return true;
}

static yoke__id id_of(const yoke__condition *c)
{
    return c->state->given ? c->state->given : c->handle->id;
}

static bool is_bound(const yoke__condition *c)
{
    return (yoke__a32_load_relaxed(&c->lock->lock.rules) & YOKE__OWNER_RELEASES) != 0;
}

/* Of a lock that anybody may release, holding is a matter of the process. */
static bool holds(const yoke__condition *c)
{
    yoke__token mine = yoke__domain_token(c->domain);

    if (is_bound(c))
        return yoke__lock_mine(c->domain, &c->lock->lock);
    return mine && (yoke__a32_load_relaxed(&c->lock->lock.word) & YOKE__TOKEN_MASK) == mine;
}

int yoke__condition_holds(const yoke__condition *c, const char *what)
{
    char name[128];

    if (holds(c))
        return YOKE_OK;
    return yoke__fail(YOKE_ENOTOWNER, "%s: %s, but this %s does not hold its lock",
                      yoke__object_describe(c->domain, c->handle->id, name, sizeof name), what,
                      is_bound(c) ? "thread" : "process");
}

int yoke__condition_acquire(const yoke__condition *c, int64_t timeout)
{
    if (c->state->recursive)
        return yoke__rlock_acquire(c->handle, id_of(c), c->lock, timeout);
    return yoke__lock_acquire(c->handle, id_of(c), &c->lock->lock, timeout);
}

int yoke__condition_release(const yoke__condition *c)
{
    if (c->state->recursive)
        return yoke__rlock_release(c->handle, id_of(c), c->lock);
    return yoke__lock_release(c->handle, id_of(c), &c->lock->lock);
}

int yoke__condition_death(const yoke__condition *c, yoke_death *out)
{
    return yoke__lock_death(c->handle, id_of(c), &c->lock->lock, out);
}

int yoke__condition_mark_repaired(const yoke__condition *c)
{
    return yoke__lock_mark_repaired(c->handle, id_of(c), &c->lock->lock);
}

static bool reports_death(const yoke__condition *c)
{
    return (yoke__a32_load_acquire(&c->lock->lock.word) & YOKE__TOKEN_FLAG) != 0;
}

/* While we hold it, only this process can change the flag. */
int yoke__condition_let_go(const yoke__condition *c, yoke__condition_levels *levels)
{
    levels->levels = 1;
    levels->death_known = reports_death(c);
    if (c->state->recursive)
        return yoke__rlock_release_all(c->handle, id_of(c), c->lock, &levels->levels);
    return yoke__lock_release(c->handle, id_of(c), &c->lock->lock);
}

int yoke__condition_take_back(const yoke__condition *c, const yoke__condition_levels *levels)
{
    if (c->state->recursive)
        return yoke__rlock_acquire_levels(c->handle, id_of(c), c->lock, levels->levels, YOKE_FOREVER);
    return yoke__condition_acquire(c, YOKE_FOREVER);
}

bool yoke__condition_death_since(const yoke__condition *c, const yoke__condition_levels *levels)
{
    return !levels->death_known && reports_death(c);
}
