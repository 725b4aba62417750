/**
 * @file rlock.h
 * Recursive locks between processes and threads.
 *
 * As a lock (sync.h), but its owner is one thread of one process: that thread may acquire it again and again, has to
 * release it as often, and nobody else can release it. The semantics are those of Python's `multiprocessing.RLock`.
 *
 * A thread of a forked child is another owner than the thread that forked, although the child's memory is a copy: what
 * its parent holds stays the parent's. A thread that ends while its process goes on keeps what it holds, for good.
 *
 * Deaths, time-outs, handles, threads, forks: as for locks.
 */
#ifndef YOKE_RLOCK_H
#define YOKE_RLOCK_H

#include "sync.h"

YOKE_BEGIN

/** Options of yoke_rlock_create(); zero means default everywhere. */
typedef struct yoke_rlock_options {
    YOKE_SIZED_(yoke_rlock_options);
    yoke_domain   *domain;          /**< where it lives; NULL: the default domain of this process family */
    const char    *name;            /**< name inside the domain, or NULL; as for locks */
    yoke_open_mode mode;            /**< matters with a name only */
    yoke_on_death  on_death;        /**< told to acquirers, or not */
    bool           detect_deadlock; /**< a wait that can never end is an error: YOKE_EDEADLK */
} yoke_rlock_options;

/**
 * Makes a recursive lock that nobody holds, or opens one if options name it and their mode allows.
 *
 * @param out     Receives the handle; close it with yoke_rlock_close().
 * @param options NULL means defaults. Borrowed for the call.
 * @return As yoke_lock_create(). Options other than those of the lock of that name are YOKE_EINVAL.
 */
YOKE_API YOKE_CHECKED int yoke_rlock_create(yoke_rlock **out, const yoke_rlock_options *options);

/** Opens one by name, whatever its options. domain NULL: the default one. Codes as yoke_lock_create(). */
YOKE_API YOKE_CHECKED int yoke_rlock_open(yoke_rlock **out, yoke_domain *domain, const char *name);

/** Drops this handle, as yoke_lock_close(). NULL is fine. */
YOKE_API void yoke_rlock_close(yoke_rlock *rlock);

/**
 * Acquires the lock, or one level more of it if the calling thread holds it.
 *
 * @param timeout How long to wait while another thread or process holds it, in milliseconds.
 * @retval YOKE_OK         The caller holds it, with one level more than before.
 * @retval YOKE_OWNER_DIED The same, and a holder died, which is not repaired yet; see yoke_lock_acquire().
 * @retval YOKE_ETIMEDOUT  Not held; the error's text names the holder.
 * @retval YOKE_EDEADLK    Not held: detect_deadlock, and those waited for wait for the caller; the text has the chain.
 * @retval YOKE_ERANGE     The calling thread holds 65535 levels, and no more are counted. Nothing has happened.
 * @retval YOKE_EINVAL     Not an open recursive lock.
 * @retval YOKE_ECLOSED    Not held: another thread closed the handle during the wait, or the lock is gone.
 * @retval YOKE_ENOMEM     Not held: this process is not in the domain yet, and the domain is full.
 */
YOKE_API YOKE_CHECKED int yoke_rlock_acquire(yoke_rlock *rlock, int64_t timeout);

/**
 * Gives one level back; with the last one lets go of the lock, and one waiter have it.
 *
 * @retval YOKE_OK        One level less.
 * @retval YOKE_ENOTOWNER Another thread or process holds it; the text names it. Nothing has happened.
 * @retval YOKE_EINVAL    Nobody holds it, or not an open recursive lock. Nothing has happened.
 */
YOKE_API int yoke_rlock_release(yoke_rlock *rlock);

/** Whether somebody holds it, or died holding it and nobody has acquired it since. False on a bad handle. */
YOKE_API bool yoke_rlock_locked(const yoke_rlock *rlock);

/** How many levels the calling thread holds; 0 if it holds none. YOKE_EINVAL, YOKE_ECLOSED: not an open recursive lock. */
YOKE_API int64_t yoke_rlock_depth(const yoke_rlock *rlock);

/** Tells who died holding it, as yoke_lock_death(). */
YOKE_API int yoke_rlock_death(yoke_rlock *rlock, yoke_death *out);

/** Says that what it guards is in order again, as yoke_lock_mark_repaired(). YOKE_ENOTOWNER: the calling thread does not
 * hold it. */
YOKE_API int yoke_rlock_mark_repaired(yoke_rlock *rlock);

YOKE_END
#endif
