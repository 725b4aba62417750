#include "harness.h"

#include "core/backend.h"
#include "core/domain/domain.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HANGS_AFTER 60 /* seconds a single trial may take */

typedef enum stage { STAGE_ENTER, STAGE_BEGUN, STAGE_ENDED } stage;

/* How a stepped process fared. */
typedef enum outcome { OUTCOME_KILLED, OUTCOME_ENDED, OUTCOME_FAILED } outcome;

/* Shared with the victims: they tell where they are, so that no debugger's knowledge of addresses is needed. */
static volatile int *shared_stage;

static const char *now_at = "";
static uint64_t    now_first, now_second;

static void hangs(int number)
{
    (void)number;
    char text[160];
    int length = snprintf(text, sizeof text, "crash: %s hangs: killed after %llu instructions (second: %llu)\n", now_at,
                          (unsigned long long)now_first, (unsigned long long)now_second);
    (void)!write(2, text, (size_t)length);
    _exit(1);
}

static void share_stage(void)
{
    if (!shared_stage) {
        void *page = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) {
            perror("crash: mmap");
            exit(1);
        }
        shared_stage = page;
    }
}

/* The victim's life. SIGSTOP hands it to the tracer; from there on it is stepped. */
static _Noreturn void live(void (*enter)(void *), void (*operation)(void *), void *context)
{
    alarm(HANGS_AFTER);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) {
        _exit(77);
    }
    if (enter) {
        enter(context);
    }
    raise(SIGSTOP);
    *shared_stage = STAGE_BEGUN;
    operation(context);
    *shared_stage = STAGE_ENDED;
    for (;;) {
        raise(SIGSTOP); /* for a tracer that waits for a place which this run did not pass */
    }
}

static outcome end(pid_t victim, outcome result)
{
    int status;
    kill(victim, SIGKILL);
    while (waitpid(victim, &status, 0) == victim && !WIFSIGNALED(status) && !WIFEXITED(status)) {}
    return result;
}

static outcome victim_failed(pid_t victim, int status, crash_result *out)
{
    if (WIFEXITED(status)) {
        snprintf(out->first, sizeof out->first, "the victim left with status %d", WEXITSTATUS(status));
        return OUTCOME_FAILED;
    }
    if (WIFSIGNALED(status)) {
        snprintf(out->first, sizeof out->first, "the victim died of signal %d", WTERMSIG(status));
        return OUTCOME_FAILED;
    }
    snprintf(out->first, sizeof out->first, "the victim got signal %d", WSTOPSIG(status));
    return end(victim, OUTCOME_FAILED);
}

/* ---- going to an instruction ------------------------------------------------------------------------------------- */

/*
 * Stepping from the start to each n takes n * n / 2 steps in all, and a step costs two switches of process. So the
 * first run records where every step led. Later ones put a place on the way into a breakpoint register, let it be
 * passed as often as it must, and step only from that on. Where the registers are not known, all is stepped.
 */
typedef struct trace {
    uint64_t *places; /* program counter after i steps */
    uint32_t *visits; /* how often places[i] has been reached by then, this time counted */
    size_t    count, capacity;
} trace;

#define RECORD UINT64_MAX /* as n: step to the end, and note the way */

#if defined(__x86_64__)
#define PROGRAM_COUNTER offsetof(struct user, regs.rip)
#elif defined(__i386__)
#define PROGRAM_COUNTER offsetof(struct user, regs.eip)
#endif

#ifdef PROGRAM_COUNTER
static uint64_t place_of(pid_t victim)
{
    return (uint64_t)(unsigned long)ptrace(PTRACE_PEEKUSER, victim, (void *)PROGRAM_COUNTER, NULL);
}

static bool set_register(pid_t victim, size_t number, uint64_t value)
{
    size_t offset = offsetof(struct user, u_debugreg) + number * sizeof(((struct user *)0)->u_debugreg[0]);
    return ptrace(PTRACE_POKEUSER, victim, (void *)offset, (void *)(uintptr_t)value) == 0;
}

