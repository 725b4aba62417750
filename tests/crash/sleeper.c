#include "sleeper.h"

#include "support/child.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLICES 3

int sleepers_patience = 15000;

void sleeper_start(sleeper *s, int (*call)(void *user), void *user)
{
    struct rusage usage;

    s->result = 0;
    s->slept = 0;
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        perror("a sleeper could not be started");
        abort(); /* there would be nobody to wait for, and pid -1 to kill */
    }
    if (pid != 0) {
        s->pid = pid; /* the child must not write its 0 */
        return;
    }
    int result = call(user);
    (void)getrusage(RUSAGE_SELF, &usage);
    s->slept = usage.ru_nvcsw;
    s->result = result + 1000;
    _exit(0);
}

const char *sleeper_ends(sleeper *s)
{
    static char text[80];
    long        before = times_slept(s->pid);
    long long   end = milliseconds() + sleepers_patience;

    while (s->result == 0 && milliseconds() < end)
        (void)usleep(500);
    if (s->result == 0)
        return "a sleeper hangs";
    if (before == 0 || s->slept - before <= SLICES) /* 0: it has gone already */
        return NULL;
    (void)snprintf(text, sizeof text, "a sleeper slept %ld times more", (long)(s->slept - before));
    return text;
}

void sleeper_clear(sleeper *s)
{
    if (s->pid > 0)
        child_kill(s->pid);
    s->pid = 0;
}
