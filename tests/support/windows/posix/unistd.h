#ifndef YOKE_TESTS_WINDOWS_UNISTD_H
#define YOKE_TESTS_WINDOWS_UNISTD_H
#pragma GCC system_header
#include <pthread_time.h>
#include <stddef.h>
#include <sys/types.h>
#include_next <unistd.h>

typedef unsigned uid_t;
typedef unsigned gid_t;

/* Not here: the test is skipped. */
pid_t   fork(void);
pid_t   getppid(void);
int     fcntl(int fd, int command, ...);
ssize_t readlink(const char *path, char *out, size_t size);
int     symlink(const char *target, const char *path);
uid_t   getuid(void);
uid_t   geteuid(void);
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t pread(int fd, void *data, size_t size, off_t offset);
int     memfd_create(const char *name, unsigned flags);

/* Here. */
pid_t gettid(void);
int   pipe(int ends[2]);
int   pipe2(int ends[2], int flags);
long  sysconf(int name);
#define _SC_PAGESIZE 30
#define MFD_CLOEXEC  1
int      pause(void);
unsigned alarm(unsigned seconds);
int      setenv(const char *name, const char *value, int overwrite);
int      unsetenv(const char *name);

#define F_GETFD    1
#define F_SETFD    2
#define F_GETFL    3
#define F_SETFL    4
#define F_DUPFD    0
#define FD_CLOEXEC 1
#define O_CLOEXEC  0
#define O_NONBLOCK 0
#endif
