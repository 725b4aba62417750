/* Frames out. */
#include "conn.h"

#include "../backend.h"
#include "../error.h"

#include <stdlib.h>
#include <string.h>

#define JOINED ((size_t)4096) /* up to this size, copying header and message together is cheaper than two parts */

/* A frame on its way: header and message, or both joined in one part. */
typedef struct outgoing {
    yoke_stream_part parts[2];
    size_t           count;
    size_t           total;
    uint8_t          bytes[YOKE__FRAME_HEADER + JOINED];
} outgoing;

static void outgoing_set(outgoing *frame, const void *data, size_t size)
{
    size_t header = yoke__frame_header(frame->bytes, size);
    frame->parts[0] = (yoke_stream_part){frame->bytes, header};
    frame->parts[1] = (yoke_stream_part){data, size};
    frame->count = 2;
    frame->total = header + size;
    if (size <= JOINED) {
        if (size > 0)
            memcpy(frame->bytes + header, data, size);
        frame->parts[0].size += size;
        frame->count = 1;
    }
}

/* Copies the bytes of a frame from `from` on. */
static void outgoing_copy(const outgoing *frame, size_t from, uint8_t *out)
{
    for (size_t i = 0; i < frame->count; i++) {
        size_t size = frame->parts[i].size;
        if (from < size) {
            memcpy(out, (const uint8_t *)frame->parts[i].data + from, size - from);
            out += size - from;
            from = 0;
        } else {
            from -= size;
        }
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
    if (status == YOKE_OK)
        return YOKE_OK;
    conn->send_broken = YOKE_EBROKEN;
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

/* Time ran out after `sent` bytes of a frame: the library takes over. */
static int leave_rest(yoke__conn *conn, const outgoing *frame, size_t sent, yoke__conn_rest *rest)
{
    size_t left = frame->total - sent;
    if (rest == NULL)
        rest = malloc(sizeof *rest + left);
    if (rest == NULL) {
        conn->send_broken = YOKE_EBROKEN;
        return yoke__fail(YOKE_ENOMEM,
                          "connection: no memory to finish a message, which broke off after %zu of %zu bytes", sent,
                          frame->total);
    }
    memset(rest, 0, sizeof *rest);
    outgoing_copy(frame, sent, rest->bytes);
    rest->part = (yoke_stream_part){rest->bytes, left};
    conn->rest = rest;
    yoke__backend()->stream->write(conn->stream, &rest->request, &rest->part, 1);
    return YOKE_BEGUN;
}

/* What a frame that could not be sent means. */
static int send_failed(yoke__conn *conn, const yoke_stream_request *request, const outgoing *frame)
{
    int status = request->status;
    if (request->size > 0 || status == YOKE_EBROKEN)
        conn->send_broken = YOKE_EBROKEN;
    if (status == YOKE_EBROKEN)
        return yoke_backend_fail(status, request->native, "connection: the other end is closed");
    if (status == YOKE_ETIMEDOUT)
        return yoke__fail(status, "connection: the other side doesn't receive; nothing of %zu bytes was sent",
                          frame->total);
    if (status == YOKE_ECLOSED)
        return yoke__fail(status, "connection: it was closed by another thread");
    return yoke_backend_fail(status, request->native, "connection: sending failed after %zu of %zu bytes",
                             request->size, frame->total);
}

static int send_frame(yoke__conn *conn, const outgoing *frame, yoke__deadline deadline)
{
    const yoke_stream_ops *streams = yoke__backend()->stream;
    yoke_stream_request    request;
    yoke__conn_rest       *rest;
    YOKE_TRY(reserve(&rest, frame->total, deadline));
    request.done = NULL;
    request.wait_next = true;
    request.tentative = deadline != INT64_MAX;
    streams->write(conn->stream, &request, frame->parts, frame->count);
    if (!request.done_at_once && streams->wait(&request, yoke__deadline_left(deadline, INT64_MAX)) != YOKE_OK)
        streams->cancel(&request);
    if (request.status == YOKE_ETIMEDOUT && request.size > 0)
        return leave_rest(conn, frame, request.size, rest);
    free(rest);
    return request.status == YOKE_OK ? YOKE_OK : send_failed(conn, &request, frame);
}

int yoke__conn_send(yoke__conn *conn, const void *data, size_t size, yoke__deadline deadline)
{
    outgoing frame;
    if (size > PTRDIFF_MAX)
        return yoke__fail(YOKE_EMSGSIZE, "connection: a message of %zu bytes is more than any memory holds", size);
    if (size > conn->max_message)
        return yoke__fail(YOKE_EMSGSIZE, "connection: a message of %zu bytes is over the limit of %llu", size,
                          (unsigned long long)conn->max_message);
    if (conn->rest != NULL)
        YOKE_TRY(yoke__conn_flush(conn, deadline));
    outgoing_set(&frame, data, size);
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
