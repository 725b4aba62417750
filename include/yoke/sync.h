/**
 * @file sync.h
 * Locks between processes and threads.
 *
 * A lock lives in a domain and is reached through handles; it goes with its last user. It takes no descriptor and no
 * system object. It is not recursive, and not bound to a thread: who acquired it in one thread or process may have it
 * released by another. With the option owner_releases it is bound: only the thread that acquired it may release it.
 *
 * With detect_deadlock too, a thread that waits in a cycle (it waits for a lock of another thread, which waits for one of
 * its own, over any number of threads, processes, domains, and locks that look for deadlocks or are bound to their
 * owners) is told instead of waiting for good: YOKE_EDEADLK, with the chain in the error's text, as far as it has room. The
 * cycle must have stood over two slices, so that takes half a second; the one of them that began to wait last is told, and
 * the others go on once it has released what it holds. Places of a read-write lock are part of it: who waits for any one of
 * them waits for all who have one. A cycle through domains is seen by a process that has them all open. There are no false
 * alarms: docs/design/locks.md has the argument. Each look takes memory of the process for a moment; while there is none,
 * nobody is told.
 *
 * A lock survives its holder. If a process dies holding it, the next acquirer gets it and is told by #YOKE_OWNER_DIED:
 * it holds the lock, but what the lock guards may be half changed. So is every acquirer after it, until one of them has
 * put things right and says so by yoke_lock_mark_repaired(). Death means the end of the process, as the kernel tells it;
 * a process that is merely slow or stopped keeps its lock. A thread that ends while its process goes on keeps it too.
 *
 * Waiting spins shortly, then sleeps. The order in which waiters get the lock is not defined.
 *
 * Threads and processes: every function may be called by any thread of any participant, but not by a signal handler. A
 * forked child may use the handles it inherits; locks that its parent held stay the parent's. Close a handle only when no
 * other thread is about to use it; threads asleep in it answer YOKE_ECLOSED.
 *
 * Time-outs are milliseconds; YOKE_NOWAIT tries once, YOKE_FOREVER never gives up. Signals don't shorten a wait.
 */
#ifndef YOKE_SYNC_H
#define YOKE_SYNC_H

#include "error.h"
#include "handles.h"

YOKE_BEGIN

/** What becomes of a lock whose holder dies. Either way the next acquirer gets it. */
typedef enum yoke_on_death {
    YOKE_REPORT_DEATH, /**< acquirers are told, until the lock is marked repaired */
    YOKE_IGNORE_DEATH  /**< nobody is told: for data that is never half changed */
} yoke_on_death;

/** Options of yoke_lock_create(); zero means default everywhere. */
typedef struct yoke_lock_options {
    YOKE_SIZED_(yoke_lock_options);
    yoke_domain   *domain;   /**< where it lives; NULL: the default domain of this process family */
    const char    *name;     /**< name inside the domain, or NULL; under 64 bytes of letters, digits, '.', '_', '-' */
    yoke_open_mode mode;     /**< matters with a name only */
    yoke_on_death  on_death; /**< told to acquirers, or not */
    bool           owner_releases;  /**< only the thread that acquired it may release it */
    bool           detect_deadlock; /**< a wait that can never end is an error; needs owner_releases */
} yoke_lock_options;

/** Who died holding a lock, as yoke_lock_death() tells it. In C set struct_size before the call. */
typedef struct yoke_death {
    YOKE_SIZED_(yoke_death);
    int64_t pid;         /**< process id that it had */
    char    name[64];    /**< name that it had, for example "Process-2" */
    bool    exit_known;  /**< whether the next two are known (yet): one that ends by yoke's exit rules says
                              so itself; of others its parent learns them, in the default domain and in named ones
                              that it has open then. A domain remembers the last 64 deaths */
    int     exit_code;   /**< its exit status, if it exited */
    int     exit_signal; /**< number of the signal that ended it, or 0 */
} yoke_death;

