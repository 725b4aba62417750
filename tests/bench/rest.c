/* What connections cost that nobody uses at the moment: memory of an end, CPU of a process that waits with many. */
#include "bench.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAIRS 10000 /* or as many as descriptors allow, less some */
#define SPARE 100

typedef struct pairs {
    yoke_conn **here, **there;
    int         count;
} pairs;

static size_t heap_bytes(void)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

/* Both ways, so that all is there that an end keeps. */
static void use(yoke_conn *one, yoke_conn *other)
{
    char byte;

    YOKE_CHECK(yoke_conn_send(one, "x", 1, YOKE_FOREVER));
    YOKE_CHECK(yoke_conn_recv(other, &byte, 1, NULL, YOKE_FOREVER));
    YOKE_CHECK(yoke_conn_send(other, "x", 1, YOKE_FOREVER));
    YOKE_CHECK(yoke_conn_recv(one, &byte, 1, NULL, YOKE_FOREVER));
}

static void open_pairs(pairs *p, bool used)
{
    for (int i = 0; i < p->count; i++) {
        YOKE_CHECK(yoke_pipe_create(&p->here[i], &p->there[i], NULL));
        if (used)
            use(p->here[i], p->there[i]);
    }
}

static void close_all(yoke_conn **ends, int count)
{
    for (int i = 0; i < count; i++)
        yoke_conn_close(ends[i]);
}

static void measure_memory(pairs *p)
{
    yoke_conn *one, *other;

    YOKE_CHECK(yoke_pipe_create(&one, &other, NULL)); /* what is made once, by the first */
    use(one, other);
    size_t before = heap_bytes();
    open_pairs(p, true);
    if (before > 0)
        bench_result("yoke", "w8", "bytes_per_end", (double)(heap_bytes() - before) / 2 / p->count);
    close_all(p->here, p->count);
    close_all(p->there, p->count);
    yoke_conn_close(one);
    yoke_conn_close(other);
}

static double cpu_us(void)
{
    struct rusage used;

    (void)getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* Has something from each end, then waits for more over the last; answers what that cost. */
_Noreturn static void wait_idle(pairs *p)
{
    char       byte;
    yoke_conn *last = p->there[p->count - 1];

    close_all(p->here, p->count);
    for (int i = 0; i < p->count; i++)
        YOKE_CHECK(yoke_conn_recv(p->there[i], &byte, 1, NULL, YOKE_FOREVER));
    YOKE_CHECK(yoke_conn_send_string(last, "ready", YOKE_FOREVER));
    double before = cpu_us();
    YOKE_CHECK(yoke_conn_recv(last, &byte, 1, NULL, YOKE_FOREVER));
    YOKE_CHECK(yoke_conn_send_format(last, YOKE_FOREVER, "%.0f", cpu_us() - before));
    _exit(0);
}

static void measure_idle(pairs *p)
{
    char text[32];

    open_pairs(p, false);
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        wait_idle(p);
    close_all(p->there, p->count);
    for (int i = 0; i < p->count; i++)
        YOKE_CHECK(yoke_conn_send(p->here[i], "x", 1, YOKE_FOREVER));
    yoke_conn *last = p->here[p->count - 1];
    YOKE_CHECK(yoke_conn_recv_string(last, text, sizeof text, YOKE_FOREVER));
    double start = now_us();
    (void)sleep(1); /* the length of the measurement */
    double took = now_us() - start;
    YOKE_CHECK(yoke_conn_send(last, "x", 1, YOKE_FOREVER));
    YOKE_CHECK(yoke_conn_recv_string(last, text, sizeof text, YOKE_FOREVER));
    bench_result("yoke", "w8", "idle_connections", p->count);
    bench_result("yoke", "w8", "idle_cpu_us_per_s", strtod(text, NULL) / took * 1e6);
    close_all(p->here, p->count);
    (void)waitpid(child, NULL, 0);
}

void bench_w8_rest(const bench_options *options)
{
    struct rlimit limit;
    pairs         p = {.count = PAIRS};

    (void)options;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        if (limit.rlim_cur < 2 * PAIRS + SPARE)
            p.count = ((int)limit.rlim_cur - SPARE) / 2;
    }
    p.here = calloc((size_t)p.count, sizeof *p.here);
    p.there = calloc((size_t)p.count, sizeof *p.there);
    if (p.here && p.there) {
        measure_memory(&p);
        measure_idle(&p);
    }
    free(p.here);
    free(p.there);
}
