/* Writers of a read-write lock, and what its deaths leave. */
#include "rwlock.h"

#include "../domain/inspect.h"
#include "../domain/participant.h"
#include "../error.h"

void yoke__rwlock_init(yoke__rwlock_state *state, uint32_t rules, uint32_t places)
{
    yoke__lock_init_rules(&state->gate, rules | YOKE__OWNER_RELEASES);
    yoke__a32_store_relaxed(&state->places, places);
}

/* ---- the gate ---------------------------------------------------------------------------------------------------- */

/* Lets in who waits, or only wakes them to look for themselves. Who is let in but dead leaves when the next one looks. */
static void call_readers(yoke_domain *domain, yoke__rwlock_state *state, bool let_in)
{
    for (uint32_t i = 0; i < yoke__a32_load_relaxed(&state->places); i++) {
        yoke__a32 *owner = &state->shares[i].owner;
        uint32_t   seen = yoke__a32_load_acquire(owner);
        if ((seen & YOKE__SHARE_WAITS) == 0)
            continue;
        if (let_in && !yoke__a32_cas_acq_rel(owner, &seen, seen & ~YOKE__SHARE_WAITS))
            continue;
        yoke__fence_seq_cst();
        yoke__word_wake(domain, owner, 1);
    }
}

/*
 * Readers set WAITERS in the gate's word after they stand as waiting. So who takes WAITERS away with the word sees all of
 * those that rely on it; those that came after the first call are only woken, and look.
 */
void yoke__gate_open(yoke_domain *domain, yoke__rwlock_state *state)
{
    uint32_t seen = yoke__a32_load_relaxed(&domain->token);

    yoke__a32_store_release(&state->entered, 0);
    yoke__a64_store_relaxed(&state->gate.holder, 0);
    if (yoke__a32_cas_acq_rel(&state->gate.word, &seen, 0)) /* nobody waits, and nobody died */
        return;
    if ((seen & YOKE__WAITERS) != 0)
        call_readers(domain, state, true);
    if ((yoke__owner_release_keep(domain, &state->gate.word) & YOKE__WAITERS) == 0)
        return;
    yoke__fence_seq_cst();
    call_readers(domain, state, false);
}

static uint32_t mark_of(const yoke__rwlock_state *state)
{
    return yoke__a32_load_relaxed(&state->gate.rules) & YOKE__IGNORES_DEATH ? 0 : YOKE__TOKEN_FLAG;
}

void yoke__gate_recover(yoke_domain *domain, yoke__rwlock_state *state)
{
    yoke__owner_wait wait = {.deadline = 0, .mark = mark_of(state), .entered = &state->entered};
    int              result = yoke__owner_acquire_with(domain, &state->gate.word, &wait);

    yoke__lock_note(domain, &state->gate, &wait, result);
    if (result >= 0)
        yoke__gate_open(domain, state);
}

/* ---- writers ----------------------------------------------------------------------------------------------------- */

static yoke__share *anybody_in(yoke__rwlock_state *state)
{
    for (uint32_t i = 0; i < yoke__a32_load_relaxed(&state->places); i++) {
        uint32_t owner = yoke__a32_load_acquire(&state->shares[i].owner);
        if (owner != 0 && (owner & YOKE__SHARE_WAITS) == 0)
            return &state->shares[i];
    }
    return NULL;
}

/* With the gate taken, until no reader is in. A reader that comes later sees the gate, and stands aside. */
static int wait_for_readers(yoke__waiter *waiter, yoke__handle *handle, yoke__deadline deadline)
{
    yoke__rwlock_state *state = handle->object;

    for (;;) {
        uint32_t changed = yoke__a32_load_acquire(&state->changed);
        yoke__fence_seq_cst();
        yoke__share *share = anybody_in(state);
        if (!share)
            return YOKE_OK;
        if (!yoke__share_in(handle->domain, state, share))
            continue;
        if (yoke__a32_load_acquire(&handle->closing) != 0)
            return YOKE_ECLOSED;
        if (yoke__deadline_past(deadline))
            return YOKE_ETIMEDOUT;
        YOKE_TRY(yoke__waiter_look(waiter));
        yoke__word_wait(handle->domain, &state->changed, changed, deadline);
    }
}

