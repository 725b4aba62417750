/**
 * @file rwlock.h
 * Locks that many threads share to read, or one has for itself to write, between processes.
 *
 * A thread that reads acquires it shared, one that writes exclusively. Both are bound to the thread: who acquired it
 * releases it. A thread that shares it may acquire it shared again, and has to release it as often.
 *
 * Who comes first: a writer that waits keeps new readers out, so readers in a row don't starve it. A writer that releases
 * lets all readers in that waited meanwhile, before the next writer gets it, so writers in a row don't starve them. (These
 * are the phase-fair locks of B. Brandenburg and J. Anderson, 2010.)
 *
 * Upgrading is not offered: two readers that both want to write would wait for each other for good. A thread that shares
 * the lock and wants it exclusively, or has it exclusively and wants it again either way, is answered YOKE_EDEADLK at once.
 * Downgrading is yoke_rwlock_downgrade().
 *
 * A reader that dies gives its share back. A writer that dies leaves what it wrote half done: readers and writers after
 * it are told by #YOKE_OWNER_DIED until a writer has put things right and says so by yoke_rwlock_mark_repaired(). A writer
 * that dies while it still waits for readers has changed nothing, and nothing is told of it.
 *
 * Handles, time-outs, threads, forks: as for locks (sync.h). What threads of the parent share or hold stays theirs.
 */
#ifndef YOKE_RWLOCK_H
#define YOKE_RWLOCK_H

#include "sync.h"

YOKE_BEGIN

/** Options of yoke_rwlock_create(); zero means default everywhere. */
typedef struct yoke_rwlock_options {
    YOKE_SIZED_(yoke_rwlock_options);
    yoke_domain   *domain;          /**< where it lives; NULL: the default domain of this process family */
    const char    *name;            /**< name inside the domain, or NULL; as for locks */
    yoke_open_mode mode;            /**< matters with a name only */
    yoke_on_death  on_death;        /**< deaths of writers are told to acquirers, or not */
    bool           detect_deadlock; /**< a wait that can never end is an error: YOKE_EDEADLK */
    uint32_t       max_readers; /**< threads that share it or wait for a share at a time; others wait for their turn.
                                         0: 64; at most 4096. 32 bytes each. */
} yoke_rwlock_options;

/**
 * Makes one that nobody holds, or opens one if options name it and their mode allows.
 *
 * @param out     Receives the handle; close it with yoke_rwlock_close().
 * @param options NULL means defaults. Borrowed for the call.
 * @return As yoke_lock_create(). Options other than those of the lock of that name, and too many readers, are
 *         YOKE_EINVAL.
 */
YOKE_API YOKE_CHECKED int yoke_rwlock_create(yoke_rwlock **out, const yoke_rwlock_options *options);

/** Opens one by name, whatever its options. domain NULL: the default one. Codes as yoke_lock_create(). */
YOKE_API YOKE_CHECKED int yoke_rwlock_open(yoke_rwlock **out, yoke_domain *domain, const char *name);

/** Drops this handle, as yoke_lock_close(). NULL is fine. */
YOKE_API void yoke_rwlock_close(yoke_rwlock *rwlock);

/**
 * Acquires it shared, or once more if the calling thread shares it: that never waits, not even for a waiting writer.
 *
 * @param timeout How long to wait for writers, in milliseconds.
 * @retval YOKE_OK         The caller shares it.
 * @retval YOKE_OWNER_DIED The caller shares it, and a writer died inside, which is not repaired yet.
 * @retval YOKE_ETIMEDOUT  Not acquired; the error's text names the writer, or, if all places are taken, one of the
 *                         readers.
 * @retval YOKE_EDEADLK    Not acquired: the calling thread has it exclusively. Or detect_deadlock, and those waited for wait
 *                         for the caller; the text has the chain.
 * @retval YOKE_ERANGE     The calling thread shares it 65535 times, and no more are counted. Nothing has happened.
 * @retval YOKE_EINVAL     Not an open read-write lock.
 * @retval YOKE_ECLOSED    Not acquired: another thread closed the handle during the wait, or the lock is gone.
 * @retval YOKE_ENOMEM     Not acquired: this process is not in the domain yet, and the domain is full.
 */
YOKE_API YOKE_CHECKED int yoke_rwlock_acquire_shared(yoke_rwlock *rwlock, int64_t timeout);

/**
 * Gives a share of the calling thread back.
 *
 * @retval YOKE_OK        One share less.
 * @retval YOKE_ENOTOWNER The calling thread has none, but others do. Nothing has happened.
 * @retval YOKE_EINVAL    Nobody has one, or not an open read-write lock. Nothing has happened.
 */
YOKE_API int yoke_rwlock_release_shared(yoke_rwlock *rwlock);

/**
 * Acquires it exclusively: waits for the writer that has it, keeps new readers out, and waits for those inside to leave.
 *
 * @param timeout How long to wait in all, in milliseconds.
 * @retval YOKE_OK         The caller has it for itself.
 * @retval YOKE_OWNER_DIED The same, and a writer died inside, which is not repaired yet.
 * @retval YOKE_ETIMEDOUT  Not acquired; the error's text names the writer, or one of the readers.
 * @retval YOKE_EDEADLK    Not acquired: the calling thread has it exclusively or shares it. Or detect_deadlock, and those
 *                         waited for wait for the caller; the text has the chain.
 * @return Also YOKE_EINVAL, YOKE_ECLOSED and YOKE_ENOMEM, as yoke_rwlock_acquire_shared().
 */
YOKE_API YOKE_CHECKED int yoke_rwlock_acquire_exclusive(yoke_rwlock *rwlock, int64_t timeout);

/**
 * Releases what the calling thread has exclusively: readers that wait get in, or a writer.
 *
 * @retval YOKE_OK        Released.
 * @retval YOKE_ENOTOWNER Another thread or process has it; the text names it. Nothing has happened.
 * @retval YOKE_EINVAL    Nobody has it exclusively, or not an open read-write lock. Nothing has happened.
 */
YOKE_API int yoke_rwlock_release_exclusive(yoke_rwlock *rwlock);

/**
 * Turns what the calling thread has exclusively into a share, with no writer in between; readers that wait get in too. It
 * is to be released by yoke_rwlock_release_shared().
 *
 * @retval YOKE_OK        The caller shares it.
 * @retval YOKE_ERANGE    max_readers wait for a share: there is no place. The caller has it exclusively still.
 * @retval YOKE_ENOTOWNER Another thread or process has it. Nothing has happened.
 * @retval YOKE_EINVAL    Nobody has it exclusively, or not an open read-write lock. Nothing has happened.
 */
YOKE_API YOKE_CHECKED int yoke_rwlock_downgrade(yoke_rwlock *rwlock);

/** Whether a writer has it, waits for its readers, or died so and nobody has acquired it since. False on a bad handle. */
YOKE_API bool yoke_rwlock_locked(const yoke_rwlock *rwlock);

/** How many threads share it at one moment of the call. YOKE_EINVAL, YOKE_ECLOSED: not an open read-write lock. */
YOKE_API int64_t yoke_rwlock_readers(const yoke_rwlock *rwlock);

/** Tells which writer died inside, as yoke_lock_death(). */
YOKE_API int yoke_rwlock_death(yoke_rwlock *rwlock, yoke_death *out);

/** Says that what it guards is in order again, as yoke_lock_mark_repaired(). YOKE_ENOTOWNER: the calling thread does not
 * have it exclusively. */
YOKE_API int yoke_rwlock_mark_repaired(yoke_rwlock *rwlock);

YOKE_END
#endif
