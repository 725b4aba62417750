/* Which peers this binary has, and what their files share. */
#include "peers.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

extern const bench_peer bench_yoke, bench_yoke_lend, bench_spsc, bench_mpmc, bench_spin_slot, bench_futex_slot;
extern const bench_peer bench_condvar, bench_pipe_peer, bench_seqpacket, bench_stream;
extern const bench_peer bench_boost, bench_zmq, bench_nng, bench_posix_mq;

/* Those of which the build found no library. */
#ifndef BENCH_HAVE_BOOST
const bench_peer bench_boost = {.name = "boost_mq", .missing = "Boost.Interprocess or a C++ compiler (libboost-dev)"};
#endif
#ifndef BENCH_HAVE_ZMQ
const bench_peer bench_zmq = {.name = "zeromq", .missing = "ZeroMQ (libzmq3-dev)"};
#endif
#ifndef BENCH_HAVE_NNG
const bench_peer bench_nng = {.name = "nng", .missing = "nng (libnng-dev)"};
#endif
#ifndef BENCH_HAVE_MQ
const bench_peer bench_posix_mq = {.name = "posix_mq", .missing = "mqueue.h"};
#endif
#ifndef BENCH_HAVE_LEND
const bench_peer bench_yoke_lend = {.name = "yoke_lend", .missing = "yoke_queue_reserve() and its kin in queue.h"};
#endif

const bench_peer *const bench_peers[] = {
    &bench_yoke,       &bench_yoke_lend, &bench_spsc,      &bench_mpmc,   &bench_spin_slot,
    &bench_futex_slot, &bench_condvar,   &bench_boost,     &bench_zmq,    &bench_nng,
    &bench_posix_mq,   &bench_pipe_peer, &bench_seqpacket, &bench_stream, NULL,
};

bool bench_failed(const char *what)
{
    fprintf(stderr, "yoke-bench: %s: %s\n", what, strerror(errno));
    return false;
}

void *bench_shared(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        (void)bench_failed("shared memory");
        return NULL;
    }
    memset(memory, 0, bytes); /* page faults belong to no measurement */
    return memory;
}

void bench_unshare(void *memory, size_t bytes)
{
    (void)munmap(memory, bytes);
}

void bench_spin_turn(unsigned *turns)
{
    if (++*turns % 2048 == 0) {
        (void)sched_yield();
        return;
    }
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}
