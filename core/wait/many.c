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
#include "../local.h"
#include "hub.h"
#include "watchers.h"
#include "word.h"

#include <yoke/wait.h>

#include <limits.h>
#include <stdlib.h>

#define FEW 8

typedef struct waiter {
    struct waiter   *next; /* of all in this process; under the mutex */
    yoke_wait_entry *entries;
    size_t           count;
    yoke_native     *natives; /* those of entries, then those of the bells */
    uint8_t         *ready;
    size_t          *owners; /* entry of each native */
    size_t           own_count;
    yoke__bell     **bells;
    size_t           bell_count;
    /* Enough for a short wait. */
    yoke_native few_natives[2 * FEW];
    uint8_t     few_ready[2 * FEW];
    size_t      few_owners[FEW];
    yoke__bell *few_bells[FEW];
} waiter;

/* ---- closing handles meanwhile ------------------------------------------------------------------------------------- */

static yoke__mutex mutex = YOKE__MUTEX_INIT;
static waiter     *waiters; /* asleep or about to be; their bells don't change until they are out of the list */

static void before_fork(void)
{
    yoke__mutex_lock(&mutex);
}

static void after_fork_in_parent(void)
{
    yoke__mutex_unlock(&mutex);
}

/* Their threads are not in the child. */
static void after_fork_in_child(void)
{
    yoke__mutex_reset(&mutex);
    waiters = NULL;
}

void yoke__waiters_ring(void)
{
    yoke__mutex_lock(&mutex);
    for (const waiter *w = waiters; w; w = w->next)
        for (size_t i = 0; i < w->bell_count; i++)
            (void)yoke__bell_ring(w->bells[i]->domain, w->bells[i]->thread);
    yoke__mutex_unlock(&mutex);
}

static void list(waiter *w)
{
    yoke__fork_hook_add_at(YOKE__FORK_WATCHES, before_fork, after_fork_in_parent, after_fork_in_child);
    yoke__mutex_lock(&mutex);
    w->next = waiters;
    waiters = w;
    yoke__mutex_unlock(&mutex);
}

static void unlist(waiter *w)
{
    waiter **link = &waiters;

    yoke__mutex_lock(&mutex);
    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    yoke__mutex_unlock(&mutex);
}

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
    free(w->bells);
}

static int waiter_alloc(waiter *w)
{
    w->natives = w->few_natives;
    w->ready = w->few_ready;
    w->owners = w->few_owners;
    w->bells = w->few_bells;
    if (w->count <= FEW)
        return YOKE_OK;
    w->natives = calloc(w->count, 2 * sizeof *w->natives);
    w->ready = calloc(w->count, 2 * sizeof *w->ready);
    w->owners = calloc(w->count, sizeof *w->owners);
    w->bells = calloc(w->count, sizeof *w->bells);
    if (w->natives && w->ready && w->owners && w->bells)
        return YOKE_OK;
    waiter_free(w);
    return yoke__fail(YOKE_ENOMEM, "no memory to wait for %zu things", w->count);
}

static void note_natives(waiter *w)
{
    for (size_t i = 0; i < w->count; i++) {
        const yoke__watchable *type = type_of(&w->entries[i]);
        if (!type || type->word)
            continue;
        w->natives[w->own_count] = type->native(handle_of(&w->entries[i]));
        w->owners[w->own_count++] = i;
    }
}

static yoke__bell *bell_in(const waiter *w, const yoke_domain *domain)
{
    for (size_t i = 0; i < w->bell_count; i++)
        if (w->bells[i]->domain == domain)
            return w->bells[i];
    return NULL;
}

/* This thread's bells, in each domain that an entry is of, rung from now on for what is armed. */
static int open_bells(waiter *w)
{
    for (size_t i = 0; i < w->count; i++) {
        yoke__bell *bell;
        if (!type_of(&w->entries[i]) || bell_in(w, handle_of(&w->entries[i])->domain))
            continue;
        YOKE_TRY(yoke__bell_mine(handle_of(&w->entries[i])->domain, &bell));
        w->natives[w->own_count + w->bell_count] = bell->native;
        w->bells[w->bell_count++] = bell;
    }
    return YOKE_OK;
}

static void say_watching(const waiter *w, uint32_t watching)
{
    for (size_t i = 0; i < w->bell_count; i++)
        yoke__a32_store_release(&w->bells[i]->domain->layout->threads[w->bells[i]->thread].watches, watching);
}

