#include "lookout.h"

#include "../backend.h"
#include "../error.h"

#include <stdlib.h>

static void on_turn(void *user, bool readable)
{
    yoke__lookout *lookout = user;
    lookout->turn(lookout->user, readable);
}

static void on_left(void *user)
{
    yoke__lookout *lookout = user;
    void (*left)(void *user) = lookout->left;
    void *left_user = lookout->user;
    free(lookout);
    if (left != NULL)
        left(left_user);
}

void yoke__lookout_close(yoke__lookout *lookout, void (*left)(void *user))
{
    lookout->left = left;
    yoke__backend()->loop->leave(lookout->guest, on_left);
    yoke__lookout_forget(lookout); /* now: a fork before the loop's next round is not to find it */
}

int yoke__lookout_open(yoke__lookout **out, void *loop, yoke_native native, yoke_loop_turn *turn, void *user)
{
    const yoke_backend *backend = yoke__backend();
    if (backend->loop == NULL || backend->loop->want == NULL)
        return yoke__fail(YOKE_ENOTSUP, "the backend '%s' can't watch sockets from an event loop", backend->name);
    yoke__lookout *lookout = calloc(1, sizeof *lookout);
    if (lookout == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory to watch a socket");
    lookout->turn = turn;
    lookout->user = user;
    int rc = backend->process->native_duplicate(&lookout->native, native);
    if (rc == YOKE_OK) {
        rc = backend->loop->enter(&lookout->guest, loop, lookout->native, on_turn, lookout);
        if (rc < 0)
            backend->process->native_close(lookout->native);
    }
    if (rc < 0) {
        free(lookout);
        return rc;
    }
    rc = backend->loop->want(lookout->guest, YOKE_STREAM_READ);
    if (rc < 0)
        yoke__lookout_close(lookout, NULL);
    else
        *out = lookout;
    return rc;
}

void yoke__lookout_want(yoke__lookout *lookout, uint32_t what)
{
    (void)yoke__backend()->loop->want(lookout->guest, what); /* it could at first */
}

void yoke__lookout_at(yoke__lookout *lookout, yoke__deadline when)
{
    if (when != INT64_MAX)
        yoke__backend()->loop->again(lookout->guest, yoke__deadline_left(when, INT64_MAX));
}

void yoke__lookout_forget(yoke__lookout *lookout)
{
    if (lookout->native != YOKE_NO_NATIVE)
        yoke__backend()->process->native_close(lookout->native);
    lookout->native = YOKE_NO_NATIVE;
}
