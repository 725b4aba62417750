/*
 * yoke-bench: what things cost, beside the same done with raw calls of the system in the same run. Numbers only, never
 * pass or fail.
 *
 * Results are lines "RESULT <peer> <workload> <metric> <value>".
 */
#ifndef YOKE_BENCH_H
#define YOKE_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include <yoke/yoke.h>

typedef struct bench_options {
    int    rounds;    /* A and B take turns this often */
    int    batch;     /* starts of each per round */
    size_t megabytes; /* memory that a large parent has touched */
    /* queues */
    int         queue_rounds; /* every peer has its turn this often */
    int         duration_ms;  /* of one measurement: DUR_MS */
    int         pin;          /* PIN: 0 free, 1 sides on different CPUs, 2 all on one */
    int         depth;        /* most small messages in a queue */
    const char *peers;        /* names with commas between, or NULL: all */
} bench_options;

/* ---- samples ---- */

typedef struct samples {
    double *values;
    size_t  count, capacity;
} samples;

double now_us(void);
void   samples_add(samples *s, double value);
double samples_median(samples *s); /* sorts */
void   samples_free(samples *s);

/* One thing done once; returns how long it took in microseconds. */
typedef double bench_action(void);
/* Does two things in turn, rounds times a batch of each. medians[0] and [1] get their microseconds; returns the median of
 * the rounds' own ratios first to second, which drift of the machine touches least. */
double bench_pair(bench_action *first, bench_action *second, const bench_options *options, double medians[2]);

void bench_result(const char *peer, const char *workload, const char *metric, double value);

/* ---- start and join, once ---- */

double raw_fork(void);  /* fork, _exit in the child, waitpid */
double raw_spawn(void); /* uv_spawn of this binary, whose main returns at once, and the loop until it is gone */
double ours_fork(void);
double ours_spawn(void);
double ours_forkserver(void);
double ours_via_server(void);

/* argv[1] of this binary as raw_spawn's child: returns at once; with a second argument, a file of stamps. */
#define RAW_CHILD "raw-child"
int raw_child(int argc, char **argv);

/* ---- stamps: when a child got where ---- */

typedef enum stamp { STAMP_LOADED, STAMP_MAIN, STAMP_FUNCTION, STAMP_COUNT } stamp;

/* Shared by a file, so that a child of any method can write it. */
typedef struct stamps {
    double at[STAMP_COUNT]; /* now_us() of the child */
} stamps;

const char *stamps_path(void);
stamps     *stamps_map(const char *path);
void        stamps_unmap(stamps *s);
void        stamps_mark(stamp which);       /* keeps it in this process */
void        stamps_write(const char *path); /* what this process has kept, and now as STAMP_FUNCTION */
double      raw_spawn_stamped(void);

/* ---- subcommands ---- */

void bench_start(const bench_options *options);
void bench_large(const bench_options *options);
void bench_breakdown(const bench_options *options);
void bench_w1(const bench_options *options);
void bench_w2(const bench_options *options);
void bench_w3(const bench_options *options);
void bench_w4(const bench_options *options);
void bench_w5(const bench_options *options);
void bench_w5_wake_ups(const bench_options *options);
void bench_w8(const bench_options *options);
void bench_w8_rest(const bench_options *options);
void bench_costs(const bench_options *options);
void bench_values(const bench_options *options);
void bench_w5_semaphores(const bench_options *options);

#endif
