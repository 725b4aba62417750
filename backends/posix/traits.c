/*
 * What a child inherits from its parent silently: current directory, file mode mask, signal mask, limits, affinity. For
 * a start by a server they are taken along, so that it makes no difference who forks.
 *
 * Users and groups are not taken along: a server of another user, which its client was when it started the server, must
 * not serve it any more.
 */
#include "posix.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
#include <sys/single_threaded.h>
#endif

#ifdef RLIM_NLIMITS
#define LIMITS RLIM_NLIMITS
#else
#define LIMITS 9 /* those that POSIX and tradition share; unknown ones are skipped */
#endif

#define TRAITS_MAGIC    UINT32_C(0x74696172)
#define AFFINITY_BYTES  1024u
#define DIRECTORY_BYTES 4096u

/* As bytes: this, and the current directory behind it: "" if it can't be told. */
typedef struct traits {
    uint32_t      magic;
    mode_t        mask;
    sigset_t      signals;
    uid_t         user, effective_user; /* from here on: what takes long to put on */
    gid_t         group, effective_group;
    uint32_t      affinity_size; /* bytes; 0: not told */
    uint32_t      limit_known;   /* bit per limit */
    struct rlimit limits[LIMITS];
    uint8_t       affinity[AFFINITY_BYTES];
} traits;
_Static_assert(sizeof(traits) + DIRECTORY_BYTES <= YOKE_TRAITS_SIZE, "fits what callers offer");

/* A server's own, which nothing changes once it serves; so neither it nor its children ask for them at each start. */
static struct {
    bool   known;
    traits traits;
} worn;

/* ---- file mode mask ---- */

/* True only if no other thread could create a file meanwhile. */
static bool is_alone(void)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
    return __libc_single_threaded;
#else
    return false;
#endif
}

/* One has to set it to learn it. A restrictive one meanwhile, for the sake of others. */
static mode_t exchanged_mask(void)
{
    mode_t mask = umask(077);

    umask(mask);
    return mask;
}

/* Linux tells it, which takes longer than all the rest. */
static mode_t current_mask(void)
{
    char    text[1024] = "";
    char   *line;
    ssize_t got;
    int     fd;

    if (is_alone())
        return exchanged_mask();
    fd = yoke__posix_open("/proc/self/status", O_RDONLY, 0);
    if (fd >= 0) {
        got = yoke__sys.read(fd, text, sizeof text - 1);
        yoke__sys.close(fd);
        text[got > 0 ? got : 0] = '\0';
        line = strstr(text, "\nUmask:");
        if (line)
            return (mode_t)strtoul(line + strlen("\nUmask:"), NULL, 8) & 0777;
    }
    return exchanged_mask();
}

/* ---- limits ---- */

static void get_limits(traits *out)
{
    out->limit_known = 0;
    for (int i = 0; i < (int)LIMITS; i++)
        if (yoke__sys.getrlimit(i, &out->limits[i]) == 0)
            out->limit_known |= UINT32_C(1) << i;
}

static bool same_limit(const struct rlimit *a, const struct rlimit *b)
{
    return a->rlim_cur == b->rlim_cur && a->rlim_max == b->rlim_max;
}

/* soft_only: the hard ones stay, so that this can be taken back. */
static int set_limits(const traits *wanted, bool soft_only)
{
    for (int i = 0; i < (int)LIMITS; i++) {
        struct rlimit now, then = wanted->limits[i];

        if (!(wanted->limit_known >> i & 1) || yoke__sys.getrlimit(i, &now) != 0)
            continue;
        if (soft_only)
            then.rlim_max = now.rlim_max;
        if (then.rlim_cur > then.rlim_max)
            then.rlim_cur = then.rlim_max;
        if (!same_limit(&now, &then) && yoke__sys.setrlimit(i, &then) != 0)
            return yoke__posix_fail("setting a limit");
    }
    return YOKE_OK;
}

/* ---- affinity ---- */

