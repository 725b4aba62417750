/**
 * @file backend.h
 * For authors of backends: the seam between yoke's core and a system.
 *
 * A backend is one constant table. Core asks it for memory, to sleep and to wake, who lives, to start processes, and
 * for streams; all protocols are core's. A backend may lend whole groups from another one (see yoke_backend_find()).
 *
 * Rules for every function: returns YOKE_OK or a negative code of error.h, after yoke_backend_fail() has noted the
 * native code; on failure nothing has happened and no out-parameter is touched. Any thread may call. No lock of core is
 * held unless the slot says so. A function may block only where it says so. Descriptors are made close-on-exec.
 */
#ifndef YOKE_BACKEND_H
#define YOKE_BACKEND_H

#include "error.h"
#include "process.h" /* YOKE_STDIO_… */

YOKE_BEGIN

/** A native descriptor (POSIX) or HANDLE (Windows). */
typedef intptr_t yoke_native;
/** No descriptor or HANDLE. */
#define YOKE_NO_NATIVE ((yoke_native)-1)

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/** Shared memory as one process sees it. Filled by the backend. */
typedef struct yoke_memory {
    void       *base;     /**< start of the mapping */
    uint64_t    reserved; /**< bytes of address space from base; only the committed ones may be touched */
    yoke_native handle;   /**< what another process needs to map the same memory */
} yoke_memory;

/** What can be told of named memory from outside. */
typedef struct yoke_memory_about {
    uint64_t user;        /**< number of the user it belongs to */
    uint64_t size;        /**< bytes committed; 0: there is only its lock */
    unsigned permissions; /**< POSIX mode bits */
} yoke_memory_about;

/**
 * Shared memory.
 *
 * A name of memory is "name", of the calling user, or "number:name", of another user. Each user has a name space of his
 * own, and nobody can take another's name: memory that has the name of one user and belongs to another is YOKE_EACCES.
 */
typedef struct yoke_memory_ops {
    size_t struct_size;
    /** Makes memory, reserves `reserve` bytes of address space and commits the first `size` of them: zeroed and really
     *  allocated. name NULL: private, leaves nothing behind whatever dies. Otherwise YOKE_EEXIST if the name is taken.
     *  permissions: POSIX mode bits, 0 for owner only. YOKE_ENOMEM when memory, descriptors or address space lack. */
    int (*create)(yoke_memory *out, const char *name, uint64_t reserve, uint64_t size, unsigned permissions);
    /** Maps named memory; reserve is what its header says (or one page, to read that header). YOKE_ENOENT. */
    int (*open)(yoke_memory *out, const char *name, uint64_t reserve);
    /** Maps memory whose handle was inherited or received. Takes the handle over on success. */
    int (*adopt)(yoke_memory *out, yoke_native handle, uint64_t reserve);
    /** How many bytes are committed. */
    int (*size)(const yoke_memory *memory, uint64_t *size);
    /** Commits [from, to) for every process that maps the memory. Called under the domain's allocator lock; may be
     *  repeated for a range whose grower died half way. YOKE_ENOMEM rather than a fault later. */
    int (*grow)(yoke_memory *memory, uint64_t from, uint64_t to);
    /** Gives the pages of [from, to) back to the system; they read as zero afterwards. May do nothing. */
    int (*trim)(yoke_memory *memory, uint64_t from, uint64_t to);
    /** Unmaps and drops the handle. */
    void (*close)(yoke_memory *memory);
    /** Removes a name. YOKE_ENOENT. */
    int (*unlink)(const char *name);
    /** Bytes that this process may still take before its cgroup or the system runs short. */
    uint64_t (*available)(void);
    /** Makes this process the only one that may create, open or unlink memory of that name, until name_unlock() or until
     *  it dies, as the system sees it. Blocks while another process does. NULL (both): names are not supported.
     *  YOKE_ENOENT: another user's, and there is none. */
    int (*name_lock)(yoke_native *out, const char *name);
    void (*name_unlock)(yoke_native lock, const char *name);
    /** As name_lock() for a name that is there (YOKE_ENOENT), but YOKE_EBUSY instead of waiting. NULL (this and those
     *  below): the system can't list names. */
    int (*name_try_lock)(yoke_native *out, const char *name);
    /** Copies what is committed of [offset, offset + size), without mapping and without the lock: memory of others may
     *  shrink meanwhile. *got: bytes copied. data may be NULL if size is 0. YOKE_ENOENT, YOKE_EACCES. */
    int (*name_read)(const char *name, yoke_memory_about *about, uint64_t offset, void *data, size_t size, size_t *got);
    /** Calls visit for every name that there is, other users' too, until it returns false; visit may take no lock. */
    int (*name_each)(bool (*visit)(void *user, const char *name), void *user);
    /** Number of a user: of the calling process if text is NULL, else by a user's name or a number written in digits.
     *  YOKE_ENOENT: there is none. Needed where name_lock is there. */
    int (*name_user)(uint64_t *out, const char *text);
    /** Makes [from, to) of this process's mapping read-only, whole pages: writing there faults from now on. NULL: not
     *  possible here. */
    int (*protect)(yoke_memory *memory, uint64_t from, uint64_t to);
    /** Marks a number for as long as any copy of *out is open: in any process, and on its way in a message that is not
     *  received yet. Nothing else keeps the mark. NULL (both): not possible here. YOKE_EEXIST: it is marked. */
    int (*mark)(yoke_native *out, const yoke_memory *memory, uint64_t number);
    /** Whether it is marked; where the system can't tell, it is. Any process that maps the memory. */
    bool (*marked)(const yoke_memory *memory, uint64_t number);
    /** Bytes of address space that a domain reserves here if nobody says otherwise. 0: core's own figure. */
    uint64_t reserve;
    /** What has a name goes with the last process that has it open, whatever is asked for. */
    bool names_go;
} yoke_memory_ops;

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

