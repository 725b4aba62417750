/**
 * @file queue.h
 * Queues of messages between processes and threads: many producers, many consumers.
 *
 * A queue lives in a domain and is reached through handles; it goes with its last user. It grows by default, as
 * Python's does, so that a program may fill it first and consume later; options set limits.
 *
 * Delivery: a put that returned YOKE_OK is handed out at least once while a consumer lives, exactly once unless a
 * consumer dies. Consumption commits when the copy into the consumer's buffer is complete; dying after that loses it with
 * the process, unless the queue is joinable or the message was peeked: then it comes back, flagged redelivered. A killed
 * put is delivered whole or not at all. First deliveries are FIFO per producer; redelivered ones come soon, perhaps late.
 * yoke_queue_shutdown() with #YOKE_IMMEDIATE discards and reports the count.
 *
 * Threads and processes: every function may be called by any thread of any participant, but not by a signal handler.
 * Close a handle only when no other thread is about to use it; threads asleep in it answer YOKE_ECLOSED. A forked child
 * may use the handles it inherits; if the domain is too full for it to hold them, each call answers YOKE_ENOMEM until there
 * is room.
 *
 * Time-outs are milliseconds; YOKE_NOWAIT tries once, YOKE_FOREVER never gives up. Signals don't shorten a wait. A process
 * that was stopped in the middle of a call may hold up others on its side until it goes on, or dies and a slice (150 ms)
 * has passed. Their time-outs hold then too: YOKE_ETIMEDOUT, and the error's text names that process; YOKE_NOWAIT waits up
 * to 50 ms for it. Calls without a time-out wait for as long as it takes. What a dead process held in that queue comes
 * back once the stopped one has gone on or died; other queues go on. One thing no time-out covers: a process stopped in the
 * few instructions in which it takes or gives back memory of the domain, or makes, opens or closes an object, holds up
 * whoever needs to do the same, whatever queue and time-out that has (YOKE_NOWAIT too), until it goes on or dies. Messages
 * of up to 4080 bytes need no memory once the queue is large enough; larger ones, joinable queues, variants and slots
 * always do.
 */
#ifndef YOKE_QUEUE_H
#define YOKE_QUEUE_H

#include "args.h"
#include "message.h"

YOKE_BEGIN

/** Options of yoke_queue_create(); zero means default everywhere. */
typedef struct yoke_queue_options {
    YOKE_SIZED_(yoke_queue_options);
    yoke_domain   *domain; /**< where it lives; NULL: the default domain of this process family */
    const char    *name;   /**< name inside the domain, or NULL; under 64 bytes of letters, digits, '.', '_', '-' */
    yoke_open_mode mode;   /**< matters with a name only */
    size_t max_items;      /**< most messages at a time, open reservations included, but not what is held; 0: no limit.
                                   What comes back counts, and is let in beyond the limit: puts wait until it is gone */
    size_t max_bytes;      /**< most bytes of messages at a time, counted the same way; 0: no limit */
    bool   joinable; /**< what is got stays held until yoke_queue_task_done(), and comes back if its holder dies */
    bool   report_orphaned; /**< answer #YOKE_EORPHANED when nobody is left who could put, or get */
} yoke_queue_options;

/** What a handle may be used for. A handle passed on lacks what the giver's lacked. */
typedef enum yoke_queue_role {
    YOKE_MAY_PUT = 1, /**< put, reserve, commit */
    YOKE_MAY_GET = 2  /**< get, peek */
} yoke_queue_role;

/**
 * Makes a queue, or opens it if options name one and their mode allows.
 *
 * @param out     Receives the handle; close it with yoke_queue_close().
 * @param options NULL means defaults. Borrowed for the call.
 * @retval YOKE_OK       *out is set.
 * @retval YOKE_EINVAL   A bad name, mode or domain, or limits and options other than those of the queue that has the name.
 * @retval YOKE_EEXIST   YOKE_CREATE, and the name is taken.
 * @retval YOKE_ENOENT   YOKE_OPEN, and nothing has that name.
 * @retval YOKE_ETYPE    The name is that of another kind of object.
 * @retval YOKE_ENOMEM   The domain's budget or this process's memory is used up.
 */
YOKE_API YOKE_CHECKED int yoke_queue_create(yoke_queue **out, const yoke_queue_options *options);

/** Opens a queue by name, whatever its limits. domain NULL: the default one. Codes as yoke_queue_create(). */
YOKE_API YOKE_CHECKED int yoke_queue_open(yoke_queue **out, yoke_domain *domain, const char *name);

