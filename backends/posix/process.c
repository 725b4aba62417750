/* Reaping, signals and descriptors; and the group's table. */
#include "posix.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

extern char **environ;

static const char *const *process_environment(void)
{
    return (const char *const *)environ;
}

/* libuv ends the program if one of its own descriptors turns out to be a standard one. So where the host has closed some,
 * the null device stands in for them meanwhile. Returns how far it came: what is to be closed again, as bits. */
static unsigned fill_standard(void)
{
    unsigned filled = 0;

    for (int fd = 0; fd < 3; fd++) {
        if (yoke__sys.fcntl(fd, F_GETFD, 0) >= 0 || errno != EBADF)
            continue;
        int got = yoke__sys.open("/dev/null", O_RDWR | O_CLOEXEC, 0); /* the lowest number there is */
        if (got >= 0 && got < 3)
            filled |= 1u << got;
        else if (got >= 0)
            yoke__sys.close(got); /* another thread was faster */
    }
    return filled;
}

static int process_spawn(int64_t *pid, const yoke_launch *launch)
{
    int number = yoke__posix_keep_back();

    if (number != 0)
        return yoke__posix_fail_number(number, "preparing to start programs");
    unsigned filled = fill_standard();
    int      rc = launch->traits ? yoke__posix_spawn_with_traits(pid, launch) : yoke__uv_spawn(pid, launch);

    for (int fd = 0; fd < 3; fd++)
        if (filled >> fd & 1)
            yoke__sys.close(fd);
    return rc;
}

static void tell_status(yoke_exit_status *out, int raw)
{
    *out = (yoke_exit_status){.known = true};
    if (WIFSIGNALED(raw))
        out->signal = WTERMSIG(raw);
    else
        out->code = WEXITSTATUS(raw);
}

static pid_t wait_for(pid_t pid, int *raw)
{
    pid_t got;

    do
        got = yoke__sys.waitpid(pid, raw, WNOHANG);
    while (got < 0 && errno == EINTR);
    return got;
}

static int process_reap(yoke_exit_status *out, int64_t pid)
{
    int   raw;
    pid_t got = wait_for((pid_t)pid, &raw);

    if (got == 0)
        return yoke_backend_fail(YOKE_EBUSY, 0, "process %lld still runs", (long long)pid);
    if (got < 0 && errno != ECHILD)
        return yoke__posix_fail("taking an exit status");
    if (got < 0)
        *out = (yoke_exit_status){.known = false}; /* the host reaps every child, or ignores SIGCHLD */
    else
        tell_status(out, raw);
    return YOKE_OK;
}

static int process_reap_any(yoke_exit_status *out, int64_t *pid)
{
    int   raw;
    pid_t got = wait_for(-1, &raw);

    if (got == 0)
        return yoke_backend_fail(YOKE_EBUSY, 0, "no child is dead");
    if (got < 0)
        return yoke__posix_fail("taking an exit status");
    tell_status(out, raw);
    *pid = got;
    return YOKE_OK;
}

static int signal_number(yoke_signal signal)
{
    switch (signal) {
    case YOKE_SIGNAL_INTERRUPT:
        return SIGINT;
    case YOKE_SIGNAL_TERMINATE:
        return SIGTERM;
    case YOKE_SIGNAL_KILL:
        return SIGKILL;
    default:
        return 0;
    }
}

/* Where the kernel can't be told by a pidfd: the watch is asked again, and what is not known to live gets nothing. */
static int send_by_pid(int64_t pid, yoke_native life, int number)
{
    if (life == YOKE_NO_NATIVE || !yoke__posix_life.is_alive(life))
        return yoke_backend_fail(YOKE_ENOENT, 0, "process %lld is not there any more", (long long)pid);
    if (yoke__sys.kill((pid_t)pid, number) == 0)
        return YOKE_OK;
    if (errno == ESRCH)
        return yoke_backend_fail(YOKE_ENOENT, errno, "process %lld is not there any more", (long long)pid);
    return yoke__posix_fail("sending a signal");
}

static int process_signal(int64_t pid, yoke_native life, yoke_signal signal)
{
    int number = signal_number(signal);

    if (number == 0 || pid <= 0)
        return yoke_backend_fail(YOKE_EINVAL, 0, "no signal %d, or no process %lld", (int)signal, (long long)pid);
#ifdef __linux__
    if (life != YOKE_NO_NATIVE) {
        if (yoke__sys.pidfd_send_signal((int)life, number) == 0)
            return YOKE_OK;
        if (errno == ESRCH)
            return yoke_backend_fail(YOKE_ENOENT, errno, "process %lld is not there any more", (long long)pid);
        if (errno != ENOSYS && errno != EBADF && errno != EINVAL)
            return yoke__posix_fail("sending a signal");
    }
#endif
    return send_by_pid(pid, life, number);
}

static void process_native_close(yoke_native native)
{
    if (native >= 0)
        yoke__sys.close((int)native);
}

/* Not among the standard descriptors, even if one of those is closed. */
static int process_native_duplicate(yoke_native *out, yoke_native native)
{
    int fd = yoke__sys.fcntl((int)native, F_DUPFD_CLOEXEC, 3);

    if (fd < 0)
        return yoke__posix_fail("duplicating a descriptor");
    *out = fd;
    return YOKE_OK;
}

/* There are no others: the starter's own were kept back (yoke__posix_keep_back). What has another number by now belongs
 * to the program, whose constructors have run. */
int yoke__posix_claim_natives(yoke_native *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int fd = 3 + (int)i;
        (void)yoke__posix_cloexec(fd); /* one that is not open is found by whoever uses it */
        out[i] = fd;
    }
    return YOKE_OK;
}

static bool process_native_is_open(yoke_native native)
{
    return native >= 0 && native <= INT32_MAX && yoke__sys.fcntl((int)native, F_GETFD, 0) >= 0;
}

static void process_exit_now(int status)
{
    _exit(status);
}

const yoke_process_ops yoke__posix_process = {
    .struct_size = sizeof(yoke_process_ops),
    .spawn = process_spawn,
    .fork = yoke__posix_fork,
    .redirect = yoke__posix_redirect,
    .environment = process_environment,
    .reap = process_reap,
    .reap_any = process_reap_any,
    .server_begin = yoke__posix_server_begin,
    .server_clear = yoke__posix_server_clear,
    .server_end = yoke__posix_server_end,
    .traits_get = yoke__posix_traits_get,
    .traits_set = yoke__posix_traits_set,
    .traits_check = yoke__posix_traits_check,
    .signal = process_signal,
    .lifeline = yoke__posix_lifeline,
    .lifeline_arm = yoke__posix_lifeline_arm,
    .lifeline_write = yoke__posix_lifeline_write,
    .lifeline_read = yoke__posix_lifeline_read,
    .channel = yoke__posix_channel,
    .channel_send = yoke__posix_channel_send,
    .channel_recv = yoke__posix_channel_recv,
    .native_close = process_native_close,
    .claim_natives = yoke__posix_claim_natives,
    .native_duplicate = process_native_duplicate,
    .native_is_open = process_native_is_open,
    .exit_now = process_exit_now,
};
