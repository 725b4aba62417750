/* Connecting, and who is at the other end. */
#include "socket.h"

#include "posix.h"
#include "sys.h"
#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/time.h>

#ifdef __FreeBSD__
#include <sys/ucred.h>
#endif

static int64_t left_until(int64_t deadline)
{
    if (deadline == INT64_MAX)
        return INT64_MAX;
    int64_t left = deadline - yoke__posix_system.now();
    return left > 0 ? left : 0;
}

static int timed_out(void)
{
    return yoke_backend_fail(YOKE_ETIMEDOUT, 0, "nobody accepted the connection in time");
}

/* Waits for a connection that was begun without blocking. */
static int finish(int fd, int64_t deadline)
{
    struct pollfd entry = {.fd = fd, .events = POLLOUT};
    int           number = 0, ready = yoke__posix_poll(&entry, 1, left_until(deadline));
    socklen_t     size = sizeof number;

    if (ready <= 0)
        return ready < 0 ? ready : timed_out();
    if (yoke__sys.getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) < 0)
        return yoke__posix_fail("getsockopt");
    return number == 0 ? YOKE_OK : yoke__posix_fail_number(number, "connect");
}

/* Once: YOKE_EBUSY if the queue of those who wait to be accepted is full. */
static int start(int fd, const struct sockaddr *address, socklen_t size, int64_t deadline)
{
    if (yoke__sys.connect(fd, address, size) == 0 || errno == EISCONN)
        return YOKE_OK;
    if (errno == EINPROGRESS || (errno == EINTR && address->sa_family != AF_UNIX))
        return finish(fd, deadline);
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return YOKE_EBUSY;
    return yoke__posix_fail("connect");
}

/*
 * Linux: a local socket that doesn't block is refused while the queue is full, and nothing tells when that changes. So it
 * blocks for the time that is left, which the system counts.
 */
static int connect_local(int fd, const struct sockaddr *address, socklen_t size, int64_t deadline)
{
    for (;;) {
        int64_t        left = left_until(deadline);
        struct timeval most = {.tv_sec = (time_t)(left / 1000000000), .tv_usec = left % 1000000000 / 1000 + 1};
        if (deadline == INT64_MAX)
            most = (struct timeval){0};
        if (yoke__sys.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most) < 0)
            return yoke__posix_fail("setsockopt");
        int rc = start(fd, address, size, deadline);
        if (rc != YOKE_EBUSY)
            return rc;
        if (left_until(deadline) == 0)
            return timed_out();
    }
}

static int connect_one(yoke_native *out, const struct sockaddr *address, socklen_t size, int64_t deadline)
{
    bool           local = address->sa_family == AF_UNIX;
    struct timeval never = {0};
    int            fd = yoke__socket_new(address->sa_family, local);

    if (fd < 0)
        return yoke__posix_fail("socket");
    int rc = local ? connect_local(fd, address, size, deadline) : start(fd, address, size, deadline);
    if (rc == YOKE_EBUSY)
        rc = yoke_backend_fail(YOKE_ENOMEM, EAGAIN, "the system has no port left to connect from");
    if (rc == YOKE_OK && local && yoke__sys.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &never, sizeof never) < 0)
        rc = yoke__posix_fail("setsockopt");
    if (rc < 0) {
        yoke__sys.close(fd);
        return rc;
    }
    if (!local)
        yoke__socket_no_delay(fd);
    *out = fd;
    return YOKE_OK;
}

int yoke__socket_connect(yoke_native *out, const yoke_socket_place *place, int64_t timeout)
{
    int64_t              deadline = yoke__posix_deadline(timeout);
    yoke__socket_address address;
    struct addrinfo     *all;
    int                  rc = YOKE_ENOENT;

    if (place->kind != YOKE_SOCKET_TCP) {
        socklen_t size = yoke__socket_local(&address, place);
        return connect_one(out, &address.any, size, deadline);
    }
    YOKE_TRY(yoke__socket_lookup(&all, place, false));
    for (struct addrinfo *one = all; one && rc < 0; one = one->ai_next)
        rc = connect_one(out, one->ai_addr, one->ai_addrlen, deadline);
    freeaddrinfo(all);
    return rc;
}

