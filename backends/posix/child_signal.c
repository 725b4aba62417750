/*
 * SIGCHLD around uv_spawn(). libuv puts its own handler over the host's, and leaves SIG_DFL behind when it watches no
 * child any more.
 */
#include "../uv/child_signal.h"

#include "posix.h"
#include "sys.h"

/* Guarded by the lock around spawning. */
static struct sigaction host;
static bool             noted;

void yoke__child_signal_begin(void)
{
    noted = yoke__sys.sigaction(SIGCHLD, NULL, &host) == 0;
}

/* A host that ignores SIGCHLD has its dead children removed by the kernel; those that died while libuv's handler was in
 * place still lie there. Their status was to be thrown away, so it is. Stops at our own child, whose status isn't. */
static void remove_dead(int64_t started)
{
    for (;;) {
        siginfo_t found = {0};

        if (yoke__sys.waitid(P_ALL, 0, &found, WEXITED | WNOHANG | WNOWAIT) < 0 || found.si_pid == 0 ||
            found.si_pid == started)
            return;
        if (yoke__sys.waitpid(found.si_pid, NULL, WNOHANG) <= 0)
            return;
    }
}

void yoke__child_signal_end(int64_t started)
{
    struct sigaction now;
    bool             handled;

    if (!noted || (!(host.sa_flags & SA_SIGINFO) && host.sa_handler == SIG_DFL && !(host.sa_flags & SA_NOCLDWAIT)))
        return;
    /* Not the default: libuv still watches children of the host's own loops, or the host has set a new handler. */
    if (yoke__sys.sigaction(SIGCHLD, NULL, &now) != 0 || (now.sa_flags & SA_SIGINFO) || now.sa_handler != SIG_DFL)
        return;
    if (yoke__sys.sigaction(SIGCHLD, &host, NULL) != 0)
        return;
    handled = (host.sa_flags & SA_SIGINFO) || (host.sa_handler != SIG_IGN && host.sa_handler != SIG_DFL);
    if ((host.sa_flags & SA_NOCLDWAIT) || (!(host.sa_flags & SA_SIGINFO) && host.sa_handler == SIG_IGN))
        remove_dead(started);
    if (handled)
        yoke__sys.kill(getpid(), SIGCHLD); /* to the process: the host may take it in a thread of its choice */
}
