#include "word.h"

#include "../backend.h"
#include "parking.h"
#include "seat.h"
#include "thread.h"

static const uint32_t *plain(const yoke__a32 *word)
{
    return (const uint32_t *)(const void *)&word->word;
}

void yoke__word_wait(yoke_domain *domain, const yoke__a32 *word, uint32_t expected, yoke__deadline deadline)
{
    int64_t left = yoke__deadline_left(deadline, YOKE__SLICE);

    if (left <= 0)
        return;
    if (yoke__domain_header(domain)->wait_mode == YOKE__WAIT_NATIVE)
        (void)yoke__backend()->waiting->wait_word(plain(word), expected, left);
    else
        yoke__park(domain, word, expected, left);
}

void yoke__word_wake(yoke_domain *domain, yoke__a32 *word, uint32_t count)
{
    if (yoke__domain_header(domain)->wait_mode == YOKE__WAIT_NATIVE)
        yoke__backend()->waiting->wake_word(plain(word), count);
    else
        yoke__unpark(domain, word, count);
}

void yoke__wait_begin(yoke_domain *domain, yoke__id object)
{
    yoke__seat *seat = yoke__seat_mine(domain);

    if (!seat)
        return;
    yoke__thread *record = yoke__seat_record(seat);
    yoke__a64_store_relaxed(&record->native,
                            yoke__thread_number()); /* a new thread may go on with the seat of an old */
    yoke__a64_store_relaxed(&record->since, (uint64_t)yoke__backend()->system->now());
    yoke__a64_store_release(&record->waits, yoke__a64_load_relaxed(&record->waits) + 1);
    yoke__a64_store_release(&record->waits_for, object);
}

void yoke__wait_end(yoke_domain *domain)
{
    yoke__seat *seat = yoke__seat_mine(domain);

    if (seat)
        yoke__a64_store_release(&yoke__seat_record(seat)->waits_for, 0);
}
