/* What is done with a peer, and what is measured of it. */
#ifndef YOKE_BENCH_WORKLOADS_H
#define YOKE_BENCH_WORKLOADS_H

#include "crew.h"

#define WORKLOAD_METRICS 4

typedef struct workload {
    const char *name;                      /* w1 to w4 */
    const char *what;                      /* heading of the table */
    const char *metrics[WORKLOAD_METRICS]; /* NULL: no more */
    double      scale[WORKLOAD_METRICS];   /* from messages a second or nanoseconds to the metric */
    bench_shape shape;
    bool        round_trip;
} workload;

/* One measurement. False: not possible with this peer here. */
bool workload_flow(const workload *w, const bench_peer *peer, const bench_options *options, double *values);
bool workload_round_trip(const workload *w, const bench_peer *peer, const bench_options *options, double *values);
/* Python's multiprocessing.Queue, by a script with processes of its own. */
bool workload_python(const workload *w, const bench_options *options, double *values);
/* Why Python can't be measured, or NULL. */
const char *workload_python_missing(void);

/* Whether that peer can do this at all, by what it says of itself. */
bool workload_suits(const workload *w, const bench_peer *peer);

#endif
