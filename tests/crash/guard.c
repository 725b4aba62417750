#include "guard.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Nothing of the test's output may stay open: who runs it waits for the end of that. */
static void leave_the_test(int keep)
{
    int nothing = open("/dev/null", O_RDWR);

    for (int i = 0; i < 3; i++)
        (void)dup2(nothing, i);
    for (int i = 3; i < 256; i++)
        if (i != keep)
            close(i);
    (void)setsid();
    (void)signal(SIGALRM, SIG_IGN);
}

/* The end of the pipe comes when nobody has its other end any more. */
static _Noreturn void guard(const char *name, int end)
{
    char path[160], byte;

    (void)snprintf(path, sizeof path, "/yoke-%lu-%s", (unsigned long)geteuid(), name);
    leave_the_test(end);
    while (read(end, &byte, 1) > 0) {}
    (void)shm_unlink(path);
    _exit(0);
}

void crash_guard(const char *name)
{
    int ends[2];

    fflush(NULL);
    if (pipe(ends) != 0) {
        perror("crash: pipe");
        exit(1);
    }
    pid_t between = fork();
    if (between == 0) {
        close(ends[1]);
        if (fork() == 0)
            guard(name, ends[0]);
        _exit(0);
    }
    close(ends[0]); /* the other stays open, here and in all children */
    if (between > 0)
        (void)waitpid(between, NULL, 0);
}
