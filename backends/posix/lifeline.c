/*
 * Lifelines: a pipe whose write end only the parent holds. When the last copy of that end goes, the kernel kills the
 * child that has armed the read end, whatever the child is doing, in whichever thread; the parent may have been killed
 * itself. Unlike PR_SET_PDEATHSIG this follows the parent's process, not the thread that forked.
 */
#include "posix.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>

int yoke__posix_lifeline(yoke_native ends[2])
{
    int fds[2];

    if (yoke__posix_pipe(fds) < 0)
        return yoke__posix_fail("making a lifeline");
    ends[0] = fds[0];
    ends[1] = fds[1];
    return YOKE_OK;
}

/* At most PIPE_BUF bytes into an empty pipe: whole or not at all, and at once. */
int yoke__posix_lifeline_write(yoke_native end, const void *data, size_t size)
{
    ssize_t written;

    if (size > 1024)
        return yoke_backend_fail(YOKE_EMSGSIZE, 0, "a lifeline takes 1024 bytes, not %zu", size);
    do
        written = yoke__sys.write((int)end, data, size);
    while (written < 0 && errno == EINTR);
    if (written != (ssize_t)size)
        return yoke__posix_fail_number(written < 0 ? errno : EIO, "writing into a lifeline");
    return YOKE_OK;
}

/* A forged start channel may be anything at all. */
static int check_read_end(int fd)
{
    struct stat status;
    int         flags = yoke__sys.fcntl(fd, F_GETFL, 0);

    if (flags < 0 || yoke__sys.fstat(fd, &status) < 0 || !S_ISFIFO(status.st_mode) || (flags & O_ACCMODE) != O_RDONLY)
        return yoke_backend_fail(YOKE_EPROTO, 0, "descriptor %d is not the read end of a pipe", fd);
    return YOKE_OK;
}

int yoke__posix_lifeline_read(yoke_native end, void *data, size_t size, int64_t timeout)
{
    int64_t  deadline = yoke__posix_deadline(timeout);
    uint8_t *at = data;

    YOKE_TRY(check_read_end((int)end));
    while (size > 0) {
        ssize_t got;

        YOKE_TRY(yoke__posix_wait_readable((int)end, deadline, "waiting for the start message"));
        got = yoke__sys.read((int)end, at, size);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            return yoke__posix_fail("reading a lifeline");
        if (got == 0)
            return yoke_backend_fail(YOKE_EEOF, 0, "the lifeline ended before the start message was complete");
        at += got;
        size -= (size_t)got;
    }
    return YOKE_OK;
}

#ifdef __linux__
/* The other end may have gone before the signal was armed; nothing would come then. */
static int die_if_cut(int fd)
{
    struct pollfd entry = {.fd = fd, .events = 0};
    int           rc;

    do
        rc = yoke__sys.poll(&entry, 1, 0);
    while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return yoke__posix_fail("looking at the lifeline");
    if (entry.revents & (POLLHUP | POLLERR))
        yoke__sys.kill(getpid(), SIGKILL);
    return entry.revents & POLLNVAL ? yoke__posix_fail_number(EBADF, "looking at the lifeline") : YOKE_OK;
}

int yoke__posix_lifeline_arm(yoke_native end)
{
    int fd = (int)end;
    int flags = yoke__sys.fcntl(fd, F_GETFL, 0);

    if (flags < 0 || yoke__sys.fcntl(fd, F_SETSIG, SIGKILL) < 0 || yoke__sys.fcntl(fd, F_SETOWN, getpid()) < 0 ||
        yoke__sys.fcntl(fd, F_SETFL, flags | O_ASYNC) < 0)
        return yoke__posix_fail("arming the lifeline");
    return die_if_cut(fd);
}
#else
/* POSIX has no signal of one's choice for a descriptor, and the library starts no thread that could watch one. */
int yoke__posix_lifeline_arm(yoke_native end)
{
    (void)end;
    return yoke_backend_fail(YOKE_ENOTSUP, 0, "this system can't kill a busy process when its parent is gone");
}
#endif
