/* What happens to a barrier under its guard. */
#include "barrier.h"

#include "../domain/allocator.h"
#include "../domain/participant.h"
#include "../error.h"

#define ROUNDS_MOST 4096u /* more are a circle: one is added only where all others are being left */

/* ---- records ------------------------------------------------------------------------------------------------------- */

static uint64_t round_size(const yoke__barrier *barrier)
{
    return sizeof(yoke__round) + (uint64_t)barrier->state->parties * sizeof(yoke__a32);
}

/* NULL: 0, or outside of the domain. */
static yoke__round *round_at(const yoke__barrier *barrier, uint64_t offset)
{
    offset &= ~YOKE__WHY_MASK;
    return offset ? yoke__domain_check(barrier->domain, offset, round_size(barrier)) : NULL;
}

static yoke__round *next_round(const yoke__barrier *barrier, const yoke__round *round)
{
    return round_at(barrier, yoke__a64_load_acquire(&round->next));
}

static yoke__round *first_round(const yoke__barrier *barrier)
{
    return round_at(barrier, yoke__a64_load_acquire(&barrier->state->rounds));
}

/* Linked by one store, then given away: recovery asks yoke__barrier_links(). */
static yoke__round *add_round(const yoke__barrier *barrier, yoke__a64 *link)
{
    yoke__round *round = yoke__alloc_zero(barrier->domain, round_size(barrier), barrier->id);

    if (!round)
        return NULL;
    yoke__a64_store_release(link, yoke__domain_offset(barrier->domain, round));
    yoke__alloc_give(barrier->domain, round, barrier->id);
    return round;
}

/* Two records do where nobody is more than a round late. */
int yoke__barrier_init(const yoke__barrier *barrier)
{
    yoke__round *round = add_round(barrier, &barrier->state->rounds);

    if (!round || !add_round(barrier, &round->next))
        return YOKE_ENOMEM;
    yoke__a64_store_relaxed(&barrier->state->current, yoke__domain_offset(barrier->domain, round));
    return YOKE_OK;
}

/* Ours before it is unlinked: who dies in between leaves it to recovery, and the rest linked. */
void yoke__barrier_destroy(const yoke__barrier *barrier)
{
    yoke__round *round;

    while ((round = first_round(barrier)) != NULL) {
        yoke__alloc_take(barrier->domain, round);
        yoke__a64_store_release(&barrier->state->rounds, yoke__a64_load_relaxed(&round->next));
        yoke__free(barrier->domain, round);
    }
}

bool yoke__barrier_links(const yoke__barrier *barrier, const void *block)
{
    const yoke__round *round = first_round(barrier);

    for (uint32_t n = 0; round && round != block && n < ROUNDS_MOST; n++)
        round = next_round(barrier, round);
    return round == block;
}

yoke__round *yoke__barrier_round(const yoke__barrier *barrier)
{
    return round_at(barrier, yoke__a64_load_relaxed(&barrier->state->current));
}

yoke__barrier_why yoke__barrier_broken(const yoke__barrier *barrier)
{
    return (yoke__barrier_why)(yoke__a64_load_acquire(&barrier->state->current) & YOKE__WHY_MASK);
}

static void make_current(const yoke__barrier *barrier, const yoke__round *round)
{
    yoke__a64_store_release(&barrier->state->current, yoke__domain_offset(barrier->domain, round));
}

static bool all_left(const yoke__barrier *barrier, const yoke__round *round)
{
    for (uint32_t i = 0; i < barrier->state->parties; i++)
        if (yoke__a32_load_acquire(&round->arrived[i]) != 0)
            return false;
    return true;
}

/* A record that nobody is in any more, empty and open; not current yet. NULL: no memory, noted. */
static yoke__round *fresh_round(const yoke__barrier *barrier)
{
    yoke__round *now = yoke__barrier_round(barrier);
    yoke__a64   *link = &barrier->state->rounds;
    yoke__round *round = first_round(barrier);

    for (uint32_t n = 0; round && n < ROUNDS_MOST && (round == now || !all_left(barrier, round)); n++) {
        link = &round->next;
        round = next_round(barrier, round);
    }
    if (!round)
        return add_round(barrier, link);
    yoke__a32_store_relaxed(&round->count, 0);
    yoke__a32_store_relaxed(&round->culprit, 0);
    yoke__a32_store_release(&round->state, YOKE__ROUND_OPEN);
    return round;
}

/* ---- ends of a round ----------------------------------------------------------------------------------------------- */

static void end_round(const yoke__barrier *barrier, yoke__round *round, uint32_t state, yoke__token culprit)
{
    yoke__a32_store_relaxed(&round->culprit, culprit);
    yoke__a32_store_release(&round->state, state);
    yoke__fence_seq_cst();
    yoke__word_wake(barrier->domain, &round->state, UINT32_MAX);
}

static bool is_open(const yoke__round *round)
{
    return yoke__a32_load_relaxed(&round->state) == YOKE__ROUND_OPEN;
}

void yoke__barrier_finish(const yoke__barrier *barrier, yoke__round *round)
{
    end_round(barrier, round, YOKE__ROUND_DONE, 0);
}

/* What follows the commit of a break. */
static void tell_broken(const yoke__barrier *barrier)
{
    yoke__round      *round = yoke__barrier_round(barrier);
    yoke__barrier_why why = yoke__barrier_broken(barrier);

    if (why != YOKE__WHY_NOT && is_open(round))
        end_round(barrier, round, YOKE__ROUND_BROKEN(why), yoke__a32_load_relaxed(&barrier->state->broken_by));
}

