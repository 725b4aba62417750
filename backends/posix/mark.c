/*
 * Marks. A mark is a lock of the system on one byte of a domain's memory, by its offset the number, by an open file of its
 * own. The lock goes when the last copy of that open file is closed, in whatever process or unread message it is: so
 * anybody can ask the system whether a message is still on its way.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* NOLINT: F_OFD_SETLK */
#endif
#include "memory.h"
#include "posix.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#ifdef F_OFD_SETLK

static struct flock byte_at(uint64_t number)
{
    return (struct flock){
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)(number & (UINT64_MAX >> 2)), .l_len = 1};
}

static int mark_failed(int fd)
{
    int number = errno;

    yoke__sys.close(fd);
    if (number == EAGAIN || number == EACCES)
        return yoke_backend_fail(YOKE_EEXIST, number, "that number is marked already");
    if (number == EINVAL || number == ENOLCK)
        return yoke_backend_fail(number == ENOLCK ? YOKE_ENOMEM : YOKE_ENOTSUP, number,
                                 "this system can't mark messages");
    return yoke__posix_fail_number(number, "marking a message");
}

int yoke__memory_mark(yoke_native *out, const yoke_memory *memory, uint64_t number)
{
    char         path[64];
    struct flock lock = byte_at(number);
    int          fd;

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", (int)memory->handle);
    fd = yoke__posix_open(path, O_RDWR, 0);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return yoke_backend_fail(YOKE_ENOTSUP, errno, "marking a message needs /proc");
    if (fd < 0)
        return yoke__posix_fail("marking a message");
    if (yoke__sys.fcntl(fd, F_OFD_SETLK, (intptr_t)&lock) < 0)
        return mark_failed(fd);
    *out = fd;
    return YOKE_OK;
}

bool yoke__memory_marked(const yoke_memory *memory, uint64_t number)
{
    struct flock lock = byte_at(number);

    return yoke__sys.fcntl((int)memory->handle, F_OFD_GETLK, (intptr_t)&lock) < 0 || lock.l_type != F_UNLCK;
}

#endif