/** Drops this handle. Messages stay while anybody else has the queue; with the last user they go. What was got or peeked
 *  through it and not let go of comes back to the queue, and its views are invalid; slots reserved through it are aborted.
 *  NULL is fine. */
YOKE_API void yoke_queue_close(yoke_queue *queue);

/**
 * Gives up roles of this handle, for good. A parent that only collects what its children put drops #YOKE_MAY_PUT, so that
 * its gets can answer #YOKE_EORPHANED when the last child is gone.
 *
 * @param roles #YOKE_MAY_PUT, #YOKE_MAY_GET, or both by `|`. Calls that need one answer #YOKE_EACCES from now on.
 * @retval YOKE_OK     Done, also if they had been given up before.
 * @retval YOKE_EINVAL Not an open queue, or no roles.
 */
YOKE_API int yoke_queue_drop(yoke_queue *queue, unsigned roles);

/* ---- putting ----------------------------------------------------------------------------------------------------- */

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
 * @retval YOKE_EORPHANED Still full, and no process is left that could get; only with report_orphaned.
 * @retval YOKE_ENOMEM    No limit is reached, but the domain's budget is used up. Nothing was put.
 * @retval YOKE_EINVAL    Not an open queue, or data is NULL.
 * @retval YOKE_EACCES    This handle has given up putting.
 * @retval YOKE_ECLOSED   Another thread closed the handle during the wait.
 */
YOKE_API YOKE_CHECKED int yoke_queue_put(yoke_queue *queue, const void *data, size_t size, int64_t timeout);

/** Puts the characters of text, without its NUL. Codes as yoke_queue_put(). */
YOKE_API YOKE_CHECKED int yoke_queue_put_string(yoke_queue *queue, const char *text, int64_t timeout);

/** Puts a string formatted as by printf, without its NUL. Codes as yoke_queue_put(). */
YOKE_API YOKE_CHECKED int yoke_queue_put_format(yoke_queue *queue, int64_t timeout, const char *format, ...)
    YOKE_FORMAT(3, 4);

/**
 * Puts a value of any shape: `yoke_queue_put_variant(q, YOKE_ARGS(42, YOKE_NIL, "hello"), YOKE_FOREVER)`. Queues, locks,
 * values and arrays inside are opened at the receiver, with the roles that the sender's handle has; until then the
 * message keeps them alive, so the sender may close its own.
 *
 * @param value Borrowed for the call.
 * @retval YOKE_ENOTSUP value holds a connection, a segment, a domain, a lock borrowed from a value or array, or an object
 *                      of another domain than the queue's.
 * Other codes as yoke_queue_put().
 */
YOKE_API YOKE_CHECKED int yoke_queue_put_variant(yoke_queue *queue, const yoke_item *value, int64_t timeout);

/**
 * Puts several messages, in order, with one lock and one wake-up for as many as fit at a time; one of more than 4080 bytes,
 * and each of a joinable queue, takes a lock of its own. Each counts by itself: a death in the middle leaves the first ones
 * put.
 *
 * @param count   How many messages; 0 is fine.
 * @param put     If not NULL: how many were put, whatever the call answers.
 * @param timeout For all of them together.
 * @retval YOKE_OK All were put.
 * Other codes as yoke_queue_put(): the first *put messages were put, the others not.
 */
YOKE_API YOKE_CHECKED int yoke_queue_put_many(yoke_queue *queue, const yoke_bytes *messages, size_t count, size_t *put,
                                              int64_t timeout);

/** Memory of a message that is being made in place. */
typedef struct yoke_slot {
    void    *data;        /**< 64-aligned, in shared memory, outside the queue's rings; NULL when it is not open */
    size_t   size;        /**< bytes that may be written */
    uint64_t private_[4]; /**< the library's own */
} yoke_slot;

/**
 * Gives memory to write a message into, so that it is put without a copy. It counts towards the limits from now on, but
 * holds nobody up: others go on putting and getting. It ends by yoke_queue_commit() or yoke_queue_abort(), or with this
 * process. Codes as yoke_queue_put().
 *
 * @param slot Filled on success. A copy of the structure stands for the same memory.
 * @param size Most bytes that will be written.
 */
YOKE_API YOKE_CHECKED int yoke_queue_reserve(yoke_queue *queue, yoke_slot *slot, size_t size, int64_t timeout);

