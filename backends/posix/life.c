/*
 * Who lives. A process is named by pid and start time (or a number in its place), and only the kernel says that it is
 * dead: a pidfd becomes readable when the last thread of the process has gone. /proc alone does not tell (state Z may be
 * a dead leader of live threads), nor does a pid that answers (it may be a zombie, or somebody else by now).
 */
#include "life.h"

#include "posix.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#ifdef __linux__

#define STAT_START_FIELD 22

/* Reads a small file of /proc as text. The number of bytes, or -1 with errno set. */
static ssize_t read_text(const char *path, char *out, size_t capacity)
{
    int fd = yoke__posix_open(path, O_RDONLY, 0);
    if (fd < 0)
        return -1;
    ssize_t got;
    do
        got = yoke__sys.read(fd, out, capacity - 1);
    while (got < 0 && errno == EINTR);
    int number = errno;
    yoke__sys.close(fd);
    errno = number;
    if (got >= 0)
        out[got] = 0;
    return got;
}

/* Field 22 of /proc/pid/stat. Field 2 is the program's name in parentheses and may hold anything, so count from the
 * last one. */
static bool parse_start(const char *text, uint64_t *start)
{
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < STAT_START_FIELD; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return false;
    char *end;
    *start = strtoull(at + 1, &end, 10);
    return end != at + 1;
}

/* YOKE_OK, YOKE_ENOENT if /proc has no such process (or hides it), or another code with the error noted. */
static int read_stat(int64_t pid, uint64_t *start)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    if (read_text(path, text, sizeof text) < 0)
        return errno == ENOENT || errno == ESRCH ? YOKE_ENOENT
                                                 : yoke__posix_fail("reading the start time of a process");
    if (!parse_start(text, start))
        return yoke_backend_fail(YOKE_EIO, 0, "%s is not as expected", path);
    return YOKE_OK;
}

/*
 * What tells two processes of the same pid apart: from Linux 6.9 on the kernel's own number of a process, which a pidfd
 * shows and which never comes back; before that its start time. All processes of a domain must go by the same, so the
 * answer is part of the space.
 */
enum { BY_NUMBER = 1, BY_START = 2 };
#define PIDFS 0x50494446

static int ask_kind(int *kind)
{
    const char   *asked = getenv("YOKE_IDENTITY"); /* for tests of the older way */
    struct statfs system;
    int           fd = yoke__posix_own(yoke__sys.pidfd_open(getpid(), 0));
    if (fd < 0 && errno != ENOSYS && errno != EPERM)
        return yoke__posix_fail("asking how processes are told apart");
    int  rc = fd < 0 ? 0 : yoke__sys.fstatfs(fd, &system);
    int  number = errno;
    bool numbered = fd >= 0 && rc == 0 && system.f_type == PIDFS;
    if (fd >= 0)
        yoke__sys.close(fd);
    if (rc < 0)
        return yoke__posix_fail_number(number, "asking how processes are told apart");
    *kind = numbered && !(asked && strcmp(asked, "start") == 0) ? BY_NUMBER : BY_START;
    return YOKE_OK;
}

static int identity_kind(int *kind)
{
    static _Atomic int known;
    if (!known) {
        int answer = BY_START;
        int code = ask_kind(&answer);
        if (code != YOKE_OK)
            return code;
        known = answer;
    }
    *kind = known;
    return YOKE_OK;
}

static int number_of(int fd, uint64_t *start)
{
    struct stat status;
    if (yoke__sys.fstat(fd, &status) < 0)
        return yoke__posix_fail("identifying a process");
    *start = (uint64_t)status.st_ino;
    return YOKE_OK;
}

static int read_number(int64_t pid, uint64_t *start)
{
    int fd = yoke__posix_own(yoke__sys.pidfd_open((pid_t)pid, 0));
    if (fd < 0 && (errno == ESRCH || errno == EINVAL)) /* EINVAL: the number is a thread's by now */
        return YOKE_ENOENT;
    if (fd < 0)
        return yoke__posix_fail("identifying a process (pidfd_open)");
    int code = number_of(fd, start);
    yoke__sys.close(fd);
    return code;
}

/* What /proc doesn't show may be dead, or another user's that it hides: cannot tell, then. */
static int read_visible(int64_t pid, uint64_t *start)
{
    int code = read_stat(pid, start);
    if (code != YOKE_ENOENT)
        return code;
    int fd = yoke__posix_own(yoke__sys.pidfd_open((pid_t)pid, 0));
    if (fd < 0)
        return errno == ESRCH || errno == EINVAL ? YOKE_ENOENT : yoke__posix_fail("identifying a process (pidfd_open)");
    yoke__sys.close(fd);
    return yoke_backend_fail(YOKE_EACCES, 0, "process %lld may live, but /proc hides it", (long long)pid);
}

/* YOKE_OK, YOKE_ENOENT if there is no such process, or another code with the error noted. */
static int read_start(int64_t pid, uint64_t *start)
{
    int kind = BY_START, code = identity_kind(&kind);
    if (code != YOKE_OK)
        return code;
    return kind == BY_NUMBER ? read_number(pid, start) : read_visible(pid, start);
}

static uint64_t hash(uint64_t seed, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        seed = (seed ^ bytes[i]) * UINT64_C(1099511628211);
    return seed;
}

/* Of this process, by whose pid it is known. 0: not known yet. */
static _Atomic uint64_t known_space;
static _Atomic pid_t    known_by;

/* In a forked child, which may be of another namespace. From there the parent could not be seen. */
static void forget_space(void)
{
    if (getppid() != known_by)
        known_space = 0;
    known_by = getpid();
}

