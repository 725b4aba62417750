/**
 * @file semaphore.h
 * Semaphores between processes and threads.
 *
 * A semaphore lives in a domain and is reached through handles; it goes with its last user. It takes no descriptor and
 * no system object. There are two kinds, as an option says:
 *
 * - **Signal mode**, the default, is Python's semaphore: a number. Acquire waits until it is above zero and takes one
 *   away; release adds one. Any process may release, whoever acquired: acquire here, release there. So nobody can know
 *   what a dead process still owed, and nothing comes back when one dies. What is promised: whoever is killed, and
 *   wherever, the number is right and nobody sleeps on while it is above zero for longer than a slice (150 ms).
 * - **Permit mode** (`permits`) is for a fixed number of things that processes use: so many connections, so many at
 *   work. Each permit knows which process holds it. The permits of a process that dies return, and who gets one of them
 *   is told by #YOKE_OWNER_DIED: it holds the permit, but what the permit stands for may have been left half changed;
 *   yoke_semaphore_death() tells who that was.
 *   Only a process that holds a permit can release one; which of its threads does is all the same.
 *
 * Death means the end of the process, as the kernel tells it; a process that is merely slow or stopped keeps what it
 * has. A thread that ends while its process goes on keeps it too.
 *
 * Waiting spins shortly, then sleeps. The order in which waiters are served is not defined, but none of them starves:
 * who was woken and found nothing four times goes before those who come anew and would have to wait. Only a call that
 * will not wait (#YOKE_NOWAIT) takes what it finds.
 *
 * Threads and processes: every function may be called by any thread of any participant, but not by a signal handler. A
 * forked child may use the handles it inherits; permits that its parent holds stay the parent's. Close a handle only
 * when no other thread is about to use it; threads asleep in it answer YOKE_ECLOSED.
 *
 * Time-outs are milliseconds; YOKE_NOWAIT tries once, YOKE_FOREVER never gives up. Signals don't shorten a wait.
 *
 * Semantics of signal mode: Python's `multiprocessing.Semaphore`, and with `max` its `BoundedSemaphore`.
 */
#ifndef YOKE_SEMAPHORE_H
#define YOKE_SEMAPHORE_H

#include "error.h"
#include "handles.h"
#include "sync.h"

YOKE_BEGIN

/** The greatest value that a semaphore can have. */
#define YOKE_SEMAPHORE_MAX INT64_C(1073741823)

/** The most permits that a semaphore in permit mode can have. Each takes eight bytes, the first 64 some 80 more, and when most are taken an acquire
 *  looks at most of them. */
#define YOKE_SEMAPHORE_PERMITS_MAX INT64_C(65536)

/** Options of yoke_semaphore_create(); zero means default everywhere. */
typedef struct yoke_semaphore_options {
    YOKE_SIZED_(yoke_semaphore_options);
    yoke_domain   *domain;   /**< where it lives; NULL: the default domain of this process family */
    const char    *name;     /**< name inside the domain, or NULL; under 64 bytes of letters, digits, '.', '_', '-' */
    yoke_open_mode mode;     /**< matters with a name only */
    int64_t        max;      /**< a release that would bring the value above it is an error; 0: #YOKE_SEMAPHORE_MAX. In
                                  permit mode the initial value is the bound: say 0 or that */
    bool           permits;  /**< permit mode */
    yoke_on_death  on_death; /**< permit mode: whether who gets a dead holder's permit is told */
} yoke_semaphore_options;

/**
 * Makes a semaphore, or opens one if options name it and their mode allows.
 *
 * @param out     Receives the handle; close it with yoke_semaphore_close().
 * @param initial Its value to begin with: from 0 to `max`. In permit mode the number of permits, from 1 to
 *                #YOKE_SEMAPHORE_PERMITS_MAX.
 * @param options NULL means defaults. Borrowed for the call.
 * @retval YOKE_OK     *out is set.
 * @retval YOKE_EINVAL An initial value or max out of range, on_death in signal mode, a bad name, mode or domain; or the
 *                     semaphore of that name was made with another initial value, max, mode or on_death: the error's
 *                     text names both.
 * @retval YOKE_EEXIST YOKE_CREATE, and the name is taken.
 * @retval YOKE_ENOENT YOKE_OPEN, and nothing has that name.
 * @retval YOKE_ETYPE  The name is that of another kind of object.
 * @retval YOKE_ENOMEM The domain's budget or this process's memory is used up.
 */
