/**
 * @file event.h
 * Events between processes and threads: a flag that can be waited for.
 *
 * An event lives in a domain and is reached through handles; it goes with its last user. It takes no descriptor and no
 * system object. Nobody holds an event, so nothing depends on any process's life: setting is one store to shared memory,
 * after which everybody who waits is woken, and who is not, because the setter was killed between the two, looks by
 * itself within a slice (150 ms).
 *
 * A wait that has begun is satisfied by each set that comes after it, also if the event is cleared again at once.
 *
 * What a process wrote to shared memory before it set the event is seen by whoever finds the event set.
 *
 * Threads and processes: every function may be called by any thread of any participant. yoke_event_set(),
 * yoke_event_clear() and yoke_event_is_set() may be called by a signal handler too, for an open handle that this process
 * has used before: they take no lock and no memory. As any handler, it has to keep `errno`. A forked child may use the
 * handles it inherits. Close a handle only when no other thread is about to use it; threads asleep in it answer
 * YOKE_ECLOSED.
 *
 * Time-outs are milliseconds; YOKE_NOWAIT looks once, YOKE_FOREVER never gives up. Signals don't shorten a wait.
 *
 * Semantics: Python's `multiprocessing.Event`, but for waits not being bound to survivors' acknowledgements.
 */
#ifndef YOKE_EVENT_H
#define YOKE_EVENT_H

#include "error.h"
#include "handles.h"
#include "sync.h"

YOKE_BEGIN

/** Options of yoke_event_create(); zero means default everywhere. */
typedef struct yoke_event_options {
    YOKE_SIZED_(yoke_event_options);
    yoke_domain   *domain; /**< where it lives; NULL: the default domain of this process family */
    const char    *name;   /**< name inside the domain, or NULL; under 64 bytes of letters, digits, '.', '_', '-' */
    yoke_open_mode mode;   /**< matters with a name only */
} yoke_event_options;

/**
 * Makes an event that is not set, or opens one if options name it and their mode allows.
 *
 * @param out     Receives the handle; close it with yoke_event_close().
 * @param options NULL means defaults. Borrowed for the call.
 * @retval YOKE_OK     *out is set.
 * @retval YOKE_EINVAL A bad name, mode or domain.
 * @retval YOKE_EEXIST YOKE_CREATE, and the name is taken.
 * @retval YOKE_ENOENT YOKE_OPEN, and nothing has that name.
 * @retval YOKE_ETYPE  The name is that of another kind of object.
 * @retval YOKE_ENOMEM The domain's budget or this process's memory is used up.
 */
YOKE_API YOKE_CHECKED int yoke_event_create(yoke_event **out, const yoke_event_options *options);

/** Opens an event by name. domain NULL: the default one. Codes as yoke_event_create(). */
YOKE_API YOKE_CHECKED int yoke_event_open(yoke_event **out, yoke_domain *domain, const char *name);

/** Drops this handle. Threads of this process asleep in it answer YOKE_ECLOSED before the call returns. NULL is fine. */
YOKE_API void yoke_event_close(yoke_event *event);

/**
 * Sets the event and wakes everybody who waits. Setting one that is set changes nothing.
 *
 * @retval YOKE_OK     It is set.
 * @retval YOKE_EINVAL Not an open event.
 */
YOKE_API int yoke_event_set(yoke_event *event);

/** Makes the event not set. Waits that a set has satisfied go on all the same. Codes as yoke_event_set(). */
YOKE_API int yoke_event_clear(yoke_event *event);

/** Whether it is set, at one moment of the call. False on a bad handle. */
YOKE_API bool yoke_event_is_set(const yoke_event *event);

/**
 * Waits until the event is set.
 *
 * @param timeout How long, in milliseconds.
 * @retval YOKE_OK        It is set, or was during the wait.
 * @retval YOKE_ETIMEDOUT Nobody has set it.
 * @retval YOKE_EINVAL    Not an open event.
 * @retval YOKE_ECLOSED   Another thread closed the handle during the wait, or the event is gone since the domain was
 *                        left.
 * @retval YOKE_ENOMEM    This process is not in the domain yet, and the domain is full.
 */
YOKE_API YOKE_CHECKED int yoke_event_wait(yoke_event *event, int64_t timeout);

YOKE_END
#endif
