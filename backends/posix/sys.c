/* Defaults of the table: the C library's functions, and the system calls that it doesn't wrap. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* NOLINT: ppoll, memfd_create, pipe2 */
#endif
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <yoke/backend.h>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/syscall.h>

static long futex(const uint32_t *word, int operation, uint32_t value, const struct timespec *timeout)
{
    return syscall(SYS_futex, word, operation, value, timeout, NULL, 0);
}

/* By number: C libraries older than the kernel have no wrapper. The kernel answers ENOSYS if it is older still. */
#define pidfd_open(pid, flags)           (int)syscall(434, pid, flags)
#define pidfd_send_signal(pidfd, number) (int)syscall(424, pidfd, number, NULL, 0)
#define close_range(first, last, flags)  (int)syscall(436, first, last, flags)
#endif

#ifdef __GLIBC__ /* names its resources by an enum */
#define RESOURCE(resource) ((__rlimit_resource_t)(resource))
#else
#define RESOURCE(resource) (resource)
#endif
#define getrlimit(resource, out)      (getrlimit)(RESOURCE(resource), out)
#define setrlimit(resource, limit)    (setrlimit)(RESOURCE(resource), limit)
#define prlimit(pid, resource, limit) (prlimit)(pid, RESOURCE(resource), limit, NULL)

#define YOKE__SYS_DEFAULT(result, name, parameters, arguments, failure)                                                \
    static result call_##name parameters                                                                               \
    {                                                                                                                  \
        return name arguments;                                                                                         \
    }
YOKE__SYS_CALLS(YOKE__SYS_DEFAULT)
YOKE__SYS_RELEASING_CALLS(YOKE__SYS_DEFAULT)

yoke__sys_table yoke__sys = {
#define YOKE__SYS_INITIAL(result, name, parameters, arguments, failure) .name = call_##name,
    YOKE__SYS_CALLS(YOKE__SYS_INITIAL) YOKE__SYS_RELEASING_CALLS(YOKE__SYS_INITIAL)};

int yoke__posix_code_of(int number)
{
    switch (number) {
    case EINVAL:
    case ENAMETOOLONG:
        return YOKE_EINVAL;
    case ENOMEM:
    case ENOSPC:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ETOOMANYREFS: /* too many descriptors on their way through sockets */
    case EAGAIN:       /* fork: too many processes. Calls that mean "not now" look at errno themselves. */
        return YOKE_ENOMEM;
    case EEXIST:
    case EADDRINUSE:
        return YOKE_EEXIST;
    case ENOENT:
    case ENOTDIR:
    case ESRCH:
    case ECONNREFUSED:
        return YOKE_ENOENT;
    case EACCES:
    case EPERM:
    case EROFS:
        return YOKE_EACCES;
    case ENOSYS:
    case ENOTSUP:
#if EOPNOTSUPP != ENOTSUP
    case EOPNOTSUPP:
#endif
        return YOKE_ENOTSUP;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
        return YOKE_EEOF;
    case ETIMEDOUT:
        return YOKE_ETIMEDOUT;
    case EBUSY:
        return YOKE_EBUSY;
    case ECHILD:
        return YOKE_ECHILD;
    case EMSGSIZE:
        return YOKE_EMSGSIZE;
    default:
        return YOKE_EIO;
    }
}

int(yoke__posix_fail_number)(int number, const char *what)
{
    char text[128] = "";

#if defined(__GLIBC__) && defined(_GNU_SOURCE)
    const char *sentence = strerror_r(number, text, sizeof text);
#else
    const char *sentence = strerror_r(number, text, sizeof text) == 0 ? text : "unknown error";
#endif
    return yoke_backend_fail(yoke__posix_code_of(number), number, "%s: %s", what, sentence);
}

int(yoke__posix_fail)(const char *what)
{
    return yoke__posix_fail_number(errno, what);
}
