/*
 * What carries messages from one process to another, in one direction: ours, the peers that Debian packages, and bounds
 * of the machine. Each is one small file; workloads know only this.
 */
#ifndef YOKE_BENCH_PEERS_H
#define YOKE_BENCH_PEERS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_MOST_SIDE 2 /* putters or getters of a lane, at most */

/* What a lane will carry, known before it is opened. */
typedef struct bench_shape {
    size_t size;    /* of every message */
    size_t depth;   /* messages that it should hold at most */
    int    putters; /* 1 to BENCH_MOST_SIDE */
    int    getters;
} bench_shape;

typedef enum bench_side { BENCH_PUTS, BENCH_GETS } bench_side;

typedef struct bench_peer {
    const char *name;
    const char *missing;   /* what is not here, so that the peer could not be built; NULL if it was */
    bool        bound;     /* only spins, or can do one thing only: shows what the machine allows */
    bool        many;      /* several putters and getters can share a lane */
    bool        no_stream; /* holds one message: for round trips only */
    bool        no_trip;   /* sends when several are there */
    bool        lends;     /* send and receive touch the first bytes only: nothing is copied */
    size_t      largest;   /* message that it can carry, in bytes; 0: any */
    /* In the parent, before it forks. NULL: not possible here; says why on stderr. */
    void *(*open)(const bench_shape *shape);
    /* In each child, before its first call; index counts from 0 on either side. */
    bool (*join)(void *lane, bench_side side, int index);
    /* Block until done. False: failed. */
    bool (*send)(void *lane, const void *data, size_t size);
    bool (*receive)(void *lane, void *data, size_t size);
    /* In the parent, after the children are gone (killed, mostly). Leaves nothing in the system. */
    void (*close)(void *lane);
} bench_peer;

/* All of them, ours first; ends with NULL. */
extern const bench_peer *const bench_peers[];

/* Says "yoke-bench: WHAT: reason of errno" on stderr; false. */
bool bench_failed(const char *what);

/* Memory that children share, zeroed and touched; NULL with a word on stderr. */
void *bench_shared(size_t bytes);
void  bench_unshare(void *memory, size_t bytes);

/* One turn of a loop that waits for another process. Gives the CPU away now and then: it may be the only one. */
void bench_spin_turn(unsigned *turns);

#ifdef __cplusplus
}
#endif
#endif
