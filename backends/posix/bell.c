/*
 * Doorbells. On Linux a datagram socket whose abstract name is made from the bell's: it vanishes with its last
 * descriptor, leaves nothing in the file system, and can be rung without having been connected. Elsewhere a FIFO.
 *
 * A ring is an empty datagram. Empty, so that even a socket of the host that came to stand at our descriptor's number
 * (programs that close all descriptors exist) is sent no bytes.
 *
 * Abstract names belong to a network namespace: between participants in different ones, rings are lost and a parked
 * thread wakes at the end of its slice.
 */
#include "wait.h"

#include "posix.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#ifdef __linux__
#include <sys/un.h>

static bool by_fifo(void)
{
    static _Atomic int choice; /* 0 not made, 1 socket, 2 FIFO */

    if (choice == 0)
        choice = strcmp(yoke__posix_environment("YOKE_BELL"), "fifo") == 0 ? 2 : 1;
    return choice == 2;
}

static socklen_t address_of(struct sockaddr_un *out, const yoke_bell_name *name)
{
    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    int length = snprintf(out->sun_path + 1, sizeof out->sun_path - 1, "yoke-%016llx-%x-%x",
                          (unsigned long long)name->domain, (unsigned)name->index, (unsigned)name->generation);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

static int socket_new(void)
{
    return yoke__posix_own(yoke__sys.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

static int socket_open(yoke_native *out, const yoke_bell_name *name)
{
    struct sockaddr_un address;
    socklen_t          size = address_of(&address, name);
    int                fd = socket_new();

    if (fd < 0)
        return yoke__posix_fail("opening a doorbell");
    if (yoke__sys.bind(fd, (struct sockaddr *)&address, size) != 0) {
        int result = yoke__posix_fail("naming a doorbell");
        (void)yoke__sys.close(fd);
        return result;
    }
    *out = fd;
    return YOKE_OK;
}

/* The socket that this process rings with. Two threads may both make one; one of them wins. */
static _Atomic int ringer = -1;

static int ringer_get(void)
{
    int fd = ringer;

    if (fd >= 0)
        return fd;
    int fresh = socket_new();
    if (fresh < 0)
        return -1;
    if (atomic_compare_exchange_strong(&ringer, &fd, fresh))
        return fresh;
    (void)yoke__sys.close(fresh);
    return fd;
}

static int send_empty(int fd, const struct sockaddr_un *address, socklen_t size)
{
    ssize_t sent;

    do
        sent = yoke__sys.sendto(fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)address, size);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : 0;
}

static bool no_such_bell(int number)
{
    return number == ECONNREFUSED || number == ENOENT;
}

/* EAGAIN has two causes: the bell holds as many rings as it can, which is as good as rung; or the ringer's own buffer is
 * full of rings that other bells have not taken. A new socket tells them apart, as its buffer is empty. It also serves
 * when the host closed our ringer. */
static int ring_afresh(const struct sockaddr_un *address, socklen_t size)
{
    int fd = socket_new();

    if (fd < 0)
        return yoke__posix_fail("ringing a doorbell");
    int number = send_empty(fd, address, size);
    (void)yoke__sys.close(fd);
    if (number == 0 || number == EAGAIN)
        return YOKE_OK;
    return no_such_bell(number) ? YOKE_ENOENT : yoke__posix_fail_number(number, "ringing a doorbell");
}

static int socket_ring(const yoke_bell_name *name)
{
    struct sockaddr_un address;
    socklen_t          size = address_of(&address, name);
    int                fd = ringer_get();
    int                number = fd < 0 ? EBADF : send_empty(fd, &address, size);

    if (number == 0)
        return YOKE_OK;
    if (no_such_bell(number))
        return YOKE_ENOENT;
    if (number == EBADF || number == ENOTSOCK)
        (void)atomic_compare_exchange_strong(&ringer, &fd, -1);
    return ring_afresh(&address, size);
}

/* A ringer that nobody needs any more; sanitizers and valgrind see no open descriptor at exit. */
__attribute__((destructor)) static void ringer_drop(void)
{
    int fd = atomic_exchange(&ringer, -1);

    if (fd >= 0)
        (void)yoke__sys.close(fd);
}

static void socket_close(yoke_native bell)
{
    (void)yoke__sys.close((int)bell);
}

#else

static bool by_fifo(void)
{
    return true;
}

#define socket_open(out, name) YOKE_ENOTSUP
#define socket_ring(name)      YOKE_ENOTSUP
#define socket_close(bell)     (void)(bell)

#endif

int yoke__posix_bell_open(yoke_native *out, const yoke_bell_name *name)
{
    return by_fifo() ? yoke__posix_fifo_open(out, name) : socket_open(out, name);
}

int yoke__posix_bell_ring(const yoke_bell_name *name)
{
    return by_fifo() ? yoke__posix_fifo_ring(name) : socket_ring(name);
}

void yoke__posix_bell_close(yoke_native bell, const yoke_bell_name *name)
{
    if (by_fifo())
        yoke__posix_fifo_close(bell, name);
    else
        socket_close(bell);
}

void yoke__posix_bell_remove(const yoke_bell_name *name)
{
    if (by_fifo())
        yoke__posix_fifo_remove(name);
}

/* read() takes an empty datagram as well as the bytes of a FIFO, and both are non-blocking. One more read than there are
 * rings; at most as many as a bell can hold, so that busy ringers can't keep us here. */
void yoke__posix_bell_clear(yoke_native bell)
{
    char    taken[512];
    ssize_t got = 0;

    for (int rings = 0; rings < 1024 && (got >= 0 || errno == EINTR); rings++)
        got = yoke__sys.read((int)bell, taken, sizeof taken);
}

int yoke__posix_bell_wait(yoke_native bell, int64_t timeout)
{
    struct pollfd polled = {.fd = (int)bell, .events = POLLIN};
    int           ready = yoke__posix_poll(&polled, 1, timeout);

    if (ready < 0)
        return ready;
    if (ready == 0)
        return YOKE_ETIMEDOUT;
    yoke__posix_bell_clear(bell);
    return YOKE_OK;
}
