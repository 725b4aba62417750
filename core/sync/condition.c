#include "condition.h"

#include "../domain/inspect.h"
#include "../domain/participant.h"
#include "../error.h"
#include "../options.h"

#include <stdio.h>

/* ---- the object ---------------------------------------------------------------------------------------------------- */

static void sweep(yoke_domain *domain, yoke__id id, void *object, yoke__token dead)
{
    yoke__condition_state *state = object;

    (void)id;
    yoke__lock_sweep(domain, &state->lock.lock, dead);
    yoke__waiters_sweep(domain, &state->waiters, dead);
}

static void destroy(yoke_domain *domain, yoke__id id, void *object)
{
    (void)id;
    yoke__waiters_destroy(domain, &((yoke__condition_state *)object)->waiters);
}

static bool links(yoke_domain *domain, yoke__id id, void *object, void *block, bool held)
{
    (void)id;
    return !held && yoke__waiters_link(domain, &((yoke__condition_state *)object)->waiters, block);
}

static void references(yoke_domain *domain, yoke__id id, void *object,
                       void (*visit)(void *user, yoke__reference reference), void *user)
{
    const yoke__condition_state *state = object;

    (void)domain;
    (void)id;
    if (state->given)
        visit(user, state->given);
}

/* Its own lock's; a lock that it was given tells its holder itself. */
static uint32_t blockers(yoke_domain *domain, const void *object, uint64_t waiter, yoke__blocker *out, uint32_t most)
{
    const yoke__condition_state *state = object;

    (void)domain;
    (void)waiter;
    return most && !state->given ? yoke__lock_blocker(&state->lock.lock, out) : 0;
}

static void describe(yoke_domain *domain, yoke__id id, const void *object, char *text, size_t size)
{
    yoke__condition_state *state = (yoke__condition_state *)(uintptr_t)object;

    (void)id;
    yoke__text_add(text, size, "%llu waiting, its lock ",
                   (unsigned long long)yoke__waiters_count(domain, &state->waiters));
    if (state->given)
        yoke__text_add(text, size, "is another object's");
    else
        yoke__lock_describe(domain, &state->lock.lock, text, size);
}

const yoke__object_type yoke__condition_type = {
    .kind = YOKE__KIND_CONDITION,
    .name = "condition",
    .destroy = destroy,
    .sweep = sweep,
    .links = links,
    .references = references,
    .blockers = blockers,
    .describe = describe,
};

/* ---- handles ------------------------------------------------------------------------------------------------------- */

typedef struct condition_spec {
    const yoke_condition_options *options;
    const yoke__handle           *lock; /* given, or NULL */
    bool                          recursive;
} condition_spec;

static uint32_t rules_of(const condition_spec *spec)
{
    return (spec->options->on_death == YOKE_IGNORE_DEATH ? YOKE__IGNORES_DEATH : 0u) |
           (spec->options->detect_deadlock ? YOKE__DETECTS : 0u);
}

static int init(yoke_domain *domain, yoke__id id, void *object, const void *argument)
{
    const condition_spec  *spec = argument;
    yoke__condition_state *state = object;

    (void)id;
    yoke__rlock_init(&state->lock, rules_of(spec));
    yoke__waiters_init(&state->waiters);
    state->recursive = spec->recursive;
    if (!spec->lock)
        return YOKE_OK;
    state->given = spec->lock->id;
    return yoke__reference_add(domain, spec->lock->id);
}

static int agree(yoke_domain *domain, const void *object, const void *argument)
{
    const condition_spec        *spec = argument;
    const yoke__condition_state *state = object;
    uint64_t                     asked = spec && spec->lock ? spec->lock->id : 0;
    char                         one[128], other[128];

    if (!spec)
        return YOKE_OK;
    if (state->given != asked)
        return yoke__fail(YOKE_EINVAL, "condition %s is there with %s, not with %s", spec->options->name,
                          state->given ? yoke__object_describe(domain, state->given, one, sizeof one) : "its own lock",
                          asked ? yoke__object_describe(domain, asked, other, sizeof other) : "its own lock");
    (void)snprintf(one, sizeof one, "condition %s", spec->options->name);
    return yoke__lock_agree(one, &state->lock.lock, rules_of(spec) | YOKE__OWNER_RELEASES);
}

static int make(yoke_condition **out, yoke_domain *domain, const char *name, yoke_open_mode mode,
                const condition_spec *given)
{
    yoke__object_spec spec = {
        .kind = YOKE__KIND_CONDITION,
        .name = name,
        .mode = mode,
        .size = sizeof(yoke__condition_state),
        .argument = given,
        .init = init,
        .agree = agree,
    };

    return yoke__handle_create((yoke__handle **)(void *)out, domain, &spec);
}

