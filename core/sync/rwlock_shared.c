/* Readers of a read-write lock. */
#include "rwlock.h"

#include "../domain/participant.h"
#include "../error.h"

/* Shares that the calling thread has in all locks, or more: at 0 it need not look for its place. */
static _Thread_local uint32_t shares_had YOKE__NEAR;

/* ---- places ------------------------------------------------------------------------------------------------------ */

/* Where a thread begins to look for a place: nearly always the same one is free again. */
static uint32_t first_place(const yoke__rwlock_state *state)
{
    return yoke__thread_number() * 2654435761u % yoke__a32_load_relaxed(&state->places);
}

static yoke__share *place(yoke__rwlock_state *state, uint32_t first, uint32_t n)
{
    uint32_t places = yoke__a32_load_relaxed(&state->places);
    uint32_t at = first + n;

    return &state->shares[at < places ? at : at - places];
}

static uint64_t my_signature(const yoke_domain *domain)
{
    return yoke__holder_make(yoke__a32_load_relaxed(&domain->token), yoke__thread_number());
}

yoke__share *yoke__share_mine(const yoke_domain *domain, yoke__rwlock_state *state)
{
    uint32_t first = first_place(state), places = yoke__a32_load_relaxed(&state->places);
    uint64_t mine = my_signature(domain);

    for (uint32_t n = 0; shares_had && n < places; n++) {
        yoke__share *share = place(state, first, n);
        if (yoke__a64_load_relaxed(&share->holder) == mine)
            return share;
    }
    return NULL;
}

yoke__share *yoke__share_take(yoke_domain *domain, yoke__rwlock_state *state)
{
    uint32_t    first = first_place(state), places = yoke__a32_load_relaxed(&state->places);
    yoke__token token = yoke__domain_token(domain);

    for (uint32_t n = 0; n < places; n++) {
        yoke__share *share = place(state, first, n);
        uint32_t     nobody = 0;
        if (yoke__a32_load_relaxed(&share->owner) == 0 && yoke__a32_cas_acq_rel(&share->owner, &nobody, token))
            return share;
    }
    return NULL;
}

void yoke__share_sign(const yoke_domain *domain, yoke__share *share)
{
    yoke__a32_store_relaxed(&share->depth, 1);
    yoke__a64_store_release(&share->turn, yoke__a64_load_relaxed(&share->turn) + 1);
    yoke__a64_store_release(&share->holder, my_signature(domain));
    shares_had++;
}

void yoke__share_left(yoke_domain *domain, yoke__rwlock_state *state)
{
    if (!yoke__lock_held(&state->gate) && yoke__a32_load_relaxed(&state->crowded) == 0)
        return;
    yoke__a32_store_relaxed(&state->crowded, 0);
    yoke__a32_add_acq_rel(&state->changed, 1);
    yoke__fence_after_exchange();
    yoke__word_wake(domain, &state->changed, UINT32_MAX);
}

static void leave_place(yoke_domain *domain, yoke__rwlock_state *state, yoke__share *share)
{
    (void)yoke__a32_exchange_acq_rel(&share->owner, 0);
    yoke__fence_after_exchange();
    yoke__share_left(domain, state);
}

bool yoke__share_in(yoke_domain *domain, yoke__rwlock_state *state, yoke__share *share)
{
    uint32_t owner = yoke__a32_load_acquire(&share->owner);

    if (owner == 0 || yoke__token_alive(domain, owner & YOKE__TOKEN_MASK))
        return owner != 0 && (owner & YOKE__SHARE_WAITS) == 0;
    if (yoke__a32_cas_acq_rel(&share->owner, &owner, 0)) {
        yoke__fence_after_exchange();
        yoke__share_left(domain, state);
    }
    return false;
}

int64_t yoke__rwlock_readers(yoke_domain *domain, const yoke__rwlock_state *state)
{
    int64_t readers = 0;

    for (uint32_t i = 0; i < yoke__a32_load_relaxed(&state->places); i++) {
        uint32_t owner = yoke__a32_load_acquire(&state->shares[i].owner);
        readers += owner != 0 && (owner & YOKE__SHARE_WAITS) == 0 && yoke__token_alive(domain, owner);
    }
    return readers;
}

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

