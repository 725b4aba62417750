#include "barrier.h"

#include "../domain/inspect.h"
#include "../domain/participant.h"
#include "../error.h"
#include "../options.h"

#include <stdio.h>

#define SWEEP_GRACE 50 /* ms for the guard, while all others wait for the registry */

/* ---- the object ---------------------------------------------------------------------------------------------------- */

static void sweep(yoke_domain *domain, yoke__id id, void *object, yoke__token dead)
{
    yoke__barrier barrier = {domain, object, id};

    int result = yoke__barrier_lock_until(&barrier, domain->put_off ? 0 : yoke__deadline_after(SWEEP_GRACE), NULL);
    domain->put_off += result == YOKE_ETIMEDOUT; /* its holder may be stopped: whoever recovers next does it */
    if (result < 0)
        return;
    yoke__barrier_bury(&barrier, dead);
    yoke__barrier_unlock(&barrier);
}

static void destroy(yoke_domain *domain, yoke__id id, void *object)
{
    yoke__barrier barrier = {domain, object, id};

    yoke__barrier_destroy(&barrier);
}

static bool links(yoke_domain *domain, yoke__id id, void *object, void *block, bool held)
{
    yoke__barrier barrier = {domain, object, id};

    return !held && yoke__barrier_links(&barrier, block);
}

/* Without the guard, so what it shows may be a round old. */
static void describe(yoke_domain *domain, yoke__id id, const void *object, char *text, size_t size)
{
    yoke__barrier barrier = {domain, (yoke__barrier_state *)(uintptr_t)object, id};

    if (yoke__barrier_broken(&barrier, NULL) != YOKE__WHY_NOT) {
        yoke__text_add(text, size, "broken, of %lu parties", (unsigned long)barrier.state->parties);
        return;
    }
    int64_t waiting = yoke__barrier_waiting(&barrier);
    yoke__text_add(text, size, "%ld of %lu parties have arrived", (long)(waiting > 0 ? waiting : 0),
                   (unsigned long)barrier.state->parties);
}

const yoke__object_type yoke__barrier_type = {
    .kind = YOKE__KIND_BARRIER,
    .name = "barrier",
    .destroy = destroy,
    .sweep = sweep,
    .links = links,
    .describe = describe,
};

/* ---- making -------------------------------------------------------------------------------------------------------- */

typedef struct barrier_spec {
    const yoke_barrier_options *options;
    uint32_t                    parties;
} barrier_spec;

static int init(yoke_domain *domain, yoke__id id, void *object, const void *argument)
{
    const barrier_spec  *spec = argument;
    yoke__barrier_state *state = object;
    yoke__barrier        barrier = {domain, state, id};

    state->parties = spec->parties;
    state->has_action = spec->options->action != NULL;
    return yoke__barrier_init(&barrier);
}

static int agree(yoke_domain *domain, const void *object, const void *argument)
{
    const barrier_spec        *spec = argument;
    const yoke__barrier_state *state = object;

    (void)domain;
    if (!spec)
        return YOKE_OK;
    if (state->parties != spec->parties)
        return yoke__fail(YOKE_EINVAL, "barrier %s is there with %u parties, not with %u", spec->options->name,
                          (unsigned)state->parties, (unsigned)spec->parties);
    if ((state->has_action != 0) != (spec->options->action != NULL))
        return yoke__fail(YOKE_EINVAL, "barrier %s is there with%s an action, not with%s one", spec->options->name,
                          state->has_action ? "" : "out", state->has_action ? "out" : "");
    return YOKE_OK;
}

static void keep_action(yoke__handle *handle, yoke_barrier_action *action, void *user)
{
    handle->private_[YOKE__BARRIER_ACTION] = (uint64_t)(uintptr_t)action;
    handle->private_[YOKE__BARRIER_USER] = (uint64_t)(uintptr_t)user;
}