/**
 * Puts what was written into a slot. Never waits, and takes the same time whatever the size.
 *
 * @param used Bytes of the message, at most the slot's size.
 * @retval YOKE_OK        It will be delivered, and the slot is closed.
 * @retval YOKE_ESHUTDOWN The queue was shut down. The slot is still open: abort it.
 * @retval YOKE_ENOMEM    The domain's budget is used up. The slot is still open: try again, or abort it.
 * @retval YOKE_EINVAL    Not an open queue, not an open slot of it, or used is too large.
 * @retval YOKE_EACCES    This handle has given up putting.
 */
YOKE_API YOKE_CHECKED int yoke_queue_commit(yoke_queue *queue, yoke_slot *slot, size_t used);

/** Gives a slot's memory back without putting anything. A slot that is not open is left alone. */
YOKE_API void yoke_queue_abort(yoke_queue *queue, yoke_slot *slot);

/* ---- getting ----------------------------------------------------------------------------------------------------- */

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
 * @retval YOKE_ESHUTDOWN Shut down, and nothing is left.
 * @retval YOKE_EORPHANED Still empty, and no process is left that could put; only with report_orphaned. In a joinable
 *                        queue a task that is not done counts as something that may come, the caller's own too; what
 *                        another has only peeked in a queue that is not joinable doesn't, and may come back later.
 * @retval YOKE_EINVAL    Not an open queue, or buffer is NULL.
 * @retval YOKE_EACCES    This handle has given up getting.
 * @retval YOKE_ECLOSED   Another thread closed the handle during the wait.
 */
YOKE_API YOKE_CHECKED int yoke_queue_get(yoke_queue *queue, void *buffer, size_t capacity, size_t *size,
                                         int64_t timeout);

/** What yoke_queue_get_info() tells of a message. */
typedef struct yoke_info {
    YOKE_SIZED_(yoke_info);
    size_t size;        /**< its bytes */
    bool   redelivered; /**< somebody had taken it before, and died or gave it back: its work may have been begun */
} yoke_info;

/** As yoke_queue_get(), and tells more: info receives the size, also when it did not fit, and whether the message was
 *  handed out before. info->struct_size must be set. */