/* ---- without waiting ---- */

static int start_one(yoke_native *out, const struct sockaddr *address, socklen_t size)
{
    int fd = yoke__socket_new(address->sa_family, false);

    if (fd < 0)
        return yoke__posix_fail("socket");
    if (address->sa_family != AF_UNIX)
        yoke__socket_no_delay(fd);
    int number = yoke__sys.connect(fd, address, size) == 0 ? 0 : errno;
    *out = fd;
    if (number == 0)
        return YOKE_OK;
    if (number == EINPROGRESS || number == EINTR)
        return YOKE_EBUSY;
    if (address->sa_family == AF_UNIX && (number == EAGAIN || number == EWOULDBLOCK))
        return YOKE_ETIMEDOUT;
    yoke__sys.close(fd);
    return yoke__posix_fail_number(number, "connect");
}

int yoke__socket_connect_start(yoke_native *out, const yoke_socket_place *place, size_t index)
{
    yoke__socket_address address;
    struct addrinfo     *all, *one;

    if (place->kind != YOKE_SOCKET_TCP) {
        socklen_t size = yoke__socket_local(&address, place);
        return index == 0 ? start_one(out, &address.any, size) : YOKE_ERANGE;
    }
    YOKE_TRY(yoke__socket_lookup(&all, place, false));
    for (one = all; one && index > 0; one = one->ai_next)
        index--;
    int rc = one ? start_one(out, one->ai_addr, one->ai_addrlen) : YOKE_ERANGE;
    freeaddrinfo(all);
    return rc;
}

int yoke__socket_connect_end(yoke_native native)
{
    int       number = 0;
    socklen_t size = sizeof number;

    if (yoke__sys.getsockopt((int)native, SOL_SOCKET, SO_ERROR, &number, &size) < 0)
        return yoke__posix_fail("getsockopt");
    return number == 0 ? YOKE_OK : yoke__posix_fail_number(number, "connect");
}

/* ---- who is there ---- */

#if defined(__linux__)
static void credentials(int fd, yoke_socket_peer *out)
{
    struct ucred who;
    socklen_t    size = sizeof who;

    if (yoke__sys.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && size == sizeof who) {
        out->pid = who.pid;
        out->uid = (int64_t)who.uid;
    }
}
#elif defined(__APPLE__) || defined(__FreeBSD__)
static void credentials(int fd, yoke_socket_peer *out)
{
    uid_t uid;
    gid_t gid;

    if (getpeereid(fd, &uid, &gid) == 0)
        out->uid = (int64_t)uid;
#ifdef LOCAL_PEERPID
    pid_t     pid = 0;
    socklen_t size = sizeof pid;
    if (yoke__sys.getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &pid, &size) == 0)
        out->pid = pid;
#endif
}
#else
static void credentials(int fd, yoke_socket_peer *out)
{
    (void)fd;
    (void)out;
}
#endif

int yoke__socket_peer(yoke_native native, yoke_socket_peer *out)
{
    yoke__socket_address address;
    socklen_t            size = sizeof address;

    memset(&address, 0, sizeof address);
    if (yoke__sys.getpeername((int)native, &address.any, &size) < 0)
        return errno == ENOTSOCK ? yoke_backend_fail(YOKE_ENOTSUP, ENOTSOCK, "not a socket, so nobody is told")
                                 : yoke__posix_fail("getpeername");
    memset(out, 0, sizeof *out);
    out->uid = -1;
    yoke__socket_place_of(&out->place, &address, size);
    if (address.any.sa_family == AF_UNIX)
        credentials((int)native, out);
    out->same_user = out->uid == (int64_t)geteuid();
    return YOKE_OK;
}
