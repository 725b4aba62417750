#include "event.h"

#include "../domain/inspect.h"
#include "../domain/participant.h"
#include "../error.h"
#include "../options.h"
#include "../wait/hub.h"
#include "../wait/watchable.h"
#include "../wait/watchers.h"
#include "../wait/word.h"

static void describe(yoke_domain *domain, yoke__id id, const void *object, char *text, size_t size)
{
    const yoke__event_state *state = object;

    (void)domain;
    (void)id;
    yoke__text_add(text, size, yoke__a32_load_relaxed(&state->word) & YOKE__EVENT_SET ? "set" : "not set");
}

const yoke__object_type yoke__event_type = {.kind = YOKE__KIND_EVENT, .name = "event", .describe = describe};

/* ---- making and closing -------------------------------------------------------------------------------------------- */

static int make(yoke_event **out, yoke_domain *domain, const char *name, yoke_open_mode mode)
{
    yoke__object_spec spec = {
        .kind = YOKE__KIND_EVENT,
        .name = name,
        .mode = mode,
        .size = sizeof(yoke__event_state),
    };
    yoke__handle *handle;
    int           result = yoke__handle_create(&handle, domain, &spec);

    if (result == YOKE_OK)
        *out = (yoke_event *)handle;
    return result;
}

int yoke_event_create(yoke_event **out, const yoke_event_options *options)
{
    yoke_event_options given;

    if (!out)
        return yoke__fail(YOKE_EINVAL, "yoke_event_create: no place for the handle");
    YOKE_TRY(yoke__options_take(yoke_event_options, &given, options));
    return make(out, given.domain, given.name, given.mode);
}

int yoke_event_open(yoke_event **out, yoke_domain *domain, const char *name)
{
    if (!out || !name)
        return yoke__fail(YOKE_EINVAL, "yoke_event_open: no %s", out ? "name" : "place for the handle");
    return make(out, domain, name, YOKE_OPEN);
}

static void wake_all(yoke_domain *domain, yoke__event_state *state)
{
    yoke__fence_seq_cst(); /* with the one in yoke__park(): either we see the sleeper, or it sees the word */
    yoke__word_wake(domain, &state->word, UINT32_MAX);
}

static void wake_sleepers(yoke__handle *handle)
{
    wake_all(handle->domain, handle->object);
}

void yoke_event_close(yoke_event *event)
{
    if (event && yoke__handle_check(event, YOKE__KIND_EVENT))
        yoke__handle_close(&event->handle, wake_sleepers);
}

/* ---- set and clear ------------------------------------------------------------------------------------------------- */

static int not_an_event(void)
{
    return yoke_last_error()->code; /* by yoke__handle_check() */
}

/*
 * The CAS is the commit. It is made though the event may be set already: who finds it set then sees what this process
 * wrote before, not only what the first setter did.
 */
int yoke_event_set(yoke_event *event)
{
    yoke__handle *handle = yoke__handle_check(event, YOKE__KIND_EVENT);

    if (!handle)
        return not_an_event();
    yoke__event_state *state = handle->object;
    uint32_t           seen = yoke__a32_load_relaxed(&state->word), next;
    do
        next = (seen & YOKE__EVENT_SET) != 0 ? seen : ((seen + 2) & YOKE__EVENT_SETS) | YOKE__EVENT_SET;
    while (!yoke__a32_cas_acq_rel(&state->word, &seen, next));
    if ((seen & YOKE__WAITERS) != 0)
        wake_all(handle->domain, state);
    yoke__fence_after_exchange(); /* with the one after yoke__watchers_arm() */
    yoke__watchers_ring(handle->domain, &state->watchers);
    return YOKE_OK;
}

int yoke_event_clear(yoke_event *event)
{
    yoke__handle *handle = yoke__handle_check(event, YOKE__KIND_EVENT);

    if (!handle)
        return not_an_event();
    yoke__a32_and_acq_rel(&((yoke__event_state *)handle->object)->word, ~YOKE__EVENT_SET);
    return YOKE_OK;
}

bool yoke_event_is_set(const yoke_event *event)
{
    const yoke__handle *handle = yoke__handle_check(event, YOKE__KIND_EVENT);

    if (!handle)
        return false;
    return (yoke__a32_load_acquire(&((const yoke__event_state *)handle->object)->word) & YOKE__EVENT_SET) != 0;
}

