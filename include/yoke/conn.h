/**
 * @file conn.h
 * Connections: the ends of pipes, two-way or one-way streams of messages between processes.
 *
 * An end belongs to one process. Passing it to a child that is being started, or in a message over another connection,
 * moves it there, with what came in and was not received yet; the giver's handle then answers #YOKE_EMOVED. So the end of
 * the stream is seen exactly when the last real user has closed. Several processes may send on one end after
 * yoke_conn_share(). Threads of one process may use one end freely: each message goes and comes whole.
 *
 * On the wire a message is its length (4 bytes, big endian; from 2 GiB on -1 and 8 bytes more) and its bytes, as
 * Python's multiprocessing.connection has it; so a Python program may hold the other end.
 *
 * **Messages are never cut.** A send whose time runs out before the first byte went answers #YOKE_ETIMEDOUT, and nothing
 * has happened. If part of the message is out already, the answer is #YOKE_BEGUN: the message counts as sent, and the
 * library finishes it during later calls on any connection, and when the end is closed. A receive whose time runs out in
 * the midst of a message keeps what has come for the next call.
 *
 * **How much fits.** While nobody receives, a send waits once the system's buffer is full. At least #YOKE_PIPE_ROOM bytes
 * fit in each direction, counting each message as its size or 1 KiB, whichever is more, where the system's own limits
 * for buffers have not been lowered; so both ends may be used by one thread up to that.
 *
 * Threads: every function may be called by any thread, but not by a signal handler. Close an end only when no other
 * thread is about to use it; threads asleep in it answer #YOKE_ECLOSED. Fork: in a child that the program forks by itself
 * the inherited handles work, and each process should close the ends that it doesn't use, before it uses any; an end that
 * another thread was using during the fork, or with an unfinished message, is #YOKE_EBROKEN in the child. A child started
 * by yoke has only the ends passed to it.
 *
 * Event loops: an end may be attached to a loop of libuv's (yoke_conn_attach() in uv.h); all calls here that send or receive
 * then answer #YOKE_EBUSY.
 *
 * Time-outs are milliseconds; #YOKE_NOWAIT tries once, #YOKE_FOREVER never gives up. Signals don't shorten a wait; the
 * loss of the other end is an error code and never a SIGPIPE, unless the program has a handler of its own for that.
 */
#ifndef YOKE_CONN_H
#define YOKE_CONN_H

#include "args.h"
#include "message.h"

YOKE_BEGIN

/** Bytes that one end of a pipe takes before somebody must receive; see above. */
#define YOKE_PIPE_ROOM 65536

/** Options of yoke_pipe_create(); zero means default everywhere. */
typedef struct yoke_pipe_options {
    YOKE_SIZED_(yoke_pipe_options);
    bool   one_way;     /**< the reader only receives and the writer only sends; cheaper */
    size_t max_message; /**< largest message that either end sends or receives, in bytes; 0: no limit */
} yoke_pipe_options;

/**
 * Makes a pipe: two connected ends.
 *
 * @param reader   Receives one end. Close it with yoke_conn_close().
 * @param writer   Receives the other end. Without one_way there is no difference between the two.
 * @param options  NULL means defaults. Borrowed for the call.
 * @retval YOKE_OK      Both are set.
 * @retval YOKE_EINVAL  An argument is NULL, or options of an unknown size.
 * @retval YOKE_ENOMEM  No memory or descriptors are left.
 * @retval YOKE_ENOTSUP This system can't make such a pipe.
 */
YOKE_API YOKE_CHECKED int yoke_pipe_create(yoke_conn **reader, yoke_conn **writer, const yoke_pipe_options *options);

/**
 * Closes an end; the other one then comes to the end of the stream. Threads asleep in it answer #YOKE_ECLOSED. If a
 * message has begun to go out, it gets a second to be finished; if that is not enough, the other side sees a broken
 * message. What came in and was not received is lost. NULL is fine.
 */
YOKE_API void yoke_conn_close(yoke_conn *conn);

