#include "support/child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void child_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: in a child (pid %ld): %s\n", file, line, (long)getpid(), condition);
    fflush(stderr);
    _exit(99);
}

pid_t child_start(int (*run)(void *user), void *user)
{
    fflush(NULL);
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    int result = run(user);
    fflush(NULL);
    _exit(result);
}

int child_join(pid_t pid)
{
    int status = 0;

    if (waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

void child_kill(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)child_join(pid);
}

void child_kill_unreaped(pid_t pid)
{
    siginfo_t info;

    (void)kill(pid, SIGKILL);
    (void)waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
}

long long milliseconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static bool sleeps_now(pid_t thread)
{
    char  path[64], text[512] = "";
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)thread);
    file = fopen(path, "r");
    if (!file)
        return false;
    size_t size = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    const char *end = size > 0 ? strrchr(text, ')') : NULL;
    return end && end[1] == ' ' && end[2] == 'S';
}

/* Seen asleep several times in a row: not just in some short system call on the way. */
bool sleeps(pid_t thread)
{
    const struct timespec pause = {0, 500000};
    long long             end = milliseconds() + 10000;
    int                   seen = 0;

    while (seen < 6 && milliseconds() < end) {
        seen = sleeps_now(thread) ? seen + 1 : 0;
        (void)nanosleep(&pause, NULL);
    }
    return seen >= 6;
}

long times_slept(pid_t pid)
{
    char  path[64], line[256];
    long  count = 0;
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "voluntary_ctxt_switches: %ld", &count) == 1)
            break;
    if (file)
        (void)fclose(file);
    return count;
}
