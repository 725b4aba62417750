/* TCP: listening, connecting, addresses. */
#include "ready.h"
#include "socket.h"

#include <stdio.h>

static int fail(const char *what)
{
    return yoke__windows_fail_number((DWORD)WSAGetLastError(), what);
}

static int fail_and_close(SOCKET socket, const char *what)
{
    int rc = fail(what);

    (void)closesocket(socket);
    return rc;
}

/* ---- addresses ---- */

/* Addresses of a place, to be given to freeaddrinfo(). */
static int lookup(struct addrinfo **out, const yoke_socket_place *place, bool listening)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP, .ai_flags = AI_NUMERICHOST};
    char            port[8];

    YOKE_TRY(yoke__windows_winsock());
    if (listening)
        hints.ai_flags |= AI_PASSIVE;
    snprintf(port, sizeof port, "%u", (unsigned)place->port);
    int error = getaddrinfo(place->name, port, &hints, out);
    if (error == EAI_NONAME) { /* not a number */
        hints.ai_flags &= ~AI_NUMERICHOST;
        error = getaddrinfo(place->name, port, &hints, out);
    }
    if (error == 0)
        return YOKE_OK;
    if (error == EAI_MEMORY)
        return yoke_backend_fail(YOKE_ENOMEM, error, "no memory to look up the host '%s'", place->name);
    return yoke_backend_fail(YOKE_ENOENT, error, "the host '%s' was not found", place->name);
}

static void place_of(yoke_socket_place *out, const struct sockaddr *address, int size)
{
    char port[8] = "";

    *out = (yoke_socket_place){.kind = YOKE_SOCKET_TCP};
    if (getnameinfo(address, size, out->name, sizeof out->name, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) !=
        0)
        out->name[0] = '\0';
    for (const char *digit = port; *digit >= '0' && *digit <= '9'; digit++)
        out->port = (uint16_t)(out->port * 10 + (*digit - '0'));
}