static int drain(yoke__waiter *waiter, yoke__handle *handle, yoke__deadline deadline)
{
    yoke__fence_after_exchange();
    if (!anybody_in(handle->object))
        return YOKE_OK;
    yoke__wait_begin(handle->domain, handle->id);
    int result = wait_for_readers(waiter, handle, deadline);
    yoke__wait_end(handle->domain);
    return result;
}

int yoke__shared_too_long(const yoke__handle *handle, uint64_t reader, const char *why, int64_t timeout)
{
    char what[128], who[YOKE__NAME_SIZE + 64];

    return yoke__fail(YOKE_ETIMEDOUT, "%s: not acquired within %lld ms, %sshared by %s",
                      yoke__object_describe(handle->domain, handle->id, what, sizeof what),
                      (long long)(timeout > 0 ? timeout : 0), why,
                      reader ? yoke__thread_describe(handle->domain, reader, who, sizeof who) : "others until now");
}

static int has_it_already(yoke__handle *handle)
{
    yoke__rwlock_state *state = handle->object;
    char                what[128];
    const char         *name = yoke__object_describe(handle->domain, handle->id, what, sizeof what);

    if (yoke__lock_mine(handle->domain, &state->gate))
        return yoke__fail(YOKE_EDEADLK, "%s: this thread has it for itself already", name);
    if (yoke__share_mine(handle->domain, state))
        return yoke__fail(YOKE_EDEADLK, "%s: this thread shares it, and would wait for itself to leave", name);
    return YOKE_OK;
}

/* Given up, with the gate taken. */
static int turn_back(const yoke__waiter *waiter, yoke__handle *handle, int result, int64_t timeout)
{
    yoke__rwlock_state *state = handle->object;
    const yoke__share  *share = anybody_in(state);
    uint64_t            reader = share ? yoke__a64_load_acquire(&share->holder) : 0;

    yoke__gate_open(handle->domain, state);
    return result == YOKE_ETIMEDOUT ? yoke__shared_too_long(handle, reader, "", timeout)
                                    : yoke__waiter_failed(waiter, result, timeout);
}

static void enter(yoke_domain *domain, yoke__rwlock_state *state)
{
    yoke__a32_store_release(&state->entered, yoke__a32_load_relaxed(&domain->token));
}

/* has_gate: there are readers to wait for. */
static int acquire_slowly(yoke__handle *handle, bool has_gate, int64_t timeout)
{
    yoke_domain        *domain = handle->domain;
    yoke__rwlock_state *state = handle->object;
    yoke__deadline      deadline = yoke__deadline_after(timeout);
    yoke__waiter        waiter;
    int                 result = YOKE_OK;

    yoke__waiter_init(&waiter, domain, handle->id, &state->gate);
    if (!has_gate)
        result = yoke__lock_acquire_until(&waiter, handle, &state->gate, deadline, &state->entered);
    if (result < 0)
        return yoke__waiter_failed(&waiter, result, timeout);
    yoke__a32_store_release(&state->entered, 0); /* of a dead one, noted by now */
    int drained = drain(&waiter, handle, deadline);
    if (drained != YOKE_OK)
        return turn_back(&waiter, handle, drained, timeout);
    enter(domain, state);
    return result;
}

/* Whatever becomes of a wait, the gate is written to after it, so the handle may not go before. */
int yoke__rwlock_acquire_exclusive(yoke__handle *handle, int64_t timeout)
{
    yoke__rwlock_state *state = handle->object;

    YOKE_TRY(has_it_already(handle));
    bool has_gate = yoke__lock_take(handle->domain, &state->gate);
    if (has_gate) {
        yoke__fence_after_exchange();
        if (!anybody_in(state)) {
            enter(handle->domain, state);
            return YOKE_OK;
        }
    }
    yoke__handle_enter(handle);
    int result = acquire_slowly(handle, has_gate, timeout);
    yoke__handle_exit(handle);
    return result;
}

int yoke__rwlock_release_exclusive(yoke__handle *handle)
{
    yoke__rwlock_state *state = handle->object;

    YOKE_TRY(yoke__lock_may_release(handle, handle->id, &state->gate, "released"));
    yoke__gate_open(handle->domain, state);
    return YOKE_OK;
}

