/*
 * w5, its part of semaphores and events: a pair of acquire and release that nobody contends, beside sem_t; the wake-up of a
 * process that sleeps in an event, beside a raw futex; and how evenly processes get through a semaphore of one.
 */
#include "bench.h"

#include <linux/futex.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CROWD 3 /* processes that compete */

static void must(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "yoke-bench: %s failed: %s\n", what, yoke_last_error()->text);
    exit(1);
}

static void *shared(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    must(at != MAP_FAILED, "mmap");
    return at;
}

/* ---- the peers ----------------------------------------------------------------------------------------------------- */

typedef enum peer { SIGNAL, PERMITS, SEM_T, PEERS } peer;

static const char *const peer_names[PEERS] = {"yoke", "yoke_permits", "sem_t"};

static yoke_semaphore *ours[2];
static sem_t          *theirs;

static void make_peers(int64_t initial)
{
    must(yoke_semaphore_create(&ours[SIGNAL], initial, NULL) == YOKE_OK, "yoke_semaphore_create");
    must(yoke_semaphore_create(&ours[PERMITS], initial, YOKE_OPTIONS(yoke_semaphore_options, .permits = true)) ==
             YOKE_OK,
         "yoke_semaphore_create");
    theirs = shared(sizeof *theirs);
    must(sem_init(theirs, 1, (unsigned)initial) == 0, "sem_init");
}

static void close_peers(void)
{
    yoke_semaphore_close(ours[SIGNAL]);
    yoke_semaphore_close(ours[PERMITS]);
    (void)sem_destroy(theirs);
    (void)munmap(theirs, sizeof *theirs);
}

static void acquire(peer which)
{
    if (which == SEM_T)
        must(sem_wait(theirs) == 0, "sem_wait");
    else
        must(yoke_semaphore_acquire(ours[which], YOKE_FOREVER) >= 0, "yoke_semaphore_acquire");
}

static void release(peer which)
{
    if (which == SEM_T)
        must(sem_post(theirs) == 0, "sem_post");
    else
        must(yoke_semaphore_release(ours[which]) == YOKE_OK, "yoke_semaphore_release");
}

/* ---- a pair ---------------------------------------------------------------------------------------------------------- */

/* The calls themselves, without a choice between peers inside the loop. */
static double pair_ns(peer which)
{
    enum { PAIRS = 200000 };
    double before = now_us();

    if (which == SEM_T)
        for (int i = 0; i < PAIRS; i++)
            (void)(sem_wait(theirs) + sem_post(theirs));
    else
        for (int i = 0; i < PAIRS; i++)
            if (yoke_semaphore_acquire(ours[which], YOKE_FOREVER) < 0 || yoke_semaphore_release(ours[which]) < 0)
                must(false, "a pair");
    return (now_us() - before) * 1000 / PAIRS;
}

static void bench_pairs(const bench_options *options)
{
    samples all[PEERS] = {{0}};

    make_peers(4);
    for (int round = 0; round < options->queue_rounds * 4 + 1; round++)
        for (int p = 0; p < PEERS; p++) {
            double took = pair_ns((peer)p);
            if (round > 0)
                samples_add(&all[p], took);
        }
    for (int p = 0; p < PEERS; p++) {
        bench_result(peer_names[p], "w5", "semaphore_pair_ns", samples_median(&all[p]));
        samples_free(&all[p]);
    }
    close_peers();
}

/* ---- a wake-up ------------------------------------------------------------------------------------------------------- */

/* A sleeper that tells when it woke. */
typedef struct bed {
    _Atomic uint32_t word; /* of the raw futex */
    _Atomic uint32_t asleep, awake;
    double           woken_at;
    yoke_event      *event; /* NULL: the raw futex */
} bed;

