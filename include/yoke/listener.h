/**
 * @file listener.h
 * Listeners and clients: connections between processes that are no relatives, on one machine or two.
 *
 * **Addresses** are strings:
 * - `unix:/path`: a local socket with a file. The path may be as long as the system allows (107 bytes on Linux, 103 on
 *   macOS and the BSDs); a relative one counts from the current directory.
 * - `abstract:name`: a local socket without a file; Linux only.
 * - `tcp:host:port`, `tcp:[::1]:port`: TCP over IPv4 or IPv6. Port 0, for a listener, has the system choose one, which
 *   yoke_listener_address() tells. `0.0.0.0` and `[::]` stand for all of a machine's addresses of IPv4 or of IPv6. A
 *   name of a host is looked up by the system, in the calling thread, which may take longer than the time-out.
 * - `pipe:name`: a named pipe, the local socket of Windows; the name has at most 247 bytes. #YOKE_ENOTSUP elsewhere, as
 *   `unix:` and `abstract:` are there. `permissions` with the bits 0006 admit other users of the machine. Python's own
 *   named pipes have another protocol, so it can't be the other side.
 *
 * **Who may connect.** With a key (`authkey`) both sides prove to each other that they have it, as Python's
 * `multiprocessing.connection` does since 3.12: by a challenge and an HMAC, SHA-256 unless told otherwise. What goes over
 * the connection afterwards is neither secret nor protected against change. Without a key, a listener takes only local
 * clients of the same user; `allow_anyone` opens it to other users and is needed for TCP.
 *
 * **Python.** `multiprocessing.connection.Client` and `Listener` may be the other side, with `send_bytes` and
 * `recv_bytes`. Python 3.11 and older know only MD5, which `allow_old_python` allows on either side; without it, it is
 * refused, whatever the other side offers.
 *
 * What comes of yoke_listener_accept() and yoke_client_connect() is a `yoke_conn` like the end of a two-way pipe: see
 * conn.h. Over TCP, an other end that is killed or closed with messages unread is #YOKE_EBROKEN instead of #YOKE_EEOF:
 * what it sent last may be lost.
 *
 * Threads: every function may be called by any thread, several at a time; close a listener only when no other thread is
 * about to use it; threads asleep in it answer #YOKE_ECLOSED. Fork: in a child that the program forks by itself the
 * listener works, and whoever accepts first gets the client; its socket's file goes when the process that made the
 * listener closes it. A child started by yoke has none of its parent's listeners. A listener can't be passed.
 */
#ifndef YOKE_LISTENER_H
#define YOKE_LISTENER_H

#include "conn.h"

YOKE_BEGIN

/** Something that listens at an address, in this process. */
typedef struct yoke_listener yoke_listener;

/** Bytes that are enough for every address as text, NUL included. */
#define YOKE_ADDRESS_SIZE 544

/** Options of yoke_listener_create(); zero means default everywhere. */
typedef struct yoke_listener_options {
    YOKE_SIZED_(yoke_listener_options);
    int         backlog;      /**< clients that the system lets wait; 0: 128. It may have a limit of its own. */
    unsigned    permissions;  /**< mode of the socket's file; 0: 0600. Who may write it may connect, on most systems. */
    const void *authkey;      /**< key, authkey_size bytes, copied; NULL: no authentication */
    size_t      authkey_size; /**< 1 to 65536 */
    const char *digest;       /**< "sha256", "sha384", "sha3_256" or "sha3_384"; NULL: sha256 */
    bool        allow_old_python;  /**< take MD5 from Python 3.11 and older */
    bool        allow_anyone;      /**< without a key: local clients of other users, and TCP */
    int64_t     handshake_timeout; /**< milliseconds that a client has to prove its key; 0: 5000 */
    size_t      max_message;       /**< of the connections, as in yoke_pipe_options; 0: no limit */
} yoke_listener_options;

/** Options of yoke_client_connect(); zero means default everywhere. */
typedef struct yoke_client_options {
    YOKE_SIZED_(yoke_client_options);
    const void *authkey;      /**< as in yoke_listener_options; the listener must have the same */
    size_t      authkey_size; /**< 1 to 65536 */
    const char *digest; /**< in which the listener has to prove its key; NULL: sha256. The two sides may differ. */
    bool        allow_old_python; /**< answer Python 3.11 and older in MD5, and take MD5 from them */
    size_t      max_message;      /**< of the connection, as in yoke_pipe_options; 0: no limit */
} yoke_client_options;

/**
 * Listens at an address. From now on clients can connect, and wait for yoke_listener_accept().
 *
 * A socket's file that is there already is replaced if nobody listens at it any more, which the system says, not a
 * time-out; of two processes that try this at the same time one gets the address. While a process looks, there is a file
 * `<path>.lock` beside it.
 *
 * @param out      Receives the listener. Close it with yoke_listener_close().
 * @param address  See above. Borrowed for the call.
 * @param options  NULL means defaults. Borrowed for the call.
 * @retval YOKE_OK       *out is set.
 * @retval YOKE_EEXIST   Somebody listens there, or there is a file that is no socket.
 * @retval YOKE_EINVAL   An argument is NULL, the address or an option makes no sense, or TCP without a key.
 * @retval YOKE_EMSGSIZE The path or name is longer than the system's limit, which the sentence tells.
 * @retval YOKE_ENOENT   No such directory, host or address of this machine.
 * @retval YOKE_EACCES   The system forbids it.
 * @retval YOKE_ENOTSUP  No such addresses here.
 * @retval YOKE_ENOMEM   No memory or descriptors are left.
 * @retval YOKE_EIO      The system failed in a way of its own.
 */
