/*
 * Frames in. One read takes what is there, up to the size of the buffer, so that many small messages cost one call into
 * the system. What is missing of a large message is read straight to where it belongs; after one, only a little is read
 * ahead, since the next will likely be large too and copying it costs more than another read.
 */
#include "conn.h"
#include "on_loop.h"

#include "../backend.h"
#include "../error.h"
#include "../message/message.h"

#include <stdlib.h>
#include <string.h>

#define DIRECT ((size_t)16 * 1024) /* so much missing is worth a read past the buffer */
#define LITTLE ((size_t)512)
#define GROWTH 4                     /* of an owned message whose header claims much */
#define CLAIM  ((size_t)1024 * 1024) /* what a header is believed at once */

static size_t buffered(const yoke__conn *conn)
{
    return conn->tail - conn->head;
}

/* ---- reading ---- */

/* The stream has ended; a clean end lies between messages. A pair's end that was closed with messages unread says
 * "reset" after all that it sent: no loss for this side. */
static int ended(const yoke__conn *conn, const yoke_stream_request *request)
{
    bool between = buffered(conn) == 0 && !conn->in_frame && conn->dropping == 0;
    if (request->status == YOKE_ECLOSED)
        return yoke__fail(YOKE_ECLOSED, "connection: it was closed by another thread");
    if (request->status != YOKE_EEOF && request->status != YOKE_EBROKEN)
        return yoke_backend_fail(request->status, request->native, "connection: receiving failed");
    bool cut_off = request->status == YOKE_EBROKEN && (conn->flags & YOKE__CONN_REMOTE) != 0;
    if (between && cut_off)
        return yoke_backend_fail(YOKE_EBROKEN, request->native,
                                 "connection: the other end cut it off, and what it sent last may be lost");
    if (between)
        return yoke_backend_fail(YOKE_EEOF, request->native, "connection: the other end is closed");
    return yoke_backend_fail(YOKE_EBROKEN, request->native,
                             "connection: the other end is gone in the midst of a message");
}

/* Counts what was read, and keeps what came along. Number of bytes. */
static size_t take_read(yoke__conn *conn, const yoke_stream_request *request)
{
    conn->came += request->size;
    if (request->arrived != YOKE_NO_NATIVE)
        yoke__luggage_add(conn, request->arrived, conn->came - request->size, conn->came);
    return request->size;
}

/* What the loop has read. What it has not is no news, and needs no sentence. */
static int read_on_loop(yoke__conn *conn, void *out, size_t capacity, size_t *size)
{
    const yoke_stream_request *request = yoke__conn_loop_read(conn, out, capacity);
    if (request == NULL)
        return YOKE_ETIMEDOUT;
    if (request->status != YOKE_OK)
        return ended(conn, request);
    *size = take_read(conn, request);
    return YOKE_OK;
}

/* One read, at least one byte. */
static int read_some(yoke__conn *conn, void *out, size_t capacity, size_t *size, yoke__deadline deadline)
{
    if (conn->loop != NULL)
        return read_on_loop(conn, out, capacity, size);
    const yoke_stream_ops *streams = yoke__backend()->stream;
    yoke_stream_request    request;
    request.done = NULL;
    request.wait_next = true;
    streams->read(conn->stream, &request, out, capacity);
    if (!request.done_at_once && streams->wait(&request, yoke__deadline_left(deadline, INT64_MAX)) != YOKE_OK)
        streams->cancel(&request);
    if (request.status == YOKE_OK) {
        *size = take_read(conn, &request);
        return YOKE_OK;
    }
    if (request.status != YOKE_ETIMEDOUT)
        return ended(conn, &request);
    return yoke__fail(YOKE_ETIMEDOUT, "connection: %s",
                      conn->in_frame || buffered(conn) > 0 ? "the message has not come whole" : "nothing has come");
}

/* Gives the buffer back when nothing is in it: a connection at rest has none. */
static void buffer_release(yoke__conn *conn)
{
    if (conn->buffer == NULL || buffered(conn) > 0)
        return;
    if (conn->capacity == YOKE__CONN_BUFFER)
        yoke__conn_buffer_give(conn->buffer);
    else
        free(conn->buffer);
    conn->buffer = NULL;
    conn->head = conn->tail = conn->capacity = 0;
}

/* Reads into the buffer, which has room unless a whole frame is in there. */
static int fill(yoke__conn *conn, yoke__deadline deadline)
{
    size_t size = 0;
    if (conn->loop != NULL && !yoke__conn_loop_reads(conn->loop)) {
        buffer_release(conn);
        return YOKE_ETIMEDOUT;
    }
    if (conn->buffer == NULL) {
        conn->buffer = yoke__conn_buffer_take();
        if (conn->buffer == NULL)
            return YOKE_ENOMEM;
        conn->capacity = YOKE__CONN_BUFFER;
    }
    if (conn->head > 0) {
        memmove(conn->buffer, conn->buffer + conn->head, buffered(conn));
        conn->tail -= conn->head;
        conn->head = 0;
    }
    size_t room = conn->capacity - conn->tail;
    if (conn->frame > DIRECT && !conn->in_frame && room > LITTLE)
        room = LITTLE;
    int rc = read_some(conn, conn->buffer + conn->tail, room, &size, deadline);
    if (rc == YOKE_OK)
        conn->tail += size;
    else if (conn->loop == NULL || conn->loop->at == NULL) /* else the loop is about to read there */
        buffer_release(conn);
    return rc;
}