/* ---- waiting --------------------------------------------------------------------------------------------------------- */

/* The number of sets at the beginning of the wait, without the other bits. */
static bool satisfied(uint32_t word, uint32_t sets)
{
    return (word & YOKE__EVENT_SET) != 0 || (word & YOKE__EVENT_SETS) != sets;
}

static bool spin(const yoke__event_state *state, uint32_t sets)
{
    static _Thread_local yoke__spin_luck luck;
    yoke__spin                           spin = yoke__spin_begin(&luck);

    while (yoke__spin_for(&spin, 1)) {
        if (!satisfied(yoke__a32_load_acquire(&state->word), sets))
            continue;
        yoke__spin_won(&spin);
        return true;
    }
    return false;
}

static int sleep_until(yoke__handle *handle, uint32_t sets, yoke__deadline deadline)
{
    yoke__event_state *state = handle->object;
    uint32_t           seen = yoke__a32_load_acquire(&state->word);

    while (!satisfied(seen, sets)) {
        if ((seen & YOKE__WAITERS) == 0) {
            if (yoke__a32_cas_acq_rel(&state->word, &seen, seen | YOKE__WAITERS))
                seen |= YOKE__WAITERS;
            continue;
        }
        if (yoke__a32_load_acquire(&handle->closing) != 0)
            return YOKE_ECLOSED;
        if (yoke__deadline_past(deadline))
            return YOKE_ETIMEDOUT;
        yoke__word_wait(handle->domain, &state->word, seen, deadline);
        uint32_t now = yoke__a32_load_acquire(&state->word);
        if (now == seen) /* a slice has passed, and nobody else may be looking for the dead */
            (void)yoke__domain_patrol(handle->domain);
        seen = now;
    }
    return YOKE_OK;
}

static int wait_for(yoke__handle *handle, uint32_t sets, int64_t timeout)
{
    int result = YOKE_OK;

    yoke__deadline deadline = yoke__deadline_after(timeout);
    yoke__handle_enter(handle);
    if (!spin(handle->object, sets)) {
        yoke__wait_begin(handle->domain, handle->id);
        result = sleep_until(handle, sets, deadline);
        yoke__wait_end(handle->domain);
    }
    yoke__handle_exit(handle);
    return result;
}

int yoke_event_wait(yoke_event *event, int64_t timeout)
{
    yoke__handle *handle = yoke__handle_check(event, YOKE__KIND_EVENT);
    char          what[128];

    if (!handle)
        return not_an_event();
    uint32_t seen = yoke__a32_load_acquire(&((const yoke__event_state *)handle->object)->word);
    int      result = YOKE_OK;
    if ((seen & YOKE__EVENT_SET) == 0)
        result = timeout > 0 ? wait_for(handle, seen & YOKE__EVENT_SETS, timeout) : YOKE_ETIMEDOUT;
    if (result == YOKE_ETIMEDOUT)
        yoke__native_settle(handle);
    if (result == YOKE_ETIMEDOUT)
        return yoke__fail(result, "%s: not set within %lld ms",
                          yoke__object_describe(handle->domain, handle->id, what, sizeof what),
                          (long long)(timeout > 0 ? timeout : 0));
    if (result == YOKE_ECLOSED)
        return yoke__fail(result, "the event was closed by another thread while this one waited for it");
    return result;
}

/* ---- waiting for it besides other things ----------------------------------------------------------------------------- */

static yoke__a64 *watchers_of(yoke__handle *handle, yoke__what what)
{
    (void)what;
    return &((yoke__event_state *)handle->object)->watchers;
}

static bool set_now(yoke__handle *handle, yoke__what what, int *status)
{
    (void)what;
    *status = YOKE_OK;
    return (yoke__a32_load_acquire(&((yoke__event_state *)handle->object)->word) & YOKE__EVENT_SET) != 0;
}

const yoke__watchable yoke__event_watchable = {
    .kind = YOKE__KIND_EVENT,
    .whats = 1u << YOKE__SET,
    .ready = set_now,
    .word = watchers_of,
};
