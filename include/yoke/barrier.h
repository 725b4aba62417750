/**
 * @file barrier.h
 * Barriers: a number of threads, of any processes, wait until all of them are there, and then go on together. And again:
 * a barrier may be used any number of times, and who is fast may be at the next round while others still leave the last.
 *
 * Semantics are those of Python's multiprocessing.Barrier, and one more: **the death of a party breaks the barrier for
 * all**, instead of leaving them there for good. Parties are those that have arrived and are waiting, and those processes
 * that have said so by yoke_barrier_join(), from then on and wherever they are. A broken barrier answers YOKE_EBROKEN to
 * all who wait and to all who come, until it is reset.
 *
 * Threads and processes: every function may be called by any thread of any participant, but not by a signal handler. A
 * forked child may use the handles it inherits; its parent's joining is the parent's. Close a handle only when no other
 * thread is about to use it; threads that wait in it answer YOKE_ECLOSED, and those that had arrived break it.
 *
 * Time-outs are milliseconds; YOKE_NOWAIT tries once, YOKE_FOREVER never gives up. Signals don't shorten a wait.
 */
#ifndef YOKE_BARRIER_H
#define YOKE_BARRIER_H

#include "sync.h"

YOKE_BEGIN

/** Milliseconds for which calls without a time-out wait for a process that is in the middle of changing the barrier. That
 *  takes microseconds, unless the process was stopped there: then the calls fail, and nothing has happened. */
#define YOKE_BARRIER_LIMIT 2000

/**
 * What the last to arrive does before anybody goes on. Negative: it failed, and the barrier is broken. It may use all of
 * yoke but this barrier's yoke_barrier_wait().
 */
typedef int yoke_barrier_action(void *user);

/** Options of yoke_barrier_create(); zero means default everywhere. */
typedef struct yoke_barrier_options {
    YOKE_SIZED_(yoke_barrier_options);
    yoke_domain   *domain; /**< where it lives; NULL: the default domain of this process family */
    const char    *name;   /**< name inside the domain, or NULL; under 64 bytes of letters, digits, '.', '_', '-' */
    yoke_open_mode mode;   /**< matters with a name only */
    yoke_barrier_action
         *action; /**< run in every round by the last to arrive; NULL: none. See yoke_barrier_set_action() */
    void *user;   /**< passed to action */
} yoke_barrier_options;

/**
 * Makes a barrier, or opens one if options name it and their mode allows.
 *
 * @param out     Receives the handle; close it with yoke_barrier_close().
 * @param parties How many have to arrive; from 1 to 1048576.
 * @param options NULL means defaults. Borrowed for the call.
 * @retval YOKE_OK     *out is set.
 * @retval YOKE_EINVAL A bad number of parties, name, mode or domain; or the barrier of that name has another number of
 *                     parties, or an action where options have none, or the other way round.
 * @retval YOKE_EEXIST YOKE_CREATE, and the name is taken.
 * @retval YOKE_ENOENT YOKE_OPEN, and nothing has that name.
 * @retval YOKE_ETYPE  The name is that of another kind of object.
 * @retval YOKE_ENOMEM The domain's budget or this process's memory is used up.
 */
YOKE_API YOKE_CHECKED int yoke_barrier_create(yoke_barrier **out, int64_t parties, const yoke_barrier_options *options);

/** Opens a barrier by name, whatever its parties. domain NULL: the default one. Codes as yoke_barrier_create(). */
YOKE_API YOKE_CHECKED int yoke_barrier_open(yoke_barrier **out, yoke_domain *domain, const char *name);

/** Drops this handle; what was joined through it leaves, or, if #YOKE_BARRIER_LIMIT is up before it can, when this process
 *  ends: which then breaks the barrier. NULL is fine. */
YOKE_API void yoke_barrier_close(yoke_barrier *barrier);

/**
 * Says what this process does when it is the last to arrive. Functions can't be shared between programs, so an action
 * belongs to a handle: a child that got a barrier with an action as an argument, and whoever opened it by name, calls
 * this before it waits; without it yoke_barrier_wait() refuses. A forked child has what its parent had. Not while another
 * thread waits in the handle.
 *
 * @retval YOKE_OK     Done.
 * @retval YOKE_EINVAL The barrier was made without an action, action is NULL, or not an open barrier.
 */
