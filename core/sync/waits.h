/*
 * Who waits for whom, as a graph: from one thread that waits, through what it waits for, to those who hold that, and what
 * these wait for, in all domains that this process has open. docs/design/locks.md argues what follows from it.
 */
#ifndef YOKE_CORE_SYNC_WAITS_H
#define YOKE_CORE_SYNC_WAITS_H

#include "../domain/object.h"

#define YOKE__BLOCKERS_MAX 4096u                /* of one object */
#define YOKE__BLOCKERS_ALL UINT32_C(0x80000000) /* in what blockers() returns: all of them would have to stay */
#define YOKE__NOBODY       UINT32_MAX           /* one that does not wait */

/* One that keeps a thread from getting an object. */
typedef struct yoke__blocker {
    uint64_t holder;      /* {token:32 | thread:32}; what it was, at a moment after acquisition was read */
    uint64_t acquisition; /* differs for another acquisition by the same thread */
} yoke__blocker;

/* A thread that waits, as its record in the domain says in which it does. */
typedef struct yoke__waiting {
    yoke_domain *domain;
    uint64_t     thread; /* {token:32 | thread:32} in that domain */
    yoke__id     object;
    uint64_t     wait;         /* counts the waits of that record */
    uint64_t     since;        /* of the wait, backend's clock */
    bool         looks;        /* it looks for deadlocks itself */
    bool         any;          /* it goes on when any one of those it waits for has let go; else when all have */
    bool         stuck;        /* it will never go on, if all stays as it was seen */
    uint32_t     links, count; /* whom it waits for: the first of them in yoke__waits.links, and how many */
    uint32_t     next;         /* on the way back to the first thread: the link to be followed */
} yoke__waiting;

typedef struct yoke__waits_link {
    uint32_t to; /* index of a thread, or YOKE__NOBODY */
    uint64_t acquisition;
} yoke__waits_link;

/* The first thread is the calling one. In this process's memory. */
typedef struct yoke__waits {
    yoke__waiting    *threads;
    yoke__waits_link *links;
    uint32_t          count, room;
    uint32_t          link_count, link_room;
    bool              failed; /* no memory */
} yoke__waits;

/* Looks at all that can be reached from the calling thread, which waits in that domain as its record says. With the list
 * of domains locked. False: it does not wait, or there is no memory. To be freed in any case. */
bool yoke__waits_look(yoke__waits *waits, yoke_domain *domain);
void yoke__waits_free(yoke__waits *waits);

#endif
