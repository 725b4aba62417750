/* A queue as something to be waited for besides others. */
#include "../wait/watchable.h"
#include "queue.h"

static yoke__queue_state *state_of(yoke__handle *handle)
{
    return (yoke__queue_state *)handle->object;
}

/* The shutdown is looked at first: after it nothing is put any more, so what is not there then will not come. */
static bool readable(yoke__handle *handle, int *status)
{
    yoke__queue queue = {.domain = handle->domain, .state = state_of(handle), .handle = handle, .id = handle->id};
    bool        shut = yoke__a32_load_acquire(&queue.state->shut) != 0;

    if (yoke__queue_has_some(&queue))
        *status = YOKE_OK;
    else if (shut)
        *status = YOKE_ESHUTDOWN;
    else
        return (*status = yoke__queue_orphaned(&queue, YOKE_MAY_PUT)) < 0 && !yoke__queue_has_some(&queue);
    return true;
}

static bool writable(yoke__handle *handle, int *status)
{
    yoke__queue queue = {.domain = handle->domain, .state = state_of(handle), .handle = handle, .id = handle->id};

    *status = yoke__a32_load_acquire(&queue.state->shut) ? YOKE_ESHUTDOWN : YOKE_OK;
    if (*status != YOKE_OK || (queue.state->max_items == 0 && queue.state->max_bytes == 0) ||
        !yoke_queue_full((const yoke_queue *)handle))
        return true;
    return (*status = yoke__queue_orphaned(&queue, YOKE_MAY_GET)) < 0;
}

static bool ready(yoke__handle *handle, yoke__what what, int *status)
{
    return what == YOKE__READABLE ? readable(handle, status) : writable(handle, status);
}

static yoke__a64 *word(yoke__handle *handle, yoke__what what)
{
    return yoke__queue_watchers(state_of(handle), what == YOKE__WRITABLE);
}

const yoke__watchable yoke__queue_watchable = {
    .kind = YOKE__KIND_QUEUE,
    .whats = 1u << YOKE__READABLE | 1u << YOKE__WRITABLE,
    .ready = ready,
    .word = word,
};