void yoke__barrier_break(const yoke__barrier *barrier, yoke__barrier_why why, yoke__token culprit)
{
    uint64_t current = yoke__a64_load_relaxed(&barrier->state->current);

    if ((current & YOKE__WHY_MASK) != 0)
        return;
    yoke__a32_store_relaxed(&barrier->state->broken_by, culprit);
    yoke__a64_store_release(&barrier->state->current, current | (uint64_t)why); /* the commit */
    tell_broken(barrier);
}

int yoke__barrier_reset(const yoke__barrier *barrier)
{
    yoke__round *round = yoke__barrier_round(barrier), *fresh;
    uint32_t     state = yoke__a32_load_relaxed(&round->state);

    if (state == YOKE__ROUND_DONE || (is_open(round) && yoke__a32_load_relaxed(&round->count) == 0)) {
        make_current(barrier, round);
        return YOKE_OK;
    }
    fresh = fresh_round(barrier);
    if (!fresh)
        return YOKE_ENOMEM;
    make_current(barrier, fresh); /* the commit */
    if (state == YOKE__ROUND_OPEN)
        end_round(barrier, round, YOKE__ROUND_BROKEN(YOKE__WHY_RESET), yoke__domain_token(barrier->domain));
    return YOKE_OK;
}

/* ---- the guard ----------------------------------------------------------------------------------------------------- */

/* A holder died: it may have broken the barrier without telling the round, or reset it without telling the old one. */
static void repair(const yoke__barrier *barrier, yoke__token dead)
{
    yoke__round *now = yoke__barrier_round(barrier);
    yoke__round *round = first_round(barrier);

    tell_broken(barrier);
    for (uint32_t n = 0; round && n < ROUNDS_MOST; n++, round = next_round(barrier, round))
        if (round != now && is_open(round) && !all_left(barrier, round))
            end_round(barrier, round, YOKE__ROUND_BROKEN(YOKE__WHY_RESET), dead);
}

int yoke__barrier_lock(const yoke__barrier *barrier)
{
    yoke__token dead = 0;
    int         result = yoke__owner_acquire(barrier->domain, &barrier->state->guard, INT64_MAX, &dead);

    if (result < 0)
        return result;
    if (!yoke__barrier_round(barrier)) {
        yoke__barrier_unlock(barrier);
        return yoke__fail(YOKE_EPROTO, "a barrier is damaged: its round lies outside of the domain");
    }
    if (result == YOKE_OWNER_DIED)
        repair(barrier, dead);
    return YOKE_OK;
}

void yoke__barrier_unlock(const yoke__barrier *barrier)
{
    yoke__owner_release(barrier->domain, &barrier->state->guard);
}

/* ---- arriving ------------------------------------------------------------------------------------------------------ */

bool yoke__barrier_is_open(const yoke__barrier *barrier, const yoke__round *round)
{
    return yoke__barrier_round(barrier) == round && yoke__barrier_broken(barrier) == YOKE__WHY_NOT && is_open(round);
}

int yoke__barrier_arrive(const yoke__barrier *barrier, yoke__round **round, uint32_t *index)
{
    yoke__round *now = yoke__barrier_round(barrier);
    bool         open = is_open(now);
    uint32_t     count = open ? yoke__a32_load_relaxed(&now->count) : 0;

    *round = now;
    if (yoke__barrier_broken(barrier) != YOKE__WHY_NOT)
        return YOKE_EBROKEN;
    if (count >= barrier->state->parties)
        return YOKE_EBUSY;
    if (!open && (now = fresh_round(barrier)) == NULL)
        return YOKE_ENOMEM;
    yoke__a32_store_relaxed(&now->arrived[count], yoke__domain_token(barrier->domain));
    yoke__a32_store_release(&now->count, count + 1); /* the commit, if the round is current */
    if (!open)
        make_current(barrier, now); /* else this is */
    *round = now;
    *index = count;
    return YOKE_OK;
}

/* ---- parties ------------------------------------------------------------------------------------------------------- */

uint32_t yoke__barrier_unjoin(const yoke__barrier *barrier, yoke__token token, uint32_t most)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < barrier->state->parties && found < most; i++)
        if (yoke__a32_load_relaxed(&barrier->state->joined[i]) == token) {
            yoke__a32_store_release(&barrier->state->joined[i], 0);
            found++;
        }
    return found;
}

static bool has_joined(const yoke__barrier *barrier, yoke__token token)
{
    for (uint32_t i = 0; i < barrier->state->parties; i++)
        if (yoke__a32_load_relaxed(&barrier->state->joined[i]) == token)
            return true;
    return false;
}

static bool waits_in(const yoke__barrier *barrier, const yoke__round *round, yoke__token token)
{
    if (!is_open(round))
        return false;
    for (uint32_t i = 0, n = yoke__a32_load_relaxed(&round->count); i < n && i < barrier->state->parties; i++)
        if (yoke__a32_load_relaxed(&round->arrived[i]) == token)
            return true;
    return false;
}

static void take_out(const yoke__barrier *barrier, yoke__round *round, yoke__token token)
{
    for (uint32_t i = 0; i < barrier->state->parties; i++)
        if (yoke__a32_load_relaxed(&round->arrived[i]) == token)
            yoke__a32_store_release(&round->arrived[i], 0);
}

/* The break comes before the traces of the dead go: who repeats this after our death finds either. */
void yoke__barrier_bury(const yoke__barrier *barrier, yoke__token dead)
{
    yoke__round *round = first_round(barrier);

    if (has_joined(barrier, dead) || waits_in(barrier, yoke__barrier_round(barrier), dead))
        yoke__barrier_break(barrier, YOKE__WHY_DIED, dead);
    for (uint32_t n = 0; round && n < ROUNDS_MOST; n++, round = next_round(barrier, round))
        take_out(barrier, round, dead);
    (void)yoke__barrier_unjoin(barrier, dead, barrier->state->parties);
}
