/*
 * Descriptors of the library's own: close-on-exec, and never 0, 1 or 2. A program that has closed a standard descriptor
 * (every daemon) still prints, and so do the libraries it uses: what lands in the domain then is what they print.
 */
#include "../../core/local.h"
#include "posix.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>

#define FIRST 3

int yoke__posix_cloexec(int fd)
{
    int flags = yoke__sys.fcntl(fd, F_GETFD, 0);

    return flags < 0 ? -1 : yoke__sys.fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
}

static void close_quietly(int fd)
{
    int number = errno;

    yoke__sys.close(fd);
    errno = number;
}

int yoke__posix_own(int fd)
{
    int raised;

    if (fd < 0 || fd >= FIRST)
        return fd;
    raised = yoke__sys.fcntl(fd, F_DUPFD_CLOEXEC, FIRST);
    close_quietly(fd);
    return raised;
}

int yoke__posix_own_pair(int ends[2])
{
    for (int i = 0; i < 2; i++)
        ends[i] = yoke__posix_own(ends[i]);
    if (ends[0] >= 0 && ends[1] >= 0)
        return 0;
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close_quietly(ends[i]);
    return -1;
}

#ifndef __linux__
static int make_cloexec(int ends[2])
{
    if (yoke__posix_cloexec(ends[0]) == 0 && yoke__posix_cloexec(ends[1]) == 0)
        return 0;
    close_quietly(ends[0]);
    close_quietly(ends[1]);
    return -1;
}
#endif

int yoke__posix_pipe(int ends[2])
{
#ifdef __linux__
    if (yoke__sys.pipe2(ends, O_CLOEXEC) < 0)
        return -1;
#else
    if (yoke__sys.pipe(ends) < 0 || make_cloexec(ends) < 0)
        return -1;
#endif
    return yoke__posix_own_pair(ends);
}

int yoke__posix_socketpair(int type, int ends[2])
{
#ifdef __linux__
    if (yoke__sys.socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
#else
    if (yoke__sys.socketpair(AF_UNIX, type, 0, ends) < 0 || make_cloexec(ends) < 0)
        return -1;
#endif
    return yoke__posix_own_pair(ends);
}

int yoke__posix_open(const char *path, int flags, mode_t mode)
{
    return yoke__posix_own(yoke__sys.open(path, flags | O_CLOEXEC, mode));
}

/* ---- what a program that this one executes is not to have ---- */

#ifdef __linux__
#define CLOSE_RANGE_FLAG_CLOEXEC 4u /* linux/close_range.h, which older C libraries lack; from Linux 5.11 on */

static bool close_all_on_exec(void)
{
    return yoke__sys.close_range(FIRST, ~0u, CLOSE_RANGE_FLAG_CLOEXEC) == 0;
}
#else
static bool close_all_on_exec(void)
{
    return false;
}
#endif

#define SEARCHED 65536 /* where the system tells no lower limit */

/* No list of those that are open: this is a forked child of a program with threads, where nothing may be allocated. */
static void close_each_on_exec(void)
{
    long end = yoke__sys.sysconf(_SC_OPEN_MAX);

    if (end < 0 || end > SEARCHED)
        end = SEARCHED;
    for (int fd = FIRST; fd < end; fd++)
        (void)yoke__posix_cloexec(fd);
}

/* Between libuv's fork and its exec. What libuv passes on it duplicates after this, and duplicates have no flag. */
static void keep_back(void)
{
    if (yoke__spawning && !close_all_on_exec())
        close_each_on_exec();
}

int yoke__posix_keep_back(void)
{
    static _Atomic int hooked; /* twice does no harm */
    int                number = hooked ? 0 : yoke__sys.pthread_atfork(NULL, NULL, keep_back);

    if (number == 0)
        hooked = 1;
    return number;
}
