/* See posix/README. */
#include "absent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <io.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <windows.h>

static DWORD first_thread;
static bool  seen;

__attribute__((constructor)) static void note_first_thread(void)
{
    first_thread = GetCurrentThreadId();
}

bool absent_seen(void)
{
    return seen;
}

void absent(const char *what)
{
    seen = true;
    print_message("skipped: Windows has no %s\n", what);
    fflush(stdout);
    if (GetCurrentThreadId() == first_thread)
        skip();
    abort();
}

/* ---- what is not there ------------------------------------------------------------------------------------------- */

pid_t fork(void)
{
    absent("fork");
}

pid_t waitpid(pid_t pid, int *status, int flags)
{
    (void)pid, (void)status, (void)flags;
    absent("waitpid");
}

int waitid(int type, pid_t id, siginfo_t *out, int flags)
{
    (void)type, (void)id, (void)out, (void)flags;
    absent("waitid");
}

pid_t getppid(void)
{
    absent("pid of a parent");
}

int fcntl(int fd, int command, ...)
{
    (void)fd, (void)command;
    absent("fcntl");
}

ssize_t readlink(const char *path, char *out, size_t size)
{
    (void)path, (void)out, (void)size;
    absent("readlink");
}

int symlink(const char *target, const char *path)
{
    (void)target, (void)path;
    absent("symbolic links for everybody");
}

uid_t getuid(void)
{
    absent("numbers of users");
}

uid_t geteuid(void)
{
    absent("numbers of users");
}

int sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    (void)number, (void)action, (void)old;
    absent("signals");
}

int sigemptyset(sigset_t *set)
{
    *set = 0;
    return 0;
}

int sigfillset(sigset_t *set)
{
    *set = ~0ul;
    return 0;
}

int sigaddset(sigset_t *set, int number)
{
    *set |= 1ul << number;
    return 0;
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    (void)how, (void)set, (void)old;
    absent("signal masks");
}

int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    return sigprocmask(how, set, old);
}

int test_pthread_kill(int number)
{
    (void)number;
    absent("signals");
}

int getrlimit(int resource, struct rlimit *out)
{
    (void)resource, (void)out;
    absent("limits of a process");
}

int setrlimit(int resource, const struct rlimit *limit)
{
    (void)resource, (void)limit;
    absent("limits of a process");
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    (void)at, (void)size, (void)protection, (void)flags, (void)fd, (void)offset;
    absent("anonymous memory that a fork shares");
}

int munmap(void *at, size_t size)
{
    (void)at, (void)size;
    absent("anonymous memory that a fork shares");
}

int shm_open(const char *name, int flags, unsigned mode)
{
    (void)name, (void)flags, (void)mode;
    absent("shm_open");
}

int shm_unlink(const char *name)
{
    (void)name;
    absent("shm_open");
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    (void)fd, (void)data, (void)size, (void)offset;
    absent("shm_open");
}

ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
    (void)fd, (void)data, (void)size, (void)offset;
    absent("shm_open");
}

int memfd_create(const char *name, unsigned flags)
{
    (void)name, (void)flags;
    absent("memfd_create");
}

int setitimer(int which, const struct itimerval *value, struct itimerval *old)
{
    (void)which, (void)value, (void)old;
    absent("signals");
}

struct mallinfo2 mallinfo2(void)
{
    absent("count of allocated bytes");
}

int fchmod(int fd, int mode)
{
    (void)fd, (void)mode;
    absent("modes of files");
}

int lstat(const char *path, struct stat *out)
{
    (void)path, (void)out;
    absent("symbolic links for everybody");
}

/* ---- what is ------------------------------------------------------------------------------------------------------ */

int kill(pid_t pid, int number)
{
    if (number != SIGKILL)
        absent(number == SIGSTOP ? "way to stop a process" : "signals");
    HANDLE process = OpenProcess(PROCESS_TERMINATE, FALSE, (DWORD)pid);
    if (!process)
        return -1;
    BOOL done = TerminateProcess(process, 9);
    CloseHandle(process);
    return done ? 0 : -1;
}

int poll(struct pollfd *entries, unsigned long count, int milliseconds)
{
    HANDLE handles[MAXIMUM_WAIT_OBJECTS] = {NULL};
    int    ready = 0;

    for (unsigned long i = 0; i < count; i++)
        handles[i] = (HANDLE)(intptr_t)entries[i].fd;
    DWORD got = WaitForMultipleObjects((DWORD)count, handles, FALSE, (DWORD)milliseconds);
    if (got == WAIT_FAILED)
        return -1;
    for (unsigned long i = 0; i < count; i++) {
        entries[i].revents = WaitForSingleObject(handles[i], 0) == WAIT_OBJECT_0 ? POLLIN : 0;
        ready += entries[i].revents != 0;
    }
    return ready;
}

int pipe(int ends[2])
{
    return _pipe(ends, 4096, _O_BINARY | _O_NOINHERIT);
}

int pipe2(int ends[2], int flags)
{
    (void)flags;
    return pipe(ends);
}

pid_t gettid(void)
{
    return (pid_t)GetCurrentThreadId();
}

long sysconf(int name)
{
    (void)name; /* there is one */
    return 4096;
}

void *dlopen(const char *path, int flags)
{
    char        full[MAX_PATH];
    const char *end = strrchr(path, '.');

    (void)flags;
    snprintf(full, sizeof full, "%.*s.dll", (int)(end ? end - path : (ptrdiff_t)strlen(path)), path);
    return LoadLibraryA(full);
}

void *dlsym(void *module, const char *name)
{
    return (void *)(intptr_t)GetProcAddress(module, name);
}

int dlclose(void *module)
{
    return FreeLibrary(module) ? 0 : -1;
}

char *dlerror(void)
{
    static char text[32];

    snprintf(text, sizeof text, "error %lu", GetLastError());
    return text;
}

int pause(void)
{
    for (;;)
        Sleep(INFINITE);
}

static void CALLBACK on_alarm(void *nothing, BOOLEAN timed_out)
{
    (void)nothing, (void)timed_out;
    fprintf(stderr, "the time that the test has set itself is over\n");
    TerminateProcess(GetCurrentProcess(), 14);
}

unsigned alarm(unsigned seconds)
{
    static HANDLE timer;

    if (timer)
        (void)DeleteTimerQueueTimer(NULL, timer, INVALID_HANDLE_VALUE);
    timer = NULL;
    if (seconds > 0)
        (void)CreateTimerQueueTimer(&timer, NULL, on_alarm, NULL, seconds * 1000, 0, WT_EXECUTEONLYONCE);
    return 0;
}

int setenv(const char *name, const char *value, int overwrite)
{
    if (!overwrite && getenv(name))
        return 0;
    return _putenv_s(name, value);
}

int unsetenv(const char *name)
{
    return _putenv_s(name, "");
}
