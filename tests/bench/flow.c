/*
 * Messages in one direction for a while. Getters count what they have; the parent looks at the counts at both ends of a
 * window and kills everybody: no protocol for the end that a peer would have to support, and none that could hang.
 */
#include "workloads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Small messages are numbered, from a pool that was written beforehand. A number stored just before the send would be
 * read back by a wider load, which waits for every store before it to reach the cache, and so for the other CPU each time.
 */
#define POOL 64u

static size_t pool_of(const crew_job *job)
{
    return job->shape.size <= 4096 ? POOL : 1;
}

static void put_all(const crew_job *job, int index)
{
    size_t   size = job->shape.size, pool = pool_of(job);
    uint8_t *data = malloc(size * pool);

    if (!data)
        return;
    memset(data, index + 1, size * pool);
    for (uint64_t i = 0; i < pool; i++)
        memcpy(data + i * size, &i, sizeof i);
    for (uint64_t number = 0;; number++)
        if (!job->peer->send(job->lanes[0], data + number % pool * size, size))
            return;
}

static void get_all(const crew_job *job, int index)
{
    crew_report *mine = &job->stage->reports[index];
    size_t       pool = job->shape.putters == 1 && job->shape.getters == 1 ? pool_of(job) : 1;
    uint8_t     *data = malloc(job->shape.size);

    if (!data)
        return;
    memset(data, 0, job->shape.size); /* page faults belong to no measurement */
    for (uint64_t count = 0;; count++) {
        uint64_t number;
        if (!job->peer->receive(job->lanes[0], data, job->shape.size))
            return;
        memcpy(&number, data, sizeof number);
        if (pool > 1 && number != count % pool) {
            fprintf(stderr, "yoke-bench: %s: a message came out of turn\n", job->peer->name);
            return;
        }
        atomic_store_explicit(&mine->done, count + 1, memory_order_relaxed);
    }
}

static void work(const crew_job *job, int index)
{
    (index < job->shape.putters ? put_all : get_all)(job, index);
}

/* Messages a second between two moments at which a message arrived. */
static bool window(const crew *c, const bench_options *options, double *rate)
{
    uint64_t first, last;
    double   start;

    /* What is allocated once has been after a few laps. */
    if (!crew_wait_for_more(c, c->job->shape.size >= 1 << 20 ? 2 * c->job->shape.depth : 0))
        return false;
    crew_sleep_us(options->duration_ms * 200L);
    if (!crew_wait_for_more(c, crew_done(c)))
        return false;
    start = now_us();
    first = crew_done(c);
    crew_sleep_us(options->duration_ms * 1000L);
    if (!crew_wait_for_more(c, crew_done(c)))
        return false;
    last = crew_done(c);
    *rate = (double)(last - first) / (now_us() - start) * 1e6;
    return !crew_failed(c);
}

bool workload_flow(const workload *w, const bench_peer *peer, const bench_options *options, double *values)
{
    crew_job job = {.peer = peer, .shape = w->shape};
    crew     c = {.job = &job};
    bool     ok;

    job.lanes[0] = peer->open(&job.shape);
    if (!job.lanes[0])
        return false;
    job.stage = bench_shared(sizeof *job.stage);
    ok = job.stage && crew_start(&c, &job, work, options->pin) && window(&c, options, &values[0]);
    crew_end(&c);
    peer->close(job.lanes[0]);
    if (job.stage)
        bench_unshare(job.stage, sizeof *job.stage);
    if (ok)
        values[0] *= w->scale[0];
    return ok;
}
