/* What a large parent costs: each method with much touched memory beside itself without. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static size_t bytes;
static void  *memory;

static void grow(void)
{
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        fprintf(stderr, "yoke-bench: no %zu MiB of memory left for a large parent\n", bytes >> 20);
        exit(1);
    }
    /* Small pages: what a heap that grew bit by bit has, and the worst case for fork. */
    (void)madvise(memory, bytes, MADV_NOHUGEPAGE);
    memset(memory, 1, bytes);
}

static void shrink(void)
{
    (void)munmap(memory, bytes);
}

static void batch(bench_action *action, int count, samples *all, samples *own)
{
    for (int i = 0; i < count; i++) {
        double value = action();
        samples_add(all, value);
        samples_add(own, value);
    }
}

/* Rounds of small and large in turn. */
static void measure(const char *peer, const char *workload, bench_action *action, double wanted,
                    const bench_options *options)
{
    samples all[2] = {{NULL, 0, 0}, {NULL, 0, 0}}, ratios = {NULL, 0, 0};

    (void)action();
    for (int round = 0; round < options->rounds; round++) {
        samples small = {NULL, 0, 0}, large = {NULL, 0, 0};
        batch(action, options->batch, &all[0], &small);
        grow();
        batch(action, options->batch, &all[1], &large);
        shrink();
        samples_add(&ratios, samples_median(&large) / samples_median(&small));
        samples_free(&small);
        samples_free(&large);
    }
    bench_result(peer, workload, "small_parent_us", samples_median(&all[0]));
    bench_result(peer, workload, "large_parent_us", samples_median(&all[1]));
    bench_result(peer, workload, "ratio_large_to_small", samples_median(&ratios));
    if (wanted > 0)
        bench_result(peer, workload, "ratio_wanted", wanted);
    samples_free(&all[0]);
    samples_free(&all[1]);
    samples_free(&ratios);
}

void bench_large(const bench_options *options)
{
    bench_options fewer = *options;

    bytes = options->megabytes << 20;
    /* Touching the memory takes longer than the starts. */
    fewer.rounds = options->rounds > 5 ? 5 : options->rounds;
    bench_result("yoke", "large", "parent_mib", (double)options->megabytes);
    measure("yoke", "forkserver_large", ours_forkserver, 1.3, &fewer);
    measure("yoke", "spawn_via_server_large", ours_via_server, 1.3, &fewer);
    /* For comparison: what the server is there to avoid. */
    fewer.batch = options->batch > 5 ? 5 : options->batch;
    measure("raw", "spawn_large", raw_spawn, 0, &fewer);
    measure("raw", "fork_large", raw_fork, 0, &fewer);
}
