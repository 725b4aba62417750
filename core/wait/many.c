/*
 * Waiting for several things at once (yoke/wait.h): asleep in the doorbells of the calling thread, one per domain, and in
 * the natives of what has one, all in one call of the backend.
 *
 * Each round empties the bells, arms what has a word, and looks; what happens after the look rings. The handles are
 * entered meanwhile, so whoever closes one waits until this thread has left it, and rings it for that.
 */
#include "../backend.h"
#include "../domain/participant.h"
#include "../error.h"
#include "many_list.h"
#include "watchable.h"
#include "watchers.h"
#include "word.h"

#include <yoke/wait.h>

#include <limits.h>
#include <stdlib.h>

#define FEW 8

typedef struct waiter {
    yoke__many       listed; /* with the bells */
    yoke_wait_entry *entries;
    size_t           count;
    size_t           most;    /* of own natives */
    bool             words;   /* some entry has a word: its changer may be killed before it rings */
    yoke_native     *natives; /* those of the bells, then those of entries */
    uint8_t         *ready;
    size_t          *owners; /* entry of each native; of a bell nothing */
    uint8_t         *told;   /* for each entry: its handle knows of the wait */
    size_t           native_count;
    yoke__deadline   until; /* when entries with natives have to be looked at again, whatever comes */
    /* Enough for a short wait. */
    yoke_native few_natives[2 * FEW];
    uint8_t     few_ready[2 * FEW];
    size_t      few_owners[2 * FEW];
    uint8_t     few_told[FEW];
    yoke__bell *few_bells[FEW];
} waiter;

/* ---- entries ------------------------------------------------------------------------------------------------------- */

static yoke__handle *handle_of(const yoke_wait_entry *entry)
{
    return (yoke__handle *)entry->handle;
}

static const yoke__watchable *type_of(const yoke_wait_entry *entry)
{
    return entry->what == YOKE_WAIT_NOTHING ? NULL : yoke__watchable_of((yoke__kind)entry->kind);
}

static bool has_word(const yoke_wait_entry *entry)
{
    const yoke__watchable *type = type_of(entry);

    return type && type->word;
}

static int check_entry(const yoke_wait_entry *entry, size_t index)
{
    if (entry->what == YOKE_WAIT_NOTHING)
        return YOKE_OK;
    if (entry->what > YOKE_WAIT_AVAILABLE || entry->kind >= YOKE__KIND_COUNT)
        return yoke__fail(YOKE_EINVAL, "entry %zu: nothing can be waited for by a number like %u", index,
                          (unsigned)entry->what);
    if (!yoke__watchable_check(entry->handle, (yoke__kind)entry->kind, (yoke__what)entry->what))
        return yoke__fail_in(yoke_last_error()->code, "entry %zu", index);
    return YOKE_OK;
}

static int check_entries(yoke_wait_entry *entries, size_t count)
{
    if (!entries && count)
        return yoke__fail(YOKE_EINVAL, "entries is NULL but count is %zu", count);
    if (count > INT_MAX)
        return yoke__fail(YOKE_EINVAL, "%zu things are more than can be waited for", count);
    for (size_t i = 0; i < count; i++)
        entries[i].ready = false;
    for (size_t i = 0; i < count; i++)
        YOKE_TRY(check_entry(&entries[i], i));
    return YOKE_OK;
}

/* ---- memory of a wait ---------------------------------------------------------------------------------------------- */

static void waiter_free(waiter *w)
{
    if (w->natives == w->few_natives)
        return;
    free(w->natives);
    free(w->ready);
    free(w->owners);
    free(w->told);
    free(w->listed.bells);
}

/* How many natives there may be, and what kinds of entries. */
static void count_natives(waiter *w)
{
    for (size_t i = 0; i < w->count; i++) {
        const yoke__watchable *type = type_of(&w->entries[i]);
        if (type && type->word)
            w->words = true;
        else if (type)
            w->most += type->native ? 1 : type->natives_most;
    }
}

