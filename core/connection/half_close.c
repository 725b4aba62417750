/* The end of what one side sends, while it goes on receiving. */
#include "on_loop.h"

#include "../backend.h"
#include "../error.h"

int yoke__conn_send_end(yoke__conn *conn)
{
    const yoke_socket_ops *sockets = yoke__backend()->socket;
    if (sockets == NULL)
        return yoke__fail(YOKE_ENOTSUP, "the backend '%s' can't shut one side of a connection down",
                          yoke__backend()->name);
    YOKE_TRY(sockets->send_end(yoke__backend()->stream->native(conn->stream)));
    conn->send_broken = YOKE_ECLOSED;
    return YOKE_OK;
}

static int check(const yoke__conn *conn)
{
    if ((conn->flags & YOKE_STREAM_READ) == 0)
        return yoke__fail(YOKE_EINVAL, "connection: this end only sends, so closing it is what ends that");
    if (conn->share != NULL)
        return yoke__fail(YOKE_EBUSY, "connection: other handles of this end send too; it ends when they are closed");
    return YOKE_OK;
}

static int end_blocking(yoke_conn *handle, yoke__deadline deadline)
{
    yoke__conn *conn;
    YOKE_TRY(yoke__conn_begin(&conn, handle, YOKE_STREAM_WRITE, deadline));
    int rc = check(conn);
    if (rc == YOKE_OK && conn->rest != NULL)
        rc = yoke__conn_flush(conn, deadline);
    if (rc == YOKE_OK)
        rc = yoke__conn_send_end(conn);
    yoke__conn_end(conn, YOKE_STREAM_WRITE);
    return rc;
}

int yoke_conn_shutdown_send(yoke_conn *handle, int64_t timeout)
{
    yoke__conn *conn = yoke__conn_enter(handle);
    if (conn == NULL)
        return yoke__noted();
    bool on_loop = yoke__a32_load_acquire(&conn->state) == YOKE__CONN_ON_LOOP;
    int  rc = YOKE_OK;
    if (on_loop) {
        rc = check(conn);
        if (rc == YOKE_OK)
            rc = yoke__conn_loop_end_sending(conn->loop);
    }
    yoke__conn_leave(conn);
    return on_loop ? rc : end_blocking(handle, yoke__deadline_after(timeout));
}