/** Names a doorbell so that any process of the domain can ring it. */
typedef struct yoke_bell_name {
    uint64_t domain;
    uint32_t index, generation;
} yoke_bell_name;

/** Sleeping and waking. */
typedef struct yoke_wait_ops {
    size_t struct_size;
    /** Sleeps while *word is expected, for at most timeout nanoseconds (>= 0), across processes. YOKE_OK when woken,
     *  changed, or for no reason; YOKE_ETIMEDOUT. Signals may end it early. NULL where the system has nothing alike:
     *  core then parks threads on doorbells. */
    int (*wait_word)(const uint32_t *word, uint32_t expected, int64_t timeout);
    /** Wakes up to count sleepers on the word. Never fails. NULL exactly when wait_word is. */
    void (*wake_word)(const uint32_t *word, uint32_t count);
    /** Opens this process's end of a doorbell. The native is pollable for reading by any event loop. */
    int (*bell_open)(yoke_native *out, const yoke_bell_name *name);
    /** Rings; rings may merge. YOKE_ENOENT if nobody has it open. Never blocks. */
    int (*bell_ring)(const yoke_bell_name *name);
    /** Sleeps until rung or for timeout nanoseconds; consumes the rings. YOKE_OK or YOKE_ETIMEDOUT. */
    int (*bell_wait)(yoke_native bell, int64_t timeout);
    /** Consumes pending rings without waiting. */
    void (*bell_clear)(yoke_native bell);
    /** name NULL: only this process's copy goes, in a forked child whose parent goes on using the bell. */
    void (*bell_close)(yoke_native bell, const yoke_bell_name *name);
    /** Removes what a bell of a dead process left in the file system, if anything. */
    void (*bell_remove)(const yoke_bell_name *name);
    /** As wait_word and wake_word, for threads of one process only. Never NULL. */
    int (*wait_local)(const uint32_t *word, uint32_t expected, int64_t timeout);
    void (*wake_local)(const uint32_t *word, uint32_t count);
    /** Sleeps until one of the natives is readable (ready[i] set to 1, else 0) or timeout nanoseconds have passed.
     *  Any count. YOKE_OK or YOKE_ETIMEDOUT. */
    int (*wait_natives)(const yoke_native *natives, uint8_t *ready, size_t count, int64_t timeout);
    /** Calls hook(thread) on the calling thread when that ends; thread is not NULL. One hook per process. May be NULL:
     *  then what a thread held comes back when its process leaves. */
    int (*at_thread_end)(void (*hook)(void *thread), void *thread);
} yoke_wait_ops;

/* ---- life -------------------------------------------------------------------------------------------------------- */