YOKE_API int yoke_barrier_set_action(yoke_barrier *barrier, yoke_barrier_action *action, void *user);

/**
 * Arrives, and waits until all parties have. The last to arrive runs the action, if there is one, before anybody goes on.
 *
 * @param timeout How long to wait for the others, in milliseconds. Who has arrived and gives up breaks the barrier for
 *                all; with YOKE_NOWAIT everybody but the last does. Who comes while an action is running waits for its
 *                end first, and breaks nothing if its time is up then.
 * @param index   Receives a number from 0 to parties - 1, another one for each party of a round: the order of arrival.
 *                NULL: not wanted. Set only if the call returns YOKE_OK.
 * @retval YOKE_OK        All have arrived, and the action has succeeded.
 * @retval YOKE_EBROKEN   The barrier is broken, or was reset meanwhile; the error's text tells why and by whom.
 * @retval YOKE_ETIMEDOUT The time was up. If the caller had arrived, the barrier is broken for all others, and the error's
 *                        text tells how many had come. If it had not, nothing is broken: the action of the round before
 *                        was running still, or another process has been stopped in the middle of changing the barrier;
 *                        the text names it, and at least 50 ms were given to it.
 * @retval YOKE_ECLOSED   Another thread closed the handle. The barrier is broken if the caller had arrived.
 * @retval YOKE_EINVAL    Not an open barrier, or it has an action and this handle has none. The caller has not arrived.
 * @retval YOKE_ENOMEM    No memory for the round. The caller has not arrived.
 * @return What the action returned if that was negative: to who ran it, the others get YOKE_EBROKEN.
 */
YOKE_API YOKE_CHECKED int yoke_barrier_wait(yoke_barrier *barrier, int64_t timeout, int64_t *index);

/**
 * Makes the calling process a party: if it dies, the barrier breaks even if it hasn't arrived. Ending in good order without
 * leaving counts as dying. Arriving needs no joining. A process may join once for each of its threads.
 *
 * @retval YOKE_OK     Joined, until yoke_barrier_leave() or the closing of this handle.
 * @retval YOKE_EBUSY  As many as the barrier has parties have joined already.
 * @retval YOKE_EINVAL Not an open barrier.
 * @retval YOKE_ETIMEDOUT #YOKE_BARRIER_LIMIT was up. The error names the process that was in the way.
 */
YOKE_API YOKE_CHECKED int yoke_barrier_join(yoke_barrier *barrier);

/**
 * Takes one yoke_barrier_join() of this handle back. Nothing is broken by it: who leaves has told the others otherwise.
 *
 * @retval YOKE_OK        Left.
 * @retval YOKE_ENOTOWNER This process has not joined by this handle.
 * @retval YOKE_EINVAL    Not an open barrier.
 * @retval YOKE_ETIMEDOUT As yoke_barrier_join().
 */
YOKE_API int yoke_barrier_leave(yoke_barrier *barrier);

/** Breaks the barrier: all who wait, and all who come before it is reset, get YOKE_EBROKEN. YOKE_OK, YOKE_EINVAL;
 *  YOKE_ETIMEDOUT as yoke_barrier_join(). */
YOKE_API int yoke_barrier_abort(yoke_barrier *barrier);

/**
 * Puts the barrier back to empty and unbroken. Who waits in it gets YOKE_EBROKEN. Who has joined stays joined.
 *
 * @retval YOKE_OK     Done.
 * @retval YOKE_ENOMEM No memory for another round while old ones are being left. Nothing has happened.
 * @retval YOKE_EINVAL Not an open barrier.
 * @retval YOKE_ETIMEDOUT As yoke_barrier_join().
 */
YOKE_API int yoke_barrier_reset(yoke_barrier *barrier);

/** How many have to arrive. A code below zero on a bad handle. */
YOKE_API int64_t yoke_barrier_parties(const yoke_barrier *barrier);

/** How many have arrived and wait, at one moment of the call; 0 if it is broken. A code below zero on a bad handle. */
YOKE_API int64_t yoke_barrier_waiting(const yoke_barrier *barrier);

/** Whether the barrier is broken, at one moment of the call. False on a bad handle. */
YOKE_API bool yoke_barrier_broken(const yoke_barrier *barrier);

YOKE_END
#endif
