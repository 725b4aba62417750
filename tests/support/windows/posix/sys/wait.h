#ifndef YOKE_TESTS_WINDOWS_WAIT_H
#define YOKE_TESTS_WINDOWS_WAIT_H
#pragma GCC system_header
#include <signal.h>
#include <sys/types.h>

#define WNOHANG             1
#define WNOWAIT             2
#define WEXITED             4
#define P_PID               1
#define WIFEXITED(status)   ((status) >= 0)
#define WEXITSTATUS(status) (status)
#define WIFSIGNALED(status) ((status) < 0)
#define WTERMSIG(status)    (status)

typedef struct test_siginfo {
    int   si_code, si_status;
    pid_t si_pid;
} siginfo_t;
#define id_t pid_t

/* Not here: the test is skipped. */
pid_t waitpid(pid_t pid, int *status, int flags);
int   waitid(int type, pid_t id, siginfo_t *out, int flags);
#endif
