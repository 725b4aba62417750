/* The lock of a condition: its own, or one it was given. */
#include "condition.h"

#include "../error.h"

bool yoke__condition_find_lock(yoke__condition *condition)
{
    void *found;

    if (condition->state->given == 0) {
        condition->lock = &condition->state->lock;
        return true;
    }
    if (yoke__object_find(&found, condition->domain, YOKE__KIND_LOCK, condition->state->given) < 0) {
        yoke__fail_in(YOKE_EPROTO, "the lock of a condition");
        return false;
    }
    condition->lock = found;
    return true;
}

static yoke__id id_of(const yoke__condition *condition)
{
    return condition->state->given ? condition->state->given : condition->handle->id;
}

int yoke__condition_holds(const yoke__condition *condition, const char *what)
{
    yoke__token mine = yoke__domain_token(condition->domain);
    char        name[128];

    if (mine && (yoke__a32_load_relaxed(&condition->lock->word) & YOKE__TOKEN_MASK) == mine)
        return YOKE_OK;
    return yoke__fail(YOKE_ENOTOWNER, "%s: %s, but this process does not hold its lock",
                      yoke__object_describe(condition->domain, condition->handle->id, name, sizeof name), what);
}

int yoke__condition_acquire(const yoke__condition *condition, int64_t timeout)
{
    return yoke__lock_acquire(condition->handle, id_of(condition), condition->lock, timeout);
}

int yoke__condition_release(const yoke__condition *condition)
{
    return yoke__lock_release(condition->handle, id_of(condition), condition->lock);
}

void yoke__condition_let_go(const yoke__condition *condition, yoke__condition_levels *levels)
{
    levels->levels = 1;
    levels->death_known = (yoke__owner_release_keep(condition->domain, &condition->lock->word) & YOKE__TOKEN_FLAG) != 0;
}

int yoke__condition_take_back(const yoke__condition *condition, const yoke__condition_levels *levels)
{
    (void)levels;
    return yoke__condition_acquire(condition, YOKE_FOREVER);
}

bool yoke__condition_death_since(const yoke__condition *condition, const yoke__condition_levels *levels)
{
    return !levels->death_known && (yoke__a32_load_acquire(&condition->lock->word) & YOKE__TOKEN_FLAG) != 0;
}
