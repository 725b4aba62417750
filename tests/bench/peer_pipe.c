/*
 * Kernel pipes and sockets. All messages of a lane have one size, so the pipe needs no frames: small ones are atomic on
 * both ends because they fill its pages evenly. The stream socket carries a length before each, as a program's would.
 */
#include "peers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

typedef struct ends {
    int reads, writes;
} ends;

static bool join(void *lane, bench_side side, int index)
{
    ends *e = lane;

    (void)index;
    (void)close(side == BENCH_PUTS ? e->reads : e->writes);
    return true;
}

static void close_lane(void *lane)
{
    ends *e = lane;

    (void)close(e->reads);
    (void)close(e->writes);
    free(e);
}

static bool write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno != EINTR)
            return bench_failed("write");
        if (written > 0) {
            data += written;
            size -= (size_t)written;
        }
    }
    return true;
}

static bool read_all(int fd, uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t got = read(fd, data, size);
        if (got == 0 || (got < 0 && errno != EINTR))
            return bench_failed("read");
        if (got > 0) {
            data += got;
            size -= (size_t)got;
        }
    }
    return true;
}

/* ---- pipe ---- */

static void *open_pipe(const bench_shape *shape)
{
    ends *e = malloc(sizeof *e);
    int   fds[2];

    if ((shape->putters > 1 || shape->getters > 1) && (shape->size > PIPE_BUF || PIPE_BUF % shape->size != 0)) {
        free(e);
        return NULL; /* would tear messages */
    }
    if (!e || pipe(fds) != 0) {
        (void)bench_failed("pipe");
        free(e);
        return NULL;
    }
    (void)fcntl(fds[0], F_SETPIPE_SZ, 1 << 20); /* the most that an ordinary user may ask for */
    *e = (ends){fds[0], fds[1]};
    return e;
}

static bool send_pipe(void *lane, const void *data, size_t size)
{
    return write_all(((ends *)lane)->writes, data, size);
}

static bool receive_pipe(void *lane, void *data, size_t size)
{
    return read_all(((ends *)lane)->reads, data, size);
}

const bench_peer bench_pipe_peer = {
    .name = "pipe",
    .many = true,
    .open = open_pipe,
    .join = join,
    .send = send_pipe,
    .receive = receive_pipe,
    .close = close_lane,
};

/* ---- sockets ---- */

static void *open_socket(int type)
{
    ends *e = malloc(sizeof *e);
    int   fds[2];
    int   bytes = 4 << 20; /* cut down to the system's limit */

    if (!e || socketpair(AF_UNIX, type, 0, fds) != 0) {
        (void)bench_failed("socketpair");
        free(e);
        return NULL;
    }
    (void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    *e = (ends){fds[0], fds[1]};
    return e;
}

static void *open_seqpacket(const bench_shape *shape)
{
    (void)shape;
    return open_socket(SOCK_SEQPACKET);
}

static bool send_seqpacket(void *lane, const void *data, size_t size)
{
    return send(((ends *)lane)->writes, data, size, 0) == (ssize_t)size || bench_failed("send");
}

static bool receive_seqpacket(void *lane, void *data, size_t size)
{
    return recv(((ends *)lane)->reads, data, size, 0) == (ssize_t)size || bench_failed("recv");
}

const bench_peer bench_seqpacket = {
    .name = "seqpacket",
    .many = true,
    .largest = 65536,
    .open = open_seqpacket,
    .join = join,
    .send = send_seqpacket,
    .receive = receive_seqpacket,
    .close = close_lane,
};

static void *open_stream(const bench_shape *shape)
{
    (void)shape;
    return open_socket(SOCK_STREAM);
}

static bool send_stream(void *lane, const void *data, size_t size)
{
    int          fd = ((ends *)lane)->writes;
    uint64_t     length = size;
    struct iovec parts[2] = {{&length, sizeof length}, {(void *)(uintptr_t)data, size}};
    ssize_t      written = writev(fd, parts, 2);

    if (written < (ssize_t)sizeof length)
        return bench_failed("writev");
    size_t sent = (size_t)written - sizeof length;
    return write_all(fd, (const uint8_t *)data + sent, size - sent);
}

static bool receive_stream(void *lane, void *data, size_t size)
{
    int      fd = ((ends *)lane)->reads;
    uint64_t length = 0;

    return read_all(fd, (uint8_t *)&length, sizeof length) && length == size && read_all(fd, data, size);
}

const bench_peer bench_stream = {
    .name = "socket_stream",
    .open = open_stream,
    .join = join,
    .send = send_stream,
    .receive = receive_stream,
    .close = close_lane,
};