/**
 * Ends what this end sends, and leaves open what it receives: the other side gets all messages that were sent and then
 * comes to the end of the stream, as if this end were closed. Every copy of it in other processes ends with it. On an
 * event loop (yoke_conn_attach()) it happens when all that waits to be sent is out, and the call doesn't wait.
 *
 * @param timeout  Milliseconds that the rest of an earlier message may take.
 * @retval YOKE_OK        Done, or on an event loop: it will be.
 * @retval YOKE_EINVAL    A closed or wrong handle, or an end of a one-way pipe.
 * @retval YOKE_EBUSY     Several processes send on this end (yoke_conn_share()): the stream ends when all have closed.
 * @retval YOKE_ECLOSED   Done before, as every send answers from now on; or another thread closes the end.
 * @retval YOKE_ETIMEDOUT An earlier message is not out yet, or another thread is sending.
 * @retval YOKE_EBROKEN   The other end is gone.
 * @retval YOKE_ENOTSUP   Named pipes on Windows, which pipes and local connections are there: only both sides can be
 *                        closed. TCP can.
 * @retval YOKE_EMOVED    The end was passed to another process.
 */
YOKE_API YOKE_CHECKED int yoke_conn_shutdown_send(yoke_conn *conn, int64_t timeout);

/**
 * Sends one message.
 *
 * @param data     size bytes, borrowed for the call; NULL only if size is 0.
 * @param size     Bytes; 0 is a message too.
 * @param timeout  Milliseconds.
 * @retval YOKE_OK       The system has all of it.
 * @retval YOKE_BEGUN    The time was up with part of the message out. It counts as sent; the library finishes it.
 * @retval YOKE_ETIMEDOUT Nothing was sent: the other side doesn't receive, or another thread is sending.
 * @retval YOKE_EBROKEN  The other end is closed, or a message before this one broke off.
 * @retval YOKE_EMSGSIZE Over the limit of the pipe's options; nothing was sent.
 * @retval YOKE_EINVAL   Not an open connection, an end that only receives, or data NULL.
 * @retval YOKE_EMOVED   The end belongs to another process now.
 * @retval YOKE_ECLOSED  Closed meanwhile by another thread, or not passed to this child.
 * @retval YOKE_ENOMEM   No memory or descriptors; nothing was sent, unless the sentence says that the message broke off.
 * @retval YOKE_EIO      The system failed in a way of its own.
 */
YOKE_API YOKE_CHECKED int yoke_conn_send(yoke_conn *conn, const void *data, size_t size, int64_t timeout);

/**
 * Sends one message whose bytes lie in several places, without joining them first (large ones) and as one message in any
 * case. As yoke_conn_send().
 *
 * @param parts  The pieces in order, borrowed for the call; NULL only if count is 0.
 * @param count  How many; 0 makes an empty message.
 */
YOKE_API YOKE_CHECKED int yoke_conn_send_parts(yoke_conn *conn, const yoke_bytes *parts, size_t count, int64_t timeout);

/**
 * Sends several messages in order. Those of up to 4 KiB leave together, up to 64 KiB of them by one call into the system,
 * which makes a small message several times cheaper than by itself. For the other side there is no difference.
 *
 * @param messages Borrowed for the call; NULL only if count is 0.
 * @param count    How many messages; 0 is fine.
 * @param sent     If not NULL: how many count as sent, whatever the call answers.
 * @param timeout  For all of them together.
 * @retval YOKE_OK    All are sent.
 * @retval YOKE_BEGUN The time was up with part of a message out: the first *sent messages count as sent, that one
 *                    included, which the library finishes; of the others nothing was sent.
 * @retval YOKE_EMSGSIZE One of them is over the limit of the pipe's options; nothing was sent.
 * @retval YOKE_EINVAL   As yoke_conn_send(), for any of them; nothing was sent.
 * @return Otherwise as yoke_conn_send(): the first *sent messages were sent, of the others nothing, unless the stream is
 *         broken.
 */
YOKE_API YOKE_CHECKED int yoke_conn_send_many(yoke_conn *conn, const yoke_bytes *messages, size_t count, size_t *sent,
                                              int64_t timeout);

/** Sends a string without its NUL. As yoke_conn_send(). */
YOKE_API YOKE_CHECKED int yoke_conn_send_string(yoke_conn *conn, const char *text, int64_t timeout);

