/* A child as something to be waited for besides others. */
#include "../wait/watchable.h"
#include "family.h"

static int check(yoke__handle *handle)
{
    return yoke__child_check((const yoke_process *)handle, "watch it");
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
