/**
 * @file uv.h
 * Watches: a function of yours is called on your own event loop while a queue is readable or writable, an event is set, a
 * semaphore can be acquired, or when a process has ended. For loops of libuv; descriptors for others: yoke_queue_native_readable(),
 * yoke_event_native_set(), yoke_semaphore_native_available(). Not part of yoke.h; needs no `<uv.h>`.
 *
 * ```c
 * static void on_message(yoke_watch *watch, int status, void *user)
 * {
 *     yoke_queue *queue = user;
 *     char        line[256];
 *     int         rc = status;
 *
 *     for (int burst = 0; burst < 64 && rc == YOKE_OK; burst++)
 *         if ((rc = yoke_queue_get_string(queue, line, sizeof line, YOKE_NOWAIT)) == YOKE_OK)
 *             puts(line);
 *     if (rc < 0 && rc != YOKE_ETIMEDOUT)
 *         yoke_watch_stop(watch, NULL);
 * }
 *
 * YOKE_CHECK(yoke_queue_watch(&watch, queue, uv_default_loop(), on_message, queue));
 * uv_run(uv_default_loop(), UV_RUN_DEFAULT);
 * ```
 *
 * **Level-triggered.** The function is called in each round of the loop for as long as the condition stands, so it need
 * not take everything at once, and should not: other things of the loop wait meanwhile. Nothing is lost between calls,
 * whoever is killed at whatever moment; if the process that should have woken this one dies just before it does, the
 * watch looks by itself within 150 ms. An idle loop wakes at most ten times a second.
 *
 * **Threads.** All functions here are to be called on the thread that runs the loop, or while no thread runs it, as with
 * libuv's own. The watched handle may be used, and closed, by any thread. No thread is started. Host and library must
 * share one libuv.
 *
 * **Cost.** All watches on one loop share one doorbell (a descriptor), one timer and one record of a waiting thread for
 * each domain; one on a process takes one more descriptor. Each round looks at all of them.
 *
 * **Ends.** A watch keeps its loop running, until it is stopped. In a forked child inherited watches are forgotten: their
 * functions are not called there, and stopping them does nothing; the child makes its own.
 */
#ifndef YOKE_UV_H
#define YOKE_UV_H

#include "error.h"
#include "handles.h"

YOKE_BEGIN

struct uv_loop_s; /* uv_loop_t */

/** Something watched from an event loop. Belongs to the library from yoke_watch_stop() on. */
typedef struct yoke_watch yoke_watch;

/**
 * Called on the loop's thread while what is watched stands. May call anything, also yoke_watch_stop() for this watch or
 * others, and make new ones; it must not run the loop.
 *
 * @param watch   The watch.
 * @param status  YOKE_OK: the condition stands. #YOKE_ESHUTDOWN: the queue was shut down, and for reading nothing is left
 *                in it; told in each round too. #YOKE_ECLOSED: the handle was closed; told once, and the watch waits to
 *                be stopped.
 * @param user    As given.
 */
typedef void yoke_watch_fn(yoke_watch *watch, int status, void *user);

/**
 * Watches a queue for messages: fn is called while a get would not have to wait. Another consumer may be faster, so take
 * with YOKE_NOWAIT.
 *
 * @param out    Receives the watch; end it with yoke_watch_stop().
 * @param queue  Stays the caller's. May be closed while it is watched.
 * @param loop   The caller's; to be kept until the watch has been stopped and the loop has run once more.
 * @param fn     First called in the loop's next round, if the condition stands then.
 * @param user   Passed to fn.
 * @retval YOKE_OK       *out is set.
 * @retval YOKE_EINVAL   Not an open queue; or out, loop or fn is NULL.
 * @retval YOKE_ENOMEM   No memory, no descriptor, or the domain has no record of a waiting thread left.
 * @retval YOKE_ENOTSUP  The backend can't watch from loops.
 */
YOKE_API YOKE_CHECKED int yoke_queue_watch(yoke_watch **out, yoke_queue *queue, struct uv_loop_s *loop,
                                           yoke_watch_fn *fn, void *user);

/**
 * Watches a queue for room: fn is called while the queue is below its limits, so that a put of a small message would
 * succeed, or is shut down. Without limits that is always so: stop the watch when there is nothing to put. Looking takes
 * the producers' lock for a moment. Parameters and codes as yoke_queue_watch().
 */
YOKE_API YOKE_CHECKED int yoke_queue_watch_writable(yoke_watch **out, yoke_queue *queue, struct uv_loop_s *loop,
                                                    yoke_watch_fn *fn, void *user);

