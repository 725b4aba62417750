/**
 * @file uv.h
 * For programs with an event loop of libuv: watches, and connections whose messages come and go by callbacks
 * (yoke_conn_attach()).
 *
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
#include "listener.h"

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

/* ---- connections ------------------------------------------------------------------------------------------------- */

/**
 * @name Connections on a loop
 *
 * An end that is attached to a loop is read and written by the calls below, and its messages and ends are told by your
 * functions; the blocking calls of conn.h answer #YOKE_EBUSY from then on. The stream is the same: the other end may be a
 * blocking program, or Python.
 *
 * **Threads and functions.** All calls below are to be made on the loop's thread, or while no thread runs the loop; also
 * yoke_conn_close() for such an end. Your functions run on that thread, never inside of one of these calls, and may
 * make all of them, closing the end included; they must not run the loop.
 *
 * **Handles** in messages (yoke_conn_send_variant()) are for the blocking calls: here the message function sees the bytes, and
 * what came along with them is closed.
 *
 * **Memory.** An end at rest has no buffer. While a message comes in, memory grows with what has come, up to the message's
 * size, which max_message of the end bounds. What you write waits in memory up to the high mark and one message.
 *
 * **Ends.** An attached end keeps its loop running while it reads, has something to send or to tell, or is being closed;
 * closing is complete when the loop has run once more. It can't be passed to another process (#YOKE_EBUSY). In a forked child it is on no loop, and its functions are not
 * called there; the child may use it by blocking calls, or attach it to a loop of its own, but must not run its copy of
 * the parent's loop. If it was in the midst of a message, that direction is #YOKE_EBROKEN in the child.
 * @{
 */

/**
 * Called for each message that has come, while reading is on.
 *
 * @param status  - YOKE_OK: a message.
 *                - #YOKE_EMSGSIZE: a message of size bytes, over the end's max_message, is passed over; reading goes on.
 *                - Else reading has stopped: #YOKE_EEOF, #YOKE_EBROKEN, #YOKE_EPROTO, #YOKE_EIO as yoke_conn_recv() tells
 *                  them; #YOKE_ENOMEM: nothing is lost, and yoke_conn_read_start() tries again.
 * @param data    size bytes, until the function returns; NULL unless status is YOKE_OK.
 * @param user    Of the options.
 */
typedef void yoke_conn_message_fn(yoke_conn *conn, int status, const void *data, size_t size, void *user);

/** Called once when yoke_conn_write() has answered #YOKE_FULL, and no more than the low mark waits any more. */
typedef void yoke_conn_room_fn(yoke_conn *conn, void *user);

/**
 * Called once for each message that yoke_conn_write() took, in their order.
 *
 * @param conn    The end. It may be closed already: what was done when you closed it is told after that, too.
 * @param status  YOKE_OK: the system has all of it. #YOKE_EBROKEN: the other end is gone. #YOKE_ECLOSED: this end was
 *                closed before. #YOKE_ENOMEM, #YOKE_EIO: the system failed.
 * @param user    As given to yoke_conn_write().
 */
typedef void yoke_conn_written_fn(yoke_conn *conn, int status, void *user);

/** Options of yoke_conn_attach(); zero means default everywhere. */
typedef struct yoke_conn_loop_options {
    YOKE_SIZED_(yoke_conn_loop_options);
    yoke_conn_message_fn *message; /**< needed */
    yoke_conn_room_fn    *room;    /**< NULL: nobody wants to know */
    void                 *user;    /**< passed to both */
    size_t                high;    /**< so many bytes wait, headers included, and no more is taken; 0: 1 MiB */
    size_t                low;     /**< so few wait, and there is room again; at most high; 0: a quarter of it */
} yoke_conn_loop_options;

/**
 * Puts an end on a loop. Nothing is read before yoke_conn_read_start().
 *
 * @param conn     Stays the caller's. May have been used by blocking calls before, where the system can change over.
 * @param loop     The caller's; to be kept until the end is closed and the loop has run once more.
 * @param options  Borrowed for the call; message is needed.
 * @retval YOKE_OK      It is attached.
 * @retval YOKE_EINVAL  Not an open connection; loop, options or message is NULL; low is over high.
 * @retval YOKE_EBUSY   It is attached already; another thread is in a call with it; a message that a blocking call has
 *                      begun isn't out yet; or, on Windows, blocking calls have used it.
 * @retval YOKE_EMOVED  The end belongs to another process now.
 * @retval YOKE_ECLOSED Not passed to this child, or closed meanwhile.
 * @retval YOKE_ENOMEM  No memory or descriptors.
 * @retval YOKE_ENOTSUP The backend can't use the caller's loops, or the end is shared by several senders.
 */
