/* Calls that receive one message; values.c has those for strings and variants. */
#include "conn.h"

#include "../error.h"

int yoke_conn_recv(yoke_conn *handle, void *buffer, size_t capacity, size_t *size, int64_t timeout)
{
    yoke__deadline deadline = yoke__deadline_after(timeout);
    yoke__conn    *conn;
    if (buffer == NULL && capacity > 0)
        return yoke__fail(YOKE_EINVAL, "yoke_conn_recv: buffer is NULL, but capacity is %zu", capacity);
    YOKE_TRY(yoke__conn_begin(&conn, handle, YOKE_STREAM_READ, deadline));
    int    rc = yoke__conn_header(conn, deadline);
    size_t came = (size_t)(conn->frame < SIZE_MAX ? conn->frame : SIZE_MAX);
    if (rc == YOKE_OK && conn->frame > capacity)
        rc = yoke__fail(YOKE_EMSGSIZE, "connection: a message of %llu bytes has come; the buffer has %zu",
                        (unsigned long long)conn->frame, capacity);
    if (rc == YOKE_OK)
        rc = yoke__conn_payload(conn, buffer, deadline);
    yoke__conn_end(conn, YOKE_STREAM_READ);
    if (size != NULL && (rc == YOKE_OK || rc == YOKE_EMSGSIZE))
        *size = came;
    return rc;
}

int yoke_conn_recv_message(yoke_conn *handle, yoke_message **out, int64_t timeout)
{
    yoke__deadline deadline = yoke__deadline_after(timeout);
    yoke__conn    *conn;
    if (out == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_conn_recv_message: out is NULL");
    YOKE_TRY(yoke__conn_begin(&conn, handle, YOKE_STREAM_READ, deadline));
    int rc = yoke__conn_header(conn, deadline);
    if (rc == YOKE_OK)
        rc = yoke__conn_payload_message(conn, out, deadline);
    yoke__conn_end(conn, YOKE_STREAM_READ);
    return rc;
}

int yoke_conn_poll(yoke_conn *handle, int64_t timeout)
{
    yoke__deadline deadline = yoke__deadline_after(timeout);
    yoke__conn    *conn;
    YOKE_TRY(yoke__conn_begin(&conn, handle, YOKE_STREAM_READ, deadline));
    int rc = yoke__conn_input(conn, deadline);
    yoke__conn_end(conn, YOKE_STREAM_READ);
    return rc == YOKE_EEOF || rc == YOKE_EBROKEN ? YOKE_OK : rc;
}
