/* Listening, accepting, and the first bytes of a connection. */
#include "socket.h"

#include "posix.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>

static int fail_and_close(int fd, const char *what)
{
    int number = errno;

    yoke__sys.close(fd);
    return yoke__posix_fail_number(number, what);
}

/* ---- listening ---- */

static int bind_and_listen(int *out, const struct sockaddr *address, socklen_t size, int backlog)
{
    int fd = yoke__socket_new(address->sa_family, false);
    int on = 1;

    if (fd < 0)
        return yoke__posix_fail("socket");
    if (address->sa_family != AF_UNIX)
        (void)yoke__sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->sa_family == AF_INET6)
        (void)yoke__sys.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (yoke__sys.bind(fd, address, size) < 0)
        return fail_and_close(fd, "bind");
    if (address->sa_family != AF_UNIX && yoke__sys.listen(fd, backlog) < 0)
        return fail_and_close(fd, "listen");
    *out = fd;
    return YOKE_OK;
}

static int listen_tcp(yoke_socket_listener *out, const yoke_socket_place *place, int backlog)
{
    struct addrinfo *all;
    int              rc = YOKE_ENOENT, fd = -1;

    YOKE_TRY(yoke__socket_lookup(&all, place, true));
    for (struct addrinfo *one = all; one && fd < 0; one = one->ai_next)
        rc = bind_and_listen(&fd, one->ai_addr, one->ai_addrlen, backlog);
    freeaddrinfo(all);
    YOKE_TRY(rc);
    yoke__socket_address address;
    socklen_t            size = sizeof address;
    if (yoke__sys.getsockname(fd, &address.any, &size) < 0)
        return fail_and_close(fd, "getsockname");
    yoke__socket_place_of(&out->place, &address, size);
    out->native = fd;
    return YOKE_OK;
}

static int listen_abstract(yoke_socket_listener *out, const yoke_socket_place *place, int backlog)
{
    yoke__socket_address address;
    socklen_t            size = yoke__socket_local(&address, place);
    int                  fd;

    YOKE_TRY(bind_and_listen(&fd, &address.any, size, backlog));
    if (yoke__sys.listen(fd, backlog) < 0)
        return fail_and_close(fd, "listen");
    out->native = fd;
    out->place = *place;
    return YOKE_OK;
}

/* Nobody can connect before listen(), so the permissions are there in time. */
static int listen_path_locked(yoke_socket_listener *out, const yoke_socket_place *place, int backlog, mode_t mode)
{
    yoke__socket_address address;
    socklen_t            size = yoke__socket_local(&address, place);
    int                  fd;

    YOKE_TRY(yoke__socket_file_clear(place->name));
    YOKE_TRY(bind_and_listen(&fd, &address.any, size, backlog));
    int rc = yoke__socket_file_identity(place->name, out->file);
    if (rc == YOKE_OK && yoke__sys.chmod(place->name, mode) < 0)
        rc = yoke__posix_fail("chmod");
    if (rc == YOKE_OK && yoke__sys.listen(fd, backlog) < 0)
        rc = yoke__posix_fail("listen");
    if (rc < 0) {
        (void)yoke__sys.unlink(place->name); /* nobody else can have replaced it */
        yoke__sys.close(fd);
        return rc;
    }
    out->native = fd;
    out->place = *place;
    return YOKE_OK;
}

static int listen_path(yoke_socket_listener *out, const yoke_socket_place *place, int backlog, mode_t mode)
{
    int lock;

    YOKE_TRY(yoke__socket_file_lock(&lock, place->name));
    int rc = listen_path_locked(out, place, backlog, mode);
    yoke__socket_file_unlock(lock, place->name);
    return rc;
}

static int socket_listen(yoke_socket_listener *out, const yoke_socket_place *place, int backlog, unsigned permissions)
{
    switch (place->kind) {
    case YOKE_SOCKET_PATH:
        return listen_path(out, place, backlog, (mode_t)permissions);
    case YOKE_SOCKET_ABSTRACT:
        return listen_abstract(out, place, backlog);
    default:
        return listen_tcp(out, place, backlog);
    }
}

