/* Frames out. */
#include "conn.h"

#include "../backend.h"
#include "../error.h"

#include <stdlib.h>
#include <string.h>

#define JOINED ((size_t)4096)    /* up to this size, copying header and message together is cheaper than two parts */
#define GROUP  YOKE__CONN_BUFFER /* bytes of a batch that leave by one write */
#define FEW    7u                /* pieces of a message whose list needs no memory of its own */

/* What one write is to send: a frame, or several small ones one behind the other. */
typedef struct outgoing {
    const yoke_stream_part *parts;
    size_t                  count;
    size_t                  total;
    const yoke_native      *native; /* to go along with the first byte, or NULL */
} outgoing;

/* Copies bytes [from, from + size). */
static void outgoing_copy(const outgoing *frames, size_t from, size_t size, uint8_t *out)
{
    for (size_t i = 0; i < frames->count && size > 0; i++) {
        size_t there = frames->parts[i].size;
        if (from >= there) {
            from -= there;
            continue;
        }
        size_t piece = there - from < size ? there - from : size;
        memcpy(out, (const uint8_t *)frames->parts[i].data + from, piece);
        out += piece;
        size -= piece;
        from = 0;
    }
}

int yoke__conn_flush(yoke__conn *conn, yoke__deadline deadline)
{
    const yoke_stream_ops *streams = yoke__backend()->stream;
    if (streams->wait(&conn->rest->request, yoke__deadline_left(deadline, INT64_MAX)) != YOKE_OK)
        return yoke__fail(YOKE_ETIMEDOUT, "connection: the other side doesn't take the rest of an earlier message");
    int     status = conn->rest->request.status;
    int64_t native = conn->rest->request.native;
    free(conn->rest);
    conn->rest = NULL;
    if (status != YOKE_OK)
        conn->send_broken = YOKE_EBROKEN;
    yoke__share_leave(conn);
    if (status == YOKE_OK)
        return YOKE_OK;
    return yoke_backend_fail(YOKE_EBROKEN, native, "connection: an earlier message broke off while it was sent");
}

/* Memory in case time runs out with part of a large frame sent: to be had now or not at all. */
static int reserve(yoke__conn_rest **out, size_t total, yoke__deadline deadline)
{
    *out = NULL;
    if (total <= JOINED + YOKE__FRAME_HEADER || deadline == INT64_MAX)
        return YOKE_OK;
    *out = malloc(sizeof **out + total);
    if (*out == NULL)
        return yoke__fail(YOKE_ENOMEM, "connection: no memory to send %zu bytes with a time-out", total);
    return YOKE_OK;
}

/* Time ran out after `sent` bytes, within the frame that ends at `end`: the library takes that frame over. */
static int leave_rest(yoke__conn *conn, const outgoing *frames, size_t sent, size_t end, yoke__conn_rest *rest)
{
    size_t left = end - sent;
    if (rest == NULL)
        rest = malloc(sizeof *rest + left);
    if (rest == NULL) {
        conn->send_broken = YOKE_EBROKEN;
        return yoke__fail(YOKE_ENOMEM,
                          "connection: no memory to finish a message, which broke off with %zu bytes to come", left);
    }
    memset(rest, 0, sizeof *rest);
    outgoing_copy(frames, sent, left, rest->bytes);
    rest->part = (yoke_stream_part){rest->bytes, left};
    conn->rest = rest;
    yoke__backend()->stream->write(conn->stream, &rest->request, &rest->part, 1);
    return YOKE_BEGUN;
}

/* What it means that a write failed, or had no time; `sent` is 0 if that was between two messages. */
static int send_failed(yoke__conn *conn, const yoke_stream_request *request, size_t sent, size_t total)
{
    int status = request->status;
    if (sent > 0 || status == YOKE_EBROKEN)
        conn->send_broken = YOKE_EBROKEN;
    if (status == YOKE_EBROKEN)
        return yoke_backend_fail(status, request->native, "connection: the other end is closed");
    if (status == YOKE_ETIMEDOUT)
        return yoke__fail(status, "connection: the other side doesn't receive; nothing of %zu bytes was sent", total);
    if (status == YOKE_ECLOSED)
        return yoke__fail(status, "connection: it was closed by another thread");
    return yoke_backend_fail(status, request->native, "connection: sending failed after %zu of %zu bytes", sent, total);
}

/* request: status and size say how it went. */
static void transmit(yoke__conn *conn, yoke_stream_request *request, const outgoing *frames, yoke__deadline deadline)
{
    const yoke_stream_ops *streams = yoke__backend()->stream;
    request->done = NULL;
    request->wait_next = true;
    request->tentative = deadline != INT64_MAX;
    if (frames->native != NULL)
        streams->write_with(conn->stream, request, frames->parts, frames->count, *frames->native);
    else
        streams->write(conn->stream, request, frames->parts, frames->count);
    if (!request->done_at_once && streams->wait(request, yoke__deadline_left(deadline, INT64_MAX)) != YOKE_OK)
        streams->cancel(request);
}

