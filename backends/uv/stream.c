/*
 * Streams: reading, and the operations of yoke_stream_ops; writing is in write.c. See uv.h for who runs them.
 *
 * Reading: libuv is told to read and left at it, for each start and stop costs system calls; only when input comes that
 * no request waits for is it stopped. A request gets what one read delivers.
 */
#include "native.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static void read_stop(yoke_stream *stream)
{
    (void)uv_read_stop(&stream->uv.stream);
    stream->reading = false;
}

static void read_finish(yoke_stream *stream, int status, int64_t native, size_t size)
{
    yoke_stream_request *request = stream->read;
    stream->read = NULL;
    stream->read_turn = stream->loop->turn;
    request->size = size;
    request->arrived = size > 0 ? yoke__uv_carry_in(stream) : YOKE_NO_NATIVE;
    yoke__uv_finish(request, status, native);
}

static void on_space_wanted(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    yoke_stream *stream = handle->data;
    (void)suggested;
    *out = uv_buf_init(NULL, 0); /* nobody waits: libuv then reports UV_ENOBUFS and leaves the input where it is */
    yoke_stream_request *request = yoke__uv_bound(stream) ? stream->read : NULL;
    if (request == NULL)
        return;
    void *buffer = request->buffer;
    if (buffer == NULL)
        buffer = request->space(request, &request->capacity);
    if (buffer != NULL)
        *out = uv_buf_init(buffer, (unsigned)(request->capacity < YOKE__UV_MOST ? request->capacity : YOKE__UV_MOST));
}

/* Memory that was had for input is not used after all, or there was none. */
static void on_no_input(yoke_stream *stream, bool memory)
{
    yoke_stream_request *request = stream->read;
    if (memory && request->buffer == NULL)
        (void)request->space(request, NULL);
    if (memory)
        return;
    read_stop(stream);
    read_finish(stream, YOKE_ENOMEM, 0, 0);
}

static void on_read(uv_stream_t *handle, ssize_t count, const uv_buf_t *buffer)
{
    yoke_stream *stream = handle->data;
    (void)buffer;
    if (count > 0) {
        read_finish(stream, YOKE_OK, 0, (size_t)count);
    } else if (count == UV_ENOBUFS && (stream->read == NULL || !yoke__uv_bound(stream))) {
        /* On the private loop libuv only looks again in the turn of the last read. */
        if (yoke__uv_is_callers(stream->loop) || stream->read_turn != stream->loop->turn)
            read_stop(stream);
    } else if (stream->read != NULL && (count == 0 || count == UV_ENOBUFS)) {
        on_no_input(stream, count == 0);
    } else if (count < 0) {
        stream->read_status = yoke__uv_code(count);
        stream->read_native = count == UV_EOF ? 0 : count;
        read_stop(stream);
        if (stream->read != NULL)
            read_finish(stream, stream->read_status, stream->read_native, 0);
    }
}

/* ---- the handle ---- */

int yoke__uv_handle_open(yoke_stream *stream)
{
    if (stream->opened)
        return 0;
    int status = yoke__uv_native_open(stream);
    if (stream->opened)
        stream->uv.handle.data = stream;
    stream->adopted = status == 0;
    return status;
}

static void run_read(yoke_stream_request *request)
{
    yoke_stream *stream = request->stream;
    int          status = yoke__uv_handle_open(stream);
    if (yoke__a32_load_acquire(&stream->interrupted)) {
        yoke__uv_finish(request, YOKE_ECLOSED, 0);
    } else if (status < 0 || stream->read_status < 0) {
        stream->read_status = status < 0 ? yoke__uv_code(status) : stream->read_status;
        stream->read_native = status < 0 ? status : stream->read_native;
        yoke__uv_finish(request, stream->read_status, stream->read_native);
    } else {
        stream->read = request;
        if (stream->reading)
            return;
        status = uv_read_start(&stream->uv.stream, on_space_wanted, on_read);
        stream->reading = status == 0;
        if (status < 0)
            read_finish(stream, yoke__uv_code(status), status, 0);
    }
}

/* ---- cancelling, interrupting ---- */

static bool is_queued(const yoke_stream *stream, const yoke_stream_request *request)
{
    const yoke_stream_request *r = stream->writes;
    while (r != NULL && r != request)
        r = r->next;
    return r != NULL;
}

static void run_cancel(yoke_stream_request *cancel)
{
    yoke_stream         *stream = cancel->stream;
    yoke_stream_request *request = cancel->user;
    bool                 queued = is_queued(stream, request);
    if (queued && yoke__uv_write_undo(stream, request, YOKE_ETIMEDOUT, cancel))
        return;
    if (stream->read == request)
        read_finish(stream, YOKE_ETIMEDOUT, 0, 0);
    else if (queued)
        yoke__uv_write_remove(stream, request, YOKE_ETIMEDOUT);
    yoke__uv_finish(cancel, YOKE_OK, 0);
}

static void run_interrupt(yoke_stream_request *interrupt)
{
    yoke_stream *stream = interrupt->stream;
    bool         all = interrupt->count != 0, later = false;
    if (stream->read != NULL)
        read_finish(stream, YOKE_ECLOSED, 0, 0);
    for (yoke_stream_request *next, *request = stream->writes; request != NULL; request = next) {
        next = request->next;
        if (request->wait_next && !later && yoke__uv_write_undo(stream, request, YOKE_ECLOSED, interrupt))
            later = true;
        else if (all || (request->size == 0 && request->wait_next))
            yoke__uv_write_remove(stream, request, YOKE_ECLOSED);
    }
    if (!later)
        yoke__uv_finish(interrupt, YOKE_OK, 0);
}

