/**
 * @file simple_queue.h
 * The plain subset of queue.h, as Python's `SimpleQueue`: put, get, empty, close. No limits and no time-outs: a put never
 * waits, a get waits until there is something.
 *
 * A simple queue is a yoke_queue: it stands in `YOKE_ARGS` and in messages as any queue does, yoke_args_queue() gives it to
 * a started function, and everything in queue.h may be used on it as well. Delivery, threads, processes and forks are as
 * there: what was put is delivered though its sender has gone, and a killed process corrupts nothing.
 *
 * @code
 * static int greet(const yoke_args *args)
 * {
 *     return yoke_simple_queue_put_string(yoke_args_queue(args, 0), "hello");
 * }
 * @endcode
 */
#ifndef YOKE_SIMPLE_QUEUE_H
#define YOKE_SIMPLE_QUEUE_H

#include "queue.h"

YOKE_BEGIN

/**
 * Makes a queue in the default domain of this process family: growing, without a name and without options.
 *
 * @param out     Receives the handle; close it with yoke_simple_queue_close() or yoke_queue_close().
 * @retval YOKE_OK       *out is set.
 * @retval YOKE_EINVAL   out is NULL.
 * @retval YOKE_ENOMEM   The domain's budget or this process's memory is used up.
 */
YOKE_API YOKE_CHECKED int yoke_simple_queue_create(yoke_queue **out);

/**
 * Copies one message into the queue.
 *
 * @param queue  Any queue. One that has limits after all is waited for.
 * @param data   size bytes, borrowed for the call; NULL only if size is 0.
 * @param size   From 0 to what the domain can hold.
 * @retval YOKE_OK        It will be delivered.
 * @retval YOKE_ENOMEM    The domain's budget is used up. Nothing was put.
 * @retval YOKE_EINVAL    Not an open queue, or data is NULL.
 * @return Other codes as yoke_queue_put(), if somebody used the queue in ways that this header has not.
 */
YOKE_API YOKE_CHECKED int yoke_simple_queue_put(yoke_queue *queue, const void *data, size_t size);

/** Puts the characters of text, without its NUL. Codes as yoke_simple_queue_put(). */
YOKE_API YOKE_CHECKED int yoke_simple_queue_put_string(yoke_queue *queue, const char *text);

/** Puts a value of any shape: `yoke_simple_queue_put_variant(q, YOKE_ARGS(42, YOKE_NIL, "hello"))`. value is borrowed for
 *  the call. Codes as yoke_simple_queue_put(), and #YOKE_ENOTSUP as yoke_queue_put_variant(). */
YOKE_API YOKE_CHECKED int yoke_simple_queue_put_variant(yoke_queue *queue, const yoke_item *value);

/**
 * Waits for the next message and takes it into the caller's buffer.
 *
 * @param queue    Any queue.
 * @param buffer   Receives the bytes; NULL only if capacity is 0.
 * @param capacity Its size in bytes.
 * @param size     If not NULL: the size of the message, also when it did not fit.
 * @retval YOKE_OK        The message is the caller's.
 * @retval YOKE_EMSGSIZE  The buffer is too small; *size tells, and the message stays where it was.
 * @retval YOKE_ETYPE     The next message is a variant; it stays.
 * @retval YOKE_EINVAL    Not an open queue, or buffer is NULL.
 * @retval YOKE_ECLOSED   Another thread closed the handle during the wait.
 * @return Other codes as yoke_queue_get(), if somebody used the queue in ways that this header has not.
 */
YOKE_API YOKE_CHECKED int yoke_simple_queue_get(yoke_queue *queue, void *buffer, size_t capacity, size_t *size);

/** Takes the next message as a string; always NUL-terminates unless capacity is 0. #YOKE_EMSGSIZE when the characters and
 *  the NUL don't fit: the error's text tells the size, and the message stays. Other codes as yoke_simple_queue_get(). */
YOKE_API YOKE_CHECKED int yoke_simple_queue_get_string(yoke_queue *queue, char *buffer, size_t capacity);

/** Takes the next message as a variant; free it with yoke_variant_free(). #YOKE_ETYPE: it was put as bytes, and stays.
 *  Other codes as yoke_simple_queue_get(). */
YOKE_API YOKE_CHECKED int yoke_simple_queue_get_variant(yoke_queue *queue, yoke_variant **out);

/** Whether no message was there at one moment of the call. Only a hint where others get too: there is no get here that
 *  doesn't wait; yoke_queue_get() with #YOKE_NOWAIT is one. False on a bad handle. */
YOKE_API bool yoke_simple_queue_empty(const yoke_queue *queue);

/** Drops this handle. Messages stay while anybody else has the queue; with the last user they go. Threads asleep in it
 *  answer #YOKE_ECLOSED. NULL is fine. */
YOKE_API void yoke_simple_queue_close(yoke_queue *queue);

YOKE_END
#endif
