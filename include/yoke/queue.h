/**
 * @file queue.h
 * Queues of messages between processes and threads: many producers, many consumers.
 *
 * A queue lives in a domain and is reached through handles; it goes with its last user. It grows by default, as
 * Python's does, so that a program may fill it first and consume later; options set limits.
 *
 * Delivery: a put that returned YOKE_OK is handed out at least once while a consumer lives, exactly once unless a
 * consumer dies. Consumption commits when the copy into the consumer's buffer is complete; dying after that loses the
 * message with the process. A killed put is delivered whole or not at all. First deliveries are in order per producer;
 * a message that a dead consumer had taken, but not finished copying, comes back soon, perhaps late.
 *
 * Threads and processes: every function may be called by any thread of any participant, but not by a signal handler.
 * Close a handle only when no other thread is about to use it; threads asleep in it answer YOKE_ECLOSED. A forked child
 * may use the handles it inherits.
 *
 * Time-outs are milliseconds; YOKE_NOWAIT tries once, YOKE_FOREVER never gives up. Signals don't shorten a wait.
 */
#ifndef YOKE_QUEUE_H
#define YOKE_QUEUE_H

#include "args.h"
#include "message.h"

YOKE_BEGIN

/** Options of yoke_queue_create(); zero means default everywhere. */
typedef struct yoke_queue_options {
    YOKE_SIZED_(yoke_queue_options);
    yoke_domain   *domain;    /**< where it lives; NULL: the default domain of this process family */
    const char    *name;      /**< name inside the domain, or NULL; under 64 bytes of letters, digits, '.', '_', '-' */
    yoke_open_mode mode;      /**< matters with a name only */
    size_t         max_items; /**< most messages at a time; 0: no limit */
    size_t         max_bytes; /**< most bytes of messages at a time; 0: no limit */
} yoke_queue_options;

/**
 * Makes a queue, or opens it if options name one and their mode allows.
 *
 * @param out     Receives the handle; close it with yoke_queue_close().
 * @param options NULL means defaults. Borrowed for the call.
 * @retval YOKE_OK       *out is set.
 * @retval YOKE_EINVAL   A bad name, mode or domain, or limits other than those of the queue that has the name.
 * @retval YOKE_EEXIST   YOKE_CREATE, and the name is taken.
 * @retval YOKE_ENOENT   YOKE_OPEN, and nothing has that name.
 * @retval YOKE_ETYPE    The name is that of another kind of object.
 * @retval YOKE_ENOMEM   The domain's budget or this process's memory is used up.
 */
YOKE_API YOKE_CHECKED int yoke_queue_create(yoke_queue **out, const yoke_queue_options *options);

/** Opens a queue by name, whatever its limits. domain NULL: the default one. Codes as yoke_queue_create(). */
YOKE_API YOKE_CHECKED int yoke_queue_open(yoke_queue **out, yoke_domain *domain, const char *name);

/** Drops this handle. Messages stay while anybody else has the queue; with the last user they go. NULL is fine. */
YOKE_API void yoke_queue_close(yoke_queue *queue);

/**
 * Copies one message into the queue.
 *
 * @param data    size bytes, borrowed for the call; NULL only if size is 0.
 * @param size    From 0 to what the domain can hold.
 * @param timeout How long to wait while a limit is reached.
 * @retval YOKE_OK        It will be delivered.
 * @retval YOKE_ETIMEDOUT Still full; the error's text names the limit. Nothing was put.
 * @retval YOKE_EMSGSIZE  Larger than max_bytes: it could never be put.
 * @retval YOKE_ESHUTDOWN The queue was shut down.
 * @retval YOKE_ENOMEM    No limit is reached, but the domain's budget is used up. Nothing was put.
 * @retval YOKE_EINVAL    Not an open queue, or data is NULL.
 * @retval YOKE_ECLOSED   Another thread closed the handle during the wait.
 */
YOKE_API YOKE_CHECKED int yoke_queue_put(yoke_queue *queue, const void *data, size_t size, int64_t timeout);

/** Puts the characters of text, without its NUL. Codes as yoke_queue_put(). */
YOKE_API YOKE_CHECKED int yoke_queue_put_string(yoke_queue *queue, const char *text, int64_t timeout);

