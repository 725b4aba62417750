/*
 * Waiting on an address among the threads of one process, where the system has no call for it: a table of mutexes and
 * condition variables, indexed by a hash of the address.
 */
#include "wait.h"

#include "sys.h"

#include <stdatomic.h>
#include <string.h>

#define BUCKETS 64u
/* pthread_cond_timedwait goes by the settable clock (not every system lets one choose); waits are cut so that a step of
 * that clock costs no more than this. */
#define LONGEST INT64_C(100000000) /* ns */

typedef struct bucket {
    pthread_mutex_t mutex;
    pthread_cond_t  changed;
} bucket;

static bucket         buckets[BUCKETS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void reset(void)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        (void)pthread_mutex_init(&buckets[i].mutex, NULL);
        (void)pthread_cond_init(&buckets[i].changed, NULL);
    }
}

/* In a forked child nobody sleeps, and who held a mutex is gone: make all of them new. */
static void prepare(void)
{
    reset();
    (void)yoke__sys.pthread_atfork(NULL, NULL, reset);
}

static bucket *bucket_of(const uint32_t *word)
{
    (void)pthread_once(&once, prepare);
    return &buckets[((uintptr_t)word >> 2) * 2654435761u / 64u % BUCKETS];
}

static uint32_t load(const uint32_t *word)
{
    return atomic_load_explicit((const _Atomic uint32_t *)(const void *)word, memory_order_acquire);
}

static struct timespec realtime_after(int64_t nanoseconds)
{
    struct timespec at = {0, 0};

    (void)clock_gettime(CLOCK_REALTIME, &at); /* not in the table: it can't fail */
    nanoseconds += at.tv_nsec;
    at.tv_sec += (time_t)(nanoseconds / 1000000000);
    at.tv_nsec = (long)(nanoseconds % 1000000000);
    return at;
}

int yoke__posix_table_wait(const uint32_t *word, uint32_t expected, int64_t timeout)
{
    bucket *b = bucket_of(word);
    int64_t start = yoke__posix_clock(), left = timeout;

    (void)pthread_mutex_lock(&b->mutex);
    bool same = load(word) == expected;
    while (same && left > 0) {
        struct timespec until = realtime_after(left < LONGEST ? left : LONGEST);
        (void)pthread_cond_timedwait(&b->changed, &b->mutex, &until);
        same = load(word) == expected;
        left = timeout - (yoke__posix_clock() - start);
    }
    (void)pthread_mutex_unlock(&b->mutex);
    return same ? YOKE_ETIMEDOUT : YOKE_OK;
}

/* All sleepers of the bucket look at their own words again, so that count needs no look. The mutex makes sure that one
 * that has looked, but does not sleep yet, is not missed. */
void yoke__posix_table_wake(const uint32_t *word, uint32_t count)
{
    bucket *b = bucket_of(word);

    (void)count;
    (void)pthread_mutex_lock(&b->mutex);
    (void)pthread_cond_broadcast(&b->changed);
    (void)pthread_mutex_unlock(&b->mutex);
}
