/*
 * libuv as a program would use it for messages in step: a loop of its own in each process; uv_try_write, and uv_write for
 * what the system does not take; reading into a buffer that grows to the size of a message and a bit more.
 */
#include "peers.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define AHEAD ((size_t)65536)

typedef struct lane {
    int       fds[2];
    uv_loop_t loop;
    uv_pipe_t pipe;
    bool      writing;
    int       status; /* how reading or writing ended */
    uint8_t  *buffer; /* [head, tail) has come */
    size_t    head, tail, capacity;
} lane;

static bool good(int status, const char *what)
{
    if (status < 0)
        fprintf(stderr, "yoke-bench: %s: %s\n", what, uv_strerror(status));
    return status >= 0;
}

static void *open_lane(const bench_shape *shape)
{
    lane *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    l->capacity = shape->size + 4 + AHEAD;
    l->buffer = malloc(l->capacity);
    if (l->buffer && socketpair(AF_UNIX, SOCK_STREAM, 0, l->fds) == 0)
        return l;
    (void)bench_failed("socketpair");
    free(l->buffer);
    free(l);
    return NULL;
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    lane *l = handle->data;

    (void)suggested;
    if (l->head > 0) {
        memmove(l->buffer, l->buffer + l->head, l->tail - l->head);
        l->tail -= l->head;
        l->head = 0;
    }
    *out = uv_buf_init((char *)l->buffer + l->tail, (unsigned)(l->capacity - l->tail));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    lane *l = stream->data;

    (void)buffer;
    if (count > 0)
        l->tail += (size_t)count;
    else if (count < 0 && count != UV_ENOBUFS)
        l->status = (int)count;
}

static bool join(void *opaque, bench_side side, int index)
{
    lane *l = opaque;
    int   mine = l->fds[side == BENCH_PUTS];

    (void)index;
    (void)close(l->fds[side == BENCH_GETS]);
    if (!good(uv_loop_init(&l->loop), "uv_loop_init") || !good(uv_pipe_init(&l->loop, &l->pipe, 0), "uv_pipe_init") ||
        !good(uv_pipe_open(&l->pipe, mine), "uv_pipe_open"))
        return false;
    l->pipe.data = l;
    return side == BENCH_PUTS || good(uv_read_start((uv_stream_t *)&l->pipe, give_room, on_read), "uv_read_start");
}

static void on_written(uv_write_t *write, int status)
{
    lane *l = write->data;

    l->writing = false;
    l->status = status;
}

static bool send_frame(void *opaque, const void *data, size_t size)
{
    lane      *l = opaque;
    uint8_t    header[4] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
    uv_buf_t   parts[2] = {uv_buf_init((char *)header, 4), uv_buf_init((char *)(uintptr_t)data, (unsigned)size)};
    uv_write_t write;
    int        written = uv_try_write((uv_stream_t *)&l->pipe, parts, 2);

    if (written == (int)size + 4)
        return true;
    if (written < 0 && written != UV_EAGAIN)
        return good(written, "uv_try_write");
    size_t sent = written < 0 ? 0 : (size_t)written, of_header = sent < 4 ? sent : 4;
    parts[0] = uv_buf_init((char *)header + of_header, (unsigned)(4 - of_header));
    parts[1] = uv_buf_init((char *)(uintptr_t)data + sent - of_header, (unsigned)(size - (sent - of_header)));
    write.data = l;
    l->writing = true;
    if (!good(uv_write(&write, (uv_stream_t *)&l->pipe, parts, 2, on_written), "uv_write"))
        return false;
    while (l->writing)
        (void)uv_run(&l->loop, UV_RUN_ONCE);
    return good(l->status, "uv_write");
}

static bool receive_frame(void *opaque, void *data, size_t size)
{
    lane *l = opaque;

    while (l->tail - l->head < size + 4) {
        (void)uv_run(&l->loop, UV_RUN_ONCE);
        if (!good(l->status, "reading"))
            return false;
    }
    const uint8_t *header = l->buffer + l->head;
    size_t         told = (size_t)header[0] << 24 | (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
    memcpy(data, header + 4, size);
    l->head += size + 4;
    return told == size;
}

static void close_lane(void *opaque)
{
    lane *l = opaque;

    (void)close(l->fds[0]);
    (void)close(l->fds[1]);
    free(l->buffer);
    free(l);
}

const bench_peer bench_uv = {
    .name = "libuv",
    .open = open_lane,
    .join = join,
    .send = send_frame,
    .receive = receive_frame,
    .close = close_lane,
};