static int send_in_turn(yoke__conn *conn, const outgoing *frame, yoke__deadline deadline)
{
    yoke_stream_request request;
    yoke__conn_rest    *rest;
    YOKE_TRY(reserve(&rest, frame->total, deadline));
    transmit(conn, &request, frame, deadline);
    if (request.status == YOKE_ETIMEDOUT && request.size > 0)
        return leave_rest(conn, frame, request.size, frame->total, rest);
    free(rest);
    return request.status == YOKE_OK ? YOKE_OK : send_failed(conn, &request, request.size, frame->total);
}

static int take_turn(yoke__conn *conn, size_t size, yoke__deadline deadline)
{
    return conn->share != NULL ? yoke__share_enter(conn, size, deadline) : YOKE_OK;
}

static int send_frame(yoke__conn *conn, const outgoing *frame, yoke__deadline deadline)
{
    YOKE_TRY(take_turn(conn, frame->total, deadline));
    int rc = send_in_turn(conn, frame, deadline);
    yoke__share_leave(conn);
    return rc;
}

/* ---- one message ---- */

static int check_size(const yoke__conn *conn, size_t size)
{
    if (size > PTRDIFF_MAX)
        return yoke__fail(YOKE_EMSGSIZE, "connection: a message of %zu bytes is more than any memory holds", size);
    if (size > conn->max_message)
        return yoke__fail(YOKE_EMSGSIZE, "connection: a message of %zu bytes is over the limit of %llu", size,
                          (unsigned long long)conn->max_message);
    return YOKE_OK;
}

/* Writes a small frame. Number of its bytes. */
static size_t join(uint8_t *out, const yoke_bytes *pieces, size_t count, size_t size)
{
    uint8_t *at = out + yoke__frame_header(out, size);
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].size > 0)
            memcpy(at, pieces[i].data, pieces[i].size);
        at += pieces[i].size;
    }
    return (size_t)(at - out);
}

static int send_joined(yoke__conn *conn, const yoke_bytes *pieces, size_t count, size_t size, yoke__deadline deadline)
{
    uint8_t          bytes[YOKE__FRAME_HEADER + JOINED];
    yoke_stream_part part = {bytes, join(bytes, pieces, count, size)};
    return send_frame(conn, &(outgoing){&part, 1, part.size, NULL}, deadline);
}

static int send_apart(yoke__conn *conn, const yoke_bytes *pieces, size_t count, size_t size, yoke__deadline deadline)
{
    uint8_t          header[YOKE__FRAME_HEADER];
    yoke_stream_part few[FEW + 1], *parts = few;
    if (count > FEW)
        parts = calloc(count + 1, sizeof *parts);
    if (parts == NULL)
        return yoke__fail(YOKE_ENOMEM, "connection: no memory to send a message of %zu pieces", count);
    parts[0] = (yoke_stream_part){header, yoke__frame_header(header, size)};
    for (size_t i = 0; i < count; i++)
        parts[i + 1] = (yoke_stream_part){pieces[i].data, pieces[i].size};
    int rc = send_frame(conn, &(outgoing){parts, count + 1, parts[0].size + size, NULL}, deadline);
    if (parts != few)
        free(parts);
    return rc;
}

static int send_pieces(yoke__conn *conn, const yoke_bytes *pieces, size_t count, size_t size, yoke__deadline deadline)
{
    YOKE_TRY(check_size(conn, size));
    if (conn->rest != NULL)
        YOKE_TRY(yoke__conn_flush(conn, deadline));
    return size <= JOINED ? send_joined(conn, pieces, count, size, deadline)
                          : send_apart(conn, pieces, count, size, deadline);
}

int yoke__conn_send(yoke__conn *conn, const void *data, size_t size, yoke__deadline deadline)
{
    return send_pieces(conn, &(yoke_bytes){data, size}, 1, size, deadline);
}

int yoke__conn_send_with(yoke__conn *conn, const void *data, size_t size, yoke_native native, yoke__deadline deadline)
{
    uint8_t          header[YOKE__FRAME_HEADER];
    yoke_stream_part parts[2] = {{header, yoke__frame_header(header, size)}, {data, size}};
    YOKE_TRY(check_size(conn, size));
    if (conn->rest != NULL)
        YOKE_TRY(yoke__conn_flush(conn, deadline));
    outgoing frame = {parts, 2, parts[0].size + size, native != YOKE_NO_NATIVE ? &native : NULL};
    return send_frame(conn, &frame, deadline);
}

int yoke_conn_send(yoke_conn *handle, const void *data, size_t size, int64_t timeout)
{
    yoke__deadline deadline = yoke__deadline_after(timeout);
    yoke__conn    *conn;
    YOKE_TRY(yoke__conn_begin(&conn, handle, YOKE_STREAM_WRITE, deadline));
    int rc = YOKE_OK;
    if (data == NULL && size > 0)
        rc = yoke__fail(YOKE_EINVAL, "yoke_conn_send: data is NULL, but size is %zu", size);
    else
        rc = yoke__conn_send(conn, data, size, deadline);
    yoke__conn_end(conn, YOKE_STREAM_WRITE);
    return rc;
}

