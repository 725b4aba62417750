/**
 * @file condition.h
 * Conditions: threads of any process wait, without the lock, until another says that what the lock guards has changed.
 *
 * A condition comes with its lock, a recursive one unless it is given another. Acquire that, look at the shared state, and
 * wait while it is not as wanted; whoever changes the state does so while holding the lock, and notifies. Semantics are
 * those of Python's multiprocessing.Condition, less what hangs there:
 *
 * - A notify goes to threads that wait at that moment, those first who came first. Who begins to wait later can't take it
 *   away from them. Nobody has to acknowledge anything.
 * - A waiter that dies is not counted. If it was notified already, its notify goes to the next one that waited then.
 * - If a process dies holding the lock, the condition's waiters hear of it, as nobody else may be left to notify them.
 *
 * Spurious wake-ups don't occur, but for one: #YOKE_OK means that a notify was for this waiter, or that a process died
 * holding the lock and another has repaired it meanwhile. Others may have had the lock in between in any case, so look at
 * the state again; yoke_condition_wait_for() does.
 *
 * Threads and processes: as for locks (sync.h). A forked child may use the handles it inherits. Close a handle only when
 * no other thread is about to use it; threads that wait in it answer YOKE_ECLOSED.
 */
#ifndef YOKE_CONDITION_H
#define YOKE_CONDITION_H

#include "rlock.h"

YOKE_BEGIN

/** Options of yoke_condition_create(); zero means default everywhere. */
typedef struct yoke_condition_options {
    YOKE_SIZED_(yoke_condition_options);
    yoke_domain   *domain;   /**< where it lives; NULL: that of the lock, else the default domain of this family */
    const char    *name;     /**< name inside the domain, or NULL; under 64 bytes of letters, digits, '.', '_', '-' */
    yoke_open_mode mode;     /**< matters with a name only */
    yoke_on_death  on_death; /**< of its own lock: told to acquirers and waiters, or not */
    yoke_lock     *lock;  /**< a lock to use instead of its own; the condition keeps it alive, the handle stays yours */
    yoke_rlock    *rlock; /**< or a recursive one */
    bool           detect_deadlock; /**< of its own lock: a wait for it that can never end is an error, YOKE_EDEADLK */
} yoke_condition_options;

/**
 * Makes a condition, or opens one if options name it and their mode allows.
 *
 * @param out     Receives the handle; close it with yoke_condition_close().
 * @param options NULL means defaults: a recursive lock of its own. Borrowed for the call.
 * @retval YOKE_OK      *out is set.
 * @retval YOKE_EINVAL  A bad name, mode, on_death, domain or lock, a lock of another domain, both kinds of lock,
 *                      detect_deadlock with a given lock, or another lock, on_death or detect_deadlock than those of the
 *                      condition of that name.
 * @retval YOKE_ENOTSUP The lock belongs to a value or array.
 * @retval YOKE_EEXIST  YOKE_CREATE, and the name is taken.
 * @retval YOKE_ENOENT  YOKE_OPEN, and nothing has that name.
 * @retval YOKE_ETYPE   The name is that of another kind of object.
 * @retval YOKE_ENOMEM  The domain's budget or this process's memory is used up.
 */
YOKE_API YOKE_CHECKED int yoke_condition_create(yoke_condition **out, const yoke_condition_options *options);

/** Opens a condition by name, whatever its lock. domain NULL: the default one. Codes as yoke_condition_create(). */
YOKE_API YOKE_CHECKED int yoke_condition_open(yoke_condition **out, yoke_domain *domain, const char *name);

/**
 * Drops this handle. Threads of this process that wait in it answer YOKE_ECLOSED before the call returns; what they were
 * notified of goes to others. NULL is fine.
 */
YOKE_API void yoke_condition_close(yoke_condition *condition);

/**
 * Acquires the condition's lock, be it its own or a given one. Codes as yoke_lock_acquire() or yoke_rlock_acquire(): its
 * own is recursive.
 */
YOKE_API YOKE_CHECKED int yoke_condition_acquire(yoke_condition *condition, int64_t timeout);

