/*
 * Reads and writes of streams; see uv.h for who runs them.
 *
 * Reading: libuv is told to read and left at it, for each start and stop costs system calls; only when input comes that
 * no request waits for is it stopped. A request gets what one read delivers.
 *
 * Writing: bytes go to the system directly from the caller's memory (uv_try_write). When it takes no more, a small chunk
 * is copied and left to libuv (`parked`), which says when it is written: then there is room, and the direct way goes on.
 * So a request can be cancelled at any time, and nothing of the caller's is ever lent to libuv.
 */
#include "native.h"
#include "uv.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK      ((size_t)4096)
#define MOST       ((size_t)1 << 30) /* bytes per call; libuv counts in int */
#define MOST_PARTS 8

static void pump(yoke_stream *stream, bool settle);

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
    yoke__uv_finish(request, status, native);
}

static void on_space_wanted(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    yoke_stream *stream = handle->data;
    (void)suggested;
    *out = uv_buf_init(NULL, 0); /* nobody waits: libuv then reports UV_ENOBUFS and leaves the input where it is */
    if (stream->read != NULL)
        *out = uv_buf_init(stream->read->buffer, (unsigned)stream->read->capacity);
}

static void on_read(uv_stream_t *handle, ssize_t count, const uv_buf_t *buffer)
{
    yoke_stream *stream = handle->data;
    (void)buffer;
    if (count > 0) {
        read_finish(stream, YOKE_OK, 0, (size_t)count);
    } else if (count == UV_ENOBUFS && stream->read == NULL) {
        if (stream->read_turn != stream->loop->turn) /* else libuv only looks again in the turn of the last read */
            read_stop(stream);
    } else if (count < 0) {
        stream->read_status = yoke__uv_code(count);
        stream->read_native = count == UV_EOF ? 0 : count;
        read_stop(stream);
        if (stream->read != NULL)
            read_finish(stream, stream->read_status, stream->read_native, 0);
    }
}

/* ---- the handle ---- */

/* Puts the native on the loop. */
static int handle_open(yoke_stream *stream)
{
    if (stream->opened)
        return 0;
    int status = uv_pipe_init(&stream->loop->uv, &stream->uv.pipe, 0);
    if (status < 0)
        return status;
    stream->uv.handle.data = stream;
    stream->opened = true; /* from here on the handle has to be closed */
    status = yoke__uv_native_open(&stream->uv.pipe, stream->native);
    stream->adopted = status == 0;
    return status;
}

static void run_read(yoke_stream_request *request)
{
    yoke_stream *stream = request->stream;
    int          status = handle_open(stream);
    if (stream->no_reads) {
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

/* ---- writing ---- */

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
    for (size_t i = 0; i < request->count && count < MOST_PARTS && total < MOST; i++) {
        size_t done = i == 0 ? request->capacity : 0;
        size_t size = request->parts[i].size - done;
        if (size > MOST - total)
            size = MOST - total;
        if (size == 0)
            continue;
        char *data = (char *)(uintptr_t)request->parts[i].data + done;
        buffers[count++] = uv_buf_init(data, (unsigned)size);
        total += size;
    }
    int written = count == 0 ? 0 : uv_try_write(&stream->uv.stream, buffers, count);
    return written == UV_EAGAIN ? 0 : written;
}

static void on_parked_written(uv_write_t *write, int status)
{
    yoke_stream *stream = write->data;
    stream->parked = false;
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
        stream->staging = malloc(CHUNK);
    if (stream->staging == NULL)
        return UV_ENOMEM;
    while (request->count > 0 && size < CHUNK) {
        size_t piece = request->parts->size - request->capacity;
        if (piece > CHUNK - size)
            piece = CHUNK - size;
        memcpy(stream->staging + size, (const char *)request->parts->data + request->capacity, piece);
        size += piece;
        advance(request, piece);
    }
    uv_buf_t buffer = uv_buf_init((char *)stream->staging, (unsigned)size);
    stream->write.data = stream;
    int status = uv_write(&stream->write, &stream->uv.stream, &buffer, 1, on_parked_written);
    stream->parked = status == 0;
    return status;
}

/* ---- watching for room ---- */

static void on_room_closed(uv_handle_t *handle)
{
    yoke__uv_room *room = handle->data;
    yoke_backend_current()->process->native_close(room->native);
    free(room);
}

static void room_unwatch(yoke_stream *stream)
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
    pump(stream, true);
    if (stream->room == room && (stream->parked || stream->writes == NULL))
        room_unwatch(stream);
}