/**
 * Makes a lock that nobody holds, or opens one if options name it and their mode allows.
 *
 * @param out     Receives the handle; close it with yoke_lock_close().
 * @param options NULL means defaults. Borrowed for the call.
 * @retval YOKE_OK     *out is set.
 * @retval YOKE_EINVAL A bad name, mode, on_death or domain, detect_deadlock without owner_releases, or other options than
 *                     those of the lock of that name.
 * @retval YOKE_EEXIST YOKE_CREATE, and the name is taken.
 * @retval YOKE_ENOENT YOKE_OPEN, and nothing has that name.
 * @retval YOKE_ETYPE  The name is that of another kind of object.
 * @retval YOKE_ENOMEM The domain's budget or this process's memory is used up.
 */
YOKE_API YOKE_CHECKED int yoke_lock_create(yoke_lock **out, const yoke_lock_options *options);

/** Opens a lock by name, whatever its on_death. domain NULL: the default one. Codes as yoke_lock_create(). */
YOKE_API YOKE_CHECKED int yoke_lock_open(yoke_lock **out, yoke_domain *domain, const char *name);

/**
 * Drops this handle. A lock that is held stays held for those who have other handles to it. Threads of this process
 * asleep in the handle answer YOKE_ECLOSED before the call returns. NULL is fine; a lock borrowed from a value or array
 * goes with that, and closing it does nothing.
 */
YOKE_API void yoke_lock_close(yoke_lock *lock);

/**
 * Acquires the lock.
 *
 * @param timeout How long to wait while somebody holds it, in milliseconds.
 * @retval YOKE_OK         The caller holds it.
 * @retval YOKE_OWNER_DIED The caller holds it, and its last holder, or one before, died holding it. yoke_lock_death()
 *                         tells who; say yoke_lock_mark_repaired() when what it guards is in order again. Positive, so
 *                         that every code below zero means "not held".
 * @retval YOKE_ETIMEDOUT  Not held; the error's text names the holder (process, pid, thread), and for how long at least it
 *                         has held the lock without a break, as those who waited for it saw.
 * @retval YOKE_EDEADLK    Not held: detect_deadlock, and the caller holds it already or those waited for wait for the
 *                         caller; the text has the chain. With YOKE_NOWAIT it is YOKE_ETIMEDOUT.
 * @retval YOKE_EINVAL     Not an open lock.
 * @retval YOKE_ECLOSED    Not held: another thread closed the handle during the wait, or the lock is gone since the
 *                         domain was left.
 * @retval YOKE_ENOMEM     Not held: this process is not in the domain yet, and the domain is full.
 */
YOKE_API YOKE_CHECKED int yoke_lock_acquire(yoke_lock *lock, int64_t timeout);

/**
 * Releases the lock, whichever thread or process acquired it, unless owner_releases, and lets one waiter have it.
 * If its holder is dead, who acquires it next is still told (#YOKE_OWNER_DIED).
 *
 * @retval YOKE_OK        Released.
 * @retval YOKE_ENOTOWNER owner_releases, and another thread or process holds it; the text names it. Nothing has happened.
 * @retval YOKE_EINVAL    Nobody held it, or not an open lock. Nothing has happened.
 */
YOKE_API int yoke_lock_release(yoke_lock *lock);

/** Whether somebody holds the lock, or ended while holding it and nobody has acquired it since. False on a bad handle. */
YOKE_API bool yoke_lock_locked(const yoke_lock *lock);

/**
 * Tells who died holding the lock, while that is not repaired; of several, the last.
 *
 * @param out Its struct_size must be set. On failure nothing else of it is touched.
 * @retval YOKE_OK     *out is set.
 * @retval YOKE_ENOENT Nobody did, or it has been repaired, or the lock ignores death.
 * @retval YOKE_EINVAL Not an open lock, or out is NULL or has no size.
 */
YOKE_API int yoke_lock_death(yoke_lock *lock, yoke_death *out);

/**
 * Says that what the lock guards is in order again: acquirers are not told of the death any more. To be called while
 * holding the lock; does nothing if there is no death to forget.
 *
 * @retval YOKE_OK        Done.
 * @retval YOKE_ENOTOWNER No thread of this process holds the lock; with owner_releases, the calling thread does not.
 * @retval YOKE_EINVAL    Not an open lock.
 */
YOKE_API int yoke_lock_mark_repaired(yoke_lock *lock);

YOKE_END
#endif