/**
 * Watches a child for its end: fn is called, in each round until the watch is stopped, when yoke_process_join() would
 * not have to wait. Parameters and codes as yoke_queue_watch(), and:
 *
 * @retval YOKE_ECHILD   The process was not started by this one.
 */
YOKE_API YOKE_CHECKED int yoke_process_watch(yoke_watch **out, yoke_process *process, struct uv_loop_s *loop,
                                             yoke_watch_fn *fn, void *user);

/**
 * Watches an event: fn is called while it is set, in each round, so clear it there or stop the watch. One that is set and
 * cleared again at once may be missed. Parameters and codes as yoke_queue_watch().
 */
YOKE_API YOKE_CHECKED int yoke_event_watch(yoke_watch **out, yoke_event *event, struct uv_loop_s *loop,
                                           yoke_watch_fn *fn, void *user);

/**
 * Watches a semaphore: fn is called while an acquire would not have to wait. Another may be faster, so acquire with
 * YOKE_NOWAIT. Parameters and codes as yoke_queue_watch().
 */
YOKE_API YOKE_CHECKED int yoke_semaphore_watch(yoke_watch **out, yoke_semaphore *semaphore, struct uv_loop_s *loop,
                                               yoke_watch_fn *fn, void *user);

/**
 * Ends a watch: its function is not called any more from now on, and the watch must not be used again. May be called
 * inside the function of this watch or of another. NULL is fine; one that was stopped already is noted as YOKE_EINVAL.
 *
 * @param watch   The watch; freed by the library later.
 * @param closed  Called by the loop with the watch's `user`, in one of its next rounds and never in here, when the
 *                library has nothing of the watch left on the loop: what user points to may be freed in it. When it was
 *                the last watch on the loop, the library has nothing at all left there. NULL: nobody wants to know.
 */
YOKE_API void yoke_watch_stop(yoke_watch *watch, void (*closed)(void *user));

/**
 * A descriptor (on Windows a HANDLE) that any other loop can poll for reading, level-triggered.
 *
 * It is readable while the queue has a message or is shut down, as far as this process knows: what this process takes
 * by this handle is seen at once; when other processes or other handles have taken everything, it stays readable until a
 * get of this handle has found nothing. So the caller has to:
 * - poll for reading only, and never read, write or close it;
 * - when it is readable, get with YOKE_NOWAIT; one message or all there are. YOKE_ETIMEDOUT is no error: the descriptor
 *   is right again then;
 * - look now and then though it is not readable (every 150 ms is what the library does elsewhere) and take what is there
 *   until YOKE_ETIMEDOUT, if a message must not wait when its sender is killed in the few instructions between putting
 *   it and telling.
 *
 * @param queue   The descriptor belongs to this handle, and all callers for it get the same one. It is valid until the
 *                handle is closed, its domain is left, or the process ends; take it out of the loop before. A forked
 *                child asks anew. It takes a record of a waiting thread in the domain.
 * @param handle  Receives the descriptor.
 * @retval YOKE_OK       *handle is set.
 * @retval YOKE_EINVAL   Not an open queue, or handle is NULL.
 * @retval YOKE_ENOMEM   As yoke_queue_watch().
 */
YOKE_API YOKE_CHECKED int yoke_queue_native_readable(yoke_queue *queue, intptr_t *handle);

/**
 * The same for an event: readable while it is set, as far as this process knows. Once readable it stays so until
 * yoke_event_wait() of this handle has found the event not set. So when it is readable, call that with YOKE_NOWAIT: on
 * YOKE_OK do what is to be done, and clear the event or leave it set, which keeps the descriptor readable; YOKE_ETIMEDOUT is
 * no error, and the descriptor is right again. Clearing alone doesn't change it, as a signal handler may do that.
 *
 * An event that is set and cleared again at once may make it readable, or not. All else as yoke_queue_native_readable(), which
 * see for what is to be done should the setter be killed between setting and telling.
 */
YOKE_API YOKE_CHECKED int yoke_event_native_set(yoke_event *event, intptr_t *handle);

/**
 * The same for a semaphore: readable while an acquire would find something, as far as this process knows. Once readable it
 * stays so until an acquire of this handle has found nothing. So when it is readable, acquire with YOKE_NOWAIT, once or as
 * often as there is something; YOKE_ETIMEDOUT is no error, and the descriptor is right again.
 *
 * In permit mode, permits of a process that died come back when somebody looks for the dead: an acquire does. A loop that
 * has nothing else to do finds them when it tries now and then, as yoke_queue_native_readable() says; all else as there.
 */
YOKE_API YOKE_CHECKED int yoke_semaphore_native_available(yoke_semaphore *semaphore, intptr_t *handle);

YOKE_END

#endif
