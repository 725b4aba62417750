/* Semaphores: the public calls. */
#include "semaphore.h"

#include "../domain/inspect.h"
#include "../domain/participant.h"
#include "../error.h"
#include "../options.h"
#include "../wait/hub.h"
#include "../wait/watchable.h"
#include "../wait/watchers.h"

#include <string.h>

/* ---- the object --------------------------------------------------------------------------------------------------- */

/* What create asks for, and the object is made of. */
typedef struct wanted {
    const char *name;
    uint32_t    initial, max, permits, on_death;
} wanted;

static int init(yoke_domain *domain, yoke__id id, void *object, const void *argument)
{
    yoke__semaphore_state *state = object;
    const wanted          *w = argument;

    (void)domain;
    (void)id;
    state->initial = w->initial;
    state->max = w->max;
    state->permits = w->permits;
    state->on_death = w->on_death;
    state->notes = w->on_death == YOKE_IGNORE_DEATH ? 0 : yoke__permit_notes(w->permits);
    yoke__a32_store_relaxed(&state->word, w->permits ? 0 : w->initial);
    return YOKE_OK;
}

static int differs(const wanted *w, const char *what, uint32_t there, uint32_t asked)
{
    return yoke__fail(YOKE_EINVAL, "semaphore %s is there with %s %u, not with %u", w->name, what, there, asked);
}

static int agree(yoke_domain *domain, const void *object, const void *argument)
{
    const yoke__semaphore_state *state = object;
    const wanted                *w = argument;

    (void)domain;
    if (!w)
        return YOKE_OK;
    if ((state->permits != 0) != (w->permits != 0))
        return yoke__fail(YOKE_EINVAL, "semaphore %s is there in %s mode, not in %s mode", w->name,
                          state->permits ? "permit" : "signal", w->permits ? "permit" : "signal");
    if (state->initial != w->initial)
        return differs(w, "an initial value of", state->initial, w->initial);
    if (state->max != w->max)
        return differs(w, "a max of", state->max, w->max);
    return state->on_death == w->on_death ? YOKE_OK : differs(w, "on_death", state->on_death, w->on_death);
}

static void sweep(yoke_domain *domain, yoke__id id, void *object, yoke__token dead)
{
    (void)id;
    yoke__permits_sweep(domain, object, dead);
}

static void describe(yoke_domain *domain, yoke__id id, const void *object, char *text, size_t size)
{
    const yoke__semaphore_state *state = object;
    uint32_t                     available = 0;

    (void)domain;
    (void)id;
    if (!state->permits) {
        available = yoke__a32_load_relaxed(&state->word) & YOKE__SEMAPHORE_COUNT;
        yoke__text_add(text, size, "value %lu", (unsigned long)available);
        return;
    }
    for (uint32_t i = 0; i < state->permits; i++)
        available += yoke__permit_holder(yoke__a64_load_relaxed(&state->permit[i])) == 0;
    yoke__text_add(text, size, "%lu of %lu permits are free", (unsigned long)available, (unsigned long)state->permits);
}

const yoke__object_type yoke__semaphore_type = {
    .kind = YOKE__KIND_SEMAPHORE, .name = "semaphore", .sweep = sweep, .describe = describe};

/* ---- making and closing -------------------------------------------------------------------------------------------- */

static int bad_figure(const char *what, int64_t figure, int64_t least, int64_t most)
{
    return yoke__fail(YOKE_EINVAL, "yoke_semaphore_create: %s is %lld, and has to be from %lld to %lld", what,
                      (long long)figure, (long long)least, (long long)most);
}

static int check_permits(int64_t initial, const yoke_semaphore_options *given)
{
    if (initial < 1 || initial > YOKE_SEMAPHORE_PERMITS_MAX)
        return bad_figure("the number of permits", initial, 1, YOKE_SEMAPHORE_PERMITS_MAX);
    if (given->max != 0 && given->max != initial)
        return bad_figure("max in permit mode", given->max, initial, initial);
    return YOKE_OK;
}

