#include "lock.h"

#include "../domain/inspect.h"
#include "../domain/participant.h"
#include "../error.h"
#include "../options.h"

#include <stdio.h>
#include <string.h>

/* ---- the state --------------------------------------------------------------------------------------------------- */

void yoke__lock_init(yoke__lock_state *state, yoke_on_death on_death)
{
    memset(state, 0, sizeof *state);
    yoke__a32_store_relaxed(&state->on_death, (uint32_t)on_death);
}

static uint32_t mark_of(const yoke__lock_state *state)
{
    return yoke__a32_load_relaxed(&state->on_death) == YOKE_IGNORE_DEATH ? 0 : YOKE__TOKEN_FLAG;
}

/*
 * By the holder, into the copy that nobody reads; the version commits it. The fence is for a reader that is still in that
 * copy, two deaths late: if it sees any of our stores, it also sees that the version has moved.
 */
static void note_death(yoke_domain *domain, yoke__lock_state *state, yoke__token dead)
{
    uint32_t          version = yoke__a32_load_relaxed(&state->version);
    yoke__lock_death *copy = &state->deaths[(version + 1) % 2];
    yoke__obituary    known;
    uint64_t          words[YOKE__NAME_SIZE / 8];

    yoke__token_describe(domain, dead, &known);
    memcpy(words, known.name, sizeof words);
    yoke__fence_seq_cst();
    yoke__a32_store_relaxed(&copy->token, dead);
    yoke__a64_store_relaxed(&copy->pid, (uint64_t)known.pid);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        yoke__a64_store_relaxed(&copy->name[i], words[i]);
    yoke__a32_store_release(&state->version, version + 1);
}

static void read_death(const yoke__lock_state *state, yoke__obituary *out)
{
    uint32_t version;
    uint64_t words[YOKE__NAME_SIZE / 8];

    do {
        version = yoke__a32_load_acquire(&state->version);
        const yoke__lock_death *copy = &state->deaths[version % 2];
        out->token = yoke__a32_load_relaxed(&copy->token);
        out->pid = (int64_t)yoke__a64_load_relaxed(&copy->pid);
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
            words[i] = yoke__a64_load_relaxed(&copy->name[i]);
        yoke__fence_seq_cst();
    } while (yoke__a32_load_relaxed(&state->version) != version);
    memcpy(out->name, words, sizeof words);
    out->name[YOKE__NAME_SIZE - 1] = '\0';
}

/* ---- acquire and release ------------------------------------------------------------------------------------------ */

static int timed_out(yoke_domain *domain, yoke__id id, const yoke__lock_state *state, int64_t timeout)
{
    yoke__token    owner = yoke__a32_load_relaxed(&state->word) & YOKE__TOKEN_MASK;
    yoke__obituary holder;
    char           what[128];

    (void)yoke__object_describe(domain, id, what, sizeof what);
    if (owner == 0) /* let go since we gave up */
        return yoke__fail(YOKE_ETIMEDOUT, "%s: not acquired within %lld ms", what,
                          (long long)(timeout > 0 ? timeout : 0));
    yoke__token_describe(domain, owner, &holder);
    return yoke__fail_process(YOKE_ETIMEDOUT, holder.pid, "%s: not acquired within %lld ms, held by %s (pid %lld)%s",
                              what, (long long)(timeout > 0 ? timeout : 0), holder.name[0] ? holder.name : "a process",
                              (long long)holder.pid,
                              owner == yoke__domain_token(domain) ? ", which is this process" : "");
}

/* What follows an acquisition by result; the first part of it must come before anybody is told. */
static int acquired(yoke_domain *domain, yoke__lock_state *state, const yoke__owner_wait *wait, int result)
{
    if (result == YOKE_OWNER_DIED && wait->mark != 0)
        note_death(domain, state, wait->dead);
    return (wait->held & YOKE__TOKEN_FLAG) != 0 ? YOKE_OWNER_DIED : YOKE_OK;
}

int yoke__lock_acquire(yoke__handle *handle, yoke__id id, yoke__lock_state *state, int64_t timeout)
{
    yoke_domain     *domain = handle->domain;
    yoke__owner_wait wait = {.mark = mark_of(state), .closing = &handle->closing, .object = id};
    int              result = yoke__owner_try(domain, &state->word, &wait);

    if (result == YOKE_EBUSY) {
        wait.deadline = yoke__deadline_after(timeout);
        yoke__handle_enter(handle);
        result = yoke__owner_acquire_with(domain, &state->word, &wait);
        yoke__handle_exit(handle);
    }
    if (result >= 0)
        return acquired(domain, state, &wait, result);
    if (result == YOKE_ETIMEDOUT)
        return timed_out(domain, id, state, timeout);
    if (result == YOKE_ECLOSED)
        return yoke__fail(YOKE_ECLOSED, "the lock was closed by another thread while this one waited for it");
    return result;
}

