/*
 * Seats: the thread records (yoke__thread) that this process has claimed in its domains, one per thread and domain. A
 * seat is claimed at the thread's first need and given back when the thread ends (where the backend can tell), when the
 * process leaves the domain, or after its death by recovery.
 *
 * All functions may be called by any thread. None sleeps in shared memory.
 */
#ifndef YOKE_CORE_WAIT_SEAT_H
#define YOKE_CORE_WAIT_SEAT_H

#include "word.h"

typedef struct yoke__seat {
    yoke__bell         bell;       /* bell.thread is the record's index; native is YOKE_NO_NATIVE until it is opened */
    const void        *thread;     /* which thread of this process has it; NULL: nobody, free for reuse; itself: it is
                                      no thread's (yoke__seat_open) */
    uint64_t           domain_id;  /* and */
    uint32_t           generation; /* of the record: the bell's name */
    bool               watched;    /* somebody besides the parking lot listens to the bell (yoke__bell_mine) */
    bool               inherited;  /* no thread's, and from before a fork */
    struct yoke__seat *next;       /* all that were ever made; under the mutex */
} yoke__seat;

/* Registers the fork hook; before the first domain is joined. May be repeated. */
void yoke__seats_hook(void);

/* The calling thread's seat. NULL: all records are taken, or this process could not join, or no memory. Who asks can do
 * without. */
yoke__seat *yoke__seat_mine(yoke_domain *domain);
/* Opens the seat's bell, if it is not open yet. Only for the calling thread's seat. */
int yoke__seat_open_bell(yoke__seat *seat);

/*
 * A seat of its own, for no thread, with its bell open and rung for what is watched: threads may come and go while an
 * event loop polls the bell, and nobody parks on it. When the domain is left its record goes, bell.domain becomes NULL,
 * and the bell stays until yoke__seat_close(): the loop still has its descriptor. The same in a forked child, where the
 * bell is the parent's. YOKE_ENOMEM: no record or no descriptor left.
 */
int  yoke__seat_open(yoke__seat **out, yoke_domain *domain);
void yoke__seat_close(yoke__seat *seat);

static inline yoke__thread *yoke__seat_record(const yoke__seat *seat)
{
    return &seat->bell.domain->layout->threads[seat->bell.thread];
}

#endif