/** Which process, for ever: pids come back, this triple doesn't. */
typedef struct yoke_identity {
    int64_t  pid;
    uint64_t start; /**< start time in the system's own unit */
    uint64_t space; /**< pid namespace and boot; processes of different spaces can't judge each other */
} yoke_identity;

/** Who lives. */
typedef struct yoke_life_ops {
    size_t struct_size;
    /** The calling process. */
    int (*self)(yoke_identity *out);
    /** Starts watching a process. start 0: the caller's own child, not yet reaped. YOKE_ENOENT: it is certainly dead. Any other failure: cannot tell. The native becomes
     *  readable when the process has died, and stays so. */
    int (*watch)(yoke_native *out, const yoke_identity *who);
    /** 1 alive (or cannot tell), 0 dead. Only the kernel's word counts. */
    int (*is_alive)(yoke_native life);
    /** Waits for death for timeout nanoseconds. YOKE_OK or YOKE_ETIMEDOUT. */
    int (*wait)(yoke_native life, int64_t timeout);
    void (*close)(yoke_native life);
    /** Start time of a process that the caller knows to be running (a child not yet reaped). YOKE_ENOENT. */
    int (*identify)(yoke_identity *out, int64_t pid);
} yoke_life_ops;

/* ---- processes --------------------------------------------------------------------------------------------------- */

/** What to start. Everything is borrowed for the call. */
typedef struct yoke_launch {
    size_t             struct_size;
    const char        *program;           /**< NULL: the running executable, even if its file was replaced */
    const char *const *arguments;         /**< NULL-ended, [0] included */
    const char *const *environment;       /**< NULL: inherited */
    const char        *working_directory; /**< NULL: inherited */
    yoke_native        stdio[3];          /**< natives, or YOKE_STDIO_… */
    const yoke_native *inherit;           /**< what claim_natives() gives the child, in this order */
    size_t             inherit_count;
    const void        *traits; /**< as traits_get() told them in another process; NULL: this process's own. Hard
                                    limits that are lower than this process's may reach the child a moment late. */
    size_t             traits_size;
} yoke_launch;

/** Room for what traits_get() writes. */
#define YOKE_TRAITS_SIZE 8192

/** What a process can be sent. */
typedef enum yoke_signal { YOKE_SIGNAL_INTERRUPT, YOKE_SIGNAL_TERMINATE, YOKE_SIGNAL_KILL } yoke_signal;

/** How a process ended, as the system tells its parent. */
typedef struct yoke_exit_status {
    bool    known;  /**< false if somebody else reaped it */
    int32_t code;   /**< exit status, if signal is 0 */
    int32_t signal; /**< POSIX signal number, else 0 */
} yoke_exit_status;

