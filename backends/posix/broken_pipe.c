/*
 * SIGPIPE. libuv writes with write(), and where the peer is gone the system answers with a signal that ends the process.
 * Ignoring it is for the program to decide, not for a library: `prog | head` relies on it. So while a private loop
 * exists, and only if the program has left the signal at its default, a handler stands there that does nothing if the
 * thread is just now writing for the library, and otherwise does what the default would have done. A program's own
 * handler, or SIG_IGN, is left alone. A new program (exec) starts with the default again, as handlers never pass it.
 */
#include "../uv/uv.h"
#include "sys.h"

#include <string.h>

/* In the thread's static block, so that the handler's look at it can never allocate. */
static _Thread_local volatile sig_atomic_t writing __attribute__((tls_model("initial-exec")));

void yoke__uv_quiet_begin(void)
{
    writing = 1;
}

void yoke__uv_quiet_end(void)
{
    writing = 0;
}

static void as_by_default(int number)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    (void)yoke__sys.sigaction(number, &action, NULL);
    (void)raise(number); /* delivered when the handler returns, to this thread */
}

static void on_broken_pipe(int number, siginfo_t *info, void *context)
{
    (void)context;
    bool own = info->si_pid == getpid();
    if (!own || !writing)
        as_by_default(number);
}

static bool handler_is(struct sigaction *now, bool ours)
{
    if (yoke__sys.sigaction(SIGPIPE, NULL, now) != 0)
        return false;
    if (now->sa_flags & SA_SIGINFO)
        return ours && now->sa_sigaction == on_broken_pipe;
    return !ours && now->sa_handler == SIG_DFL;
}

void yoke__uv_quiet_enable(void)
{
    struct sigaction now, ours;
    if (!handler_is(&now, false))
        return;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = on_broken_pipe;
    ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    (void)sigemptyset(&ours.sa_mask);
    (void)yoke__sys.sigaction(SIGPIPE, &ours, NULL);
}

void yoke__uv_quiet_disable(void)
{
    struct sigaction now;
    if (!handler_is(&now, true))
        return;
    memset(&now, 0, sizeof now);
    now.sa_handler = SIG_DFL;
    (void)yoke__sys.sigaction(SIGPIPE, &now, NULL);
}