int yoke__conn_input(yoke__conn *conn, yoke__deadline deadline)
{
    if (conn->in_frame || buffered(conn) > 0)
        return YOKE_OK;
    return fill(conn, deadline);
}

/* ---- a message ---- */

bool yoke__conn_has_answer(const yoke__conn *conn)
{
    uint64_t frame = conn->frame;
    size_t   have = buffered(conn) + conn->partial_size;
    if (conn->receive_broken != 0)
        return true;
    if (conn->dropping > 0)
        return false;
    if (!conn->in_frame) {
        int used = have > 0 ? yoke__frame_parse(conn->buffer + conn->head, have, &frame) : 0;
        if (used <= 0)
            return used < 0;
        have -= (size_t)used;
    }
    return frame > conn->max_message || have >= frame;
}

/* Drops what is left of a message that was skipped. */
static int drop(yoke__conn *conn, yoke__deadline deadline)
{
    while (conn->dropping > 0) {
        size_t size = buffered(conn) < conn->dropping ? buffered(conn) : (size_t)conn->dropping;
        conn->head += size;
        conn->dropping -= size;
        if (conn->dropping > 0)
            YOKE_TRY(fill(conn, deadline));
    }
    buffer_release(conn);
    return YOKE_OK;
}

int yoke__conn_header(yoke__conn *conn, yoke__deadline deadline)
{
    YOKE_TRY(drop(conn, deadline));
    while (!conn->in_frame) {
        int used = 0;
        if (buffered(conn) > 0)
            used = yoke__frame_parse(conn->buffer + conn->head, buffered(conn), &conn->frame);
        if (used < 0) {
            conn->receive_broken = YOKE_EPROTO;
            return yoke__fail(YOKE_EPROTO, "connection: what came is not a message");
        }
        if (used == 0) {
            YOKE_TRY(fill(conn, deadline));
            continue;
        }
        yoke__luggage_header(conn, conn->came - buffered(conn));
        conn->head += (size_t)used;
        conn->in_frame = true;
    }
    if (conn->frame > conn->max_message)
        return yoke__fail(YOKE_EMSGSIZE, "connection: a message of %llu bytes has come, over the limit of %llu",
                          (unsigned long long)conn->frame, (unsigned long long)conn->max_message);
    return YOKE_OK;
}

bool yoke__conn_next_is_there(const yoke__conn *conn, uint64_t *size)
{
    if (conn->in_frame || conn->dropping > 0 || buffered(conn) == 0)
        return false;
    int used = yoke__frame_parse(conn->buffer + conn->head, buffered(conn), size);
    return used > 0 && *size <= buffered(conn) - (size_t)used && *size <= conn->max_message;
}

static void frame_done(yoke__conn *conn)
{
    conn->in_frame = false;
    yoke_message_free(conn->partial);
    conn->partial = NULL;
    conn->partial_size = conn->partial_capacity = 0;
    buffer_release(conn);
}

static size_t take_buffered(yoke__conn *conn, uint8_t *out, size_t most)
{
    size_t size = buffered(conn) < most ? buffered(conn) : most;
    if (size > 0)
        memcpy(out, conn->buffer + conn->head, size);
    conn->head += size;
    return size;
}

/* Brings bytes [*have, size) of the message to out. */
static int take_to(yoke__conn *conn, uint8_t *out, size_t *have, size_t size, yoke__deadline deadline)
{
    while (*have < size) {
        *have += take_buffered(conn, out + *have, size - *have);
        size_t got = 0, missing = size - *have;
        if (missing >= DIRECT)
            YOKE_TRY(read_some(conn, out + *have, missing, &got, deadline));
        else if (missing > 0)
            YOKE_TRY(fill(conn, deadline));
        *have += got;
    }
    return YOKE_OK;
}

/* A small message is left in the buffer until it is whole. */
static bool stays_in_buffer(const yoke__conn *conn)
{
    return conn->partial == NULL && (conn->frame <= DIRECT || conn->frame <= buffered(conn));
}

static int wait_whole(yoke__conn *conn, yoke__deadline deadline)
{
    while (buffered(conn) < conn->frame)
        YOKE_TRY(fill(conn, deadline));
    return YOKE_OK;
}

