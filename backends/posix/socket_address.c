/* Addresses of sockets, and making sockets. */
#include "socket.h"

#include "posix.h"
#include "sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#define LOCAL_ROOM sizeof(((struct sockaddr_un *)0)->sun_path)

#ifdef __linux__
#define ABSTRACT_LIMIT (LOCAL_ROOM - 1)
#else
#define ABSTRACT_LIMIT 0
#endif

/* An abstract name is preceded by a NUL, a path is followed by one. */
size_t yoke__socket_name_limit(yoke_socket_kind kind)
{
    if (kind == YOKE_SOCKET_PATH)
        return LOCAL_ROOM - 1;
    if (kind == YOKE_SOCKET_ABSTRACT)
        return ABSTRACT_LIMIT;
    return kind == YOKE_SOCKET_TCP ? 255 : 0; /* of the name system */
}

socklen_t yoke__socket_local(yoke__socket_address *out, const yoke_socket_place *place)
{
    size_t size = strlen(place->name);

    memset(out, 0, sizeof *out);
    out->local.sun_family = AF_UNIX;
    if (size > LOCAL_ROOM - 1)
        size = LOCAL_ROOM - 1;
    memcpy(out->local.sun_path + (place->kind == YOKE_SOCKET_ABSTRACT), place->name, size);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
}

static int lookup_failed(int error, const yoke_socket_place *place)
{
    if (error == EAI_SYSTEM)
        return yoke__posix_fail("looking up a host");
    if (error == EAI_MEMORY)
        return yoke_backend_fail(YOKE_ENOMEM, error, "no memory to look up the host '%s'", place->name);
    return yoke_backend_fail(YOKE_ENOENT, error, "the host '%s' was not found: %s", place->name, gai_strerror(error));
}

int yoke__socket_lookup(struct addrinfo **out, const yoke_socket_place *place, bool listening)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST};
    char            port[8];

    if (listening)
        hints.ai_flags |= AI_PASSIVE;
    snprintf(port, sizeof port, "%u", (unsigned)place->port);
    int error = yoke__sys.getaddrinfo(place->name, port, &hints, out);
    if (error == EAI_NONAME) { /* not a number */
        hints.ai_flags &= ~AI_NUMERICHOST;
        error = yoke__sys.getaddrinfo(place->name, port, &hints, out);
    }
    return error == 0 ? YOKE_OK : lookup_failed(error, place);
}

static void local_place(yoke_socket_place *out, const struct sockaddr_un *local, socklen_t size)
{
    size_t room = size > offsetof(struct sockaddr_un, sun_path) ? size - offsetof(struct sockaddr_un, sun_path) : 0;
    size_t skip = room > 1 && local->sun_path[0] == '\0';

    out->kind = skip ? YOKE_SOCKET_ABSTRACT : YOKE_SOCKET_PATH;
    if (room > skip)
        memcpy(out->name, local->sun_path + skip, room - skip);
    out->name[room - skip] = '\0';
}

void yoke__socket_place_of(yoke_socket_place *out, const yoke__socket_address *address, socklen_t size)
{
    char port[8] = "";

    memset(out, 0, sizeof *out);
    if (address->any.sa_family == AF_UNIX) {
        local_place(out, &address->local, size);
        return;
    }
    out->kind = YOKE_SOCKET_TCP;
    if (getnameinfo(&address->any, size, out->name, sizeof out->name, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        out->name[0] = '\0';
    for (const char *digit = port; *digit >= '0' && *digit <= '9'; digit++)
        out->port = (uint16_t)(out->port * 10 + (*digit - '0'));
}

int yoke__socket_new(int family, bool blocking)
{
#ifdef __linux__
    return yoke__posix_own(yoke__sys.socket(family, SOCK_STREAM | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK), 0));
#else
    int fd = yoke__posix_own(yoke__sys.socket(family, SOCK_STREAM, 0));
    if (fd < 0 || (yoke__posix_cloexec(fd) == 0 && (blocking || yoke__sys.fcntl(fd, F_SETFL, O_NONBLOCK) == 0)))
        return fd;
    int number = errno;
    yoke__sys.close(fd);
    errno = number;
    return -1;
#endif
}

void yoke__socket_no_delay(int fd)
{
    int on = 1;
    (void)yoke__sys.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* slower without it, not wrong */
}
