/*
 * Channels: a pair of local sockets between related processes, which carry datagrams and, beside them, descriptors.
 *
 * Where the system has them they are SOCK_SEQPACKET, which keeps datagrams apart and tells the end. Elsewhere (macOS)
 * they are streams, and each datagram is preceded by its length; YOKE_CHANNEL=stream asks for that anywhere. One thread
 * at a time sends on an end, and one receives.
 */
#include "posix.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define NATIVES_MAX 253 /* SCM_MAX_FD of Linux: the most that one message can carry */

typedef union control {
    struct cmsghdr header; /* for alignment */
    char           space[CMSG_SPACE(NATIVES_MAX * sizeof(int))];
} control;

/* ---- waiting ---- */

int64_t yoke__posix_deadline(int64_t timeout)
{
    int64_t now = yoke__posix_system.now();

    return timeout >= INT64_MAX - now ? INT64_MAX : now + timeout;
}

static int milliseconds_until(int64_t deadline)
{
    int64_t left;

    if (deadline == INT64_MAX)
        return -1;
    left = deadline - yoke__posix_system.now();
    if (left <= 0)
        return 0;
    left = (left + 999999) / 1000000;
    return left > INT32_MAX ? INT32_MAX : (int)left;
}

int yoke__posix_wait_readable(int fd, int64_t deadline, const char *what)
{
    for (;;) {
        struct pollfd entry = {.fd = fd, .events = POLLIN};
        int           left = milliseconds_until(deadline);
        int           rc = yoke__sys.poll(&entry, 1, left);

        if (rc > 0)
            return YOKE_OK; /* an error or the end is found by the read */
        if (rc == 0 && milliseconds_until(deadline) == 0)
            return yoke_backend_fail(YOKE_ETIMEDOUT, 0, "%s: nothing came in time", what);
        if (rc < 0 && errno != EINTR)
            return yoke__posix_fail(what);
    }
}

/* ---- making ---- */

static bool stream_wanted(void)
{
    const char *wanted = getenv("YOKE_CHANNEL");

    return wanted && strcmp(wanted, "stream") == 0;
}

int yoke__posix_channel(yoke_native ends[2])
{
    int fds[2];
    int rc = -1;

    errno = EPROTONOSUPPORT;
    if (!stream_wanted())
        rc = yoke__posix_socketpair(SOCK_SEQPACKET, fds);
    if (rc < 0 && (errno == EPROTONOSUPPORT || errno == EPROTOTYPE || errno == ENOTSUP || errno == ESOCKTNOSUPPORT))
        rc = yoke__posix_socketpair(SOCK_STREAM, fds);
    if (rc < 0)
        return yoke__posix_fail("making a channel");
    ends[0] = fds[0];
    ends[1] = fds[1];
    return YOKE_OK;
}

