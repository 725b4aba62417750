/*
 * Pipes beside the same done with raw calls: a socketpair or pipe with a 4-byte length before each message, written by
 * one writev and read by one read of the length and reads of the rest. Between this process and a forked one; both in
 * turn, several rounds, the median of the rounds' ratios.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

int bench_pipe(void);

#define ROUNDS 5

/* Peers: what sends and receives messages of one size. */
typedef struct line {
    yoke_conn *here, *there; /* ours */
    int        ends[2];      /* raw */
    bool       one_way;
} line;

typedef struct peer {
    const char *name;
    void (*open)(line *l);
    void (*keep)(line *l, int side); /* closes the other side */
    void (*send)(line *l, int side, const void *data, size_t size);
    void (*receive)(line *l, int side, void *data, size_t size);
    void (*close)(line *l, int side);
} peer;

static void check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench_pipe: %s failed\n", what);
        _exit(1);
    }
}

/* ---- ours ---- */

static void ours_open(line *l)
{
    YOKE_CHECK(yoke_pipe_create(&l->here, &l->there, YOKE_OPTIONS(yoke_pipe_options, .one_way = l->one_way)));
}

static void ours_keep(line *l, int side)
{
    yoke_conn_close(side == 0 ? l->there : l->here);
}

static void ours_send(line *l, int side, const void *data, size_t size)
{
    YOKE_CHECK(yoke_conn_send(side == 0 ? l->here : l->there, data, size, YOKE_FOREVER));
}

static void ours_receive(line *l, int side, void *data, size_t size)
{
    YOKE_CHECK(yoke_conn_recv(side == 0 ? l->here : l->there, data, size, NULL, YOKE_FOREVER));
}

static void ours_close(line *l, int side)
{
    yoke_conn_close(side == 0 ? l->here : l->there);
}

/* ---- raw ---- */

static void raw_open(line *l)
{
    check((l->one_way ? pipe(l->ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, l->ends)) == 0, "socketpair");
}

static void raw_keep(line *l, int side)
{
    (void)close(l->ends[1 - side]);
}

static void raw_send(line *l, int side, const void *data, size_t size)
{
    uint8_t      header[4] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
    struct iovec parts[2] = {{header, 4}, {(void *)(uintptr_t)data, size}};
    ssize_t      written = writev(l->ends[side], parts, 2);

    check(written >= 4, "writev");
    for (size_t sent = (size_t)written - 4; sent < size; sent += (size_t)written) {
        written = write(l->ends[side], (const char *)data + sent, size - sent);
        check(written > 0, "write");
    }
}

static void raw_read(int fd, uint8_t *out, size_t size)
{
    for (size_t have = 0; have < size;) {
        ssize_t got = read(fd, out + have, size - have);
        check(got > 0, "read");
        have += (size_t)got;
    }
}

static void raw_receive(line *l, int side, void *data, size_t size)
{
    uint8_t header[4];

    raw_read(l->ends[side], header, 4);
    size_t told = (size_t)header[0] << 24 | (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
    check(told == size, "framing");
    raw_read(l->ends[side], data, size);
}

static void raw_close(line *l, int side)
{
    (void)close(l->ends[side]);
}

static const peer ours = {"yoke", ours_open, ours_keep, ours_send, ours_receive, ours_close};
static const peer raw = {"raw", raw_open, raw_keep, raw_send, raw_receive, raw_close};

/* ---- workloads: microseconds per message ---- */

typedef struct workload {
    const char *name;
    size_t      size;
    int         count;
    bool        one_way; /* a one-way pipe, else a socketpair */
    bool        round_trip;
} workload;

/* Side 1, in the child: sends all, or sends each back. */
static void run_child(const peer *p, line *l, const workload *w)
{
    uint8_t *data = calloc(1, w->size);

    p->keep(l, 1);
    for (int i = 0; i < w->count; i++) {
        if (w->round_trip)
            p->receive(l, 1, data, w->size);
        p->send(l, 1, data, w->size);
    }
    p->close(l, 1);
    _exit(0);
}

static double run_once(const peer *p, const workload *w)
{
    line     l = {.one_way = w->one_way};
    uint8_t *data = calloc(1, w->size);
    int      status;

    p->open(&l);
    pid_t child = fork();
    if (child == 0)
        run_child(p, &l, w);
    p->keep(&l, 0);
    double start = now_us();
    for (int i = 0; i < w->count; i++) {
        if (w->round_trip)
            p->send(&l, 0, data, w->size);
        p->receive(&l, 0, data, w->size);
    }
    double took = now_us() - start;
    p->close(&l, 0);
    check(waitpid(child, &status, 0) == child && status == 0, "the child");
    free(data);
    return took / w->count;
}

static void run(const workload *w)
{
    samples a = {NULL, 0, 0}, b = {NULL, 0, 0}, ratios = {NULL, 0, 0};

    for (int i = 0; i < ROUNDS; i++) {
        double mine = run_once(&ours, w), theirs = run_once(&raw, w);
        samples_add(&a, mine);
        samples_add(&b, theirs);
        samples_add(&ratios, w->round_trip ? mine / theirs : theirs / mine);
    }
    bench_result("yoke", w->name, "us", samples_median(&a));
    bench_result("raw", w->name, "us", samples_median(&b));
    bench_result("yoke", w->name, w->round_trip ? "time_ratio" : "speed_ratio", samples_median(&ratios));
    samples_free(&a);
    samples_free(&b);
    samples_free(&ratios);
}

/* 64 bytes one way: at least 1.2 times the raw socketpair's speed; round trip: at most 1.15 times its time; 64 KiB and
 * 1 MiB: at least 0.95 times its speed. */
int bench_pipe(void)
{
    static const workload all[] = {
        {"socketpair_64B", 64, 500000, false, false},          {"pipe_64B", 64, 500000, true, false},
        {"socketpair_1KiB", 1024, 300000, false, false},       {"socketpair_64KiB", 65536, 20000, false, false},
        {"socketpair_1MiB", 1048576, 1500, false, false},      {"pipe_64KiB", 65536, 20000, true, false},
        {"socketpair_64B_round_trip", 64, 20000, false, true},
    };

    (void)fflush(stdout); /* children must not write it again */
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        run(&all[i]);
    return 0;
}
