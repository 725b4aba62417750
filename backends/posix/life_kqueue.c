/*
 * Who lives, on macOS and the BSDs: NOTE_EXIT of a kqueue per watched process, start time from the system's process
 * table. Written from the manuals and not yet run on any of them.
 */
#include "life.h"

#include "posix.h"
#include "sys.h"

typedef int yoke__life_kqueue_is_not_empty; /* ISO C wants a declaration on systems that need none of this */

#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)

#include <errno.h>
#include <sys/event.h>
#include <sys/sysctl.h>
#include <sys/time.h>

#if defined(__APPLE__)
#include <libproc.h>

static int read_start(int64_t pid, uint64_t *start)
{
    struct proc_bsdinfo info;
    if (proc_pidinfo((int)pid, PROC_PIDTBSDINFO, 0, &info, sizeof info) != (int)sizeof info)
        return errno == ESRCH ? YOKE_ENOENT : yoke__posix_fail("reading the start time of a process");
    *start = (uint64_t)info.pbi_start_tvsec * 1000000u + (uint64_t)info.pbi_start_tvusec;
    return YOKE_OK;
}
#elif defined(__FreeBSD__)
#include <sys/user.h>

static int read_start(int64_t pid, uint64_t *start)
{
    int               name[4] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, (int)pid};
    struct kinfo_proc info;
    size_t            size = sizeof info;
    if (sysctl(name, 4, &info, &size, NULL, 0) != 0)
        return errno == ESRCH ? YOKE_ENOENT : yoke__posix_fail("reading the start time of a process");
    if (size == 0)
        return YOKE_ENOENT;
    *start = (uint64_t)info.ki_start.tv_sec * 1000000u + (uint64_t)info.ki_start.tv_usec;
    return YOKE_OK;
}
#else
static int read_start(int64_t pid, uint64_t *start)
{
    (void)pid;
    (void)start;
    return yoke_backend_fail(YOKE_ENOTSUP, 0, "start times of processes can't be read on this system");
}
#endif

/* The boot, by its time; there are no pid namespaces. */
static int read_space(uint64_t *space)
{
    struct timeval boot;
    size_t         size = sizeof boot;
    int            name[2] = {CTL_KERN, KERN_BOOTTIME};
    if (sysctl(name, 2, &boot, &size, NULL, 0) != 0)
        return yoke__posix_fail("reading the time of boot");
    *space = (uint64_t)boot.tv_sec;
    return YOKE_OK;
}

int yoke__kqueue_identify(yoke_identity *out, int64_t pid)
{
    yoke_identity who = {.pid = pid};
    int           code = read_start(pid, &who.start);
    if (code == YOKE_ENOENT)
        return yoke_backend_fail(YOKE_ENOENT, 0, "there is no process %lld", (long long)pid);
    if (code == YOKE_OK)
        code = read_space(&who.space);
    if (code == YOKE_OK)
        *out = who;
    return code;
}

/* ESRCH: exited already, or a zombie. */
static int open_watch(const yoke_identity *who, int *out)
{
    int           fd = yoke__posix_own(kqueue());
    struct kevent change;
    if (fd < 0)
        return yoke__posix_fail("watching a process (kqueue)");
    EV_SET(&change, (uintptr_t)who->pid, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, NULL);
    if (yoke__posix_cloexec(fd) == 0 && kevent(fd, &change, 1, NULL, 0, NULL) == 0) {
        *out = fd;
        return YOKE_OK;
    }
    int number = errno;
    yoke__sys.close(fd);
    if (number == ESRCH)
        return yoke_backend_fail(YOKE_ENOENT, number, "process %lld is dead", (long long)who->pid);
    return yoke__posix_fail_number(number, "watching a process (kevent)");
}

int yoke__kqueue_watch(yoke_native *out, const yoke_identity *who)
{
    uint64_t start = 0;
    int      fd;
    int      code = open_watch(who, &fd);
    if (code != YOKE_OK)
        return code;
    code = read_start(who->pid, &start);
    if (code == YOKE_ENOENT || (code == YOKE_OK && start != who->start) || !yoke__kqueue_is_alive(fd))
        code = yoke_backend_fail(YOKE_ENOENT, 0, "process %lld is dead", (long long)who->pid);
    if (code != YOKE_OK) {
        yoke__sys.close(fd);
        return code;
    }
    *out = fd;
    return YOKE_OK;
}

/* A kqueue with an event in it is readable; looking doesn't take the event out. */
int yoke__kqueue_is_alive(yoke_native life)
{
    struct pollfd look = {.fd = (int)life, .events = POLLIN};
    return !(yoke__sys.poll(&look, 1, 0) > 0 && (look.revents & POLLIN));
}

#endif
