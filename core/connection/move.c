/* Passing an end to another process. */
#include "conn.h"

#include "../backend.h"
#include "../error.h"
#include "../message/message.h"

#include <stdlib.h>
#include <string.h>

/*
 * flags: bits 0 and 1 are the stream's, 3 is YOKE__CONN_REMOTE; LIMITED: unread begins with the limit of messages, 8 bytes in this machine's
 * order (an end moves within one machine). The rest of unread is what the stream would bring next: bytes read ahead, and
 * before them, if a message had begun to be received, its header and what is there of it.
 */
#define LIMITED 4u
#define USES    (YOKE_STREAM_READ | YOKE_STREAM_WRITE)
#define KNOWN   (USES | LIMITED | YOKE__CONN_REMOTE)

static void append(uint8_t **at, const void *data, size_t size)
{
    if (size > 0)
        memcpy(*at, data, size);
    *at += size;
}

/* Writes down what the child needs to go on where this process stops. */
static int collect_unread(const yoke__conn *conn, yoke__conn_move *move)
{
    uint8_t header[YOKE__FRAME_HEADER];
    bool    limited = conn->max_message != UINT64_MAX;
    size_t  ahead = conn->tail - conn->head;
    size_t  header_size = conn->in_frame ? yoke__frame_header(header, conn->frame) : 0;
    size_t  begun = conn->in_frame ? conn->partial_size : 0;
    move->flags = conn->flags | (limited ? LIMITED : 0);
    move->unread_size = (limited ? sizeof conn->max_message : 0) + header_size + begun + ahead;
    move->unread = NULL;
    if (move->unread_size == 0)
        return YOKE_OK;
    move->unread = malloc(move->unread_size);
    if (move->unread == NULL)
        return yoke__fail(YOKE_ENOMEM, "connection: no memory to pass it on with %zu unread bytes", move->unread_size);
    uint8_t *at = move->unread;
    append(&at, &conn->max_message, limited ? sizeof conn->max_message : 0);
    append(&at, header, header_size);
    append(&at, begun > 0 ? yoke_message_data(conn->partial) : NULL, begun);
    append(&at, ahead > 0 ? conn->buffer + conn->head : NULL, ahead);
    return YOKE_OK;
}

/* Both turns are taken. */
static int prepare(yoke__conn *conn, yoke__conn_move *move, yoke__deadline deadline)
{
    YOKE_TRY(yoke__conn_usable(conn));
    if (conn->send_broken == YOKE_EBROKEN && (conn->flags & YOKE_STREAM_READ) == 0)
        return yoke__fail(YOKE_EBROKEN, "connection: a message broke off while it was sent, so it can't be passed on");
    if (conn->dropping > 0)
        return yoke__fail(YOKE_EBUSY, "connection: it can't be passed on while a skipped message is still coming in");
    int rc = conn->rest != NULL ? yoke__conn_flush(conn, deadline) : YOKE_OK;
    if (rc == YOKE_ETIMEDOUT)
        return yoke__fail(YOKE_EBUSY,
                          "connection: it can't be passed on while a message is half sent and not received");
    YOKE_TRY(rc);
    YOKE_TRY(collect_unread(conn, move));
    move->conn = conn;
    move->native = yoke__backend()->stream->native(conn->stream);
    yoke__a32_store_release(&conn->state, YOKE__CONN_MOVING);
    return YOKE_OK;
}

static int take_turns(yoke__conn *conn, yoke__deadline deadline)
{
    if (yoke__turn_take(&conn->receiving, deadline) == YOKE_OK) {
        if (yoke__turn_take(&conn->sending, deadline) == YOKE_OK)
            return YOKE_OK;
        yoke__turn_pass(&conn->receiving);
    }
    return yoke__fail(YOKE_EBUSY, "connection: it can't be passed on while it is in use by another thread, or stands "
                                  "elsewhere in what is passed");
}

static void pass_turns(yoke__conn *conn)
{
    yoke__turn_pass(&conn->sending);
    yoke__turn_pass(&conn->receiving);
}

int yoke__conn_move_prepare(yoke__conn_move *move, yoke_conn *handle)
{
    yoke__deadline deadline = yoke__deadline_after(YOKE__CONN_FLUSH);
    yoke__conn    *conn = yoke__conn_enter(handle);
    if (conn == NULL)
        return yoke_last_error()->code;
    int rc = take_turns(conn, deadline);
    if (rc == YOKE_OK) {
        rc = prepare(conn, move, deadline);
        if (rc < 0)
            pass_turns(conn);
    }
    if (rc < 0)
        yoke__conn_leave(conn);
    return rc;
}

static void finish(yoke__conn_move *move)
{
    free(move->unread);
    pass_turns(move->conn);
    yoke__conn_leave(move->conn);
}

void yoke__conn_move_commit(yoke__conn_move *move)
{
    yoke__conn_drop_stream(move->conn, YOKE__CONN_MOVED);
    finish(move);
}

void yoke__conn_move_abort(yoke__conn_move *move)
{
    yoke__a32_store_release(&move->conn->state, YOKE__CONN_OPEN);
    finish(move);
}

int yoke__conn_detach(yoke_conn *conn, yoke_native *native, void **unread, size_t *unread_size, uint32_t *flags)
{
    yoke__conn_move move = {.native = YOKE_NO_NATIVE};
    YOKE_TRY(yoke__conn_move_prepare(&move, conn));
    int rc = yoke__backend()->process->native_duplicate(native, move.native);
    if (rc < 0) {
        yoke__conn_move_abort(&move);
        return rc;
    }
    *unread = move.unread;
    *unread_size = move.unread_size;
    *flags = move.flags;
    move.unread = NULL;
    yoke__conn_move_commit(&move);
    return YOKE_OK;
}

/* Puts bytes where those read ahead stand. */
static int read_ahead(yoke__conn *conn, const uint8_t *data, size_t size)
{
    if (size == 0)
        return YOKE_OK;
    size_t capacity = size < YOKE__CONN_BUFFER ? YOKE__CONN_BUFFER : size;
    conn->buffer = malloc(capacity);
    if (conn->buffer == NULL)
        return yoke__fail(YOKE_ENOMEM, "connection: no memory for %zu bytes that came with it", size);
    memcpy(conn->buffer, data, size);
    conn->capacity = capacity;
    conn->tail = size;
    return YOKE_OK;
}

int yoke__conn_attach(yoke_conn **out, yoke_native native, const void *unread, size_t unread_size, uint32_t flags)
{
    const uint8_t *data = unread;
    uint64_t       most = UINT64_MAX;
    yoke_conn     *handle;
    if ((flags & ~KNOWN) != 0 || (flags & USES) == 0 || ((flags & LIMITED) && unread_size < sizeof most))
        return yoke__fail(YOKE_EPROTO, "connection: what came with it is not understood");
    if (flags & LIMITED) {
        memcpy(&most, data, sizeof most);
        data += sizeof most;
        unread_size -= sizeof most;
    }
    YOKE_TRY(yoke__conn_create(&handle, native, flags & ~LIMITED, most));
    int rc = read_ahead(handle->handle.extra, data, unread_size);
    if (rc < 0) {
        yoke_native kept;
        yoke__conn *conn = handle->handle.extra;
        (void)yoke__backend()->stream->take(&kept, conn->stream); /* unused: the native is what it was */
        conn->stream = NULL;
        yoke_conn_close(handle);
        return rc;
    }
    *out = handle;
    return YOKE_OK;
}
