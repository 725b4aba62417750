/* The public face of watches on event loops (yoke/uv.h). */
#include "../backend.h"
#include "../error.h"
#include "hub.h"

static int watch(yoke_watch **out, void *handle, yoke__kind kind, yoke__what what, struct uv_loop_s *loop,
                 yoke_watch_fn *fn, void *user)
{
    if (!out || !loop || !fn)
        return yoke__fail(YOKE_EINVAL, "%s of a watch is NULL", !out ? "out" : !loop ? "the loop" : "the function");
    if (!yoke__backend()->loop)
        return yoke__fail(YOKE_ENOTSUP, "the backend '%s' can't watch from an event loop", yoke__backend()->name);
    const yoke__watchable *type = yoke__watchable_check(handle, kind, what);
    if (!type)
        return yoke_last_error()->code;
    return yoke__hub_watch(out, handle, type, what, loop, fn, user);
}

int yoke_queue_watch(yoke_watch **out, yoke_queue *queue, struct uv_loop_s *loop, yoke_watch_fn *fn, void *user)
{
    return watch(out, queue, YOKE__KIND_QUEUE, YOKE__READABLE, loop, fn, user);
}

int yoke_queue_watch_writable(yoke_watch **out, yoke_queue *queue, struct uv_loop_s *loop, yoke_watch_fn *fn,
                              void *user)
{
    return watch(out, queue, YOKE__KIND_QUEUE, YOKE__WRITABLE, loop, fn, user);
}

int yoke_process_watch(yoke_watch **out, yoke_process *process, struct uv_loop_s *loop, yoke_watch_fn *fn, void *user)
{
    return watch(out, process, YOKE__KIND_PROCESS, YOKE__ENDED, loop, fn, user);
}

int yoke_event_watch(yoke_watch **out, yoke_event *event, struct uv_loop_s *loop, yoke_watch_fn *fn, void *user)
{
    return watch(out, event, YOKE__KIND_EVENT, YOKE__SET, loop, fn, user);
}

int yoke_semaphore_watch(yoke_watch **out, yoke_semaphore *semaphore, struct uv_loop_s *loop, yoke_watch_fn *fn,
                         void *user)
{
    return watch(out, semaphore, YOKE__KIND_SEMAPHORE, YOKE__AVAILABLE, loop, fn, user);
}
