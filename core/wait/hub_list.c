/* The hubs of this process and the lists of their watches: all that several threads touch, under one mutex. */
#include "../local.h"
#include "hub.h"

#include <stdlib.h>

/* Innermost: nothing is locked inside. */
static yoke__mutex mutex = YOKE__MUTEX_INIT;
static yoke__hub  *hubs;
static yoke__hub  *forgotten; /* by forks; kept for those who look for lost memory */
static yoke_watch *spare;     /* freed ones: their memory stays what it is, so that a stale pointer is told as such */

/* ---- forks ------------------------------------------------------------------------------------------------------- */

static void before_fork(void)
{
    yoke__mutex_lock(&mutex);
}

static void after_fork_in_parent(void)
{
    yoke__mutex_unlock(&mutex);
}

/* The bells and the loops are the parent's. Descriptors stay open: if the child runs its copy of a loop after all, it
 * still polls these numbers. */
static void after_fork_in_child(void)
{
    yoke__mutex_reset(&mutex);
    while (hubs) {
        yoke__hub *hub = hubs;
        hubs = hub->next;
        hub->next = forgotten;
        forgotten = hub;
        hub->forgotten = true;
        for (yoke_watch *watch = hub->first; watch; watch = watch->next)
            if (!yoke__a32_load_relaxed(&watch->gone))
                yoke__a32_and_acq_rel(&watch->handle->watched, YOKE__HAS_NATIVE);
    }
}

/* ---- handles that are closed ------------------------------------------------------------------------------------- */

static bool mark_gone(yoke__hub *hub, const yoke__handle *handle)
{
    bool found = false;

    for (yoke_watch *watch = hub->first; watch; watch = watch->next) {
        if (watch->handle == handle && !yoke__a32_load_relaxed(&watch->gone)) {
            yoke__a32_store_release(&watch->gone, 1);
            found = true;
        }
    }
    return found;
}

/* Either the loop's thread sees that it is gone, or the closer sees the loop's thread in the handle: as with any user. */
void yoke__hub_close(yoke__handle *handle)
{
    if (yoke__a32_load_relaxed(&handle->watched) & YOKE__HAS_NATIVE)
        yoke__native_close(handle);
    yoke__mutex_lock(&mutex);
    for (yoke__hub *hub = hubs; hub; hub = hub->next)
        if (mark_gone(hub, handle) && hub->seat->bell.domain)
            (void)yoke__bell_ring(hub->domain, hub->seat->bell.thread);
    yoke__a32_store_relaxed(&handle->watched, 0);
    yoke__mutex_unlock(&mutex);
    yoke__fence_seq_cst();
}

/* ---- watches ----------------------------------------------------------------------------------------------------- */

yoke_watch *yoke__watch_new(void)
{
    yoke__mutex_lock(&mutex);
    yoke_watch *watch = spare;
    if (watch)
        spare = watch->next;
    yoke__mutex_unlock(&mutex);
    if (!watch && !(watch = malloc(sizeof *watch)))
        return NULL;
    *watch = (yoke_watch){.native = YOKE_NO_NATIVE};
    return watch;
}

void yoke__watch_free(yoke_watch *watch)
{
    watch->hub = NULL;
    yoke__mutex_lock(&mutex);
    watch->next = spare;
    spare = watch;
    yoke__mutex_unlock(&mutex);
}

void yoke__watch_link(yoke_watch *watch)
{
    yoke_watch **end = &watch->hub->first;

    yoke__mutex_lock(&mutex);
    while (*end)
        end = &(*end)->next;
    *end = watch;
    yoke__a32_add_acq_rel(&watch->handle->watched, 1);
    yoke__mutex_unlock(&mutex);
}

void yoke__watch_unlink(yoke_watch *watch)
{
    yoke_watch **link = &watch->hub->first;

    yoke__mutex_lock(&mutex);
    while (*link != watch)
        link = &(*link)->next;
    *link = watch->next;
    if (!yoke__a32_load_relaxed(&watch->gone))
        yoke__a32_sub_acq_rel(&watch->handle->watched, 1);
    yoke__mutex_unlock(&mutex);
}

/* ---- hubs ---------------------------------------------------------------------------------------------------------- */

void yoke__hubs_add(yoke__hub *hub)
{
    yoke__fork_hook_add_at(YOKE__FORK_WATCHES, before_fork, after_fork_in_parent, after_fork_in_child);
    yoke__mutex_lock(&mutex);
    hub->next = hubs;
    hubs = hub;
    yoke__mutex_unlock(&mutex);
}

void yoke__hubs_remove(yoke__hub *hub)
{
    yoke__hub **link = &hubs;

    yoke__mutex_lock(&mutex);
    while (*link != hub)
        link = &(*link)->next;
    *link = hub->next;
    yoke__mutex_unlock(&mutex);
}

/* Hubs of a domain that was left stay what they are; one that is opened later may stand at the same address. */
yoke__hub *yoke__hubs_find(const void *loop, const yoke_domain *domain)
{
    yoke__mutex_lock(&mutex);
    yoke__hub *hub = hubs;
    while (hub && !(hub->loop == loop && hub->seat->bell.domain == domain))
        hub = hub->next;
    yoke__mutex_unlock(&mutex);
    return hub;
}
