/* Clock, CPUs, random bytes and the like. */
#include "windows.h"

#define NANOSECONDS INT64_C(1000000000)

/* The counter's frequency is fixed at boot. Not in the table: neither call can fail on the systems that we run on, and
 * the clock is read on hot paths. */
int64_t yoke__windows_clock(void)
{
    static _Atomic int64_t frequency;
    int64_t                per_second = frequency;
    LARGE_INTEGER          count;

    if (per_second == 0) {
        QueryPerformanceFrequency(&count);
        frequency = per_second = count.QuadPart;
    }
    QueryPerformanceCounter(&count);
    return count.QuadPart / per_second * NANOSECONDS + count.QuadPart % per_second * NANOSECONDS / per_second;
}

int64_t yoke__windows_deadline(int64_t timeout)
{
    int64_t now = yoke__windows_clock();

    return timeout < INT64_MAX - now ? now + timeout : INT64_MAX;
}

DWORD yoke__windows_left(int64_t deadline)
{
    if (deadline == INT64_MAX)
        return INFINITE;
    int64_t left = deadline - yoke__windows_clock();
    if (left <= 0)
        return 0;
    int64_t milliseconds = left / 1000000 + (left % 1000000 > 0);
    return milliseconds < INT32_MAX ? (DWORD)milliseconds : INT32_MAX;
}

static int system_cpu_count_all(void)
{
    DWORD count = yoke__sys.GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);

    return count > 0 ? (int)count : 1;
}

/* The masks are 0 in a process whose threads run in several groups of processors: then it may use all of them. */
static int system_cpu_count(void)
{
    DWORD_PTR mask = 0, all = 0;
    int       count = 0;

    if (!yoke__sys.GetProcessAffinityMask(GetCurrentProcess(), &mask, &all))
        return system_cpu_count_all();
    for (; mask; mask &= mask - 1)
        count++;
    return count > 0 ? count : system_cpu_count_all();
}

static int system_random(void *out, size_t size)
{
    UCHAR *at = out;

    while (size > 0) {
        ULONG    part = size < 1u << 30 ? (ULONG)size : 1u << 30;
        NTSTATUS status = yoke__sys.BCryptGenRandom(NULL, at, part, BCRYPT_USE_SYSTEM_PREFERRED_RNG);
        if (status < 0)
            return yoke_backend_fail(YOKE_EIO, status, "the system gives no random bytes (status %lx)",
                                     (unsigned long)status);
        at += part;
        size -= part;
    }
    return YOKE_OK;
}

static size_t system_page_size(void)
{
    SYSTEM_INFO info;

    GetSystemInfo(&info);
    return info.dwPageSize;
}

static void system_yield(void)
{
    (void)SwitchToThread();
}

/* Nothing forks here. */
static int system_at_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    (void)prepare;
    (void)parent;
    (void)child;
    return YOKE_OK;
}

static uint64_t system_thread_id(void)
{
    return GetCurrentThreadId();
}

const yoke_system_ops yoke__windows_system = {
    .struct_size = sizeof(yoke_system_ops),
    .now = yoke__windows_clock,
    .cpu_count = system_cpu_count,
    .cpu_count_all = system_cpu_count_all,
    .random = system_random,
    .page_size = system_page_size,
    .yield = system_yield,
    .at_fork = system_at_fork,
    .thread_id = system_thread_id,
};