YOKE_API YOKE_CHECKED int yoke_semaphore_create(yoke_semaphore **out, int64_t initial,
                                                const yoke_semaphore_options *options);

/** Opens a semaphore by name, whatever its options. domain NULL: the default one. Codes as yoke_semaphore_create(). */
YOKE_API YOKE_CHECKED int yoke_semaphore_open(yoke_semaphore **out, yoke_domain *domain, const char *name);

/**
 * Drops this handle. Permits that this process holds stay held, until it releases them through another handle or ends.
 * Threads of this process asleep in the handle answer YOKE_ECLOSED before the call returns. NULL is fine.
 */
YOKE_API void yoke_semaphore_close(yoke_semaphore *semaphore);

/**
 * Takes one from the value, or one permit.
 *
 * @param timeout How long to wait while there is none, in milliseconds. With #YOKE_NOWAIT in permit mode it may answer
 *                that there is none while others are just releasing and acquiring some.
 * @retval YOKE_OK         Acquired.
 * @retval YOKE_OWNER_DIED Acquired, and the process that held this permit last died holding it (permit mode, unless made
 *                         to ignore death). Told once for each permit that returned. Positive, so that every code below
 *                         zero means "not acquired".
 * @retval YOKE_ETIMEDOUT  Not acquired. In permit mode the error's text names holders, and its pid is that of one.
 * @retval YOKE_EINVAL     Not an open semaphore.
 * @retval YOKE_ECLOSED    Not acquired: another thread closed the handle during the wait, or the semaphore is gone since
 *                         the domain was left.
 * @retval YOKE_ENOMEM     Not acquired: this process is not in the domain yet, and the domain is full.
 */
YOKE_API YOKE_CHECKED int yoke_semaphore_acquire(yoke_semaphore *semaphore, int64_t timeout);

/**
 * Adds one to the value, or gives back one permit that this process holds; a waiter gets it. yoke_semaphore_release_many()
 * with 1.
 */
YOKE_API int yoke_semaphore_release(yoke_semaphore *semaphore);

/**
 * Adds `count` to the value in one step, or gives back so many permits that this process holds; as many waiters get them.
 *
 * @param count At least 1.
 * @retval YOKE_OK        Released.
 * @retval YOKE_EINVAL    count is below 1, or not an open semaphore. Nothing has happened.
 * @retval YOKE_ERANGE    The value would come to be above `max`. Nothing has happened.
 * @retval YOKE_ENOTOWNER Permit mode: this process holds fewer. Nothing has happened, unless threads of this process
 *                        release at the same moment more than it holds: then what it held is released.
 */
YOKE_API int yoke_semaphore_release_many(yoke_semaphore *semaphore, int64_t count);

/**
 * Who died holding a permit that this process has got since, and was told of by #YOKE_OWNER_DIED: the one that the calling
 * thread got last, if its process still has that permit; otherwise another one that the process has. It can be asked until the
 * permit is released; a release of a process with several gives back the others first.
 *
 * Names and process ids are kept with the semaphore, for 64 dead processes at least that permits still tell of. Exit
 * statuses are those of the domain: of the last 64 deaths in it, and if the parent of the dead has joined it.
 *
 * @param out Receives it; set its struct_size before the call.
 * @retval YOKE_OK      *out is set.
 * @retval YOKE_ENOENT  This process has no permit that came back from the dead, or it is forgotten who that was.
 * @retval YOKE_EINVAL  Not an open semaphore; in signal mode, where nothing is known of deaths; no place for the answer, or
 *                      its struct_size is not set.
 * @retval YOKE_ECLOSED The semaphore is gone since the domain was left.
 */
YOKE_API YOKE_CHECKED int yoke_semaphore_death(yoke_semaphore *semaphore, yoke_death *out);

/** The value, or how many permits are not held by a process that lives, at one moment of the call. Negative: the code of
 *  an error, YOKE_EINVAL or YOKE_ECLOSED. */
YOKE_API int64_t yoke_semaphore_value(const yoke_semaphore *semaphore);

YOKE_END
#endif
