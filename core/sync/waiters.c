#include "waiters.h"

#include "../domain/allocator.h"
#include "../domain/participant.h"
#include "../error.h"

#define CHUNK_FIRST 16u
#define CHUNKS_MOST 20u /* each has twice the slots of the one before; where there are more, they run in a circle */

/* ---- walking ------------------------------------------------------------------------------------------------------ */

static yoke__waiter_chunk *next_of(yoke_domain *domain, const yoke__waiter_chunk *chunk)
{
    uint64_t            offset = yoke__a64_load_acquire(&chunk->next);
    yoke__waiter_chunk *next = offset ? yoke__domain_check(domain, offset, sizeof *next) : NULL;
    uint64_t            bytes = next ? yoke__a32_load_relaxed(&next->count) * (uint64_t)sizeof(yoke__wait_slot) : 0;

    return next && yoke__domain_check(domain, offset, sizeof *next + bytes) ? next : NULL;
}

/* Over all slots: for (walk w = begin(waiters); (slot = next_slot(domain, &w)) != NULL;) */
typedef struct walk {
    yoke__waiter_chunk *chunk;
    uint32_t            index, chunks;
} walk;

static walk begin(yoke__waiters *waiters)
{
    return (walk){.chunk = &waiters->chunk};
}

static yoke__wait_slot *next_slot(yoke_domain *domain, walk *w)
{
    while (w->chunk && w->index == yoke__a32_load_relaxed(&w->chunk->count)) {
        w->chunk = ++w->chunks < CHUNKS_MOST ? next_of(domain, w->chunk) : NULL;
        w->index = 0;
    }
    return w->chunk ? (yoke__wait_slot *)(void *)(w->chunk + 1) + w->index++ : NULL;
}

static uint32_t state_of(uint32_t word)
{
    return word & YOKE__ORPHANED;
}

/* ---- memory ------------------------------------------------------------------------------------------------------- */

void yoke__waiters_init(yoke__waiters *waiters)
{
    yoke__a32_store_relaxed(&waiters->chunk.count, YOKE__FEW_WAITERS);
}

/* A chunk is nobody's but ours before it is unlinked: who dies in between leaves it to recovery, and the rest linked. */
void yoke__waiters_destroy(yoke_domain *domain, yoke__waiters *waiters)
{
    yoke__waiter_chunk *next;

    while ((next = next_of(domain, &waiters->chunk)) != NULL) {
        yoke__alloc_take(domain, next);
        yoke__a64_store_release(&waiters->chunk.next, yoke__a64_load_relaxed(&next->next));
        yoke__free(domain, next);
    }
}

bool yoke__waiters_link(yoke_domain *domain, yoke__waiters *waiters, const void *block)
{
    const yoke__waiter_chunk *chunk = &waiters->chunk;

    for (uint32_t n = 0; n < CHUNKS_MOST && chunk; n++) {
        chunk = next_of(domain, chunk);
        if (chunk == block)
            return chunk != NULL;
    }
    return false;
}

/* Lock held. Linked before it is given away: if we die in between, recovery asks yoke__waiters_link(). */
static bool grow(yoke_domain *domain, yoke__waiters *waiters, yoke__id id)
{
    yoke__waiter_chunk *last = &waiters->chunk, *added;
    uint32_t            count = CHUNK_FIRST, chunks = 1;

    for (yoke__waiter_chunk *next; (next = next_of(domain, last)) != NULL; last = next, count *= 2)
        if (++chunks == CHUNKS_MOST) {
            yoke__fail(YOKE_ENOMEM, "more threads wait for the condition than it has room for");
            return false;
        }
    added = yoke__alloc_zero(domain, sizeof *added + count * sizeof(yoke__wait_slot), id);
    if (!added)
        return false;
    yoke__a32_store_relaxed(&added->count, count);
    yoke__a64_store_release(&last->next, yoke__domain_offset(domain, added));
    yoke__alloc_give(domain, added, id);
    return true;
}

/* ---- notifies that have lost their waiter -------------------------------------------------------------------------- */

static bool waited_then(const yoke__wait_slot *slot, uint64_t heard)
{
    return state_of(yoke__a32_load_acquire(&slot->word)) == YOKE__WAITING &&
           yoke__a64_load_relaxed(&slot->ticket) < heard;
}

static bool lives(yoke_domain *domain, const yoke__wait_slot *slot)
{
    return yoke__token_alive(domain, yoke__a32_load_relaxed(&slot->word) & YOKE__TOKEN_MASK);
}