/** Sends text made as by printf, without its NUL. As yoke_conn_send(); YOKE_EINVAL also for a format that fails. */
YOKE_API YOKE_CHECKED int yoke_conn_send_format(yoke_conn *conn, int64_t timeout, const char *format, ...)
    YOKE_FORMAT(3, 4);

/**
 * Sends an item as the bytes of its MessagePack form, for yoke_conn_recv_variant() or any reader of MessagePack.
 *
 * **Handles may stand in it** if the connection is a two-way pipe or a local socket (on POSIX systems): then
 * yoke_conn_recv_variant() of this library is what reads it. What they become there:
 * - objects of a domain (queues, locks, values, ...): the same objects, which live at least until the message is received
 *   or dropped, whether their sender lives or not (on Linux; elsewhere #YOKE_ENOTSUP). The receiver must have a part in
 *   their domain: that of its process family, or a named one, which it opens if need be;
 * - connections: they move there, with what came in and was not received; this process's handle answers #YOKE_EMOVED, or
 *   is closed if it was given (#YOKE_GIVE). Not the end itself that the message is sent through;
 * - files (yoke_file) and segments: a second descriptor of the same open file, a handle of the same segment. The name of a
 *   segment stays while somebody has it open; on its way it counts for nothing.
 *
 * A message with handles that nobody receives, since its receiver dies or closes or skips it, takes them with it. One
 * message carries at most 240 descriptors, a connection counting as one or more, a domain as one. Systems bound how many
 * are on their way at once, and how deep connections lie in messages of connections that are passed themselves.
 *
 * As yoke_conn_send(), and
 * @retval YOKE_ENOTSUP  There are handles in it, and this connection can't carry them (TCP, one-way pipes).
 * @retval YOKE_EMSGSIZE Also: too many handles, or more than 4 GiB.
 * @retval YOKE_EBUSY    A connection in it is in use by another thread, or stands in it twice.
 * @retval YOKE_EINVAL   Also: a closed or wrong handle; the end itself that the message is sent through.
 * After #YOKE_BEGUN handles in it count as sent. After a failure all are as they were.
 */
YOKE_API YOKE_CHECKED int yoke_conn_send_variant(yoke_conn *conn, const yoke_item *item, int64_t timeout);

/**
 * Receives one message into a buffer.
 *
 * @param buffer    Room for capacity bytes; NULL only if capacity is 0. Its contents are undefined on failure.
 * @param size      Receives the size of the message; also told with YOKE_EMSGSIZE. May be NULL.
 * @param timeout   Milliseconds.
 * @retval YOKE_OK        A whole message is in the buffer.
 * @retval YOKE_ETIMEDOUT Not all of it has come; what has is kept for the next call.
 * @retval YOKE_EMSGSIZE  It is larger than the buffer or the limit of the pipe's options, and stays: call again with more
 *                        room, or yoke_conn_skip().
 * @retval YOKE_EEOF      The other end is closed, and all that it sent has been received.
 * @retval YOKE_EBROKEN   The other end is gone in the midst of a message.
 * @retval YOKE_EPROTO    What came is no message of this kind; the stream can't be read any more.
 * @retval YOKE_EINVAL    Not an open connection, an end that only sends, or buffer NULL.
 * @retval YOKE_EMOVED    The end belongs to another process now.
 * @retval YOKE_ECLOSED   Closed meanwhile by another thread, or not passed to this child.
 * @retval YOKE_ENOMEM    No memory or descriptors; nothing is lost.
 * @retval YOKE_EIO       The system failed in a way of its own.
 */
YOKE_API YOKE_CHECKED int yoke_conn_recv(yoke_conn *conn, void *buffer, size_t capacity, size_t *size, int64_t timeout);

/**
 * Receives several messages: waits for the first, then takes those that have come with it and fit, without another call
 * into the system.
 *
 * @param buffer   Receives the messages one behind the other, without gaps; NULL only if capacity is 0.
 * @param capacity Its size in bytes.
 * @param sizes    Receives their sizes; room for `most`.
 * @param most     Most messages to receive, at least 1.
 * @param count    Receives how many were received.
 * @param timeout  For the first one.
 * @retval YOKE_OK       At least one.
 * @retval YOKE_EMSGSIZE The first one is larger than capacity or the limit of the pipe's options; sizes[0] tells its size,
 *                       and it stays.
 * @return Otherwise as yoke_conn_recv().
 */