YOKE_API YOKE_CHECKED int yoke_listener_create(yoke_listener **out, const char *address,
                                               const yoke_listener_options *options);

/**
 * Stops listening: clients that wait are sent away, the socket's file goes, threads in yoke_listener_accept() answer
 * #YOKE_ECLOSED. Connections made before stay. The key is wiped from memory. NULL is fine.
 */
YOKE_API void yoke_listener_close(yoke_listener *listener);

/**
 * Takes the next client that has the right to connect.
 *
 * Clients that are refused (another key, another user, no answer within handshake_timeout, something that is not the
 * protocol) are sent away and counted; the call goes on waiting. Up to 64 clients prove their keys at the same time, so
 * one that is silent keeps nobody out; if more come, the one that has taken longest makes room, once it has had a second
 * or a quarter of its time. They need a thread in this call or in yoke_wait() for it: between calls their time stands
 * still.
 *
 * @param out      Receives the connection. Close it with yoke_conn_close().
 * @param timeout  Milliseconds; #YOKE_NOWAIT takes whoever is there, and has proved the key by now.
 * @retval YOKE_OK        *out is set.
 * @retval YOKE_ETIMEDOUT Nobody came; the sentence tells whether and why clients were refused.
 * @retval YOKE_ECLOSED   Closed meanwhile by another thread, or not passed to this child.
 * @retval YOKE_EBUSY     It is on an event loop (yoke_listener_start() in uv.h), which takes the clients.
 * @retval YOKE_ENOMEM    No memory or descriptors are left. The listener goes on; who could not be taken waits.
 * @retval YOKE_EINVAL    Not an open listener, or out is NULL.
 * @retval YOKE_EIO       The system failed in a way of its own; the listener goes on.
 */
YOKE_API YOKE_CHECKED int yoke_listener_accept(yoke_listener *listener, yoke_conn **out, int64_t timeout);

/**
 * The address, with the port that the system chose, as clients may use it.
 *
 * @param buffer    Room for capacity bytes; #YOKE_ADDRESS_SIZE is always enough.
 * @retval YOKE_OK       A string is in the buffer.
 * @retval YOKE_EMSGSIZE The buffer is too small; it is unchanged.
 * @retval YOKE_EINVAL   Not an open listener, or buffer is NULL.
 */
YOKE_API YOKE_CHECKED int yoke_listener_address(const yoke_listener *listener, char *buffer, size_t capacity);

/** How many clients yoke_listener_accept() has refused in this process; -1 and noted: not an open listener. */
YOKE_API int64_t yoke_listener_refused(const yoke_listener *listener);

/**
 * The descriptor (POSIX) or HANDLE (Windows), which stays the listener's. It may be watched for input by another event
 * loop: then call yoke_listener_accept() with #YOKE_NOWAIT. Without a key, that is; with one, what the clients answer is
 * not seen there.
 *
 * @return -1, and noted, if it is not an open listener of this process.
 */
YOKE_API intptr_t yoke_listener_native(const yoke_listener *listener);

/**
 * Connects to a listener, and with a key proves it and has the listener prove it.
 *
 * @param out      Receives the connection. Close it with yoke_conn_close().
 * @param address  See above. Borrowed for the call.
 * @param options  NULL means defaults, without a key. Borrowed for the call.
 * @param timeout  Milliseconds for all of it.
 * @retval YOKE_OK        *out is set. With a key, the listener has it too; without, it may not have accepted yet.
 * @retval YOKE_ENOENT    Nobody listens there, or no such file or host.
 * @retval YOKE_ETIMEDOUT The listener didn't accept, or its side of the authentication didn't come: it may have no key.
 * @retval YOKE_EACCES    The two keys differ, or the other side offers only MD5; or the system forbids it.
 * @retval YOKE_EPROTO    What came is not the protocol: the other side has no key, or is another program.
 * @retval YOKE_EEOF      The other side closed instead of authenticating.
 * @retval YOKE_EBROKEN   The same, by being cut off.
 * @retval YOKE_EINVAL    An argument is NULL, or the address or an option makes no sense.
 * @retval YOKE_EMSGSIZE  The path or name is longer than the system's limit.
 * @retval YOKE_ENOTSUP   No such addresses here.
 * @retval YOKE_ENOMEM    No memory or descriptors are left.
 * @retval YOKE_EIO       The system failed in a way of its own.
 */
YOKE_API YOKE_CHECKED int yoke_client_connect(yoke_conn **out, const char *address, const yoke_client_options *options,
                                              int64_t timeout);

/** Who is at the other end of a connection; filled by yoke_conn_peer(). Set struct_size first. */
typedef struct yoke_peer {
    size_t  struct_size;                /**< bytes of this structure, set by the caller */
    int64_t pid;                        /**< process that connected, or that listens; 0: not told */
    int64_t uid;                        /**< its user then; -1: not told (TCP) */
    char    address[YOKE_ADDRESS_SIZE]; /**< "unix:" for a local client, which has none */
} yoke_peer;

/**
 * Who is at the other end, as the system noted it when the connection was made: the connection may have been passed on
 * since, and a pid may belong to another process by now. Of a two-way pipe, who made it.
 *
 * @retval YOKE_OK      *out is filled.
 * @retval YOKE_ENOTSUP A one-way pipe: nothing is known.
 * @retval YOKE_EIO     The other end is gone, and the system doesn't know any more.
 * @retval YOKE_EINVAL  Not an open connection, out is NULL or its struct_size is not set.
 * @retval YOKE_EMOVED  The end belongs to another process now.
 * @retval YOKE_ECLOSED Not passed to this child.
 */
YOKE_API YOKE_CHECKED int yoke_conn_peer(const yoke_conn *conn, yoke_peer *out);

YOKE_END
#endif
