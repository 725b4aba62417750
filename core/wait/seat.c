#include "seat.h"

#include "../backend.h"
#include "../error.h"
#include "../local.h"
#include "parking.h"
#include "thread.h"

#include <stdlib.h>

/* All seats of this process, in use and free. Their memory never goes away, so that a stale cache is only stale. */
static yoke__seat *seats;
static yoke__mutex seats_mutex = YOKE__MUTEX_INIT;
/* Counted up whenever seats are taken away from threads behind their back. */
static yoke__a32 epoch = {1};

/* What the calling thread used last. Its address also names the thread: no two threads that live share it, and a new
 * thread at an old address may well go on with the seat. */
static _Thread_local struct {
    uint32_t           epoch;
    const yoke_domain *domain;
    yoke__seat        *seat;
} cached;

/* ---- giving back ------------------------------------------------------------------------------------------------- */

/* No thread's: who opened it closes it, and polls its bell until then, whatever becomes of the domain. */
static bool is_own(const yoke__seat *seat)
{
    return seat->thread == seat;
}

static yoke_bell_name name_of(const yoke__seat *seat)
{
    return (yoke_bell_name){seat->domain_id, seat->bell.thread, seat->generation};
}

static void free_seat(yoke__seat *seat)
{
    seat->bell = (yoke__bell){.native = YOKE_NO_NATIVE};
    seat->watched = false;
    seat->inherited = false;
    seat->thread = NULL;
}

static void close_bell(yoke__seat *seat)
{
    yoke_bell_name name = name_of(seat);
    yoke_native    bell = seat->bell.native;

    seat->bell.native = YOKE_NO_NATIVE; /* before its number may come to mean something else */
    yoke__fence_seq_cst();
    yoke__backend()->waiting->bell_close(bell, seat->inherited ? NULL : &name);
}

static void give_back(yoke__seat *seat)
{
    yoke__thread  *record = yoke__seat_record(seat);
    yoke_bell_name name = name_of(seat);

    yoke__a32_store_release(&record->watches, 0);
    yoke__a32_store_release(&record->bell, 0);
    if (seat->bell.native != YOKE_NO_NATIVE && !is_own(seat))
        close_bell(seat);
    else if (seat->bell.native != YOKE_NO_NATIVE)
        yoke__backend()->waiting->bell_remove(&name);
    yoke__a64_store_relaxed(&record->key, 0);
    yoke__a64_store_relaxed(&record->waits_for, 0);
    yoke__a32_store_release(&record->owner, 0); /* last: from here on the record is anybody's */
    if (is_own(seat))
        seat->bell.domain = NULL;
    else
        free_seat(seat);
}

/* On the ending thread itself, which may still use the library in other destructors: it then claims a new seat. */
static void thread_ended(void *thread)
{
    cached.epoch = 0;
    yoke__mutex_lock(&seats_mutex);
    for (yoke__seat *seat = seats; seat; seat = seat->next)
        if (seat->thread == thread)
            give_back(seat);
    yoke__mutex_unlock(&seats_mutex);
}

void yoke__threads_leave(yoke_domain *domain)
{
    yoke__mutex_lock(&seats_mutex);
    yoke__a32_add_acq_rel(&epoch, 1);
    for (yoke__seat *seat = seats; seat; seat = seat->next)
        if (seat->thread && seat->bell.domain == domain)
            give_back(seat);
    yoke__mutex_unlock(&seats_mutex);
}

/* ---- fork -------------------------------------------------------------------------------------------------------- */

/*
 * The records are the parent's: the child forgets them, and closes its copies of the bells. The mutex is not held across
 * the fork, since who holds the lock of a domain may want it; the list is sound at every instruction, and a bell that
 * another thread was just opening or closing is only left open.
 */
static void after_fork_in_child(void)
{
    yoke__thread_cached.number = 0;
    yoke__mutex_reset(&seats_mutex);
    yoke__a32_add_acq_rel(&epoch, 1);
    for (yoke__seat *seat = seats; seat; seat = seat->next) {
        if (is_own(seat)) {
            seat->bell.domain = NULL;
            seat->inherited = true;
            continue;
        }
        if (seat->thread && seat->bell.native != YOKE_NO_NATIVE)
            yoke__backend()->waiting->bell_close(seat->bell.native, NULL);
        free_seat(seat);
    }
}

void yoke__seats_hook(void)
{
    yoke__fork_hook_add(NULL, NULL, after_fork_in_child);
}

/* ---- claiming ---------------------------------------------------------------------------------------------------- */

static bool claim_record(yoke_domain *domain, yoke__token token, uint32_t *out)
{
    yoke__thread *threads = domain->layout->threads;
    uint32_t      first = (token & ((1u << YOKE__SLOT_BITS) - 1)) * (YOKE__THREADS / YOKE__PARTICIPANTS);

    for (uint32_t n = 0; n < YOKE__THREADS; n++) {
        uint32_t i = (first + n) % YOKE__THREADS, nobody = 0;
        if (yoke__a32_load_relaxed(&threads[i].owner) == 0 &&
            yoke__a32_cas_acq_rel(&threads[i].owner, &nobody, token)) {
            *out = i;
            return true;
        }
    }
    return false;
}