static int is_stream(int fd, bool *out)
{
    int       type;
    socklen_t size = sizeof type;

    if (yoke__sys.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
        return yoke__posix_fail("looking at a channel");
    *out = type == SOCK_STREAM;
    return YOKE_OK;
}

/* ---- sending ---- */

static void attach_natives(struct msghdr *message, control *space, const yoke_native *natives, size_t count)
{
    struct cmsghdr *header;

    if (count == 0)
        return;
    memset(space, 0, sizeof *space);
    message->msg_control = space->space;
    message->msg_controllen = CMSG_SPACE(count * sizeof(int));
    header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (size_t i = 0; i < count; i++) {
        int fd = (int)natives[i];
        memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
    }
}

static int send_failed(int number, size_t size)
{
    if (number == EPIPE || number == ECONNRESET)
        return yoke_backend_fail(YOKE_EEOF, number, "the other end of the channel is gone");
    if (number == EMSGSIZE)
        return yoke_backend_fail(YOKE_EMSGSIZE, number, "%zu bytes are too many for one datagram", size);
    if (number == EBADF) /* the channel itself was looked at before */
        return yoke_backend_fail(YOKE_EINVAL, number, "a descriptor to be sent along is not open");
    return yoke__posix_fail_number(number, "sending on a channel");
}

static ssize_t send_some(int fd, const struct msghdr *message)
{
    ssize_t sent;

    do
        sent = yoke__sys.sendmsg(fd, message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent;
}

/* A stream may take a part; the descriptors went with its first byte. */
static int send_rest(int fd, const uint8_t *at, size_t size)
{
    while (size > 0) {
        struct iovec  part = {.iov_base = (void *)(uintptr_t)at, .iov_len = size};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        ssize_t       sent = send_some(fd, &message);

        if (sent < 0 && errno != EPIPE && errno != ECONNRESET)
            return yoke_backend_fail(YOKE_EIO, errno, "a datagram was sent in part only: %s", strerror(errno));
        if (sent < 0)
            return send_failed(errno, size);
        at += sent;
        size -= (size_t)sent;
    }
    return YOKE_OK;
}

int yoke__posix_channel_send(yoke_native end, const void *data, size_t size, const yoke_native *natives, size_t count)
{
    uint32_t      length = (uint32_t)size;
    struct iovec  parts[2] = {{.iov_base = &length, .iov_len = sizeof length},
                              {.iov_base = (void *)(uintptr_t)data, .iov_len = size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    control       space;
    bool          stream;
    ssize_t       sent;

    if (size == 0 || size > UINT32_MAX || count > NATIVES_MAX)
        return yoke_backend_fail(size > UINT32_MAX ? YOKE_EMSGSIZE : YOKE_EINVAL, 0,
                                 "a datagram has at least one byte and carries at most %d descriptors, not %zu",
                                 NATIVES_MAX, count);
    YOKE_TRY(is_stream((int)end, &stream));
    if (!stream) {
        message.msg_iov = &parts[1];
        message.msg_iovlen = 1;
    }
    attach_natives(&message, &space, natives, count);
    sent = send_some((int)end, &message);
    if (sent < 0)
        return send_failed(errno, size);
    if (!stream)
        return YOKE_OK;
    if ((size_t)sent < sizeof length) { /* the first byte of a stream is never followed by a gap in practice */
        YOKE_TRY(send_rest((int)end, (const uint8_t *)&length + sent, sizeof length - (size_t)sent));
        sent = (ssize_t)sizeof length;
    }
    return send_rest((int)end, (const uint8_t *)data + ((size_t)sent - sizeof length),
                     size + sizeof length - (size_t)sent);
}

/* ---- receiving ---- */

typedef struct arrival {
    ssize_t     size;  /* of the part received; 0: the end */
    int         flags; /* MSG_TRUNC, MSG_CTRUNC */
    yoke_native natives[NATIVES_MAX];
    size_t      count;
} arrival;

static void drop_natives(arrival *from)
{
    while (from->count > 0)
        yoke__sys.close((int)from->natives[--from->count]);
}

static void take_natives(arrival *out, struct msghdr *message)
{
    out->count = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        size_t count;

        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count && out->count < NATIVES_MAX; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
#ifndef MSG_CMSG_CLOEXEC
            (void)yoke__posix_cloexec(fd);
#endif
            fd = yoke__posix_own(fd);
            if (fd >= 0)
                out->natives[out->count++] = fd;
            else
                out->flags |= MSG_CTRUNC; /* as good as cut off */
        }
    }
}

/* One recvmsg(); waits for it until the deadline. */
static int receive_part(int fd, arrival *out, void *data, size_t capacity, int64_t deadline)
{
    struct iovec  part = {.iov_base = data, .iov_len = capacity};
    struct msghdr message;
    control       space;

#ifdef MSG_CMSG_CLOEXEC
    const int flags = MSG_CMSG_CLOEXEC | MSG_DONTWAIT;
#else
    const int flags = MSG_DONTWAIT;
#endif
    for (;;) {
        message = (struct msghdr){
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = space.space, .msg_controllen = sizeof space.space};
        out->size = yoke__sys.recvmsg(fd, &message, flags);
        if (out->size >= 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK))
            break;
        if (errno != EINTR)
            YOKE_TRY(yoke__posix_wait_readable(fd, deadline, "waiting on a channel"));
    }
    if (out->size < 0 && errno != ECONNRESET)
        return yoke__posix_fail("receiving from a channel");
    out->flags = out->size < 0 ? 0 : message.msg_flags;
    out->count = 0;
    if (out->size >= 0)
        take_natives(out, &message);
    else
        out->size = 0;
    return YOKE_OK;
}

/* Until size bytes are there. A stream whose datagram is broken off can't be used again: that is its end too. */
static int receive_exactly(int fd, void *data, size_t size, int64_t deadline)
{
    arrival  part = {.size = 0};
    uint8_t *at = data;

    while (size > 0) {
        YOKE_TRY(receive_part(fd, &part, at, size, deadline));
        drop_natives(&part); /* they came with the first byte */
        if (part.size == 0)
            return yoke_backend_fail(YOKE_EEOF, 0, "the other end of the channel went away inside a datagram");
        at += part.size;
        size -= (size_t)part.size;
    }
    return YOKE_OK;
}

/*
 * The length, then the datagram. A datagram that doesn't fit is read past, so that the next one can be read. `rest` is the
 * deadline for what follows the first byte.
 */
static int receive_stream(int fd, arrival *out, void *data, size_t capacity, int64_t deadline, int64_t rest)
{
    uint32_t length;
    uint8_t  waste[512];

    YOKE_TRY(receive_part(fd, out, &length, sizeof length, deadline));
    if (out->size == 0)
        return YOKE_OK;
    YOKE_TRY(receive_exactly(fd, (uint8_t *)&length + out->size, sizeof length - (size_t)out->size, rest));
    out->size = (ssize_t)length;
    if (length <= capacity)
        return receive_exactly(fd, data, length, rest);
    out->flags |= MSG_TRUNC;
    for (size_t left = length; left > 0;) {
        size_t piece = left < sizeof waste ? left : sizeof waste;
        YOKE_TRY(receive_exactly(fd, waste, piece, rest));
        left -= piece;
    }
    return YOKE_OK;
}

/* A datagram that has begun is there soon, for its sender is inside one call: that is waited for. Not so by who doesn't
 * wait at all, since what calls itself a channel may be a stranger's. */
static int receive(int fd, arrival *out, void *data, size_t capacity, int64_t timeout)
{
    int64_t deadline = yoke__posix_deadline(timeout);
    bool    stream;
    int     rc;

    YOKE_TRY(is_stream(fd, &stream));
    if (!stream)
        return receive_part(fd, out, data, capacity, deadline);
    out->count = 0;
    rc = receive_stream(fd, out, data, capacity, deadline, timeout > 0 ? INT64_MAX : deadline);
    if (rc < 0)
        drop_natives(out);
    return rc;
}

int yoke__posix_channel_recv(yoke_native end, void *data, size_t capacity, size_t *size, yoke_native *natives,
                             size_t natives_capacity, size_t *count, int64_t timeout)
{
    arrival got = {.size = 0};

    YOKE_TRY(receive((int)end, &got, data, capacity, timeout));
    if (got.size == 0)
        return yoke_backend_fail(YOKE_EEOF, 0, "the other end of the channel is gone");
    if ((got.flags & MSG_TRUNC) || got.count > natives_capacity) {
        drop_natives(&got);
        return yoke_backend_fail(YOKE_EMSGSIZE, 0, "a datagram exceeded %zu bytes or %zu descriptors", capacity,
                                 natives_capacity);
    }
    *size = (size_t)got.size;
    *count = got.count;
    if (got.flags & MSG_CTRUNC) {
        drop_natives(&got);
        *count = 0;
        return yoke_backend_fail(YOKE_ENOMEM, EMFILE, "no descriptors left for those that a datagram carried");
    }
    if (got.count > 0)
        memcpy(natives, got.natives, got.count * sizeof *natives);
    return YOKE_OK;
}
