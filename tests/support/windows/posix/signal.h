#ifndef YOKE_TESTS_WINDOWS_SIGNAL_H
#define YOKE_TESTS_WINDOWS_SIGNAL_H
#pragma GCC system_header
#include <pthread_signal.h>
#include_next <signal.h>
#include <sys/types.h>

#define SIGKILL 9
#define SIGSTOP 19
#define SIGCONT 18
#define SIGUSR1 10
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGALRM 14
#define SIGCHLD 17

typedef unsigned long test_sigset;
#define sigset_t test_sigset
struct sigaction {
    void (*sa_handler)(int number);
    sigset_t sa_mask;
    int      sa_flags;
};
#define SA_RESTART  1
#define SIG_BLOCK   0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

/* SIGKILL ends the process; any other skips the test. */
int kill(pid_t pid, int number);
/* Not here: the test is skipped. */
int raise_signal(int number);
int sigaction(int number, const struct sigaction *action, struct sigaction *old);
int sigemptyset(sigset_t *set);
int sigfillset(sigset_t *set);
int sigaddset(sigset_t *set, int number);
int sigismember(const sigset_t *set, int number);
int sigprocmask(int how, const sigset_t *set, sigset_t *old);
#undef pthread_sigmask
int pthread_sigmask(int how, const sigset_t *set, sigset_t *old);
#undef pthread_kill
#define pthread_kill(thread, number) test_pthread_kill(number)
int test_pthread_kill(int number);
#endif
