/* Passing an end to another process. */
#include "conn.h"

#include "../backend.h"
#include "../error.h"
#include "../message/message.h"
#include "../wait/many_list.h"

#include <stdlib.h>
#include <string.h>

/*
 * flags: bits 0 and 1 are the stream's, 3 is YOKE__CONN_REMOTE. LIMITED: unread begins with the limit of messages, 8 bytes
 * in this machine's order (an end moves within one machine). SHARED: then comes a yoke__share_passed. ARRIVED: then comes a `moved`, for further natives. The
 * rest of unread is what the stream would bring next: bytes read ahead, and before them, if a message had begun to be
 * received, its header and what is there of it.
 */
#define LIMITED 4u
#define ARRIVED 16u
#define SHARED  32u
#define ENDED   64u /* its sending side was shut down */
#define USES    (YOKE_STREAM_READ | YOKE_STREAM_WRITE)
#define KNOWN   (USES | LIMITED | SHARED | ARRIVED | ENDED | YOKE__CONN_REMOTE)

/* With which bytes of the rest the further natives came. */
typedef struct moved {
    uint64_t count;
    uint64_t from[YOKE__ARRIVALS], to[YOKE__ARRIVALS];
} moved;

static void append(uint8_t **at, const void *data, size_t size)
{
    if (size > 0)
        memcpy(*at, data, size);
    *at += size;
}

/* The natives, with places counted from the first byte that moves along. */
static void collect_arrived(const yoke__conn *conn, yoke__conn_move *move, moved *out)
{
    const yoke__luggage *luggage = conn->luggage;
    *out = (moved){0};
    move->more_count = 0;
    if (luggage == NULL)
        return;
    uint64_t first = conn->in_frame ? luggage->frame_at : conn->came - (conn->tail - conn->head);
    for (size_t i = 0; i < luggage->count; i++) {
        const yoke__arrival *from = &luggage->arrived[i];
        move->more[i] = from->native;
        out->from[i] = from->from > first ? from->from - first : 0;
        out->to[i] = from->to > first ? from->to - first : 0;
    }
    out->count = move->more_count = luggage->count;
}

/* Writes down what the child needs to go on where this process stops. */
static int collect_unread(const yoke__conn *conn, yoke__conn_move *move)
{
    uint8_t header[YOKE__FRAME_HEADER];
    moved   arrived;
    collect_arrived(conn, move, &arrived);
    bool               limited = conn->max_message != UINT64_MAX;
    yoke__share_passed share = yoke__share_pass(conn);
    size_t             share_size = share.reference != 0 ? sizeof share : 0;
    move->share = share.reference;
    size_t arrived_size = arrived.count > 0 ? sizeof arrived : 0;
    size_t ahead = conn->tail - conn->head;
    size_t header_size = conn->in_frame ? yoke__frame_header(header, conn->frame) : 0;
    size_t begun = conn->in_frame ? conn->partial_size : 0;
    move->flags = conn->flags | (limited ? LIMITED : 0) | (arrived_size > 0 ? ARRIVED : 0) |
                  (share_size > 0 ? SHARED : 0) | (conn->send_broken == YOKE_ECLOSED ? ENDED : 0);
    move->unread_size = (limited ? sizeof conn->max_message : 0) + share_size + arrived_size + header_size + begun +
                        ahead;
    move->unread = NULL;
    if (move->unread_size == 0)
        return YOKE_OK;
    move->unread = malloc(move->unread_size);
    if (move->unread == NULL)
        return yoke__fail(YOKE_ENOMEM, "connection: no memory to pass it on with %zu unread bytes", move->unread_size);
    uint8_t *at = move->unread;
    append(&at, &conn->max_message, limited ? sizeof conn->max_message : 0);
    append(&at, &share, share_size);
    append(&at, &arrived, arrived_size);
    append(&at, header, header_size);
    append(&at, begun > 0 ? yoke_message_data(conn->partial) : NULL, begun);
    append(&at, ahead > 0 ? conn->buffer + conn->head : NULL, ahead);
    return YOKE_OK;
}

