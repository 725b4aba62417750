/* Runs the cases of harness.h in copies of core's sources that stop before each shared store: see points.h. */
#include "harness.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HANGS_AFTER 60 /* seconds */

void crash_point(void);

static bool     counting;
static int      signal_at_point = SIGKILL;
static uint64_t points_left;

void crash_point(void)
{
    if (counting && points_left-- == 0) {
        (void)kill(getpid(), signal_at_point);
    }
}

/* True if the victim was killed at its n-th point, false if it had fewer. */
static bool kill_at(uint64_t n, void (*enter)(void *), void (*operation)(void *), void *context, crash_result *out)
{
    int status = 0;
    fflush(NULL);
    pid_t victim = fork();
    if (victim == 0) {
        (void)alarm(HANGS_AFTER);
        if (enter) {
            enter(context);
        }
        points_left = n;
        counting = true;
        operation(context);
        counting = false;
        (void)kill(getpid(), SIGINT); /* ends it like a kill, but tells that it was through */
        _exit(1);
    }
    if (victim < 0 || waitpid(victim, &status, 0) != victim || !WIFSIGNALED(status) ||
        (WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGINT)) {
        out->faults++;
        snprintf(out->first, sizeof out->first, "a victim ended with status %x after %llu points", (unsigned)status,
                 (unsigned long long)n);
        return false;
    }
    return WTERMSIG(status) == SIGKILL;
}

static bool trial(const crash_case *test, uint64_t first, uint64_t second, bool *first_killed, crash_result *out)
{
    bool again = false;
    test->set_up(test->context);
    *first_killed = kill_at(first, test->enter, test->operation, test->context, out);
    if (test->recover) {
        again = kill_at(second, NULL, test->recover, test->context, out);
    }
    out->second_points += test->recover != NULL;
    const char *wrong = test->verify(test->context);
    if (wrong) {
        if (out->faults++ == 0) {
            snprintf(out->first, sizeof out->first, "killed before store %llu (second: %llu): %s",
                     (unsigned long long)first, (unsigned long long)second, wrong);
        }
        if (!test->expect_fault && out->faults <= 10) {
            fprintf(stderr, "points: %s: killed before store %llu (second: %llu): %s\n", test->name,
                    (unsigned long long)first, (unsigned long long)second, wrong);
        }
    }
    if (test->tear_down) {
        test->tear_down(test->context);
    }
    return again;
}

/* YOKE_CRASH_STRIDE=n makes all strides n; 0 is 1: every point. */
static unsigned stride_of(unsigned wanted)
{
    const char   *text = getenv("YOKE_CRASH_STRIDE");
    unsigned long stride = text && *text ? strtoul(text, NULL, 10) : wanted;

    return stride > 0 && stride <= UINT_MAX ? (unsigned)stride : 1;
}

bool crash_run_points(const crash_case *test, crash_result *out)
{
    unsigned stride = stride_of(test->stride);
    unsigned second_stride = stride_of(test->second_stride);
    uint64_t enough = test->expect_fault ? 1 : 20; /* faults that are found */
    bool     killed = true;
    *out = (crash_result){0};
    if (crash_is_left_out(test)) {
        return true;
    }
    for (uint64_t first = 0; killed && out->faults < enough; first += stride) {
        /* The second sweep begins elsewhere each time, so that strides meet all pairs in the long run. */
        bool again = true;
        out->points++;
        out->possible = first + 1;
        for (uint64_t second = first % second_stride; again && out->faults < enough; second += second_stride) {
            again = trial(test, first, second, &killed, out) && test->recover;
        }
    }
    crash_print(test, "stores", out);
    return out->points + out->second_points > 0;
}

/* ---- races ------------------------------------------------------------------------------------------------------- */

static pid_t begin(void (*enter)(void *), void (*operation)(void *), void *context, uint64_t stop_at)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(HANGS_AFTER);
        if (enter) {
            enter(context);
        }
        signal_at_point = SIGSTOP;
        points_left = stop_at;
        counting = true;
        operation(context);
        counting = false;
        (void)kill(getpid(), SIGKILL); /* no handlers of exit */
    }
    return child;
}

static bool ended_well(pid_t child)
{
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* Whether it ends within four milliseconds: else it waits for what the stopped one holds. */
static bool ends_soon(pid_t child, bool *well)
{
    const struct timespec pause = {.tv_nsec = 200000};
    for (int i = 0; i < 20; i++) {
        int status = 0;
        if (waitpid(child, &status, WNOHANG) == child) {
            *well = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
            return true;
        }
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

/* One race: true if the recovery has so many points. */
static bool race(const crash_case *test, uint64_t at, crash_result *out)
{
    int   status = 0;
    pid_t first = begin(test->enter_recovery, test->recover, test->context, at);
    if (waitpid(first, &status, WUNTRACED) != first || !WIFSTOPPED(status)) {
        out->faults += !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        return false;
    }
    bool  well = false;
    pid_t rival = begin(test->enter, test->operation, test->context, UINT64_MAX);
    bool  ended = ends_soon(rival, &well);
    (void)kill(first, SIGCONT);
    bool first_well = ended_well(first);
    out->faults += !first_well || !(ended ? well : ended_well(rival));
    return true;
}

bool crash_run_race(const crash_case *test, crash_result *out)
{
    bool more = true;
    *out = (crash_result){0};
    for (uint64_t at = 0; more && out->faults < 20; at++, out->points++) {
        uint64_t before = out->faults;
        test->set_up(test->context);
        more = race(test, at, out);
        const char *wrong = more ? test->verify(test->context) : NULL;
        wrong = wrong ? wrong : out->faults > before ? "a process did not get through" : NULL;
        out->faults = before + (wrong != NULL);
        if (wrong) {
            if (before == 0) {
                snprintf(out->first, sizeof out->first, "stopped before store %llu: %s", (unsigned long long)at, wrong);
            }
            fprintf(stderr, "race: %s: stopped before store %llu: %s\n", test->name, (unsigned long long)at, wrong);
        }
        test->tear_down(test->context);
    }
    out->possible = out->points;
    crash_print(test, "stops in a race", out);
    return out->points > 1;
}
