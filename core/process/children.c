/* The children of this process: found dead by the kernel's word, reaped, and what they left fixed. */
#include "family.h"

#include "../backend.h"
#include "../domain/participant.h"
#include "../error.h"
#include "../wait/word.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long the forkserver may take to tell how a child of its ended, once that is known to be dead. */
#define NOTE_PATIENCE 2000

static struct {
    yoke__mutex     mutex;
    yoke__relative *first;
    uint64_t        serial;
} children = {.mutex = YOKE__MUTEX_INIT};

/* The child that this thread is about to fork: its read end stays open there. */
static _Thread_local yoke__relative *starting;

static void close_native(yoke_native *native)
{
    if (*native != YOKE_NO_NATIVE)
        yoke__backend()->process->native_close(*native);
    *native = YOKE_NO_NATIVE;
}

static void close_life(yoke_native *life)
{
    if (*life != YOKE_NO_NATIVE)
        yoke__backend()->life->close(*life);
    *life = YOKE_NO_NATIVE;
}

/* ---- forks ------------------------------------------------------------------------------------------------------- */

static void take_lock(void)
{
    yoke__mutex_lock(&children.mutex);
}

static void give_lock(void)
{
    yoke__mutex_unlock(&children.mutex);
}

/* A forked process owns none of its parent's children, and must not keep them alive by holding their lifelines. Their
 * epoch tells that they are the parent's: nobody looks at their natives again. */
static void disown_all(void)
{
    for (const yoke__relative *child = children.first; child; child = child->next) {
        yoke_native life = child->life, lifeline = child->lifeline, read_end = child->read_end;
        close_life(&life);
        close_native(&lifeline);
        if (child != starting)
            close_native(&read_end);
    }
    children.first = NULL;
    yoke__mutex_reset(&children.mutex);
}

