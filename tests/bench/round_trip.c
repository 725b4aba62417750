/*
 * A message there and one back: without a pause, so that a side that spins for a moment never sleeps; and with pauses long
 * enough that the other side has fallen asleep. The first putter measures each trip.
 */
#include "workloads.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ASLEEP_US 1000

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What a look at the clock costs: in every trip once. */
static uint32_t clock_cost(void)
{
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < 1000; i++) {
        uint64_t before = now_ns(), took;
        (void)now_ns();
        took = (now_ns() - before) / 2;
        least = took < least ? took : least;
    }
    return (uint32_t)least;
}

static void keep(crew_stage *stage, uint64_t trip, uint64_t ns)
{
    stage->samples[trip % CREW_SAMPLES] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
    if (trip < CREW_SAMPLES)
        atomic_store_explicit(&stage->sample_count, (uint32_t)trip + 1, memory_order_relaxed);
}

static void ask(const crew_job *job)
{
    crew_report *mine = &job->stage->reports[0];
    uint32_t     cost = clock_cost();
    uint8_t     *data = calloc(1, job->shape.size);

    for (uint64_t trip = 0; data; trip++) {
        if (job->think_us)
            crew_sleep_us(job->think_us);
        uint64_t before = now_ns();
        if (!job->peer->send(job->lanes[0], data, job->shape.size) ||
            !job->peer->receive(job->lanes[1], data, job->shape.size))
            return;
        uint64_t took = now_ns() - before;
        keep(job->stage, trip, took > cost ? took - cost : 0);
        atomic_store_explicit(&mine->done, trip + 1, memory_order_relaxed);
    }
}

static void answer(const crew_job *job, int index)
{
    crew_report *mine = &job->stage->reports[index];
    uint8_t     *data = calloc(1, job->shape.size);

    for (uint64_t trip = 0; data; trip++) {
        if (!job->peer->receive(job->lanes[0], data, job->shape.size) ||
            !job->peer->send(job->lanes[1], data, job->shape.size))
            return;
        atomic_store_explicit(&mine->done, trip + 1, memory_order_relaxed);
    }
}

static void work(const crew_job *job, int index)
{
    if (index == 0)
        ask(job);
    else
        answer(job, index);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The children are gone by now. */
static bool percentiles(crew_stage *stage, double *p50, double *p99)
{
    uint32_t count = atomic_load(&stage->sample_count);

    if (count == 0)
        return false;
    qsort(stage->samples, count, sizeof *stage->samples, by_value);
    *p50 = stage->samples[count / 2];
    *p99 = stage->samples[(uint32_t)((uint64_t)count * 99 / 100)];
    return true;
}

static bool measure(crew_job *job, const bench_options *options, double *p50, double *p99)
{
    crew c = {.job = job};
    bool ok;

    memset(job->stage, 0, sizeof *job->stage);
    ok = crew_start(&c, job, work, options->pin) && crew_wait_for_more(&c, 0);
    if (ok)
        crew_sleep_us(options->duration_ms * 1000L);
    /* One more answer: the asker has kept at least one trip, however rarely it has had the CPU. */
    ok = ok && crew_wait_for_more(&c, crew_done(&c)) && !crew_failed(&c);
    crew_end(&c);
    return ok && percentiles(job->stage, p50, p99);
}

static bool measure_lanes(crew_job *job, const bench_options *options, long think_us, double *values)
{
    bool ok = false;

    job->think_us = think_us;
    job->lanes[0] = job->peer->open(&job->shape);
    job->lanes[1] = job->lanes[0] ? job->peer->open(&job->shape) : NULL;
    if (job->lanes[1]) {
        ok = measure(job, options, &values[0], &values[1]);
        job->peer->close(job->lanes[1]);
    }
    if (job->lanes[0])
        job->peer->close(job->lanes[0]);
    return ok;
}

bool workload_round_trip(const workload *w, const bench_peer *peer, const bench_options *options, double *values)
{
    crew_job job = {.peer = peer, .shape = w->shape};
    bool     ok;

    job.stage = bench_shared(sizeof *job.stage);
    if (!job.stage)
        return false;
    ok = measure_lanes(&job, options, 0, values) && measure_lanes(&job, options, ASLEEP_US, values + 2);
    bench_unshare(job.stage, sizeof *job.stage);
    return ok;
}