/* Runs until a place is reached for the visits-th time, or to the end; false if that can't be done at all. */
static bool run_to(pid_t victim, uint64_t place, uint32_t visits, int *status)
{
    if (!set_register(victim, 0, place) || !set_register(victim, 7, 1)) {
        return false;
    }
    while (visits-- > 0) {
        if (ptrace(PTRACE_CONT, victim, NULL, NULL) < 0 || waitpid(victim, status, 0) != victim ||
            !WIFSTOPPED(*status) || *shared_stage == STAGE_ENDED) {
            break;
        }
    }
    return set_register(victim, 7, 0);
}
#else
static uint64_t place_of(pid_t victim)
{
    (void)victim;
    return 0;
}

static bool run_to(pid_t victim, uint64_t place, uint32_t visits, int *status)
{
    (void)victim;
    (void)place;
    (void)visits;
    (void)status;
    return false;
}
#endif

static void note(trace *way, uint64_t place)
{
    if (way->count == way->capacity) {
        way->capacity = way->capacity ? way->capacity * 2 : 4096;
        way->places = realloc(way->places, way->capacity * sizeof *way->places);
        way->visits = realloc(way->visits, way->capacity * sizeof *way->visits);
        if (!way->places || !way->visits) {
            perror("crash: realloc");
            exit(1);
        }
    }
    way->places[way->count++] = place;
}