#ifdef __linux__
static void get_affinity(traits *out)
{
    cpu_set_t *set = (cpu_set_t *)(void *)out->affinity;

    memset(out->affinity, 0, sizeof out->affinity);
    out->affinity_size = yoke__sys.sched_getaffinity(0, AFFINITY_BYTES, set) == 0 ? AFFINITY_BYTES : 0;
}

static int set_affinity(const traits *wanted, const traits *now)
{
    bool same = now->affinity_size > 0 && memcmp(wanted->affinity, now->affinity, AFFINITY_BYTES) == 0;

    if (wanted->affinity_size == 0 || same)
        return YOKE_OK;
    if (yoke__sys.sched_setaffinity(0, AFFINITY_BYTES, (const cpu_set_t *)(const void *)wanted->affinity) != 0)
        return yoke__posix_fail("setting the CPU affinity");
    return YOKE_OK;
}
#else
static void get_affinity(traits *out)
{
    out->affinity_size = 0;
}

static int set_affinity(const traits *wanted, const traits *now)
{
    (void)wanted;
    (void)now;
    return YOKE_OK;
}
#endif

/* ---- the operations ---- */

static int get_all(traits *out)
{
    int number;

    memset(out, 0, sizeof *out);
    out->magic = TRAITS_MAGIC;
    out->user = getuid();
    out->effective_user = geteuid();
    out->group = getgid();
    out->effective_group = getegid();
    out->mask = current_mask();
    number = yoke__sys.pthread_sigmask(SIG_SETMASK, NULL, &out->signals);
    if (number != 0)
        return yoke__posix_fail_number(number, "asking for the signal mask");
    get_limits(out);
    get_affinity(out);
    return YOKE_OK;
}

int yoke__posix_traits_get(void *out, size_t capacity, size_t *size)
{
    char  *directory = (char *)out + sizeof(traits);
    traits all;

    if (capacity < sizeof all + DIRECTORY_BYTES)
        return yoke_backend_fail(YOKE_EMSGSIZE, 0, "%zu bytes are too few for a process's traits", capacity);
    YOKE_TRY(get_all(&all));
    memcpy(out, &all, sizeof all);
    if (!yoke__sys.getcwd(directory, DIRECTORY_BYTES))
        directory[0] = '\0'; /* removed, or out of sight: children stay where the server is */
    *size = sizeof all + strlen(directory) + 1;
    return YOKE_OK;
}

/* Copies, since the bytes need not be aligned; *directory stays among them. */
static int unpack(traits *out, const char **directory, const void *from, size_t size)
{
    const char *bytes = from;

    if (size > sizeof *out)
        memcpy(out, from, sizeof *out);
    if (size <= sizeof *out || size > sizeof *out + DIRECTORY_BYTES || out->magic != TRAITS_MAGIC ||
        out->affinity_size > AFFINITY_BYTES || bytes[size - 1] != '\0')
        return yoke_backend_fail(YOKE_EINVAL, 0, "%zu bytes that are no traits of a process", size);
    *directory = bytes + sizeof *out;
    return YOKE_OK;
}

static bool is_user(const traits *own, const traits *wanted)
{
    return own->user == wanted->user && own->effective_user == wanted->effective_user && own->group == wanted->group &&
           own->effective_group == wanted->effective_group;
}

static int check_user(const traits *of)
{
    traits own = {.user = getuid(), .effective_user = geteuid(), .group = getgid(), .effective_group = getegid()};

    if (is_user(&own, of))
        return YOKE_OK;
    return yoke_backend_fail(YOKE_EACCES, 0, "a server of user %ld can't start processes for user %ld", (long)geteuid(),
                             (long)of->effective_user);
}

/* By a server, before each start; so the first time it notes what it wears. */
int yoke__posix_traits_check(const void *bytes, size_t size)
{
    const char *directory;
    traits      wanted;

    YOKE_TRY(unpack(&wanted, &directory, bytes, size));
    if (!worn.known)
        worn.known = get_all(&worn.traits) == YOKE_OK;
    return check_user(&wanted);
}

