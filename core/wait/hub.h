/*
 * Watches on event loops. All watches on things of one domain that share a loop form a hub: one doorbell (a thread
 * record of its own), polled by the loop, and one timer. When the bell has rung, or a slice has passed, the hub looks at
 * all of its watches and calls the functions of those whose condition stands; while one stands it asks for the loop's
 * next round.
 *
 * Everything of a hub is the loop's thread's, but for the list of its watches, which whoever closes a handle walks: it
 * is changed under the mutex of hub_list.c, and an unlinked watch is freed by the loop's thread later.
 */
#ifndef YOKE_CORE_WAIT_HUB_H
#define YOKE_CORE_WAIT_HUB_H

#include "seat.h"
#include "watchable.h"

#include <yoke/uv.h>

typedef struct yoke__hub {
    struct yoke__hub *next; /* of all; under the mutex */
    void             *loop;
    yoke_domain      *domain;
    yoke__seat       *seat;
    yoke_loop_guest  *guest;
    yoke_watch       *first;     /* in order of their making; under the mutex */
    yoke_watch       *done;      /* unlinked and off the loop: their users are to be told */
    uint32_t          guests;    /* its own and those of watches, as far as they have not left */
    bool              turning;   /* the user's functions run */
    bool              soon;      /* asked for the loop's next round */
    bool              leaving;   /* the last watch was stopped */
    bool              forgotten; /* inherited by a fork */
} yoke__hub;

struct yoke_watch {
    yoke_watch            *next;
    yoke__hub             *hub; /* NULL: freed */
    yoke__handle          *handle;
    const yoke__watchable *type;
    yoke__what             what;
    yoke_watch_fn         *fn;
    void                  *user;
    void (*closed)(void *user);
    yoke_loop_guest *guest;   /* of a native */
    yoke_native      native;  /* a duplicate: a loop polls a number once */
    yoke__a32        gone;    /* the handle was closed; under the mutex, by whoever closes it */
    bool             told;    /* and the user knows */
    bool             leaving; /* guest is on its way */
    bool             stopped;
};

/* Puts a watch on a loop. The handle has been checked. */
int yoke__hub_watch(yoke_watch **out, yoke__handle *handle, const yoke__watchable *type, yoke__what what, void *loop,
                    yoke_watch_fn *fn, void *user);

/* -- hub_list.c */

/* Memory for a watch, or NULL; freed, it stays known as a watch that was stopped. */
yoke_watch *yoke__watch_new(void);
void        yoke__watch_free(yoke_watch *watch);
/* Into the list of its hub, and out of it. */
void yoke__watch_link(yoke_watch *watch);
void yoke__watch_unlink(yoke_watch *watch);
void yoke__hubs_add(yoke__hub *hub);
void yoke__hubs_remove(yoke__hub *hub);
/* The hub of that loop and domain, or NULL. */
yoke__hub *yoke__hubs_find(const void *loop, const yoke_domain *domain);

/* -- for handle.c: a handle is about to be closed; its closing is set, and a full fence came after that. */

void               yoke__hub_close(yoke__handle *handle);
static inline void yoke__hub_closing(yoke__handle *handle)
{
    if (yoke__a32_load_relaxed(&handle->watched) != 0)
        yoke__hub_close(handle);
}

/* -- native.c */

/* The handle is about to be closed: its descriptor goes. */
void yoke__native_close(yoke__handle *handle);
/* After a get that took something or found nothing. */
void               yoke__native_update(yoke__handle *handle);
static inline void yoke__native_settle(yoke__handle *handle)
{
    if ((yoke__a32_load_relaxed(&handle->watched) & YOKE__HAS_NATIVE) != 0)
        yoke__native_update(handle);
}

#endif