/* Counts visits, with a hash table of the last index of each place, plus 1. */
static void count_visits(trace *way)
{
    size_t size = 1;
    while (size < way->count * 2) {
        size *= 2;
    }
    uint32_t *last = calloc(size, sizeof *last);
    if (!last) {
        perror("crash: calloc");
        exit(1);
    }
    for (size_t i = 0; i < way->count; i++) {
        size_t at = (size_t)(way->places[i] * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (size - 1);
        while (last[at] && way->places[last[at] - 1] != way->places[i]) {
            at = (at + 1) & (size - 1);
        }
        bool repeats = i > 0 && way->places[i] == way->places[i - 1];
        way->visits[i] = last[at] ? way->visits[last[at] - 1] + !repeats : 1;
        last[at] = (uint32_t)i + 1;
    }
    free(last);
}

/* The index from which n is reached with the fewest stops; 0: step all the way. A repeated string instruction is many
 * steps, but the register reports it once. */
static size_t best_start(const trace *way, size_t n)
{
    size_t best = 0;
    size_t cost = n;
    for (size_t j = n; j > 0 && n - j < cost; j--) {
        bool repeats = way->places[j] == way->places[j - 1];
        if (!repeats && n - j + way->visits[j] < cost) {
            best = j;
            cost = n - j + way->visits[j];
        }
    }
    return best;
}

/* One step; false if it did not end in a trap. */
static bool step(pid_t victim, int *status)
{
    return ptrace(PTRACE_SINGLESTEP, victim, NULL, NULL) == 0 && waitpid(victim, status, 0) == victim &&
           WIFSTOPPED(*status) && WSTOPSIG(*status) == SIGTRAP;
}

/* Forks a victim and brings it to the first instruction of its operation. */
static outcome begin(pid_t *out, void (*enter)(void *), void (*operation)(void *), void *context, crash_result *result)
{
    int status = 0;
    *shared_stage = STAGE_ENTER;
    fflush(NULL);
    pid_t victim = fork();
    if (victim < 0) {
        snprintf(result->first, sizeof result->first, "fork: %s", strerror(errno));
        return OUTCOME_FAILED;
    }
    if (victim == 0) {
        live(enter, operation, context);
    }
    if (waitpid(victim, &status, 0) != victim || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP) {
        return victim_failed(victim, status, result);
    }
    ptrace(PTRACE_SETOPTIONS, victim, NULL, (void *)(uintptr_t)PTRACE_O_EXITKILL); /* with this process, if need be */
    while (*shared_stage != STAGE_BEGUN) {                                         /* out of raise() */
        if (!step(victim, &status)) {
            return victim_failed(victim, status, result);
        }
    }
    *out = victim;
    return OUTCOME_KILLED;
}

static outcome record(pid_t victim, trace *way, crash_result *out)
{
    int status = 0;
    way->count = 0;
    note(way, place_of(victim));
    while (*shared_stage != STAGE_ENDED) {
        if (!step(victim, &status)) {
            return victim_failed(victim, status, out);
        }
        note(way, place_of(victim));
    }
    count_visits(way);
    return end(victim, OUTCOME_ENDED);
}

/* Runs a process through n instructions of its operation and kills it. */
static outcome kill_after(uint64_t n, trace *way, void (*enter)(void *), void (*operation)(void *), void *context,
                          crash_result *out)
{
    pid_t    victim = -1;
    int      status = 0;
    uint64_t done = 0;
    if (begin(&victim, enter, operation, context, out) == OUTCOME_FAILED) {
        return OUTCOME_FAILED;
    }
    if (n == RECORD) {
        return record(victim, way, out);
    }
    size_t start = n < way->count ? best_start(way, (size_t)n) : 0;
    if (start > 0 && run_to(victim, way->places[start], way->visits[start], &status)) {
        done = start;
        if (!WIFSTOPPED(status) || (WSTOPSIG(status) != SIGTRAP && *shared_stage != STAGE_ENDED)) {
            return victim_failed(victim, status, out);
        }
    }
    for (; done < n && *shared_stage != STAGE_ENDED; done++) {
        if (!step(victim, &status)) {
            return victim_failed(victim, status, out);
        }
    }
    return end(victim, *shared_stage == STAGE_ENDED ? OUTCOME_ENDED : OUTCOME_KILLED);
}

/* ---- trials ------------------------------------------------------------------------------------------------------ */

static void verify(const crash_case *test, crash_result *out)
{
    const char *wrong = test->verify(test->context);
    if (!wrong) {
        return;
    }
    if (out->faults++ == 0) {
        snprintf(out->first, sizeof out->first, "killed after %llu instructions (second: %llu): %s",
                 (unsigned long long)now_first, (unsigned long long)now_second, wrong);
    }
    if (!test->expect_fault && out->faults <= 10) {
        fprintf(stderr, "crash: %s: killed after %llu instructions (second: %llu): %s\n", test->name,
                (unsigned long long)now_first, (unsigned long long)now_second, wrong);
    }
}

static trace first_way, second_way;

/* One trial: kill after `first`, then, if there is a recovery, after `second` of it. */
static outcome trial(const crash_case *test, uint64_t first, uint64_t second, crash_result *out)
{
    now_first = first == RECORD ? first_way.count : first;
    now_second = second == RECORD ? second_way.count : second;
    alarm(HANGS_AFTER);
    test->set_up(test->context);
    outcome result = kill_after(first, &first_way, test->enter, test->operation, test->context, out);
    if (result != OUTCOME_FAILED && test->recover) {
        out->second_points++;
        if (kill_after(second, &second_way, test->enter_recovery, test->recover, test->context, out) ==
            OUTCOME_FAILED) {
            result = OUTCOME_FAILED;
        }
    }
    if (result != OUTCOME_FAILED) {
        verify(test, out);
    }
    if (test->tear_down) {
        test->tear_down(test->context);
    }
    alarm(0);
    return result;
}

/* ---- which trials ------------------------------------------------------------------------------------------------ */

#define FIRSTS_LEAST  20 /* trials that are made however long they take */
#define SECONDS_LEAST 3
#define FIRSTS_SHARE  20 /* of the time of a case, one first kill gets this part for its second kills */

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool is_full(void)
{
    const char *text = getenv("YOKE_CRASH_FULL");
    return text && *text && strcmp(text, "0") != 0;
}

/* Seconds that a case may take; planted faults are looked for longer, since nothing else is of interest there. */
static double allowance(const crash_case *test)
{
    const char *text = getenv("YOKE_CRASH_SECONDS");
    double      seconds = text && *text ? strtod(text, NULL) : 2;
    return is_full() ? 1e9 : test->expect_fault ? seconds * 40 : test->part ? seconds / test->part : seconds;
}

static size_t points_of(const trace *way, unsigned stride)
{
    size_t step_size = is_full() || !stride ? 1 : stride;
    return (way->count + step_size - 1) / step_size;
}

static size_t greatest_divisor(size_t a, size_t b)
{
    return b ? greatest_divisor(b, a % b) : a;
}

/* The k-th of count numbers in an order that is spread evenly wherever it is broken off. */
static size_t spread(size_t k, size_t count)
{
    size_t leap = (size_t)((double)count * 0.618);
    while (greatest_divisor(leap ? leap : 1, count) != 1) {
        leap++;
    }
    return k * (leap ? leap : 1) % count;
}

static bool is_over(const crash_case *test, outcome result, const crash_result *out)
{
    return result == OUTCOME_FAILED || (out->faults && test->expect_fault);
}

/* All trials with one first kill. */
static outcome run_from(const crash_case *test, uint64_t first, double seconds, crash_result *out)
{
    outcome result = trial(test, first, RECORD, out);
    double  end = seconds_now() + seconds;
    out->points += result != OUTCOME_FAILED;
    size_t count = test->recover ? points_of(&second_way, test->second_stride) : 0;
    for (size_t k = 0; k < count && !is_over(test, result, out); k++) {
        if (k >= SECONDS_LEAST && seconds_now() > end) {
            break;
        }
        size_t second = spread(k, count) * (is_full() || !test->second_stride ? 1 : test->second_stride);
        result = trial(test, first, second, out);
    }
    return result;
}

static outcome run_all(const crash_case *test, crash_result *out)
{
    double  seconds = allowance(test);
    double  end = seconds_now() + seconds;
    outcome result = run_from(test, RECORD, seconds / FIRSTS_SHARE, out);
    size_t  count = points_of(&first_way, test->stride);
    out->possible = first_way.count + 1;
    for (size_t k = 0; k < count && !is_over(test, result, out); k++) {
        if (k >= FIRSTS_LEAST && seconds_now() > end) {
            break;
        }
        size_t first = spread(k, count) * (is_full() || !test->stride ? 1 : test->stride);
        result = run_from(test, first, seconds / FIRSTS_SHARE, out);
    }
    return result;
}

void crash_print(const crash_case *test, const char *how, const crash_result *result)
{
    printf("kill points: %-32s %6llu, by %s; %llu killed, %llu more during recovery%s%s\n", test->name,
           (unsigned long long)result->possible, how, (unsigned long long)result->points,
           (unsigned long long)result->second_points, result->first[0] ? ": " : "", result->first);
    fflush(stdout);
}

bool crash_is_left_out(const crash_case *test)
{
    const char *only = getenv("YOKE_CRASH_CASE");
    return test->expect_fault && only && *only && strcmp(test->name, only) != 0;
}

bool crash_run(const crash_case *test, crash_result *out)
{
    *out = (crash_result){0};
    if (crash_is_left_out(test)) {
        return true;
    }
    share_stage();
    now_at = test->name;
    void (*before)(int) = signal(SIGALRM, hangs);
    outcome result = run_all(test, out);
    signal(SIGALRM, before);
    crash_print(test, "instructions", out);
    return result != OUTCOME_FAILED && out->points > 0;
}

void crash_hide(const yoke_domain *domain)
{
    (void)yoke__backend()->memory->unlink(domain->name);
}

bool crash_supported(void)
{
    pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) {
            _exit(1);
        }
        raise(SIGSTOP);
        _exit(0);
    }
    int  status = 0;
    bool works = child > 0 && waitpid(child, &status, 0) == child && WIFSTOPPED(status) && step(child, &status);
    if (child > 0) {
        end(child, OUTCOME_ENDED);
    }
    return works;
}
