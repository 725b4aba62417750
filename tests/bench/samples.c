/* Times, medians, result lines. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

void samples_add(samples *s, double value)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? s->capacity * 2 : 64;
        s->values = realloc(s->values, s->capacity * sizeof *s->values);
        if (!s->values) {
            fprintf(stderr, "yoke-bench: no memory left for samples\n");
            exit(1);
        }
    }
    s->values[s->count++] = value;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double samples_median(samples *s)
{
    if (s->count == 0)
        return 0;
    qsort(s->values, s->count, sizeof *s->values, compare);
    size_t middle = s->count / 2;
    return s->count % 2 ? s->values[middle] : (s->values[middle - 1] + s->values[middle]) / 2;
}

void samples_free(samples *s)
{
    free(s->values);
    *s = (samples){NULL, 0, 0};
}

/* A batch of one action; its median. All values go to `all` as well. */
static double run_batch(bench_action *action, int batch, samples *all)
{
    samples own = {NULL, 0, 0};

    for (int i = 0; i < batch; i++) {
        double value = action();
        samples_add(&own, value);
        samples_add(all, value);
    }
    double median = samples_median(&own);
    samples_free(&own);
    return median;
}

double bench_pair(bench_action *first, bench_action *second, const bench_options *options, double medians[2])
{
    samples all[2] = {{NULL, 0, 0}, {NULL, 0, 0}}, ratios = {NULL, 0, 0};

    /* What is made once (domain, forkserver, loop) is not part of a start. */
    (void)first();
    (void)second();
    for (int round = 0; round < options->rounds; round++) {
        double a = run_batch(first, options->batch, &all[0]);
        double b = run_batch(second, options->batch, &all[1]);
        samples_add(&ratios, a / b);
    }
    medians[0] = samples_median(&all[0]);
    medians[1] = samples_median(&all[1]);
    double ratio = samples_median(&ratios);
    samples_free(&all[0]);
    samples_free(&all[1]);
    samples_free(&ratios);
    return ratio;
}

void bench_result(const char *peer, const char *workload, const char *metric, double value)
{
    printf("RESULT %s %s %s %.3f\n", peer, workload, metric, value);
    (void)fflush(stdout);
}
