/* Python's multiprocessing.Queue and Pipe: python_queue.py does the work and prints the figures. */
#include "workloads.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANGS_MS 30000

const char *workload_python_missing(void)
{
#ifdef BENCH_PYTHON
    return access(BENCH_PYTHON_SCRIPT, R_OK) == 0 ? NULL : "the script python_queue.py";
#else
    return "Python 3";
#endif
}

#ifdef BENCH_PYTHON

_Noreturn static void run_script(const workload *w, const bench_options *options, int out)
{
    char numbers[6][24], kind[24];

    (void)snprintf(kind, sizeof kind, "%s%s", w->python_kind, w->round_trip ? "trip" : "flow");
    (void)snprintf(numbers[0], sizeof numbers[0], "%d", options->duration_ms);
    (void)snprintf(numbers[1], sizeof numbers[1], "%d", options->pin);
    (void)snprintf(numbers[2], sizeof numbers[2], "%zu", w->shape.size);
    (void)snprintf(numbers[3], sizeof numbers[3], "%zu", w->shape.depth);
    (void)snprintf(numbers[4], sizeof numbers[4], "%d", w->shape.putters);
    (void)snprintf(numbers[5], sizeof numbers[5], "%d", w->shape.getters);
    (void)setpgid(0, 0); /* its children die with it */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(out, STDOUT_FILENO);
    (void)execl(BENCH_PYTHON, BENCH_PYTHON, BENCH_PYTHON_SCRIPT, kind, numbers[0], numbers[1], numbers[2], numbers[3],
                numbers[4], numbers[5], (char *)NULL);
    (void)bench_failed(BENCH_PYTHON);
    _exit(1);
}

/* One line with as many numbers as the workload has metrics. */
static bool read_line(int in, const workload *w, double *values)
{
    struct pollfd readable = {in, POLLIN, 0};
    char          text[256];
    ssize_t       got;
    char         *at = text;

    if (poll(&readable, 1, HANGS_MS + w->shape.putters) != 1)
        return false;
    got = read(in, text, sizeof text - 1);
    if (got <= 0)
        return false;
    text[got] = '\0';
    for (int i = 0; i < WORKLOAD_METRICS && w->metrics[i]; i++) {
        char *end;
        values[i] = strtod(at, &end) * w->scale[i];
        if (end == at)
            return false;
        at = end;
    }
    return true;
}

bool workload_python(const workload *w, const bench_options *options, double *values)
{
    int   fds[2];
    pid_t script;
    bool  ok;

    if (pipe(fds) != 0)
        return bench_failed("pipe");
    (void)fflush(NULL);
    script = fork();
    if (script == 0)
        run_script(w, options, fds[1]);
    (void)close(fds[1]);
    ok = script > 0 && read_line(fds[0], w, values);
    (void)close(fds[0]);
    if (script > 0) {
        (void)kill(-script, SIGKILL);
        (void)kill(script, SIGKILL); /* it may not have come to have a group yet */
        (void)waitpid(script, NULL, 0);
    }
    return ok;
}

#else

bool workload_python(const workload *w, const bench_options *options, double *values)
{
    (void)w;
    (void)options;
    (void)values;
    return false;
}

#endif
