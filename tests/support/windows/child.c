/* See ../child.h. There is no fork here, so whoever asks for a child is skipped; what remains are the questions. */
#include "support/child.h"

#include "absent.h"

#include <stdio.h>
#include <stdlib.h>

#include <windows.h>

void child_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: in a child (pid %lu): %s\n", file, line, GetCurrentProcessId(), condition);
    fflush(stderr);
    ExitProcess(99);
}

pid_t child_start(int (*run)(void *user), void *user)
{
    (void)run;
    (void)user;
    absent("fork");
}

int child_join(pid_t pid)
{
    (void)pid;
    absent("fork");
}

void child_kill(pid_t pid)
{
    (void)pid;
    absent("fork");
}

void child_kill_unreaped(pid_t pid)
{
    (void)pid;
    absent("fork");
}

long long milliseconds(void)
{
    return (long long)GetTickCount64();
}

/* The system doesn't say who sleeps: a while in which whoever is on his way to sleep gets there. */
bool sleeps(pid_t thread)
{
    (void)thread;
    Sleep(200);
    return true;
}

long times_slept(pid_t pid)
{
    (void)pid;
    absent("count of how often a process went to sleep");
}