/** Starting and ending processes. */
typedef struct yoke_process_ops {
    size_t struct_size;
    /** Starts a program; the child has only the descriptors named in launch. YOKE_ENOENT: no such executable. */
    int (*spawn)(int64_t *pid, const yoke_launch *launch);
    /** Forks. *pid is 0 in the child. NULL where there is no fork. Core's process-local locks are held across it. */
    int (*fork)(int64_t *pid);
    /** In a forked child or a started one, before user code: gives descriptors 0..2 their targets. */
    int (*redirect)(const yoke_native stdio[3], const char *working_directory, const char *const *environment);
    /** This process's environment, NULL-ended; borrowed until it changes. */
    const char *const *(*environment)(void);
    /** Takes the exit status of a dead child of this process. Never blocks. YOKE_EBUSY: still running. */
    int (*reap)(yoke_exit_status *out, int64_t pid);
    /** Takes the exit status of any dead child of this process, and tells which. Never blocks. YOKE_EBUSY: no child is
     *  dead; YOKE_ECHILD: there are no children. For servers, whose children are all the library's. */
    int (*reap_any)(yoke_exit_status *out, int64_t *pid);
    /** Makes this process one that starts others on behalf of another: it ignores the interrupt key, and *deaths becomes
     *  readable when a child may have died. */
    int (*server_begin)(yoke_native *deaths);
    /** Empties deaths; before reap_any is asked. */
    void (*server_clear)(yoke_native deaths);
    /** In a child forked by a server: undoes that, and closes deaths. */
    void (*server_end)(yoke_native deaths);
    /** What a child inherits from its parent beyond what yoke_launch says, for a start by another process: current
     *  directory, file mode mask, signal mask, limits, CPU affinity, user and groups. Opaque; at most YOKE_TRAITS_SIZE
     *  bytes. */
    int (*traits_get)(void *out, size_t capacity, size_t *size);
    /** Gives them to the calling process: a forked child before user code. YOKE_EACCES: they are another user's.
     *  YOKE_EINVAL: not traits. */
    int (*traits_set)(const void *traits, size_t size);
    /** Whether this process could give a child these traits: they are of its own user. YOKE_EACCES, YOKE_EINVAL. */
    int (*traits_check)(const void *traits, size_t size);
    /** Sends to a process that life says is alive; never to a recycled pid. YOKE_ENOENT: gone already. */
    int (*signal)(int64_t pid, yoke_native life, yoke_signal signal);
    /** Makes a lifeline: the holder of ends[1] lives as long as it wants the holder of ends[0] to live. */
    int (*lifeline)(yoke_native ends[2]);
    /** In the child: the process is killed by the system when the last copy of the other end goes, whatever it is
     *  doing. Kills at once if it is gone already. */
    int (*lifeline_arm)(yoke_native end);
    /** Writes at most 1 KiB into ends[1] at once, before the child is started. Never blocks. */
    int (*lifeline_write)(yoke_native end, const void *data, size_t size);
    /** Reads exactly size bytes from ends[0], for timeout nanoseconds at most: YOKE_EEOF (the other end is gone),
     *  YOKE_ETIMEDOUT, YOKE_EPROTO (end is no lifeline). */
    int (*lifeline_read)(yoke_native end, void *data, size_t size, int64_t timeout);
    /** A connected pair that carries datagrams and natives between related processes; blocking. */
    int (*channel)(yoke_native ends[2]);
    /** Sends one datagram with natives (which stay the caller's). YOKE_EEOF: the peer is gone; YOKE_EINVAL: one
     *  of the natives is not open, and nothing was sent. May block. */
    int (*channel_send)(yoke_native end, const void *data, size_t size, const yoke_native *natives, size_t count);
    /** Receives one datagram: YOKE_EEOF, YOKE_ETIMEDOUT, YOKE_EMSGSIZE, YOKE_ENOMEM (no descriptors left; the natives
     *  are gone, the data is there). Natives are the caller's. With a timeout of 0 it never waits, whatever `end` is. */
    int (*channel_recv)(yoke_native end, void *data, size_t capacity, size_t *size, yoke_native *natives,
                        size_t natives_capacity, size_t *count, int64_t timeout);
    void (*native_close)(yoke_native native);
    /** In a started program, in yoke_main: what yoke_launch::inherit has become here, in its order (POSIX: descriptors
     *  3, 4, …). They are the process's own from now on, and no later exec passes them on. Others belong to the program,
     *  whose constructors have run by then: they are left alone. May wait until the starter has handed them over.
     *  YOKE_EPROTO: nobody has given this process so many; YOKE_EEOF: its starter went away before that. */
    int (*claim_natives)(yoke_native *out, size_t count);
    /** A second native for the same thing. */
    int (*native_duplicate)(yoke_native *out, yoke_native native);
    /** Whether it is one that this process has open. */
    bool (*native_is_open)(yoke_native native);
    /** Ends the process at once: no handlers of the C library, nothing flushed. */
    void (*exit_now)(int status);
} yoke_process_ops;

/* ---- modules ----------------------------------------------------------------------------------------------------- */

/** Where a function lies, in terms that another process of the same build can resolve. */
typedef struct yoke_code_place {
    uint64_t offset;       /**< from the start of the module's image */
    uint8_t  build[20];    /**< identity of the module's build */
    uint8_t  build_size;   /**< 0: the build can't be identified */
    bool     main_program; /**< else module holds the path */
    char     module[1024];
} yoke_code_place;

/** Where functions lie. */
typedef struct yoke_code_ops {
    size_t struct_size;
    /** YOKE_ENOENT: the address lies in no module's code. */
    int (*locate)(yoke_code_place *out, void (*function)(void));
    /** Loads the module if needed and checks the build. YOKE_ENOENT: no such module; YOKE_EINVAL: another build, or
     *  not code. */
    int (*resolve)(void (**out)(void), const yoke_code_place *place);
} yoke_code_ops;

