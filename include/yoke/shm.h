/**
 * @file shm.h
 * Segments: bytes of any number that processes share, outside of all domains.
 *
 * A segment (`yoke_shm`) is either anonymous, and passed to children as an argument, or it has a name by which other
 * programs open it.
 *
 * **How long it lives.** Each open handle of a living process uses the segment, and so does one that is on its way to a
 * child as an argument. It goes with its last user, however the users end, and never before; a name that only dead
 * processes used is cleared by the next who asks for it, or by yoke_shm_reclaim(). One that was made with `persist`
 * stays without users, until yoke_shm_unlink() or the next start of the system. Closing a handle is this process's own
 * affair; unlinking takes only the name away: those who use the segment go on, and the name is free for another.
 *
 * **Size.** Fixed when it is made: a segment neither grows nor shrinks. Who needs more makes another one. Memory is
 * allocated for real then: lack of it is #YOKE_ENOMEM at yoke_shm_create(), not a fault later.
 *
 * **In messages.** A named segment may stand in a message: the receiver opens it by its name, if that is still the very
 * same segment. The message itself does not keep the segment, so the sender keeps its handle open until the receiver has
 * it, or makes the segment with `persist`; else getting the message fails with #YOKE_ENOENT.
 *
 * Any thread of any process that has a handle may call; not signal handlers. A forked child may use inherited handles,
 * and is a user of its own from its first call on.
 */
#ifndef YOKE_SHM_H
#define YOKE_SHM_H

#include "error.h"
#include "handles.h"

YOKE_BEGIN

/** Options of yoke_shm_create(); zero means default everywhere. */
typedef struct yoke_shm_options {
    YOKE_SIZED_(yoke_shm_options);
    const char *name; /**< NULL: anonymous. 1 to 62 letters, digits, '.', '_', '-'; before them perhaps a user's name or
                              number and ':', for that user's segment */
    yoke_open_mode mode; /**< counts only with a name */
    bool read_only;      /**< this handle can't write: its data pages are write-protected, and a write there is a fault
                              (SIGSEGV). A guard against mistakes, not a right: who may open it may open it for writing */
    bool persist; /**< it stays without users until it is unlinked. Counts when it is made; opening one that was made
                              without is #YOKE_EINVAL. Not on Windows: #YOKE_ENOTSUP */
    unsigned permissions; /**< who may open it, as POSIX mode bits: 0 and 0600 this user only; 0660 also the group, 0666
                               everybody, 0606. The umask has no say. Counts when it is made. On Windows
                               others than this user are #YOKE_ENOTSUP */
    size_t   max_users; /**< most handles at once, in all processes, those on their way counted; 0: 1024. At most 65536;
                               each takes 32 bytes. Counts when it is made; opening one with another number is
                               #YOKE_EINVAL */
} yoke_shm_options;

/**
 * Makes a segment of zero bytes, or opens it if the name is there and the mode says so.
 *
 * An anonymous one can be passed as an argument to a child, where the system can (all of POSIX); not through queues.
 *
 * @param out      Gets the handle; the caller closes it.
 * @param size     Bytes; at least 1. With #YOKE_OPEN 0 stands for whatever size it has.
 * @param options  NULL for defaults: anonymous.
 * @retval YOKE_EEXIST  Mode #YOKE_CREATE, and the name is in use, or its segment is made to stay.
 * @retval YOKE_ENOENT  Mode #YOKE_OPEN, and there is no such segment; or no such user.
 * @retval YOKE_EINVAL  A bad name, mode, size, permissions or number of users, or an option that counts only with a name;
 *                      or it is there with others, and the sentence names both.
 * @retval YOKE_EPROTO  What has that name is not a segment of this library, or of another version of it.
 * @retval YOKE_ENOMEM  Not that much memory is left, or no descriptor; or it has as many users as it can have.
 * @retval YOKE_EACCES  The system refuses access; or it would have to be made, and the name is another user's.
 * @retval YOKE_ENOTSUP The backend has no named memory, or can't write-protect.
 */
YOKE_API YOKE_CHECKED int yoke_shm_create(yoke_shm **out, size_t size, const yoke_shm_options *options);
/** Opens a named segment of whatever size. As yoke_shm_create() with #YOKE_OPEN. */
YOKE_API YOKE_CHECKED int yoke_shm_open(yoke_shm **out, const char *name);

/** Start of the segment in this process, aligned to a page; other processes have it at other addresses. NULL on a bad
 *  handle, and with #YOKE_EACCES on one that was opened for reading only. */
YOKE_API void *yoke_shm_data(const yoke_shm *shm);
/** The same for reading, of any handle. NULL on a bad one. */
YOKE_API const void *yoke_shm_data_const(const yoke_shm *shm);
/** Its bytes, as given when it was made; 0 on a bad handle. */
YOKE_API size_t yoke_shm_size(const yoke_shm *shm);
/** Its name as it can be opened by, "" if it has none; NULL on a bad handle. Lives as long as the handle. */
YOKE_API const char *yoke_shm_name(const yoke_shm *shm);
/** Whether this handle was opened for reading only; so are those that children get by it. False on a bad handle. */
YOKE_API bool yoke_shm_is_read_only(const yoke_shm *shm);
/** Closes this process's handle; its data pointer is void. The last user's takes the segment away, unless it is made to
 *  stay. NULL is fine. */
YOKE_API void yoke_shm_close(yoke_shm *shm);

/**
 * Removes a name, used or not, `persist` or not. Those who use the segment go on; it goes with the last of them. The name
 * is free at once.
 *
 * @retval YOKE_ENOENT  There is no such segment: nobody used it any more. What the dead left of it is gone now.
 * @retval YOKE_EINVAL  A bad name.
 * @retval YOKE_EPROTO  What has that name is not a segment of this library, or of another version; it stays.
 * @retval YOKE_EACCES  The system refuses: it is another user's.
 * @retval YOKE_ENOMEM  No descriptors are left.
 * @retval YOKE_ENOTSUP The backend has no named memory.
 */
YOKE_API int yoke_shm_unlink(const char *name);

/**
 * Removes what is left of named segments whose users are all dead: killed, or ended without closing. The next who asks for
 * the name does the same; this is for names that nobody asks for any more. What is used, made to stay, or can't be judged
 * (another version, another pid namespace, just being opened or closed) is left alone. May be killed at any moment, and
 * called by several processes at once.
 *
 * @param name  One name, or NULL: all of this user's; of all users' if the system lets this process (root) remove them.
 * @return How many were removed, or:
 * @retval YOKE_ENOENT  There is no segment of that name.
 * @retval YOKE_EINVAL  A bad name.
 * @retval YOKE_EPROTO  It is of another version or damaged: it can't be judged. With NULL it is passed over.
 * @retval YOKE_EACCES  The system refuses; with NULL such a segment is passed over.
 * @retval YOKE_ENOMEM  No memory or descriptors for the look.
 * @retval YOKE_ENOTSUP This system can't look at names of shared memory.
 */
YOKE_API int64_t yoke_shm_reclaim(const char *name);

YOKE_END

#endif
