#include "parking.h"

#include "../backend.h"
#include "../domain/participant.h"
#include "seat.h"

#define GROUPS (YOKE__THREADS / 64u)
#define NAP    INT64_C(2000000) /* ns */

static yoke__bucket *bucket_of(yoke_domain *domain, uint64_t key)
{
    return &domain->layout->buckets[(uint32_t)(key >> 2) * 2654435761u >> 26];
}
_Static_assert(YOKE__BUCKETS == 64, "bucket_of takes the upper 6 bits of 32");

/* ---- sleeping ---------------------------------------------------------------------------------------------------- */

/* Who can't be woken looks again soon: with more threads asleep than records, or no descriptor left for a bell. */
static void nap(int64_t timeout)
{
    static const uint32_t nothing;

    (void)yoke__backend()->waiting->wait_local(&nothing, 0, timeout < NAP ? timeout : NAP);
}

/* Until a waker has cleared the key, the word has changed or the time is over. Rings may be stale or meant for a watcher
 * of the same bell; true if any was taken. */
static bool sleep_on_bell(const yoke__seat *seat, const yoke__a32 *word, uint32_t expected, int64_t timeout)
{
    const yoke_backend *backend = yoke__backend();
    const yoke__thread *record = yoke__seat_record(seat);
    int64_t             now = backend->system->now(), end = now + timeout;
    bool                rung = false;

    while (yoke__a64_load_acquire(&record->key) != 0 && yoke__a32_load_acquire(word) == expected && now < end) {
        int result = backend->waiting->bell_wait(seat->bell.native, end - now);
        if (result == YOKE_OK)
            rung = true;
        else if (result != YOKE_ETIMEDOUT)
            nap(end - now);
        now = backend->system->now();
    }
    return rung;
}

/*
 * The bit, a full fence, then the word; the waker has its store to the word, a full fence, then the bits. So one of the
 * two sees the other. A waker that finds the bit also finds the key, by the release of the RMW.
 */
void yoke__park(yoke_domain *domain, const yoke__a32 *word, uint32_t expected, int64_t timeout)
{
    yoke__seat *seat = yoke__seat_mine(domain);

    if (!seat || yoke__seat_open_bell(seat) != YOKE_OK) {
        nap(timeout);
        return;
    }

    yoke__thread *record = yoke__seat_record(seat);
    uint64_t      key = yoke__domain_offset(domain, word);
    uint64_t      bit = UINT64_C(1) << (seat->bell.thread % 64);
    yoke__a64    *bits = &bucket_of(domain, key)->waiters[seat->bell.thread / 64];
    yoke__a64_store_relaxed(&record->key, key);
    yoke__a64_or_acq_rel(bits, bit);
    yoke__fence_seq_cst();
    bool rung = sleep_on_bell(seat, word, expected, timeout);
    yoke__a64_store_relaxed(&record->key, 0); /* a waker that loses to this passes on to the next sleeper */
    yoke__a64_and_acq_rel(bits, ~bit);
    if (rung && seat->watched)
        yoke__bell_ring(domain,
                        seat->bell.thread); /* the ring may have been the watcher's: a spurious one is harmless */
}

/* ---- waking ------------------------------------------------------------------------------------------------------ */

/* True if that thread was asleep on key and has been told. The CAS decides which of several wakers has it. Where all are
 * woken it does not matter that some may be dead, and nothing is asked that takes a lock: a signal handler may wake all. */
static bool wake_thread(yoke_domain *domain, uint32_t index, uint64_t key, bool all)
{
    yoke__thread *record = &domain->layout->threads[index];
    yoke__token   owner = yoke__a32_load_relaxed(&record->owner);

    if (yoke__a64_load_relaxed(&record->key) != key || owner == 0 || (!all && !yoke__token_alive(domain, owner)))
        return false; /* a dead sleeper must not swallow a wake-up */
    if (!yoke__a64_cas_acq_rel(&record->key, &key, 0))
        return false;
    return yoke__bell_ring(domain, index);
}

static uint32_t wake_group(yoke_domain *domain, uint32_t group, uint64_t bits, uint64_t key, uint32_t count)
{
    uint32_t woken = 0;

    for (uint32_t i = 0; bits != 0 && woken < count; i++, bits >>= 1)
        if ((bits & 1) != 0 && wake_thread(domain, group * 64 + i, key, count == UINT32_MAX))
            woken++;
    return woken;
}

void yoke__unpark(yoke_domain *domain, const yoke__a32 *word, uint32_t count)
{
    static yoke__a32 turn; /* starts each search elsewhere, so that the first records are not always served first */
    uint64_t         key = yoke__domain_offset(domain, word);
    yoke__bucket    *bucket = bucket_of(domain, key);
    uint32_t         first = yoke__a32_load_relaxed(&turn);
    uint32_t         woken = 0;

    yoke__a32_store_relaxed(&turn, first + 1);
    for (uint32_t n = 0; n < GROUPS && woken < count; n++) {
        uint32_t group = (first + n) % GROUPS;
        uint64_t bits = yoke__a64_load_acquire(&bucket->waiters[group]);
        if (bits != 0)
            woken += wake_group(domain, group, bits, key, count == UINT32_MAX ? count : count - woken);
    }
}

/* ---- recovery ---------------------------------------------------------------------------------------------------- */

/* Order: out of the buckets, then the bell, then the record is free. Repeatable after any step. */
static void recover_record(yoke_domain *domain, uint32_t index)
{
    yoke__thread  *record = &domain->layout->threads[index];
    uint64_t       bit = UINT64_C(1) << (index % 64);
    yoke_bell_name name = {yoke__domain_header(domain)->id, index, yoke__a32_load_relaxed(&record->generation)};

    for (uint32_t b = 0; b < YOKE__BUCKETS; b++) {
        yoke__a64 *bits = &domain->layout->buckets[b].waiters[index / 64];
        if ((yoke__a64_load_relaxed(bits) & bit) != 0)
            yoke__a64_and_acq_rel(bits, ~bit);
    }
    /* Whether or not it got as far as saying so: a bell may have been opened just before its owner died. */
    yoke__backend()->waiting->bell_remove(&name);
    yoke__a32_store_relaxed(&record->bell, 0);
    yoke__a32_store_relaxed(&record->watches, 0);
    yoke__a64_store_relaxed(&record->key, 0);
    yoke__a64_store_relaxed(&record->waits_for, 0);
    yoke__a32_store_release(&record->owner, 0);
}

void yoke__threads_recover(yoke_domain *domain, yoke__token dead)
{
    for (uint32_t i = 0; i < YOKE__THREADS; i++)
        if (yoke__a32_load_acquire(&domain->layout->threads[i].owner) == dead)
            recover_record(domain, i);
}