int yoke__rwlock_downgrade(yoke__handle *handle)
{
    yoke__rwlock_state *state = handle->object;
    char                what[128];

    YOKE_TRY(yoke__lock_may_release(handle, handle->id, &state->gate, "shared"));
    yoke__share *share = yoke__share_take(handle->domain, state);
    if (!share)
        return yoke__fail(YOKE_ERANGE, "%s: all of its %lu places are taken by readers that wait",
                          yoke__object_describe(handle->domain, handle->id, what, sizeof what),
                          (unsigned long)yoke__a32_load_relaxed(&state->places));
    yoke__share_sign(handle->domain, share);
    yoke__gate_open(handle->domain, state);
    return YOKE_OK;
}

/* ---- closing, deaths, diagnosis ----------------------------------------------------------------------------------- */

void yoke__rwlock_wake(yoke__handle *handle)
{
    yoke__rwlock_state *state = handle->object;

    yoke__lock_wake(handle->domain, &state->gate);
    yoke__word_wake(handle->domain, &state->changed, UINT32_MAX);
    call_readers(handle->domain, state, false);
}

static void sweep(yoke_domain *domain, yoke__id id, void *object, yoke__token dead)
{
    yoke__rwlock_state *state = object;

    (void)id;
    for (uint32_t i = 0; i < yoke__a32_load_relaxed(&state->places); i++)
        if ((yoke__a32_load_relaxed(&state->shares[i].owner) & YOKE__TOKEN_MASK) == dead)
            (void)yoke__share_in(domain, state, &state->shares[i]);
    yoke__lock_sweep_entered(domain, &state->gate, dead, &state->entered);
}

/* Readers that are in, by their signatures; *all: there is one in each place. */
static uint32_t signed_shares(const yoke__rwlock_state *state, yoke__blocker *out, uint32_t most, bool *all)
{
    uint32_t places = yoke__a32_load_relaxed(&state->places), count = 0;

    for (uint32_t i = 0; i < places && i < YOKE__PLACES_MAX && count < most; i++) {
        out[count].holder = yoke__a64_load_acquire(&state->shares[i].holder);
        out[count].acquisition = yoke__a64_load_acquire(&state->shares[i].turn);
        count += out[count].holder != 0;
    }
    *all = count == places;
    return count;
}

/*
 * Who has the gate waits for all readers; others wait for who has the gate. If that is free, they wait for any place: which
 * is so only if a reader is in each. (A reader that has a place, and a writer for whom the gate has just become free, are seen
 * likewise; the first has a place without a signature, the second will have to wait for these readers.)
 */
static uint32_t blockers(yoke_domain *domain, const void *object, uint64_t waiter, yoke__blocker *out, uint32_t most)
{
    const yoke__rwlock_state *state = object;
    yoke__blocker             gate;
    bool                      held = yoke__lock_blocker(&state->gate, &gate) != 0, all = false;

    (void)domain;
    if (held && gate.holder != waiter) {
        out[0] = gate;
        return 1;
    }
    uint32_t count = signed_shares(state, out, most, &all);
    return held ? count : all ? count | YOKE__BLOCKERS_ALL : 0;
}

static void describe(yoke_domain *domain, yoke__id id, const void *object, char *text, size_t size)
{
    const yoke__rwlock_state *state = object;
    uint32_t                  readers = 0;

    (void)id;
    for (uint32_t i = 0; i < yoke__a32_load_relaxed(&state->places) && i < YOKE__PLACES_MAX; i++) {
        uint32_t owner = yoke__a32_load_relaxed(&state->shares[i].owner);
        readers += owner != 0 && (owner & YOKE__SHARE_WAITS) == 0;
    }
    yoke__text_add(text, size, "%lu reader%s, for writing ", (unsigned long)readers, readers == 1 ? "" : "s");
    yoke__lock_describe(domain, &state->gate, text, size);
}

const yoke__object_type yoke__rwlock_type = {
    .kind = YOKE__KIND_RWLOCK, .name = "rwlock", .sweep = sweep, .blockers = blockers, .describe = describe};
