/*
 * Input to messages. The parser of recv.c is run twice for each input: when the system has some, to say where it is to go,
 * with memory that an end at rest doesn't have; and when it is there. Both times it comes to the same read, as nothing
 * has changed in between.
 */
#include "on_loop.h"

#include "../backend.h"
#include "../error.h"

static const yoke_stream_ops *streams(void)
{
    return yoke__backend()->stream;
}

const yoke_stream_request *yoke__conn_loop_read(yoke__conn *conn, void *out, size_t capacity)
{
    yoke__conn_loop *loop = conn->loop;
    if (loop->came) {
        loop->came = loop->read.status != YOKE_OK; /* an end stays one */
        loop->at = NULL;
        return &loop->read;
    }
    if (loop->asking) {
        loop->at = out;
        loop->room = capacity;
    }
    return NULL;
}

/* ---- reading ---- */

/* YOKE_OK and the message; YOKE_EMSGSIZE; YOKE_ETIMEDOUT: it is not there yet; or why none comes any more. */
static int next_message(yoke__conn *conn, const void **data)
{
    YOKE_TRY(yoke__conn_header(conn, 0));
    return yoke__conn_view(conn, data, 0);
}

static void *on_space(yoke_stream_request *request, size_t *capacity)
{
    yoke__conn_loop *loop = request->user;
    const void      *data;
    if (capacity == NULL) {
        loop->at = NULL;
        yoke__conn_settle(loop->conn);
        return NULL;
    }
    loop->asking = true;
    (void)next_message(loop->conn, &data);
    loop->asking = false;
    *capacity = loop->room;
    return loop->at;
}

static void on_read(yoke_stream_request *request)
{
    yoke__conn_loop *loop = request->user;
    loop->requested = false;
    if (request->status == YOKE_ETIMEDOUT) /* cancelled: the user wants no more for now */
        return;
    loop->came = true;
    yoke__conn_loop_deliver(loop);
}

static void request_more(yoke__conn_loop *loop)
{
    if (loop->requested || !loop->wanted)
        return;
    loop->requested = true;
    loop->read.done = on_read;
    loop->read.space = on_space;
    loop->read.wait_next = loop->read.tentative = false;
    streams()->read(loop->conn->stream, &loop->read, NULL, 0);
}

/* ---- telling ---- */

static void tell(yoke__conn_loop *loop, int status, const void *data, size_t size)
{
    loop->in_message = true;
    loop->options.message(loop->handle, status, data, size, loop->options.user);
    loop->in_message = false;
}

/* One message, or why there is none. False: nothing more now. */
static bool deliver_one(yoke__conn_loop *loop)
{
    yoke__conn *conn = loop->conn;
    const void *data = NULL;
    int         rc = conn->receive_broken != 0 ? conn->receive_broken : next_message(conn, &data);
    size_t      size = conn->frame < SIZE_MAX ? (size_t)conn->frame : SIZE_MAX;
    if (rc == YOKE_ETIMEDOUT) {
        request_more(loop);
        return false;
    }
    if (rc == YOKE_OK || rc == YOKE_EMSGSIZE) {
        tell(loop, rc, data, size);
        if (loop->forgotten)
            return false;
        if (rc == YOKE_OK)
            yoke__conn_view_done(conn);
        else
            yoke__conn_pass_over(conn);
        return !loop->closing;
    }
    if (rc != YOKE_EEOF && rc != YOKE_ENOMEM)
        conn->receive_broken = rc;
    loop->came = loop->came && rc != YOKE_ENOMEM; /* that one may pass */
    loop->wanted = false;
    tell(loop, rc, NULL, 0);
    return false;
}

void yoke__conn_loop_deliver(yoke__conn_loop *loop)
{
    if (loop->in_message)
        return; /* whoever told that message goes on */
    for (int burst = 0; loop->wanted; burst++) {
        if (burst == YOKE__CONN_BURST) {
            yoke__conn_loop_soon(loop);
            return;
        }
        if (!deliver_one(loop))
            return;
    }
}

/* ---- calls ---- */

int yoke_conn_read_start(yoke_conn *handle)
{
    yoke__conn_loop *loop = yoke__conn_loop_of(handle);
    if (loop == NULL)
        return yoke__noted();
    if ((loop->conn->flags & YOKE_STREAM_READ) == 0)
        return yoke__fail(YOKE_EINVAL, "connection: this end of a one-way pipe only sends");
    if (loop->wanted)
        return YOKE_OK;
    loop->wanted = true;
    yoke__conn_loop_soon(loop); /* messages may be in memory already */
    return YOKE_OK;
}

int yoke_conn_read_stop(yoke_conn *handle)
{
    yoke__conn_loop *loop = yoke__conn_loop_of(handle);
    if (loop == NULL)
        return yoke__noted();
    loop->wanted = false;
    if (loop->requested)
        streams()->cancel(&loop->read);
    return YOKE_OK;
}