/* Pieces or messages that a caller has listed; their sizes together, SIZE_MAX if that is too much. */
static int check_list(const char *function, const yoke_bytes *list, size_t count, size_t *size)
{
    *size = 0;
    if (list == NULL && count > 0)
        return yoke__fail(YOKE_EINVAL, "%s: the list is NULL, but its count is %zu", function, count);
    for (size_t i = 0; i < count; i++) {
        if (list[i].data == NULL && list[i].size > 0)
            return yoke__fail(YOKE_EINVAL, "%s: data %zu is NULL, but its size is %zu", function, i, list[i].size);
        *size = list[i].size > SIZE_MAX - *size ? SIZE_MAX : *size + list[i].size;
    }
    return YOKE_OK;
}

int yoke_conn_send_parts(yoke_conn *handle, const yoke_bytes *parts, size_t count, int64_t timeout)
{
    yoke__deadline deadline = yoke__deadline_after(timeout);
    yoke__conn    *conn;
    size_t         size;
    YOKE_TRY(check_list("yoke_conn_send_parts", parts, count, &size));
    YOKE_TRY(yoke__conn_begin(&conn, handle, YOKE_STREAM_WRITE, deadline));
    int rc = send_pieces(conn, parts, count, size, deadline);
    yoke__conn_end(conn, YOKE_STREAM_WRITE);
    return rc;
}

/* ---- a batch ---- */

/* A write of several frames stopped somewhere: counts those that are out, and sees to the one that is out in part. */
static int group_stopped(yoke__conn *conn, const yoke_stream_request *request, const outgoing *frames,
                         const yoke_bytes *messages, size_t *done)
{
    uint8_t header[YOKE__FRAME_HEADER];
    size_t  whole = 0, start = 0, end = 0;
    while (end < request->size) {
        start = end;
        end += yoke__frame_header(header, messages[whole].size) + messages[whole].size;
        whole++;
    }
    bool within = end > request->size;
    *done += within ? whole - 1 : whole;
    if (!within || request->status != YOKE_ETIMEDOUT)
        return send_failed(conn, request, within ? request->size - start : 0, frames->total - start);
    int rc = leave_rest(conn, frames, request->size, end, NULL);
    *done += rc == YOKE_BEGUN;
    return rc;
}

/* Small messages, as many as go into one write. */
static int send_group(yoke__conn *conn, uint8_t *room, const yoke_bytes *messages, size_t count, size_t *done,
                      yoke__deadline deadline)
{
    yoke_stream_request request;
    yoke_stream_part    part = {room, 0};
    size_t              joined = 0;
    for (; joined < count && messages[joined].size <= JOINED; joined++) {
        if (part.size + YOKE__FRAME_HEADER + messages[joined].size > GROUP)
            break;
        part.size += join(room + part.size, &messages[joined], 1, messages[joined].size);
    }
    outgoing frames = {&part, 1, part.size, NULL};
    YOKE_TRY(take_turn(conn, part.size, deadline));
    transmit(conn, &request, &frames, deadline);
    int rc = YOKE_OK;
    if (request.status != YOKE_OK)
        rc = group_stopped(conn, &request, &frames, messages, done);
    else
        *done += joined;
    yoke__share_leave(conn);
    return rc;
}

static int send_many(yoke__conn *conn, const yoke_bytes *messages, size_t count, size_t *done, yoke__deadline deadline)
{
    uint8_t *room = NULL;
    int      rc = YOKE_OK;
    for (size_t i = 0; i < count; i++)
        YOKE_TRY(check_size(conn, messages[i].size));
    if (conn->rest != NULL)
        YOKE_TRY(yoke__conn_flush(conn, deadline));
    while (*done < count && rc == YOKE_OK) {
        const yoke_bytes *next = &messages[*done];
        if (next->size > JOINED) {
            rc = send_apart(conn, next, 1, next->size, deadline);
            *done += rc >= 0;
        } else if (room == NULL && (room = yoke__conn_buffer_take()) == NULL) {
            rc = YOKE_ENOMEM;
        } else {
            rc = send_group(conn, room, next, count - *done, done, deadline);
        }
    }
    if (room != NULL)
        yoke__conn_buffer_give(room);
    return rc;
}

int yoke_conn_send_many(yoke_conn *handle, const yoke_bytes *messages, size_t count, size_t *sent, int64_t timeout)
{
    yoke__deadline deadline = yoke__deadline_after(timeout);
    yoke__conn    *conn;
    size_t         done = 0, size;
    if (sent != NULL)
        *sent = 0;
    YOKE_TRY(check_list("yoke_conn_send_many", messages, count, &size));
    YOKE_TRY(yoke__conn_begin(&conn, handle, YOKE_STREAM_WRITE, deadline));
    int rc = send_many(conn, messages, count, &done, deadline);
    yoke__conn_end(conn, YOKE_STREAM_WRITE);
    if (sent != NULL)
        *sent = done;
    return rc;
}
