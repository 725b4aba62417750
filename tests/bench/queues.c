/* The workloads, run with every peer in turn, round by round; tables and result lines. */
#include "workloads.h"

#include <stdio.h>
#include <string.h>

#define SMALL      64
#define MOST_PEERS 32

/* Depth 0: the option's. */
#define QUEUES .peers = bench_peers, .python = "python_queue", .python_kind = ""

static const workload one_to_one = {"w1",  "1 to 1, 64 B, messages/s", {"msg_per_s"}, {1}, {SMALL, 0, 1, 1}, false,
                                    QUEUES};
static const workload two_to_two = {"w2",  "2 to 2, 64 B, messages/s", {"msg_per_s"}, {1}, {SMALL, 0, 2, 2}, false,
                                    QUEUES};
static const workload round_trip = {"w3",
                                    "round trip, 64 B, ns; asleep: after a pause of 1 ms",
                                    {"p50_ns", "p99_ns", "asleep_p50_ns", "asleep_p99_ns"},
                                    {1, 1, 1, 1},
                                    {SMALL, 16, 1, 1},
                                    true,
                                    QUEUES};
static const workload large[] = {
    {"w4", "64 KiB, GB/s", {"gb_per_s_64KiB"}, {65536 / 1e9}, {65536, 64, 1, 1}, false, QUEUES},
    {"w4", "1 MiB, GB/s", {"gb_per_s_1MiB"}, {1048576 / 1e9}, {1048576, 8, 1, 1}, false, QUEUES},
    {"w4", "64 MiB, GB/s", {"gb_per_s_64MiB"}, {67108864 / 1e9}, {67108864, 4, 1, 1}, false, QUEUES},
};

bool workload_suits(const workload *w, const bench_peer *peer)
{
    return (peer->many || (w->shape.putters == 1 && w->shape.getters == 1)) &&
           !(w->round_trip ? peer->no_trip : peer->no_stream) && (peer->largest == 0 || w->shape.size <= peer->largest);
}

/* ---- one peer's figures ---- */

typedef struct figures {
    const bench_peer *peer; /* NULL: Python */
    const char       *python;
    samples           values[WORKLOAD_METRICS]; /* one per round */
    samples           ratios[WORKLOAD_METRICS]; /* ours to it, of the same round */
    double            latest[WORKLOAD_METRICS];
    bool              failed;
} figures;

static const char *name_of(const figures *f)
{
    return f->peer ? f->peer->name : f->python;
}

static const char *missing(const figures *f)
{
    return f->peer ? f->peer->missing : workload_python_missing();
}

/* "a,b,c" has b; NULL has everything. */
static bool listed(const char *list, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = list; at && *at;) {
        size_t word = strcspn(at, ",");
        if (word == length && strncmp(at, name, length) == 0)
            return true;
        at += word + (at[word] == ',');
    }
    return !list;
}

static int collect(const workload *w, const bench_options *options, figures *all)
{
    int count = 0;

    for (const bench_peer *const *peer = w->peers; *peer && count < MOST_PEERS - 1; peer++)
        if (workload_suits(w, *peer) && listed(options->peers, (*peer)->name))
            all[count++] = (figures){.peer = *peer};
    if (listed(options->peers, w->python))
        all[count++] = (figures){.python = w->python};
    for (int i = 0; i < count; i++) {
        if (missing(&all[i])) {
            printf("MISSING %s: this build or machine has no %s\n", name_of(&all[i]), missing(&all[i]));
            all[i].failed = true;
        }
    }
    return count;
}

static void measure(const workload *w, const bench_options *options, figures *f)
{
    bool ok;

    if (!f->peer)
        ok = workload_python(w, options, f->latest);
    else if (w->round_trip)
        ok = workload_round_trip(w, f->peer, options, f->latest);
    else
        ok = workload_flow(w, f->peer, options, f->latest);
    f->failed = !ok;
    for (int m = 0; ok && m < WORKLOAD_METRICS && w->metrics[m]; m++)
        samples_add(&f->values[m], f->latest[m]);
}

static void run_round(const workload *w, const bench_options *options, figures *all, int count)
{
    for (int i = 0; i < count; i++) {
        if (all[i].failed)
            continue;
        measure(w, options, &all[i]);
        if (all[i].failed)
            printf("FAILED %s %s (%s)\n", name_of(&all[i]), w->name, w->what);
    }
    for (int i = 0; i < count; i++) /* all[0] is ours */
        for (int m = 0; m < WORKLOAD_METRICS && w->metrics[m]; m++)
            if (!all[i].failed && !all[0].failed && all[i].latest[m] > 0)
                samples_add(&all[i].ratios[m], all[0].latest[m] / all[i].latest[m]);
}

/* ---- telling ---- */

static void print_row(const workload *w, figures *f)
{
    printf("  %-18s", name_of(f));
    for (int m = 0; m < WORKLOAD_METRICS && w->metrics[m]; m++) {
        double value = samples_median(&f->values[m]);
        printf(value < 1000 ? " %14.2f %7.2f" : " %14.0f %7.2f", value, samples_median(&f->ratios[m]));
    }
    printf("%s\n", f->peer && f->peer->bound ? "  (bound)" : f->peer && f->peer->lends ? "  (not copied)" : "");
}

static void print_table(const workload *w, figures *all, int count, int pin)
{
    printf("\n%s: %s; PIN=%d; each with the ratio of %s to it, medians of the rounds\n  %-18s", w->name, w->what, pin,
           name_of(&all[0]), "");
    for (int m = 0; m < WORKLOAD_METRICS && w->metrics[m]; m++)
        printf(" %14s %7s", w->metrics[m], "ratio");
    printf("\n");
    for (int i = 0; i < count; i++)
        if (all[i].values[0].count)
            print_row(w, &all[i]);
    for (int i = 0; i < count; i++)
        for (int m = 0; m < WORKLOAD_METRICS && w->metrics[m]; m++)
            if (all[i].values[m].count)
                bench_result(name_of(&all[i]), w->name, w->metrics[m], samples_median(&all[i].values[m]));
}

void workload_run(const workload *given, const bench_options *options)
{
    workload        filled = *given;
    const workload *w = &filled;
    figures         all[MOST_PEERS];
    int             count;

    if (filled.shape.depth == 0)
        filled.shape.depth = (size_t)options->depth;
    count = collect(w, options, all);

    for (int round = 0; round < options->queue_rounds; round++)
        run_round(w, options, all, count);
    if (count)
        print_table(w, all, count, options->pin);
    for (int i = 0; i < count; i++) {
        for (int m = 0; m < WORKLOAD_METRICS; m++) {
            samples_free(&all[i].values[m]);
            samples_free(&all[i].ratios[m]);
        }
    }
}

void bench_w1(const bench_options *options)
{
    workload_run(&one_to_one, options);
}

void bench_w2(const bench_options *options)
{
    workload_run(&two_to_two, options);
}

void bench_w3(const bench_options *options)
{
    workload_run(&round_trip, options);
}

void bench_w4(const bench_options *options)
{
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        workload_run(&large[i], options);
}
