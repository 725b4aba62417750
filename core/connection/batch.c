/* Several messages in at a time: what one read has brought. Several out are in send.c. */
#include "conn.h"

#include "../error.h"

/* Where they go. */
typedef struct batch {
    uint8_t *buffer;
    size_t   capacity;
    size_t   used;
    size_t  *sizes;
    size_t   most;
    size_t   count;
} batch;

/* The next message, whose header was read. */
static int take(yoke__conn *conn, batch *into, yoke__deadline deadline)
{
    size_t size = (size_t)conn->frame;
    YOKE_TRY(
        yoke__conn_payload(conn, into->used < into->capacity ? into->buffer + into->used : into->buffer, deadline));
    into->sizes[into->count++] = size;
    into->used += size;
    return YOKE_OK;
}

static int take_first(yoke__conn *conn, batch *into, yoke__deadline deadline)
{
    int rc = yoke__conn_header(conn, deadline);
    if (rc == YOKE_OK && conn->frame > into->capacity)
        rc = yoke__fail(YOKE_EMSGSIZE, "connection: a message of %llu bytes has come; the buffer has %zu",
                        (unsigned long long)conn->frame, into->capacity);
    if (rc == YOKE_EMSGSIZE)
        into->sizes[0] = (size_t)(conn->frame < SIZE_MAX ? conn->frame : SIZE_MAX);
    return rc == YOKE_OK ? take(conn, into, deadline) : rc;
}

/* What is wrong with a later message is told when it is the first. */
static int take_more(yoke__conn *conn, batch *into)
{
    uint64_t next;
    while (into->count < into->most && yoke__conn_next_is_there(conn, &next) && next <= into->capacity - into->used) {
        YOKE_TRY(yoke__conn_header(conn, INT64_MAX));
        YOKE_TRY(take(conn, into, INT64_MAX));
    }
    return YOKE_OK;
}

int yoke_conn_recv_many(yoke_conn *handle, void *buffer, size_t capacity, size_t *sizes, size_t most, size_t *count,
                        int64_t timeout)
{
    yoke__deadline deadline = yoke__deadline_after(timeout);
    yoke__conn    *conn;
    batch          into = {buffer, capacity, 0, sizes, most, 0};
    if (sizes == NULL || count == NULL || most == 0)
        return yoke__fail(YOKE_EINVAL, "yoke_conn_recv_many: %s",
                          sizes == NULL   ? "sizes is NULL"
                          : count == NULL ? "count is NULL"
                                          : "most is 0");
    if (buffer == NULL && capacity > 0)
        return yoke__fail(YOKE_EINVAL, "yoke_conn_recv_many: buffer is NULL, but capacity is %zu", capacity);
    YOKE_TRY(yoke__conn_begin(&conn, handle, YOKE_STREAM_READ, deadline));
    int rc = take_first(conn, &into, deadline);
    if (rc == YOKE_OK)
        rc = take_more(conn, &into);
    yoke__conn_end(conn, YOKE_STREAM_READ);
    if (rc == YOKE_OK)
        *count = into.count;
    return rc;
}
