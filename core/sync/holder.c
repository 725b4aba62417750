#include "holder.h"

#include "../backend.h"
#include "../domain/participant.h"
#include "../error.h"

#include <stdio.h>

/* ---- since when it has been in somebody's way --------------------------------------------------------------------- */

#define MS_BITS 40

static int64_t now_ms(void)
{
    return yoke__backend()->system->now() / 1000000;
}

/* For how long at least the lock has been held without a break, in ms: since the first who waited for this acquisition.
 * Notes the time if that is the caller. */
static int64_t seen_for(const yoke__waiter *waiter)
{
    yoke__lock_state *state = (yoke__lock_state *)(uintptr_t)waiter->state;
    uint64_t          acquisition = yoke__a64_load_relaxed(&state->acquired) << MS_BITS;
    uint64_t          seen = yoke__a64_load_relaxed(&state->seen);
    uint64_t          now = (uint64_t)now_ms() & ((UINT64_C(1) << MS_BITS) - 1);

    if (seen >> MS_BITS == acquisition >> MS_BITS && seen != 0)
        return (int64_t)(now - (seen & ((UINT64_C(1) << MS_BITS) - 1)));
    yoke__a64_store_relaxed(&state->seen, acquisition | now);
    return 0;
}

/* ---- in words ---------------------------------------------------------------------------------------------------- */

typedef struct holder {
    yoke__token    token;  /* 0: nobody */
    uint32_t       thread; /* 0: not known */
    yoke__obituary who;
    char           text[YOKE__NAME_SIZE + 128];
} holder;

static const char *whose(const yoke_domain *domain, const holder *h)
{
    if (h->token != yoke__a32_load_relaxed(&domain->token))
        return "";
    return h->thread == yoke__thread_number() ? ", which is this thread" : ", which is this process";
}

/* Name, pid, thread, and for how long: "Process-1 (pid 12, thread 34) for at least 300 ms". */
static void find_holder(const yoke__waiter *waiter, holder *out)
{
    uint64_t signature = yoke__a64_load_acquire(&waiter->state->holder);
    int64_t  ms = seen_for(waiter);
    char     thread[32] = "", since[64] = "";

    out->token = yoke__a32_load_relaxed(&waiter->state->word) & YOKE__TOKEN_MASK;
    out->thread = signature >> 32 == out->token ? (uint32_t)signature : 0;
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
    holder      h = {0};
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
    holder      h = {0};
    char        what[128];
    const char *name = yoke__object_describe(waiter->domain, waiter->id, what, sizeof what);

    find_holder(waiter, &h);
    return yoke__fail_process(YOKE_ENOTOWNER, h.who.pid, "%s: %s by a thread that does not hold it, %s", name, verb,
                              h.token ? h.text : "held by nobody by now");
}

/* ---- while waiting ----------------------------------------------------------------------------------------------- */

int yoke__waiter_look(void *user)
{
    (void)seen_for(user);
    return YOKE_OK;
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
