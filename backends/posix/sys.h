/*
 * Every call of the POSIX backend into the system, as one table of function pointers, so that tests can make any of
 * them fail. The backend says yoke__sys.close(fd) where it would have said close(fd).
 *
 * To add a call, append one line to the list below: X(result, name, (parameters), (arguments), failure). sys.c makes
 * the default from it, which is plain `name arguments`; a call that no header offers gets a small function there.
 * failure is what the call returns when it fails with errno set; for calls that return the error number itself it is
 * `error`.
 */
#ifndef YOKE_BACKENDS_POSIX_SYS_H
#define YOKE_BACKENDS_POSIX_SYS_H

#include "../../core/error.h"

#include <yoke/backend.h>

#include <dirent.h>
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What POSIX offers. fcntl takes its argument as a number, which may be an address. */
#define YOKE__SYS_POSIX_CALLS(X)                                                                                       \
    /* descriptors */                                                                                                  \
    X(int, open, (const char *path, int flags, mode_t mode), (path, flags, mode), -1)                                  \
    X(int, dup, (int fd), (fd), -1)                                                                                    \
    X(int, dup2, (int from, int to), (from, to), -1)                                                                   \
    X(int, fcntl, (int fd, int command, intptr_t argument), (fd, command, argument), -1)                               \
    X(ssize_t, read, (int fd, void *data, size_t size), (fd, data, size), -1)                                          \
    X(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), -1)                                   \
    X(int, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout), -1)                          \
    X(int, pipe, (int ends[2]), (ends), -1)                                                                            \
    X(int, fstat, (int fd, struct stat *out), (fd, out), -1)                                                           \
    X(int, stat, (const char *path, struct stat *out), (path, out), -1)                                                \
    X(int, lstat, (const char *path, struct stat *out), (path, out), -1)                                               \
    X(int, ftruncate, (int fd, off_t size), (fd, size), -1)                                                            \
    X(int, unlink, (const char *path), (path), -1)                                                                     \
    X(int, chmod, (const char *path, mode_t mode), (path, mode), -1)                                                   \
    X(int, mkdir, (const char *path, mode_t mode), (path, mode), -1)                                                   \
    X(int, mkfifo, (const char *path, mode_t mode), (path, mode), -1)                                                  \
    X(ssize_t, readlink, (const char *path, char *out, size_t size), (path, out, size), -1)                            \
    X(int, fchmod, (int fd, mode_t mode), (fd, mode), -1)                                                              \
    X(char *, realpath, (const char *path, char *out), (path, out), NULL)                                              \
    X(char *, getcwd, (char *out, size_t size), (out, size), NULL)                                                     \
    X(int, chdir, (const char *path), (path), -1)                                                                      \
    X(ssize_t, pread, (int fd, void *data, size_t size, off_t offset), (fd, data, size, offset), -1)                   \
    X(DIR *, opendir, (const char *path), (path), NULL)                                                                \
    X(struct dirent *, readdir, (DIR * directory), (directory), NULL)                                                  \
    /* memory */                                                                                                       \
    X(void *, mmap, (void *at, size_t size, int protection, int flags, int fd, off_t offset),                          \
      (at, size, protection, flags, fd, offset), MAP_FAILED)                                                           \
    X(int, munmap, (void *at, size_t size), (at, size), -1)                                                            \
    X(int, mprotect, (void *at, size_t size, int protection), (at, size, protection), -1)                              \
    X(int, shm_open, (const char *name, int flags, mode_t mode), (name, flags, mode), -1)                              \
    X(int, shm_unlink, (const char *name), (name), -1)                                                                 \
    X(int, fstatvfs, (int fd, struct statvfs *out), (fd, out), -1)                                                     \
    X(int, flock, (int fd, int operation), (fd, operation), -1)                                                        \
    X(int, posix_fallocate, (int fd, off_t offset, off_t size), (fd, offset, size), error)                             \
    /* sockets */                                                                                                      \
    X(int, socket, (int domain, int type, int protocol), (domain, type, protocol), -1)                                 \
    X(int, socketpair, (int domain, int type, int protocol, int ends[2]), (domain, type, protocol, ends), -1)          \
    X(int, bind, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size), -1)                    \
    X(int, listen, (int fd, int backlog), (fd, backlog), -1)                                                           \
    X(int, accept, (int fd, struct sockaddr *address, socklen_t *size), (fd, address, size), -1)                       \
    X(int, connect, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size), -1)                 \
    X(int, getsockname, (int fd, struct sockaddr *address, socklen_t *size), (fd, address, size), -1)                  \
    X(int, shutdown, (int fd, int how), (fd, how), -1)                                                                 \
    X(int, getpeername, (int fd, struct sockaddr *address, socklen_t *size), (fd, address, size), -1)                  \
    X(int, getaddrinfo, (const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out),  \
      (host, service, hints, out), EAI_SYSTEM)                                                                         \
    X(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t size),                               \
      (fd, level, name, value, size), -1)                                                                              \
    X(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size), (fd, level, name, value, size),    \
      -1)                                                                                                              \
    X(ssize_t, sendto,                                                                                                 \
      (int fd, const void *data, size_t size, int flags, const struct sockaddr *address, socklen_t address_size),      \
      (fd, data, size, flags, address, address_size), -1)                                                              \
    X(ssize_t, recv, (int fd, void *data, size_t size, int flags), (fd, data, size, flags), -1)                        \
    X(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), -1)                   \
    X(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags), -1)                         \
    /* processes, threads and signals */                                                                               \
    X(pid_t, fork, (void), (), -1)                                                                                     \
    X(pid_t, waitpid, (pid_t pid, int *status, int flags), (pid, status, flags), -1)                                   \
    X(int, waitid, (idtype_t type, id_t id, siginfo_t * out, int flags), (type, id, out, flags), -1)                   \
    X(int, kill, (pid_t pid, int number), (pid, number), -1)                                                           \
    X(int, sigaction, (int number, const struct sigaction *action, struct sigaction *old), (number, action, old), -1)  \
    X(int, pthread_sigmask, (int how, const sigset_t *set, sigset_t *old), (how, set, old), error)                     \
    X(int, pthread_atfork, (void (*prepare)(void), void (*parent)(void), void (*child)(void)),                         \
      (prepare, parent, child), error)                                                                                 \
    X(int, getrlimit, (int resource, struct rlimit *out), (resource, out), -1)                                         \
    X(int, setrlimit, (int resource, const struct rlimit *limit), (resource, limit), -1)                               \
    /* system */                                                                                                       \
    X(int, getpwnam_r, (const char *name, struct passwd *out, char *text, size_t size, struct passwd **found),         \
      (name, out, text, size, found), error)                                                                           \
    X(long, sysconf, (int name), (name), -1)                                                                           \
    X(void *, dlopen, (const char *path, int flags), (path, flags), NULL)

