#include "holder.h"

#include "../backend.h"
#include "../domain/participant.h"
#include "../error.h"

#include <stdio.h>

/* ---- since when it has been in somebody's way --------------------------------------------------------------------- */

#define MS_BITS 40
#define SPREAD  UINT64_C(0x9e3779b97f4a7c15) /* into the upper bits, which are kept */

static int64_t now_ms(void)
{
    return yoke__backend()->system->now() / 1000000;
}

/* For how long at least the lock has been held without a break, in ms: since the first who waited for this acquisition.
 * Notes the time if that is the caller. */
static int64_t seen_for(const yoke__waiter *waiter)
{
    yoke__lock_state *state = (yoke__lock_state *)(uintptr_t)waiter->state;
    uint64_t          acquisition = yoke__a64_load_relaxed(&state->acquired) * SPREAD >> MS_BITS << MS_BITS;
    uint64_t          seen = yoke__a64_load_relaxed(&state->seen);
    uint64_t          now = (uint64_t)now_ms() & ((UINT64_C(1) << MS_BITS) - 1);

    if (seen >> MS_BITS == acquisition >> MS_BITS && seen != 0)
        return (int64_t)(now - (seen & ((UINT64_C(1) << MS_BITS) - 1)));
    yoke__a64_store_relaxed(&state->seen, acquisition | now);
    return 0;
}

/* ---- in words ---------------------------------------------------------------------------------------------------- */

typedef struct holding {
    yoke__token    token;  /* 0: nobody */
    uint32_t       thread; /* 0: not known */
    yoke__obituary who;
    char           text[YOKE__NAME_SIZE + 128];
} holding;

static const char *whose(const yoke_domain *domain, const holding *h)
{
    if (h->token != yoke__a32_load_relaxed(&domain->token))
        return "";
    return h->thread == yoke__thread_number() ? ", which is this thread" : ", which is this process";
}

/* Name, pid, thread, and for how long: "Process-1 (pid 12, thread 34) for at least 300 ms". */
static void find_holder(const yoke__waiter *waiter, holding *out)
{
    const yoke__lock_state *state = waiter->state;
    bool                    bound = (yoke__a32_load_relaxed(&state->rules) & YOKE__OWNER_RELEASES) != 0;
    uint64_t                holder = yoke__a64_load_acquire(&state->holder);
    int64_t                 ms = seen_for(waiter);
    char                    thread[32] = "", since[64] = "";

    out->token = yoke__a32_load_relaxed(&state->word) & YOKE__TOKEN_MASK;
    if (bound)
        out->thread = holder >> 32 == out->token ? (uint32_t)holder : 0;
    else
        out->thread = (uint32_t)yoke__a64_load_relaxed(&state->acquired);
    if (out->token == 0)
        return;
    yoke__token_describe(waiter->domain, out->token, &out->who);
    if (out->thread)
        (void)snprintf(thread, sizeof thread, ", thread %lu", (unsigned long)out->thread);
    if (ms > 0)
        (void)snprintf(since, sizeof since, " for at least %lld ms", (long long)ms);
    (void)snprintf(out->text, sizeof out->text, "held by %s (pid %lld%s)%s%s",
                   out->who.name[0] ? out->who.name : "a process", (long long)out->who.pid, thread, since,
                   whose(waiter->domain, out));
}

int yoke__holder_timed_out(const yoke__waiter *waiter, int64_t timeout)
{
    holding     h = {0};
    char        what[128];
    const char *name = yoke__object_describe(waiter->domain, waiter->id, what, sizeof what);
    long long   ms = timeout > 0 ? timeout : 0;

    find_holder(waiter, &h);
    if (h.token == 0) /* let go since we gave up */
        return yoke__fail(YOKE_ETIMEDOUT, "%s: not acquired within %lld ms", name, ms);
    return yoke__fail_process(YOKE_ETIMEDOUT, h.who.pid, "%s: not acquired within %lld ms, %s", name, ms, h.text);
}

int yoke__holder_is_other(const yoke__waiter *waiter, const char *verb)
{
    holding     h = {0};
    char        what[128];
    const char *name = yoke__object_describe(waiter->domain, waiter->id, what, sizeof what);

    find_holder(waiter, &h);
    return yoke__fail_process(YOKE_ENOTOWNER, h.who.pid, "%s: %s by a thread that does not hold it, %s", name, verb,
                              h.token ? h.text : "held by nobody by now");
}

/* ---- while waiting ----------------------------------------------------------------------------------------------- */

void yoke__waiter_init(yoke__waiter *waiter, yoke_domain *domain, yoke__id id, const yoke__lock_state *state)
{
    waiter->domain = domain;
    waiter->id = id;
    waiter->state = state;
    waiter->deadlock = (yoke__deadlock){0};
}

int yoke__waiter_look(void *user)
{
    yoke__waiter *waiter = user;

    (void)seen_for(waiter);
    if ((yoke__a32_load_relaxed(&waiter->state->rules) & YOKE__DETECTS) == 0)
        return YOKE_OK;
    return yoke__deadlock_look(waiter->domain, &waiter->deadlock);
}

int yoke__waiter_check_self(const yoke__waiter *waiter)
{
    char what[128];

    if ((yoke__a32_load_relaxed(&waiter->state->rules) & YOKE__DETECTS) == 0 ||
        !yoke__lock_mine(waiter->domain, waiter->state))
        return YOKE_OK;
    return yoke__fail(YOKE_EDEADLK, "%s: this thread waits for it and holds it already",
                      yoke__object_describe(waiter->domain, waiter->id, what, sizeof what));
}

int yoke__waiter_failed(const yoke__waiter *waiter, int result, int64_t timeout)
{
    char what[128];

    if (result == YOKE_ETIMEDOUT)
        return yoke__holder_timed_out(waiter, timeout);
    if (result == YOKE_ECLOSED)
        return yoke__fail(YOKE_ECLOSED, "%s was closed by another thread while this one waited for it",
                          yoke__object_describe(waiter->domain, waiter->id, what, sizeof what));
    return yoke__negative(result);
}
