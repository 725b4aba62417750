/* Runs the cases of harness.h in copies of core's sources that stop before each shared store: see points.h. */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANGS_AFTER 60 /* seconds */

void crash_point(void);
bool crash_run_points(const crash_case *test, crash_result *out);

static bool     counting;
static uint64_t points_left;

void crash_point(void)
{
    if (counting && points_left-- == 0) {
        (void)kill(getpid(), SIGKILL);
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

bool crash_run_points(const crash_case *test, crash_result *out)
{
    const char *text = getenv("YOKE_CRASH_STRIDE");
    bool        full = text && text[0] == '0';
    unsigned    stride = test->stride && !full ? test->stride : 1;
    unsigned    second_stride = test->second_stride && !full ? test->second_stride : 1;
    bool        killed = true;
    *out = (crash_result){0};
    for (uint64_t first = 0; killed && out->faults < 20; first += stride) {
        /* The second sweep begins elsewhere each time, so that strides meet all pairs in the long run. */
        bool again = true;
        out->points++;
        for (uint64_t second = first % second_stride; again && out->faults < 20; second += second_stride) {
            again = trial(test, first, second, &killed, out) && test->recover;
        }
        if (test->expect_fault && out->faults) {
            break;
        }
    }
    printf("points: %-27s %6llu kill points, %6llu during recovery%s%s\n", test->name, (unsigned long long)out->points,
           (unsigned long long)out->second_points, out->faults ? ": " : "", out->first);
    fflush(stdout);
    return out->points + out->second_points > 0;
}
