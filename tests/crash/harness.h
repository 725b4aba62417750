/*
 * Kills a process at every instruction of an operation, and lets survivors see to it that nothing is lost.
 *
 * For each n = 0, 1, 2, ... until the operation ends first: set_up; fork a victim, which enters and is then stepped by
 * ptrace through n instructions of the operation; SIGKILL; verify; tear_down. System calls are one step. With `recover`
 * given, a second process is stepped through that and killed too, at every instruction of it for every n, before
 * verify: a recovery must bear its own death.
 *
 * Everything but enter, operation and recover runs in the calling process. The operation must not block for good: a
 * victim is alone, whoever it waits for must be running.
 *
 * A case gets YOKE_CRASH_SECONDS (2 unless set) and makes as many trials in that time as it can, spread evenly over the
 * operation. With YOKE_CRASH_FULL=1 it makes all of them, at every single instruction, however long that takes.
 */
#ifndef YOKE_TESTS_CRASH_HARNESS_H
#define YOKE_TESTS_CRASH_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <yoke/domain.h>

typedef struct crash_case {
    const char *name;
    void (*set_up)(void *context);    /* survivor: a fresh state */
    void (*enter)(void *context);     /* victim, not stepped: attach, allocate what the operation needs. May be NULL */
    void (*operation)(void *context); /* victim, stepped */
    void (*enter_recovery)(void *context); /* second victim, not stepped: join. May be NULL */
    void (*recover)(void *context);        /* second victim, stepped. NULL: no second kill */
    const char *(*verify)(void *context);  /* survivor, after the kills: NULL, or what is wrong */
    void (*tear_down)(void *context);      /* survivor */
    void    *context;
    unsigned stride;        /* only every so many instructions, unless all are asked for; 0 is 1 */
    unsigned second_stride; /* 0 is 1 */
    unsigned part;          /* the case gets this part of the time: 4 is a quarter; 0 is 1 */
    bool     expect_fault;  /* a planted fault: stop at the first that is found, and don't print it as a failure */
} crash_case;

typedef struct crash_result {
    uint64_t points;        /* kills of the victim */
    uint64_t possible;      /* how many there are */
    uint64_t second_points; /* kills during recover */
    uint64_t faults;        /* verifications that failed */
    char     first[256];    /* the first of them */
} crash_result;

/* True if YOKE_CRASH_CASE names another case: then planted faults are not looked for in this one. */
bool crash_is_left_out(const crash_case *test);

/* Prints the counts. False if nothing could be killed: no ptrace here, or the victim itself failed (first tells). */
bool crash_run(const crash_case *test, crash_result *out);

/* The same with copies of core's sources that can be killed before each shared store (points.h): all of them, and with
 * `recover` every second_stride-th of its stores, beginning elsewhere each time. Only in programs built for that. */
bool crash_run_points(const crash_case *test, crash_result *out);

/* Likewise: nobody is killed here, but `recover` is stopped before each of its stores in turn, a rival runs `operation`
 * until it is through or sleeps, and then both go on to their ends. */
bool crash_run_race(const crash_case *test, crash_result *out);

/* One line for the table of docs/design/crash_points.md, the same for all: "kill points: OPERATION COUNT, by HOW; …". */
void crash_print(const crash_case *test, const char *how, const crash_result *result);

/* Takes the name of an open domain out of the file system: even if the test itself is killed, nothing stays. */
void crash_hide(const yoke_domain *domain);

/* True if this system lets a process trace its children. */
bool crash_supported(void);

#endif