/* ---- streams ----------------------------------------------------------------------------------------------------- */

/** A stream of bytes: one end of a pair, pipe or socket. Opaque; the backend's. */
typedef struct yoke_stream yoke_stream;

typedef struct yoke_stream_request yoke_stream_request;

/** Completion of a request that nobody waits for. Runs on the loop's thread, without locks; the request is no longer
 *  the backend's and may be freed. */
typedef void yoke_stream_done(yoke_stream_request *request);

/** Bytes to write, borrowed. */
typedef struct yoke_stream_part {
    const void *data;
    size_t      size;
} yoke_stream_part;

/** A read or a write under way. Memory of the caller's, which must stay until the request is done or cancelled; the
 *  caller sets the first four, and space for a read without a buffer; the backend the rest. */
struct yoke_stream_request {
    yoke_stream_done *done; /**< NULL: the caller will wait() */
    void             *user;
    bool              wait_next; /**< this thread's next call into streams is wait() for this request: saves work */
    bool tentative; /**< a write that may soon be cancelled: no byte counts as written before there is room */
    void *(*space)(yoke_stream_request *request, size_t *capacity); /**< of a read() without a buffer, see there */
    /* The result, once the request is done. */
    int         status;  /**< YOKE_OK, or a negative code */
    int64_t     native;  /**< what the system said, if status is negative */
    size_t      size;    /**< bytes read; bytes written or certain to be written, also if status is negative */
    yoke_native arrived; /**< of a read: a native that came with these bytes, the caller's now; or YOKE_NO_NATIVE */
    /* The backend's own. */
    yoke_stream         *stream;
    yoke_stream_request *next;
    void (*run)(yoke_stream_request *request);
    void                   *waiter;
    void                   *buffer;
    const yoke_stream_part *parts;
    yoke_native             carries;
    size_t                  capacity;
    size_t                  count;
    uint32_t                state;
    bool                    done_at_once; /**< set before read() or write() returns: no need to wait */
    bool                    leading;
};

#define YOKE_STREAM_READ  1u /**< the native can be read from */
#define YOKE_STREAM_WRITE 2u /**< the native can be written to */

/**
 * Streams run on loops, and a loop is a matter of one thread at a time. A stream has none until its first read or write
 * binds it to the process's private loop, which is made for the first such stream and goes with the last one, with all
 * its descriptors. No thread is started: whoever waits runs the loop for everybody, or sleeps while somebody else does.
 *
 * A forked child has the natives but not the loop: there a stream is as new, bound again by its first read or write, and
 * requests under way in the parent don't exist. Any thread may make requests at any time, but one read of a stream at a
 * time; close() and take() only when no request is under way.
 */