YOKE_API YOKE_CHECKED int yoke_queue_get_info(yoke_queue *queue, void *buffer, size_t capacity, yoke_info *info,
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

/**
 * Takes several messages with one lock: waits for the first, then takes what is there and fits.
 *
 * @param buffer   Receives the messages one behind the other, without gaps.
 * @param capacity Its size in bytes.
 * @param sizes    Receives their sizes; room for `most`.
 * @param most     Most messages to take, at least 1.
 * @param count    Receives how many were taken.
 * @retval YOKE_OK       At least one.
 * @retval YOKE_EMSGSIZE The first one is larger than capacity; sizes[0] tells, and it stays.
 * Other codes as yoke_queue_get().
 */
YOKE_API YOKE_CHECKED int yoke_queue_get_many(yoke_queue *queue, void *buffer, size_t capacity, size_t *sizes,
                                              size_t most, size_t *count, int64_t timeout);

/** A message that this process holds, where it lies. */
typedef struct yoke_view {
    const void *data;        /**< 64-aligned, in shared memory; NULL when it is not open */
    size_t      size;        /**< its bytes */
    bool        redelivered; /**< as in yoke_info */
    uint64_t    private_[4]; /**< the library's own */
} yoke_view;

/**
 * Takes the next message without copying it. It stays readable, and nobody else gets it, until yoke_queue_release() or
 * yoke_queue_return(); it comes back to the queue if this process dies or closes the handle before. It holds nobody up:
 * others go on putting and getting. Codes as yoke_queue_get(); YOKE_ENOMEM: in a queue that isn't joinable a small message
 * moves to memory of its own, and the domain's budget is used up; it stays, and can be got.
 *
 * @param view Filled on success. A copy of the structure stands for the same message.
 */
YOKE_API YOKE_CHECKED int yoke_queue_peek(yoke_queue *queue, yoke_view *view, int64_t timeout);

/** Removes a peeked message; in a joinable queue that is its task done. YOKE_EINVAL: not an open queue, or not a view of
 *  a message that this process holds through this handle. */
YOKE_API int yoke_queue_release(yoke_queue *queue, yoke_view *view);

/** Puts a peeked message back to the front, where the next get finds it, flagged as redelivered. Codes as
 *  yoke_queue_release(). */
YOKE_API int yoke_queue_return(yoke_queue *queue, yoke_view *view);

/* ---- joinable queues --------------------------------------------------------------------------------------------- */

/**
 * Says that the oldest message that was got through this handle, and isn't done yet, is done. Handles of one queue are
 * apart in this: who got a message says so. Peeked ones are done by yoke_queue_release(). Threads that share a handle
 * can't tell whose message is the oldest: they do better with yoke_queue_message_done() and
 * yoke_queue_variant_done(), or a handle for each.
 *
 * @retval YOKE_OK      One message less is unfinished.
 * @retval YOKE_EINVAL  Not an open queue, or this handle has no message that isn't done: called too often.
 * @retval YOKE_ENOTSUP The queue was not made joinable.
 */
YOKE_API int yoke_queue_task_done(yoke_queue *queue);

/** The same for one message, got by yoke_queue_get_message() through this handle. YOKE_EINVAL also if it is done already.
 *  The message itself is still the caller's to free. */
YOKE_API int yoke_queue_message_done(yoke_queue *queue, const yoke_message *message);

/** The same for a variant, got by yoke_queue_get_variant() through this handle; not for a part of one. */
YOKE_API int yoke_queue_variant_done(yoke_queue *queue, const yoke_variant *variant);

/**
 * Waits until every message that was ever put is done. A message held by a process that dies is not: it is redelivered,
 * and waited for.
 *
 * @retval YOKE_OK        At one moment of the call nothing was unfinished.
 * @retval YOKE_ETIMEDOUT The error's text tells how many are.
 * @retval YOKE_EINVAL    Not an open queue.
 * @retval YOKE_ENOTSUP   The queue was not made joinable.
 * @retval YOKE_ECLOSED   Another thread closed the handle during the wait.
 */
YOKE_API YOKE_CHECKED int yoke_queue_join(yoke_queue *queue, int64_t timeout);

/** Messages put and not done. YOKE_EINVAL and YOKE_ENOTSUP (both negative) as yoke_queue_task_done(). */
YOKE_API int64_t yoke_queue_unfinished(const yoke_queue *queue);

/* ---- ends and figures -------------------------------------------------------------------------------------------- */

/** What becomes of the messages in a queue that is shut down. */
typedef enum yoke_shutdown {
    YOKE_DRAIN,    /**< they may still be taken */
    YOKE_IMMEDIATE /**< they are discarded */
} yoke_shutdown;

/**
 * Ends a queue for everybody: puts answer YOKE_ESHUTDOWN from now on, gets too once nothing is left; sleepers wake. In a
 * joinable queue what is discarded counts as done. What is held stays its holder's; if it comes back after
 * #YOKE_IMMEDIATE, it is discarded.
 *
 * @return The number of messages discarded (0 with YOKE_DRAIN), or YOKE_EINVAL.
 */
YOKE_API int64_t yoke_queue_shutdown(yoke_queue *queue, yoke_shutdown how);

/** Messages in the queue: exact at one moment of the call. YOKE_EINVAL (negative) on a bad handle. */
YOKE_API int64_t yoke_queue_size(const yoke_queue *queue);

/** Whether no message was there at one moment of the call. Another process may put or take at any time: to take what is
 *  there, call get with YOKE_NOWAIT instead of asking first. False on a bad handle. */
YOKE_API bool yoke_queue_empty(const yoke_queue *queue);

/** Whether a limit was reached. Waits for nobody: exact, unless another is in the middle of a put or a get; then that one
 *  may be counted already or not yet. Always false without limits, and on a bad handle. */
YOKE_API bool yoke_queue_full(const yoke_queue *queue);

/** What has happened in a queue since it was made. */
typedef struct yoke_queue_statistics {
    YOKE_SIZED_(yoke_queue_statistics);
    uint64_t puts;        /**< messages put */
    uint64_t put_bytes;   /**< and their bytes */
    uint64_t gets;        /**< messages handed out or discarded, each counted once however often it came back */
    uint64_t got_bytes;   /**< and their bytes */
    uint64_t redelivered; /**< times that a message came back from who had taken it */
    uint64_t put_waits;   /**< times that a put or a reservation had to sleep */
    uint64_t get_waits;   /**< times that a get had to sleep */
    uint64_t
        most_items; /**< most messages that were in it at a time; up to eight that were gone before a get looked may
                             be missed */
} yoke_queue_statistics;

/**
 * Tells the figures. puts, gets and their bytes are exact at one moment of the call each; a death may put the others out
 * by one.
 *
 * @param out Its struct_size must be set.
 * @retval YOKE_OK     *out is filled.
 * @retval YOKE_EINVAL Not an open queue, or out is NULL or of another size.
 */
YOKE_API int yoke_queue_stats(yoke_queue *queue, yoke_queue_statistics *out);

YOKE_END
#endif
