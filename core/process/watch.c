/* A child as something to be waited for besides others. */
#include "../backend.h"
#include "../wait/watchable.h"
#include "family.h"

static int check(yoke__handle *handle)
{
    yoke__relative *child;

    return yoke__child_of(&child, (const yoke_process *)handle, "watch");
}

static yoke_native native(yoke__handle *handle)
{
    return ((const yoke__relative *)handle->extra)->life;
}

/* Not settled here: that may take a while, and joining does it. */
static bool ready(yoke__handle *handle, yoke__what what, int *status)
{
    const yoke__relative *child = handle->extra;

    (void)what;
    *status = YOKE_OK;
    return yoke__a32_load_acquire(&child->ended) == YOKE__RELATIVE_ENDED ||
           yoke__backend()->life->is_alive(child->life) == 0;
}

const yoke__watchable yoke__process_watchable = {
    .kind = YOKE__KIND_PROCESS,
    .whats = 1u << YOKE__ENDED,
    .check = check,
    .ready = ready,
    .native = native,
};
