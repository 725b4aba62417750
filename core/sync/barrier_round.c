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

static int damaged(void)
{
    return yoke__fail(YOKE_EPROTO, "a barrier is damaged: its round lies outside of the domain");
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

/* One look at all that tells how the barrier stands. */
typedef struct standing {
    uint64_t     current;
    yoke__round *round;
    uint32_t     state, count;
} standing;

/* Looks again if the current record has been another one meanwhile: what was read may be of a round gone by. */
static standing look(const yoke__barrier *barrier)
{
    standing now;

    do {
        now = (standing){.current = yoke__a64_load_acquire(&barrier->state->current)};
        now.round = round_at(barrier, now.current);
        if (!now.round)
            return now;
        now.state = yoke__a32_load_acquire(&now.round->state);
        now.count = yoke__a32_load_acquire(&now.round->count);
    } while (yoke__a64_load_acquire(&barrier->state->current) != now.current);
    return now;
}

static yoke__barrier_why reason(uint64_t current)
{
    return (yoke__barrier_why)(current & YOKE__WHY_MASK);
}

yoke__barrier_why yoke__barrier_broken(const yoke__barrier *barrier, yoke__token *culprit)
{
    standing          now = look(barrier);
    yoke__barrier_why why = now.round ? YOKE__ROUND_WHY(now.state) : YOKE__WHY_NOT;

    if (culprit)
        *culprit = yoke__a32_load_relaxed(why == YOKE__WHY_NOT ? &barrier->state->broken_by
                                                               : &now.round->culprits[why % YOKE__WHYS]);
    return why == YOKE__WHY_NOT ? reason(now.current) : why;
}

int64_t yoke__barrier_waiting(const yoke__barrier *barrier)
{
    standing now = look(barrier);

    if (!now.round)
        return damaged();
    return reason(now.current) == YOKE__WHY_NOT && now.state == YOKE__ROUND_OPEN ? (int64_t)now.count : 0;
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
    for (uint32_t why = 0; why < YOKE__WHYS; why++)
        yoke__a32_store_relaxed(&round->culprits[why], 0);
    yoke__a32_store_release(&round->state, YOKE__ROUND_OPEN);
    return round;
}

/* ---- ends of a round ----------------------------------------------------------------------------------------------- */

/* False: somebody else has ended it. */
static bool end_round(const yoke__barrier *barrier, yoke__round *round, uint32_t state, yoke__token culprit)
{
    uint32_t none = 0, open = YOKE__ROUND_OPEN;

    if (culprit)
        (void)yoke__a32_cas_acq_rel(&round->culprits[YOKE__ROUND_WHY(state) % YOKE__WHYS], &none, culprit);
    if (!yoke__a32_cas_acq_rel(&round->state, &open, state))
        return false;
    yoke__fence_seq_cst();
    yoke__word_wake(barrier->domain, &round->state, UINT32_MAX);
    return true;
}

static bool is_open(const yoke__round *round)
{
    return yoke__a32_load_relaxed(&round->state) == YOKE__ROUND_OPEN;
}

bool yoke__barrier_finish(const yoke__barrier *barrier, yoke__round *round)
{
    return end_round(barrier, round, YOKE__ROUND_DONE, 0);
}

bool yoke__barrier_give_up(const yoke__barrier *barrier, yoke__round *round, yoke__barrier_why why)
{
    return end_round(barrier, round, YOKE__ROUND_BROKEN(why), yoke__domain_token(barrier->domain));
}

/* What follows the commit of a break. */
static void tell_broken(const yoke__barrier *barrier)
{
    uint64_t     current = yoke__a64_load_relaxed(&barrier->state->current);
    yoke__round *round = round_at(barrier, current);

    if (reason(current) != YOKE__WHY_NOT && is_open(round))
        (void)end_round(barrier, round, YOKE__ROUND_BROKEN(reason(current)),
                        yoke__a32_load_relaxed(&barrier->state->broken_by));
}

void yoke__barrier_break(const yoke__barrier *barrier, yoke__barrier_why why, yoke__token culprit)
{
    uint64_t current = yoke__a64_load_relaxed(&barrier->state->current);

    if (yoke__barrier_broken(barrier, NULL) != YOKE__WHY_NOT)
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
        (void)end_round(barrier, round, YOKE__ROUND_BROKEN(YOKE__WHY_RESET), yoke__domain_token(barrier->domain));
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
            (void)end_round(barrier, round, YOKE__ROUND_BROKEN(YOKE__WHY_RESET), dead);
}

static int fail_held(const yoke__barrier *barrier)
{
    yoke__token    owner = yoke__a32_load_acquire(&barrier->state->guard) & YOKE__TOKEN_MASK;
    yoke__obituary holder;
    char           what[128];

    yoke__token_describe(barrier->domain, owner, &holder);
    return yoke__fail_process(YOKE_ETIMEDOUT, holder.pid,
                              "%s: process %lld (%s) is in the middle of changing it, and has not gone on within the "
                              "time: is it stopped?",
                              yoke__object_describe(barrier->domain, barrier->id, what, sizeof what),
                              (long long)holder.pid, holder.name);
}

int yoke__barrier_lock_until(const yoke__barrier *barrier, yoke__deadline deadline, const yoke__a32 *closing)
{
    yoke__owner_wait wait = {.deadline = deadline, .closing = closing};
    int              result = yoke__owner_acquire_with(barrier->domain, &barrier->state->guard, &wait);
    yoke__token      dead = wait.dead;

    if (result < 0)
        return result == YOKE_ETIMEDOUT ? fail_held(barrier) : result;
    if (!yoke__barrier_round(barrier)) {
        yoke__barrier_unlock(barrier);
        return damaged();
    }
    if (result == YOKE_OWNER_DIED)
        repair(barrier, dead);
    return YOKE_OK;
}

int yoke__barrier_lock(const yoke__barrier *barrier)
{
    return yoke__barrier_lock_until(barrier, yoke__deadline_after(YOKE_BARRIER_LIMIT), NULL);
}

void yoke__barrier_unlock(const yoke__barrier *barrier)
{
    yoke__owner_release(barrier->domain, &barrier->state->guard);
}

/* ---- arriving ------------------------------------------------------------------------------------------------------ */

int yoke__barrier_arrive(const yoke__barrier *barrier, yoke__round **round, uint32_t *index)
{
    yoke__round *now = yoke__barrier_round(barrier);
    bool         open = is_open(now); /* asked once: it may end now, and then who has arrived finds that */
    uint32_t     count = open ? yoke__a32_load_relaxed(&now->count) : 0;

    *round = now;
    if (yoke__barrier_broken(barrier, NULL) != YOKE__WHY_NOT)
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
