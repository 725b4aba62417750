/*
 * Shared memory: a memfd on Linux, an unlinked shm_open elsewhere, a shm_open name for named memory.
 *
 * The whole reserve is mapped at once; pages exist only up to the size of the object. Committing allocates them for
 * real (fallocate, posix_fallocate), since a page that turns out to be missing at its first touch would be a SIGBUS.
 * Where neither is to be had for shared memory, the free space of the file system is looked at before the object is
 * enlarged: the best that documented calls can do there.
 *
 * YOKE_MEMORY chooses, for tests: memfd, shm (no Linux call at all), whole (shm, sized once, for systems that
 * allow a single ftruncate).
 */
#include "memory.h"

#include "posix.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <linux/falloc.h>
#endif

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

typedef enum memory_kind { MEMORY_MEMFD, MEMORY_SHM, MEMORY_WHOLE } memory_kind;

static memory_kind kind_in_use(void)
{
    const char *chosen = getenv("YOKE_MEMORY");
    if (chosen && strcmp(chosen, "shm") == 0)
        return MEMORY_SHM;
    if (chosen && strcmp(chosen, "whole") == 0)
        return MEMORY_WHOLE;
#if defined(__APPLE__)
    return MEMORY_WHOLE;
#elif defined(__linux__)
    return MEMORY_MEMFD;
#else
    return MEMORY_SHM;
#endif
}

/* Lack of space or of descriptors is lack of memory to the caller. */
static int fail_memory(int number, const char *what)
{
    int code = number == EFBIG ? YOKE_ENOMEM : yoke__posix_code_of(number);
    return yoke_backend_fail(code, number, "%s: %s", what, strerror(number));
}

/* ---- committing -------------------------------------------------------------------------------------------------- */

#ifdef __linux__
/* 0, or the error number; EOPNOTSUPP: this system or kernel can't. */
static int allocate_by_system(int fd, off_t from, off_t size)
{
    if (kind_in_use() != MEMORY_MEMFD)
        return EOPNOTSUPP;
    while (yoke__sys.fallocate(fd, 0, from, size) < 0)
        if (errno != EINTR)
            return errno == ENOSYS ? EOPNOTSUPP : errno;
    return 0;
}
#else
static int allocate_by_system(int fd, off_t from, off_t size)
{
    (void)fd;
    (void)from;
    (void)size;
    return EOPNOTSUPP;
}
#endif

static int allocate_by_posix(int fd, off_t from, off_t size)
{
    int number;
    do {
        number = yoke__sys.posix_fallocate(fd, from, size);
    } while (number == EINTR);
    return number;
}

/* No call allocates: enlarge the object if its file system has the space now. */
static int allocate_by_size(int fd, off_t from, off_t size)
{
    struct statvfs space;
    if (yoke__sys.fstatvfs(fd, &space) == 0 && space.f_blocks > 0 &&
        (uint64_t)space.f_bavail * space.f_frsize < (uint64_t)size)
        return ENOSPC;
    struct stat status;
    if (yoke__sys.fstat(fd, &status) < 0)
        return errno;
    if (status.st_size >= from + size)
        return 0;
    return yoke__sys.ftruncate(fd, from + size) < 0 ? errno : 0;
}

bool yoke__memory_unsupported(int number)
{
    return number == EOPNOTSUPP || number == ENOTSUP || number == EINVAL || number == ENOSYS || number == ENODEV;
}

static int allocate(int fd, uint64_t from, uint64_t to)
{
    off_t start = (off_t)from;
    off_t size = (off_t)(to - from);
    int   number = allocate_by_system(fd, start, size);
    if (yoke__memory_unsupported(number))
        number = allocate_by_posix(fd, start, size);
    if (yoke__memory_unsupported(number))
        number = allocate_by_size(fd, start, size);
    if (number) {
        char what[80];
        snprintf(what, sizeof what, "can't get %llu bytes of shared memory", (unsigned long long)(to - from));
        return fail_memory(number, what);
    }
    return YOKE_OK;
}