/* Who came first of those who wait, live, and came before that ticket; NULL: nobody. Whether one lives is asked only of
 * whom nobody that was found alive comes before. */
static yoke__wait_slot *oldest(yoke_domain *domain, yoke__waiters *waiters, uint64_t before)
{
    yoke__wait_slot *found = NULL, *slot;

    for (walk w = begin(waiters); (slot = next_slot(domain, &w)) != NULL;)
        if (waited_then(slot, found ? yoke__a64_load_relaxed(&found->ticket) : before) && lives(domain, slot))
            found = slot;
    return found;
}

static void wake(yoke_domain *domain, yoke__wait_slot *slot)
{
    yoke__fence_seq_cst();
    yoke__word_wake(domain, &slot->word, 1);
}

/*
 * A notified slot whose owner is dead or goes. Free if nobody waited besides, when the notify came: nobody can come to
 * have waited then. Else an orphan, for the one who waited longest to take: our hint may be lost with us, but all of
 * them look at the end of each slice.
 */
static void disown(yoke_domain *domain, yoke__waiters *waiters, yoke__wait_slot *slot, uint32_t seen)
{
    yoke__wait_slot *heir = oldest(domain, waiters, yoke__a64_load_relaxed(&slot->heard));

    if (yoke__a32_cas_acq_rel(&slot->word, &seen, heir ? YOKE__ORPHANED : 0) && heir)
        wake(domain, heir);
}

/* Orphans that nobody may take any more. */
static bool clear_orphans(yoke_domain *domain, yoke__waiters *waiters)
{
    yoke__wait_slot *slot;
    bool             any = false;

    for (walk w = begin(waiters); (slot = next_slot(domain, &w)) != NULL;) {
        uint32_t seen = yoke__a32_load_acquire(&slot->word);
        if (seen == YOKE__ORPHANED && !oldest(domain, waiters, yoke__a64_load_relaxed(&slot->heard)))
            any = yoke__a32_cas_acq_rel(&slot->word, &seen, 0) || any;
    }
    return any;
}

void yoke__waiters_sweep(yoke_domain *domain, yoke__waiters *waiters, yoke__token dead)
{
    yoke__wait_slot *slot;

    for (walk w = begin(waiters); (slot = next_slot(domain, &w)) != NULL;) {
        uint32_t seen = yoke__a32_load_acquire(&slot->word);
        while ((seen & YOKE__TOKEN_MASK) == dead && state_of(seen) != YOKE__NOTIFIED)
            if (yoke__a32_cas_acq_rel(&slot->word, &seen, 0)) /* it may be notified at this moment */
                break;
        if ((seen & YOKE__TOKEN_MASK) == dead && state_of(seen) == YOKE__NOTIFIED)
            disown(domain, waiters, slot, seen);
    }
}

/*
 * The orphan becomes ours, then our own slot becomes free. If a notify of our own arrived there in between, we have two,
 * and the orphan is one again. Who dies between any two of these steps leaves slots that recovery understands.
 */
static bool take(yoke_domain *domain, yoke__waiters *waiters, yoke__wait_slot *orphan, yoke__wait_slot **waiter)
{
    uint32_t seen = YOKE__ORPHANED;
    uint32_t mine = yoke__a32_load_relaxed(&domain->token);

    if (!yoke__a32_cas_acq_rel(&orphan->word, &seen, mine | YOKE__NOTIFIED))
        return false;
    if (yoke__waiter_give_up(*waiter))
        *waiter = orphan;
    else
        yoke__waiters_pass_on(domain, waiters, orphan);
    return true;
}

bool yoke__waiters_adopt(yoke_domain *domain, yoke__waiters *waiters, yoke__wait_slot **waiter)
{
    yoke__wait_slot *slot, *first;

    for (walk w = begin(waiters); (slot = next_slot(domain, &w)) != NULL;) {
        uint64_t heard = yoke__a64_load_relaxed(&slot->heard);
        if (yoke__a32_load_acquire(&slot->word) != YOKE__ORPHANED ||
            yoke__a64_load_relaxed(&(*waiter)->ticket) >= heard)
            continue;
        first = oldest(domain, waiters, heard);
        if (first == *waiter && take(domain, waiters, slot, waiter))
            return true;
        if (first && first != *waiter)
            wake(domain, first);
    }
    return false;
}

/* ---- a waiter ------------------------------------------------------------------------------------------------------ */

