/* Clock, CPUs, random bytes and the like. */
#include "posix.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

static int64_t system_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now); /* not in the table: it cannot fail, and is called on hot paths */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int system_cpu_count_all(void)
{
    long count = yoke__sys.sysconf(_SC_NPROCESSORS_ONLN);

    return count > 0 ? (int)count : 1;
}

#ifdef __linux__
/* 0: the kernel doesn't tell. */
static int affinity_count(void)
{
    /* The kernel refuses a set smaller than its own; machines with more than 8192 CPUs are left to the other count. */
    for (size_t cpus = 1024; cpus <= 8192; cpus *= 2) {
        size_t     size = CPU_ALLOC_SIZE(cpus);
        cpu_set_t *set = CPU_ALLOC(cpus);
        int        rc, count;

        if (!set)
            return 0;
        rc = yoke__sys.sched_getaffinity(0, size, set);
        count = rc == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (rc == 0 || errno != EINVAL)
            return count;
    }
    return 0;
}

static int system_cpu_count(void)
{
    int count = affinity_count();
    int quota = yoke__posix_cgroup_cpus("/sys/fs/cgroup", "/proc/self/cgroup");

    if (count <= 0)
        count = system_cpu_count_all();
    return quota > 0 && quota < count ? quota : count;
}
#else
static int system_cpu_count(void)
{
    return system_cpu_count_all();
}
#endif

/* For systems, and kernels, without getrandom(). */
static int random_from_device(uint8_t *out, size_t size)
{
    int fd = yoke__posix_open("/dev/urandom", O_RDONLY, 0);

    if (fd < 0)
        return yoke__posix_fail("opening /dev/urandom for random bytes");
    while (size > 0) {
        ssize_t got = yoke__sys.read(fd, out, size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            int rc = yoke__posix_fail_number(got == 0 ? EIO : errno, "reading /dev/urandom");
            yoke__sys.close(fd);
            return rc;
        }
        out += got;
        size -= (size_t)got;
    }
    yoke__sys.close(fd);
    return YOKE_OK;
}

static int system_random(void *out, size_t size)
{
    uint8_t *at = out;

#ifdef __linux__
    while (size > 0) {
        ssize_t got = yoke__sys.getrandom(at, size, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return random_from_device(at, size);
        at += got;
        size -= (size_t)got;
    }
    return YOKE_OK;
#else
    return random_from_device(at, size);
#endif
}

static size_t system_page_size(void)
{
    long size = yoke__sys.sysconf(_SC_PAGESIZE);

    return size > 0 ? (size_t)size : 4096;
}

static void system_yield(void)
{
    sched_yield();
}

static int system_at_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    int number = yoke__sys.pthread_atfork(prepare, parent, child);

    return number == 0 ? YOKE_OK : yoke__posix_fail_number(number, "registering fork hooks");
}

static uint64_t system_thread_id(void)
{
#ifdef __linux__
    return (uint64_t)syscall(SYS_gettid); /* not kept: a forked child's main thread would tell its parent's */
#else
    /* A thread of a forked child may have the number of one in its parent, so the pid belongs to it. */
    static _Atomic uint32_t       last;
    static _Thread_local uint32_t mine;

    if (mine == 0)
        mine = ++last;
    return (uint64_t)getpid() << 32 | mine;
#endif
}

const yoke_system_ops yoke__posix_system = {
    .struct_size = sizeof(yoke_system_ops),
    .now = system_now,
    .cpu_count = system_cpu_count,
    .cpu_count_all = system_cpu_count_all,
    .random = system_random,
    .page_size = system_page_size,
    .yield = system_yield,
    .at_fork = system_at_fork,
    .thread_id = system_thread_id,
};
