/* Locks as yoke-bench sees them. */
#ifndef YOKE_BENCH_LOCKS_H
#define YOKE_BENCH_LOCKS_H

#include "bench.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One kind of lock. The functions are called through these pointers for all kinds alike. */
typedef struct bench_lock {
    const char *name;
    const char *missing; /* why it can't be measured here, or NULL */
    /* In a mapping of a page that forked processes share, which is zero and this lock's alone. Returns what acquire gets. */
    void *(*make)(void *memory);
    void (*acquire)(void *lock);
    void (*release)(void *lock);
    void (*destroy)(void *lock);
} bench_lock;

extern const bench_lock bench_lock_boost; /* peer_boost_lock.cpp, if built */

#ifdef __cplusplus
}
#endif
#endif