static int memory_grow(yoke_memory *memory, uint64_t from, uint64_t to)
{
    if (from >= to || to > memory->reserved) {
        return from == to ? YOKE_OK
                          : yoke_backend_fail(YOKE_EINVAL, 0, "can't commit up to %llu of %llu bytes reserved",
                                              (unsigned long long)to, (unsigned long long)memory->reserved);
    }
    return kind_in_use() == MEMORY_WHOLE ? YOKE_OK : allocate((int)memory->handle, from, to);
}

static int memory_trim(yoke_memory *memory, uint64_t from, uint64_t to)
{
#ifdef __linux__
    if (kind_in_use() == MEMORY_MEMFD && from < to &&
        yoke__sys.fallocate((int)memory->handle, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
                            (off_t)(to - from)) < 0)
        return fail_memory(errno, "can't give memory back");
#else
    (void)memory;
    (void)from;
    (void)to;
#endif
    return YOKE_OK;
}

/* ---- objects ----------------------------------------------------------------------------------------------------- */

#define OPEN_TRIES 1000

/*
 * An object that has a name for the moment between two calls. It is the same name for all processes of a user, and who
 * finds it taken takes it away: whoever made that object has it open already, or died before it could unlink it. So
 * nobody opens another's object, and the name of a dead process goes with the next object that is made.
 */