/** Puts a string formatted as by printf, without its NUL. Codes as yoke_queue_put(). */
YOKE_API YOKE_CHECKED int yoke_queue_put_format(yoke_queue *queue, int64_t timeout, const char *format, ...)
    YOKE_FORMAT(3, 4);

/**
 * Puts a value of any shape: `yoke_queue_put_variant(q, YOKE_ARGS(42, YOKE_NIL, "hello"), YOKE_FOREVER)`.
 *
 * @param value Borrowed for the call.
 * @retval YOKE_ENOTSUP value holds a handle: handles travel in start arguments only.
 * Other codes as yoke_queue_put().
 */
YOKE_API YOKE_CHECKED int yoke_queue_put_variant(yoke_queue *queue, const yoke_item *value, int64_t timeout);

/**
 * Takes the next message into the caller's buffer.
 *
 * @param buffer   Receives the bytes; NULL only if capacity is 0.
 * @param capacity Its size in bytes.
 * @param size     If not NULL: the size of the message, also when it did not fit.
 * @param timeout  How long to wait while the queue is empty.
 * @retval YOKE_OK        The message is the caller's.
 * @retval YOKE_ETIMEDOUT Still empty.
 * @retval YOKE_EMSGSIZE  The buffer is too small; *size tells, and the message stays where it was.
 * @retval YOKE_ETYPE     The next message is a variant; it stays.
 * @retval YOKE_ESHUTDOWN Shut down and drained.
 * @retval YOKE_EINVAL    Not an open queue, or buffer is NULL.
 * @retval YOKE_ECLOSED   Another thread closed the handle during the wait.
 */
YOKE_API YOKE_CHECKED int yoke_queue_get(yoke_queue *queue, void *buffer, size_t capacity, size_t *size,
                                         int64_t timeout);

/** Takes the next message as a string; always NUL-terminates unless capacity is 0. YOKE_EMSGSIZE when the characters
 *  and the NUL don't fit: the error's text tells the size, and the message stays. Other codes as yoke_queue_get(). */
YOKE_API YOKE_CHECKED int yoke_queue_get_string(yoke_queue *queue, char *buffer, size_t capacity, int64_t timeout);

/** Takes the next message into memory of its own; free it with yoke_message_free(). YOKE_ENOMEM: the message stays.
 *  Other codes as yoke_queue_get(). */
YOKE_API YOKE_CHECKED int yoke_queue_get_message(yoke_queue *queue, yoke_message **out, int64_t timeout);

/** Takes the next message as a variant; free it with yoke_variant_free(). YOKE_ETYPE: it was put as bytes, and stays.
 *  YOKE_ENOMEM: it stays. Other codes as yoke_queue_get(). */
YOKE_API YOKE_CHECKED int yoke_queue_get_variant(yoke_queue *queue, yoke_variant **out, int64_t timeout);

/** What becomes of the messages in a queue that is shut down. */
typedef enum yoke_shutdown {
    YOKE_DRAIN,    /**< they may still be taken */
    YOKE_IMMEDIATE /**< they are discarded */
} yoke_shutdown;

/**
 * Ends a queue for everybody: puts answer YOKE_ESHUTDOWN from now on, gets too once nothing is left; sleepers wake.
 *
 * @return The number of messages discarded (0 with YOKE_DRAIN), or YOKE_EINVAL.
 */
YOKE_API int64_t yoke_queue_shutdown(yoke_queue *queue, yoke_shutdown how);

/** Messages in the queue: exact at one moment of the call. YOKE_EINVAL (negative) on a bad handle. */
YOKE_API int64_t yoke_queue_size(const yoke_queue *queue);

/** Whether no message was there at one moment of the call. Another process may put or take at any time: to take what is
 *  there, call get with YOKE_NOWAIT instead of asking first. False on a bad handle. */
YOKE_API bool yoke_queue_empty(const yoke_queue *queue);

/** Whether a limit was reached. Always false without limits, and on a bad handle. */
YOKE_API bool yoke_queue_full(const yoke_queue *queue);

YOKE_END
#endif