typedef struct yoke_stream_ops {
    size_t struct_size;
    /** Makes two connected natives. one_way: ends[0] only reads, ends[1] only writes. YOKE_ENOMEM: no descriptors. */
    int (*pair)(yoke_native ends[2], bool one_way);
    /** Makes a stream of a native and takes it over; flags: YOKE_STREAM_READ and YOKE_STREAM_WRITE. Touches no loop and
     *  not the native. YOKE_ENOMEM. */
    int (*open)(yoke_stream **out, yoke_native native, uint32_t flags);
    /** Starts to read what is there, at least one byte and at most capacity. Done with YOKE_EEOF at the end, YOKE_EBROKEN
     *  if the peer was cut off, YOKE_ECLOSED after interrupt(). May be done on return. */
    void (*read)(yoke_stream *stream, yoke_stream_request *request, void *buffer, size_t capacity);
    /** Starts to write all parts, gathered, after the writes begun before; they are borrowed until the request is done.
     *  Done when the system has taken every byte; no parts: when it has taken all those before. Done with YOKE_EBROKEN
     *  if the peer is gone. May be done on return. */
    void (*write)(yoke_stream *stream, yoke_stream_request *request, const yoke_stream_part *parts, size_t count);
    /** Waits for a request for timeout nanoseconds; INT64_MAX: for ever. YOKE_OK: it is done, whatever its status;
     *  YOKE_ETIMEDOUT: it is still under way. Signals don't end it. A time-out of 0 looks once. */
    int (*wait)(yoke_stream_request *request, int64_t timeout);
    /** Ends a request that may still be under way, without its done. On return it is the caller's: done as it would
     *  have been, or status YOKE_ETIMEDOUT and size as far as it came. Bytes counted as written will be written, in
     *  order; no byte is read and not counted. */
    void (*cancel)(yoke_stream_request *request);
    /** Has every read, and every write with wait_next that hasn't moved a byte yet (all: all writes), be done with
     *  YOKE_ECLOSED, now and from now on. For closing while other threads wait. */
    void (*interrupt)(yoke_stream *stream, bool all);
    /** Closes the native and frees the stream. What was counted as written but isn't yet is lost. */
    void (*close)(yoke_stream *stream);
    /** Frees the stream and gives its native back; it may be another number than before. The stream stays if that
     *  fails: YOKE_ENOMEM, YOKE_ENOTSUP (used already, and this system can't). */
    int (*take)(yoke_native *out, yoke_stream *stream);
    /** The native, which stays the stream's. */
    yoke_native (*native)(const yoke_stream *stream);
    /** Whether natives can go along with what is written, and come along with what is read. */
    bool (*carries)(const yoke_stream *stream);
    /** As write; a copy of a native goes along with the first byte, if such a stream carries any. It is borrowed until
     *  the request is done, and may be made non-blocking. Whoever reads that byte gets it, together with bytes that came
     *  right before or after it in the stream. YOKE_ENOMEM: no descriptors, or too many are on their way; no byte has
     *  moved then. */
    void (*write_with)(yoke_stream *stream, yoke_stream_request *request, const yoke_stream_part *parts, size_t count,
                       yoke_native native);
    /*
     * Streams on loops of the caller's. NULL, all four: the backend has none. Such a stream is the matter of one thread,
     * the one that runs the loop: all requests are made there, with a done, and nobody waits (but cancel() may be
     * called); close(), take() and interrupt() are not for it.
     */
    /** Binds a stream, without a request under way, to a `uv_loop_t`; off the private loop, if the system can do that
     *  (YOKE_ENOTSUP). It keeps that running while a request is under way. A read may now
     *  be without a buffer: space(request, &capacity) is called when input is there, and returns memory for it or NULL
     *  (the read is done with YOKE_ENOMEM); space(request, NULL): it is not needed after all. YOKE_EBUSY, YOKE_ENOMEM. */
    int (*attach)(yoke_stream *stream, void *loop);
    /** Ends it: a read under way is forgotten, writes are done with YOKE_ECLOSED at once. Then left(user) is called by the
     *  loop, never in here, when the native is closed and the stream freed. */
    void (*leave)(yoke_stream *stream, void (*left)(void *user), void *user);
    /** Has request->done called in the loop's next round, unless the stream leaves before that. */
    void (*soon)(yoke_stream *stream, yoke_stream_request *request);
    /** In a forked child, for a stream that the parent had attached: a new one for the child's copy of the native, bound to
     *  no loop; the old one is the backend's from then on. NULL: no memory, and the native is the caller's. */
    yoke_stream *(*renew)(yoke_stream *stream);
} yoke_stream_ops;

/* ---- sockets ----------------------------------------------------------------------------------------------------- */

/** Room for the longest name of a place, NUL included. */
#define YOKE_SOCKET_NAME 512

/** Kinds of places where a socket listens. */
typedef enum yoke_socket_kind {
    YOKE_SOCKET_PATH,     /**< a file; name: its path */
    YOKE_SOCKET_ABSTRACT, /**< a name of the machine's that is no file */
    YOKE_SOCKET_TCP,      /**< name: a host's name or number, without brackets */
    YOKE_SOCKET_PIPE      /**< a named pipe of Windows; name: without the prefix that all of them have */
} yoke_socket_kind;

/** Where a socket listens. */
typedef struct yoke_socket_place {
    yoke_socket_kind kind;
    uint16_t         port;                   /**< of TCP; 0 when listening: the system chooses */
    char             name[YOKE_SOCKET_NAME]; /**< ends with a NUL */
} yoke_socket_place;

/** A listening socket. Filled by the backend. */
typedef struct yoke_socket_listener {
    yoke_native       native;  /**< readable when somebody waits to be accepted */
    yoke_socket_place place;   /**< with the port that the system chose */
    uint64_t          file[2]; /**< identity of the socket's file; the backend's */
} yoke_socket_listener;

