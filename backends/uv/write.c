/*
 * Writing. Bytes go to the system directly from the caller's memory (uv_try_write). When it takes no more, a small chunk
 * is copied and left to libuv (`parked`), which says when it is written: then there is room, and the direct way goes on.
 * So a request can be cancelled at any time, and nothing of the caller's is ever lent to libuv. A tentative request that
 * hasn't moved a byte isn't parked: then the native is watched for room (`room`). Where that can't be, it is parked, and
 * called back when it is cancelled.
 */
#include "native.h"

#include <stdlib.h>
#include <string.h>

#define MOST_PARTS 8

static void pump(yoke_stream *stream, bool settle);

/* Goes on by `size` bytes in the request's parts. request->size counts all; request->capacity what is done of the part
 * in turn. */
static void advance(yoke_stream_request *request, size_t size)
{
    request->size += size;
    while (request->count > 0 && size >= request->parts->size - request->capacity) {
        size -= request->parts->size - request->capacity;
        request->parts++;
        request->count--;
        request->capacity = 0;
    }
    request->capacity += size;
}

static void write_finish(yoke_stream *stream, int status, int64_t native)
{
    yoke_stream_request *request = stream->writes;
    stream->writes = request->next;
    request->next = NULL;
    yoke__uv_carry_end(stream);
    yoke__uv_finish(request, status, native);
}

/* The stream takes no more: every write is done with that. */
static void writes_fail(yoke_stream *stream, int status, int64_t native)
{
    stream->write_status = status;
    stream->write_native = native;
    while (stream->writes != NULL)
        write_finish(stream, status, native);
}

/* Gives the system as much of a request as it takes now. Number of bytes, or a libuv status. */
static int64_t write_directly(yoke_stream *stream, const yoke_stream_request *request)
{
    uv_buf_t buffers[MOST_PARTS];
    unsigned count = 0;
    size_t   total = 0;
    for (size_t i = 0; i < request->count && count < MOST_PARTS && total < YOKE__UV_MOST; i++) {
        size_t done = i == 0 ? request->capacity : 0;
        size_t size = request->parts[i].size - done;
        if (size > YOKE__UV_MOST - total)
            size = YOKE__UV_MOST - total;
        if (size == 0)
            continue;
        char *data = (char *)(uintptr_t)request->parts[i].data + done;
        buffers[count++] = uv_buf_init(data, (unsigned)size);
        total += size;
    }
    int written = 0;
    if (request->carries != YOKE_NO_NATIVE && request->size == 0)
        written = yoke__uv_carry_out(stream, request->carries, buffers, count);
    else if (count > 0)
        written = yoke__uv_native_write(stream, buffers, count);
    return written == UV_EAGAIN ? 0 : written;
}

/* What was called back is decided: it was not written at all, or all of it was. */
static void undone(yoke_stream *stream, yoke_stream_request *request, int status)
{
    yoke_stream_request *waiters = stream->undoing;
    stream->undoing = NULL;
    if (status < 0)
        request->size = 0;
    bool whole = request->count == 0 && status == 0;
    yoke__uv_write_remove(stream, request, whole ? YOKE_OK : stream->undo_status);
    while (waiters != NULL) {
        yoke_stream_request *waiter = waiters;
        waiters = waiter->next;
        waiter->next = NULL;
        yoke__uv_finish(waiter, YOKE_OK, 0);
    }
}

static void on_parked_written(uv_write_t *write, int status)
{
    yoke_stream         *stream = write->data;
    yoke_stream_request *request = stream->parked_from;
    stream->parked = false;
    stream->parked_from = NULL;
    if (stream->undoing != NULL && (status == UV_ECANCELED || status == 0)) {
        undone(stream, request, status);
        return;
    }
    if (status == UV_ECANCELED)
        return; /* the handle is being closed */
    if (status < 0)
        writes_fail(stream, yoke__uv_code(status), status);
    else
        pump(stream, true);
}

/* Copies the next bytes of a request and leaves them to libuv. A libuv status. */
static int park(yoke_stream *stream, yoke_stream_request *request)
{
    size_t size = 0;
    if (stream->staging == NULL)
        stream->staging = malloc(YOKE__UV_CHUNK);
    if (stream->staging == NULL)
        return UV_ENOMEM;
    while (request->count > 0 && size < YOKE__UV_CHUNK) {
        size_t piece = request->parts->size - request->capacity;
        if (piece > YOKE__UV_CHUNK - size)
            piece = YOKE__UV_CHUNK - size;
        memcpy(stream->staging + size, (const char *)request->parts->data + request->capacity, piece);
        size += piece;
        advance(request, piece);
    }
    uv_buf_t buffer = uv_buf_init((char *)stream->staging, (unsigned)size);
    stream->write.data = stream;
    int status = uv_write(&stream->write, &stream->uv.stream, &buffer, 1, on_parked_written);
    stream->parked = status == 0;
    stream->parked_from = request;
    stream->parked_size = size;
    return status;
}

bool yoke__uv_write_undo(yoke_stream *stream, yoke_stream_request *request, int status, yoke_stream_request *waiter)
{
    if (!stream->parked || stream->parked_from != request || !request->tentative ||
        request->size != stream->parked_size)
        return false;
    if (stream->undoing == NULL) {
        if (!yoke__uv_native_unwrite(stream))
            return false;
        stream->undo_status = status;
    }
    waiter->next = stream->undoing;
    stream->undoing = waiter;
    return true;
}