static void on_closed(uv_handle_t *handle)
{
    yoke_stream *stream = handle->data;
    yoke__uv_finish(stream->closing, YOKE_OK, 0);
}

static void run_close(yoke_stream_request *close)
{
    yoke_stream *stream = close->stream;
    stream->closing = close;
    yoke__uv_room_unwatch(stream);
    yoke__uv_carry_end(stream);
    if (stream->opened)
        uv_close(&stream->uv.handle, on_closed);
    else
        yoke__uv_finish(close, YOKE_OK, 0);
}

/* ---- the slots ---- */

static int stream_open(yoke_stream **out, yoke_native native, uint32_t flags)
{
    yoke_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return yoke_backend_fail(YOKE_ENOMEM, 0, "no memory for a stream");
    stream->native = native;
    stream->flags = flags;
    *out = stream;
    return YOKE_OK;
}

/* Fills in a request and runs it on the loop. */
static void start(yoke_stream *stream, yoke_stream_request *request, void (*run)(yoke_stream_request *request))
{
    request->run = run;
    request->stream = stream;
    request->next = NULL;
    request->waiter = NULL;
    request->size = 0;
    request->arrived = YOKE_NO_NATIVE;
    request->state = 0;
    request->done_at_once = request->leading = false;
    if (yoke__uv_bind(stream) == YOKE_OK) {
        yoke__fence_seq_cst(); /* see stream_interrupt() */
        yoke__uv_submit(request);
        return;
    }
    const yoke_error *error = yoke_last_error();
    request->status = error->code;
    request->native = error->native;
    request->done_at_once = true;
    if (request->done != NULL)
        request->done(request);
}

static void stream_read(yoke_stream *stream, yoke_stream_request *request, void *buffer, size_t capacity)
{
    request->buffer = buffer;
    request->capacity = capacity < YOKE__UV_MOST ? capacity : YOKE__UV_MOST;
    start(stream, request, run_read);
}

static void stream_write_with(yoke_stream *stream, yoke_stream_request *request, const yoke_stream_part *parts,
                              size_t count, yoke_native native)
{
    request->parts = parts;
    request->count = count;
    request->capacity = 0;
    request->carries = native;
    start(stream, request, yoke__uv_run_write);
}

static void stream_write(yoke_stream *stream, yoke_stream_request *request, const yoke_stream_part *parts, size_t count)
{
    stream_write_with(stream, request, parts, count, YOKE_NO_NATIVE);
}

/* Runs something on the loop of a bound stream and waits for it. */
static void perform(yoke_stream *stream, void (*run)(yoke_stream_request *request), void *user, size_t count)
{
    yoke_stream_request request;
    memset(&request, 0, sizeof request);
    request.user = user;
    request.count = count;
    request.wait_next = true;
    start(stream, &request, run);
    while (yoke__uv_wait(&request, INT64_MAX) != YOKE_OK)
        continue;
}

static void stream_cancel(yoke_stream_request *request)
{
    if (!request->done_at_once)
        perform(request->stream, run_cancel, request, 0);
}

/* Who starts a request binds first and looks at `interrupted` after that; here it is the other way round. So with full
 * fences on both sides either the request sees the interruption, or this sees the loop it is on. */
static void stream_interrupt(yoke_stream *stream, bool all)
{
    yoke__a32_store_release(&stream->interrupted, all ? YOKE__UV_STOP_ALL : YOKE__UV_STOP);
    yoke__fence_seq_cst();
    if (yoke__uv_bound(stream))
        perform(stream, run_interrupt, NULL, all);
}

/* Takes the stream off its loop, which closes the native. */
static void leave_loop(yoke_stream *stream)
{
    perform(stream, run_close, NULL, 0);
    yoke__uv_unbind(stream);
    if (!stream->adopted || yoke__uv_native_survives(stream))
        yoke_backend_current()->process->native_close(stream->native);
}

int yoke__uv_unprivate(yoke_stream *stream)
{
    yoke_native native;
    YOKE_TRY(yoke__uv_native_keep(&native, stream->native)); /* for libuv closes its own */
    leave_loop(stream);
    stream->native = native;
    return YOKE_OK;
}

static void stream_close(yoke_stream *stream)
{
    if (yoke__uv_bound(stream)) {
        leave_loop(stream);
    } else {
        yoke__uv_forget(stream);
        yoke_backend_current()->process->native_close(stream->native);
    }
    free(stream->staging);
    free(stream);
}

static int stream_take(yoke_native *out, yoke_stream *stream)
{
    if (yoke__uv_bound(stream))
        YOKE_TRY(yoke__uv_unprivate(stream));
    else
        yoke__uv_forget(stream);
    *out = stream->native;
    free(stream->staging);
    free(stream);
    return YOKE_OK;
}

static yoke_native stream_native(const yoke_stream *stream)
{
    return stream->native;
}

static bool stream_carries(const yoke_stream *stream)
{
    return yoke__uv_native_carries(stream->native);
}

const yoke_stream_ops yoke__uv_streams = {
    .struct_size = sizeof(yoke_stream_ops),
    .pair = yoke__uv_native_pair,
    .open = stream_open,
    .read = stream_read,
    .write = stream_write,
    .wait = yoke__uv_wait,
    .cancel = stream_cancel,
    .interrupt = stream_interrupt,
    .close = stream_close,
    .take = stream_take,
    .native = stream_native,
    .carries = stream_carries,
    .write_with = stream_write_with,
    .attach = yoke__uv_attach,
    .leave = yoke__uv_leave,
    .soon = yoke__uv_soon,
    .renew = yoke__uv_renew,
};