/* Both turns are taken. */
static int prepare(yoke__conn *conn, yoke__conn_move *move, yoke__deadline deadline)
{
    YOKE_TRY(yoke__conn_off_loop(conn));
    if (conn->send_broken == YOKE_EBROKEN && (conn->flags & YOKE_STREAM_READ) == 0)
        return yoke__fail(YOKE_EBROKEN, "connection: a message broke off while it was sent, so it can't be passed on");
    if (conn->dropping > 0)
        return yoke__fail(YOKE_EBUSY, "connection: it can't be passed on while a skipped message is still coming in");
    if (conn->luggage != NULL && conn->luggage->opened != NULL)
        return yoke__fail(YOKE_EBUSY,
                          "connection: it can't be passed on while a message of which not all handles could "
                          "be had waits to be received again");
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
        (void)yoke__turn_pass(&conn->receiving);
    }
    return yoke__fail(YOKE_EBUSY, "connection: it can't be passed on while it is in use by another thread, or stands "
                                  "elsewhere in what is passed");
}

/* Who waits for several things could not look meanwhile. */
static void pass_turns(yoke__conn *conn)
{
    (void)yoke__turn_pass(&conn->sending);
    (void)yoke__turn_pass(&conn->receiving);
    yoke__many_ring();
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
    int rc = YOKE_OK;
    if (move.more_count > 0 || move.share != 0)
        rc = yoke__fail(YOKE_EBUSY, "connection: it is shared, or handles have come that were not received yet");
    else
        rc = yoke__backend()->process->native_duplicate(native, move.native);
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

/* Unread without what stands before the bytes of the stream. */
typedef struct unpacked {
    uint64_t           most;
    yoke__share_passed share;
    moved              arrived;
    const uint8_t     *data;
    size_t             size;
} unpacked;

static bool take_part(unpacked *from, void *out, size_t size)
{
    if (from->size < size)
        return false;
    memcpy(out, from->data, size);
    from->data += size;
    from->size -= size;
    return true;
}

static int unpack(unpacked *out, const void *unread, size_t size, uint32_t flags)
{
    *out = (unpacked){.most = UINT64_MAX, .data = unread, .size = size};
    bool known = (flags & ~KNOWN) == 0 && (flags & USES) != 0;
    if (known && (flags & LIMITED) != 0)
        known = take_part(out, &out->most, sizeof out->most);
    if (known && (flags & SHARED) != 0)
        known = take_part(out, &out->share, sizeof out->share);
    if (known && (flags & ARRIVED) != 0)
        known = take_part(out, &out->arrived, sizeof out->arrived) && out->arrived.count <= YOKE__ARRIVALS;
    return known ? YOKE_OK : yoke__fail(YOKE_EPROTO, "connection: what came with it is not understood");
}

int yoke__conn_attach_count(size_t *count, const void *unread, size_t unread_size, uint32_t flags)
{
    unpacked from;
    YOKE_TRY(unpack(&from, unread, unread_size, flags));
    *count = 1 + (size_t)from.arrived.count;
    return YOKE_OK;
}

/* The connection gives its native back, which nobody has used. */
static void undo(yoke__conn *conn)
{
    yoke_native kept;
    (void)yoke__backend()->stream->take(&kept, conn->stream); /* unused: the native is what it was */
    conn->stream = NULL;
    yoke_conn_close(conn->handle);
}

int yoke__conn_attach_all(yoke_conn **out, const yoke_native *natives, size_t count, const void *unread,
                          size_t unread_size, uint32_t flags)
{
    unpacked   from;
    yoke_conn *handle;
    YOKE_TRY(unpack(&from, unread, unread_size, flags));
    if (count != 1 + from.arrived.count)
        return yoke__fail(YOKE_EPROTO, "connection: it came with %zu descriptors, not %zu", count,
                          1 + (size_t)from.arrived.count);
    YOKE_TRY(yoke__conn_create(&handle, natives[0], flags & ~(LIMITED | SHARED | ARRIVED | ENDED), from.most));
    yoke__conn *conn = handle->handle.extra;
    int         rc = (flags & SHARED) != 0 ? yoke__share_attach(conn, &from.share) : YOKE_OK;
    if (rc == YOKE_OK)
        rc = read_ahead(conn, from.data, from.size);
    if (rc < 0) {
        undo(conn);
        return rc;
    }
    conn->came = from.size;
    conn->send_broken = (flags & ENDED) != 0 ? YOKE_ECLOSED : YOKE_OK;
    for (size_t i = 0; i < from.arrived.count; i++)
        yoke__luggage_add(conn, natives[1 + i], from.arrived.from[i], from.arrived.to[i]);
    *out = handle;
    return YOKE_OK;
}

int yoke__conn_attach(yoke_conn **out, yoke_native native, const void *unread, size_t unread_size, uint32_t flags)
{
    return yoke__conn_attach_all(out, &native, 1, unread, unread_size, flags);
}
