/*
 * Processes of two threads each that acquire and release locks of all kinds as they please, killed at random moments and
 * replaced: two numbers that each holder counts up one after the other agree whenever a lock answers YOKE_OK; everybody
 * gets on; and who takes two locks in either order hears of the deadlock and backs off.
 *
 * YOKE_STRESS_SECONDS: how long in all; 6 unless set. The seed is printed; YOKE_STRESS_SEED sets it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/child.h"
#include "support/shared.h"

#include <yoke/yoke.h>

enum { PLACES = 6, KINDS = 6, PATIENCE = 20000 };

/* What a lock guards: equal, but for who died in between. */
typedef struct guarded {
    uint64_t left, right;
} guarded;

typedef struct stage {
    yoke_lock   *plain, *bound[2]; /* the latter look for deadlocks */
    yoke_rlock  *rlock;
    yoke_rwlock *rwlock;
    guarded      data[KINDS];
    _Atomic int  stop;
    _Atomic int  faults, told, deaths;
    _Atomic long turns[PLACES][2];
    _Atomic long by_kind[KINDS];
    char         fault[256]; /* the first one */
} stage;

static stage   *all;
static uint64_t seed;

static uint32_t next_random(uint64_t *state, uint32_t limit)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33) % limit;
}

static void fault(const char *what, int kind, int result)
{
    if (all->faults++ == 0)
        (void)snprintf(all->fault, sizeof all->fault, "%s: kind %d, result %d: %s", what, kind, result,
                       yoke_last_error()->text);
}

/* ---- what is done ------------------------------------------------------------------------------------------------ */

enum { PLAIN, RECURSIVE, WRITE, READ, BOTH_WAYS, BOUND };

static int acquire(int kind)
{
    switch (kind) {
    case PLAIN:
        return yoke_lock_acquire(all->plain, PATIENCE);
    case BOUND:
        return yoke_lock_acquire(all->bound[0], PATIENCE);
    case RECURSIVE:
        return yoke_rlock_acquire(all->rlock, PATIENCE);
    default:
        return yoke_rwlock_acquire_exclusive(all->rwlock, PATIENCE);
    }
}

static int release(int kind)
{
    switch (kind) {
    case PLAIN:
        return yoke_lock_release(all->plain);
    case BOUND:
        return yoke_lock_release(all->bound[0]);
    case RECURSIVE:
        return yoke_rlock_release(all->rlock);
    default:
        return yoke_rwlock_release_exclusive(all->rwlock);
    }
}

static int repaired(int kind)
{
    switch (kind) {
    case PLAIN:
        return yoke_lock_mark_repaired(all->plain);
    case BOUND:
        return yoke_lock_mark_repaired(all->bound[0]);
    case RECURSIVE:
        return yoke_rlock_mark_repaired(all->rlock);
    default:
        return yoke_rwlock_mark_repaired(all->rwlock);
    }
}

static void write_it(int kind, uint64_t *random)
{
    volatile guarded *data = &all->data[kind];
    int               result = acquire(kind);

    if (result < 0) {
        if (result != YOKE_EDEADLK) /* BOUND is in cycles with BOTH_WAYS */
            fault("not acquired", kind, result);
        return;
    }
    if (result == YOKE_OWNER_DIED) {
        all->deaths++;
        data->right = data->left;
        if (repaired(kind) != YOKE_OK)
            fault("not repaired", kind, result);
    }
    if (data->left != data->right)
        fault("two were inside", kind, result);
    data->left++;
    if (next_random(random, 8) == 0)
        (void)sched_yield();
    if (kind == RECURSIVE &&
        (yoke_rlock_acquire(all->rlock, YOKE_NOWAIT) != YOKE_OK || yoke_rlock_depth(all->rlock) != 2))
        fault("not recursive", kind, result);
    data->right++;
    if (kind == RECURSIVE && yoke_rlock_release(all->rlock) != YOKE_OK)
        fault("no second level", kind, result);
    if (release(kind) != YOKE_OK)
        fault("not released", kind, result);
}

static void read_it(uint64_t *random)
{
    volatile guarded *data = &all->data[WRITE];
    int               result = yoke_rwlock_acquire_shared(all->rwlock, PATIENCE);

    if (result < 0) {
        fault("not shared", READ, result);
        return;
    }
    uint64_t left = data->left;
    if (next_random(random, 8) == 0)
        (void)sched_yield();
    if (result == YOKE_OK && (left != data->right || left != data->left))
        fault("a writer beside a reader", READ, result);
    if (yoke_rwlock_release_shared(all->rwlock) != YOKE_OK)
        fault("no share", READ, result);
}

static void take_both(uint64_t *random)
{
    int first = (int)next_random(random, 2);
    int result = yoke_lock_acquire(all->bound[first], PATIENCE);

    if (result == YOKE_EDEADLK)
        return;
    if (result < 0) {
        fault("not the first", BOTH_WAYS, result);
        return;
    }
    result = yoke_lock_acquire(all->bound[1 - first], PATIENCE);
    if (result == YOKE_EDEADLK)
        all->told++;
    else if (result < 0)
        fault("not the second", BOTH_WAYS, result);
    else if (yoke_lock_release(all->bound[1 - first]) != YOKE_OK)
        fault("second not released", BOTH_WAYS, result);
    if (yoke_lock_release(all->bound[first]) != YOKE_OK)
        fault("first not released", BOTH_WAYS, result);
}