YOKE_API YOKE_CHECKED int yoke_conn_attach(yoke_conn *conn, struct uv_loop_s *loop,
                                           const yoke_conn_loop_options *options);

/**
 * Tells messages from now on, the first in the loop's next round. Up to 256 at a time; then others of the loop have their
 * turn. Nothing happens if reading is on. After the end of the stream that is told again.
 *
 * @retval YOKE_OK      Reading is on.
 * @retval YOKE_EINVAL  Not an attached end, or one that only sends.
 */
YOKE_API int yoke_conn_read_start(yoke_conn *conn);

/**
 * Tells no message any more, until reading is started again. What comes stays with the system; when its buffers are full
 * the other end's sends wait. Codes as yoke_conn_read_start().
 */
YOKE_API int yoke_conn_read_stop(yoke_conn *conn);

/**
 * Sends one message. What the system doesn't take at once is copied and sent as it takes more, in order.
 *
 * @param data     size bytes, borrowed for the call; NULL only if size is 0.
 * @param written  Called later, in each case in which the message was taken. NULL: nobody wants to know.
 * @param user     Passed to written.
 * @param ticket   Receives the message's number, for yoke_conn_write_cancel(). May be NULL.
 * @retval YOKE_OK       The message is taken.
 * @retval YOKE_FULL     The message is taken, and now as much waits as the high mark: stop until `room` is called.
 * @retval YOKE_EBUSY    Nothing was taken: the mark was reached before.
 * @retval YOKE_EBROKEN  The other end is gone, or a message before this one broke off.
 * @retval YOKE_EMSGSIZE Over the end's max_message.
 * @retval YOKE_EINVAL   Not an attached end, one that only receives, or data is NULL.
 * @retval YOKE_ENOMEM   No memory; nothing was taken.
 */
YOKE_API YOKE_CHECKED int yoke_conn_write(yoke_conn *conn, const void *data, size_t size, yoke_conn_written_fn *written,
                                          void *user, uint64_t *ticket);

/**
 * Takes a message back that waits to be sent.
 *
 * @retval YOKE_OK      It will not be sent, and its written function is not called.
 * @retval YOKE_BEGUN   Part of it is out: it counts as sent, and will be told as ever.
 * @retval YOKE_ENOENT  No such message waits.
 * @retval YOKE_EINVAL  Not an attached end.
 */
YOKE_API YOKE_CHECKED int yoke_conn_write_cancel(yoke_conn *conn, uint64_t ticket);

/** Bytes that wait to be sent, headers included; -1 and noted: not an attached end. */
YOKE_API int64_t yoke_conn_write_waiting(const yoke_conn *conn);

/**
 * As yoke_conn_close(), which works for attached ends too, and tells when it is complete. Messages that wait are dropped,
 * also one that is partly out, which the other side sees as broken: wait for the last one's written function if they
 * matter. The other functions are not called any more; written ones are: with #YOKE_OK for what the system had by then,
 * otherwise with #YOKE_ECLOSED.
 *
 * @param closed  Called by the loop after everything else, never in here. NULL: nobody wants to know.
 * @retval YOKE_OK      The handle is closed.
 * @retval YOKE_EINVAL  Not an attached end.
 */
YOKE_API int yoke_conn_close_on_loop(yoke_conn *conn, void (*closed)(void *user), void *user);

/** @} */

/* ---- listeners and clients --------------------------------------------------------------------------------------- */

/**
 * @name Listeners and clients on a loop
 *
 * Connecting, accepting and proving keys without ever blocking the loop, but for looking up the name of a host. What comes
 * of them is an end on no loop: attach it to this one or another, use it by blocking calls, or pass it on. Threads,
 * functions and forks are as with connections above. A client that is silent, slow or wrong costs what listener.h says: one
 * of 64 places for its `handshake_timeout`, some memory and two descriptors; the loop goes on.
 * @{
 */

