/*
 * Semaphores in permit mode: one owner word per permit, so that each change is one CAS, and whose a permit is can be
 * judged at any time.
 */
#include "../wait/watchers.h"
#include "semaphore.h"

#include <stdio.h>

static yoke__a64 *next_place(yoke__semaphore_state *state, yoke__a64 *permit)
{
    return permit + 1 < state->permit + state->permits ? permit + 1 : state->permit;
}

/* ---- taking ------------------------------------------------------------------------------------------------------ */

/* What the calling thread was told of last. */
static _Thread_local struct {
    const yoke__a64 *permit;
    yoke__token      dead;
} told;

static int tell(const yoke__a64 *permit, yoke__token dead)
{
    if (dead == 0)
        return YOKE_OK;
    told.permit = permit;
    told.dead = dead;
    return YOKE_OWNER_DIED;
}

/* Whoever takes it is told of the dead one, and if it dies too, the next one is told of that. */
static int take_free(yoke__a64 *permit, uint64_t seen, yoke__token mine)
{
    if (yoke__permit_holder(seen) != 0 || !yoke__a64_cas_acq_rel(permit, &seen, seen | mine))
        return YOKE_EBUSY;
    return tell(permit, yoke__permit_dead(seen));
}

int yoke__permits_take(yoke__semaphore_state *state, yoke__token mine, yoke__taker who)
{
    yoke__a64 *permit = yoke__permits_first(state, mine);

    if (yoke__semaphore_must_wait(yoke__a32_load_relaxed(&state->word), who))
        return YOKE_EBUSY;
    for (uint32_t looked = 0; looked < state->permits; looked++) {
        int result = take_free(permit, yoke__a64_load_relaxed(permit), mine);
        if (result >= 0)
            return result;
        permit = next_place(state, permit);
    }
    return YOKE_EBUSY;
}

/* From its token to ours in one step: nobody else gets it, and should we die, it is ours that is dead. */
static int take_over(yoke__semaphore_state *state, yoke__a64 *permit, uint64_t seen, yoke__token mine)
{
    yoke__token dead = state->on_death == YOKE_IGNORE_DEATH ? 0 : yoke__permit_holder(seen);

    return yoke__a64_cas_acq_rel(permit, &seen, yoke__permit_make(dead, mine)) ? tell(permit, dead) : YOKE_EBUSY;
}

int yoke__permits_take_dead(yoke_domain *domain, yoke__semaphore_state *state, yoke__token mine)
{
    yoke__token alive = mine;

    for (uint32_t place = 0; place < state->permits; place++) {
        yoke__a64  *permit = &state->permit[place];
        uint64_t    seen = yoke__a64_load_relaxed(permit);
        yoke__token holder = yoke__permit_holder(seen);
        int         result = YOKE_EBUSY;

        if (holder == 0)
            result = take_free(permit, seen, mine);
        else if (holder != alive && !yoke__token_alive(domain, holder))
            result = take_over(state, permit, seen, mine);
        else
            alive = holder; /* one that holds many is asked for once */
        if (result >= 0)
            return result;
    }
    return YOKE_EBUSY;
}

/* ---- giving ------------------------------------------------------------------------------------------------------ */

/*
 * After permits were given back by CAS. The word moves on, so that a sleeper-to-be that has looked before does not fall
 * asleep; WAITERS goes with it.
 */
void yoke__permits_tell(yoke_domain *domain, yoke__semaphore_state *state, uint32_t count)
{
    yoke__fence_after_exchange(); /* either we see WAITERS, or who sets it sees the permits */
    uint32_t seen = yoke__a32_load_relaxed(&state->word);

    while ((seen & YOKE__WAITERS) != 0) {
        uint32_t next = (seen & YOKE__SEMAPHORE_HUNGRY) | ((seen + 1) & YOKE__SEMAPHORE_COUNT);
        if (!yoke__a32_cas_acq_rel(&state->word, &seen, next))
            continue;
        yoke__fence_seq_cst();
        yoke__word_wake(domain, &state->word, count);
        break;
    }
    yoke__fence_after_exchange();
    yoke__watchers_ring(domain, &state->watchers);
}

/* How many of at most `count` permits of that token it turned into `to`; told_of: also those that came from the dead. */
static uint32_t give_up(yoke__semaphore_state *state, yoke__token token, uint32_t count, uint64_t to, bool told_of)
{
    yoke__a64 *permit = yoke__permits_first(state, token);
    uint32_t   found = 0;

    for (uint32_t looked = 0; looked < state->permits && found < count; looked++) {
        uint64_t seen = yoke__a64_load_relaxed(permit);
        if (yoke__permit_holder(seen) == token && (told_of || yoke__permit_dead(seen) == 0) &&
            yoke__a64_cas_acq_rel(permit, &seen, to))
            found++;
        permit = next_place(state, permit);
    }
    return found;
}

