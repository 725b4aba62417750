/* What one writes by hand: 4 bytes of length before each message, over a socketpair or a pipe as the system makes them;
 * one writev, one read of the length, reads of the rest. */
#include "peers.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

typedef struct ends {
    int reads, writes;
} ends;

static void *open_ends(int fds[2], int rc, const char *what)
{
    ends *e = malloc(sizeof *e);

    if (!e || rc != 0) {
        (void)bench_failed(what);
        free(e);
        return NULL;
    }
    *e = (ends){fds[0], fds[1]};
    return e;
}

static void *open_socketpair(const bench_shape *shape)
{
    int fds[2];

    (void)shape;
    return open_ends(fds, socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
}

static void *open_pipe(const bench_shape *shape)
{
    int fds[2];

    (void)shape;
    return open_ends(fds, pipe(fds), "pipe");
}

static bool join(void *lane, bench_side side, int index)
{
    ends *e = lane;

    (void)index;
    (void)close(side == BENCH_PUTS ? e->reads : e->writes);
    return true;
}

static bool send_frame(void *lane, const void *data, size_t size)
{
    int          fd = ((ends *)lane)->writes;
    uint8_t      header[4] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
    struct iovec parts[2] = {{header, sizeof header}, {(void *)(uintptr_t)data, size}};
    ssize_t      written = writev(fd, parts, 2);

    if (written < (ssize_t)sizeof header)
        return bench_failed("writev");
    for (size_t sent = (size_t)written - sizeof header; sent < size; sent += (size_t)written) {
        written = write(fd, (const uint8_t *)data + sent, size - sent);
        if (written <= 0)
            return bench_failed("write");
    }
    return true;
}

static bool read_all(int fd, uint8_t *data, size_t size)
{
    for (size_t have = 0; have < size;) {
        ssize_t got = read(fd, data + have, size - have);
        if (got <= 0)
            return bench_failed("read");
        have += (size_t)got;
    }
    return true;
}

static bool receive_frame(void *lane, void *data, size_t size)
{
    int     fd = ((ends *)lane)->reads;
    uint8_t header[4];

    if (!read_all(fd, header, sizeof header))
        return false;
    size_t told = (size_t)header[0] << 24 | (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
    return told == size && read_all(fd, data, size);
}

static void close_lane(void *lane)
{
    ends *e = lane;

    (void)close(e->reads);
    (void)close(e->writes);
    free(e);
}

const bench_peer bench_framed_socketpair = {
    .name = "socketpair",
    .open = open_socketpair,
    .join = join,
    .send = send_frame,
    .receive = receive_frame,
    .close = close_lane,
};

const bench_peer bench_framed_pipe = {
    .name = "pipe",
    .open = open_pipe,
    .join = join,
    .send = send_frame,
    .receive = receive_frame,
    .close = close_lane,
};