static int make(yoke_barrier **out, yoke_domain *domain, const char *name, yoke_open_mode mode,
                const barrier_spec *given)
{
    yoke__object_spec spec = {
        .kind = YOKE__KIND_BARRIER,
        .name = name,
        .mode = mode,
        .size = sizeof(yoke__barrier_state) + (given ? given->parties : 0) * sizeof(yoke__a32),
        .argument = given,
        .init = init,
        .agree = agree,
    };
    yoke__handle *handle;

    YOKE_TRY(yoke__handle_create(&handle, domain, &spec));
    if (given)
        keep_action(handle, given->options->action, given->options->user);
    *out = (yoke_barrier *)handle;
    return YOKE_OK;
}

int yoke_barrier_create(yoke_barrier **out, int64_t parties, const yoke_barrier_options *options)
{
    yoke_barrier_options given;
    barrier_spec         spec = {.options = &given, .parties = (uint32_t)parties};

    if (!out)
        return yoke__fail(YOKE_EINVAL, "yoke_barrier_create: no place for the handle");
    if (parties < 1 || parties > YOKE__PARTIES_MOST)
        return yoke__fail(YOKE_EINVAL, "yoke_barrier_create: %lld parties; there may be 1 to %d", (long long)parties,
                          YOKE__PARTIES_MOST);
    YOKE_TRY(yoke__options_take(yoke_barrier_options, &given, options));
    return make(out, given.domain, given.name, given.mode, &spec);
}

int yoke_barrier_open(yoke_barrier **out, yoke_domain *domain, const char *name)
{
    if (!out || !name)
        return yoke__fail(YOKE_EINVAL, "yoke_barrier_open: no %s", out ? "name" : "place for the handle");
    return make(out, domain, name, YOKE_OPEN, NULL);
}

yoke__handle *yoke__barrier_find(yoke__barrier *out, const yoke_barrier *barrier)
{
    yoke__handle *handle = yoke__handle_check(barrier, YOKE__KIND_BARRIER);

    if (handle)
        *out = (yoke__barrier){handle->domain, handle->object, handle->id};
    return handle;
}

/* The same with the guard taken. */
static yoke__handle *enter(yoke__barrier *out, const yoke_barrier *barrier)
{
    yoke__handle *handle = yoke__barrier_find(out, barrier);

    return handle && yoke__barrier_lock(out) == YOKE_OK ? handle : NULL;
}

int yoke_barrier_set_action(yoke_barrier *barrier, yoke_barrier_action *action, void *user)
{
    yoke__barrier b;
    yoke__handle *handle = yoke__barrier_find(&b, barrier);
    char          what[128];

    if (!handle)
        return yoke__noted();
    if (!action || !b.state->has_action)
        return yoke__fail(YOKE_EINVAL, "%s: %s", yoke__object_describe(b.domain, b.id, what, sizeof what),
                          action ? "an action for a barrier that was made without one" : "the action is NULL");
    keep_action(handle, action, user);
    return YOKE_OK;
}

/* ---- closing ------------------------------------------------------------------------------------------------------- */

static uint64_t *joined_by(yoke__handle *handle, yoke__token token)
{
    if (handle->private_[YOKE__BARRIER_JOINED_AS] != token) /* not yet, or before a fork, by the parent */
        handle->private_[YOKE__BARRIER_JOINED] = 0;
    handle->private_[YOKE__BARRIER_JOINED_AS] = token;
    return &handle->private_[YOKE__BARRIER_JOINED];
}

/* Without the guard, whose holder may be stopped: who began to sleep at this moment sees after a slice that we close. */
static void wake_sleepers(yoke__handle *handle)
{
    yoke__barrier barrier = {handle->domain, handle->object, handle->id};

    yoke__fence_seq_cst();
    yoke__round *round = yoke__barrier_round(&barrier);
    if (round)
        yoke__word_wake(barrier.domain, &round->state, UINT32_MAX);
    yoke__word_wake(barrier.domain, &barrier.state->guard, UINT32_MAX);
}

