/*
 * A descriptor for loops that the library doesn't know: a doorbell of its own for one handle, of a queue, an event or a
 * semaphore.
 *
 * It is to be readable while a message is there, the event set, or something to be acquired. A ring makes it so; and after
 * each get, or each wait or acquire that found nothing, at the calling process's own hands, it is made right again: emptied if
 * nothing is left, and armed for the next change. What other processes take leaves it readable, until this one has found
 * nothing.
 */
#include "../backend.h"
#include "../error.h"
#include "../local.h"
#include "hub.h"
#include "watchers.h"

#include <stdlib.h>

typedef struct native {
    struct native *next;
    yoke__handle  *handle;
    yoke__what     what;
    yoke__seat    *seat;
} native;

/* Guards the list. Seats are opened and closed outside. */
static yoke__mutex mutex = YOKE__MUTEX_INIT;
static native     *natives;

/* ---- the list ------------------------------------------------------------------------------------------------------ */

static void before_fork(void)
{
    yoke__mutex_lock(&mutex);
}

static void after_fork_in_parent(void)
{
    yoke__mutex_unlock(&mutex);
}

/* The bells are the parent's: what the child has of them goes, and it asks anew. */
static void after_fork_in_child(void)
{
    yoke__mutex_reset(&mutex);
    while (natives) {
        native *mine = natives;
        natives = mine->next;
        yoke__a32_and_acq_rel(&mine->handle->watched, ~YOKE__HAS_NATIVE);
        yoke__backend()->waiting->bell_close(mine->seat->bell.native, NULL);
        mine->seat->bell.native = YOKE_NO_NATIVE;
        free(mine);
    }
}

/* Mutex held. */
static native *find(const yoke__handle *handle)
{
    native *mine = natives;

    while (mine && mine->handle != handle)
        mine = mine->next;
    return mine;
}

/* ---- keeping it right ---------------------------------------------------------------------------------------------- */

static const yoke__watchable *type_of(const yoke__handle *handle)
{
    return yoke__watchable_of((yoke__kind)(yoke__a32_load_relaxed(&handle->magic) & 0xffu));
}

static bool readable(const native *mine)
{
    int status;

    return type_of(mine->handle)->ready(mine->handle, mine->what, &status);
}

/* Mutex held. Emptied before it is armed, so that no ring for what comes next is lost; and rung by ourselves if something
 * came in between, or is there already at the beginning. */
static void update(native *mine)
{
    yoke__bell *bell = &mine->seat->bell;

    if (!bell->domain)
        return;
    yoke__backend()->waiting->bell_clear(bell->native);
    yoke__watchers_arm(type_of(mine->handle)->word(mine->handle, mine->what), bell->thread);
    yoke__fence_seq_cst();
    if (readable(mine))
        (void)yoke__bell_ring(bell->domain, bell->thread);
}

void yoke__native_update(yoke__handle *handle)
{
    yoke__mutex_lock(&mutex);
    native *mine = find(handle);
    if (mine && !readable(mine)) /* else the ring that told of it has not been taken */
        update(mine);
    yoke__mutex_unlock(&mutex);
}

/* ---- making and closing -------------------------------------------------------------------------------------------- */

void yoke__native_close(yoke__handle *handle)
{
    native **link = &natives;

    yoke__mutex_lock(&mutex);
    while (*link && (*link)->handle != handle)
        link = &(*link)->next;
    native *mine = *link;
    if (mine)
        *link = mine->next;
    yoke__mutex_unlock(&mutex);
    if (mine)
        yoke__seat_close(mine->seat);
    free(mine);
}

static int native_new(native **out, yoke__handle *handle, yoke__what what)
{
    native *mine = malloc(sizeof *mine);

    if (!mine)
        return yoke__fail(YOKE_ENOMEM, "no memory for a descriptor of a %s", yoke__kind_name(type_of(handle)->kind));
    mine->handle = handle;
    mine->what = what;
    int rc = yoke__seat_open(&mine->seat, handle->domain);
    if (rc < 0) {
        free(mine);
        return rc;
    }
    *out = mine;
    return YOKE_OK;
}

/* Mutex held. Of two threads that have made one, the first wins. */
static bool add(native *mine)
{
    if (find(mine->handle))
        return false;
    mine->next = natives;
    natives = mine;
    yoke__a32_or_acq_rel(&mine->handle->watched, YOKE__HAS_NATIVE);
    update(mine);
    return true;
}

static yoke_native native_of(const yoke__handle *handle)
{
    yoke__mutex_lock(&mutex);
    const native *mine = find(handle);
    yoke_native   found = mine ? mine->seat->bell.native : YOKE_NO_NATIVE;
    yoke__mutex_unlock(&mutex);
    return found;
}

static int get_native(const void *given, yoke__kind kind, yoke__what what, intptr_t *out)
{
    yoke__handle *handle = (yoke__handle *)(uintptr_t)given;

    if (!out)
        return yoke__fail(YOKE_EINVAL, "nowhere to put the descriptor");
    if (!yoke__watchable_check(given, kind, what))
        return yoke__noted();
    yoke__fork_hook_add_at(YOKE__FORK_WATCHES, before_fork, after_fork_in_parent, after_fork_in_child);
    if (native_of(handle) == YOKE_NO_NATIVE) {
        native *mine = NULL;
        YOKE_TRY(native_new(&mine, handle, what));
        yoke__mutex_lock(&mutex);
        bool added = add(mine);
        yoke__mutex_unlock(&mutex);
        if (!added) {
            yoke__seat_close(mine->seat);
            free(mine);
        }
    }
    *out = native_of(handle);
    return YOKE_OK;
}

int yoke_queue_native_readable(yoke_queue *queue, intptr_t *out)
{
    return get_native(queue, YOKE__KIND_QUEUE, YOKE__READABLE, out);
}

int yoke_event_native_set(yoke_event *event, intptr_t *out)
{
    return get_native(event, YOKE__KIND_EVENT, YOKE__SET, out);
}

int yoke_semaphore_native_available(yoke_semaphore *semaphore, intptr_t *out)
{
    return get_native(semaphore, YOKE__KIND_SEMAPHORE, YOKE__AVAILABLE, out);
}
