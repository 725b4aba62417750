/* Names of shared memory, and the lock that goes with each. */
#include "memory.h"

#include "posix.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whose the name is, and where the name itself begins. geteuid() can't fail. */
static uid_t split(const char *name, const char **rest)
{
    const char *colon = strchr(name, ':');
    *rest = colon ? colon + 1 : name;
    return colon ? (uid_t)strtoul(name, NULL, 10) : geteuid();
}

/* One name space per user, so that nobody can take a name away from another user. */
void yoke__memory_full_name(char out[YOKE__MEMORY_NAME_SIZE], const char *name)
{
    const char *rest;
    uid_t       user = split(name, &rest);
    snprintf(out, YOKE__MEMORY_NAME_SIZE, "/yoke-%lu-%s", (unsigned long)user, rest);
}

/* Only the names of this user are made by opening. (Where others' files in a shared directory are protected, even opening
 * them by a call that might make one is refused.) */
static bool is_mine(const char *name)
{
    const char *rest;
    return split(name, &rest) == geteuid();
}

static int refused(int number, const char *name)
{
    const char *rest;
    uid_t       user = split(name, &rest);
    if (number != EACCES && number != EPERM)
        return yoke__posix_fail_number(number, "can't open named shared memory");
    return yoke_backend_fail(YOKE_EACCES, number, "'%s' belongs to user %lu, who doesn't admit user %lu", rest,
                             (unsigned long)user, (unsigned long)geteuid());
}

/* Somebody else may have put memory where a user's name belongs: it must not be trusted. */
static int check_owner(int fd, const char *name)
{
    struct stat status;
    const char *rest;
    uid_t       user = split(name, &rest);
    if (yoke__sys.fstat(fd, &status) < 0)
        return yoke__posix_fail("can't look at named shared memory");
    if (!S_ISREG(status.st_mode))
        return yoke_backend_fail(YOKE_EACCES, 0, "what has the name '%s' is not memory", rest);
    if (status.st_uid == user)
        return YOKE_OK;
    return yoke_backend_fail(YOKE_EACCES, 0, "'%s' of user %lu has been taken by user %lu: it is not to be trusted",
                             rest, (unsigned long)user, (unsigned long)status.st_uid);
}

/* -1 with errno; notes nothing. */
static int open_object(const char *name, int flags, mode_t mode)
{
    char full[YOKE__MEMORY_NAME_SIZE];
    int  fd;
    yoke__memory_full_name(full, name);
    if (!is_mine(name))
        flags &= ~O_CREAT;
    do {
        fd = yoke__posix_own(yoke__sys.shm_open(full, flags | O_CLOEXEC, mode));
    } while (fd < 0 && errno == EINTR);
    return fd;
}

int yoke__memory_name_open(int *out, const char *name, int flags, mode_t mode)
{
    int fd = open_object(name, flags, mode);
    if (fd < 0)
        return refused(errno, name);
    int rc = check_owner(fd, name);
    if (rc < 0)
        yoke__sys.close(fd);
    else
        *out = fd;
    return rc;
}

int yoke__memory_unlink(const char *name)
{
    char full[YOKE__MEMORY_NAME_SIZE];
    yoke__memory_full_name(full, name);
    if (yoke__sys.shm_unlink(full) < 0)
        return yoke__posix_fail("shm_unlink");
    return YOKE_OK;
}

/* Is the object still the one that has the name? 1 yes, 0 no, -1 with errno. Notes nothing. */
static int has_name(int fd, const char *name)
{
    struct stat mine;
    struct stat current;
    if (yoke__sys.fstat(fd, &mine) < 0)
        return -1;
    int other = open_object(name, O_RDWR, 0);
    if (other < 0)
        return errno == ENOENT ? 0 : -1;
    int rc = yoke__sys.fstat(other, &current);
    int number = errno;
    yoke__sys.close(other);
    errno = number;
    return rc < 0 ? -1 : mine.st_ino == current.st_ino && mine.st_dev == current.st_dev;
}

/* operation: LOCK_EX, or that with LOCK_NB. */
static int lock_descriptor(int fd, int operation)
{
    while (yoke__sys.flock(fd, operation) < 0) {
        if (errno == EWOULDBLOCK && (operation & LOCK_NB))
            return yoke_backend_fail(YOKE_EBUSY, errno, "another process is opening, closing or removing that name");
        if (errno != EINTR)
            return yoke__memory_unsupported(errno) ? YOKE_ENOTSUP : yoke__posix_fail("flock");
    }
    return YOKE_OK;
}

/*
 * Where shared memory can't be locked, one ordinary file per user stands for all names. It stays: removing a lock file
 * while others wait for it would split them.
 */
static int lock_by_file(yoke_native *out, const char *name, int operation)
{
    if (!is_mine(name))
        return yoke_backend_fail(YOKE_ENOTSUP, 0, "this system can't lock names of other users' shared memory");
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
    int rc = lock_descriptor(fd, operation);
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
static int lock_name(yoke_native *out, const char *name, int flags, int operation)
{
    const char *how = getenv("YOKE_NAME_LOCK"); /* "file": the way of other systems, for tests */
    if (how && strcmp(how, "file") == 0)
        return lock_by_file(out, name, operation);
    for (;;) {
        int fd = -1;
        YOKE_TRY(yoke__memory_name_open(&fd, name, flags, 0600));
        int rc = lock_descriptor(fd, operation);
        int same = rc == YOKE_OK ? has_name(fd, name) : 0;
        if (same > 0) {
            *out = fd;
            return YOKE_OK;
        }
        if (same < 0)
            rc = refused(errno, name);
        yoke__sys.close(fd);
        if (rc == YOKE_ENOTSUP)
            return lock_by_file(out, name, operation);
        if (rc < 0)
            return rc;
    }
}

int yoke__memory_name_lock(yoke_native *out, const char *name)
{
    return lock_name(out, name, O_RDWR | O_CREAT, LOCK_EX);
}

int yoke__memory_name_try_lock(yoke_native *out, const char *name)
{
    return lock_name(out, name, O_RDWR, LOCK_EX | LOCK_NB);
}

/* After failures too, whose note stays: so it notes nothing. */
void yoke__memory_name_unlock(yoke_native lock, const char *name)
{
    char        full[YOKE__MEMORY_NAME_SIZE];
    struct stat status;
    yoke__memory_full_name(full, name);
    if (yoke__sys.fstat((int)lock, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0 &&
        status.st_nlink > 0 && has_name((int)lock, name) == 1)
        (void)yoke__sys.shm_unlink(full);
    yoke__sys.close((int)lock);
}