/** Who is at the other end of a socket. */
typedef struct yoke_socket_peer {
    yoke_socket_place place;     /**< name "": it has none */
    int64_t           pid;       /**< when the connection was made; 0: not told */
    int64_t           uid;       /**< -1: not told */
    bool              same_user; /**< uid is this process's own */
} yoke_socket_peer;

/** Listening and connecting. What comes of it is made a stream by yoke_stream_ops::open. YOKE_EBUSY is not noted. */
typedef struct yoke_socket_ops {
    size_t struct_size;
    /** Most bytes of a name of that kind, without NUL; 0: the system has no such places. */
    size_t (*name_limit)(yoke_socket_kind kind);
    /** Listens. permissions: mode of the file, if there is one. A file that nobody listens at is replaced; of two that
     *  try at the same time one succeeds. YOKE_EEXIST: somebody listens there, or the file is no socket; YOKE_ENOENT: no
     *  such directory or host; YOKE_EACCES; YOKE_ENOMEM. */
    int (*listen)(yoke_socket_listener *out, const yoke_socket_place *place, int backlog, unsigned permissions);
    /** Closes this process's native. remove: the file goes too, if it is still this listener's. */
    void (*unlisten)(yoke_socket_listener *listener, bool remove);
    /** Takes the next who waits. Never blocks. YOKE_EBUSY: nobody does; YOKE_ENOMEM: no descriptors, and whoever waits
     *  goes on waiting. */
    int (*accept)(yoke_native *out, yoke_native listener);
    /** Connects, for timeout nanoseconds at most (INT64_MAX: for ever); looking up a name of a host may take longer.
     *  YOKE_ENOENT: nobody listens there, or no such host; YOKE_ETIMEDOUT; YOKE_EACCES; YOKE_ENOMEM. */
    int (*connect)(yoke_native *out, const yoke_socket_place *place, int64_t timeout);
    /** Who is at the other end. YOKE_ENOTSUP: it is no socket. */
    int (*peer)(yoke_native native, yoke_socket_peer *out);
    /** Reads what is there, up to capacity (> 0) bytes, whether or not the native blocks. YOKE_EBUSY: nothing is;
     *  YOKE_EEOF; YOKE_EBROKEN: the peer was cut off. */
    int (*receive)(yoke_native native, void *data, size_t capacity, size_t *size);
    /** Writes all or fails: for a few hundred bytes on a new connection. Never blocks. YOKE_EBROKEN. */
    int (*send)(yoke_native native, const void *data, size_t size);
    /** Has the peer come to the end of the stream, after all that was written; reading goes on. For all copies of the
     *  native. YOKE_ENOTSUP: it is no socket; YOKE_EBROKEN: the peer is gone. */
    int (*send_end)(yoke_native native);
    /** Begins to connect to the index-th of the addresses that a place stands for; never blocks but for looking up a name.
     *  YOKE_OK: connected; YOKE_EBUSY: *out is set, and can be written to when it is decided; YOKE_ETIMEDOUT: *out is set,
     *  a socket that is good for nothing: the listener's queue is full, and nothing tells when that changes; YOKE_ERANGE:
     *  there are not so many addresses. Others as connect(). NULL (both): not possible. */
    int (*connect_start)(yoke_native *out, const yoke_socket_place *place, size_t index);
    /** How that went, once it is decided: YOKE_OK: connected; else as connect(). */
    int (*connect_end)(yoke_native native);
} yoke_socket_ops;

/* ---- event loops of the caller ----------------------------------------------------------------------------------- */

/** Something of core's on an event loop of the caller's. Opaque; the backend's. */
typedef struct yoke_loop_guest yoke_loop_guest;

/** A guest's turn, on the loop's thread. readable: its native is, or was a moment ago; else its time is up. The user's
 *  functions run in here, and may call every slot of this group. */
typedef void yoke_loop_turn(void *user, bool readable);

/**
 * Guests on loops that the caller runs. All slots are called on the loop's thread, or while no thread runs the loop. A
 * guest keeps its loop running until it has left. In a forked child a guest is memory and nothing else, unless the child
 * runs the loop too (by the loop's own means for that); then leave() works there as well.
 */
