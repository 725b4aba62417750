/*
 * Semaphores in permit mode: one owner word per permit, so that each change is one CAS, and whose a permit is can be
 * judged at any time.
 */
#include "../wait/watchers.h"
#include "semaphore.h"

#include <stdio.h>

static yoke__a32 *next_place(yoke__semaphore_state *state, yoke__a32 *permit)
{
    return permit + 1 < state->permit + state->permits ? permit + 1 : state->permit;
}

/* ---- taking ------------------------------------------------------------------------------------------------------ */

/* The flag is news for one: whoever takes the permit is told, and if it dies too, the next one is. */
static int take_free(yoke__a32 *permit, uint32_t seen, yoke__token mine)
{
    if ((seen & YOKE__TOKEN_MASK) != 0 || !yoke__a32_cas_acq_rel(permit, &seen, mine))
        return YOKE_EBUSY;
    return (seen & YOKE__TOKEN_FLAG) != 0 ? YOKE_OWNER_DIED : YOKE_OK;
}

int yoke__permits_take(yoke__semaphore_state *state, yoke__token mine, yoke__taker who)
{
    yoke__a32 *permit = yoke__permits_first(state, mine);

    if (yoke__semaphore_must_wait(yoke__a32_load_relaxed(&state->word), who))
        return YOKE_EBUSY;
    for (uint32_t looked = 0; looked < state->permits; looked++) {
        int result = take_free(permit, yoke__a32_load_relaxed(permit), mine);
        if (result >= 0)
            return result;
        permit = next_place(state, permit);
    }
    return YOKE_EBUSY;
}

static uint32_t mark_of(const yoke__semaphore_state *state)
{
    return state->on_death == YOKE_IGNORE_DEATH ? 0 : YOKE__TOKEN_FLAG;
}

/* From its token to ours in one step: nobody else gets it, and should we die, it is ours that is dead. */
static int take_over(yoke__semaphore_state *state, yoke__a32 *permit, uint32_t seen, yoke__token mine)
{
    if (!yoke__a32_cas_acq_rel(permit, &seen, mine))
        return YOKE_EBUSY;
    return mark_of(state) != 0 ? YOKE_OWNER_DIED : YOKE_OK;
}

int yoke__permits_take_dead(yoke_domain *domain, yoke__semaphore_state *state, yoke__token mine)
{
    yoke__token alive = mine;

    for (uint32_t place = 0; place < state->permits; place++) {
        yoke__a32  *permit = &state->permit[place];
        uint32_t    seen = yoke__a32_load_relaxed(permit);
        yoke__token holder = seen & YOKE__TOKEN_MASK;
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

/* How many of at most `count` permits of that token it turned into `to`, or, with NULL, has found. */
static uint32_t give_up_to(yoke__semaphore_state *state, yoke__token token, uint32_t count, const uint32_t *to)
{
    yoke__a32 *permit = yoke__permits_first(state, token);
    uint32_t   found = 0;

    for (uint32_t looked = 0; looked < state->permits && found < count; looked++) {
        uint32_t seen = yoke__a32_load_relaxed(permit);
        if ((seen & YOKE__TOKEN_MASK) == token && (!to || yoke__a32_cas_acq_rel(permit, &seen, *to)))
            found++;
        permit = next_place(state, permit);
    }
    return found;
}

int yoke__permits_give(yoke_domain *domain, yoke__semaphore_state *state, yoke__token mine, uint32_t count)
{
    const uint32_t nobody = 0;

    if (count > 1 && give_up_to(state, mine, count, NULL) < count)
        return YOKE_ENOTOWNER;
    uint32_t given = give_up_to(state, mine, count, &nobody);
    if (given > 0)
        yoke__permits_tell(domain, state, given);
    return given == count ? YOKE_OK : YOKE_ENOTOWNER;
}

void yoke__permits_sweep(yoke_domain *domain, yoke__semaphore_state *state, yoke__token dead)
{
    const uint32_t nobody = mark_of(state);
    uint32_t       given = give_up_to(state, dead, state->permits, &nobody);

    if (given > 0)
        yoke__permits_tell(domain, state, given);
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

uint32_t yoke__permits_free(yoke_domain *domain, const yoke__semaphore_state *state, bool dead)
{
    yoke__token alive = 0;
    uint32_t    count = 0;

    for (uint32_t place = 0; place < state->permits; place++) {
        yoke__token holder = yoke__a32_load_acquire(&state->permit[place]) & YOKE__TOKEN_MASK;
        if (holder == 0 || (dead && holder != alive && !yoke__token_alive(domain, holder)))
            count++;
        else
            alive = holder;
    }
    return count;
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
        yoke__token token = yoke__a32_load_relaxed(&state->permit[place]) & YOKE__TOKEN_MASK;
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
