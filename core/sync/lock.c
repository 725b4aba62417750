#include "lock.h"

#include "../domain/inspect.h"
#include "../domain/participant.h"
#include "../error.h"
#include "../options.h"
#include "holder.h"

#include <string.h>

/* ---- rules ------------------------------------------------------------------------------------------------------- */

void yoke__lock_init_rules(yoke__lock_state *state, uint32_t rules)
{
    memset(state, 0, sizeof *state);
    yoke__a32_store_relaxed(&state->rules, rules);
}

void yoke__lock_init(yoke__lock_state *state, yoke_on_death on_death)
{
    yoke__lock_init_rules(state, on_death == YOKE_IGNORE_DEATH ? YOKE__IGNORES_DEATH : 0);
}

static uint32_t rules_of(const yoke__lock_state *state)
{
    return yoke__a32_load_relaxed(&state->rules);
}

int yoke__lock_agree(const char *what, const yoke__lock_state *state, uint32_t rules)
{
    static const struct {
        uint32_t    rule;
        const char *without, *with;
    } names[] = {
        {YOKE__IGNORES_DEATH, "YOKE_REPORT_DEATH", "YOKE_IGNORE_DEATH"},
        {YOKE__OWNER_RELEASES, "release by anybody", "owner_releases"},
        {YOKE__DETECTS, "no look for deadlocks", "detect_deadlock"},
    };
    uint32_t there = rules_of(state);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (((there ^ rules) & names[i].rule) != 0)
            return yoke__fail(YOKE_EINVAL, "%s is there with %s, not with %s", what,
                              there & names[i].rule ? names[i].with : names[i].without,
                              rules & names[i].rule ? names[i].with : names[i].without);
    return YOKE_OK;
}

/* ---- acquire ----------------------------------------------------------------------------------------------------- */

static uint32_t mark_of(const yoke__lock_state *state)
{
    return rules_of(state) & YOKE__IGNORES_DEATH ? 0 : YOKE__TOKEN_FLAG;
}

/* Of a death that recovery found, the note is there; of one that is not to be told of, there is none. */
void yoke__lock_note(yoke_domain *domain, yoke__lock_state *state, const yoke__owner_wait *wait, int result)
{
    if (result == YOKE_OWNER_DIED && wait->mark != 0 && wait->dead != 0 && wait->dead != YOKE__TOKEN_GONE)
        yoke__death_write(domain, &state->note, wait->dead);
}

/* What follows an acquisition by result; the note must come before anybody is told. */
static int acquired(yoke_domain *domain, yoke__lock_state *state, const yoke__owner_wait *wait, int result)
{
    yoke__lock_note(domain, state, wait, result);
    yoke__lock_sign(state, wait->held & YOKE__TOKEN_MASK);
    return (wait->held & YOKE__TOKEN_FLAG) != 0 ? YOKE_OWNER_DIED : YOKE_OK;
}

int yoke__lock_acquire_until(yoke__waiter *waiter, yoke__handle *handle, yoke__lock_state *state,
                             yoke__deadline deadline, const yoke__a32 *entered)
{
    yoke__owner_wait wait = {.deadline = deadline,
                             .mark = mark_of(state),
                             .closing = &handle->closing,
                             .object = waiter->id,
                             .entered = entered,
                             .look = yoke__waiter_look,
                             .user = waiter};

    int result = yoke__owner_acquire_with(waiter->domain, &state->word, &wait);
    return result >= 0 ? acquired(waiter->domain, state, &wait, result) : result;
}

/* What is left to do when nobody waits: the lock is free, but somebody died holding it. */
static bool take_unrepaired(yoke_domain *domain, yoke__lock_state *state)
{
    yoke__owner_wait wait = {0};

    if (yoke__owner_try(domain, &state->word, &wait) != YOKE_OK)
        return false;
    (void)acquired(domain, state, &wait, YOKE_OK);
    return true;
}

int yoke__lock_acquire_inside(yoke__handle *handle, yoke__id id, yoke__lock_state *state, int64_t timeout)
{
    yoke__waiter waiter;

    yoke__waiter_init(&waiter, handle->domain, id, state);
    if (timeout > 0)
        YOKE_TRY(yoke__waiter_check_self(&waiter));
    int result = yoke__lock_acquire_until(&waiter, handle, state, yoke__deadline_after(timeout), NULL);
    return result >= 0 ? result : yoke__waiter_failed(&waiter, result, timeout);
}

int yoke__lock_acquire(yoke__handle *handle, yoke__id id, yoke__lock_state *state, int64_t timeout)
{
    if (take_unrepaired(handle->domain, state))
        return yoke__a32_load_relaxed(&state->word) & YOKE__TOKEN_FLAG ? YOKE_OWNER_DIED : YOKE_OK;
    yoke__handle_enter(handle);
    int result = yoke__lock_acquire_inside(handle, id, state, timeout);
    yoke__handle_exit(handle);
    return result;
}

bool yoke__lock_held(const yoke__lock_state *state)
{
    return (yoke__a32_load_acquire(&state->word) & YOKE__TOKEN_MASK) != 0;
}

uint32_t yoke__lock_blocker(const yoke__lock_state *state, yoke__blocker *out)
{
    out->holder = yoke__a64_load_acquire(&state->holder);
    out->acquisition = yoke__a64_load_acquire(&state->acquired);
    return out->holder != 0 && (rules_of(state) & YOKE__OWNER_RELEASES) != 0;
}

/* ---- release ----------------------------------------------------------------------------------------------------- */

static int nobody_holds(const yoke__handle *handle, yoke__id id, const char *verb)
{
    char what[128];

    return yoke__fail(YOKE_EINVAL, "%s: %s, but nobody holds it",
                      yoke__object_describe(handle->domain, id, what, sizeof what), verb);
}

