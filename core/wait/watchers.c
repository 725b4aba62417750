#include "watchers.h"

#include "word.h"

/* Of those in the bucket that have said so; a dead one's bell is not there any more, which ringing finds out. */
static void ring_bucket(yoke_domain *domain, uint32_t bucket)
{
    for (uint32_t i = bucket; i < YOKE__THREADS; i += 64)
        if (yoke__a32_load_acquire(&domain->layout->threads[i].watches) != 0)
            (void)yoke__bell_ring(domain, i);
}

/* The exchange comes first: a bit set after it is for the next change, and whoever sets it looks at the object after
 * this one was committed. */
void yoke__watchers_tell(yoke_domain *domain, yoke__a64 *word)
{
    uint64_t buckets = yoke__a64_exchange_acq_rel(word, 0);

    for (uint32_t bucket = 0; buckets != 0; bucket++, buckets >>= 1)
        if ((buckets & 1) != 0)
            ring_bucket(domain, bucket);
}

/* Nearly always the bit is there already. If it goes between this load and the fence that follows, then by a change that
 * the look after the fence may miss, but whose maker rings. */
void yoke__watchers_arm(yoke__a64 *word, uint32_t thread)
{
    uint64_t bit = UINT64_C(1) << (thread % 64);

    if ((yoke__a64_load_acquire(word) & bit) == 0)
        yoke__a64_or_acq_rel(word, bit);
}
