/*
 * Children of a test made by fork, and the questions a test asks about them. A failed assertion in a child would end
 * inside CMocka's bookkeeping of the parent: use CHILD_CHECK there, and assert on the exit code here.
 */
#ifndef YOKE_TESTS_CHILD_H
#define YOKE_TESTS_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/* Ends the child with exit code 99 and a line on stderr. */
#define CHILD_CHECK(condition) ((condition) ? (void)0 : child_failed(__FILE__, __LINE__, #condition))
void child_failed(const char *file, int line, const char *condition) __attribute__((noreturn));

/* Runs run(user) in a forked child, whose exit code is what it returns. */
pid_t child_start(int (*run)(void *user), void *user);
/* Waits for its end: the exit code, or 1000 + the signal. */
int child_join(pid_t pid);
/* Kills with SIGKILL and takes it away. */
void child_kill(pid_t pid);
/* Kills with SIGKILL and waits until it is dead, but leaves it as a zombie. */
void child_kill_unreaped(pid_t pid);

/* Waits until the thread (or the main thread of the process) sleeps in the kernel and has stayed so; false after 10 s. */
bool sleeps(pid_t thread);
/* How often a process has gone to sleep in the kernel so far. */
long times_slept(pid_t pid);
/* Milliseconds of the monotonic clock. */
long long milliseconds(void);

#endif