static int enter(const char *directory)
{
    if (directory[0] == '\0' || yoke__sys.chdir(directory) == 0)
        return YOKE_OK;
    return yoke__posix_fail("entering the caller's current directory");
}

static bool is_worn(const traits *wanted)
{
    const size_t from = offsetof(traits, user);

    return worn.known &&
           memcmp((const char *)wanted + from, (const char *)&worn.traits + from, sizeof(traits) - from) == 0;
}

static int put_on(const traits *wanted)
{
    traits now;

    YOKE_TRY(check_user(wanted));
    worn.known = false;
    get_affinity(&now);
    YOKE_TRY(set_affinity(wanted, &now));
    return set_limits(wanted, false);
}

/* Mostly client and server are alike, and only the directory may have changed under its name. */
int yoke__posix_traits_set(const void *bytes, size_t size)
{
    const char *directory;
    traits      wanted;
    int         number;

    YOKE_TRY(unpack(&wanted, &directory, bytes, size));
    if (!is_worn(&wanted))
        YOKE_TRY(put_on(&wanted));
    YOKE_TRY(enter(directory));
    umask(wanted.mask);
    number = yoke__sys.pthread_sigmask(SIG_SETMASK, &wanted.signals, NULL);
    return number == 0 ? YOKE_OK : yoke__posix_fail_number(number, "setting the signal mask");
}

/* ---- starting a program with another process's traits ---- */

/* Takes back what set_temporarily() did; what can't be taken back would spoil later starts, so it is an error. */
static int restore(const traits *own)
{
    traits now;

    umask(own->mask);
    get_affinity(&now);
    YOKE_TRY(set_affinity(own, &now));
    return set_limits(own, true);
}

static int set_temporarily(const traits *wanted, const char *directory, const traits *own)
{
    YOKE_TRY(set_affinity(wanted, own));
    YOKE_TRY(set_limits(wanted, true));
    YOKE_TRY(enter(directory));
    umask(wanted->mask);
    return YOKE_OK;
}

/* Hard limits can be lowered, but not raised again: only the child gets them. It has no more than its soft limits in the
 * meantime. */
static int lower_hard_limits(pid_t pid, const traits *wanted, const traits *own)
{
#ifdef __linux__
    for (int i = 0; i < (int)LIMITS; i++)
        if ((wanted->limit_known & own->limit_known) >> i & 1 && !same_limit(&wanted->limits[i], &own->limits[i]) &&
            yoke__sys.prlimit(pid, i, &wanted->limits[i]) != 0 && errno != ESRCH)
            return yoke__posix_fail("setting a limit");
#else
    (void)pid;
    (void)wanted;
    (void)own;
#endif
    return YOKE_OK;
}

/* The mask of signals is not among them: uv_spawn() gives every child an empty one. The caller is single-threaded, as
 * servers are. */
static int spawn_with(int64_t *pid, const yoke_launch *launch, const traits *wanted, const char *directory)
{
    traits  own;
    int64_t started = 0;
    int     rc;

    YOKE_TRY(check_user(wanted));
    YOKE_TRY(get_all(&own));
    rc = set_temporarily(wanted, directory, &own);
    if (rc == YOKE_OK)
        rc = yoke__uv_spawn(&started, launch);
    if (restore(&own) < 0 && rc == YOKE_OK)
        rc = YOKE_EIO;
    if (started != 0 && rc == YOKE_OK)
        rc = lower_hard_limits((pid_t)started, wanted, &own);
    if (started != 0 && rc != YOKE_OK) { /* it has not been reaped, so the pid is its own */
        yoke__sys.kill((pid_t)started, SIGKILL);
        while (yoke__sys.waitpid((pid_t)started, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    if (rc == YOKE_OK)
        *pid = started;
    return rc;
}

int yoke__posix_spawn_with_traits(int64_t *pid, const yoke_launch *launch)
{
    const char *directory;
    traits      wanted;

    YOKE_TRY(unpack(&wanted, &directory, launch->traits, launch->traits_size));
    return spawn_with(pid, launch, &wanted, directory);
}
