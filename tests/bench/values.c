/* Values and lists beside Python's: an increment under the lock, one without it, items of a list set and read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define ROUND 20000

static yoke_value     *locked, *bare;
static yoke_shareable *list;

static void by_pointer(void)
{
    yoke_lock *lock = yoke_value_lock(locked);
    int       *number = YOKE_VALUE(locked, int);

    for (int i = 0; i < ROUND; i++) {
        if (yoke_lock_acquire(lock, YOKE_FOREVER) < 0)
            abort();
        *number += 1;
        (void)yoke_lock_release(lock);
    }
}

static void by_call(void)
{
    for (int i = 0; i < ROUND; i++)
        YOKE_CHECK(YOKE_VALUE_FETCH_ADD(locked, int, 1, NULL));
}

static void without_lock(void)
{
    for (int i = 0; i < ROUND; i++)
        YOKE_CHECK(YOKE_VALUE_FETCH_ADD(bare, int, 1, NULL));
}

static void set_items(void)
{
    for (int i = 0; i < ROUND; i++)
        YOKE_CHECK(YOKE_SHAREABLE_SET(list, 1, i));
}

static void read_items(void)
{
    int64_t number;

    for (int i = 0; i < ROUND; i++)
        YOKE_CHECK(yoke_shareable_get_int(list, 1, &number));
}

static const struct {
    const char *metric;
    void (*round)(void);
} rows[] = {
    {"increment_under_lock_ns", by_pointer},
    {"increment_by_call_ns", by_call},
    {"increment_lock_free_ns", without_lock},
    {"list_set_ns", set_items},
    {"list_get_ns", read_items},
};
#define ROWS (sizeof rows / sizeof *rows)

#ifdef BENCH_PYTHON
/* Prints the same figures, in the same order, for each round that it is asked for. */
static const char script[] = "import sys, time, multiprocessing as m, multiprocessing.shared_memory as s\n"
                             "n = 5000\n"
                             "v = m.Value('i', 0); l = s.ShareableList(['a', 1])\n"
                             "def lock():\n"
                             "    for _ in range(n):\n"
                             "        with v.get_lock(): v.value += 1\n"
                             "def put():\n"
                             "    for i in range(n): l[1] = i\n"
                             "def get():\n"
                             "    for _ in range(n): l[1]\n"
                             "def ns(f):\n"
                             "    t = time.perf_counter_ns(); f(); return (time.perf_counter_ns() - t) / n\n"
                             "for f in (lock, put, get): f()\n"
                             "for _ in range(int(sys.argv[1])): print(ns(lock), ns(put), ns(get))\n"
                             "l.shm.close(); l.shm.unlink()\n";

/* Medians of the rounds: under the lock, set, get. */
static bool python(int rounds, double medians[3])
{
    char    command[4096];
    double  figures[3];
    samples all[3] = {{0}};
    FILE   *out;

    (void)snprintf(command, sizeof command, "exec %s - %d 2>/dev/null <<'EOF'\n%sEOF\n", BENCH_PYTHON, rounds, script);
    out = popen(command, "r");
    while (out && fscanf(out, "%lf %lf %lf", &figures[0], &figures[1], &figures[2]) == 3)
        for (int i = 0; i < 3; i++)
            samples_add(&all[i], figures[i]);
    bool ok = out && pclose(out) == 0 && all[0].count > 0;
    for (int i = 0; i < 3; i++) {
        medians[i] = ok ? samples_median(&all[i]) : 0;
        samples_free(&all[i]);
    }
    return ok;
}
#else
static bool python(int rounds, double medians[3])
{
    (void)rounds;
    (void)medians;
    return false;
}
#endif

static void beside_python(const double ours[ROWS], int rounds)
{
    static const struct {
        const char *metric;
        size_t      row;
    } theirs[3] = {{"increment_under_lock_ns", 0}, {"list_set_ns", 3}, {"list_get_ns", 4}};
    double medians[3];

    if (!python(rounds, medians)) {
        printf("# python's multiprocessing: not here\n");
        return;
    }
    for (int i = 0; i < 3; i++) {
        bench_result("python", "values", theirs[i].metric, medians[i]);
        printf("# %s: %.1f times python's speed\n", theirs[i].metric, medians[i] / ours[theirs[i].row]);
    }
}

void bench_values(const bench_options *options)
{
    samples all[ROWS] = {{0}};
    double  medians[ROWS];

    YOKE_CHECK(YOKE_VALUE_CREATE(&locked, int, 0, NULL));
    YOKE_CHECK(YOKE_VALUE_CREATE(&bare, int, 0, YOKE_OPTIONS(yoke_value_options, .unlocked = true)));
    YOKE_CHECK(yoke_shareable_create(&list, YOKE_ARGS("a", 1), NULL));
    for (int r = 0; r < options->rounds; r++)
        for (size_t i = 0; i < ROWS; i++) {
            double start = now_us();
            rows[i].round();
            samples_add(&all[i], (now_us() - start) * 1000 / ROUND);
        }
    for (size_t i = 0; i < ROWS; i++) {
        medians[i] = samples_median(&all[i]);
        bench_result("yoke", "values", rows[i].metric, medians[i]);
        samples_free(&all[i]);
    }
    beside_python(medians, options->rounds);
    yoke_value_close(locked);
    yoke_value_close(bare);
    yoke_shareable_close(list);
}