/** Releases the condition's lock. Codes as yoke_lock_release() or yoke_rlock_release(). */
YOKE_API int yoke_condition_release(yoke_condition *condition);

/** Who died holding the condition's lock. Codes as yoke_lock_death(). */
YOKE_API int yoke_condition_death(yoke_condition *condition, yoke_death *out);

/** Says that what the condition's lock guards is in order again. Codes as yoke_lock_mark_repaired(). */
YOKE_API int yoke_condition_mark_repaired(yoke_condition *condition);

/**
 * Releases the lock, however often the caller has acquired it, waits to be notified, and acquires it again as often.
 *
 * The time-out is for the notify. Acquiring the lock again takes as long as it takes: except after YOKE_ECLOSED and
 * YOKE_EDEADLK the caller holds the lock when the call returns.
 *
 * @param timeout How long to wait, in milliseconds. YOKE_NOWAIT gives others a chance at the lock, no more.
 * @retval YOKE_OK         Notified.
 * @retval YOKE_OWNER_DIED A process died holding the lock: what it guards may be half changed, and a notify may be
 *                         missing. Told whether or not the caller was notified or its time was up, since that matters
 *                         less; so look at the state when it is in order again. Who repairs it should
 *                         yoke_condition_notify_all(), since other waiters may not wait for the same thing. A waiter need not
 *                         be notified to be told, unless the lock was not repaired already when it began to wait. Locks
 *                         that ignore death tell nothing.
 * @retval YOKE_ETIMEDOUT  Not notified within the time. The lock is held.
 * @retval YOKE_ENOTOWNER  The caller doesn't hold the lock. Nothing has happened.
 * @retval YOKE_ECLOSED    Another thread closed the handle. The lock is NOT held.
 * @retval YOKE_EDEADLK    The lock, made to detect it, can't be had again: its holder waits for something that the caller
 *                         holds. The lock is NOT held.
 * @retval YOKE_ENOMEM     No memory to wait in. Nothing has happened; the lock is held.
 * @retval YOKE_EINVAL     Not an open condition.
 */
YOKE_API YOKE_CHECKED int yoke_condition_wait(yoke_condition *condition, int64_t timeout);

/** Whether the state that a condition guards is as wanted. Called with the lock held; must not wait nor release it. */
typedef bool yoke_predicate(void *user);

/**
 * Waits until a predicate holds: looks first, and again whenever notified. The time-out is for all of it.
 *
 * @param user Passed to the predicate.
 * @retval YOKE_OK         The predicate holds.
 * @retval YOKE_OWNER_DIED As from yoke_condition_wait(). The predicate was not called again: the state may be half
 *                         changed. Put it right, mark it repaired, and call this again.
 * @retval YOKE_ETIMEDOUT  The predicate didn't hold within the time. It was looked at once more when the time was up.
 * @retval YOKE_EINVAL     Not an open condition, or predicate is NULL.
 * @return Otherwise as yoke_condition_wait().
 */
YOKE_API YOKE_CHECKED int yoke_condition_wait_for(yoke_condition *condition, yoke_predicate *predicate, void *user,
                                                  int64_t timeout);

/**
 * Wakes waiters, those first who came first. They go on one by one, each when it gets the lock.
 *
 * @param n How many at most; of those who wait at this moment. With fewer, the rest of n is forgotten.
 * @retval YOKE_OK        Done, whether or not anybody waited.
 * @retval YOKE_ENOTOWNER The caller doesn't hold the lock. Nothing has happened.
 * @retval YOKE_EINVAL    n is negative, or not an open condition.
 */
YOKE_API int yoke_condition_notify(yoke_condition *condition, int64_t n);

/** Wakes all who wait at this moment. Codes as yoke_condition_notify(). */
YOKE_API int yoke_condition_notify_all(yoke_condition *condition);

/**
 * How many threads are waiting and not notified yet; those of dead processes don't count. Exact while the caller holds
 * the lock, else a figure that may be old when it arrives. A code below zero on a bad handle.
 */
YOKE_API int64_t yoke_condition_waiting(const yoke_condition *condition);

YOKE_END
#endif
