/*
 * A look at a native from an event loop of the caller's: a guest of the loop (yoke_loop_ops) on a duplicate of the native.
 * So the native itself may be closed, or given to a connection on the same loop, at any time. By the loop's thread.
 */
#ifndef YOKE_CORE_CONNECTION_LOOKOUT_H
#define YOKE_CORE_CONNECTION_LOOKOUT_H

#include "../wait/deadline.h"

#include <yoke/backend.h>

typedef struct yoke__lookout {
    yoke_loop_guest *guest;
    yoke_native      native;
    yoke_loop_turn  *turn;
    void            *user;
    void (*left)(void *user);
} yoke__lookout;

/* turn(user, ...) is called by the loop while the native is readable. YOKE_ENOMEM; YOKE_ENOTSUP. */
int yoke__lookout_open(yoke__lookout **out, void *loop, yoke_native native, yoke_loop_turn *turn, void *user);
/* What it looks for from now on: YOKE_STREAM_READ, YOKE_STREAM_WRITE; 0: only the time. */
void yoke__lookout_want(yoke__lookout *lookout, uint32_t what);
/* turn(user, false) once at that time; INT64_MAX: leaves it as it was. */
void yoke__lookout_at(yoke__lookout *lookout, yoke__deadline when);
/* No turn any more; freed by the loop later, which then calls left(user). left NULL: nobody wants to know. */
void yoke__lookout_close(yoke__lookout *lookout, void (*left)(void *user));
/* Closes the duplicate. For a forked child: what else there is belongs to the parent's loop. */
void yoke__lookout_forget(yoke__lookout *lookout);

#endif
