/* Connections and listeners as something to wait for besides other things (wait/many.c). */
#include "../wait/many_list.h"
#include "../wait/watchable.h"
#include "conn.h"
#include "listener.h"

#include "../backend.h"
#include "../error.h"

/* Another wait that asked for the turn meanwhile could not look. */
static void pass(yoke__turn *turn)
{
    if (yoke__turn_pass(turn))
        yoke__many_ring();
}

/* ---- connections ---- */

static int conn_check(yoke__handle *handle)
{
    yoke__conn *conn = yoke__conn_enter((const yoke_conn *)handle);
    if (conn == NULL)
        return yoke__noted();
    bool receives = (conn->flags & YOKE_STREAM_READ) != 0;
    yoke__conn_leave(conn);
    return receives ? YOKE_OK : yoke__fail(YOKE_EINVAL, "connection: this end of a one-way pipe only sends");
}

/* Nothing comes any more, for this reason. */
static bool conn_gone(const yoke__conn *conn, int *status)
{
    uint32_t state = yoke__a32_load_acquire(&conn->state);
    switch (state) {
    case YOKE__CONN_MOVED:
        *status = YOKE_EMOVED;
        return true;
    case YOKE__CONN_NOT_PASSED:
        *status = YOKE_ECLOSED;
        return true;
    case YOKE__CONN_ON_LOOP:
        *status = YOKE_EBUSY;
        return true;
    default:
        return false;
    }
}

/* What another thread is just receiving is none of this one's; what that leaves it rings for. */
static bool conn_ready(yoke__handle *handle, yoke__what what, int *status)
{
    yoke__conn *conn = yoke__conn_enter((const yoke_conn *)handle);
    (void)what;
    *status = YOKE_ECLOSED;
    if (conn == NULL)
        return true;
    bool ready = conn_gone(conn, status);
    if (!ready && yoke__turn_try(&conn->receiving)) {
        ready = conn_gone(conn, status); /* again: the turn keeps it as it is */
        if (!ready) {
            ready = yoke__conn_has_answer(conn);
            *status = conn->receive_broken;
        }
        pass(&conn->receiving);
    }
    yoke__conn_leave(conn);
    return ready;
}

/* A native that was passed on meanwhile looks as if something had come. */
static bool conn_came(yoke__handle *handle, int *status)
{
    yoke__conn *conn = yoke__conn_enter((const yoke_conn *)handle);
    *status = YOKE_ECLOSED;
    if (conn == NULL)
        return true;
    *status = YOKE_OK;
    bool came = conn_gone(conn, status) || yoke__a32_load_acquire(&conn->state) == YOKE__CONN_OPEN;
    yoke__conn_leave(conn);
    return came;
}

/* None while it is being passed on: whoever does that rings afterwards. */
static size_t conn_natives(yoke__handle *handle, yoke_native *out, yoke__deadline *until)
{
    size_t      count = 0;
    yoke__conn *conn = yoke__conn_enter((const yoke_conn *)handle);
    (void)until;
    if (conn == NULL)
        return 0;
    yoke__mutex_lock(&conn->guard);
    if (conn->stream != NULL && yoke__a32_load_acquire(&conn->state) == YOKE__CONN_OPEN)
        out[count++] = yoke__backend()->stream->native(conn->stream);
    yoke__mutex_unlock(&conn->guard);
    yoke__conn_leave(conn);
    return count;
}

const yoke__watchable yoke__conn_watchable = {
    .kind = YOKE__KIND_CONN,
    .whats = 1u << YOKE__READABLE,
    .check = conn_check,
    .ready = conn_ready,
    .natives = conn_natives,
    .natives_most = 1,
    .came = conn_came,
};

/* ---- listeners ---- */

static int listener_check(yoke__handle *handle)
{
    yoke__listener *listener = yoke__listener_enter((const yoke_listener *)handle);
    if (listener == NULL)
        return yoke__noted();
    yoke__listener_leave(listener);
    return YOKE_OK;
}

/* While another thread accepts, whoever comes is its own; it rings afterwards. */
static bool listener_ready(yoke__handle *handle, yoke__what what, int *status)
{
    int             rc = YOKE_OK;
    yoke__listener *listener = yoke__listener_enter((const yoke_listener *)handle);
    (void)what;
    *status = YOKE_ECLOSED;
    if (listener == NULL)
        return true;
    if (yoke__a32_load_acquire(&listener->on_loop) != 0) {
        rc = YOKE_EBUSY;
    } else if (yoke__turn_try(&listener->accepting)) {
        yoke__listener_time(listener, true);
        rc = yoke__listener_step(listener);
        yoke__listener_time(listener, false);
        pass(&listener->accepting);
    }
    yoke__listener_leave(listener);
    *status = rc < 0 ? rc : YOKE_OK;
    return rc != YOKE_OK;
}

static size_t listener_natives(yoke__handle *handle, yoke_native *out, yoke__deadline *until)
{
    size_t          count = 0;
    yoke__listener *listener = yoke__listener_enter((const yoke_listener *)handle);
    if (listener == NULL)
        return 0;
    if (yoke__turn_try(&listener->accepting)) {
        count = yoke__listener_natives(listener, out, until);
        pass(&listener->accepting);
    }
    yoke__listener_leave(listener);
    return count;
}

/* Entered, so it stays. While another thread accepts, time runs, and that thread looks at waiters when it ends. */
static void listener_waited(yoke__handle *handle, bool begins)
{
    yoke__listener *listener = handle->extra;
    if (begins)
        (void)yoke__a32_add_acq_rel(&listener->waiters, 1);
    else
        (void)yoke__a32_sub_acq_rel(&listener->waiters, 1);
    if (yoke__turn_try(&listener->accepting)) {
        yoke__listener_time(listener, begins);
        pass(&listener->accepting);
    }
}

const yoke__watchable yoke__listener_watchable = {
    .kind = YOKE__KIND_LISTENER,
    .whats = 1u << YOKE__READABLE,
    .check = listener_check,
    .ready = listener_ready,
    .natives = listener_natives,
    .natives_most = YOKE__LISTENER_NATIVES,
    .waited = listener_waited,
};