/* The lock that options give, if they do; then the domain is the lock's. */
static int take_lock(condition_spec *out, yoke_condition_options *options)
{
    const void         *given = options->rlock ? (const void *)options->rlock : options->lock;
    const yoke__handle *lock = yoke__handle_check(given, options->rlock ? YOKE__KIND_RLOCK : YOKE__KIND_LOCK);

    if (!lock)
        return yoke__fail_in(yoke__noted(), "yoke_condition_create: .%s", options->rlock ? "rlock" : "lock");
    if (options->rlock && options->lock)
        return yoke__fail(YOKE_EINVAL, "yoke_condition_create: both .lock and .rlock");
    if (lock->id == 0)
        return yoke__fail(YOKE_ENOTSUP, "yoke_condition_create: .lock belongs to a value or array");
    if (options->on_death != YOKE_REPORT_DEATH)
        return yoke__fail(YOKE_EINVAL, "yoke_condition_create: on_death is for a lock of its own, not for a given one");
    if (options->detect_deadlock)
        return yoke__fail(YOKE_EINVAL,
                          "yoke_condition_create: detect_deadlock is for a lock of its own; a given one has "
                          "that option itself");
    if (options->domain && options->domain != lock->domain)
        return yoke__fail(YOKE_EINVAL, "yoke_condition_create: the lock is of another domain than the condition");
    options->domain = lock->domain;
    out->lock = lock;
    out->recursive = options->rlock != NULL;
    return YOKE_OK;
}

int yoke_condition_create(yoke_condition **out, const yoke_condition_options *options)
{
    yoke_condition_options given;
    condition_spec         spec = {.options = &given, .recursive = true};

    if (!out)
        return yoke__fail(YOKE_EINVAL, "yoke_condition_create: no place for the handle");
    YOKE_TRY(yoke__options_take(yoke_condition_options, &given, options));
    if (given.on_death != YOKE_REPORT_DEATH && given.on_death != YOKE_IGNORE_DEATH)
        return yoke__fail(YOKE_EINVAL, "yoke_condition_create: no such on_death: %d", (int)given.on_death);
    if (given.lock || given.rlock)
        YOKE_TRY(take_lock(&spec, &given));
    return make(out, given.domain, given.name, given.mode, &spec);
}

int yoke_condition_open(yoke_condition **out, yoke_domain *domain, const char *name)
{
    if (!out || !name)
        return yoke__fail(YOKE_EINVAL, "yoke_condition_open: no %s", out ? "name" : "place for the handle");
    return make(out, domain, name, YOKE_OPEN, NULL);
}

bool yoke__condition_find(yoke__condition *out, const yoke_condition *condition)
{
    yoke__handle *handle = yoke__handle_check(condition, YOKE__KIND_CONDITION);

    if (!handle)
        return false;
    *out = (yoke__condition){.domain = handle->domain, .handle = handle, .state = handle->object};
    return yoke__condition_find_lock(out);
}

/* Sleepers of all processes: which are this one's only they know. */
static void wake_sleepers(yoke__handle *handle)
{
    yoke__condition condition = {handle->domain, handle, handle->object, NULL};

    if (yoke__condition_find_lock(&condition))
        yoke__lock_wake(condition.domain, &condition.lock->lock);
    yoke__waiters_stir(condition.domain, &condition.state->waiters);
}

void yoke_condition_close(yoke_condition *condition)
{
    if (condition && yoke__handle_check(condition, YOKE__KIND_CONDITION))
        yoke__handle_close(&condition->handle, wake_sleepers);
}

/* ---- the lock ------------------------------------------------------------------------------------------------------ */

int yoke_condition_acquire(yoke_condition *condition, int64_t timeout)
{
    yoke__condition c;

    return yoke__condition_find(&c, condition) ? yoke__condition_acquire(&c, timeout) : yoke__noted();
}

int yoke_condition_release(yoke_condition *condition)
{
    yoke__condition c;

    return yoke__condition_find(&c, condition) ? yoke__condition_release(&c) : yoke__noted();
}

int yoke_condition_death(yoke_condition *condition, yoke_death *out)
{
    yoke__condition c;

    return yoke__condition_find(&c, condition) ? yoke__condition_death(&c, out) : yoke__noted();
}

int yoke_condition_mark_repaired(yoke_condition *condition)
{
    yoke__condition c;

    return yoke__condition_find(&c, condition) ? yoke__condition_mark_repaired(&c) : yoke__noted();
}

/* ---- notifying ----------------------------------------------------------------------------------------------------- */

static int notify(yoke_condition *condition, uint64_t n)
{
    yoke__condition c;

    if (!yoke__condition_find(&c, condition))
        return yoke__noted();
    YOKE_TRY(yoke__condition_holds(&c, "notify"));
    yoke__waiters_notify(c.domain, &c.state->waiters, n);
    return YOKE_OK;
}

int yoke_condition_notify(yoke_condition *condition, int64_t n)
{
    if (n < 0)
        return yoke__fail(YOKE_EINVAL, "yoke_condition_notify: %lld waiters", (long long)n);
    return notify(condition, (uint64_t)n);
}

int yoke_condition_notify_all(yoke_condition *condition)
{
    return notify(condition, UINT64_MAX);
}

int64_t yoke_condition_waiting(const yoke_condition *condition)
{
    yoke__condition c;

    return yoke__condition_find(&c, condition) ? (int64_t)yoke__waiters_count(c.domain, &c.state->waiters)
                                               : yoke__noted();
}