/* ---- watching for room ---- */

static void on_room_closed(uv_handle_t *handle)
{
    yoke__uv_room *room = handle->data;
    yoke__uv_room_closed(room);
    free(room);
}

void yoke__uv_room_unwatch(yoke_stream *stream)
{
    yoke__uv_room *room = stream->room;
    stream->room = NULL;
    if (room != NULL)
        uv_close((uv_handle_t *)&room->poll, on_room_closed);
}

static void on_room(uv_poll_t *poll, int status, int events)
{
    yoke__uv_room *room = poll->data;
    yoke_stream   *stream = room->stream;
    (void)status; /* an error shows itself in the next write */
    (void)events;
    if (!yoke__uv_bound(stream)) { /* a forked child's copy of a loop */
        (void)uv_poll_stop(poll);
        return;
    }
    bool callers = yoke__uv_is_callers(stream->loop); /* else whoever leads is quiet */
    if (callers)
        yoke__uv_quiet_begin();
    pump(stream, true);
    if (callers)
        yoke__uv_quiet_end();
    if (stream->room == room && (stream->parked || stream->writes == NULL))
        yoke__uv_room_unwatch(stream);
}

/* False: no memory or descriptor, or not on this system. */
static bool room_watch(yoke_stream *stream)
{
    if (stream->room != NULL)
        return true;
    yoke__uv_room *room = calloc(1, sizeof *room);
    if (room == NULL)
        return false;
    if (yoke__uv_room_open(room, stream, on_room) < 0) {
        free(room);
        return false;
    }
    room->poll.data = room;
    room->stream = stream;
    stream->room = room;
    return true;
}

/* The system takes no more of a request for now: has libuv tell when it does. A libuv status. */
static int wait_for_room(yoke_stream *stream, yoke_stream_request *request)
{
    bool carries = request->carries != YOKE_NO_NATIVE && request->size == 0; /* which is not for copying */
    bool never = yoke__uv_is_callers(stream->loop); /* what libuv writes by itself there may raise SIGPIPE */
    if ((never || ((request->tentative || carries) && request->size == 0)) && room_watch(stream))
        return 0;
    return carries ? UV_ENOMEM : park(stream, request);
}

/* A stream that has nothing to write needs nothing for it. */
static void rest(yoke_stream *stream)
{
    if (stream->writes != NULL)
        return;
    yoke__uv_room_unwatch(stream);
    if (stream->parked)
        return;
    free(stream->staging);
    stream->staging = NULL;
}

/* Writes on until the system takes no more. Then, if the leader has time to try again soon, that is up to it. */
static void pump(yoke_stream *stream, bool settle)
{
    while (stream->writes != NULL && !stream->parked) {
        yoke_stream_request *request = stream->writes;
        int64_t              status = write_directly(stream, request);
        if (status > 0)
            advance(request, (size_t)status);
        if (status >= 0 && request->count > 0 && !settle) {
            stream->loop->full = stream;
            return;
        }
        if (status >= 0 && request->count > 0) {
            status = wait_for_room(stream, request);
            if (status == 0)
                return;
        } else if (status >= 0) {
            write_finish(stream, YOKE_OK, 0);
        }
        if (status == UV_ENOMEM && request->size == 0 && stream->write_status == 0)
            write_finish(stream, YOKE_ENOMEM, status);
        else if (status < 0)
            writes_fail(stream, yoke__uv_code(status), status);
    }
    rest(stream);
}

void yoke__uv_retry(yoke__uv_loop *loop, bool settle)
{
    yoke_stream *stream = loop->full;
    loop->full = NULL;
    pump(stream, settle);
}

void yoke__uv_run_write(yoke_stream_request *request)
{
    yoke_stream *stream = request->stream;
    int          status = yoke__uv_handle_open(stream);
    if (status < 0) {
        stream->write_status = yoke__uv_code(status);
        stream->write_native = status;
    }
    bool interrupted = yoke__a32_load_acquire(&stream->interrupted) >=
                       (request->wait_next ? YOKE__UV_STOP : YOKE__UV_STOP_ALL);
    if (interrupted || stream->write_status < 0) {
        yoke__uv_finish(request, interrupted ? YOKE_ECLOSED : stream->write_status, stream->write_native);
        return;
    }
    advance(request, 0); /* empty parts at the start */
    yoke_stream_request **link = &stream->writes;
    while (*link != NULL)
        link = &(*link)->next;
    *link = request;
    pump(stream, !request->leading); /* a leader that goes on waiting settles it if it has to */
}

void yoke__uv_write_remove(yoke_stream *stream, yoke_stream_request *request, int status)
{
    bool                  first = stream->writes == request;
    yoke_stream_request **link = &stream->writes;
    while (*link != request)
        link = &(*link)->next;
    *link = request->next;
    request->next = NULL;
    if (stream->parked_from == request)
        stream->parked_from = NULL;
    if (first)
        yoke__uv_carry_end(stream);
    yoke__uv_finish(request, status, 0);
    if (first && stream->writes != NULL)
        pump(stream, true); /* what waited behind it, and would wait for another reason */
    rest(stream);
}