static int check_figures(int64_t initial, const yoke_semaphore_options *given)
{
    if (given->max < 0 || given->max > YOKE_SEMAPHORE_MAX)
        return bad_figure("max", given->max, 0, YOKE_SEMAPHORE_MAX);
    if (given->on_death != YOKE_REPORT_DEATH && given->on_death != YOKE_IGNORE_DEATH)
        return yoke__fail(YOKE_EINVAL, "yoke_semaphore_create: no such on_death: %d", (int)given->on_death);
    if (given->permits)
        return check_permits(initial, given);
    if (given->on_death != YOKE_REPORT_DEATH)
        return yoke__fail(YOKE_EINVAL, "yoke_semaphore_create: on_death is for permit mode: in signal mode nothing is "
                                       "known of deaths");
    int64_t max = given->max ? given->max : YOKE_SEMAPHORE_MAX;
    return initial < 0 || initial > max ? bad_figure("the initial value", initial, 0, max) : YOKE_OK;
}

static int make(yoke_semaphore **out, yoke_domain *domain, yoke_open_mode mode, const char *name, const wanted *w)
{
    uint32_t          permits = w ? w->permits : 0;
    yoke__object_spec spec = {
        .kind = YOKE__KIND_SEMAPHORE,
        .name = name,
        .mode = mode,
        .size = sizeof(yoke__semaphore_state) + permits * sizeof(yoke__a64) +
                yoke__permit_notes_size(yoke__permit_notes(permits)),
        .argument = w,
        .init = init,
        .agree = agree,
    };
    yoke__handle *handle;
    int           result = yoke__handle_create(&handle, domain, &spec);

    if (result == YOKE_OK)
        *out = (yoke_semaphore *)handle;
    return result;
}

int yoke_semaphore_create(yoke_semaphore **out, int64_t initial, const yoke_semaphore_options *options)
{
    yoke_semaphore_options given;

    if (!out)
        return yoke__fail(YOKE_EINVAL, "yoke_semaphore_create: no place for the handle");
    YOKE_TRY(yoke__options_take(yoke_semaphore_options, &given, options));
    YOKE_TRY(check_figures(initial, &given));
    int64_t max = given.permits ? initial : given.max ? given.max : YOKE_SEMAPHORE_MAX;
    wanted  w = {given.name, (uint32_t)initial, (uint32_t)max, given.permits ? (uint32_t)initial : 0,
                 (uint32_t)given.on_death};
    return make(out, given.domain, given.mode, given.name, &w);
}

int yoke_semaphore_open(yoke_semaphore **out, yoke_domain *domain, const char *name)
{
    if (!out || !name)
        return yoke__fail(YOKE_EINVAL, "yoke_semaphore_open: no %s", out ? "name" : "place for the handle");
    return make(out, domain, YOKE_OPEN, name, NULL);
}

static void wake_sleepers(yoke__handle *handle)
{
    yoke__semaphore_state *state = handle->object;

    yoke__fence_seq_cst();
    yoke__word_wake(handle->domain, &state->word, UINT32_MAX);
}

void yoke_semaphore_close(yoke_semaphore *semaphore)
{
    if (semaphore && yoke__handle_check(semaphore, YOKE__KIND_SEMAPHORE))
        yoke__handle_close(&semaphore->handle, wake_sleepers);
}

/* ---- acquire and release ------------------------------------------------------------------------------------------- */

static int not_a_semaphore(void)
{
    return yoke_last_error()->code; /* by yoke__handle_check() */
}