static void leave_all(yoke__handle *handle)
{
    yoke__barrier barrier = {handle->domain, handle->object, handle->id};

    if (!handle->private_[YOKE__BARRIER_JOINED] || !yoke__a32_load_acquire(&handle->domain->token) ||
        (yoke__a32_load_acquire(&handle->closing) & YOKE__NOT_HELD) != 0 || yoke__barrier_lock(&barrier) < 0)
        return;
    yoke__token token = yoke__domain_token(handle->domain);
    (void)yoke__barrier_unjoin(&barrier, token, (uint32_t)*joined_by(handle, token));
    yoke__barrier_unlock(&barrier);
}

void yoke_barrier_close(yoke_barrier *barrier)
{
    if (barrier && yoke__handle_check(barrier, YOKE__KIND_BARRIER))
        yoke__handle_close_with(&barrier->handle, wake_sleepers, leave_all);
}

/* ---- the rest ------------------------------------------------------------------------------------------------------ */

int yoke_barrier_join(yoke_barrier *barrier)
{
    yoke__barrier b;
    yoke__handle *handle = enter(&b, barrier);
    uint32_t      i = 0;
    char          what[128];

    if (!handle)
        return yoke__noted();
    while (i < b.state->parties && yoke__a32_load_relaxed(&b.state->joined[i]) != 0)
        i++;
    bool room = i < b.state->parties;
    if (room) {
        ++*joined_by(handle, yoke__domain_token(b.domain));
        yoke__a32_store_release(&b.state->joined[i], yoke__domain_token(b.domain));
    }
    yoke__barrier_unlock(&b);
    return room ? YOKE_OK
                : yoke__fail(YOKE_EBUSY, "%s: all %u parties have joined already",
                             yoke__object_describe(b.domain, b.id, what, sizeof what), (unsigned)b.state->parties);
}

int yoke_barrier_leave(yoke_barrier *barrier)
{
    yoke__barrier b;
    yoke__handle *handle = enter(&b, barrier);
    char          what[128];

    if (!handle)
        return yoke__noted();
    yoke__token token = yoke__domain_token(b.domain);
    uint64_t   *joined = joined_by(handle, token);
    bool        left = *joined > 0 && yoke__barrier_unjoin(&b, token, 1) == 1;
    *joined -= left;
    yoke__barrier_unlock(&b);
    return left ? YOKE_OK
                : yoke__fail(YOKE_ENOTOWNER, "%s: this process has not joined by this handle",
                             yoke__object_describe(b.domain, b.id, what, sizeof what));
}

int yoke_barrier_abort(yoke_barrier *barrier)
{
    yoke__barrier b;

    if (!enter(&b, barrier))
        return yoke__noted();
    yoke__barrier_break(&b, YOKE__WHY_ABORTED, yoke__domain_token(b.domain));
    yoke__barrier_unlock(&b);
    return YOKE_OK;
}

int yoke_barrier_reset(yoke_barrier *barrier)
{
    yoke__barrier b;

    if (!enter(&b, barrier))
        return yoke__noted();
    int result = yoke__barrier_reset(&b);
    yoke__barrier_unlock(&b);
    return result;
}

int64_t yoke_barrier_parties(const yoke_barrier *barrier)
{
    yoke__barrier b;

    return yoke__barrier_find(&b, barrier) ? (int64_t)b.state->parties : yoke__noted();
}

int64_t yoke_barrier_waiting(const yoke_barrier *barrier)
{
    yoke__barrier b;

    return yoke__barrier_find(&b, barrier) ? yoke__barrier_waiting(&b) : yoke__noted();
}

bool yoke_barrier_broken(const yoke_barrier *barrier)
{
    yoke__barrier b;

    return yoke__barrier_find(&b, barrier) && yoke__barrier_broken(&b, NULL) != YOKE__WHY_NOT;
}