/* False: no memory or descriptor, or not on this system. */
static bool room_watch(yoke_stream *stream)
{
    if (stream->room != NULL)
        return true;
    yoke__uv_room *room = calloc(1, sizeof *room);
    if (room == NULL)
        return false;
    if (yoke__uv_native_keep(&room->native, stream->native) != YOKE_OK) {
        free(room);
        return false;
    }
    if (yoke__uv_native_watch(&stream->loop->uv, &room->poll, room->native, on_room) < 0) {
        yoke_backend_current()->process->native_close(room->native);
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
    if (request->tentative && request->size == 0 && room_watch(stream))
        return 0;
    return park(stream, request);
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
        if (status == UV_ENOMEM && stream->write_status == 0)
            write_finish(stream, YOKE_ENOMEM, status);
        else if (status < 0)
            writes_fail(stream, yoke__uv_code(status), status);
    }
    if (stream->writes == NULL && !stream->parked) {
        free(stream->staging);
        stream->staging = NULL;
        room_unwatch(stream);
    }
}

void yoke__uv_retry(yoke__uv_loop *loop, bool settle)
{
    yoke_stream *stream = loop->full;
    loop->full = NULL;
    pump(stream, settle);
}

static void run_write(yoke_stream_request *request)
{
    yoke_stream *stream = request->stream;
    int          status = handle_open(stream);
    if (status < 0) {
        stream->write_status = yoke__uv_code(status);
        stream->write_native = status;
    }
    if (stream->no_writes || stream->write_status < 0) {
        yoke__uv_finish(request, stream->no_writes ? YOKE_ECLOSED : stream->write_status, stream->write_native);
        return;
    }
    advance(request, 0); /* empty parts at the start */
    yoke_stream_request **link = &stream->writes;
    while (*link != NULL)
        link = &(*link)->next;
    *link = request;
    pump(stream, !request->leading); /* a leader that goes on waiting settles it if it has to */
}

/* ---- cancelling, interrupting ---- */

/* Takes a write out of the row and finishes it. */
static void write_remove(yoke_stream *stream, yoke_stream_request *request, int status)
{
    bool                  first = stream->writes == request;
    yoke_stream_request **link = &stream->writes;
    while (*link != request)
        link = &(*link)->next;
    *link = request->next;
    request->next = NULL;
    yoke__uv_finish(request, status, 0);
    if (first && stream->writes != NULL)
        pump(stream, true); /* what waited behind it, and would wait for another reason */
    if (stream->writes == NULL)
        room_unwatch(stream);
}

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
    if (stream->read == request)
        read_finish(stream, YOKE_ETIMEDOUT, 0, 0);
    else if (is_queued(stream, request))
        write_remove(stream, request, YOKE_ETIMEDOUT);
    yoke__uv_finish(cancel, YOKE_OK, 0);
}

static void run_interrupt(yoke_stream_request *interrupt)
{
    yoke_stream *stream = interrupt->stream;
    bool         all = interrupt->count != 0;
    stream->no_reads = stream->no_writes = true;
    if (stream->read != NULL)
        read_finish(stream, YOKE_ECLOSED, 0, 0);
    for (yoke_stream_request *next, *request = stream->writes; request != NULL; request = next) {
        next = request->next;
        if (all || request->size == 0)
            write_remove(stream, request, YOKE_ECLOSED);
    }
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
    room_unwatch(stream);
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
    request->state = 0;
    request->done_at_once = request->leading = false;
    if (yoke__uv_bind(stream) == YOKE_OK) {
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
    request->capacity = capacity < MOST ? capacity : MOST;
    start(stream, request, run_read);
}

static void stream_write(yoke_stream *stream, yoke_stream_request *request, const yoke_stream_part *parts, size_t count)
{
    request->parts = parts;
    request->count = count;
    request->capacity = 0;
    start(stream, request, run_write);
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

static void stream_interrupt(yoke_stream *stream, bool all)
{
    if (yoke__uv_bound(stream))
        perform(stream, run_interrupt, NULL, all);
}

/* Takes the stream off its loop, which closes the native. */
static void leave_loop(yoke_stream *stream)
{
    perform(stream, run_close, NULL, 0);
    yoke__uv_unbind(stream);
    if (!stream->adopted || yoke__uv_native_survives(stream->native))
        yoke_backend_current()->process->native_close(stream->native);
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
    yoke_native native = stream->native;
    if (yoke__uv_bound(stream)) {
        YOKE_TRY(yoke__uv_native_keep(&native, stream->native)); /* for libuv closes its own */
        leave_loop(stream);
    } else {
        yoke__uv_forget(stream);
    }
    free(stream->staging);
    free(stream);
    *out = native;
    return YOKE_OK;
}

static yoke_native stream_native(const yoke_stream *stream)
{
    return stream->native;
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
};