static void work(int place, int thread)
{
    uint64_t random = (uint64_t)getpid() * 2654435761u + (uint64_t)thread;

    while (!all->stop) {
        int kind = (int)next_random(&random, 64);
        kind = kind == 0   ? BOTH_WAYS
               : kind < 4  ? BOUND
               : kind < 16 ? WRITE
               : kind < 32 ? READ
               : kind < 48 ? PLAIN
                           : RECURSIVE;
        if (kind == BOTH_WAYS)
            take_both(&random);
        else if (kind == READ)
            read_it(&random);
        else
            write_it(kind, &random);
        all->turns[place][thread]++;
        all->by_kind[kind]++;
    }
}

static void *work_in_thread(void *user)
{
    work(*(const int *)user, 1);
    return NULL;
}

static int work_in_both(void *user)
{
    pthread_t thread;

    CHILD_CHECK(pthread_create(&thread, NULL, work_in_thread, user) == 0);
    work(*(const int *)user, 0);
    CHILD_CHECK(pthread_join(thread, NULL) == 0);
    return 0;
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static long long seconds(void)
{
    const char *text = getenv("YOKE_STRESS_SECONDS");
    long long   given = text ? strtoll(text, NULL, 10) : 0;

    return given > 0 ? given : 6;
}

static void open_stage(void)
{
    const yoke_lock_options bound = {.struct_size = sizeof bound, .owner_releases = true, .detect_deadlock = true};

    all = shared_alloc(sizeof *all);
    assert_int_equal(yoke_lock_create(&all->plain, NULL), YOKE_OK);
    assert_int_equal(yoke_lock_create(&all->bound[0], &bound), YOKE_OK);
    assert_int_equal(yoke_lock_create(&all->bound[1], &bound), YOKE_OK);
    assert_int_equal(yoke_rlock_create(&all->rlock, NULL), YOKE_OK);
    assert_int_equal(yoke_rwlock_create(&all->rwlock, NULL), YOKE_OK);
}

static void close_stage(void)
{
    for (int kind = 0; kind < KINDS; kind++)
        assert_true(all->by_kind[kind] > 0);
    printf("locks: %ld turns, %d deaths inside, %d deadlocks told\n",
           (long)(all->by_kind[0] + all->by_kind[1] + all->by_kind[2] + all->by_kind[3] + all->by_kind[4] +
                  all->by_kind[5]),
           all->deaths, all->told);
    if (all->faults)
        fail_msg("%d faults; the first: %s", all->faults, all->fault);
    yoke_lock_close(all->plain);
    yoke_lock_close(all->bound[0]);
    yoke_lock_close(all->bound[1]);
    yoke_rlock_close(all->rlock);
    yoke_rwlock_close(all->rwlock);
    shared_free(all);
}

/* Everybody gets a turn, once nobody is killed any more. */
static void everybody_gets_on(int places)
{
    long      before[PLACES][2];
    long long until = milliseconds() + PATIENCE;
    int       left = 1;

    for (int i = 0; i < places; i++)
        for (int t = 0; t < 2; t++)
            before[i][t] = all->turns[i][t];
    while (left && milliseconds() < until) {
        (void)usleep(10000); /* the pace of looking, no more */
        left = 0;
        for (int i = 0; i < places; i++)
            for (int t = 0; t < 2; t++)
                left += all->turns[i][t] == before[i][t];
    }
    assert_int_equal(left, 0);
}

static void test_processes_killed_at_random(void **state)
{
    static int places[PLACES];
    pid_t      children[PLACES];
    long long  until = milliseconds() + seconds() * 1000;
    int        kills = 0;

    (void)state;
    open_stage();
    for (int i = 0; i < PLACES; i++) {
        places[i] = i;
        children[i] = child_start(work_in_both, &places[i]);
    }
    while (milliseconds() < until) {
        int i = (int)next_random(&seed, PLACES);
        (void)usleep(next_random(&seed, 20000)); /* random moments are the point */
        child_kill(children[i]);
        kills++;
        children[i] = child_start(work_in_both, &places[i]);
    }
    everybody_gets_on(PLACES);
    all->stop = 1;
    for (int i = 0; i < PLACES; i++)
        assert_int_equal(child_join(children[i]), 0);
    printf("locks: %d processes killed\n", kills);
    close_stage();
}

/* One process and one mapping: what the thread sanitizer sees. */
static void test_threads_of_one_process(void **state)
{
    static int places[PLACES];
    pthread_t  threads[PLACES];

    (void)state;
    open_stage();
    for (int i = 0; i < PLACES; i++) {
        places[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, work_in_thread, &places[i]), 0);
    }
    long long until = milliseconds() + seconds() * 250;
    while (milliseconds() < until)
        (void)usleep(10000);
    all->stop = 1;
    for (int i = 0; i < PLACES; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    close_stage();
}

int main(void)
{
    const char *given = getenv("YOKE_STRESS_SEED");

    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
    printf("locks: seed %llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processes_killed_at_random),
        cmocka_unit_test(test_threads_of_one_process),
    };
    return cmocka_run_group_tests_name("locks, killed at random", tests, shared_setup, shared_teardown);
}
