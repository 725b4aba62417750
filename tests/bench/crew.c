#include "crew.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HANGS_US 10e6

/* Between two looks of who measures, and for the length of a measurement: nothing is in step by it. */
void crew_sleep_us(long us)
{
    struct timespec span = {us / 1000000, us % 1000000 * 1000};

    (void)nanosleep(&span, NULL);
}

/* The n-th CPU that this process may use, or the last there is. */
static int allowed_cpu(int n)
{
    static cpu_set_t allowed;
    static bool      known;
    int              found = 0;

    if (!known)
        known = sched_getaffinity(0, sizeof allowed, &allowed) == 0;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed))
            continue;
        found = (int)cpu;
        if (n-- == 0)
            break;
    }
    return found;
}

void crew_pin(int pin, bench_side side)
{
    cpu_set_t one;

    if (pin == 0)
        return;
    CPU_ZERO(&one);
    CPU_SET((size_t)allowed_cpu(pin == 1 && side == BENCH_GETS ? 1 : 0), &one);
    (void)sched_setaffinity(0, sizeof one, &one);
}

/* Both sides of a round trip join both lanes. */
static bool join_all(const crew_job *job, bench_side side, int index)
{
    if (job->lanes[1])
        /* Who gets is there first: ZeroMQ and nng bind there. */
        return job->peer->join(job->lanes[side == BENCH_PUTS], BENCH_GETS, index) &&
               job->peer->join(job->lanes[side == BENCH_GETS], BENCH_PUTS, index);
    return job->peer->join(job->lanes[0], side, index);
}

_Noreturn static void child(const crew_job *job, crew_work *work, int pin, int index)
{
    bench_side   side = index < job->shape.putters ? BENCH_PUTS : BENCH_GETS;
    crew_report *mine = &job->stage->reports[index];

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    crew_pin(pin, side);
    if (join_all(job, side, side == BENCH_PUTS ? index : index - job->shape.putters)) {
        atomic_store(&mine->ready, 1);
        while (!atomic_load(&job->stage->go))
            crew_sleep_us(100);
        work(job, index);
    }
    atomic_store(&mine->failed, 1);
    _exit(1);
}

bool crew_failed(const crew *c)
{
    for (int i = 0; i < c->count; i++)
        if (atomic_load(&c->job->stage->reports[i].failed))
            return true;
    return false;
}

static bool all_ready(const crew *c)
{
    for (int i = 0; i < c->count; i++)
        if (!atomic_load(&c->job->stage->reports[i].ready))
            return false;
    return true;
}

bool crew_start(crew *c, crew_job *job, crew_work *work, int pin)
{
    double before = now_us();

    *c = (crew){.job = job};
    (void)fflush(NULL); /* children must not write it again */
    for (int i = 0; i < job->shape.putters + job->shape.getters; i++) {
        c->pids[i] = fork();
        if (c->pids[i] < 0)
            return bench_failed("fork");
        if (c->pids[i] == 0)
            child(job, work, pin, i);
        c->count++;
    }
    while (!all_ready(c)) {
        if (crew_failed(c) || now_us() - before > HANGS_US)
            return false;
        crew_sleep_us(200);
    }
    atomic_store(&job->stage->go, 1);
    return true;
}

void crew_end(crew *c)
{
    for (int i = 0; i < c->count; i++)
        (void)kill(c->pids[i], SIGKILL);
    for (int i = 0; i < c->count; i++)
        (void)waitpid(c->pids[i], NULL, 0);
    c->count = 0;
}

uint64_t crew_done(const crew *c)
{
    uint64_t sum = 0;

    for (int i = c->job->shape.putters; i < c->count; i++)
        sum += atomic_load_explicit(&c->job->stage->reports[i].done, memory_order_relaxed);
    return sum;
}

bool crew_wait_for_more(const crew *c, uint64_t than)
{
    double before = now_us();

    while (crew_done(c) <= than) {
        if (crew_failed(c) || now_us() - before > HANGS_US)
            return false;
        crew_sleep_us(50);
    }
    return true;
}
