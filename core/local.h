/*
 * A mutex among the threads of one process, for core's process-local tables. Short sections only; never held while
 * sleeping in shared memory. Those listed in local.c are held across a fork and reset in the child.
 */
#ifndef YOKE_CORE_LOCAL_H
#define YOKE_CORE_LOCAL_H

#include "atomic.h"

typedef struct yoke__mutex {
    yoke__a32 word; /* 0 free, 1 held, 2 held and somebody sleeps */
} yoke__mutex;
#define YOKE__MUTEX_INIT                                                                                               \
    {                                                                                                                  \
        {                                                                                                              \
            0                                                                                                          \
        }                                                                                                              \
    }

void yoke__mutex_lock(yoke__mutex *mutex);
void yoke__mutex_unlock(yoke__mutex *mutex);
/* In a forked child, for a mutex that was held across the fork: free, and nobody sleeps on it. */
void yoke__mutex_reset(yoke__mutex *mutex);

/* Registers the fork hooks once; called when the first domain is made or a backend is chosen. In the child: mutexes are
 * reset, tokens dropped, watches of other processes forgotten, loops forgotten. */
void yoke__fork_hooks(void);
/* A subsystem's own part in it; called in core's initialisation, before any fork. Hooks run in order of registration,
 * prepare in reverse: so what is registered later is locked before what was registered earlier. Any may be NULL. At most
 * 16 for each rank; adding the same three again does nothing. Mutexes that others are held around are of a lower rank,
 * whatever the order of registration: lower ranks are prepared after all higher ones. */
typedef enum yoke__fork_rank {
    YOKE__FORK_WATCHES, /* innermost: nothing is locked inside */
    YOKE__FORK_HANDLES,
    YOKE__FORK_JOIN,
    YOKE__FORK_OUTER, /* the default */
    YOKE__FORK_RANKS
} yoke__fork_rank;
void yoke__fork_hook_add_at(yoke__fork_rank rank, void (*prepare)(void), void (*parent)(void), void (*child)(void));
void yoke__fork_hook_add(void (*prepare)(void), void (*parent)(void), void (*child)(void));
/* True while the calling thread is inside a backend's spawn: if that forks, it is only to execute a program, nothing of
 * core is touched in between, and no hook runs. */
extern _Thread_local bool yoke__spawning;

#endif
