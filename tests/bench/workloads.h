/* What is done with a peer, and what is measured of it. */
#ifndef YOKE_BENCH_WORKLOADS_H
#define YOKE_BENCH_WORKLOADS_H

#include "crew.h"

#define WORKLOAD_METRICS 4

typedef struct workload {
    const char *name;                      /* w1 to w4, w8 */
    const char *what;                      /* heading of the table */
    const char *metrics[WORKLOAD_METRICS]; /* NULL: no more */
    double      scale[WORKLOAD_METRICS];   /* from messages a second or nanoseconds to the metric */
    bench_shape shape;
    bool        round_trip;
    /* Who takes part; zero: those of queues. */
    const bench_peer *const *peers;
    const char              *python;      /* Python's name among them */
    const char              *python_kind; /* what python_queue.py puts before "flow" and "trip" */
} workload;

/* Runs it with every peer in turn, round by round, and tells. */
void workload_run(const workload *w, const bench_options *options);

/* One measurement. False: not possible with this peer here. */
bool workload_flow(const workload *w, const bench_peer *peer, const bench_options *options, double *values);
bool workload_round_trip(const workload *w, const bench_peer *peer, const bench_options *options, double *values);
/* Python's multiprocessing.Queue or Pipe, by a script with processes of its own. */
bool workload_python(const workload *w, const bench_options *options, double *values);
/* Why Python can't be measured, or NULL. */
const char *workload_python_missing(void);

/* Whether that peer can do this at all, by what it says of itself. */
bool workload_suits(const workload *w, const bench_peer *peer);

#endif
