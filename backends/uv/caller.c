/*
 * Streams on loops of the caller's. Each such loop has one yoke__uv_loop, made for the first stream and gone with the
 * last; whatever runs on it runs on its thread, at once. Contracts in yoke/backend.h.
 */
#include "native.h"

#include <stdlib.h>

static yoke__mutex    mutex = YOKE__MUTEX_INIT; /* guards the list; several threads may run a loop each */
static yoke__uv_loop *loops;
static yoke__uv_loop *forgotten; /* by forks: their idle handles may still be on the child's copy of a loop */

/* ---- forks ---- */

static void before_fork(void)
{
    yoke__mutex_lock(&mutex);
}

static void after_fork_in_parent(void)
{
    yoke__mutex_unlock(&mutex);
}

static void after_fork_in_child(void)
{
    yoke__mutex_reset(&mutex);
    while (loops != NULL) {
        yoke__uv_loop *loop = loops;
        loops = loop->next;
        loop->soon = NULL;
        loop->soon_end = &loop->soon;
        loop->next = forgotten;
        forgotten = loop;
    }
}

/* ---- soon ---- */

/* Requests that are added meanwhile come in the next round. */
static void on_idle(uv_idle_t *idle)
{
    yoke__uv_loop *loop = idle->data;
    size_t         count = 0;
    (void)uv_idle_stop(idle);
    for (const yoke_stream_request *request = loop->soon; request != NULL; request = request->next)
        count++;
    for (; count > 0 && loop->soon != NULL; count--) {
        yoke_stream_request *request = loop->soon;
        loop->soon = request->next;
        if (loop->soon == NULL)
            loop->soon_end = &loop->soon;
        request->next = NULL;
        request->done(request);
    }
}

void yoke__uv_soon(yoke_stream *stream, yoke_stream_request *request)
{
    yoke__uv_loop *loop = stream->loop;
    request->stream = stream;
    request->next = NULL;
    *loop->soon_end = request;
    loop->soon_end = &request->next;
    (void)uv_idle_start(&loop->idle, on_idle);
}

static void soon_forget(yoke__uv_loop *loop, const yoke_stream *stream)
{
    yoke_stream_request **link = &loop->soon;
    while (*link != NULL) {
        if ((*link)->stream == stream)
            *link = (*link)->next;
        else
            link = &(*link)->next;
    }
    loop->soon_end = link;
}

/* ---- the loop ---- */

/* NULL: no memory, noted. */
static yoke__uv_loop *loop_new(uv_loop_t *at)
{
    yoke__uv_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        (void)yoke_backend_fail(YOKE_ENOMEM, 0, "no memory for a stream on an event loop");
        return NULL;
    }
    loop->at = at;
    loop->soon_end = &loop->soon;
    (void)uv_idle_init(at, &loop->idle);
    loop->idle.data = loop;
    yoke__uv_quiet_hold();
    loop->next = loops;
    loops = loop;
    return loop;
}

/* With one stream more; or NULL and noted. */
static yoke__uv_loop *loop_of(uv_loop_t *at)
{
    yoke__fork_hook_add(before_fork, after_fork_in_parent, after_fork_in_child);
    yoke__mutex_lock(&mutex);
    yoke__uv_loop *loop = loops;
    while (loop != NULL && loop->at != at)
        loop = loop->next;
    if (loop == NULL)
        loop = loop_new(at);
    if (loop != NULL)
        loop->streams++;
    yoke__mutex_unlock(&mutex);
    return loop;
}

static void on_idle_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* One stream less; the last one takes the loop's idle handle with it. */
static void loop_drop(yoke__uv_loop *loop)
{
    yoke__mutex_lock(&mutex);
    bool last = --loop->streams == 0;
    if (last) {
        yoke__uv_loop **link = &loops;
        while (*link != loop)
            link = &(*link)->next;
        *link = loop->next;
    }
    yoke__mutex_unlock(&mutex);
    if (!last)
        return;
    yoke__uv_quiet_drop();
    uv_close((uv_handle_t *)&loop->idle, on_idle_closed);
}

/* ---- streams ---- */

int yoke__uv_attach(yoke_stream *stream, void *loop)
{
    if (yoke__uv_bound(stream) && yoke__uv_is_callers(stream->loop))
        return yoke_backend_fail(YOKE_EBUSY, 0, "the stream is on an event loop already");
    yoke__uv_loop *callers = loop_of(loop);
    if (callers == NULL)
        return YOKE_ENOMEM;
    int rc = yoke__uv_bound(stream) ? yoke__uv_unprivate(stream) : YOKE_OK;
    if (rc < 0) {
        loop_drop(callers);
        return rc;
    }
    yoke__uv_bind_to(stream, callers);
    int status = yoke__uv_handle_open(stream);
    if (status < 0 && !stream->opened) {
        yoke__a32_store_release(&stream->bound, 0);
        loop_drop(callers);
        return yoke_backend_fail(yoke__uv_code(status), status, "the event loop can't take it: %s",
                                 uv_strerror(status));
    }
    if (status < 0) { /* a handle on a loop can't be taken back at once: its reads and writes tell */
        stream->read_status = stream->write_status = yoke__uv_code(status);
        stream->read_native = stream->write_native = status;
    }
    return YOKE_OK;
}

/* What libuv has of the stale one stays as it is: the child's copy of the loop has it in its lists. */
yoke_stream *yoke__uv_renew(yoke_stream *stale)
{
    static yoke_stream *kept; /* for those who look for lost memory */
    yoke_stream        *fresh = calloc(1, sizeof *fresh);
    if (stale->room != NULL)
        yoke_backend_current()->process->native_close(stale->room->native); /* or the end would stay open here */
    yoke__uv_carry_forget(stale);
    stale->left_user = kept;
    kept = stale;
    if (fresh == NULL)
        return NULL;
    fresh->native = stale->native;
    fresh->flags = stale->flags;
    return fresh;
}

static void on_closed(uv_handle_t *handle)
{
    yoke_stream *stream = handle->data;
    if (!stream->adopted || yoke__uv_native_survives(stream))
        yoke_backend_current()->process->native_close(stream->native);
    void (*left)(void *user) = stream->left;
    void *user = stream->left_user;
    free(stream->staging);
    free(stream);
    left(user);
}

static void leave_writes(yoke_stream *stream)
{
    yoke_stream_request *request;
    while ((request = stream->writes) != NULL) {
        stream->writes = request->next;
        request->next = NULL;
        request->status = YOKE_ECLOSED;
        request->native = 0;
        request->done(request);
    }
}

void yoke__uv_leave(yoke_stream *stream, void (*left)(void *user), void *user)
{
    yoke__uv_loop *loop = stream->loop;
    stream->left = left;
    stream->left_user = user;
    stream->read = NULL;
    leave_writes(stream);
    soon_forget(loop, stream);
    yoke__uv_room_unwatch(stream);
    yoke__uv_carry_end(stream);
    uv_close(&stream->uv.handle, on_closed);
    loop_drop(loop);
}