static int timed_out(yoke__handle *handle, int64_t timeout)
{
    const yoke__semaphore_state *state = handle->object;
    char                         what[128], holders[256];
    int64_t                      pid = 0;
    long long                    waited = timeout > 0 ? (long long)timeout : 0;

    (void)yoke__object_describe(handle->domain, handle->id, what, sizeof what);
    if (state->permits == 0)
        return yoke__fail(YOKE_ETIMEDOUT, "%s: not acquired within %lld ms: its value was 0", what, waited);
    (void)yoke__permits_holders(handle->domain, state, holders, sizeof holders, &pid);
    return yoke__fail_process(YOKE_ETIMEDOUT, pid, "%s: no permit within %lld ms; of %u, held %s", what, waited,
                              state->permits, holders[0] ? holders : "none any more");
}

static int failed(yoke__handle *handle, int code, int64_t timeout)
{
    if (code == YOKE_ETIMEDOUT)
        return timed_out(handle, timeout);
    if (code == YOKE_ECLOSED)
        return yoke__fail(YOKE_ECLOSED, "the semaphore was closed by another thread while this one waited for it");
    return code; /* noted */
}

static int acquire_slowly(yoke__handle *handle, int64_t timeout)
{
    int result = yoke__semaphore_try(handle, timeout > 0 ? YOKE__POLITE : YOKE__DUE, timeout <= 0);

    if (result == YOKE_EBUSY)
        result = timeout > 0 ? yoke__semaphore_wait(handle, timeout) : YOKE_ETIMEDOUT;
    if (result == YOKE_ETIMEDOUT)
        yoke__native_settle(handle);
    return result >= 0 ? result : failed(handle, result, timeout);
}

int yoke_semaphore_acquire(yoke_semaphore *semaphore, int64_t timeout)
{
    yoke__handle *handle = yoke__handle_check(semaphore, YOKE__KIND_SEMAPHORE);

    if (!handle)
        return not_a_semaphore();
    yoke__semaphore_state *state = handle->object;
    bool at_once = state->permits == 0 ? yoke__count_take(state, timeout > 0 ? YOKE__POLITE : YOKE__DUE) == YOKE_OK
                                       : yoke__permits_take_first(state, yoke__domain_token(handle->domain));
    return at_once ? YOKE_OK : acquire_slowly(handle, timeout);
}

static int not_released(const yoke__handle *handle, int code, int64_t count)
{
    const yoke__semaphore_state *state = handle->object;
    char                         what[128];

    (void)yoke__object_describe(handle->domain, handle->id, what, sizeof what);
    if (code == YOKE_ENOTOWNER)
        return yoke__fail(code, "%s: %lld released, but this process holds fewer permits", what, (long long)count);
    return yoke__fail(code, "%s: released by %lld, its value %u would be above its max, %u", what, (long long)count,
                      yoke__a32_load_relaxed(&state->word) & YOKE__SEMAPHORE_COUNT, state->max);
}

static int release(yoke__handle *handle, int64_t count)
{
    yoke__semaphore_state *state = handle->object;
    int                    result;

    if (state->permits == 0) {
        result = count <= state->max ? yoke__count_give(handle->domain, state, (uint32_t)count) : YOKE_ERANGE;
    } else {
        yoke__token mine = yoke__domain_token(handle->domain);
        result = mine != 0 && count <= state->permits ? yoke__permits_give(handle->domain, state, mine, (uint32_t)count)
                                                      : YOKE_ENOTOWNER;
    }
    return result == YOKE_OK ? result : not_released(handle, result, count);
}

int yoke_semaphore_release_many(yoke_semaphore *semaphore, int64_t count)
{
    yoke__handle *handle = yoke__handle_check(semaphore, YOKE__KIND_SEMAPHORE);

    if (!handle)
        return not_a_semaphore();
    if (count < 1)
        return yoke__fail(YOKE_EINVAL, "yoke_semaphore_release_many: %lld is not a number to release",
                          (long long)count);
    return release(handle, count);
}

