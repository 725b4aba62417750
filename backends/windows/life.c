/*
 * Who lives. A process is named by pid and creation time. Only the system says that it is dead: the process's handle is
 * signalled once its last thread has gone. While anybody has a handle of a process, dead or not, its pid is nobody else's.
 */
#include "process.h"

/* Pids are the machine's, for all sessions and users; and no memory outlives a boot. */
#define SPACE UINT64_C(0x73776f646e6977) /* "windows" */

static int read_start(HANDLE process, uint64_t *start)
{
    FILETIME created, ended, kernel, user;

    if (!yoke__sys.GetProcessTimes(process, &created, &ended, &kernel, &user))
        return yoke__windows_fail("reading the creation time of a process");
    *start = (uint64_t)created.dwHighDateTime << 32 | created.dwLowDateTime;
    return YOKE_OK;
}

static bool is_dead(HANDLE process)
{
    return yoke__sys.WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
}

/* The handle is signalled when the process is gone; one that is going (its threads are ended one by one) still lives. */
static int open_process(HANDLE *out, int64_t pid)
{
    if (pid <= 0 || pid > UINT32_MAX)
        return yoke_backend_fail(YOKE_EINVAL, 0, "%lld is not a process", (long long)pid);
    *out = yoke__sys.OpenProcess(SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)pid);
    if (*out)
        return YOKE_OK;
    if (GetLastError() == ERROR_INVALID_PARAMETER)
        return yoke_backend_fail(YOKE_ENOENT, ERROR_INVALID_PARAMETER, "there is no process %lld", (long long)pid);
    return yoke__windows_fail("opening a process");
}

static int life_identify(yoke_identity *out, int64_t pid)
{
    yoke_identity who = {.pid = pid, .space = SPACE};
    HANDLE        process;

    YOKE_TRY(open_process(&process, pid));
    int rc = is_dead(process) ? yoke_backend_fail(YOKE_ENOENT, 0, "process %lld is dead", (long long)pid)
                              : read_start(process, &who.start);
    yoke__sys.CloseHandle(process);
    if (rc == YOKE_OK)
        *out = who;
    return rc;
}

static int life_self(yoke_identity *out)
{
    yoke_identity who = {.pid = GetCurrentProcessId(), .space = SPACE};

    YOKE_TRY(read_start(GetCurrentProcess(), &who.start));
    *out = who;
    return YOKE_OK;
}

/* The caller's own child, whose handle is kept until it is reaped. */
static int watch_child(yoke_native *out, int64_t pid)
{
    bool   failed;
    HANDLE process = yoke__windows_child_handle(pid, &failed);

    if (failed)
        return yoke__noted();
    if (!process)
        return yoke_backend_fail(YOKE_ENOENT, 0, "there is no child %lld any more", (long long)pid);
    *out = yoke__native_of(process);
    return YOKE_OK;
}

static int check_watch(HANDLE process, const yoke_identity *who)
{
    uint64_t start = 0;

    YOKE_TRY(read_start(process, &start));
    if (start != who->start || is_dead(process))
        return yoke_backend_fail(YOKE_ENOENT, 0, "process %lld is dead", (long long)who->pid);
    return YOKE_OK;
}

static int life_watch(yoke_native *out, const yoke_identity *who)
{
    HANDLE process;

    if (who->start == 0)
        return watch_child(out, who->pid);
    if (who->space != SPACE || who->pid <= 0)
        return yoke_backend_fail(YOKE_ENOTSUP, 0, "process %lld is of another machine", (long long)who->pid);
    YOKE_TRY(open_process(&process, who->pid));
    int rc = check_watch(process, who);
    if (rc != YOKE_OK) {
        yoke__sys.CloseHandle(process);
        return rc;
    }
    *out = yoke__native_of(process);
    return YOKE_OK;
}

static int life_is_alive(yoke_native life)
{
    return !is_dead(yoke__handle_of(life));
}

static int life_wait(yoke_native life, int64_t timeout)
{
    return yoke__windows_wait_handle(yoke__handle_of(life), yoke__windows_deadline(timeout));
}

static void life_close(yoke_native life)
{
    yoke__sys.CloseHandle(yoke__handle_of(life));
}

const yoke_life_ops yoke__windows_life = {
    .struct_size = sizeof(yoke_life_ops),
    .self = life_self,
    .watch = life_watch,
    .is_alive = life_is_alive,
    .wait = life_wait,
    .close = life_close,
    .identify = life_identify,
};