static int ask_boot(uint64_t *out)
{
    static _Atomic uint64_t known_boot;
    char                    boot[64];
    if (!known_boot) {
        if (read_text("/proc/sys/kernel/random/boot_id", boot, sizeof boot) < 0)
            return yoke__posix_fail("reading the boot id (is /proc mounted?)");
        known_boot = hash(UINT64_C(14695981039346656037), boot, strlen(boot));
    }
    *out = known_boot;
    return YOKE_OK;
}

static int ask_space(uint64_t *out)
{
    struct stat space;
    uint64_t    boot = 0;
    if (yoke__sys.stat("/proc/self/ns/pid", &space) != 0)
        return yoke__posix_fail("reading the pid namespace (is /proc mounted?)");
    int code = ask_boot(&boot);
    if (code != YOKE_OK)
        return code;
    uint64_t inode = (uint64_t)space.st_ino;
    int      kind = BY_START;
    code = identity_kind(&kind);
    if (code != YOKE_OK)
        return code;
    *out = hash(hash(boot, &inode, sizeof inode), &kind, sizeof kind);
    return YOKE_OK;
}

/* This boot and this pid namespace. */
static int read_space(uint64_t *out)
{
    static _Atomic int hooked;
    uint64_t           space = known_space;
    if (!space) {
        int code = ask_space(&space);
        if (code != YOKE_OK)
            return code;
        if (!hooked)
            hooked = yoke__sys.pthread_atfork(NULL, NULL, forget_space) == 0;
        known_by = getpid();
        if (hooked)
            known_space = space;
    }
    *out = space;
    return YOKE_OK;
}

static int life_identify(yoke_identity *out, int64_t pid)
{
    yoke_identity who = {.pid = pid};
    if (pid <= 0)
        return yoke_backend_fail(YOKE_EINVAL, 0, "%lld is not a process", (long long)pid);
    int code = read_start(pid, &who.start);
    if (code == YOKE_ENOENT)
        return yoke_backend_fail(YOKE_ENOENT, 0, "there is no process %lld", (long long)pid);
    if (code == YOKE_OK)
        code = read_space(&who.space);
    if (code == YOKE_OK)
        *out = who;
    return code;
}

static bool readable(int fd, int timeout)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    return yoke__sys.poll(&look, 1, timeout) > 0 && (look.revents & POLLIN);
}

/* With a pidfd in hand the pid can't be reused unseen: if the start time is right and the pidfd still silent after
 * that, the pidfd is the right process's. */
static int check_start(int fd, const yoke_identity *who)
{
    uint64_t start = 0;
    int      code = read_stat(who->pid, &start);
    if (readable(fd, 0) || (code == YOKE_OK && start != who->start))
        return yoke_backend_fail(YOKE_ENOENT, 0, "process %lld is dead", (long long)who->pid);
    if (code == YOKE_ENOENT)
        return yoke_backend_fail(YOKE_EACCES, 0, "process %lld lives, but /proc hides it", (long long)who->pid);
    return code;
}

static int check_watch(int fd, const yoke_identity *who)
{
    uint64_t start;
    int      kind = BY_START, code = identity_kind(&kind);
    if (code != YOKE_OK || kind == BY_START)
        return code != YOKE_OK ? code : check_start(fd, who);
    code = number_of(fd, &start);
    if (code == YOKE_OK && (start != who->start || readable(fd, 0)))
        return yoke_backend_fail(YOKE_ENOENT, 0, "process %lld is dead", (long long)who->pid);
    return code;
}

static int life_watch(yoke_native *out, const yoke_identity *who)
{
    uint64_t space;
    int      code = YOKE_OK;
    if (who->start == 0) /* the caller's own child, not yet reaped: its pid is nobody else's */
        space = who->space;
    else if ((code = read_space(&space)) != YOKE_OK)
        return code;
    if (space != who->space || who->pid <= 0)
        return yoke_backend_fail(YOKE_ENOTSUP, 0, "process %lld is of another boot or pid namespace",
                                 (long long)who->pid);
    int fd = yoke__posix_own(yoke__sys.pidfd_open((pid_t)who->pid, 0));
    if (fd < 0 && (errno == ESRCH || errno == EINVAL)) /* EINVAL: the number is a thread's by now */
        return yoke_backend_fail(YOKE_ENOENT, errno, "there is no process %lld any more", (long long)who->pid);
    if (fd < 0)
        return yoke__posix_fail("watching a process (pidfd_open)");
    if (who->start != 0)
        code = check_watch(fd, who);
    if (code != YOKE_OK) {
        yoke__sys.close(fd);
        return code;
    }
    *out = fd;
    return YOKE_OK;
}

static int life_is_alive(yoke_native life)
{
    return !readable((int)life, 0);
}

#else

static int life_identify(yoke_identity *out, int64_t pid)
{
    return yoke__kqueue_identify(out, pid);
}
static int life_watch(yoke_native *out, const yoke_identity *who)
{
    return yoke__kqueue_watch(out, who);
}
static int life_is_alive(yoke_native life)
{
    return yoke__kqueue_is_alive(life);
}
#endif

static int life_wait(yoke_native life, int64_t timeout)
{
    return yoke__posix_wait_readable((int)life, yoke__posix_deadline(timeout), "waiting for a process to die");
}

static void life_close(yoke_native life)
{
    yoke__sys.close((int)life);
}

static int life_self(yoke_identity *out)
{
    int code = life_identify(out, getpid()); /* getpid can't fail */
    return code == YOKE_ENOENT ? yoke_backend_fail(YOKE_EIO, 0, "this process is not in /proc (is it mounted?)") : code;
}

const yoke_life_ops yoke__posix_life = {
    .struct_size = sizeof(yoke_life_ops),
    .self = life_self,
    .watch = life_watch,
    .is_alive = life_is_alive,
    .wait = life_wait,
    .close = life_close,
    .identify = life_identify,
};
