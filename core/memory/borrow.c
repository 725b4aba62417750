#include "borrow.h"

#include "../local.h"

/* Guards the first borrowing of a lock by a handle: handle->extra. */
static yoke__mutex borrowing = YOKE__MUTEX_INIT;

static void before_fork(void)
{
    yoke__mutex_lock(&borrowing);
}

static void after_fork(void)
{
    yoke__mutex_unlock(&borrowing);
}

static void after_fork_in_child(void)
{
    yoke__mutex_reset(&borrowing);
}

yoke_lock *yoke__borrow(yoke__handle *handle, yoke__lock_state *state)
{
    yoke_lock *lock;

    yoke__fork_hook_add(before_fork, after_fork, after_fork_in_child);
    yoke__mutex_lock(&borrowing);
    lock = handle->extra;
    if (!lock && yoke__lock_borrow(&lock, handle, state) == YOKE_OK)
        handle->extra = lock;
    lock = handle->extra;
    yoke__mutex_unlock(&borrowing);
    return lock;
}

void yoke__borrow_end(yoke__handle *handle)
{
    yoke_lock *lock;

    yoke__mutex_lock(&borrowing);
    lock = handle->extra;
    handle->extra = NULL;
    yoke__mutex_unlock(&borrowing);
    yoke__lock_return(lock);
}
