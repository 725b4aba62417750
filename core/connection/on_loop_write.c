/* Messages out, from event loops. What the system doesn't take at once waits in memory, up to a mark. */
#include "on_loop.h"

#include "../backend.h"
#include "../error.h"

#include <stdlib.h>
#include <string.h>

static const yoke_stream_ops *streams(void)
{
    return yoke__backend()->stream;
}

static void append(yoke__conn_writes *list, yoke__conn_write *write)
{
    write->next = NULL;
    *list->end = write;
    list->end = &write->next;
}

static void take_out(yoke__conn_writes *list, const yoke__conn_write *write)
{
    yoke__conn_write **link = &list->first;
    while (*link != write)
        link = &(*link)->next;
    *link = write->next;
    if (write->next == NULL)
        list->end = link;
}

/* ---- telling ---- */

static void tell_written(yoke__conn_loop *loop, yoke__conn_write *write)
{
    yoke_conn_written_fn *fn = write->fn;
    void                 *user = write->user;
    int                   status = write->status;
    free(write);
    fn(loop->handle, status, user);
}

void yoke__conn_loop_tell(yoke__conn_loop *loop)
{
    for (int burst = 0; loop->done.first != NULL && !loop->closing && !loop->forgotten; burst++) {
        if (burst == YOKE__CONN_BURST) {
            yoke__conn_loop_soon(loop);
            return;
        }
        yoke__conn_write *write = loop->done.first;
        take_out(&loop->done, write);
        tell_written(loop, write);
    }
    if (loop->closing || loop->forgotten || !loop->full || loop->waiting > loop->options.low)
        return;
    loop->full = false;
    if (loop->options.room != NULL)
        loop->options.room(loop->handle, loop->options.user);
}

void yoke__conn_loop_end_writes(yoke__conn_loop *loop)
{
    while (loop->done.first != NULL) {
        yoke__conn_write *write = loop->done.first;
        take_out(&loop->done, write);
        tell_written(loop, write);
    }
}

/* ---- writing ---- */

/* Everything that was to be sent is with the system. If that fails, the peer is gone, as reading will tell. */
static void end_if_due(yoke__conn_loop *loop)
{
    if (loop->ending && loop->under_way.first == NULL && loop->conn->send_broken == YOKE_OK && !loop->closing)
        (void)yoke__conn_send_end(loop->conn);
}

int yoke__conn_loop_end_sending(yoke__conn_loop *loop)
{
    if (loop->ending || loop->conn->send_broken == YOKE_ECLOSED)
        return yoke__fail(YOKE_ECLOSED, "connection: its sending side was shut down");
    if (loop->under_way.first == NULL)
        return yoke__conn_send_end(loop->conn);
    loop->ending = true;
    return YOKE_OK;
}

/* May be called inside of yoke_conn_write(): the user is told later. */
static void on_written(yoke_stream_request *request)
{
    yoke__conn_write *write = request->user;
    yoke__conn_loop  *loop = write->loop;
    take_out(&loop->under_way, write);
    loop->waiting -= write->part.size;
    end_if_due(loop);
    if (write->cancelled) {
        free(write);
        return;
    }
    write->status = request->status;
    if (request->status == YOKE_EBROKEN || (request->status < 0 && request->size > 0))
        loop->conn->send_broken = YOKE_EBROKEN;
    if (write->fn != NULL || loop->full)
        yoke__conn_loop_soon(loop);
    if (write->fn != NULL)
        append(&loop->done, write);
    else
        free(write);
}

static int check(const yoke__conn_loop *loop, const void *data, size_t size)
{
    const yoke__conn *conn = loop->conn;
    if ((conn->flags & YOKE_STREAM_WRITE) == 0)
        return yoke__fail(YOKE_EINVAL, "connection: this end of a one-way pipe only receives");
    if (data == NULL && size > 0)
        return yoke__fail(YOKE_EINVAL, "yoke_conn_write: data is NULL, but size is %zu", size);
    if (size > conn->max_message || size > PTRDIFF_MAX - sizeof(yoke__conn_write) - YOKE__FRAME_HEADER)
        return yoke__fail(YOKE_EMSGSIZE, "connection: a message of %zu bytes is over the limit", size);
    if (loop->ending || conn->send_broken == YOKE_ECLOSED)
        return yoke__fail(YOKE_ECLOSED, "connection: its sending side was shut down");
    if (conn->send_broken != 0)
        return yoke__fail(conn->send_broken, "connection: the other end is gone, or a message broke off");
    if (loop->full || loop->waiting >= loop->options.high)
        return yoke__fail(YOKE_EBUSY, "connection: %zu bytes wait to be sent, and the high mark is %zu", loop->waiting,
                          loop->options.high);
    return YOKE_OK;
}

static yoke__conn_write *write_new(yoke__conn_loop *loop, const void *data, size_t size)
{
    yoke__conn_write *write = malloc(sizeof *write + YOKE__FRAME_HEADER + size);
    if (write == NULL) {
        (void)yoke__fail(YOKE_ENOMEM, "connection: no memory for a message of %zu bytes", size);
        return NULL;
    }
    memset(write, 0, sizeof *write);
    size_t header = yoke__frame_header(write->bytes, size);
    if (size > 0)
        memcpy(write->bytes + header, data, size);
    write->part = (yoke_stream_part){write->bytes, header + size};
    write->loop = loop;
    write->ticket = ++loop->tickets;
    write->request.done = on_written;
    write->request.user = write;
    return write;
}

int yoke_conn_write(yoke_conn *handle, const void *data, size_t size, yoke_conn_written_fn *fn, void *user,
                    uint64_t *ticket)
{
    yoke__conn_loop *loop = yoke__conn_loop_of(handle);
    if (loop == NULL)
        return yoke__noted();
    YOKE_TRY(check(loop, data, size));
    yoke__conn_write *write = write_new(loop, data, size);
    if (write == NULL)
        return YOKE_ENOMEM;
    write->fn = fn;
    write->user = user;
    if (ticket != NULL)
        *ticket = write->ticket;
    append(&loop->under_way, write);
    loop->waiting += write->part.size;
    streams()->write(loop->conn->stream, &write->request, &write->part, 1);
    loop->full = loop->waiting >= loop->options.high;
    return loop->full ? YOKE_FULL : YOKE_OK;
}

int yoke_conn_write_cancel(yoke_conn *handle, uint64_t ticket)
{
    yoke__conn_loop *loop = yoke__conn_loop_of(handle);
    if (loop == NULL)
        return yoke__noted();
    yoke__conn_write *write = loop->under_way.first;
    while (write != NULL && write->ticket != ticket)
        write = write->next;
    if (write == NULL)
        return yoke__fail(YOKE_ENOENT, "connection: there is no message %llu waiting to be sent",
                          (unsigned long long)ticket);
    if (write->request.size > 0)
        return YOKE_BEGUN;
    write->cancelled = true;
    streams()->cancel(&write->request);
    yoke__conn_loop_soon(loop); /* there may be room now */
    return YOKE_OK;
}

int64_t yoke_conn_write_waiting(const yoke_conn *handle)
{
    const yoke__conn_loop *loop = yoke__conn_loop_of(handle);
    return loop != NULL ? (int64_t)loop->waiting : -1;
}