/* What Linux adds. */
#ifdef __linux__
#include <link.h>
#include <sched.h>
#include <sys/vfs.h>
#define YOKE__SYS_SYSTEM_CALLS(X)                                                                                      \
    X(int, pipe2, (int ends[2], int flags), (ends, flags), -1)                                                         \
    X(int, ppoll, (struct pollfd * fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask),           \
      (fds, count, timeout, mask), -1)                                                                                 \
    X(int, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags), (fd, address, size, flags), -1)    \
    X(int, eventfd, (unsigned start, int flags), (start, flags), -1)                                                   \
    X(int, memfd_create, (const char *name, unsigned flags), (name, flags), -1)                                        \
    X(int, fallocate, (int fd, int mode, off_t offset, off_t size), (fd, mode, offset, size), -1)                      \
    X(int, madvise, (void *at, size_t size, int advice), (at, size, advice), -1)                                       \
    X(long, futex, (const uint32_t *word, int operation, uint32_t value, const struct timespec *timeout),              \
      (word, operation, value, timeout), -1)                                                                           \
    X(int, pidfd_open, (pid_t pid, unsigned flags), (pid, flags), -1)                                                  \
    X(int, fstatfs, (int fd, struct statfs *out), (fd, out), -1)                                                       \
    X(int, pidfd_send_signal, (int pidfd, int number), (pidfd, number), -1)                                            \
    X(ssize_t, getrandom, (void *out, size_t size, unsigned flags), (out, size, flags), -1)                            \
    X(int, sched_getaffinity, (pid_t pid, size_t size, cpu_set_t * set), (pid, size, set), -1)                         \
    X(int, sched_setaffinity, (pid_t pid, size_t size, const cpu_set_t *set), (pid, size, set), -1)                    \
    X(int, prlimit, (pid_t pid, int resource, const struct rlimit *limit), (pid, resource, limit), -1)                 \
    X(int, close_range, (unsigned first, unsigned last, unsigned flags), (first, last, flags), -1)
#else
#define YOKE__SYS_SYSTEM_CALLS(X)
#endif

/* Calls that have taken effect even when they report a failure: close() frees the descriptor all the same. */
#define YOKE__SYS_RELEASING_CALLS(X)                                                                                   \
    X(int, close, (int fd), (fd), -1)                                                                                  \
    X(int, closedir, (DIR * directory), (directory), -1)

#define YOKE__SYS_CALLS(X) YOKE__SYS_POSIX_CALLS(X) YOKE__SYS_SYSTEM_CALLS(X)

typedef struct yoke__sys_table {
#define YOKE__SYS_MEMBER(result, name, parameters, arguments, failure) result(*name) parameters;
    YOKE__SYS_CALLS(YOKE__SYS_MEMBER)
    YOKE__SYS_RELEASING_CALLS(YOKE__SYS_MEMBER)
#undef YOKE__SYS_MEMBER
} yoke__sys_table;

/* Replaced by tests only, by one thread, before others run. */
extern yoke__sys_table yoke__sys;

/* ---- the error numbers of the system, in one place --------------------------------------------------------------- */

/* The code of error.h for an errno. */
int yoke__posix_code_of(int number);
/* Notes errno and "what: the system's sentence"; returns its code. */
int yoke__posix_fail(const char *what);
int yoke__posix_fail_number(int number, const char *what);

/* As in core/error.h: the compiler may know that these are negative. */
#define yoke__posix_fail(what)                yoke__negative(yoke__posix_fail(what))
#define yoke__posix_fail_number(number, what) yoke__negative(yoke__posix_fail_number(number, what))
#define yoke_backend_fail(...)                yoke__negative(yoke_backend_fail(__VA_ARGS__))

#endif