static int waiter_alloc(waiter *w)
{
    w->natives = w->few_natives;
    w->ready = w->few_ready;
    w->owners = w->few_owners;
    w->told = w->few_told;
    w->listed.bells = w->few_bells;
    count_natives(w);
    if (w->count <= FEW && w->most <= FEW)
        return YOKE_OK;
    size_t most = w->count + w->most;
    w->natives = calloc(most, sizeof *w->natives);
    w->ready = calloc(most, sizeof *w->ready);
    w->owners = calloc(most, sizeof *w->owners);
    w->told = calloc(w->count, sizeof *w->told);
    w->listed.bells = calloc(w->count, sizeof *w->listed.bells);
    if (w->natives && w->ready && w->owners && w->told && w->listed.bells)
        return YOKE_OK;
    waiter_free(w);
    return yoke__fail(YOKE_ENOMEM, "no memory to wait for %zu things", w->count);
}

/* What of the entries the system can wait for now; may be other natives each time. */
static void note_natives(waiter *w)
{
    w->native_count = w->listed.bell_count;
    w->until = INT64_MAX;
    for (size_t i = 0; i < w->count; i++) {
        const yoke__watchable *type = type_of(&w->entries[i]);
        yoke_native           *next = &w->natives[w->native_count];
        size_t                 added = 1;
        if (!type || type->word || yoke__a32_load_acquire(&handle_of(&w->entries[i])->closing))
            continue;
        if (type->native)
            *next = type->native(handle_of(&w->entries[i]));
        else
            added = type->natives(handle_of(&w->entries[i]), next, &w->until);
        while (added-- > 0)
            w->owners[w->native_count++] = i;
    }
}

static yoke__bell *bell_in(const waiter *w, const yoke_domain *domain)
{
    for (size_t i = 0; i < w->listed.bell_count; i++)
        if (w->listed.bells[i]->domain == domain)
            return w->listed.bells[i];
    return NULL;
}

/* This thread's bells, in each domain that an entry is of, rung from now on for what is armed. What is of no domain rings
 * in the default one. */
static int open_bells(waiter *w)
{
    for (size_t i = 0; i < w->count; i++) {
        yoke__bell *bell;
        if (!type_of(&w->entries[i]))
            continue;
        yoke_domain *domain = handle_of(&w->entries[i])->domain;
        if (!domain)
            YOKE_TRY(yoke__domain_default(&domain));
        if (bell_in(w, domain))
            continue;
        YOKE_TRY(yoke__bell_mine(domain, &bell));
        w->natives[w->listed.bell_count] = bell->native;
        w->listed.bells[w->listed.bell_count++] = bell;
    }
    return YOKE_OK;
}

static void say_watching(const waiter *w, uint32_t watching)
{
    for (size_t i = 0; i < w->listed.bell_count; i++)
        yoke__a32_store_release(&w->listed.bells[i]->domain->layout->threads[w->listed.bells[i]->thread].watches,
                                watching);
}

/* ---- looking ------------------------------------------------------------------------------------------------------- */

static void clear_and_arm(const waiter *w)
{
    for (size_t i = 0; i < w->listed.bell_count; i++)
        yoke__backend()->waiting->bell_clear(w->listed.bells[i]->native);
    for (size_t i = 0; i < w->count; i++) {
        yoke__handle *handle = handle_of(&w->entries[i]);
        if (has_word(&w->entries[i]) && !yoke__a32_load_acquire(&handle->closing))
            yoke__watchers_arm(type_of(&w->entries[i])->word(handle, (yoke__what)w->entries[i].what),
                               bell_in(w, handle->domain)->thread);
    }
    yoke__fence_seq_cst();
}

static bool look_at(yoke_wait_entry *entry)
{
    const yoke__watchable *type = type_of(entry);
    int                    status = YOKE_ECLOSED;

    if (!type)
        return false;
    if (!yoke__a32_load_acquire(&handle_of(entry)->closing) &&
        (!type->ready || !type->ready(handle_of(entry), (yoke__what)entry->what, &status)))
        return false;
    entry->ready = true;
    entry->status = status;
    return true;
}

/* One of an entry's natives is readable. */
static bool native_came(yoke_wait_entry *entry)
{
    const yoke__watchable *type = type_of(entry);
    int                    status = YOKE_OK;

    if (entry->ready || (!type->native && (!type->came || !type->came(handle_of(entry), &status))))
        return false;
    entry->ready = true;
    entry->status = status;
    return true;
}

