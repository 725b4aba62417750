/* Ending processes; and the group's table. Nothing forks here, so the slots of fork and the forkserver are left out. */
#include "process.h"

static uint32_t signal_number(yoke_signal signal)
{
    switch (signal) {
    case YOKE_SIGNAL_INTERRUPT:
        return YOKE__SIGNAL_INT;
    case YOKE_SIGNAL_TERMINATE:
        return YOKE__SIGNAL_TERM;
    case YOKE_SIGNAL_KILL:
        return YOKE__SIGNAL_KILL;
    default:
        return 0;
    }
}

static int gone(int64_t pid)
{
    return yoke_backend_fail(YOKE_ENOENT, 0, "process %lld is not there any more", (long long)pid);
}

/* One that is ending already refuses, though its handle isn't signalled yet. */
static int refused(HANDLE process, int64_t pid)
{
    DWORD number = GetLastError(), code = STILL_ACTIVE;

    if (number == ERROR_ACCESS_DENIED && yoke__sys.GetExitCodeProcess(process, &code) && code != STILL_ACTIVE)
        return gone(pid);
    return yoke__windows_fail_number(number, "ending a process");
}

static int end_process(int64_t pid, UINT code)
{
    HANDLE process = yoke__sys.OpenProcess(PROCESS_TERMINATE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)pid);

    if (!process)
        return GetLastError() == ERROR_INVALID_PARAMETER ? gone(pid) : yoke__windows_fail("ending a process");
    int rc = yoke__sys.TerminateProcess(process, code) ? YOKE_OK : refused(process, pid);
    yoke__sys.CloseHandle(process);
    return rc;
}

/* The watch's handle keeps the pid from being another's. There are no signals: to terminate is to kill. An interrupt is a
 * Ctrl-Break for programs that share our console; without one, what it does to a program that handles nothing: its end. */
static int process_signal(int64_t pid, yoke_native life, yoke_signal signal)
{
    uint32_t number = signal_number(signal);

    if (number == 0 || pid <= 0)
        return yoke_backend_fail(YOKE_EINVAL, 0, "no signal %d, or no process %lld", (int)signal, (long long)pid);
    if (life == YOKE_NO_NATIVE || !yoke__windows_life.is_alive(life))
        return gone(pid);
    if (signal == YOKE_SIGNAL_INTERRUPT && yoke__sys.GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, (DWORD)pid))
        return YOKE_OK;
    return end_process(pid, YOKE__ENDED_BY | number);
}

/* Only what forks needs it: a started program has what its launch said. */
static int process_redirect(const yoke_native stdio[3], const char *working_directory, const char *const *environment)
{
    (void)stdio;
    (void)working_directory;
    (void)environment;
    return yoke_backend_fail(YOKE_ENOTSUP, 0, "a running program keeps its surroundings on this system");
}

static void process_exit_now(int status)
{
    (void)TerminateProcess(GetCurrentProcess(), (UINT)status); /* unlike ExitProcess() it runs nothing of anybody's */
    ExitProcess((UINT)status); /* some systems refuse that to a process which a job object is ending already */
}

const yoke_process_ops yoke__windows_process = {
    .struct_size = sizeof(yoke_process_ops),
    .spawn = yoke__uv_spawn,
    .redirect = process_redirect,
    .environment = yoke__windows_environment,
    .reap = yoke__windows_reap,
    .reap_any = yoke__windows_reap_any,
    .signal = process_signal,
    .lifeline = yoke__windows_lifeline,
    .lifeline_arm = yoke__windows_lifeline_arm,
    .lifeline_write = yoke__windows_lifeline_write,
    .lifeline_read = yoke__windows_lifeline_read,
    .channel = yoke__windows_channel,
    .channel_send = yoke__windows_channel_send,
    .channel_recv = yoke__windows_channel_recv,
    .native_close = yoke__windows_native_close,
    .claim_natives = yoke__windows_claim_natives,
    .native_duplicate = yoke__windows_native_duplicate,
    .native_is_open = yoke__windows_native_is_open,
    .exit_now = process_exit_now,
};