/* The file goes first: whoever connects from now on finds nobody, rather than a queue that nobody serves. */
static void socket_unlisten(yoke_socket_listener *listener, bool remove)
{
    int  lock;
    bool file = remove && listener->place.kind == YOKE_SOCKET_PATH;

    if (file && yoke__socket_file_lock(&lock, listener->place.name) == YOKE_OK) {
        yoke__socket_file_remove(listener->place.name, listener->file);
        yoke__socket_file_unlock(lock, listener->place.name);
    }
    yoke__sys.close((int)listener->native);
    listener->native = YOKE_NO_NATIVE;
}

/* ---- accepting ---- */

static int accept_one(int listener)
{
#ifdef __linux__
    return yoke__posix_own(yoke__sys.accept4(listener, NULL, NULL, SOCK_CLOEXEC));
#else
    int fd = yoke__posix_own(yoke__sys.accept(listener, NULL, NULL));
    if (fd >= 0 && (yoke__posix_cloexec(fd) < 0 || yoke__sys.fcntl(fd, F_SETFL, 0) < 0)) {
        int number = errno;
        yoke__sys.close(fd);
        errno = number;
        return -1;
    }
    return fd;
#endif
}

/* The system also tells here what became of a client that has given up: that one is passed over. */
static bool is_clients_own(int number)
{
    switch (number) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENOPROTOOPT:
    case ETIMEDOUT:
        return true;
    default:
        return false;
    }
}

static int socket_accept(yoke_native *out, yoke_native listener)
{
    int fd;

    do {
        fd = accept_one((int)listener);
    } while (fd < 0 && is_clients_own(errno));
    if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return YOKE_EBUSY;
    if (fd < 0)
        return yoke__posix_fail("accept");
    yoke__socket_no_delay(fd);
    *out = fd;
    return YOKE_OK;
}

/* ---- first bytes ---- */

static int socket_receive(yoke_native native, void *data, size_t capacity, size_t *size)
{
    ssize_t count;

    do {
        count = yoke__sys.recv((int)native, data, capacity, MSG_DONTWAIT);
    } while (count < 0 && errno == EINTR);
    if (count == 0)
        return yoke_backend_fail(YOKE_EEOF, 0, "the other end is closed");
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return YOKE_EBUSY;
    if (count < 0)
        return yoke_backend_fail(YOKE_EBROKEN, errno, "the other end was cut off");
    *size = (size_t)count;
    return YOKE_OK;
}

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

static int socket_send(yoke_native native, const void *data, size_t size)
{
    ssize_t count;

    do {
        count = yoke__sys.sendto((int)native, data, size, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
    } while (count < 0 && errno == EINTR);
    if (count < 0 || (size_t)count < size)
        return yoke_backend_fail(YOKE_EBROKEN, count < 0 ? errno : 0, "the other end was cut off or takes nothing");
    return YOKE_OK;
}

static int socket_send_end(yoke_native native)
{
    if (yoke__sys.shutdown((int)native, SHUT_WR) == 0)
        return YOKE_OK;
    int code = errno == ENOTSOCK ? YOKE_ENOTSUP : errno == ENOTCONN ? YOKE_EBROKEN : YOKE_EIO;
    return yoke_backend_fail(code, errno, "shutting the sending side of descriptor %lld down", (long long)native);
}

const yoke_socket_ops yoke__posix_socket = {
    .struct_size = sizeof(yoke_socket_ops),
    .name_limit = yoke__socket_name_limit,
    .listen = socket_listen,
    .unlisten = socket_unlisten,
    .accept = socket_accept,
    .connect = yoke__socket_connect,
    .peer = yoke__socket_peer,
    .receive = socket_receive,
    .send = socket_send,
    .send_end = socket_send_end,
    .connect_start = yoke__socket_connect_start,
    .connect_end = yoke__socket_connect_end,
};
