/* A start as it is sent to the forkserver: what the child would have had from this process by a fork of its own. */
#include "forkserver.h"

#include "../backend.h"
#include "../error.h"

#include <stdlib.h>
#include <string.h>

void yoke__server_parcel_free(yoke__server_parcel *it)
{
    while (it->own_count > 0)
        yoke__backend()->process->native_close(it->own[--it->own_count]);
    free(it->bytes);
}

/* The natives 0 to 2 are the standard ones. One that is closed is the null device for the child. */
static int add_stdio(yoke__server_parcel *to, int number, yoke_native target)
{
    if (target == YOKE_STDIO_INHERIT) {
        int rc = yoke__backend()->process->native_duplicate(&target, number);
        if (rc == YOKE_ENOMEM)
            return rc;
        if (rc == YOKE_OK)
            to->own[to->own_count++] = target;
        else
            target = YOKE_STDIO_NULL;
    }
    to->header.stdio[number] = target == YOKE_STDIO_NULL ? YOKE_STDIO_NULL : (int32_t)to->native_count;
    if (target != YOKE_STDIO_NULL)
        to->natives[to->native_count++] = target;
    return YOKE_OK;
}

static int add_natives(yoke__server_parcel *to, const yoke__start_request *request)
{
    const yoke_launch *launch = request->launch;
    const yoke_native *others = request->spawn ? launch->inherit : request->natives;
    size_t             count = request->spawn ? launch->inherit_count : request->native_count;

    if (count > YOKE__START_NATIVES + 2)
        return yoke__fail(YOKE_EMSGSIZE, "a start carries at most %d connections, not %zu", YOKE__START_NATIVES, count);
    for (int i = 0; i < 3; i++)
        YOKE_TRY(add_stdio(to, i, launch->stdio[i]));
    to->header.lifeline = -1;
    if (!request->spawn && request->lifeline != YOKE_NO_NATIVE) {
        to->header.lifeline = (int32_t)to->native_count;
        to->natives[to->native_count++] = request->lifeline;
    }
    to->header.others = (uint32_t)to->native_count;
    for (size_t i = 0; i < count; i++)
        to->natives[to->native_count++] = others[i];
    return YOKE_OK;
}

int yoke__server_parcel_init(yoke__server_parcel *out, const yoke__start_request *request)
{
    const yoke_process_ops *process = yoke__backend()->process;
    uint8_t                 traits[YOKE_TRAITS_SIZE];
    yoke_launch             launch = *request->launch;
    size_t                  size = 0;
    int                     rc;

    memset(&out->header, 0, sizeof out->header);
    out->bytes = NULL;
    out->native_count = out->own_count = 0;
    out->header.magic = YOKE__SERVER_MAGIC;
    out->header.size = sizeof out->header;
    out->header.spawn = request->spawn;
    out->header.message = *request->message;
    YOKE_TRY(process->traits_get(traits, sizeof traits, &launch.traits_size));
    launch.traits = traits;
    if (!launch.environment)
        launch.environment = process->environment();
    YOKE_TRY(yoke__server_pack(&out->bytes, &size, sizeof out->header, &launch));
    out->header.packed = (uint32_t)size;
    rc = add_natives(out, request);
    if (rc < 0)
        yoke__server_parcel_free(out);
    return rc;
}
