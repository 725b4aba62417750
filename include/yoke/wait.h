/**
 * @file wait.h
 * Waiting for several things at once: queues, connections, listeners, processes, events and semaphores.
 *
 * ```c
 * yoke_wait_entry entries[] = {
 *     yoke_wait_queue_readable(requests),
 *     yoke_wait_queue_readable(answers),
 *     yoke_wait_process_ended(process),
 * };
 * YOKE_CHECK(yoke_wait(entries, 3, YOKE_FOREVER));
 * if (entries[2].ready)
 *     puts("the process has ended");
 * ```
 *
 * There is no limit but memory on the number of entries. A process, a connection and a listener each take a place in what
 * the system polls, and each has a descriptor anyway: the limit on open descriptors bounds how many there can be. Programs with an event loop of their own use watches
 * instead (uv.h).
 */
#ifndef YOKE_WAIT_H
#define YOKE_WAIT_H

#include "error.h"
#include "handles.h"
#include "listener.h"

YOKE_BEGIN

/** What an entry waits for. New ones go to the end. */
typedef enum yoke_wait_what {
    YOKE_WAIT_NOTHING,  /**< the entry is passed over: it is never ready */
    YOKE_WAIT_READABLE, /**< a get (or its like) would not have to wait */
    YOKE_WAIT_WRITABLE, /**< a put (or its like) would not have to wait */
    YOKE_WAIT_ENDED,    /**< a join would not have to wait */
    YOKE_WAIT_SET,      /**< the event is set */
    YOKE_WAIT_AVAILABLE /**< an acquire would not have to wait */
} yoke_wait_what;

/** One thing to wait for. Made by the functions below; all zero is an entry that is passed over. */
typedef struct yoke_wait_entry {
    uint32_t what;   /**< a yoke_wait_what */
    uint32_t kind;   /**< which kind of handle; the library's own */
    void    *handle; /**< borrowed: to be open until the call, and closed by whoever wants to while it waits */
    int      status; /**< out, if ready: YOKE_OK, or the code with which the call waited for would fail */
    bool     ready;  /**< out */
} yoke_wait_entry;

/** Waits until a get of that queue would find a message, or answer that there will be none: status
 *  #YOKE_ESHUTDOWN. */
YOKE_API yoke_wait_entry yoke_wait_queue_readable(yoke_queue *queue);

/** Waits until that queue is below its limits, so that a put of a small message would succeed; or is shut down: status
 *  #YOKE_ESHUTDOWN. A queue without limits is always writable. */
YOKE_API yoke_wait_entry yoke_wait_queue_writable(yoke_queue *queue);

/** Waits until that process has ended. Only for children of this process. */
YOKE_API yoke_wait_entry yoke_wait_process_ended(yoke_process *process);

/** Waits until that event is set. Only what is so at a look counts: an event that is set and cleared again at once may be
 *  missed here, though not by yoke_event_wait(). */
YOKE_API yoke_wait_entry yoke_wait_event_set(yoke_event *event);

/** Waits until an acquire of that semaphore would find something. Permits that a dead process held count when they have
 *  returned, within a slice (150 ms). */
YOKE_API yoke_wait_entry yoke_wait_semaphore_available(yoke_semaphore *semaphore);

/**
 * Waits until receiving from that end would tell something: a message is there, or has begun to come, or the stream has
 * ended. The status is YOKE_OK also at the end of the stream, which receiving tells; otherwise #YOKE_EMOVED, or what has
 * broken the end. Receive with #YOKE_NOWAIT: of a message only a part may have come (#YOKE_ETIMEDOUT, and it is kept).
 * Several messages may have come at once: an end is ready again until all have been received.
 */
YOKE_API yoke_wait_entry yoke_wait_conn_readable(yoke_conn *conn);

/**
 * Waits until yoke_listener_accept() would find a client, which has proved its key if the listener has one: the
 * handshakes go on during the wait. The client then stays with the listener until somebody accepts it. Status: YOKE_OK,
 * or the code with which accepting fails, such as #YOKE_ENOMEM if no descriptors are left.
 */
YOKE_API yoke_wait_entry yoke_wait_listener_readable(yoke_listener *listener);

/**
 * Waits until at least one entry is ready, and tells all that are.
 *
 * Ready is what is so at one moment of the call: another consumer may be faster, so call get or acquire with YOKE_NOWAIT. An entry
 * whose handle another thread closes during the wait becomes ready with status YOKE_ECLOSED.
 *
 * The thread sleeps meanwhile, and wakes at most ten times a second for nothing, or never if all entries are connections,
 * listeners and processes; signals don't shorten the wait. Any
 * thread may call, several may wait for the same things; not for signal handlers. A forked child may wait for what it
 * inherits, but for processes of its parent.
 *
 * @param entries  `count` of them; handles are borrowed for the call, and `ready` and `status` of each are set on
 *                 success. NULL only if count is 0: then the call sleeps.
 * @param timeout  Milliseconds; YOKE_NOWAIT looks once, YOKE_FOREVER never gives up.
 * @return How many are ready, at least 1; or a negative code, after which entries say nothing.
 * @retval YOKE_ETIMEDOUT  None became ready.
 * @retval YOKE_EINVAL     An entry's handle is not open, or what it waits for doesn't exist, or an end of a one-way pipe
 *                         only sends; the error's text says which entry.
 * @retval YOKE_ECHILD     A process was not started by this one.
 * @retval YOKE_ENOMEM     No memory, no descriptor for the thread's doorbell, or no record for the thread in a domain; a wait
 *                         for connections alone takes one in the default domain.
 */
YOKE_API YOKE_CHECKED int yoke_wait(yoke_wait_entry *entries, size_t count, int64_t timeout);

YOKE_END

#endif
