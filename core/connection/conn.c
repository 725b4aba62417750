/* Life of connections: making, entering, closing, and what a fork means. */
#include "conn.h"
#include "on_loop.h"

#include "../backend.h"
#include "../error.h"
#include "../wait/many_list.h"
#include "parcel.h"

#include <stdlib.h>
#include <string.h>

#define SPARE_BUFFERS 4

/* All connections of the process, and spare buffers; held across a fork. */
static struct {
    yoke__mutex mutex;
    yoke__conn *first;
    uint8_t    *spare[SPARE_BUFFERS];
    size_t      spare_count;
} all = {.mutex = YOKE__MUTEX_INIT};

static const yoke_stream_ops *streams(void)
{
    return yoke__backend()->stream;
}

/* ---- fork ---- */

static void before_fork(void)
{
    yoke__mutex_lock(&all.mutex);
}

static void after_fork_in_parent(void)
{
    yoke__mutex_unlock(&all.mutex);
}

/* Other threads' calls don't exist here. What one of them was changing may be half changed: that direction is broken,
 * except for an end that is being moved, where it is the move that holds the turns. */
static void after_fork_in_child(void)
{
    all.mutex = (yoke__mutex)YOKE__MUTEX_INIT;
    for (yoke__conn *conn = all.first; conn != NULL; conn = conn->next) {
        if (conn->loop != NULL)
            yoke__conn_loop_forget(conn);
        bool moving = yoke__a32_load_relaxed(&conn->state) == YOKE__CONN_MOVING;
        if (!moving && yoke__a32_load_relaxed(&conn->receiving.word) != 0)
            conn->receive_broken = YOKE_EBROKEN;
        if ((!moving && yoke__a32_load_relaxed(&conn->sending.word) != 0) || conn->rest != NULL)
            conn->send_broken = YOKE_EBROKEN;
        if (conn->rest != NULL)
            conn->stale = conn->rest; /* the parent's to finish */
        conn->rest = NULL;
        conn->receiving = conn->sending = (yoke__turn){{0}};
        conn->guard = (yoke__mutex)YOKE__MUTEX_INIT;
        yoke__share_forget(conn);
    }
}

/* ---- memory to read ahead ---- */

uint8_t *yoke__conn_buffer_take(void)
{
    uint8_t *buffer = NULL;
    yoke__mutex_lock(&all.mutex);
    if (all.spare_count > 0)
        buffer = all.spare[--all.spare_count];
    yoke__mutex_unlock(&all.mutex);
    if (buffer == NULL)
        buffer = malloc(YOKE__CONN_BUFFER);
    if (buffer == NULL)
        (void)yoke__fail(YOKE_ENOMEM, "connection: no memory to receive");
    return buffer;
}

void yoke__conn_buffer_give(uint8_t *buffer)
{
    yoke__mutex_lock(&all.mutex);
    if (all.spare_count < SPARE_BUFFERS && all.first != NULL) {
        all.spare[all.spare_count++] = buffer;
        buffer = NULL;
    }
    yoke__mutex_unlock(&all.mutex);
    free(buffer);
}

/* `all` locked. The last connection takes the spare buffers with it. */
static void list_remove(yoke__conn *conn)
{
    if (conn->link == NULL)
        return;
    *conn->link = conn->next;
    if (conn->next != NULL)
        conn->next->link = conn->link;
    conn->link = NULL;
    while (all.first == NULL && all.spare_count > 0)
        free(all.spare[--all.spare_count]);
}

/* `all` locked. */
static void list_add(yoke__conn *conn)
{
    conn->next = all.first;
    conn->link = &all.first;
    if (conn->next != NULL)
        conn->next->link = &conn->next;
    all.first = conn;
}

/* ---- making ---- */