int yoke__lock_may_release(yoke__handle *handle, yoke__id id, const yoke__lock_state *state, const char *verb)
{
    yoke__waiter waiter;

    yoke__waiter_init(&waiter, handle->domain, id, state);
    if (yoke__lock_mine(handle->domain, state))
        return YOKE_OK;
    return yoke__lock_held(state) ? yoke__holder_is_other(&waiter, verb) : nobody_holds(handle, id, verb);
}

/*
 * Takes the lock from a dead holder, as anybody might, and notes the death. Who dies here has died holding it, and the
 * flag of the first death stands already. YOKE_ETIMEDOUT: it is a living one's by now.
 */
static int take_from_dead(yoke_domain *domain, yoke__lock_state *state, yoke__a32 *entered)
{
    yoke__owner_wait wait = {.deadline = 0, .mark = mark_of(state), .entered = entered};
    int              result = yoke__owner_acquire_with(domain, &state->word, &wait);

    yoke__lock_note(domain, state, &wait, result);
    return result;
}

/* By anybody; whose it was is settled by the word that is changed. A dead holder's goes by way of us, so that its death is
 * told of to the next one; if another was faster, that one has been told. */
static int release_whosever(yoke__handle *handle, yoke__id id, yoke__lock_state *state)
{
    yoke_domain *domain = handle->domain;
    uint32_t     stood = yoke__a32_load_relaxed(&state->word);

    do {
        yoke__token owner = stood & YOKE__TOKEN_MASK;
        if (owner == 0)
            return nobody_holds(handle, id, "released");
        if (owner == yoke__a32_load_relaxed(&domain->token) || yoke__token_alive(domain, owner))
            continue;
        int result = take_from_dead(domain, state, NULL);
        if (result >= 0)
            (void)yoke__owner_release_keep(domain, &state->word);
        return result >= 0 || result == YOKE_ETIMEDOUT ? YOKE_OK : result;
    } while (!yoke__owner_release_of(domain, &state->word, &stood));
    return YOKE_OK;
}

int yoke__lock_release(yoke__handle *handle, yoke__id id, yoke__lock_state *state)
{
    if (rules_of(state) & YOKE__OWNER_RELEASES) {
        YOKE_TRY(yoke__lock_may_release(handle, id, state, "released"));
        yoke__lock_let_go(handle->domain, state);
        return YOKE_OK;
    }
    return release_whosever(handle, id, state);
}

void yoke__lock_wake(yoke_domain *domain, yoke__lock_state *state)
{
    yoke__fence_seq_cst();
    yoke__word_wake(domain, &state->word, UINT32_MAX);
}

/* ---- deaths ------------------------------------------------------------------------------------------------------ */

/* Takes the lock for a moment; who dies here is swept in turn. Afterwards the lock is still held by a dead one, only that
 * its token stands nowhere any more. */
void yoke__lock_sweep_entered(yoke_domain *domain, yoke__lock_state *state, yoke__token dead, yoke__a32 *entered)
{
    if ((yoke__a32_load_relaxed(&state->word) & YOKE__TOKEN_MASK) != dead)
        return;
    int result = take_from_dead(domain, state, entered);
    if (entered && result >= 0)
        yoke__a32_store_release(entered, 0); /* told of */
    if (result == YOKE_OWNER_DIED)
        yoke__owner_leave(domain, &state->word);
    else if (result == YOKE_OK)
        (void)yoke__owner_release_keep(domain, &state->word);
}

void yoke__lock_sweep(yoke_domain *domain, yoke__lock_state *state, yoke__token dead)
{
    yoke__lock_sweep_entered(domain, state, dead, NULL);
}

void yoke__lock_describe(yoke_domain *domain, const yoke__lock_state *state, char *text, size_t size)
{
    uint32_t word = yoke__a32_load_acquire(&state->word);

    if ((word & YOKE__TOKEN_MASK) == YOKE__TOKEN_GONE)
        yoke__text_add(text, size, "left by a process that is dead");
    else
        yoke__text_add_holder(text, size, domain, word);
    if ((word & YOKE__TOKEN_FLAG) != 0)
        yoke__text_add(text, size, ", a holder died and it has not been repaired");
}

int yoke__lock_death(yoke__handle *handle, yoke__id id, const yoke__lock_state *state, yoke_death *out)
{
    char what[128];

    YOKE_TRY(yoke__report_check(out, "yoke_death"));
    if ((yoke__a32_load_acquire(&state->word) & YOKE__TOKEN_FLAG) == 0)
        return yoke__fail(YOKE_ENOENT, "%s: nobody died holding it, or it has been repaired",
                          yoke__object_describe(handle->domain, id, what, sizeof what));
    yoke__death_tell(handle->domain, &state->note, out);
    return YOKE_OK;
}

int yoke__lock_mark_repaired(yoke__handle *handle, yoke__id id, yoke__lock_state *state)
{
    char        what[128];
    yoke__token mine = yoke__domain_token(handle->domain);
    uint32_t    seen = yoke__a32_load_relaxed(&state->word);
    bool        may = (rules_of(state) & YOKE__OWNER_RELEASES) == 0 || yoke__lock_mine(handle->domain, state);

    while (may && (seen & YOKE__TOKEN_MASK) == mine && mine != 0)
        if (yoke__a32_cas_acq_rel(&state->word, &seen, seen & ~YOKE__TOKEN_FLAG))
            return YOKE_OK;
    return yoke__fail(YOKE_ENOTOWNER, "%s: marked repaired, but this %s does not hold it",
                      yoke__object_describe(handle->domain, id, what, sizeof what), may ? "process" : "thread");
}