/* ---- looking ------------------------------------------------------------------------------------------------------- */

static void clear_and_arm(const waiter *w)
{
    for (size_t i = 0; i < w->bell_count; i++)
        yoke__backend()->waiting->bell_clear(w->bells[i]->native);
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
    int status = YOKE_ECLOSED;

    if (!type_of(entry))
        return false;
    if (!yoke__a32_load_acquire(&handle_of(entry)->closing) &&
        (!has_word(entry) || !type_of(entry)->ready(handle_of(entry), (yoke__what)entry->what, &status)))
        return false;
    entry->ready = true;
    entry->status = status;
    return true;
}

/* What the natives say after a wait for up to so many nanoseconds: how many more entries are ready. */
static int look_at_natives(waiter *w, int64_t timeout)
{
    int found = 0;
    int rc = yoke__backend()->waiting->wait_natives(w->natives, w->ready, w->own_count + w->bell_count, timeout);

    if (rc == YOKE_ETIMEDOUT)
        return 0;
    if (rc < 0)
        return yoke__fail_in(rc, "waiting for %zu things", w->count);
    for (size_t i = 0; i < w->own_count; i++) {
        yoke_wait_entry *entry = &w->entries[w->owners[i]];
        if (!w->ready[i] || entry->ready)
            continue;
        entry->ready = true;
        entry->status = YOKE_OK;
        found++;
    }
    return found;
}

/* How many entries are ready, after a sleep of up to so many nanoseconds if none is. */
static int look(waiter *w, int64_t timeout)
{
    int found = 0;

    for (size_t i = 0; i < w->count; i++)
        found += look_at(&w->entries[i]);
    if (w->own_count + w->bell_count == 0 && timeout == 0)
        return found;
    int more = look_at_natives(w, found ? 0 : timeout);
    return more < 0 ? more : found + more;
}

/* ---- sleeping ------------------------------------------------------------------------------------------------------ */

static void enter_all(const waiter *w)
{
    for (size_t i = 0; i < w->count; i++)
        if (type_of(&w->entries[i]))
            yoke__handle_enter(handle_of(&w->entries[i]));
}

static void leave_all(const waiter *w)
{
    for (size_t i = 0; i < w->count; i++)
        if (type_of(&w->entries[i]))
            yoke__handle_exit(handle_of(&w->entries[i]));
}

/* A round found nothing: has anybody died with something of ours? Looks only once a slice. */
static void patrol(const waiter *w)
{
    for (size_t i = 0; i < w->bell_count; i++)
        (void)yoke__domain_patrol(w->bells[i]->domain);
}

static int sleep_until(waiter *w, yoke__deadline deadline)
{
    for (;;) {
        bool past = yoke__deadline_past(deadline);
        clear_and_arm(w);
        int found = look(w, past ? 0 : yoke__deadline_left(deadline, YOKE__SLICE));
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

    if (w->count > FEW || w->own_count > 0)
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
    list(w);
    int found = sleep_until(w, yoke__deadline_after(timeout));
    unlist(w);
    leave_all(w);
    say_watching(w, 0);
    return found;
}

static int wait_for(waiter *w, int64_t timeout)
{
    note_natives(w);
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

/* ---- makers of entries ----------------------------------------------------------------------------------------------- */

static yoke_wait_entry entry_of(yoke_wait_what what, yoke__kind kind, void *handle)
{
    return (yoke_wait_entry){.what = (uint32_t)what, .kind = (uint32_t)kind, .handle = handle};
}

yoke_wait_entry yoke_wait_queue_readable(yoke_queue *queue)
{
    return entry_of(YOKE_WAIT_READABLE, YOKE__KIND_QUEUE, queue);
}

yoke_wait_entry yoke_wait_queue_writable(yoke_queue *queue)
{
    return entry_of(YOKE_WAIT_WRITABLE, YOKE__KIND_QUEUE, queue);
}

yoke_wait_entry yoke_wait_process_ended(yoke_process *process)
{
    return entry_of(YOKE_WAIT_ENDED, YOKE__KIND_PROCESS, process);
}

yoke_wait_entry yoke_wait_event_set(yoke_event *event)
{
    return entry_of(YOKE_WAIT_SET, YOKE__KIND_EVENT, event);
}

yoke_wait_entry yoke_wait_semaphore_available(yoke_semaphore *semaphore)
{
    return entry_of(YOKE_WAIT_AVAILABLE, YOKE__KIND_SEMAPHORE, semaphore);
}
