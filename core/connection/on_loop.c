/* Life of connections on loops. */
#include "on_loop.h"

#include "../backend.h"
#include "../error.h"
#include "../options.h"
#include "../wait/many_list.h"

#include <stdlib.h>

#define HIGH ((size_t)1024 * 1024)

static const yoke_stream_ops *streams(void)
{
    return yoke__backend()->stream;
}

/* ---- what is done soon ---- */

static void on_soon(yoke_stream_request *request)
{
    yoke__conn_loop *loop = request->user;
    loop->soon_asked = false;
    yoke__conn_loop_tell(loop);
    if (!loop->closing && !loop->forgotten)
        yoke__conn_loop_deliver(loop);
}

void yoke__conn_loop_soon(yoke__conn_loop *loop)
{
    if (loop->soon_asked || loop->closing || loop->forgotten)
        return;
    loop->soon_asked = true;
    streams()->soon(loop->conn->stream, &loop->soon);
}

/* ---- attaching ---- */

yoke__conn_loop *yoke__conn_loop_of(const yoke_conn *handle)
{
    yoke__conn_loop *loop = NULL;
    yoke__conn      *conn = yoke__conn_enter(handle);
    if (conn == NULL)
        return NULL;
    if (yoke__a32_load_acquire(&conn->state) == YOKE__CONN_ON_LOOP)
        loop = conn->loop;
    else if (yoke__conn_usable(conn) == YOKE_OK)
        (void)yoke__fail(YOKE_EINVAL, "connection: it is on no event loop; yoke_conn_attach() comes first");
    yoke__conn_leave(conn);
    return loop;
}

static int check(const yoke_conn_loop_options *options)
{
    if (options->message == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_conn_loop_options: there is no message function");
    if (options->low > options->high)
        return yoke__fail(YOKE_EINVAL, "yoke_conn_loop_options: a low mark of %zu over the high one of %zu",
                          options->low, options->high);
    if (streams()->attach == NULL)
        return yoke__fail(YOKE_ENOTSUP, "the backend '%s' can't use an event loop of the caller's",
                          yoke__backend()->name);
    return YOKE_OK;
}

static int attach(yoke__conn *conn, yoke__conn_loop *loop, void *at)
{
    YOKE_TRY(yoke__conn_usable(conn));
    if (yoke__a32_load_acquire(&conn->state) != YOKE__CONN_OPEN)
        return yoke__fail(YOKE_EBUSY, "connection: it is on an event loop already");
    if (conn->share != NULL)
        return yoke__fail(YOKE_ENOTSUP, "connection: an end that several processes send on can't be on an event loop");
    if (conn->rest != NULL && yoke__conn_flush(conn, 0) == YOKE_ETIMEDOUT)
        return yoke__fail(YOKE_EBUSY, "connection: a message that a blocking call has begun is not out yet");
    yoke__mutex_lock(&conn->guard);
    int rc = streams()->attach(conn->stream, at);
    if (rc == YOKE_ENOTSUP)
        rc = yoke__fail_in(YOKE_EBUSY, "connection: blocking calls have used it");
    if (rc == YOKE_OK) {
        conn->loop = loop;
        yoke__a32_store_release(&conn->state, YOKE__CONN_ON_LOOP);
    }
    yoke__mutex_unlock(&conn->guard);
    return rc;
}

static int attach_with_turns(yoke__conn *conn, yoke__conn_loop *loop, void *at)
{
    int rc = YOKE_EBUSY;
    if (yoke__turn_try(&conn->receiving)) {
        if (yoke__turn_try(&conn->sending)) {
            rc = attach(conn, loop, at);
            (void)yoke__turn_pass(&conn->sending);
        } else {
            rc = yoke__fail(YOKE_EBUSY, "connection: another thread is sending");
        }
        (void)yoke__turn_pass(&conn->receiving);
        yoke__many_ring();
    } else {
        rc = yoke__fail(YOKE_EBUSY, "connection: another thread is receiving");
    }
    return rc;
}

static yoke__conn_loop *loop_new(yoke__conn *conn, const yoke_conn_loop_options *options)
{
    yoke__conn_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return NULL;
    loop->conn = conn;
    loop->handle = conn->handle;
    loop->options = *options;
    loop->under_way.end = &loop->under_way.first;
    loop->done.end = &loop->done.first;
    loop->soon.done = on_soon;
    loop->soon.user = loop->read.user = loop;
    return loop;
}

int yoke_conn_attach(yoke_conn *handle, struct uv_loop_s *at, const yoke_conn_loop_options *options)
{
    yoke_conn_loop_options taken;
    if (at == NULL || options == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_conn_attach: %s is NULL", at == NULL ? "the loop" : "options");
    YOKE_TRY(yoke__options_take(yoke_conn_loop_options, &taken, options));
    taken.high = taken.high != 0 ? taken.high : HIGH;
    taken.low = taken.low != 0 ? taken.low : taken.high / 4;
    YOKE_TRY(check(&taken));
    yoke__conn *conn = yoke__conn_enter(handle);
    if (conn == NULL)
        return yoke__noted();
    yoke__conn_loop *loop = loop_new(conn, &taken);
    int rc = loop != NULL ? attach_with_turns(conn, loop, at) : yoke__fail(YOKE_ENOMEM, "no memory for a connection");
    if (rc < 0)
        free(loop);
    yoke__conn_leave(conn);
    return rc;
}

/* ---- closing ---- */

/* The loop has nothing of it any more. */
static void on_left(void *user)
{
    yoke__conn_loop *loop = user;
    void (*closed)(void *user) = loop->closed;
    void *closed_user = loop->closed_user;
    loop->conn->stream = NULL;
    loop->conn->loop = NULL;
    yoke__conn_loop_end_writes(loop);
    yoke__conn_destroy(loop->conn);
    free(loop);
    if (closed != NULL)
        closed(closed_user);
}

void yoke__conn_loop_leave(yoke__conn *conn, void (*closed)(void *user), void *user)
{
    yoke__conn_loop *loop = conn->loop;
    loop->closing = true;
    loop->closed = closed;
    loop->closed_user = user;
    streams()->leave(conn->stream, on_left, loop);
}

int yoke_conn_close_on_loop(yoke_conn *handle, void (*closed)(void *user), void *user)
{
    if (yoke__conn_loop_of(handle) == NULL)
        return yoke__noted();
    yoke__conn_close(handle, closed, user);
    return YOKE_OK;
}

/* ---- forks ---- */

/* By the only thread, which may be in one of the user's functions and come back from it: then it finds `forgotten`. What
 * the parent's loop has of it stays what it is. */
void yoke__conn_loop_forget(yoke__conn *conn)
{
    static yoke__conn_loop *kept; /* for those who look for lost memory */
    yoke__conn_loop        *loop = conn->loop;
    if (loop->in_message)
        conn->receive_broken = YOKE_EBROKEN;
    if (loop->under_way.first != NULL && loop->under_way.first->request.size > 0)
        conn->send_broken = YOKE_EBROKEN;
    loop->forgotten = true;
    loop->kept = kept;
    kept = loop;
    conn->loop = NULL;
    conn->stream = streams()->renew(conn->stream);
    yoke__a32_store_release(&conn->state, conn->stream != NULL ? YOKE__CONN_OPEN : YOKE__CONN_NOT_PASSED);
}