static int open_unlinked(void)
{
    char full[64];
    int  fd = -1;
    snprintf(full, sizeof full, "/yoke-.%lu", (unsigned long)geteuid());
    for (int tries = 0; fd < 0 && tries < OPEN_TRIES; tries++) {
        fd = yoke__sys.shm_open(full, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        int number = errno;
        if (fd >= 0 || number == EEXIST)
            (void)yoke__sys.shm_unlink(full); /* by another process already, or by the next one */
        errno = number;
        if (fd < 0 && number != EEXIST)
            return -1;
    }
    return yoke__posix_own(fd);
}

static int open_private(void)
{
#ifdef __linux__
    if (kind_in_use() == MEMORY_MEMFD) {
        int fd = yoke__posix_own(yoke__sys.memfd_create("yoke", MFD_CLOEXEC | MFD_ALLOW_SEALING));
        if (fd >= 0 || errno != ENOSYS)
            return fd;
    }
#endif
    return open_unlinked();
}

/* Nobody may take pages away from under the others. */
static int seal(int fd)
{
#if defined(__linux__) && defined(F_SEAL_SHRINK)
    if (yoke__sys.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0 && errno != EINVAL && errno != EPERM)
        return yoke__posix_fail("can't seal shared memory");
#else
    (void)fd;
#endif
    return YOKE_OK;
}

static int map(yoke_memory *out, int fd, uint64_t reserve)
{
    if (reserve > SIZE_MAX / 2) {
        return yoke_backend_fail(YOKE_ENOMEM, 0, "%llu bytes are more than the address space",
                                 (unsigned long long)reserve);
    }
    void *base = yoke__sys.mmap(NULL, (size_t)reserve, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (base == MAP_FAILED) {
        char what[80];
        snprintf(what, sizeof what, "can't map %llu bytes of address space", (unsigned long long)reserve);
        return fail_memory(errno == EINVAL ? ENOMEM : errno, what); /* a size that no address space has */
    }
    *out = (yoke_memory){.base = base, .reserved = reserve, .handle = fd};
    return YOKE_OK;
}

static int fill(yoke_memory *out, int fd, uint64_t reserve, uint64_t size)
{
    if (kind_in_use() == MEMORY_WHOLE) {
        if (yoke__sys.ftruncate(fd, (off_t)reserve) < 0)
            return fail_memory(errno, "can't size shared memory");
    } else {
        YOKE_TRY(allocate(fd, 0, size));
    }
    return map(out, fd, reserve);
}

static int create_private(yoke_memory *out, uint64_t reserve, uint64_t size)
{
    int fd = open_private();
    if (fd < 0)
        return fail_memory(errno, "can't make shared memory");
    int rc = fill(out, fd, reserve, size);
    if (rc == YOKE_OK) {
        rc = seal(fd);
        if (rc < 0)
            yoke__sys.munmap(out->base, (size_t)reserve);
    }
    if (rc < 0)
        yoke__sys.close(fd);
    return rc;
}

static int create_named(yoke_memory *out, const char *name, uint64_t reserve, uint64_t size, unsigned permissions)
{
    mode_t mode = permissions ? (mode_t)(permissions & 0777) : 0600;
    int    fd = -1;
    int    rc = yoke__memory_name_open(&fd, name, O_RDWR | O_CREAT, mode);
    if (rc < 0)
        return rc;
    struct stat status;
    if (yoke__sys.fstat(fd, &status) < 0) {
        rc = yoke__posix_fail("fstat");
    } else if (status.st_size > 0) { /* an empty one is what name_lock makes */
        rc = yoke_backend_fail(YOKE_EEXIST, 0, "shared memory named '%s' exists", name);
    } else if (yoke__sys.fchmod(fd, mode) < 0) { /* whatever the umask */
        rc = yoke__posix_fail("fchmod");
    } else {
        rc = fill(out, fd, reserve, size);
        if (rc < 0)
            (void)yoke__memory_unlink(name);
    }
    if (rc < 0)
        yoke__sys.close(fd);
    return rc;
}

static int memory_create(yoke_memory *out, const char *name, uint64_t reserve, uint64_t size, unsigned permissions)
{
    return name ? create_named(out, name, reserve, size, permissions) : create_private(out, reserve, size);
}

static int memory_open(yoke_memory *out, const char *name, uint64_t reserve)
{
    int fd = -1;
    int rc = yoke__memory_name_open(&fd, name, O_RDWR, 0);
    if (rc < 0)
        return rc;
    struct stat status;
    if (yoke__sys.fstat(fd, &status) < 0)
        rc = yoke__posix_fail("fstat");
    else if (status.st_size == 0)
        rc = yoke_backend_fail(YOKE_ENOENT, 0, "no shared memory named '%s'", name);
    else
        rc = map(out, fd, reserve);
    if (rc < 0)
        yoke__sys.close(fd);
    return rc;
}

static int memory_adopt(yoke_memory *out, yoke_native handle, uint64_t reserve)
{
    struct stat status;
    if (yoke__sys.fstat((int)handle, &status) < 0)
        return yoke__posix_fail("fstat");
    return map(out, (int)handle, reserve);
}

static int memory_size(const yoke_memory *memory, uint64_t *size)
{
    struct stat status;
    if (yoke__sys.fstat((int)memory->handle, &status) < 0)
        return yoke__posix_fail("fstat");
    *size = status.st_size > 0 ? (uint64_t)status.st_size : 0;
    return YOKE_OK;
}

static uint64_t memory_available(void)
{
    return yoke__posix_memory_left("/sys/fs/cgroup", "/proc/self/cgroup");
}

static void memory_close(yoke_memory *memory)
{
    yoke__sys.munmap(memory->base, (size_t)memory->reserved);
    yoke__sys.close((int)memory->handle);
    *memory = (yoke_memory){.handle = YOKE_NO_NATIVE};
}

static int memory_protect(yoke_memory *memory, uint64_t from, uint64_t to)
{
    if (yoke__sys.mprotect((uint8_t *)memory->base + from, (size_t)(to - from), PROT_READ) < 0)
        return yoke__posix_fail("can't make memory read-only");
    return YOKE_OK;
}

const yoke_memory_ops yoke__posix_memory = {
    .struct_size = sizeof(yoke_memory_ops),
    .create = memory_create,
    .open = memory_open,
    .adopt = memory_adopt,
    .size = memory_size,
    .grow = memory_grow,
    .trim = memory_trim,
    .close = memory_close,
    .unlink = yoke__memory_unlink,
    .available = memory_available,
    .name_lock = yoke__memory_name_lock,
    .name_unlock = yoke__memory_name_unlock,
#ifdef __linux__ /* elsewhere names of shared memory can't be listed */
    .name_try_lock = yoke__memory_name_try_lock,
    .name_read = yoke__memory_name_read,
    .name_each = yoke__memory_name_each,
#endif
    .name_user = yoke__memory_name_user,
    .protect = memory_protect,
#ifdef __linux__ /* elsewhere an open file has no locks of its own */
    .mark = yoke__memory_mark,
    .marked = yoke__memory_marked,
#endif
};
