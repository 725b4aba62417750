/* A child as something to be waited for besides others. */
#include "../wait/watchable.h"
#include "family.h"

static int check(yoke__handle *handle)
{
    yoke__relative *child;

    return yoke__child_of(&child, (const yoke_process *)handle, "watch");
}

/* It tells of the death. Settling that may take a while, and is left to joining. */
static yoke_native native(yoke__handle *handle)
{
    return ((const yoke__relative *)handle->extra)->life;
}

const yoke__watchable yoke__process_watchable = {
    .kind = YOKE__KIND_PROCESS,
    .whats = 1u << YOKE__ENDED,
    .check = check,
    .native = native,
};