/* What the natives say after a wait for up to so many nanoseconds: how many more entries are ready. */
static int look_at_natives(waiter *w, int64_t timeout)
{
    int found = 0;

    note_natives(w);
    if (w->native_count == 0 && timeout == 0)
        return 0;
    timeout = yoke__deadline_left(w->until, timeout);
    int rc = yoke__backend()->waiting->wait_natives(w->natives, w->ready, w->native_count, timeout);

    if (rc == YOKE_ETIMEDOUT)
        return 0;
    if (rc < 0)
        return yoke__fail_in(rc, "waiting for %zu things", w->count);
    for (size_t i = w->listed.bell_count; i < w->native_count; i++)
        if (w->ready[i])
            found += native_came(&w->entries[w->owners[i]]);
    return found;
}

/* How many entries are ready, after a sleep of up to so many nanoseconds if none is. */
static int look(waiter *w, int64_t timeout)
{
    int found = 0;

    for (size_t i = 0; i < w->count; i++)
        found += look_at(&w->entries[i]);
    if (w->most + w->listed.bell_count == 0 && timeout == 0)
        return found;
    int more = look_at_natives(w, found ? 0 : timeout);
    return more < 0 ? more : found + more;
}

/* ---- sleeping ------------------------------------------------------------------------------------------------------ */

/* What is being closed already is not told: nothing may be left of it but the handle. */
static void enter_all(const waiter *w)
{
    for (size_t i = 0; i < w->count; i++) {
        const yoke__watchable *type = type_of(&w->entries[i]);
        yoke__handle          *handle = handle_of(&w->entries[i]);
        if (!type)
            continue;
        yoke__handle_enter(handle);
        w->told[i] = type->waited && !yoke__a32_load_acquire(&handle->closing);
        if (w->told[i])
            type->waited(handle, true);
    }
}

static void leave_all(const waiter *w)
{
    for (size_t i = 0; i < w->count; i++) {
        const yoke__watchable *type = type_of(&w->entries[i]);
        if (!type)
            continue;
        if (w->told[i])
            type->waited(handle_of(&w->entries[i]), false);
        yoke__handle_exit(handle_of(&w->entries[i]));
    }
}

/* A round found nothing: has anybody died with something of ours? Looks only once a slice. */
static void patrol(const waiter *w)
{
    for (size_t i = 0; i < w->listed.bell_count; i++)
        (void)yoke__domain_patrol(w->listed.bells[i]->domain);
}

static int sleep_until(waiter *w, yoke__deadline deadline)
{
    for (;;) {
        bool past = yoke__deadline_past(deadline);
        clear_and_arm(w);
        int64_t left = w->words ? yoke__deadline_left(deadline, YOKE__SLICE) : yoke__deadline_left(deadline, INT64_MAX);
        int     found = look(w, past ? 0 : left);
        if (found != 0)
            return found;
        if (past)
            return YOKE_ETIMEDOUT;
        patrol(w);
    }
}

/* A peer that is busy is heard of sooner than a sleep and a wake-up take. Natives are too slow to ask for that. */
static int spin(waiter *w)
{
    static _Thread_local yoke__spin_luck luck;
    int                                  found = 0;

    if (w->count > FEW || w->most > 0)
        return 0;
    yoke__spin spin = yoke__spin_begin(&luck);
    while (found == 0 && yoke__spin_for(&spin, 1))
        found = look(w, 0);
    if (found)
        yoke__spin_won(&spin);
    return found;
}

static int sleep_in_bells(waiter *w, int64_t timeout)
{
    YOKE_TRY(open_bells(w));
    say_watching(w, 1);
    enter_all(w);
    yoke__many_list(&w->listed);
    int found = sleep_until(w, yoke__deadline_after(timeout));
    yoke__many_unlist(&w->listed);
    leave_all(w);
    say_watching(w, 0);
    return found;
}

static int wait_for(waiter *w, int64_t timeout)
{
    int found = look(w, 0);
    if (found == 0 && timeout > 0)
        found = spin(w);
    if (found == 0 && timeout > 0)
        found = sleep_in_bells(w, timeout);
    if (found == 0 || found == YOKE_ETIMEDOUT)
        return yoke__fail(YOKE_ETIMEDOUT, "none of %zu things became ready within %lld ms", w->count,
                          (long long)(timeout > 0 ? timeout : 0));
    return found;
}

int yoke_wait(yoke_wait_entry *entries, size_t count, int64_t timeout)
{
    waiter w = {.entries = entries, .count = count};

    YOKE_TRY(check_entries(entries, count));
    YOKE_TRY(waiter_alloc(&w));
    int found = wait_for(&w, timeout);
    waiter_free(&w);
    return found;
}