static uint32_t held_by(const yoke__semaphore_state *state, yoke__token token)
{
    uint32_t held = 0;

    for (uint32_t place = 0; place < state->permits; place++)
        held += yoke__permit_holder(yoke__a64_load_relaxed(&state->permit[place])) == token;
    return held;
}

/* Those from the dead go last: who has one may still ask whose it was. */
int yoke__permits_give(yoke_domain *domain, yoke__semaphore_state *state, yoke__token mine, uint32_t count)
{
    if (count > 1 && held_by(state, mine) < count)
        return YOKE_ENOTOWNER;
    uint32_t given = give_up(state, mine, count, 0, false);
    if (given < count)
        given += give_up(state, mine, count - given, 0, true);
    if (given > 0)
        yoke__permits_tell(domain, state, given);
    return given == count ? YOKE_OK : YOKE_ENOTOWNER;
}

/* The note first: from when a permit has been given back, the dead one's slot may be free. */
void yoke__permits_sweep(yoke_domain *domain, yoke__semaphore_state *state, yoke__token dead)
{
    uint64_t left = state->on_death == YOKE_IGNORE_DEATH ? 0 : yoke__permit_make(dead, 0);

    yoke__permit_note_write(domain, state, dead);
    uint32_t given = give_up(state, dead, state->permits, left, true);
    if (given > 0)
        yoke__permits_tell(domain, state, given);
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

uint32_t yoke__permits_free(yoke_domain *domain, const yoke__semaphore_state *state, bool dead)
{
    yoke__token alive = 0;
    uint32_t    count = 0;

    for (uint32_t place = 0; place < state->permits; place++) {
        yoke__token holder = yoke__permit_holder(yoke__a64_load_acquire(&state->permit[place]));
        if (holder == 0 || (dead && holder != alive && !yoke__token_alive(domain, holder)))
            count++;
        else
            alive = holder;
    }
    return count;
}

/* Has the process a permit at that place which was a dead one's? */
static yoke__token death_at(const yoke__a64 *permit, yoke__token mine)
{
    uint64_t word = yoke__a64_load_acquire(permit);

    return yoke__permit_holder(word) == mine ? yoke__permit_dead(word) : 0;
}

yoke__token yoke__permits_death(const yoke__semaphore_state *state, yoke__token mine)
{
    yoke__token dead = 0;

    if (told.permit >= state->permit && told.permit < state->permit + state->permits &&
        death_at(told.permit, mine) == told.dead)
        return told.dead;
    for (uint32_t place = 0; place < state->permits && dead == 0; place++)
        dead = death_at(&state->permit[place], mine);
    return dead;
}

#define NAMED 3u /* of the holders */

typedef struct holder {
    yoke__token token;
    uint32_t    count;
} holder;

/* How many different ones there are, up to one more than are named. */
static uint32_t count_holders(const yoke__semaphore_state *state, holder holders[NAMED + 1])
{
    uint32_t known = 0;

    for (uint32_t place = 0; place < state->permits; place++) {
        yoke__token token = yoke__permit_holder(yoke__a64_load_relaxed(&state->permit[place]));
        uint32_t    i = 0;
        if (token == 0)
            continue;
        while (i < known && holders[i].token != token)
            i++;
        if (i == known && known <= NAMED)
            holders[known++] = (holder){token, 0};
        if (i <= NAMED)
            holders[i].count++;
    }
    return known;
}

const char *yoke__permits_holders(yoke_domain *domain, const yoke__semaphore_state *state, char *text, size_t size,
                                  int64_t *pid)
{
    holder   holders[NAMED + 1];
    uint32_t known = count_holders(state, holders);
    size_t   used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < known && i < NAMED && used < size; i++) {
        yoke__obituary who;
        yoke__token_describe(domain, holders[i].token, &who);
        if (i == 0)
            *pid = who.pid;
        int length = snprintf(text + used, size - used, "%s%u by %s (pid %lld)", i ? ", " : "", holders[i].count,
                              who.name[0] ? who.name : "a process", (long long)who.pid);
        used += length > 0 ? (size_t)length : size;
    }
    if (known > NAMED && used < size)
        (void)snprintf(text + used, size - used, ", others by more");
    return text;
}