int yoke__conn_create(yoke_conn **out, yoke_native native, uint32_t flags, uint64_t max_message)
{
    yoke__handle *handle;
    yoke__conn   *conn = calloc(1, sizeof *conn);
    if (conn == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for a connection");
    int rc = yoke__handle_local(&handle, YOKE__KIND_CONN);
    if (rc < 0) {
        free(conn);
        return rc;
    }
    rc = streams()->open(&conn->stream, native, flags & (YOKE_STREAM_READ | YOKE_STREAM_WRITE));
    if (rc < 0) {
        yoke__handle_close(handle, NULL);
        free(conn);
        return rc;
    }
    conn->handle = (yoke_conn *)handle;
    conn->flags = flags;
    conn->max_message = max_message;
    handle->extra = conn;
    yoke__fork_hook_add(before_fork, after_fork_in_parent, after_fork_in_child);
    yoke__fork_hooks();
    yoke__mutex_lock(&all.mutex);
    list_add(conn);
    yoke__mutex_unlock(&all.mutex);
    *out = conn->handle;
    return YOKE_OK;
}

/* ---- entering ---- */

yoke__conn *yoke__conn_enter(const yoke_conn *conn)
{
    yoke__handle *handle = yoke__handle_check(conn, YOKE__KIND_CONN);
    if (handle == NULL)
        return NULL;
    yoke__handle_enter(handle);
    if (yoke__a32_load_acquire(&handle->closing) == 0)
        return handle->extra;
    yoke__handle_exit(handle);
    (void)yoke__fail(YOKE_ECLOSED, "connection: it is being closed");
    return NULL;
}

void yoke__conn_leave(yoke__conn *conn)
{
    yoke__handle_exit(&conn->handle->handle);
}

static bool closing(const yoke__conn *conn)
{
    return yoke__a32_load_acquire(&conn->handle->handle.closing) != 0;
}

int yoke__conn_usable(yoke__conn *conn)
{
    if (closing(conn))
        return yoke__fail(YOKE_ECLOSED, "connection: it is being closed");
    switch (yoke__a32_load_acquire(&conn->state)) {
    case YOKE__CONN_MOVED:
        return yoke__fail(YOKE_EMOVED, "connection: this end was passed to another process");
    case YOKE__CONN_NOT_PASSED:
        return yoke__fail(YOKE_ECLOSED, "connection: this end was not passed to this child process");
    default:
        return YOKE_OK;
    }
}

int yoke__conn_off_loop(yoke__conn *conn)
{
    YOKE_TRY(yoke__conn_usable(conn));
    if (yoke__a32_load_acquire(&conn->state) == YOKE__CONN_ON_LOOP)
        return yoke__fail(YOKE_EBUSY,
                          "connection: it is on an event loop, and only for yoke_conn_write() and its like");
    return YOKE_OK;
}

static int broken(const yoke__conn *conn, uint32_t need)
{
    int rc = need == YOKE_STREAM_READ ? conn->receive_broken : conn->send_broken;
    if (rc == YOKE_ECLOSED)
        return yoke__fail(rc, "connection: its sending side was shut down");
    if (rc == YOKE_EBROKEN)
        return yoke__fail(rc, "connection: a message broke off %s, so this direction can't be used any more",
                          need == YOKE_STREAM_READ ? "while it was received" : "while it was sent");
    return rc;
}

static yoke__turn *turn_of(yoke__conn *conn, uint32_t need)
{
    return need == YOKE_STREAM_READ ? &conn->receiving : &conn->sending;
}

static int begin(yoke__conn *conn, uint32_t need, yoke__deadline deadline)
{
    bool reads = need == YOKE_STREAM_READ;
    YOKE_TRY(yoke__conn_off_loop(conn));
    if ((conn->flags & need) == 0)
        return yoke__fail(YOKE_EINVAL, "connection: this end of a one-way pipe only %s", reads ? "sends" : "receives");
    if (yoke__turn_take(turn_of(conn, need), deadline) != YOKE_OK)
        return yoke__fail(YOKE_ETIMEDOUT, "connection: another thread is still %s", reads ? "receiving" : "sending");
    int rc = yoke__conn_off_loop(conn); /* again: the turn may have been long in coming */
    if (rc == YOKE_OK)
        rc = broken(conn, need);
    if (rc < 0)
        (void)yoke__turn_pass(turn_of(conn, need));
    return rc;
}

int yoke__conn_begin(yoke__conn **out, const yoke_conn *handle, uint32_t need, yoke__deadline deadline)
{
    yoke__conn *conn = yoke__conn_enter(handle);
    if (conn == NULL)
        return yoke_last_error()->code;
    int rc = begin(conn, need, deadline);
    if (rc < 0)
        yoke__conn_leave(conn);
    else
        *out = conn;
    return rc;
}

void yoke__conn_end(yoke__conn *conn, uint32_t need)
{
    if (need == YOKE_STREAM_READ && conn->luggage != NULL && !conn->in_frame)
        yoke__luggage_clear(conn, conn->came - (conn->tail - conn->head));
    bool left = need == YOKE_STREAM_READ && (conn->in_frame || conn->head < conn->tail || conn->receive_broken != 0);
    if (yoke__turn_pass(turn_of(conn, need)) || left)
        yoke__many_ring(); /* what is left here, no native tells */
    yoke__conn_leave(conn);
}

intptr_t yoke_conn_native(const yoke_conn *handle)
{
    yoke__conn *conn = yoke__conn_enter(handle);
    if (conn == NULL)
        return YOKE_NO_NATIVE;
    intptr_t native = YOKE_NO_NATIVE;
    yoke__mutex_lock(&conn->guard);
    if (yoke__conn_usable(conn) == YOKE_OK)
        native = streams()->native(conn->stream);
    yoke__mutex_unlock(&conn->guard);
    yoke__conn_leave(conn);
    return native;
}

/* ---- closing ---- */

static void interrupt(yoke__conn *conn, bool messages_under_way)
{
    yoke__mutex_lock(&conn->guard);
    if (conn->stream != NULL)
        streams()->interrupt(conn->stream, messages_under_way);
    yoke__mutex_unlock(&conn->guard);
}

/* Called by close while calls are asleep in the connection. Those that wait for something to begin are sent home; a
 * message that has begun to go out gets its time. */
static void wake(yoke__handle *handle)
{
    yoke__conn *conn = handle->extra;
    if (yoke__a32_load_acquire(&conn->state) == YOKE__CONN_ON_LOOP)
        return; /* nobody sleeps in it but yoke_wait, which is rung */
    interrupt(conn, false);
    if (yoke__turn_take(&conn->sending, yoke__deadline_after(YOKE__CONN_FLUSH)) == YOKE_OK)
        (void)yoke__turn_pass(&conn->sending);
    else
        interrupt(conn, true);
}

void yoke__conn_drop_stream(yoke__conn *conn, uint32_t state)
{
    yoke__mutex_lock(&conn->guard);
    yoke_stream *stream = conn->stream;
    conn->stream = NULL;
    yoke__a32_store_release(&conn->state, state);
    yoke__mutex_unlock(&conn->guard);
    if (stream != NULL)
        streams()->close(stream);
    yoke__share_drop(conn);
    yoke__luggage_free(conn);
}

/* Nobody else uses it any more. */
void yoke__conn_destroy(yoke__conn *conn)
{
    yoke__mutex_lock(&all.mutex);
    list_remove(conn);
    yoke__mutex_unlock(&all.mutex);
    if (conn->rest != NULL && yoke__conn_flush(conn, yoke__deadline_after(YOKE__CONN_FLUSH)) == YOKE_ETIMEDOUT)
        streams()->cancel(&conn->rest->request);
    if (conn->stream != NULL)
        streams()->close(conn->stream);
    yoke__share_drop(conn);
    yoke__luggage_free(conn);
    yoke__parcels_look(); /* messages may have gone with it */
    if (conn->buffer != NULL && conn->capacity == YOKE__CONN_BUFFER)
        yoke__conn_buffer_give(conn->buffer);
    else
        free(conn->buffer);
    yoke_message_free(conn->partial);
    free(conn->rest);
    free(conn->stale);
    free(conn);
}

void yoke__conn_close(yoke_conn *handle, void (*closed)(void *user), void *user)
{
    yoke__handle *checked = yoke__handle_check(handle, YOKE__KIND_CONN);
    yoke__conn   *conn = checked != NULL ? yoke__handle_claim(checked) : NULL;
    if (conn == NULL)
        return;
    yoke__handle_close(checked, wake);
    if (conn->loop == NULL) {
        yoke__conn_destroy(conn);
        return;
    }
    yoke__mutex_lock(&all.mutex);
    list_remove(conn); /* a fork is not to find it while the loop lets go of it */
    yoke__mutex_unlock(&all.mutex);
    yoke__conn_loop_leave(conn, closed, user);
}

void yoke_conn_close(yoke_conn *handle)
{
    if (handle != NULL)
        yoke__conn_close(handle, NULL, NULL);
}

/* ---- all of them ---- */

bool yoke__conn_flush_all(int64_t timeout)
{
    bool finished = true;

    yoke__mutex_lock(&all.mutex);
    yoke__conn    *conn = all.first;
    yoke__deadline deadline = conn != NULL ? yoke__deadline_after(timeout) : 0;
    while (conn != NULL) {
        yoke__handle_enter(&conn->handle->handle); /* it can't go while the mutex is open */
        yoke__mutex_unlock(&all.mutex);
        if (yoke__turn_take(&conn->sending, deadline) == YOKE_OK) {
            if (conn->rest != NULL && yoke__conn_flush(conn, deadline) == YOKE_ETIMEDOUT)
                finished = false;
            (void)yoke__turn_pass(&conn->sending);
        }
        yoke__mutex_lock(&all.mutex);
        yoke__conn *next = conn->next;
        yoke__conn_leave(conn);
        conn = next;
    }
    yoke__mutex_unlock(&all.mutex);
    return finished;
}

static bool is_kept(const yoke__conn *conn, yoke_conn *const *keep, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (keep[i] == conn->handle)
            return true;
    return false;
}

void yoke__conn_close_inherited(yoke_conn *const *keep, size_t count)
{
    for (yoke__conn *conn = all.first; conn != NULL; conn = conn->next) {
        if (conn->stream == NULL)
            continue;
        if (is_kept(conn, keep, count))
            yoke__a32_store_release(&conn->state, YOKE__CONN_OPEN);
        else
            yoke__conn_drop_stream(conn, YOKE__CONN_NOT_PASSED);
    }
}
