/**
 * @file domain.h
 * Domains: the shared memory that queues, locks and values live in.
 *
 * Most programs never name one. The default domain is private to a process and the processes it starts, is made at
 * first use, handed to every child, and gone with the last of them, whatever they die of. A named domain is for
 * programs that were not started by one another: all open it by name and find each other's objects by their names in it.
 * It is its user's own unless permissions admit others.
 *
 * Whoever wonders what is going on looks: yoke_domain_list() tells which named domains there are, yoke_domain_inspect()
 * and yoke_domain_describe() who and what is in one, who waits for what and who died.
 *
 * A domain is one domain of trust: a member's wild write can break all of it. What must not share this fate belongs
 * into several domains.
 *
 * Memory: a domain reserves address space, and takes memory only as it is needed. Before each step it looks at its
 * budget and, without one, at what the cgroup and the system have left; lack of memory is YOKE_ENOMEM at the call that
 * needed it. What is freed is reused; very large free ranges go back to the system. Memory that others take at the same
 * moment can't be foreseen: past the budget, the system's own out-of-memory policy rules.
 *
 * Threads and processes: all functions may be called by any thread, not by signal handlers. A forked child may use the
 * domains it inherits.
 */
#ifndef YOKE_DOMAIN_H
#define YOKE_DOMAIN_H

#include "error.h"
#include "handles.h"

YOKE_BEGIN

/** Options of yoke_domain_open() and yoke_domain_configure(); zero means default everywhere. */
typedef struct yoke_domain_options {
    YOKE_SIZED_(yoke_domain_options);
    yoke_open_mode mode;      /**< yoke_domain_open() only */
    uint64_t       max_bytes; /**< most bytes of memory it may take; 0: what the cgroup and the system have left,
                                       less a margin. At least 1 MiB. Counts when the domain is made. */
    uint64_t reserve_bytes;   /**< address space, at most 64 GiB, which max_bytes can't exceed; 0: 16 GiB, or 256 MiB
                                       in 32-bit programs; of the default domain half of that again and again, down to
                                       64 MiB, where a limit leaves less. Counts when the domain is made. */
    unsigned permissions;     /**< yoke_domain_open() only: who is admitted, as POSIX mode bits. 0 and 0600: the user
                                   alone; 0660: also the group of the process that makes it; 0666: everybody; 0606. The
                                   umask has no say. Counts when the domain is made. */
} yoke_domain_options;

/**
 * Opens a named domain, and makes it if the mode allows.
 *
 * Names are each user's own: "jobs" is this user's, "alice:jobs" or "1000:jobs" that of another, who alone can make it and
 * whose permissions must admit this user. Whoever is admitted is trusted with all that is in it.
 *
 * Making is atomic: nobody sees a domain half made, and one whose maker died, or whose last
 * participant died, is made anew by the next that may. The last process that closes it removes it. A domain opened
 * twice in one process is one, and must be closed twice.
 *
 * Blocks while another process opens or closes a domain of the same name.
 *
 * @param out     Receives the domain; close it with yoke_domain_close().
 * @param name    1 to 63 letters, digits, '.', '_', '-'; before them perhaps a user's name or number and ':'. Copied.
 * @param options NULL means defaults. Borrowed for the call.
 * @retval YOKE_OK      *out is set.
 * @retval YOKE_EINVAL  A bad name, mode, size or permissions; or others than those of the domain that has the name.
 * @retval YOKE_EEXIST  YOKE_CREATE, and processes are using a domain of that name.
 * @retval YOKE_ENOENT  YOKE_OPEN, and there is none with a living participant; or there is no such user.
 * @retval YOKE_EPROTO  What has that name is not a domain, is damaged, is of another version or build of the library,
 *                      or belongs to another pid namespace. Nothing was changed.
 * @retval YOKE_ENOMEM  Memory, address space, descriptors or the domain's 1024 participant slots are used up.
 * @retval YOKE_EACCES  It belongs to a user who doesn't admit this one (the sentence names both); it would have to be made,
 *                      and is another user's; its name has been taken by somebody else; or processes in it are hidden
 *                      from this one, so that it couldn't be told whether they live.
 * @retval YOKE_ENOTSUP The backend has no named memory.
 */
YOKE_API YOKE_CHECKED int yoke_domain_open(yoke_domain **out, const char *name, const yoke_domain_options *options);

/**
 * Undoes one yoke_domain_open(). With the last one this process leaves the domain: close the handles of its objects
 * first.
 *
 * @param domain NULL is fine; anything but an open named domain is left alone and noted as YOKE_EINVAL.
 */