static yoke__wait_slot *claim(yoke_domain *domain, yoke__waiters *waiters, yoke__token mine)
{
    yoke__wait_slot *slot;

    for (walk w = begin(waiters); (slot = next_slot(domain, &w)) != NULL;) {
        uint32_t nobody = 0;
        if (yoke__a32_load_relaxed(&slot->word) == 0 && yoke__a32_cas_acq_rel(&slot->word, &nobody, mine))
            return slot;
    }
    return NULL;
}

yoke__wait_slot *yoke__waiters_enter(yoke_domain *domain, yoke__waiters *waiters, yoke__id id)
{
    yoke__token      mine = yoke__domain_token(domain);
    yoke__wait_slot *slot = claim(domain, waiters, mine);

    while (!slot && (clear_orphans(domain, waiters) || grow(domain, waiters, id)))
        slot = claim(domain, waiters, mine);
    if (!slot)
        return NULL;
    yoke__a64_store_relaxed(&slot->ticket, yoke__a64_add_acq_rel(&waiters->next_ticket, 1));
    yoke__a32_store_release(&slot->word, mine | YOKE__WAITING); /* the commit */
    return slot;
}

bool yoke__waiter_give_up(yoke__wait_slot *waiter)
{
    uint32_t seen = yoke__a32_load_acquire(&waiter->word);

    while (state_of(seen) == YOKE__WAITING)
        if (yoke__a32_cas_acq_rel(&waiter->word, &seen, 0))
            return true;
    return false;
}

void yoke__waiter_leave(yoke__wait_slot *waiter)
{
    yoke__a32_store_release(&waiter->word, 0);
}

void yoke__waiters_pass_on(yoke_domain *domain, yoke__waiters *waiters, yoke__wait_slot *waiter)
{
    disown(domain, waiters, waiter, yoke__a32_load_acquire(&waiter->word));
}

/* ---- notifying ----------------------------------------------------------------------------------------------------- */

static bool notify(yoke_domain *domain, yoke__wait_slot *slot, uint64_t heard)
{
    uint32_t seen = yoke__a32_load_acquire(&slot->word);

    if (state_of(seen) != YOKE__WAITING)
        return false;
    yoke__a64_store_relaxed(&slot->heard, heard);
    if (!yoke__a32_cas_acq_rel(&slot->word, &seen, (seen & YOKE__TOKEN_MASK) | YOKE__NOTIFIED))
        return false; /* has given up, or was found dead */
    wake(domain, slot);
    return true;
}

/* Dead ones too, if nobody has noticed: what is left of theirs goes to nobody, since all others are notified. */
static void notify_everybody(yoke_domain *domain, yoke__waiters *waiters, uint64_t heard)
{
    yoke__wait_slot *slot;

    for (walk w = begin(waiters); (slot = next_slot(domain, &w)) != NULL;)
        (void)notify(domain, slot, heard);
}

static bool more_than(yoke_domain *domain, yoke__waiters *waiters, uint64_t n)
{
    yoke__wait_slot *slot;
    uint64_t         waiting = 0;

    for (walk w = begin(waiters); waiting <= n && (slot = next_slot(domain, &w)) != NULL;)
        waiting += state_of(yoke__a32_load_relaxed(&slot->word)) == YOKE__WAITING;
    return waiting > n;
}

void yoke__waiters_notify(yoke_domain *domain, yoke__waiters *waiters, uint64_t n)
{
    uint64_t heard = yoke__a64_load_relaxed(&waiters->next_ticket);

    if (!more_than(domain, waiters, n)) {
        if (n > 0)
            notify_everybody(domain, waiters, heard);
        return;
    }
    for (yoke__wait_slot *slot; n > 0 && (slot = oldest(domain, waiters, heard)) != NULL;)
        n -= notify(domain, slot, heard);
}

void yoke__waiters_stir(yoke_domain *domain, yoke__waiters *waiters)
{
    yoke__wait_slot *slot;

    for (walk w = begin(waiters); (slot = next_slot(domain, &w)) != NULL;)
        if (state_of(yoke__a32_load_acquire(&slot->word)) == YOKE__WAITING)
            wake(domain, slot);
}

uint64_t yoke__waiters_count(yoke_domain *domain, yoke__waiters *waiters)
{
    yoke__wait_slot *slot;
    uint64_t         waiting = 0;

    for (walk w = begin(waiters); (slot = next_slot(domain, &w)) != NULL;)
        waiting += state_of(yoke__a32_load_acquire(&slot->word)) == YOKE__WAITING && lives(domain, slot);
    return waiting;
}