static yoke__seat *free_or_new(void)
{
    yoke__seat *seat = seats;

    while (seat && seat->thread)
        seat = seat->next;
    if (!seat && (seat = calloc(1, sizeof *seat)) != NULL) {
        free_seat(seat);
        seat->next = seats;
        yoke__fence_seq_cst(); /* for a fork in between: the list is sound at every instruction */
        seats = seat;
    }
    return seat;
}

/* thread NULL: no thread's. */
static yoke__seat *claim(yoke_domain *domain, const void *thread)
{
    yoke__token token = yoke__a32_load_relaxed(&domain->token);
    yoke__seat *seat = token ? free_or_new() : NULL;
    uint32_t    index;

    if (!seat || !claim_record(domain, token, &index))
        return NULL;
    seat->bell = (yoke__bell){domain, index, YOKE_NO_NATIVE};
    seat->domain_id = yoke__domain_header(domain)->id;
    yoke__thread *record = yoke__seat_record(seat);
    yoke__a64_store_relaxed(&record->key, 0);
    yoke__a32_store_relaxed(&record->watches, 0);
    yoke__a64_store_relaxed(&record->native, yoke__backend()->system->thread_id());
    seat->generation = yoke__a32_add_acq_rel(&record->generation, 1) + 1;
    seat->thread = thread ? thread : seat;
    return seat;
}

static yoke__seat *find_or_claim(yoke_domain *domain)
{
    yoke__seat *seat = seats;

    while (seat && !(seat->thread == &cached && seat->bell.domain == domain))
        seat = seat->next;
    return seat ? seat : claim(domain, &cached);
}

yoke__seat *yoke__seat_mine(yoke_domain *domain)
{
    uint32_t now = yoke__a32_load_relaxed(&epoch);
    bool     fresh = false;

    if (cached.domain == domain && cached.epoch == now)
        return cached.seat;
    if (yoke__domain_token(domain) == 0) /* before the mutex, since joining may come here to sleep */
        return NULL;
    yoke__mutex_lock(&seats_mutex);
    now = yoke__a32_load_relaxed(&epoch);
    yoke__seat *seat = find_or_claim(domain);
    yoke__mutex_unlock(&seats_mutex);
    if (!seat)
        return NULL;
    fresh = cached.epoch == 0;
    cached.epoch = now;
    cached.domain = domain;
    cached.seat = seat;
    const yoke_wait_ops *waiting = yoke__backend()->waiting;
    if (fresh && waiting->at_thread_end)
        (void)waiting->at_thread_end(thread_ended, &cached); /* without it the seat stays with the process */
    return seat;
}

int yoke__seat_open_bell(yoke__seat *seat)
{
    const yoke_wait_ops *waiting = yoke__backend()->waiting;
    yoke__thread        *record = yoke__seat_record(seat);

    if (seat->bell.native != YOKE_NO_NATIVE)
        return YOKE_OK;
    for (int attempt = 0;; attempt++) {
        yoke_bell_name name = name_of(seat);
        int            result = waiting->bell_open(&seat->bell.native, &name);
        if (result == YOKE_OK)
            break;
        if (result != YOKE_EEXIST || attempt == 16)
            return yoke__fail_in(result, "doorbell of a waiting thread");
        /* Left over from a dead process, or in the hands of somebody's child. */
        seat->generation = yoke__a32_add_acq_rel(&record->generation, 1) + 1;
    }
    yoke__a32_store_release(&record->bell, 1); /* after the generation that names it */
    return YOKE_OK;
}

/* ---- seats of no thread ------------------------------------------------------------------------------------------ */

int yoke__seat_open(yoke__seat **out, yoke_domain *domain)
{
    if (yoke__domain_token(domain) == 0)
        return YOKE_ENOMEM;
    yoke__mutex_lock(&seats_mutex);
    yoke__seat *seat = claim(domain, NULL);
    yoke__mutex_unlock(&seats_mutex);
    if (!seat)
        return yoke__fail(YOKE_ENOMEM, "domain %s: all %u records of waiting threads are taken",
                          (const char *)yoke__domain_header(domain)->name, YOKE__THREADS);
    int result = yoke__seat_open_bell(seat);
    if (result != YOKE_OK) {
        yoke__seat_close(seat);
        return result;
    }
    yoke__a32_store_release(&yoke__seat_record(seat)->watches, 1);
    *out = seat;
    return YOKE_OK;
}

void yoke__seat_close(yoke__seat *seat)
{
    yoke__mutex_lock(&seats_mutex);
    if (seat->bell.domain)
        give_back(seat);
    if (seat->bell.native != YOKE_NO_NATIVE)
        close_bell(seat);
    free_seat(seat);
    yoke__mutex_unlock(&seats_mutex);
}