/* What is there mostly: nobody waits in any way, and it is not at its max. */
static inline bool give_quickly(yoke_domain *domain, yoke__semaphore_state *state)
{
    uint32_t seen = yoke__a32_load_relaxed(&state->word);

    if ((seen & YOKE__WAITERS) != 0 || (seen & YOKE__SEMAPHORE_COUNT) >= state->max ||
        yoke__a64_load_relaxed(&state->watchers) != 0 || !yoke__a32_cas_acq_rel(&state->word, &seen, seen + 1))
        return false;
    yoke__fence_after_exchange(); /* with the one after yoke__watchers_arm(): one may have come since the look */
    yoke__watchers_ring(domain, &state->watchers);
    return true;
}

int yoke_semaphore_release(yoke_semaphore *semaphore)
{
    yoke__handle *handle = yoke__handle_check(semaphore, YOKE__KIND_SEMAPHORE);

    if (!handle)
        return not_a_semaphore();
    yoke__semaphore_state *state = handle->object;
    if (state->permits == 0)
        return give_quickly(handle->domain, state) ? YOKE_OK : release(handle, 1);
    yoke__token mine = yoke__domain_token(handle->domain);
    if (mine == 0 || !yoke__permits_give_first(state, mine))
        return release(handle, 1);
    yoke__permits_told(handle->domain, state);
    return YOKE_OK;
}

int64_t yoke_semaphore_value(const yoke_semaphore *semaphore)
{
    const yoke__handle *handle = yoke__handle_check(semaphore, YOKE__KIND_SEMAPHORE);

    if (!handle)
        return not_a_semaphore();
    const yoke__semaphore_state *state = handle->object;
    if (state->permits != 0)
        return yoke__permits_free(handle->domain, state, true);
    return yoke__a32_load_acquire(&state->word) & YOKE__SEMAPHORE_COUNT;
}

int yoke_semaphore_death(yoke_semaphore *semaphore, yoke_death *out)
{
    yoke__handle  *handle = yoke__handle_check(semaphore, YOKE__KIND_SEMAPHORE);
    yoke__obituary dead;
    char           what[128];

    if (!handle)
        return not_a_semaphore();
    YOKE_TRY(yoke__report_check(out, "yoke_death"));
    const yoke__semaphore_state *state = handle->object;
    const char                  *name = yoke__object_describe(handle->domain, handle->id, what, sizeof what);
    if (state->permits == 0)
        return yoke__fail(YOKE_EINVAL, "%s: in signal mode nothing is known of deaths", name);
    yoke__token token = yoke__permits_death(state, yoke__domain_token(handle->domain));
    if (token == 0)
        return yoke__fail(YOKE_ENOENT, "%s: this process has no permit that came back from the dead", name);
    if (!yoke__permit_note_read(handle->domain, state, token, &dead))
        return yoke__fail(YOKE_ENOENT, "%s: who died holding the permit is forgotten", name);
    yoke__death_report(handle->domain, &dead, out);
    return YOKE_OK;
}

/* ---- waiting for it besides other things --------------------------------------------------------------------------- */

static yoke__a64 *watchers_of(yoke__handle *handle, yoke__what what)
{
    (void)what;
    return &((yoke__semaphore_state *)handle->object)->watchers;
}

/* Permits of the dead return by recovery, for which a slice's patrol looks. */
static bool available(yoke__handle *handle, yoke__what what, int *status)
{
    const yoke__semaphore_state *state = handle->object;

    (void)what;
    *status = YOKE_OK;
    if (state->permits == 0)
        return (yoke__a32_load_acquire(&state->word) & YOKE__SEMAPHORE_COUNT) != 0;
    return yoke__permits_free(handle->domain, state, false) != 0 ||
           (yoke__domain_patrol(handle->domain) > 0 && yoke__permits_free(handle->domain, state, false) != 0);
}

const yoke__watchable yoke__semaphore_watchable = {
    .kind = YOKE__KIND_SEMAPHORE,
    .whats = 1u << YOKE__AVAILABLE,
    .ready = available,
    .word = watchers_of,
};