static SOCKET socket_new(int family)
{
    return WSASocketW(family, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

static bool not_blocking(SOCKET socket)
{
    u_long on = 1;

    return ioctlsocket(socket, (long)FIONBIO, &on) == 0;
}

static bool set(SOCKET socket, int level, int name)
{
    DWORD on = 1;

    return setsockopt(socket, level, name, (const char *)&on, sizeof on) == 0;
}

/* ---- listening ---- */

/* On this system an address in use can be taken from its listener unless that forbids it. */
static int bind_and_listen(SOCKET *out, const struct addrinfo *address, int backlog)
{
    SOCKET made = socket_new(address->ai_family);

    if (made == INVALID_SOCKET)
        return fail("socket");
    if (!set(made, SOL_SOCKET, SO_EXCLUSIVEADDRUSE) ||
        (address->ai_family == AF_INET6 && !set(made, IPPROTO_IPV6, IPV6_V6ONLY)))
        return fail_and_close(made, "setsockopt");
    if (bind(made, address->ai_addr, (int)address->ai_addrlen) != 0)
        return fail_and_close(made, "bind");
    if (listen(made, backlog) != 0)
        return fail_and_close(made, "listen");
    *out = made;
    return YOKE_OK;
}

int yoke__tcp_listen(yoke__listening *listening, yoke_socket_listener *out, const yoke_socket_place *place, int backlog)
{
    struct sockaddr_storage address;
    struct addrinfo        *all;
    int                     rc = YOKE_ENOENT, size = sizeof address;

    YOKE_TRY(lookup(&all, place, true));
    for (struct addrinfo *one = all; one != NULL && listening->socket == INVALID_SOCKET; one = one->ai_next)
        rc = bind_and_listen(&listening->socket, one, backlog);
    freeaddrinfo(all);
    YOKE_TRY(rc);
    if (getsockname(listening->socket, (struct sockaddr *)&address, &size) != 0)
        return fail("getsockname");
    if (WSAEventSelect(listening->socket, listening->event, FD_ACCEPT) != 0)
        return fail("WSAEventSelect");
    place_of(&out->place, (struct sockaddr *)&address, size);
    return YOKE_OK;
}

/* What comes of a listening socket has its events too. */
static int accepted(yoke_native *out, SOCKET client)
{
    if (WSAEventSelect(client, NULL, 0) != 0 || !not_blocking(client))
        return fail_and_close(client, "accept");
    (void)SetHandleInformation((HANDLE)client, HANDLE_FLAG_INHERIT, 0);
    (void)set(client, IPPROTO_TCP, TCP_NODELAY); /* slower without it, not wrong */
    *out = (yoke_native)client;
    return YOKE_OK;
}

/* The event is reset before the last look, so that it is set by whoever comes after that. */
int yoke__tcp_accept(yoke_native *out, yoke__listening *listening)
{
    for (bool reset = false;;) {
        SOCKET client = accept(listening->socket, NULL, NULL);
        if (client != INVALID_SOCKET)
            return accepted(out, client);
        int number = WSAGetLastError();
        if (number == WSAECONNRESET)
            continue; /* a client that has given up */
        if (number != WSAEWOULDBLOCK) {
            int rc = fail("accept");
            (void)SetEvent(listening->event);
            return rc;
        }
        if (reset)
            return YOKE_EBUSY;
        (void)ResetEvent(listening->event);
        reset = true;
    }
}

/* ---- connecting ---- */

/* Waits for a connection that was begun. */
static int finish(SOCKET made, HANDLE event, int64_t deadline)
{
    WSANETWORKEVENTS events;
    int              rc = yoke__windows_wait_handle(event, deadline);

    if (rc == YOKE_ETIMEDOUT)
        return yoke_backend_fail(YOKE_ETIMEDOUT, 0, "nobody accepted the connection in time");
    YOKE_TRY(rc);
    if (WSAEnumNetworkEvents(made, event, &events) != 0)
        return fail("connect");
    int number = events.iErrorCode[FD_CONNECT_BIT];
    return number == 0 ? YOKE_OK : yoke__windows_fail_number((DWORD)number, "connect");
}

static int start(SOCKET made, const struct addrinfo *address, int64_t deadline)
{
    HANDLE event = yoke__sys.CreateEventW(NULL, TRUE, FALSE, NULL);
    int    rc;

    if (event == NULL)
        return yoke__windows_fail("connect");
    if (WSAEventSelect(made, event, FD_CONNECT) != 0)
        rc = fail("WSAEventSelect");
    else if (connect(made, address->ai_addr, (int)address->ai_addrlen) == 0)
        rc = YOKE_OK;
    else
        rc = WSAGetLastError() == WSAEWOULDBLOCK ? finish(made, event, deadline) : fail("connect");
    (void)WSAEventSelect(made, NULL, 0);
    yoke__sys.CloseHandle(event);
    return rc;
}

static int connect_one(yoke_native *out, const struct addrinfo *address, int64_t deadline)
{
    SOCKET made = socket_new(address->ai_family);

    if (made == INVALID_SOCKET)
        return fail("socket");
    int rc = start(made, address, deadline);
    if (rc < 0) {
        (void)closesocket(made);
        return rc;
    }
    if (!not_blocking(made))
        return fail_and_close(made, "connect");
    (void)set(made, IPPROTO_TCP, TCP_NODELAY);
    *out = (yoke_native)made;
    return YOKE_OK;
}

int yoke__tcp_connect(yoke_native *out, const yoke_socket_place *place, int64_t deadline)
{
    struct addrinfo *all;
    int              rc = YOKE_ENOENT;

    YOKE_TRY(lookup(&all, place, false));
    for (struct addrinfo *one = all; one != NULL && rc < 0; one = one->ai_next)
        rc = connect_one(out, one, deadline);
    freeaddrinfo(all);
    return rc;
}

int yoke__tcp_peer(yoke_native native, yoke_socket_peer *out)
{
    struct sockaddr_storage address;
    int                     size = sizeof address;

    if (getpeername((SOCKET)native, (struct sockaddr *)&address, &size) != 0)
        return fail("getpeername");
    place_of(&out->place, (struct sockaddr *)&address, size);
    return YOKE_OK;
}