typedef struct yoke_loop_ops {
    size_t struct_size;
    /** Puts a guest on the loop (a `uv_loop_t *`). From now on turn(user, true) is called by the loop while native is
     *  readable, again and again; native stays the caller's, and open until leave(). Nobody else polls the
     *  same number on that loop. YOKE_ENOMEM. */
    int (*enter)(yoke_loop_guest **out, void *loop, yoke_native native, yoke_loop_turn *turn, void *user);
    /** Has turn(user, false) called once after so many nanoseconds; 0: in the loop's next round, after it has looked at
     *  everything else once. Takes the place of what was asked before. */
    void (*again)(yoke_loop_guest *guest, int64_t timeout);
    /** No turn any more. left(user) is called by the loop, never in here, when nothing of the guest is on the loop; the
     *  guest is freed by then. */
    void (*leave)(yoke_loop_guest *guest, void (*left)(void *user));
    /** What its native is polled for from now on: YOKE_STREAM_READ (as after enter()), YOKE_STREAM_WRITE, both, or 0: then
     *  its time alone keeps the loop running. YOKE_ENOTSUP, or NULL: not possible, and
     *  no listeners and clients on loops. */
    int (*want)(yoke_loop_guest *guest, uint32_t what);
} yoke_loop_ops;

/* ---- system ------------------------------------------------------------------------------------------------------ */

/** The rest of the system. */
typedef struct yoke_system_ops {
    size_t struct_size;
    /** Monotonic nanoseconds; one clock for all processes of the machine. */
    int64_t (*now)(void);
    /** CPUs this process may use: affinity and cgroup quota counted, at least 1. */
    int (*cpu_count)(void);
    /** CPUs of the machine that are on line. */
    int (*cpu_count_all)(void);
    int (*random)(void *out, size_t size);
    size_t (*page_size)(void);
    /** Lets another thread run. */
    void (*yield)(void);
    /** Calls child in every forked child before fork() returns there; prepare and parent around it. Of several such sets
     *  prepare runs in reverse order. */
    int (*at_fork)(void (*prepare)(void), void (*parent)(void), void (*child)(void));
    /** A number for the calling thread, unique among the threads of the machine that live. */
    uint64_t (*thread_id)(void);
} yoke_system_ops;

/* ---- the table --------------------------------------------------------------------------------------------------- */

enum {
    YOKE_CAP_SPAWN = 1,
    YOKE_CAP_FORK = 2,
    YOKE_CAP_FORKSERVER = 4,
    YOKE_CAP_PASS_NATIVES = 8 /**< channel_send carries natives */
};

/** A backend: all groups, of which only `loop` and `socket` may be left out. */
typedef struct yoke_backend {
    size_t                  struct_size;
    const char             *name;
    uint32_t                capabilities;
    const yoke_memory_ops  *memory;
    const yoke_wait_ops    *waiting;
    const yoke_life_ops    *life;
    const yoke_process_ops *process;
    const yoke_code_ops    *code;
    const yoke_stream_ops  *stream;
    const yoke_system_ops  *system;
    const yoke_loop_ops    *loop;   /**< NULL: things can't be watched from the caller's loop */
    const yoke_socket_ops  *socket; /**< NULL: no listeners and clients; with it, stream takes sockets */
} yoke_backend;

/** Adds a backend to those built in. It must live as long as the process. YOKE_EEXIST: the name is taken;
 *  YOKE_EINVAL: a group is missing. Before first use of the library, by one thread. */
YOKE_API YOKE_CHECKED int yoke_backend_register(const yoke_backend *backend);
/** Built-in or registered backend, or NULL. */
YOKE_API const yoke_backend *yoke_backend_find(const char *name);
/** Chooses the backend of this process by name, before anything else is used; otherwise the environment variable
 *  YOKE_BACKEND chooses, or the first one built. YOKE_ENOENT: no such backend; YOKE_EBUSY: already in use. */
YOKE_API YOKE_CHECKED int yoke_backend_choose(const char *name);
/** NULL-ended list of names. */
YOKE_API const char *const *yoke_backend_names(void);
/** The one in use. */
YOKE_API const yoke_backend *yoke_backend_current(void);
/** Notes what the system said for yoke_last_error() of this thread and returns code. format as in printf. */
YOKE_API int yoke_backend_fail(int code, int64_t native, const char *format, ...) YOKE_FORMAT(3, 4);

YOKE_END
#endif
