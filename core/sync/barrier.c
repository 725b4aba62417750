#include "barrier.h"

#include "../domain/participant.h"
#include "../error.h"
#include "../options.h"

#include <stdio.h>

/* What a handle's private_ are. The action is written before it is used by other threads, the rest under the guard. */
enum { ACTION, USER, JOINED, JOINED_AS };

/* ---- the object ---------------------------------------------------------------------------------------------------- */

static void sweep(yoke_domain *domain, yoke__id id, void *object, yoke__token dead)
{
    yoke__barrier barrier = {domain, object, id};

    if (yoke__barrier_lock(&barrier) < 0)
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

const yoke__object_type yoke__barrier_type = {
    .kind = YOKE__KIND_BARRIER,
    .name = "barrier",
    .destroy = destroy,
    .sweep = sweep,
    .links = links,
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
    handle->private_[ACTION] = (uint64_t)(uintptr_t)action;
    handle->private_[USER] = (uint64_t)(uintptr_t)user;
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

/* NULL with the error noted. */
static yoke__handle *find(yoke__barrier *out, const yoke_barrier *barrier)
{
    yoke__handle *handle = yoke__handle_check(barrier, YOKE__KIND_BARRIER);

    if (handle)
        *out = (yoke__barrier){handle->domain, handle->object, handle->id};
    return handle;
}

/* The same with the guard taken. */
static yoke__handle *enter(yoke__barrier *out, const yoke_barrier *barrier)
{
    yoke__handle *handle = find(out, barrier);

    return handle && yoke__barrier_lock(out) == YOKE_OK ? handle : NULL;
}

int yoke_barrier_set_action(yoke_barrier *barrier, yoke_barrier_action *action, void *user)
{
    yoke__barrier b;
    yoke__handle *handle = find(&b, barrier);
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
    if (handle->private_[JOINED_AS] != token) /* not yet, or before a fork, by the parent */
        handle->private_[JOINED] = 0;
    handle->private_[JOINED_AS] = token;
    return &handle->private_[JOINED];
}

static void wake_sleepers(yoke__handle *handle)
{
    yoke__barrier barrier = {handle->domain, handle->object, handle->id};

    if (yoke__barrier_lock(&barrier) < 0)
        return;
    yoke__round *round = yoke__barrier_round(&barrier);
    yoke__word_wake(barrier.domain, &round->state, UINT32_MAX);
    yoke__barrier_unlock(&barrier);
}

static void leave_all(yoke__handle *handle)
{
    yoke__barrier barrier = {handle->domain, handle->object, handle->id};

    if (!handle->private_[JOINED] || !yoke__a32_load_acquire(&handle->domain->token) ||
        (yoke__a32_load_acquire(&handle->closing) & YOKE__GONE) != 0 || yoke__barrier_lock(&barrier) < 0)
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

/* ---- sentences ----------------------------------------------------------------------------------------------------- */

static int broken(const yoke__barrier *barrier, yoke__barrier_why why, yoke__token culprit)
{
    static const char *const whys[] = {"broken",
                                       "aborted by",
                                       "broken by the time-out of",
                                       "broken by the death of",
                                       "broken, as its action failed in",
                                       "broken by a close in",
                                       "reset by"};
    yoke__obituary           who = {0};
    char                     what[128];

    if (culprit)
        yoke__token_describe(barrier->domain, culprit, &who);
    return yoke__fail_process(YOKE_EBROKEN, who.pid, "%s: %s %s (pid %lld)",
                              yoke__object_describe(barrier->domain, barrier->id, what, sizeof what),
                              (size_t)why < sizeof whys / sizeof whys[0] ? whys[why] : whys[0],
                              who.name[0] ? who.name : "a process", (long long)who.pid);
}

static int closed(void)
{
    return yoke__fail(YOKE_ECLOSED, "the barrier was closed by another thread while this one waited in it");
}

static int timed_out(const yoke__barrier *barrier, uint32_t arrived)
{
    char what[128];

    return yoke__fail(YOKE_ETIMEDOUT, "%s: %u of %u parties came within the time",
                      yoke__object_describe(barrier->domain, barrier->id, what, sizeof what), (unsigned)arrived,
                      (unsigned)barrier->state->parties);
}

/* ---- waiting ------------------------------------------------------------------------------------------------------- */

typedef struct party {
    yoke__barrier  barrier;
    yoke__handle  *handle;
    yoke__round   *round;
    uint32_t       index;
    yoke__deadline deadline;
} party;

static bool is_closing(const party *p)
{
    return yoke__a32_load_acquire(&p->handle->closing) != 0;
}

static bool spin(const party *p)
{
    static _Thread_local yoke__spin_luck luck;
    yoke__spin                           spin = yoke__spin_begin(&luck);

    while (yoke__spin_for(&spin, 1))
        if (yoke__a32_load_relaxed(&p->round->state) != YOKE__ROUND_OPEN) {
            yoke__spin_won(&spin);
            return true;
        }
    return false;
}

/* Until the round is not open any more: YOKE_OK. YOKE_ETIMEDOUT, YOKE_ECLOSED: it still was. No error is noted. */
static int until_ended(const party *p)
{
    yoke__a32 *word = &p->round->state;

    if (p->deadline > 0 && !is_closing(p) && spin(p))
        return YOKE_OK;
    while (yoke__a32_load_acquire(word) == YOKE__ROUND_OPEN) {
        if (is_closing(p))
            return YOKE_ECLOSED;
        if (yoke__deadline_past(p->deadline))
            return YOKE_ETIMEDOUT;
        yoke__word_wait(p->barrier.domain, word, YOKE__ROUND_OPEN, p->deadline);
        if (yoke__a32_load_relaxed(word) == YOKE__ROUND_OPEN) /* a slice has passed: has one of us died? */
            (void)yoke__domain_patrol(p->barrier.domain);
    }
    return YOKE_OK;
}

/* How the round has ended. The last look at it: after that its record may serve another one. */
static int leave_round(const party *p)
{
    uint32_t    state = yoke__a32_load_acquire(&p->round->state);
    yoke__token culprit = yoke__a32_load_relaxed(&p->round->culprit);

    yoke__a32_store_release(&p->round->arrived[p->index], 0);
    return state == YOKE__ROUND_DONE ? YOKE_OK : broken(&p->barrier, YOKE__ROUND_WHY(state), culprit);
}

/* Gives up, and breaks it for the others; unless it has ended at that moment. */
static int give_up(const party *p, yoke__barrier_why why)
{
    uint32_t arrived = yoke__a32_load_relaxed(&p->round->count);

    YOKE_TRY(yoke__barrier_lock(&p->barrier));
    bool was_open = yoke__barrier_is_open(&p->barrier, p->round);
    if (was_open)
        yoke__barrier_break(&p->barrier, why, yoke__domain_token(p->barrier.domain));
    yoke__barrier_unlock(&p->barrier);
    int result = leave_round(p);
    if (!was_open)
        return result;
    return why == YOKE__WHY_CLOSED ? closed() : timed_out(&p->barrier, arrived);
}

static int wait_for_others(const party *p)
{
    int result;

    yoke__wait_begin(p->barrier.domain, p->barrier.id);
    result = until_ended(p);
    yoke__wait_end(p->barrier.domain);
    if (result == YOKE_OK)
        return leave_round(p);
    return give_up(p, result == YOKE_ECLOSED ? YOKE__WHY_CLOSED : YOKE__WHY_TIMED_OUT);
}

/* The last to arrive has come. Meanwhile somebody may give up, abort or reset, or we may be killed: then it is broken. */
static int act(const party *p)
{
    yoke_barrier_action *action = (yoke_barrier_action *)(uintptr_t)p->handle->private_[ACTION];
    int                  result = action((void *)(uintptr_t)p->handle->private_[USER]);

    YOKE_TRY(yoke__barrier_lock(&p->barrier));
    if (yoke__barrier_is_open(&p->barrier, p->round)) {
        if (result < 0)
            yoke__barrier_break(&p->barrier, YOKE__WHY_FAILED, yoke__domain_token(p->barrier.domain));
        else
            yoke__barrier_finish(&p->barrier, p->round);
    }
    yoke__barrier_unlock(&p->barrier);
    int ended = leave_round(p);
    return result < 0 ? result : ended;
}

/* Holds the guard if and only if it returns YOKE_OK: arrived. */
static int arrive(party *p)
{
    for (;;) {
        YOKE_TRY(yoke__barrier_lock(&p->barrier));
        int result = yoke__barrier_arrive(&p->barrier, &p->round, &p->index);
        if (result == YOKE_OK)
            return YOKE_OK;
        yoke__barrier_why why = yoke__barrier_broken(&p->barrier);
        yoke__token       culprit = yoke__a32_load_relaxed(&p->barrier.state->broken_by);
        yoke__barrier_unlock(&p->barrier);
        if (result == YOKE_EBROKEN)
            return broken(&p->barrier, why, culprit);
        if (result != YOKE_EBUSY)
            return result;
        result = until_ended(p); /* of the round before, whose action is running */
        if (result == YOKE_ECLOSED)
            return closed();
        if (result == YOKE_ETIMEDOUT)
            return timed_out(&p->barrier, p->barrier.state->parties);
    }
}

static int wait(party *p)
{
    YOKE_TRY(arrive(p));
    bool last = p->index + 1 == p->barrier.state->parties;
    if (last && !p->barrier.state->has_action)
        yoke__barrier_finish(&p->barrier, p->round);
    yoke__barrier_unlock(&p->barrier);
    if (last)
        return p->barrier.state->has_action ? act(p) : leave_round(p);
    return wait_for_others(p);
}

int yoke_barrier_wait(yoke_barrier *barrier, int64_t timeout, int64_t *index)
{
    party p = {.deadline = yoke__deadline_after(timeout)};
    char  what[128];

    p.handle = find(&p.barrier, barrier);
    if (!p.handle)
        return yoke__noted();
    if (p.barrier.state->has_action && !p.handle->private_[ACTION])
        return yoke__fail(YOKE_EINVAL, "%s: this handle has no action yet: see yoke_barrier_set_action()",
                          yoke__object_describe(p.barrier.domain, p.barrier.id, what, sizeof what));
    yoke__handle_enter(p.handle);
    int result = wait(&p);
    yoke__handle_exit(p.handle);
    if (result == YOKE_OK && index)
        *index = p.index;
    return result;
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

    return find(&b, barrier) ? (int64_t)b.state->parties : yoke__noted();
}

int64_t yoke_barrier_waiting(const yoke_barrier *barrier)
{
    yoke__barrier b;
    int64_t       waiting;

    if (!enter(&b, barrier))
        return yoke__noted();
    yoke__round *round = yoke__barrier_round(&b);
    waiting = yoke__barrier_is_open(&b, round) ? (int64_t)yoke__a32_load_relaxed(&round->count) : 0;
    yoke__barrier_unlock(&b);
    return waiting;
}

bool yoke_barrier_broken(const yoke_barrier *barrier)
{
    yoke__barrier b;

    return find(&b, barrier) && yoke__barrier_broken(&b) != YOKE__WHY_NOT;
}
