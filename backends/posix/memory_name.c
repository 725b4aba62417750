/* Names of shared memory, and the lock that goes with each. */
#include "memory.h"

#include "posix.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* geteuid() can't fail. One name space per user, so that nobody can take a name away from another user. */
static void full_name(char *out, size_t size, const char *name)
{
    snprintf(out, size, "/yoke-%lu-%s", (unsigned long)geteuid(), name);
}

int yoke__memory_name_open(const char *name, int flags, mode_t mode)
{
    char full[128];
    full_name(full, sizeof full, name);
    int fd;
    do {
        fd = yoke__posix_own(yoke__sys.shm_open(full, flags | O_CLOEXEC, mode));
    } while (fd < 0 && errno == EINTR);
    return fd;
}

int yoke__memory_unlink(const char *name)
{
    char full[128];
    full_name(full, sizeof full, name);
    if (yoke__sys.shm_unlink(full) < 0)
        return yoke__posix_fail("shm_unlink");
    return YOKE_OK;
}

/* Is the object still the one that has the name? 1 yes, 0 no, negative code. */
static int has_name(int fd, const char *name)
{
    struct stat mine;
    struct stat current;
    if (yoke__sys.fstat(fd, &mine) < 0)
        return yoke__posix_fail("fstat");
    int other = yoke__memory_name_open(name, O_RDWR, 0);
    if (other < 0)
        return errno == ENOENT ? 0 : yoke__posix_fail("shm_open");
    int rc = yoke__sys.fstat(other, &current) < 0 ? yoke__posix_fail("fstat")
                                                  : mine.st_ino == current.st_ino && mine.st_dev == current.st_dev;
    yoke__sys.close(other);
    return rc;
}

static int lock_descriptor(int fd)
{
    while (yoke__sys.flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return yoke__memory_unsupported(errno) ? YOKE_ENOTSUP : yoke__posix_fail("flock");
    return YOKE_OK;
}

/*
 * Where shared memory can't be locked, one ordinary file per user stands for all names. It stays: removing a lock file
 * while others wait for it would split them.
 */
static int lock_by_file(yoke_native *out)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/yoke-%lu", (unsigned long)geteuid());
    if (yoke__sys.mkdir(path, 0700) < 0 && errno != EEXIST)
        return yoke__posix_fail("can't make the runtime directory");
    struct stat status;
    if (yoke__sys.lstat(path, &status) < 0)
        return yoke__posix_fail("can't look at the runtime directory");
    if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 022))
        return yoke_backend_fail(YOKE_EACCES, 0, "%s is not a directory that only this user may write", path);
    snprintf(path, sizeof path, "/tmp/yoke-%lu/names.lock", (unsigned long)geteuid());
    int fd = yoke__posix_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (fd < 0)
        return yoke__posix_fail("can't open the lock file of names");
    int rc = lock_descriptor(fd);
    if (rc < 0) {
        yoke__sys.close(fd);
        return rc == YOKE_ENOTSUP ? yoke_backend_fail(rc, 0, "this system can't lock files: no named memory") : rc;
    }
    *out = fd;
    return YOKE_OK;
}

/*
 * The lock is the system's own lock on the object itself, through a description of this call's own (a forked child
 * shares descriptions, and with them locks). The name may have gone to another object while we waited: look again.
 * Making the lock makes an empty object where there was none; empty counts as not there.
 */
int yoke__memory_name_lock(yoke_native *out, const char *name)
{
    const char *how = getenv("YOKE_NAME_LOCK"); /* "file": the way of other systems, for tests */
    if (how && strcmp(how, "file") == 0)
        return lock_by_file(out);
    for (;;) {
        int fd = yoke__memory_name_open(name, O_RDWR | O_CREAT, 0600);
        if (fd < 0)
            return yoke__posix_fail("shm_open");
        int rc = lock_descriptor(fd);
        if (rc == YOKE_OK)
            rc = has_name(fd, name);
        if (rc == 1) {
            *out = fd;
            return YOKE_OK;
        }
        yoke__sys.close(fd);
        if (rc == YOKE_ENOTSUP)
            return lock_by_file(out);
        if (rc < 0)
            return rc;
    }
}

void yoke__memory_name_unlock(yoke_native lock, const char *name)
{
    struct stat status;
    if (yoke__sys.fstat((int)lock, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0 &&
        status.st_nlink > 0 && has_name((int)lock, name) == 1)
        (void)yoke__memory_unlink(name);
    yoke__sys.close((int)lock);
}