YOKE_API YOKE_CHECKED int yoke_conn_recv_many(yoke_conn *conn, void *buffer, size_t capacity, size_t *sizes,
                                              size_t most, size_t *count, int64_t timeout);

/** Receives one message as a string and ends it with a NUL; capacity counts that. As yoke_conn_recv(). */
YOKE_API YOKE_CHECKED int yoke_conn_recv_string(yoke_conn *conn, char *buffer, size_t capacity, int64_t timeout);

/** Receives one message of any size the limit allows; free it with yoke_message_free(). As yoke_conn_recv(). */
YOKE_API YOKE_CHECKED int yoke_conn_recv_message(yoke_conn *conn, yoke_message **out, int64_t timeout);

/**
 * Receives one message as a variant; free it with yoke_variant_free(), which closes the handles in it that were not taken.
 *
 * If handles that the sender has put into it can't be had, that is an error the first time, and the message stays: call
 * again to have it with nil in their place, or receive it as bytes, or skip it. What could be had is not lost meanwhile.
 *
 * As yoke_conn_recv(), and
 * @retval YOKE_ETYPE   Its bytes are no MessagePack value; it stays, to be received as bytes.
 * @retval YOKE_ENOMEM  Also: this process had no descriptors left for those that came with it. It needs one more than the
 *                      message brings. What follows is as it was.
 * @retval YOKE_ENOENT  An object in it is gone.
 * @retval YOKE_ENOTSUP An object in it belongs to the private domain of another process family.
 */
YOKE_API YOKE_CHECKED int yoke_conn_recv_variant(yoke_conn *conn, yoke_variant **out, int64_t timeout);

/** Receives one message of any size and drops it. As yoke_conn_recv(). */
YOKE_API YOKE_CHECKED int yoke_conn_skip(yoke_conn *conn, int64_t timeout);

/**
 * Waits until there is something to receive: the beginning of a message, or the end of the stream.
 *
 * @retval YOKE_OK        Receiving would tell something new, or at least begin to.
 * @retval YOKE_ETIMEDOUT Nothing has come.
 * @return Otherwise as yoke_conn_recv(), without YOKE_EEOF and YOKE_EBROKEN.
 */
YOKE_API YOKE_CHECKED int yoke_conn_poll(yoke_conn *conn, int64_t timeout);

/**
 * Lets several processes send on one end: makes a second handle of it, which only sends and can be passed on like any
 * other. From now on all handles of the end take turns at whole messages, in whatever processes they are. It can be called
 * again, on either of them. The other side comes to the end of the stream when the last of them is closed.
 *
 * Receiving stays with the handle that could receive before.
 *
 * A process that dies while it sends a message of more than 2 KiB (over TCP: of any size) leaves a piece of it behind. Then
 * nobody can send on that end any more: all answer #YOKE_EBROKEN, and the other side learns of it when they have closed.
 * Dying at any other time harms nobody. A send that answered #YOKE_BEGUN keeps its turn until a later send on that handle,
 * or its close, finds the message finished; the other handles, those of the same process too, wait as long.
 *
 * Tried on POSIX systems only. An end that is shared can't be put on an event loop.
 *
 * @param out  Gets the second handle; the caller closes it. It can be passed to processes of the same family.
 * @retval YOKE_EINVAL  Not an open connection, or an end that only receives; out is NULL.
 * @retval YOKE_ENOMEM  No memory or descriptors.
 * @retval YOKE_ETIMEDOUT Another thread is sending and comes to no end within a second, or an earlier message.
 * @retval YOKE_EBROKEN, YOKE_EMOVED, YOKE_ECLOSED  As yoke_conn_send().
 */
YOKE_API YOKE_CHECKED int yoke_conn_share(yoke_conn **out, yoke_conn *conn);

/**
 * The descriptor (POSIX) or HANDLE (Windows) of an end, which stays the connection's. It may be watched for input by
 * another event loop: the library reads ahead, so after each input receive with YOKE_NOWAIT until YOKE_ETIMEDOUT.
 *
 * @return -1, and noted, if conn is not an open connection of this process.
 */
YOKE_API intptr_t yoke_conn_native(const yoke_conn *conn);

YOKE_END
#endif