/**
 * Called for each client that may connect.
 *
 * @param status  YOKE_OK: conn is the client's connection, yours to close. #YOKE_ENOMEM, #YOKE_EIO: accepting failed, and
 *                is tried again after 100 ms; conn is NULL.
 * @param user    As given.
 */
typedef void yoke_listener_fn(yoke_listener *listener, int status, yoke_conn *conn, void *user);

/**
 * Takes clients on a loop, until yoke_listener_stop() or yoke_listener_close(), both of which fn may call; the listener
 * keeps the loop running meanwhile. yoke_listener_accept() answers #YOKE_EBUSY.
 *
 * @param listener  Stays the caller's.
 * @param loop      The caller's; to be kept until the listener was stopped and the loop has run once more.
 * @param fn        First called in the loop's next round.
 * @param user      Passed to fn.
 * @retval YOKE_OK      It takes clients.
 * @retval YOKE_EINVAL  Not an open listener; or loop or fn is NULL.
 * @retval YOKE_EBUSY   Another thread is accepting, or it is on a loop already.
 * @retval YOKE_ECLOSED Not passed to this child.
 * @retval YOKE_ENOMEM  No memory or descriptors.
 * @retval YOKE_ENOTSUP On Windows.
 */
YOKE_API YOKE_CHECKED int yoke_listener_start(yoke_listener *listener, struct uv_loop_s *loop, yoke_listener_fn *fn,
                                              void *user);

/**
 * Takes no more clients: they wait, and those who are proving their keys too, until it is started again or somebody
 * accepts.
 *
 * @param stopped  Called by the loop with the user of yoke_listener_start(), never in here, when nothing of the listener
 *                 is left on it. NULL: nobody wants to know.
 * @retval YOKE_OK      fn is not called any more.
 * @retval YOKE_EINVAL  Not an open listener, or one on no loop.
 */
YOKE_API int yoke_listener_stop(yoke_listener *listener, void (*stopped)(void *user));

/** A client that is connecting. Belongs to the library once its function was called, or it was cancelled. */
typedef struct yoke_connecting yoke_connecting;

/**
 * Called once, unless it was cancelled, when a client has connected, and with a key both sides have proved it; or failed.
 *
 * @param status  YOKE_OK: conn is the connection, yours to close. Else a code as of yoke_client_connect(), conn is NULL,
 *                and yoke_last_error() has the sentence.
 * @param user    As given.
 */
typedef void yoke_client_fn(int status, yoke_conn *conn, void *user);

/**
 * Connects to a listener as yoke_client_connect() does, without waiting.
 *
 * @param out      Receives what yoke_client_cancel() takes; NULL: nobody will cancel.
 * @param address  See listener.h. Borrowed for the call. The name of a host is looked up in here, which may take a while.
 * @param options  NULL means defaults, without a key. Borrowed for the call.
 * @param timeout  Milliseconds for all of it.
 * @param loop     The caller's; to be kept until fn was called, or it was cancelled, and the loop has run once more.
 * @param fn       Never called in here.
 * @param user     Passed to fn.
 * @retval YOKE_OK       It is connecting; how that ends is told to fn.
 * @retval YOKE_EINVAL   address, loop or fn is NULL, or the address or an option makes no sense.
 * @retval YOKE_EMSGSIZE The path or name is longer than the system's limit.
 * @retval YOKE_ENOMEM   No memory or descriptors.
 * @retval YOKE_ENOTSUP  No such addresses here, or the backend can't do that: on Windows.
 * @return Other codes as of yoke_client_connect(): it has failed at once, such as with #YOKE_ENOENT where nobody listens.
 *         fn is not called.
 */
YOKE_API YOKE_CHECKED int yoke_client_start(yoke_connecting **out, const char *address,
                                            const yoke_client_options *options, int64_t timeout, struct uv_loop_s *loop,
                                            yoke_client_fn *fn, void *user);

/** Gives up: fn is not called. Before fn was called, and once; NULL is fine. */
YOKE_API void yoke_client_cancel(yoke_connecting *connecting);

/** @} */
YOKE_END

#endif
