/* The processes of one measurement: forked, pinned, let go together, killed at the end or when they hang. */
#ifndef YOKE_BENCH_CREW_H
#define YOKE_BENCH_CREW_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench.h"
#include "peers.h"

#define CREW_MOST    (2 * BENCH_MOST_SIDE)
#define CREW_SAMPLES (1u << 18)

/* What a worker tells: its own line, written by it alone. */
typedef struct crew_report {
    _Alignas(64) _Atomic uint64_t done; /* messages or round trips */
    atomic_int ready;
    atomic_int failed;
} crew_report;

/* Shared by the crew and the parent. */
typedef struct crew_stage {
    _Alignas(64) atomic_int go;
    crew_report      reports[CREW_MOST];
    _Atomic uint32_t sample_count;
    uint32_t         samples[CREW_SAMPLES]; /* nanoseconds */
} crew_stage;

/* What is measured. Putters have the first indices, getters follow. */
typedef struct crew_job {
    const bench_peer *peer;
    bench_shape       shape;
    void             *lanes[2]; /* there and, for round trips, back */
    long              think_us; /* round trips: how long the other side is left to fall asleep; 0: not at all */
    crew_stage       *stage;
} crew_job;

/* In a child, until it is killed or has failed. */
typedef void crew_work(const crew_job *job, int index);

typedef struct crew {
    pid_t     pids[CREW_MOST];
    int       count;
    crew_job *job;
} crew;

/* Starts the crew and lets it go once all are ready. False: somebody failed or hung; end it all the same. */
bool crew_start(crew *c, crew_job *job, crew_work *work, int pin);
/* Kills and reaps all. */
void crew_end(crew *c);
bool crew_failed(const crew *c);
/* Messages that the getters have so far. */
uint64_t crew_done(const crew *c);
/* Waits until they have more than that, at most some seconds. */
bool crew_wait_for_more(const crew *c, uint64_t than);

/* The CPU that a side has under PIN; sets the caller's affinity. */
void crew_pin(int pin, bench_side side);
void crew_sleep_us(long us);

#endif
