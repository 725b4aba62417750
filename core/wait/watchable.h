/*
 * What can be waited for besides other things: by a watch on an event loop (watch.c), by yoke_wait (many.c), through a
 * descriptor (native.c). A kind of handle joins by one constant of these, listed in watchable.c, and by ringing
 * (watchers.h) where its state changes.
 */
#ifndef YOKE_CORE_WAIT_WATCHABLE_H
#define YOKE_CORE_WAIT_WATCHABLE_H

#include "../domain/object.h"
#include "deadline.h"

/* What is waited for. The values are those of yoke_wait_what. */
typedef enum yoke__what {
    YOKE__READABLE = 1,
    YOKE__WRITABLE = 2,
    YOKE__ENDED = 3,
    YOKE__SET = 4,
    YOKE__AVAILABLE = 5
} yoke__what;

/* Handles are open, and stay so during the call (yoke__handle_enter, and a look at closing). */
typedef struct yoke__watchable {
    yoke__kind kind;
    uint32_t   whats; /* 1 << what, for each that it knows */
    /* May this process wait for it at all? NULL: yes. Else a code with the error noted. */
    int (*check)(yoke__handle *handle);
    /* Where watchers are noted, and: does it stand now? Then *status is YOKE_OK or the code with which its calls would
     * answer. ready may take the object's locks; it notes no error. */
    yoke__a64 *(*word)(yoke__handle *handle, yoke__what what);
    bool (*ready)(yoke__handle *handle, yoke__what what, int *status);
    /* Or word is NULL, and this is readable while it stands. The handle's own: not to be closed, and not to be polled on
     * a loop. */
    yoke_native (*native)(yoke__handle *handle);
    /* Or word and native are NULL, and for yoke_wait alone there are these. ready() comes first; if it says no, natives()
     * tells what is readable once things may be otherwise (at most natives_most, perhaps none) and lowers *until to when
     * they may be though nothing is. It is asked anew before each sleep, and what it told may be closed meanwhile: that
     * costs a look. Who changes what ready() says without making a native readable calls yoke__many_ring(). */
    size_t (*natives)(yoke__handle *handle, yoke_native *out, yoke__deadline *until);
    uint32_t natives_most;
    /* One of them is readable, or no longer open: does it stand? NULL: ready() tells, after another round. */
    bool (*came)(yoke__handle *handle, int *status);
    /* A wait for it begins, or is over. NULL: it need not know. */
    void (*waited)(yoke__handle *handle, bool begins);
} yoke__watchable;

/* NULL: handles of that kind can't be waited for. */
const yoke__watchable *yoke__watchable_of(yoke__kind kind);
/* The same for a handle and what is to be waited for, or NULL with the error noted. */
const yoke__watchable *yoke__watchable_check(const void *handle, yoke__kind kind, yoke__what what);

extern const yoke__watchable yoke__queue_watchable;     /* core/queue/watch.c */
extern const yoke__watchable yoke__process_watchable;   /* core/process/watch.c */
extern const yoke__watchable yoke__event_watchable;     /* core/sync/event.c */
extern const yoke__watchable yoke__semaphore_watchable; /* core/sync/semaphore.c */
extern const yoke__watchable yoke__conn_watchable;      /* core/connection/wait.c */
extern const yoke__watchable yoke__listener_watchable;  /* core/connection/wait.c */

#endif