/* A reader on its way in. */
typedef struct entry {
    yoke__handle       *handle;
    yoke__rwlock_state *state;
    yoke__share        *share;
    yoke__deadline      deadline;
    yoke__waiter        waiter;
} entry;

/* Before each sleep: YOKE_OK, or why not. */
static int may_sleep(entry *e)
{
    if (yoke__a32_load_acquire(&e->handle->closing) != 0)
        return YOKE_ECLOSED;
    if (yoke__deadline_past(e->deadline))
        return YOKE_ETIMEDOUT;
    return yoke__waiter_look(&e->waiter);
}

static bool any_dead_place(entry *e)
{
    bool found = false;

    for (uint32_t i = 0; i < yoke__a32_load_relaxed(&e->state->places); i++) {
        (void)yoke__share_in(e->handle->domain, e->state, &e->state->shares[i]);
        found |= yoke__a32_load_relaxed(&e->state->shares[i].owner) == 0;
    }
    return found;
}

/* crowded, full fence, another look at the places; who leaves has its place out, full fence, a look at crowded. */
static int wait_for_place(entry *e)
{
    yoke_domain *domain = e->handle->domain;

    for (;;) {
        uint32_t changed = yoke__a32_load_acquire(&e->state->changed);
        yoke__a32_store_relaxed(&e->state->crowded, 1);
        yoke__fence_seq_cst();
        if (any_dead_place(e) && (e->share = yoke__share_take(domain, e->state)) != NULL)
            return YOKE_OK;
        int result = may_sleep(e);
        if (result != YOKE_OK)
            return result;
        yoke__word_wait(domain, &e->state->changed, changed, e->deadline);
    }
}

/* In, and the gate was free when nobody could have missed us. */
static bool gate_is_free(const entry *e)
{
    yoke__fence_after_exchange();
    return !yoke__lock_held(&e->state->gate);
}

/* Stands aside for the writer that has the gate, which may be waiting for just that. */
static void stand_aside(entry *e, yoke__token token)
{
    (void)yoke__a32_exchange_acq_rel(&e->share->owner, token | YOKE__SHARE_WAITS);
    yoke__fence_after_exchange();
    yoke__share_left(e->handle->domain, e->state);
}

/* Whether it got in: the gate was free when nobody could have missed us, or a writer let us in. */
static bool enter_free_gate(entry *e, yoke__token token)
{
    uint32_t waiting = token | YOKE__SHARE_WAITS;

    if (!yoke__a32_cas_acq_rel(&e->share->owner, &waiting, token) || gate_is_free(e))
        return true;
    stand_aside(e, token);
    return false;
}

enum { IN, AGAIN, SLEEP };

/* One look; SLEEP: on the share, which says that it waits. */
static int try_gate(entry *e, yoke__token token)
{
    yoke_domain *domain = e->handle->domain;
    yoke__a32   *word = &e->state->gate.word;
    uint32_t     gate = yoke__a32_load_acquire(word);

    if ((yoke__a32_load_acquire(&e->share->owner) & YOKE__SHARE_WAITS) == 0)
        return IN;
    if ((gate & YOKE__TOKEN_MASK) == 0)
        return enter_free_gate(e, token) ? IN : AGAIN;
    if (!yoke__token_alive(domain, gate & YOKE__TOKEN_MASK)) {
        yoke__gate_recover(domain, e->state);
        return AGAIN;
    }
    if ((gate & YOKE__WAITERS) == 0 && !yoke__a32_cas_acq_rel(word, &gate, gate | YOKE__WAITERS))
        return AGAIN;
    return SLEEP;
}

static int wait_for_gate(entry *e)
{
    yoke_domain *domain = e->handle->domain;
    yoke__token  token = yoke__domain_token(domain);
    uint32_t     waiting = token | YOKE__SHARE_WAITS;

    stand_aside(e, token);
    for (;;) {
        int look = try_gate(e, token);
        if (look == IN)
            return YOKE_OK;
        if (look == AGAIN)
            continue;
        int result = may_sleep(e);
        if (result != YOKE_OK) {
            if (!yoke__a32_cas_acq_rel(&e->share->owner, &waiting, 0))
                return YOKE_OK; /* let in meanwhile */
            yoke__fence_after_exchange();
            yoke__share_left(domain, e->state);
            return result;
        }
        yoke__word_wait(domain, &e->share->owner, waiting, e->deadline);
    }
}