/* Makes room in `partial` for `capacity` bytes, keeping what is there. */
static int partial_grow(yoke__conn *conn, size_t capacity)
{
    if (capacity <= conn->partial_capacity && conn->partial != NULL)
        return YOKE_OK;
    yoke_message *larger = yoke__message_new(capacity);
    if (larger == NULL)
        return YOKE_ENOMEM;
    if (conn->partial_size > 0)
        memcpy(yoke__message_bytes(larger), yoke_message_data(conn->partial), conn->partial_size);
    yoke_message_free(conn->partial);
    conn->partial = larger;
    conn->partial_capacity = capacity;
    return YOKE_OK;
}

/* A large message, into the caller's memory. With a time-out, memory to keep what has come is had
 * before anything goes there. */
static int payload_large(yoke__conn *conn, uint8_t *out, yoke__deadline deadline)
{
    size_t size = (size_t)conn->frame, have = conn->partial_size;
    if (deadline != INT64_MAX)
        YOKE_TRY(partial_grow(conn, size));
    if (have > 0)
        memcpy(out, yoke_message_data(conn->partial), have);
    int rc = take_to(conn, out, &have, size, deadline);
    if (rc == YOKE_OK)
        return YOKE_OK;
    if (deadline == INT64_MAX && rc != YOKE_ECLOSED && partial_grow(conn, size) != YOKE_OK) {
        conn->receive_broken = YOKE_EBROKEN; /* a failure without a time-out, and no memory for what came before it */
        return rc;
    }
    if (conn->partial != NULL)
        memcpy(yoke__message_bytes(conn->partial), out, have);
    conn->partial_size = conn->partial != NULL ? have : 0;
    return rc;
}

int yoke__conn_payload(yoke__conn *conn, void *out, yoke__deadline deadline)
{
    if (stays_in_buffer(conn)) {
        YOKE_TRY(wait_whole(conn, deadline));
        (void)take_buffered(conn, out, (size_t)conn->frame);
    } else {
        YOKE_TRY(payload_large(conn, out, deadline));
    }
    frame_done(conn);
    return YOKE_OK;
}

/* Collects the message in `partial`. */
static int collect(yoke__conn *conn, yoke__deadline deadline)
{
    if (conn->frame > SIZE_MAX / 2)
        return yoke__fail(YOKE_ENOMEM, "connection: no memory for a message of %llu bytes",
                          (unsigned long long)conn->frame);
    size_t size = (size_t)conn->frame;
    while (conn->partial == NULL || conn->partial_size < size) {
        size_t room = conn->partial_size < CLAIM / GROWTH ? CLAIM : conn->partial_size * GROWTH;
        YOKE_TRY(partial_grow(conn, room < size ? room : size));
        size_t most = conn->partial_capacity < size ? conn->partial_capacity : size;
        YOKE_TRY(take_to(conn, yoke__message_bytes(conn->partial), &conn->partial_size, most, deadline));
    }
    return YOKE_OK;
}

int yoke__conn_payload_message(yoke__conn *conn, yoke_message **out, yoke__deadline deadline)
{
    if (stays_in_buffer(conn))
        YOKE_TRY(wait_whole(conn, deadline));
    YOKE_TRY(collect(conn, deadline));
    *out = conn->partial;
    yoke__message_truncate(*out, (size_t)conn->frame);
    conn->partial = NULL;
    frame_done(conn);
    return YOKE_OK;
}

int yoke__conn_view(yoke__conn *conn, const void **data, yoke__deadline deadline)
{
    if (stays_in_buffer(conn)) {
        YOKE_TRY(wait_whole(conn, deadline));
        *data = conn->buffer + (conn->buffer != NULL ? conn->head : 0);
    } else {
        YOKE_TRY(collect(conn, deadline));
        *data = yoke_message_data(conn->partial);
    }
    return YOKE_OK;
}

void yoke__conn_view_done(yoke__conn *conn)
{
    if (conn->partial == NULL)
        conn->head += (size_t)conn->frame;
    frame_done(conn);
    if (conn->luggage != NULL)
        yoke__luggage_clear(conn, conn->came - buffered(conn));
}

void yoke__conn_pass_over(yoke__conn *conn)
{
    conn->dropping = conn->frame - conn->partial_size;
    frame_done(conn);
}

void yoke__conn_settle(yoke__conn *conn)
{
    buffer_release(conn);
}

void yoke__conn_unreceive(yoke__conn *conn, yoke_message *message)
{
    conn->in_frame = true;
    conn->frame = conn->partial_size = conn->partial_capacity = yoke_message_size(message);
    conn->partial = message;
}

/* ---- calls ---- */

int yoke_conn_skip(yoke_conn *handle, int64_t timeout)
{
    yoke__deadline deadline = yoke__deadline_after(timeout);
    yoke__conn    *conn;
    YOKE_TRY(yoke__conn_begin(&conn, handle, YOKE_STREAM_READ, deadline));
    int rc = yoke__conn_header(conn, deadline);
    if (rc == YOKE_OK || rc == YOKE_EMSGSIZE) {
        yoke__conn_pass_over(conn);
        rc = drop(conn, deadline);
    }
    yoke__conn_end(conn, YOKE_STREAM_READ);
    return rc;
}
