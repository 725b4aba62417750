/*
 * A process that starts others on behalf of another. Deaths of children reach its loop through a pipe that the handler
 * of SIGCHLD writes to: POSIX has no other way to wait for a signal and for descriptors at once.
 */
#include "posix.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>

/* The handler's end of the pipe; set before the handler is installed. */
static int death_end = -1;
/* Made by the server, for its children to put back: what they needn't make themselves, nor page in. */
static struct sigaction plain;

static void child_died(int number)
{
    int kept = errno;

    (void)number;
    (void)!yoke__sys.write(death_end, "", 1); /* a full pipe tells enough */
    errno = kept;
}

static int set_nonblocking(int fd)
{
    int flags = yoke__sys.fcntl(fd, F_GETFL, 0);

    return flags < 0 ? -1 : yoke__sys.fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static int set_signals(void (*on_child)(int), void (*on_interrupt)(int))
{
    struct sigaction child = {.sa_handler = on_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    struct sigaction interrupt = {.sa_handler = on_interrupt};

    sigemptyset(&child.sa_mask);
    sigemptyset(&interrupt.sa_mask);
    if (yoke__sys.sigaction(SIGCHLD, &child, NULL) < 0)
        return -1;
    return yoke__sys.sigaction(SIGINT, &interrupt, NULL);
}

int yoke__posix_server_begin(yoke_native *deaths)
{
    int ends[2], number;

    if (yoke__posix_pipe(ends) < 0)
        return yoke__posix_fail("making the pipe that tells of dead children");
    yoke__posix_code_note_program();
    plain.sa_handler = SIG_DFL;
    sigemptyset(&plain.sa_mask);
    death_end = ends[1];
    if (set_nonblocking(ends[0]) == 0 && set_nonblocking(ends[1]) == 0 && set_signals(child_died, SIG_IGN) == 0) {
        *deaths = ends[0];
        return YOKE_OK;
    }
    number = errno;
    (void)set_signals(SIG_DFL, SIG_DFL);
    death_end = -1;
    yoke__sys.close(ends[0]);
    yoke__sys.close(ends[1]);
    return yoke__posix_fail_number(number, "preparing to be told of dead children");
}

void yoke__posix_server_clear(yoke_native deaths)
{
    char    waste[64];
    ssize_t got;

    do
        got = yoke__sys.read((int)deaths, waste, sizeof waste);
    while (got == (ssize_t)sizeof waste || (got < 0 && errno == EINTR));
}

void yoke__posix_server_end(yoke_native deaths)
{
    (void)yoke__sys.sigaction(SIGCHLD, &plain, NULL);
    (void)yoke__sys.sigaction(SIGINT, &plain, NULL);
    yoke__sys.close((int)deaths);
    yoke__sys.close(death_end);
    death_end = -1;
}
