/* What a queue costs besides its messages: wake-ups of a getter with nothing to get, memory, and making one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workloads.h"

/* ---- wake-ups of who waits ---- */

static void wait_in_vain(const crew_job *job, int index)
{
    uint8_t *data = malloc(job->shape.size);

    if (index >= job->shape.putters && data)
        (void)job->peer->receive(job->lanes[0], data, job->shape.size);
    for (;;)
        (void)pause();
}

/* Times that the process has fallen asleep, all its threads together. */
static long switches_of(pid_t pid)
{
    char  path[64], line[128];
    long  count = -1;
    FILE *status;

    (void)snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    status = fopen(path, "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "voluntary_ctxt_switches:", 24) == 0)
            count = strtol(line + 24, NULL, 10);
    if (status)
        (void)fclose(status);
    return count;
}

static void idle(const bench_peer *peer, const bench_options *options)
{
    crew_job job = {.peer = peer, .shape = {64, 16, 1, 1}};
    crew     c = {.job = &job};
    long     us = options->duration_ms < 100 ? 100000L : options->duration_ms * 2000L;

    job.lanes[0] = peer->open(&job.shape);
    job.stage = job.lanes[0] ? bench_shared(sizeof *job.stage) : NULL;
    if (job.stage && crew_start(&c, &job, wait_in_vain, options->pin)) {
        crew_sleep_us(50000);
        long   before = switches_of(c.pids[1]);
        double start = now_us();
        crew_sleep_us(us);
        long after = switches_of(c.pids[1]);
        if (before >= 0 && after >= before)
            bench_result(peer->name, "idle", "wakeups_per_s", (double)(after - before) / (now_us() - start) * 1e6);
    }
    crew_end(&c);
    if (job.lanes[0])
        peer->close(job.lanes[0]);
    if (job.stage)
        bench_unshare(job.stage, sizeof *job.stage);
}

/* ---- memory: how many more queues fit into a domain with that much more memory ---- */

#define MEMORY_STEP (UINT64_C(8) << 20)
#define MOST_QUEUES 4096

static int queues_that_fit(uint64_t bytes)
{
    static yoke_queue  *queues[MOST_QUEUES];
    char                name[64];
    yoke_domain        *domain;
    yoke_domain_options options = {.struct_size = sizeof options, .mode = YOKE_CREATE, .max_bytes = bytes};
    int                 count = 0;

    (void)snprintf(name, sizeof name, "yoke-bench-%ld", (long)getpid());
    YOKE_CHECK(yoke_domain_open(&domain, name, &options));
    while (count < MOST_QUEUES &&
           yoke_queue_create(&queues[count], YOKE_OPTIONS(yoke_queue_options, .domain = domain)) == YOKE_OK)
        count++;
    for (int i = 0; i < count; i++)
        yoke_queue_close(queues[i]);
    yoke_domain_close(domain);
    return count;
}

static void memory(void)
{
    int few = queues_that_fit(MEMORY_STEP), many = queues_that_fit(2 * MEMORY_STEP);

    if (many > few)
        bench_result("yoke", "memory", "bytes_per_queue", (double)MEMORY_STEP / (many - few));
}

/* ---- making one where memory has been used before ---- */

static void creation(const bench_options *options)
{
    samples create = {NULL, 0, 0}, close = {NULL, 0, 0};

    for (int i = 0; i < 50 * options->queue_rounds; i++) {
        yoke_queue *queue;
        double      before = now_us();
        YOKE_CHECK(yoke_queue_create(&queue, NULL));
        double made = now_us();
        yoke_queue_close(queue);
        samples_add(&create, made - before);
        samples_add(&close, now_us() - made);
    }
    bench_result("yoke", "create", "create_us", samples_median(&create));
    bench_result("yoke", "create", "close_us", samples_median(&close));
    samples_free(&create);
    samples_free(&close);
}

void bench_costs(const bench_options *options)
{
    for (const bench_peer *const *peer = bench_peers; *peer; peer++)
        if (!(*peer)->bound && !(*peer)->missing && !(*peer)->lends)
            idle(*peer, options);
    memory();
    creation(options);
}