int yoke__lock_release(yoke__handle *handle, yoke__id id, yoke__lock_state *state)
{
    char what[128];

    if ((yoke__owner_release_keep(handle->domain, &state->word) & YOKE__TOKEN_MASK) != 0)
        return YOKE_OK;
    return yoke__fail(YOKE_EINVAL, "%s: released, but nobody holds it",
                      yoke__object_describe(handle->domain, id, what, sizeof what));
}

void yoke__lock_wake(yoke_domain *domain, yoke__lock_state *state)
{
    yoke__fence_seq_cst();
    yoke__word_wake(domain, &state->word, UINT32_MAX);
}

/* Takes the lock for a moment, as anybody might; who dies here has died holding it, and is swept in turn. */
void yoke__lock_sweep(yoke_domain *domain, yoke__lock_state *state, yoke__token dead)
{
    yoke__owner_wait wait = {.deadline = 0, .mark = mark_of(state)};

    if ((yoke__a32_load_relaxed(&state->word) & YOKE__TOKEN_MASK) != dead)
        return;
    int result = yoke__owner_acquire_with(domain, &state->word, &wait);
    if (result < 0)
        return;
    (void)acquired(domain, state, &wait, result);
    (void)yoke__owner_release_keep(domain, &state->word);
}

static void sweep(yoke_domain *domain, yoke__id id, void *object, yoke__token dead)
{
    (void)id;
    yoke__lock_sweep(domain, object, dead);
}

void yoke__lock_describe(yoke_domain *domain, const yoke__lock_state *state, char *text, size_t size)
{
    uint32_t word = yoke__a32_load_acquire(&state->word);

    yoke__text_add_holder(text, size, domain, word);
    if ((word & YOKE__TOKEN_FLAG) != 0)
        yoke__text_add(text, size, ", a holder died and it has not been repaired");
}

static void describe(yoke_domain *domain, yoke__id id, const void *object, char *text, size_t size)
{
    (void)id;
    yoke__lock_describe(domain, object, text, size);
}

const yoke__object_type yoke__lock_type = {
    .kind = YOKE__KIND_LOCK, .name = "lock", .sweep = sweep, .describe = describe};

/* ---- handles ----------------------------------------------------------------------------------------------------- */

/* In private_ of a borrowed handle: the handle of the object that the lock is in. 0: the lock is an object itself. */
#define OWNER 0

static const yoke__handle *owner_of(const yoke__handle *handle)
{
    return (const yoke__handle *)(uintptr_t)handle->private_[OWNER];
}

static yoke__id id_of(const yoke__handle *handle)
{
    return owner_of(handle) ? owner_of(handle)->id : handle->id;
}

/* A borrowed lock is gone when what it is in is gone. */
static yoke__handle *check(const yoke_lock *lock)
{
    yoke__handle       *handle = yoke__handle_check(lock, YOKE__KIND_LOCK);
    const yoke__handle *owner = handle ? owner_of(handle) : NULL;

    if (owner && (yoke__a32_load_acquire(&owner->closing) & YOKE__GONE) != 0) {
        yoke__fail(YOKE_ECLOSED, "the object that this lock belongs to is gone");
        return NULL;
    }
    return handle;
}

static int not_a_lock(void)
{
    return yoke_last_error()->code; /* by check() */
}

static void wake_sleepers(yoke__handle *handle)
{
    yoke__lock_wake(handle->domain, handle->object);
}

int yoke__lock_borrow(yoke_lock **out, const yoke__handle *owner, yoke__lock_state *state)
{
    yoke__handle *handle;
    int           result = yoke__handle_local(&handle, YOKE__KIND_LOCK);

    if (result != YOKE_OK)
        return result;
    handle->domain = owner->domain;
    handle->object = state;
    handle->private_[OWNER] = (uint64_t)(uintptr_t)owner;
    *out = (yoke_lock *)handle;
    return YOKE_OK;
}

void yoke__lock_return(yoke_lock *lock)
{
    if (lock)
        yoke__handle_close(&lock->handle, wake_sleepers);
}

/* ---- the public calls --------------------------------------------------------------------------------------------- */

static int init(yoke_domain *domain, yoke__id id, void *object, const void *argument)
{
    const yoke_lock_options *options = argument;

    (void)domain;
    (void)id;
    yoke__lock_init(object, options->on_death);
    return YOKE_OK;
}

static int agree(yoke_domain *domain, const void *object, const void *argument)
{
    static const char *const names[] = {"YOKE_REPORT_DEATH", "YOKE_IGNORE_DEATH"};
    const yoke__lock_state  *state = object;
    const yoke_lock_options *options = argument;
    uint32_t                 there = yoke__a32_load_relaxed(&state->on_death);

    (void)domain;
    if (!options || there == (uint32_t)options->on_death)
        return YOKE_OK;
    return yoke__fail(YOKE_EINVAL, "lock %s is there with %s, not with %s", options->name, names[there % 2],
                      names[options->on_death]);
}