YOKE_API void yoke_domain_close(yoke_domain *domain);

/**
 * Sets max_bytes and reserve_bytes of the default domain, before its first use.
 *
 * @param options Borrowed for the call.
 * @retval YOKE_OK     They will be used.
 * @retval YOKE_EINVAL A bad size, or NULL.
 * @retval YOKE_EBUSY  The default domain exists already: something was created, or a process started, before; or this
 *                     is a child, which has its parent's.
 */
YOKE_API YOKE_CHECKED int yoke_domain_configure(const yoke_domain_options *options);

/* ---- which domains there are ------------------------------------------------------------------------------------- */

/** A domain, as yoke_domain_list() and yoke_domain_info_get() tell it. In C set struct_size before the latter. */
typedef struct yoke_domain_info {
    YOKE_SIZED_(yoke_domain_info);
    char     name[64];      /**< as yoke_domain_open() takes it; "": private */
    int      code;          /**< YOKE_OK; or YOKE_EPROTO: damaged, of another version or build of the library, or of
                                 another pid namespace: only name, user, permissions and committed are known */
    unsigned permissions;   /**< who is admitted; 0: private */
    uint64_t user;          /**< number of the user whose it is */
    int64_t  created;       /**< seconds since 1970 */
    uint32_t alive;         /**< participants that live, or can't be told dead */
    uint32_t dead;          /**< participants that died and whose traces nobody has cleared away yet */
    uint64_t committed;     /**< bytes of memory it has taken */
    uint64_t used;          /**< bytes of these in use */
    uint64_t max_bytes;     /**< most that it may take; 0: what the system has left */
    uint64_t reserve_bytes; /**< address space */
    uint32_t objects;       /**< queues, locks and so on, at most; also those that were and are free for others */
} yoke_domain_info;

/** Called for each domain; it may call anything. False: no more. info lives until it returns. */
typedef bool yoke_domain_visit(void *user, const yoke_domain_info *info);

/**
 * Tells which named domains there are: this user's, and those that admit him. A domain all of whose participants died is
 * listed until somebody opens or reclaims it. Domains that come or go meanwhile may be missed.
 *
 * Looks without waiting for anybody, and maps nothing.
 *
 * @param visit Called for each, without a lock held.
 * @param user  Handed to visit.
 * @return How many were visited, or:
 * @retval YOKE_EINVAL  visit is NULL.
 * @retval YOKE_ENOMEM  No memory or descriptors for the look.
 * @retval YOKE_EACCES  The system doesn't let names be listed.
 * @retval YOKE_ENOTSUP This system can't list names of shared memory: it has no /dev/shm, as macOS and the BSDs. Who knows
 *                      the names can open and reclaim them one by one there too.
 */
YOKE_API int64_t yoke_domain_list(yoke_domain_visit *visit, void *user);

/**
 * Removes what is left of named domains whose participants are all dead: killed, or ended without closing. The next
 * opener does the same for the name that it opens; this is for names that nobody opens any more.
 *
 * Nothing alive is touched, nor what can't be judged: domains of other versions or of another pid namespace, and those
 * that somebody is just opening or closing. May be killed at any moment, and called by several processes at once.
 *
 * @param name One name, or NULL: all of this user's; of all users' if the system lets this process (root) remove them.
 * @return How many were removed, or:
 * @retval YOKE_EINVAL  A bad name.
 * @retval YOKE_ENOENT  There is no domain of that name.
 * @retval YOKE_EACCES  The system refuses; with NULL such a domain is passed over.
 * @retval YOKE_EPROTO  It is of another version or damaged: it can't be judged. With NULL it is passed over.
 * @retval YOKE_ENOMEM  No memory or descriptors for the look.
 * @retval YOKE_ENOTSUP name is NULL, and this system can't list names of shared memory.
 */
YOKE_API int64_t yoke_domain_reclaim(const char *name);

/* ---- what is in one ---------------------------------------------------------------------------------------------- */

/** How a participant stands. */
typedef enum yoke_participant_state {
    YOKE_PARTICIPANT_JOINING, /**< it has a slot, and is about to say who it is */
    YOKE_PARTICIPANT_ALIVE,   /**< it lives, or can't be told dead */
    YOKE_PARTICIPANT_LEFT,    /**< it closed the domain; what it still held is handed back soon */
    YOKE_PARTICIPANT_DEAD     /**< it died; what it held is handed back soon */
} yoke_participant_state;