void yoke__children_hooks(void)
{
    yoke__fork_hook_add(take_lock, give_lock, disown_all);
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

yoke__relative *yoke__child_new(yoke_domain *domain, yoke__handle *record, const char *name, uint32_t flags)
{
    yoke__relative *child = calloc(1, sizeof *child);

    if (!child) {
        yoke__fail(YOKE_ENOMEM, "no memory to keep track of process %s", name);
        return NULL;
    }
    child->relation = YOKE__IS_CHILD;
    child->flags = flags;
    child->domain = domain;
    child->handle = record;
    child->record = record->object;
    child->epoch = yoke__self_state.epoch;
    child->since = (int64_t)time(NULL);
    child->life = child->lifeline = child->read_end = YOKE_NO_NATIVE;
    snprintf(child->name, sizeof child->name, "%s", name);
    take_lock();
    child->serial = ++children.serial;
    child->next = children.first;
    children.first = child;
    give_lock();
    return child;
}

int yoke__child_lifeline(yoke__relative *child)
{
    yoke_native ends[2];

    take_lock();
    int rc = yoke__backend()->process->lifeline(ends);
    if (rc == YOKE_OK) {
        child->read_end = ends[0];
        child->lifeline = ends[1];
    }
    give_lock();
    return rc;
}

void yoke__child_starting(yoke__relative *child)
{
    starting = child;
}

void yoke__child_close_read_end(yoke__relative *child)
{
    take_lock();
    close_native(&child->read_end);
    give_lock();
}

void yoke__child_started(yoke__relative *child)
{
    take_lock();
    child->listed = true;
    give_lock();
}

/* children.mutex held. */
static void unlink_child(const yoke__relative *child)
{
    for (yoke__relative **at = &children.first; *at; at = &(*at)->next) {
        if (*at == child) {
            *at = child->next;
            return;
        }
    }
}

void yoke__child_unlist(yoke__relative *child)
{
    take_lock();
    unlink_child(child);
    give_lock();
}

static void release_kept(yoke__relative *child)
{
    for (size_t i = 0; i < child->kept_count; i++)
        yoke__handle_close(child->kept[i], NULL);
    free(child->kept);
    child->kept = NULL;
    child->kept_count = 0;
}

void yoke__child_free(yoke__relative *child)
{
    take_lock(); /* a fork by another thread sees either all of its natives or none */
    unlink_child(child);
    if (child->epoch == yoke__self_state.epoch) {
        close_life(&child->life);
        close_native(&child->lifeline);
        close_native(&child->read_end);
    }
    give_lock();
    release_kept(child);
    free(child);
}

/* ---- death ------------------------------------------------------------------------------------------------------- */

bool yoke__process_note_exit(yoke_domain *domain, yoke__id record, const yoke_exit_status *status)
{
    yoke__handle *handle;

    if (yoke__handle_open(&handle, domain, YOKE__KIND_PROCESS, record) < 0)
        return true; /* nobody is left who could ask */
    yoke__process_record *object = handle->object;
    bool                  began = yoke__record_state_of(object) >= YOKE__RECORD_RUNNING;
    yoke__record_note(object, status);
    yoke__fence_seq_cst();
    yoke__word_wake(domain, &object->noted, UINT32_MAX);
    yoke__handle_close(handle, NULL);
    return began;
}

/* The forkserver reaps its children and notes how they ended. If it died meanwhile, nobody ever will. */
static yoke_exit_status status_from_server(const yoke__relative *child)
{
    yoke_exit_status status = {.known = false};
    yoke__deadline   deadline = yoke__deadline_after(NOTE_PATIENCE);

    while (!yoke__record_noted(child->record, &status) && yoke__forkserver_alive() && !yoke__deadline_past(deadline))
        yoke__word_wait(child->domain, &child->record->noted, 0, deadline);
    return status;
}

/* It is dead, so there is nothing to wait for; but a zombie must not stay because the system hiccuped. */
static yoke_exit_status reap(const yoke__relative *child)
{
    yoke_exit_status status = {.known = false};

    for (int tries = 0; tries < 3; tries++) {
        if (yoke__backend()->process->reap(&status, child->pid) == YOKE_OK) {
            yoke__record_note(child->record, &status);
            break;
        }
    }
    return status;
}

static yoke_exit_status status_of(const yoke__relative *child)
{
    if (child->direct)
        return reap(child);
    if (yoke__record_state_of(child->record) == YOKE__RECORD_FINISHED)
        return (yoke_exit_status){.known = false}; /* and nobody will ask */
    return status_from_server(child);
}

/* It died before it left a result: what it held has to be given back, and others may want to know how it ended. */
static void bury(const yoke__relative *child)
{
    int how = !child->status.known ? 0 : child->status.signal ? 2 : 1;
    int code = how == 2 ? child->status.signal : child->status.code;

    if (yoke__record_abandon(child->record))
        yoke__record_drop(child->domain, child->record);
    yoke__domain_recover_pid(child->domain, child->pid);
    yoke__obituary_note(child->domain, child->pid, how, code);
    yoke__domains_bury(child->pid, child->since, how, code);
}

static void await_settling(yoke__relative *child)
{
    uint32_t state = YOKE__RELATIVE_SETTLING;

    (void)yoke__a32_cas_acq_rel(&child->ended, &state, YOKE__RELATIVE_AWAITED);
    while (yoke__a32_load_acquire(&child->ended) != YOKE__RELATIVE_ENDED)
        (void)yoke__backend()->waiting->wait_local((const uint32_t *)(const void *)&child->ended,
                                                   YOKE__RELATIVE_AWAITED, YOKE__SLICE);
}

/* By the first thread that learns of the death. */
static void settle(yoke__relative *child)
{
    uint32_t expected = YOKE__RELATIVE_RUNS;

    if (!yoke__a32_cas_acq_rel(&child->ended, &expected, YOKE__RELATIVE_SETTLING)) {
        await_settling(child);
        return;
    }
    child->status = status_of(child);
    if (yoke__record_state_of(child->record) != YOKE__RECORD_FINISHED)
        bury(child);
    if (child->lifeline != YOKE_NO_NATIVE) {
        take_lock();
        close_native(&child->lifeline);
        give_lock();
    }
    release_kept(child);
    if (yoke__a32_exchange_acq_rel(&child->ended, YOKE__RELATIVE_ENDED) == YOKE__RELATIVE_AWAITED)
        yoke__backend()->waiting->wake_local((const uint32_t *)(const void *)&child->ended, UINT32_MAX);
}

bool yoke__child_wait(yoke__relative *child, yoke__deadline deadline)
{
    const yoke_life_ops *life = yoke__backend()->life;

    while (yoke__a32_load_acquire(&child->ended) != YOKE__RELATIVE_ENDED) {
        if (life->wait(child->life, yoke__deadline_left(deadline, INT64_MAX)) == YOKE_OK)
            settle(child);
        else if (yoke__deadline_past(deadline))
            return false;
    }
    return true;
}

/* ---- result ------------------------------------------------------------------------------------------------------ */

/* The child never came to its function. What its executable printed is the better explanation. */
static void result_of_unstarted(const yoke__relative *child, yoke_result *out)
{
    bool no_memory = child->status.known && child->status.code == YOKE__CHILD_NO_MEMORY;

    out->how = YOKE_NOT_STARTED;
    out->error = no_memory ? YOKE_ENOMEM : YOKE_EPROTO;
    out->code = child->status.code;
    if (no_memory) {
        snprintf(out->text, sizeof out->text,
                 "process %s (%lld) had no memory or address space left to join its parent's domain: see its standard "
                 "error, and the limits that it inherits",
                 child->name, (long long)child->pid);
        return;
    }
    snprintf(out->text, sizeof out->text,
             child->status.known
                 ? "process %s (%lld) ended with status %d before it began: see its standard error, and "
                   "whether its executable calls yoke_main first"
                 : "process %s (%lld) ended before it began",
             child->name, (long long)child->pid, (int)child->status.code);
}

void yoke__child_result(const yoke__relative *child, yoke_result *out)
{
    memset(out, 0, sizeof *out);
    out->struct_size = sizeof *out;
    if (yoke__a32_load_acquire(&child->ended) != YOKE__RELATIVE_ENDED) {
        out->how = YOKE_RUNNING;
    } else if (yoke__record_result(child->record, out)) {
        return; /* the record wins over the exit status */
    } else if (child->status.known && child->status.signal) {
        out->how = YOKE_SIGNALLED;
        out->signal = child->status.signal;
    } else if (yoke__record_state_of(child->record) != YOKE__RECORD_RUNNING) {
        result_of_unstarted(child, out);
    } else if (child->status.known) {
        out->how = YOKE_EXITED;
        out->code = child->status.code;
    } else {
        out->how = YOKE_UNKNOWN;
    }
}

int yoke__child_signal(yoke__relative *child, yoke_signal signal)
{
    if (yoke__child_wait(child, 0))
        return YOKE_OK;
    int rc = yoke__backend()->process->signal(child->pid, child->life, signal);
    return rc == YOKE_ENOENT ? YOKE_OK : rc; /* it went by itself */
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

/* The youngest child older than that; its handle can't be closed until it is exited. */
static yoke__relative *next_older(uint64_t serial)
{
    yoke__relative *child;

    take_lock();
    for (child = children.first; child; child = child->next)
        if (child->listed && child->serial < serial)
            break;
    if (child)
        yoke__handle_enter(child->handle);
    give_lock();
    return child;
}

bool yoke__children_any(void)
{
    take_lock();
    bool any = children.first != NULL;
    give_lock();
    return any;
}

void yoke__children_each(void (*visit)(yoke__relative *child, void *user), void *user)
{
    uint64_t        serial = UINT64_MAX;
    yoke__relative *child;

    while ((child = next_older(serial)) != NULL) {
        serial = child->serial;
        visit(child, user);
        yoke__handle_exit(child->handle);
    }
}
