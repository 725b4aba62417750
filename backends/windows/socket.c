/* Listening, accepting, and the first bytes of a connection. */
#include "socket.h"

#include "../../core/local.h"
#include "pipe.h"
#include "ready.h"

#include <stdlib.h>

/* Everything that listens in this process. The mutex is held during calls on one, none of which wait. */
static struct {
    yoke__mutex      mutex;
    yoke__listening *first;
} all = {.mutex = YOKE__MUTEX_INIT};

/* What of a pipe's name is the system's: `\\.\pipe\`, in 256 characters. */
#define PIPE_NAME_LIMIT 247

static size_t name_limit(yoke_socket_kind kind)
{
    switch (kind) {
    case YOKE_SOCKET_PIPE:
        return PIPE_NAME_LIMIT;
    case YOKE_SOCKET_TCP:
        return 255; /* of the name system */
    default:
        return 0;
    }
}

/* ---- listening ---- */

static void listening_free(yoke__listening *listening)
{
    if (listening->socket != INVALID_SOCKET)
        (void)closesocket(listening->socket);
    yoke__pipe_unlisten(listening);
    if (listening->event != NULL)
        yoke__sys.CloseHandle(listening->event);
    free(listening);
}

static int socket_listen(yoke_socket_listener *out, const yoke_socket_place *place, int backlog, unsigned permissions)
{
    yoke__listening *listening = calloc(1, sizeof *listening);
    int              rc;

    if (listening == NULL)
        return yoke_backend_fail(YOKE_ENOMEM, 0, "no memory to listen");
    yoke_socket_listener made = {.place = *place};
    listening->socket = INVALID_SOCKET;
    listening->event = yoke__sys.CreateEventW(NULL, TRUE, FALSE, NULL);
    if (listening->event == NULL)
        rc = yoke__windows_fail("listening");
    else if (place->kind == YOKE_SOCKET_TCP)
        rc = yoke__tcp_listen(listening, &made, place, backlog);
    else
        rc = yoke__pipe_listen(listening, place, backlog, permissions);
    if (rc < 0) {
        listening_free(listening);
        return rc;
    }
    made.native = yoke__native_of(listening->event);
    yoke__mutex_lock(&all.mutex);
    listening->next = all.first;
    all.first = listening;
    yoke__mutex_unlock(&all.mutex);
    *out = made;
    return YOKE_OK;
}

/* Locked. */
static yoke__listening **find(yoke_native native)
{
    yoke__listening **link = &all.first;

    while (*link != NULL && (*link)->event != yoke__handle_of(native))
        link = &(*link)->next;
    return link;
}

/* Names of pipes go by themselves, with the last end that listens. */
static void socket_unlisten(yoke_socket_listener *listener, bool remove)
{
    (void)remove;
    yoke__mutex_lock(&all.mutex);
    yoke__listening **link = find(listener->native);
    yoke__listening  *listening = *link;
    if (listening != NULL)
        *link = listening->next;
    yoke__mutex_unlock(&all.mutex);
    if (listening != NULL)
        listening_free(listening);
    listener->native = YOKE_NO_NATIVE;
}

static int socket_accept(yoke_native *out, yoke_native native)
{
    int rc;

    yoke__mutex_lock(&all.mutex);
    yoke__listening *listening = *find(native);
    if (listening == NULL)
        rc = yoke_backend_fail(YOKE_EINVAL, 0, "nothing listens there");
    else if (listening->socket != INVALID_SOCKET)
        rc = yoke__tcp_accept(out, listening);
    else
        rc = yoke__pipe_accept(out, listening);
    yoke__mutex_unlock(&all.mutex);
    return rc;
}

/* ---- connecting ---- */

static int socket_connect(yoke_native *out, const yoke_socket_place *place, int64_t timeout)
{
    int64_t deadline = yoke__windows_deadline(timeout);

    if (place->kind == YOKE_SOCKET_TCP)
        return yoke__tcp_connect(out, place, deadline);
    return yoke__pipe_dial(out, place, deadline);
}

static int socket_peer(yoke_native native, yoke_socket_peer *out)
{
    *out = (yoke_socket_peer){.uid = -1};
    return yoke__windows_is_socket(native) ? yoke__tcp_peer(native, out) : yoke__pipe_peer(native, out);
}

/* ---- first bytes ---- */

/* 0 and *size 0: nothing is there; WSAEDISCON: the end. */
static DWORD receive_socket(SOCKET socket, void *data, size_t capacity, DWORD *size)
{
    int got = recv(socket, data, capacity < INT_MAX ? (int)capacity : INT_MAX, 0);

    *size = got > 0 ? (DWORD)got : 0;
    if (got >= 0)
        return got == 0 ? WSAEDISCON : 0;
    return WSAGetLastError() == WSAEWOULDBLOCK ? 0 : (DWORD)WSAGetLastError();
}

static int socket_receive(yoke_native native, void *data, size_t capacity, size_t *size)
{
    DWORD number, got;

    if (yoke__windows_is_socket(native))
        number = receive_socket((SOCKET)native, data, capacity, &got);
    else
        number = yoke__windows_pipe_read(yoke__handle_of(native), data, capacity < INT_MAX ? (DWORD)capacity : INT_MAX,
                                         &got);
    if (number == WSAEDISCON || number == ERROR_BROKEN_PIPE)
        return yoke_backend_fail(YOKE_EEOF, number, "the other end is closed");
    if (number != 0)
        return yoke_backend_fail(YOKE_EBROKEN, number, "the other end was cut off");
    if (got == 0)
        return YOKE_EBUSY;
    *size = got;
    return YOKE_OK;
}

static DWORD send_socket(SOCKET socket, const void *data, size_t size)
{
    int put = send(socket, data, (int)size, 0);

    if (put < 0)
        return (DWORD)WSAGetLastError();
    return (size_t)put == size ? 0 : WSAEWOULDBLOCK;
}

static int socket_send(yoke_native native, const void *data, size_t size)
{
    DWORD number = yoke__windows_is_socket(native)
                       ? send_socket((SOCKET)native, data, size)
                       : yoke__windows_pipe_write(yoke__handle_of(native), data, (DWORD)size);

    if (number != 0)
        return yoke_backend_fail(YOKE_EBROKEN, number, "the other end was cut off or takes nothing");
    return YOKE_OK;
}

static int socket_send_end(yoke_native native)
{
    if (!yoke__windows_is_socket(native))
        return yoke_backend_fail(YOKE_ENOTSUP, 0, "a named pipe can't be shut down on one side");
    if (shutdown((SOCKET)native, SD_SEND) == 0)
        return YOKE_OK;
    int number = WSAGetLastError();
    return yoke_backend_fail(number == WSAENOTCONN ? YOKE_EBROKEN : YOKE_EIO, number,
                             "shutting the sending side of a socket down");
}

const yoke_socket_ops yoke__windows_socket = {
    .struct_size = sizeof(yoke_socket_ops),
    .name_limit = name_limit,
    .listen = socket_listen,
    .unlisten = socket_unlisten,
    .accept = socket_accept,
    .connect = socket_connect,
    .peer = socket_peer,
    .receive = socket_receive,
    .send = socket_send,
    .send_end = socket_send_end,
};