static void sleep_in(bed *b)
{
    if (b->event) {
        must(yoke_event_wait(b->event, YOKE_FOREVER) == YOKE_OK, "yoke_event_wait");
        return;
    }
    while (b->word == 0)
        (void)syscall(SYS_futex, &b->word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void wake(bed *b)
{
    if (b->event) {
        must(yoke_event_set(b->event) == YOKE_OK, "yoke_event_set");
        return;
    }
    b->word = 1;
    (void)syscall(SYS_futex, &b->word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void make_bed_again(bed *b)
{
    b->word = 0;
    if (b->event)
        must(yoke_event_clear(b->event) == YOKE_OK, "yoke_event_clear");
}

static pid_t start_sleeper(bed *b)
{
    pid_t child = fork();

    must(child >= 0, "fork");
    if (child != 0)
        return child;
    for (uint32_t turn = 1;; turn++) {
        b->asleep = turn;
        sleep_in(b);
        b->woken_at = now_us();
        b->awake = turn;
        while (b->asleep == turn) /* looks now and then, outside what is measured */
            (void)usleep(50);
    }
}

/* It is asleep when it has had time for it: spinning ends long before. */
static double wake_us(bed *b, uint32_t turn)
{
    while (b->asleep != turn)
        (void)usleep(50);
    (void)usleep(1000);
    double at = now_us();
    wake(b);
    while (b->awake != turn)
        (void)usleep(50);
    make_bed_again(b);
    b->asleep = 0;
    return b->woken_at - at;
}

static void bench_wake_ups(const bench_options *options)
{
    static const char *const names[] = {"yoke", "futex"};
    bed                     *beds = shared(2 * sizeof *beds);
    pid_t                    children[2];
    samples                  all[2] = {{0}};

    must(yoke_event_create(&beds[0].event, NULL) == YOKE_OK, "yoke_event_create");
    for (int i = 0; i < 2; i++)
        children[i] = start_sleeper(&beds[i]);
    for (uint32_t turn = 1; turn <= (uint32_t)options->queue_rounds * 200; turn++)
        for (int i = 0; i < 2; i++)
            samples_add(&all[i], wake_us(&beds[i], turn));
    for (int i = 0; i < 2; i++) {
        (void)kill(children[i], SIGKILL);
        (void)waitpid(children[i], NULL, 0);
        bench_result(names[i], "w5", "event_wake_ns", samples_median(&all[i]) * 1000);
        samples_free(&all[i]);
    }
    yoke_event_close(beds[0].event);
    (void)munmap(beds, 2 * sizeof *beds);
}

/* ---- fairness ---------------------------------------------------------------------------------------------------------- */

typedef struct share {
    _Atomic uint64_t turns;
    double           longest; /* us */
} share;

static void compete(peer which, share *mine)
{
    for (;;) {
        double before = now_us();
        acquire(which);
        double waited = now_us() - before;
        if (waited > mine->longest)
            mine->longest = waited;
        mine->turns++;
        release(which);
    }
}

static void fairness_of(peer which, int milliseconds)
{
    share *shares = shared(CROWD * sizeof *shares);
    pid_t  children[CROWD];
    double least = 1e300, most = 0, longest = 0;

    for (int i = 0; i < CROWD; i++) {
        children[i] = fork();
        must(children[i] >= 0, "fork");
        if (children[i] == 0)
            compete(which, &shares[i]);
    }
    (void)usleep((unsigned)milliseconds * 1000); /* the length of the measurement */
    for (int i = 0; i < CROWD; i++) {
        (void)kill(children[i], SIGKILL);
        (void)waitpid(children[i], NULL, 0);
        double turns = (double)shares[i].turns;
        least = turns < least ? turns : least;
        most = turns > most ? turns : most;
        longest = shares[i].longest > longest ? shares[i].longest : longest;
    }
    bench_result(peer_names[which], "w5", "semaphore_crowd_turns_per_s",
                 (least + most) / 2 * CROWD * 1000 / milliseconds);
    bench_result(peer_names[which], "w5", "semaphore_crowd_least_to_most", most > 0 ? least / most : 0);
    bench_result(peer_names[which], "w5", "semaphore_crowd_longest_wait_us", longest);
    (void)munmap(shares, CROWD * sizeof *shares);
}

/* One is killed inside now and then, so each peer gets a new semaphore. */
static void bench_fairness(const bench_options *options)
{
    for (int p = 0; p < PEERS; p++) {
        make_peers(1);
        fairness_of((peer)p, options->duration_ms * 2);
        close_peers();
    }
}

void bench_w5_semaphores(const bench_options *options)
{
    bench_pairs(options);
    bench_wake_ups(options);
    bench_fairness(options);
}