static int make(yoke_lock **out, yoke_domain *domain, const char *name, yoke_open_mode mode,
                const yoke_lock_options *options)
{
    yoke__object_spec spec = {
        .kind = YOKE__KIND_LOCK,
        .name = name,
        .mode = mode,
        .size = sizeof(yoke__lock_state),
        .argument = options,
        .init = init,
        .agree = agree,
    };
    yoke__handle *handle;
    int           result = yoke__handle_create(&handle, domain, &spec);

    if (result == YOKE_OK)
        *out = (yoke_lock *)handle;
    return result;
}

int yoke_lock_create(yoke_lock **out, const yoke_lock_options *options)
{
    yoke_lock_options given;

    if (!out)
        return yoke__fail(YOKE_EINVAL, "yoke_lock_create: no place for the handle");
    YOKE_TRY(yoke__options_take(yoke_lock_options, &given, options));
    if (given.on_death != YOKE_REPORT_DEATH && given.on_death != YOKE_IGNORE_DEATH)
        return yoke__fail(YOKE_EINVAL, "yoke_lock_create: no such on_death: %d", (int)given.on_death);
    return make(out, given.domain, given.name, given.mode, &given);
}

int yoke_lock_open(yoke_lock **out, yoke_domain *domain, const char *name)
{
    if (!out || !name)
        return yoke__fail(YOKE_EINVAL, "yoke_lock_open: no %s", out ? "name" : "place for the handle");
    return make(out, domain, name, YOKE_OPEN, NULL);
}

void yoke_lock_close(yoke_lock *lock)
{
    yoke__handle *handle = lock ? yoke__handle_check(lock, YOKE__KIND_LOCK) : NULL;

    if (handle && handle->private_[OWNER] == 0)
        yoke__handle_close(handle, wake_sleepers);
}

int yoke_lock_acquire(yoke_lock *lock, int64_t timeout)
{
    yoke__handle *handle = check(lock);

    return handle ? yoke__lock_acquire(handle, id_of(handle), handle->object, timeout) : not_a_lock();
}

int yoke_lock_release(yoke_lock *lock)
{
    yoke__handle *handle = check(lock);

    return handle ? yoke__lock_release(handle, id_of(handle), handle->object) : not_a_lock();
}

bool yoke_lock_locked(const yoke_lock *lock)
{
    const yoke__handle *handle = check(lock);

    if (!handle)
        return false;
    const yoke__lock_state *state = handle->object;
    yoke__token             owner = yoke__a32_load_acquire(&state->word) & YOKE__TOKEN_MASK;
    return owner != 0 && yoke__token_alive(handle->domain, owner);
}

static void fill(yoke_domain *domain, yoke_death *out, const yoke__obituary *dead)
{
    yoke_death     told = {.pid = dead->pid};
    yoke__obituary end;

    memcpy(told.name, dead->name, sizeof told.name);
    if (yoke__obituary_of(domain, dead->token, &end) && end.how != 0) {
        told.exit_known = true;
        told.exit_code = end.how == 1 ? end.code : 0;
        told.exit_signal = end.how == 2 ? end.code : 0;
    }
    yoke__report_fill(out, &told, sizeof told);
}
_Static_assert(sizeof((yoke_death *)0)->name == YOKE__NAME_SIZE, "names of processes fit");

int yoke_lock_death(yoke_lock *lock, yoke_death *out)
{
    yoke__handle *handle = check(lock);
    char          what[128];

    if (!handle)
        return not_a_lock();
    YOKE_TRY(yoke__report_check(out, "yoke_death"));

    yoke__lock_state *state = handle->object;
    yoke__obituary    dead = {0};
    if ((yoke__a32_load_acquire(&state->word) & YOKE__TOKEN_FLAG) == 0)
        return yoke__fail(YOKE_ENOENT, "%s: nobody died holding it, or it has been repaired",
                          yoke__object_describe(handle->domain, id_of(handle), what, sizeof what));
    read_death(state, &dead);
    fill(handle->domain, out, &dead);
    return YOKE_OK;
}

int yoke_lock_mark_repaired(yoke_lock *lock)
{
    yoke__handle *handle = check(lock);
    char          what[128];

    if (!handle)
        return not_a_lock();

    yoke__lock_state *state = handle->object;
    yoke__token       mine = yoke__domain_token(handle->domain);
    uint32_t          seen = yoke__a32_load_relaxed(&state->word);
    while ((seen & YOKE__TOKEN_MASK) == mine && mine != 0)
        if (yoke__a32_cas_acq_rel(&state->word, &seen, seen & ~YOKE__TOKEN_FLAG))
            return YOKE_OK;
    return yoke__fail(YOKE_ENOTOWNER, "%s: marked repaired, but this process does not hold it",
                      yoke__object_describe(handle->domain, id_of(handle), what, sizeof what));
}