/** A process in a domain. */
typedef struct yoke_participant_info {
    YOKE_SIZED_(yoke_participant_info);
    int64_t                pid;
    char                   name[64]; /**< as yoke_process_name() has it, for example "Process-2" */
    yoke_participant_state state;
    bool                   self;    /**< it is the calling process */
    int64_t                since;   /**< when it joined, seconds since 1970 */
    uint32_t               waiting; /**< threads of it that wait for an object */
} yoke_participant_info;

/** A thread that waits for an object. */
typedef struct yoke_waiter_info {
    YOKE_SIZED_(yoke_waiter_info);
    int64_t  pid;        /**< of its process */
    uint64_t thread;     /**< the system's number of the thread */
    int64_t  waited_ms;  /**< how long already */
    uint64_t object;     /**< id of what it waits for */
    char     what[128];  /**< that object: "lock 'door'" */
    char     state[192]; /**< and how that stands: "held by Process-2 (pid 12)"; "" if it could not be looked at */
} yoke_waiter_info;

/** An object in a domain. */
typedef struct yoke_object_info {
    YOKE_SIZED_(yoke_object_info);
    uint64_t    id;
    const char *kind;       /**< "queue", "lock", …; static */
    char        name[64];   /**< "": it has none */
    char        state[192]; /**< as its kind tells it: "3 messages, 100 bytes"; "" if it could not be looked at */
    uint64_t    bytes;      /**< of its own block; what queues have put into others stands in state */
    uint32_t    references; /**< open handles, in all processes */
    uint32_t    waiters;    /**< threads that wait for it */
} yoke_object_info;

/** One of the last 64 deaths. */
typedef struct yoke_death_info {
    YOKE_SIZED_(yoke_death_info);
    int64_t pid;
    char    name[64];
    int64_t when;        /**< it was noticed, seconds since 1970 */
    bool    exit_known;  /**< whether the next two are known: its parent learns them, and only for a while */
    int     exit_code;   /**< its exit status, if it exited */
    int     exit_signal; /**< number of the signal that ended it, or 0 */
} yoke_death_info;

/** What yoke_domain_inspect() calls: those that are not NULL, in this order. Each may call anything; what it gets lives
 *  until it returns. False: no more of these. */
typedef struct yoke_domain_visitor {
    YOKE_SIZED_(yoke_domain_visitor);
    bool (*participant)(void *user, const yoke_participant_info *info);
    bool (*waiter)(void *user, const yoke_waiter_info *info);
    bool (*object)(void *user, const yoke_object_info *info);
    bool (*death)(void *user, const yoke_death_info *info); /**< the oldest first */
} yoke_domain_visitor;

/**
 * Figures of an open domain.
 *
 * @param domain NULL: the default one.
 * @param out    Filled as far as its struct_size reaches.
 * @retval YOKE_EINVAL domain is not an open domain; out is NULL or its size is not set.
 */
YOKE_API YOKE_CHECKED int yoke_domain_info_get(yoke_domain *domain, yoke_domain_info *out);

/**
 * Shows who and what is in an open domain. Others go on meanwhile: what is there all the time is shown once, the rest
 * perhaps. Changes nothing, and recovers nobody.
 *
 * Never waits for somebody dead, and for somebody stopped a fifth of a second at most: what could only be looked at with
 * him out of the way is shown without its state then.
 *
 * @param domain  NULL: the default one.
 * @param visitor Borrowed for the call.
 * @param user    Handed to the visitor's functions.
 * @retval YOKE_OK     All was shown, or as much as was wanted.
 * @retval YOKE_EINVAL domain is not an open domain; visitor is NULL or of another version.
 * @retval YOKE_ENOMEM This process (a forked child) could not join the domain.
 */
YOKE_API YOKE_CHECKED int yoke_domain_inspect(yoke_domain *domain, const yoke_domain_visitor *visitor, void *user);

/**
 * The same as text for people: lines on the domain, its participants, waiters, objects and recent deaths.
 *
 * @param domain   NULL: the default one.
 * @param buffer   Gets the text, NUL-terminated; as much of it as fits. May be NULL when capacity is 0.
 * @param capacity Bytes of buffer.
 * @param needed   Gets the bytes that all of it would have taken this time, the NUL counted. May be NULL.
 * @retval YOKE_EMSGSIZE The text was cut.
 * @retval YOKE_EINVAL   domain is not an open domain; buffer is NULL and capacity is not 0.
 * @retval YOKE_ENOMEM   As of yoke_domain_inspect().
 */
YOKE_API int yoke_domain_describe(yoke_domain *domain, char *buffer, size_t capacity, size_t *needed);

YOKE_END
#endif