static int enter_slowly(entry *e)
{
    yoke_domain *domain = e->handle->domain;
    int          result = YOKE_OK;

    yoke__wait_begin(domain, e->handle->id);
    if (!e->share)
        result = wait_for_place(e);
    if (result == YOKE_OK && !gate_is_free(e))
        result = wait_for_gate(e);
    yoke__wait_end(domain);
    return result;
}

/* ---- acquire and release ------------------------------------------------------------------------------------------ */

static int with_news(const yoke__rwlock_state *state)
{
    return yoke__a32_load_acquire(&state->gate.word) & YOKE__TOKEN_FLAG ? YOKE_OWNER_DIED : YOKE_OK;
}

static int one_more(const yoke__handle *handle, yoke__share *share)
{
    uint32_t depth = yoke__a32_load_relaxed(&share->depth);
    char     what[128];

    if (depth >= YOKE__SHARE_DEPTH)
        return yoke__fail(YOKE_ERANGE, "%s: this thread shares it %lu times already, and no more are counted",
                          yoke__object_describe(handle->domain, handle->id, what, sizeof what), (unsigned long)depth);
    yoke__a32_store_relaxed(&share->depth, depth + 1);
    return with_news(handle->object);
}

static int no_place(const entry *e, int64_t timeout)
{
    uint64_t reader = 0;

    for (uint32_t i = 0; reader == 0 && i < yoke__a32_load_relaxed(&e->state->places); i++)
        reader = yoke__a64_load_acquire(&e->state->shares[i].holder);
    return yoke__shared_too_long(e->handle, reader, "its places are all taken: ", timeout);
}

/* The share is signed, or the reason of the failure read, in the object: so the handle may not go before. */
static int acquire_slowly(entry *e, int64_t timeout)
{
    yoke_domain *domain = e->handle->domain;

    yoke__handle_enter(e->handle);
    e->deadline = yoke__deadline_after(timeout);
    yoke__waiter_init(&e->waiter, domain, e->handle->id, &e->state->gate);
    int result = enter_slowly(e);
    if (result == YOKE_OK) {
        yoke__share_sign(domain, e->share);
        result = with_news(e->state);
    } else if (result == YOKE_ETIMEDOUT && !e->share) {
        result = no_place(e, timeout);
    } else {
        result = yoke__waiter_failed(&e->waiter, result, timeout);
    }
    yoke__handle_exit(e->handle);
    return result;
}

int yoke__rwlock_acquire_shared(yoke__handle *handle, int64_t timeout)
{
    yoke_domain        *domain = handle->domain;
    yoke__rwlock_state *state = handle->object;
    yoke__share        *mine = yoke__share_mine(domain, state);
    char                what[128];

    if (mine)
        return one_more(handle, mine);
    if (yoke__lock_mine(domain, &state->gate))
        return yoke__fail(YOKE_EDEADLK, "%s: this thread has it for itself already; yoke_rwlock_downgrade() shares it",
                          yoke__object_describe(domain, handle->id, what, sizeof what));

    entry e = {.handle = handle, .state = state, .share = yoke__share_take(domain, state)};
    if (!e.share || !gate_is_free(&e))
        return acquire_slowly(&e, timeout);
    yoke__share_sign(domain, e.share);
    return with_news(state);
}

static int not_shared(yoke__handle *handle)
{
    char        what[128];
    bool        shared = yoke__rwlock_readers(handle->domain, handle->object) > 0;
    const char *name = yoke__object_describe(handle->domain, handle->id, what, sizeof what);

    if (shared)
        return yoke__fail(YOKE_ENOTOWNER, "%s: a share released by a thread that has none", name);
    return yoke__fail(YOKE_EINVAL, "%s: a share released, but nobody has one", name);
}

int yoke__rwlock_release_shared(yoke__handle *handle)
{
    yoke__rwlock_state *state = handle->object;
    yoke__share        *mine = yoke__share_mine(handle->domain, state);

    if (!mine)
        return not_shared(handle);
    uint32_t depth = yoke__a32_load_relaxed(&mine->depth);
    if (depth > 1) {
        yoke__a32_store_relaxed(&mine->depth, depth - 1);
        return YOKE_OK;
    }
    shares_had--;
    yoke__a64_store_relaxed(&mine->holder, 0);
    leave_place(handle->domain, state, mine);
    return YOKE_OK;
}
