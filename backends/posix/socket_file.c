/*
 * Files of listening sockets. The file of a process that was killed stays, and to tell it from a living one's and remove
 * it must be one step: so whoever makes or removes a socket's file first locks "<path>.lock", which exists only
 * meanwhile.
 */
#include "posix.h"
#include "socket.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define LOCK_PATH (YOKE_SOCKET_NAME + 8)

static void lock_path(char out[LOCK_PATH], const char *path)
{
    snprintf(out, LOCK_PATH, "%s.lock", path);
}

/* Whoever waited for the lock may have got one whose file is gone: then another process may have made a new one. */
static int is_named(int fd, const char *path)
{
    struct stat mine, named;

    if (yoke__sys.fstat(fd, &mine) < 0)
        return yoke__posix_fail("fstat");
    if (yoke__sys.lstat(path, &named) < 0)
        return errno == ENOENT ? 0 : yoke__posix_fail(path);
    return mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

/* 1: locked; 0: again. */
static int try_lock(int *out, const char *path)
{
    int fd = yoke__posix_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == EINTR ? 0 : yoke__posix_fail(path);
    int locked = yoke__sys.flock(fd, LOCK_EX);
    int rc = locked < 0 ? errno == EINTR ? 0 : yoke__posix_fail("flock") : is_named(fd, path);
    if (rc == 1)
        *out = fd;
    else
        yoke__sys.close(fd);
    return rc;
}

int yoke__socket_file_lock(int *lock, const char *path)
{
    char name[LOCK_PATH];
    int  rc;

    lock_path(name, path);
    do {
        rc = try_lock(lock, name);
    } while (rc == 0);
    return rc < 0 ? rc : YOKE_OK;
}

void yoke__socket_file_unlock(int lock, const char *path)
{
    char name[LOCK_PATH];

    lock_path(name, path);
    (void)yoke__sys.unlink(name);
    yoke__sys.close(lock);
}

/*
 * Does a socket belong to the file? A datagram socket can't be connected to one that makes streams, and which of the two
 * errors comes tells, without the listener noticing anything. 1 yes, 0 no, negative: can't tell.
 */
static int is_alive(const char *path)
{
    yoke_socket_place    place = {.kind = YOKE_SOCKET_PATH};
    yoke__socket_address address;

    snprintf(place.name, sizeof place.name, "%s", path);
    socklen_t size = yoke__socket_local(&address, &place);
    int       fd = yoke__posix_own(yoke__sys.socket(AF_UNIX, SOCK_DGRAM, 0));
    if (fd < 0)
        return yoke__posix_fail("socket");
    int rc, number = yoke__sys.connect(fd, &address.any, size) < 0 ? errno : 0;
    if (number == ECONNREFUSED || number == ENOENT)
        rc = 0;
    else if (number == 0 || number == EPROTOTYPE)
        rc = 1;
    else
        rc = yoke__posix_fail_number(number, path);
    yoke__sys.close(fd);
    return rc;
}

int yoke__socket_file_clear(const char *path)
{
    struct stat status;

    if (yoke__sys.lstat(path, &status) < 0)
        return errno == ENOENT ? YOKE_OK : yoke__posix_fail(path);
    if (!S_ISSOCK(status.st_mode))
        return yoke_backend_fail(YOKE_EEXIST, EEXIST, "there is a file '%s', which is no socket", path);
    int alive = is_alive(path);
    if (alive < 0)
        return alive;
    if (alive)
        return yoke_backend_fail(YOKE_EEXIST, EADDRINUSE, "another listener is at '%s'", path);
    if (yoke__sys.unlink(path) < 0 && errno != ENOENT)
        return yoke__posix_fail(path);
    return YOKE_OK;
}

int yoke__socket_file_identity(const char *path, uint64_t out[2])
{
    struct stat status;

    if (yoke__sys.lstat(path, &status) < 0)
        return yoke__posix_fail(path);
    out[0] = (uint64_t)status.st_dev;
    out[1] = (uint64_t)status.st_ino;
    return YOKE_OK;
}

void yoke__socket_file_remove(const char *path, const uint64_t identity[2])
{
    uint64_t now[2];

    if (yoke__socket_file_identity(path, now) == YOKE_OK && now[0] == identity[0] && now[1] == identity[1])
        (void)yoke__sys.unlink(path);
}
