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
    const void        *thread;     /* which thread of this process has it; NULL: nobody, free for reuse */
    uint32_t           generation; /* of the record */
    bool               watched;    /* somebody besides the parking lot listens to the bell (yoke__bell_mine) */
    struct yoke__seat *next;       /* all that were ever made; under the mutex */
} yoke__seat;

/* Registers the fork hook; before the first domain is joined. May be repeated. */
void yoke__seats_hook(void);

/* The calling thread's seat. NULL: all records are taken, or this process could not join, or no memory. Who asks can do
 * without. */
yoke__seat *yoke__seat_mine(yoke_domain *domain);
/* Opens the seat's bell, if it is not open yet. Only for the calling thread's seat. */
int yoke__seat_open_bell(yoke__seat *seat);

static inline yoke__thread *yoke__seat_record(const yoke__seat *seat)
{
    return &seat->bell.domain->layout->threads[seat->bell.thread];
}

#endif
