/**
 * @file shm.h
 * Segments: bytes of any number that processes share, outside of all domains.
 *
 * A *segment* (`yoke_shm`) is either anonymous, and passed to children as an argument, or it has a name by which any
 * process of the same user can open it.
 *
 * Any thread of any process that has a handle may call; not signal handlers. A forked child may use inherited handles.
 */
#ifndef YOKE_SHM_H
#define YOKE_SHM_H

#include "error.h"
#include "handles.h"

YOKE_BEGIN

/** Options of yoke_shm_create(); zero means default everywhere. */
typedef struct yoke_shm_options {
    YOKE_SIZED_(yoke_shm_options);
    const char    *name; /**< NULL: anonymous. 1 to 62 letters, digits, '.', '_', '-' */
    yoke_open_mode mode; /**< counts only with a name */
} yoke_shm_options;

/**
 * Makes a segment of zero bytes, or opens it if the name is there and the mode says so.
 *
 * An anonymous one can be passed as an argument to a child, where the system can (all of POSIX); not through queues. A
 * named one can be opened by any process of the same user; each open handle of a living process keeps it. When the last
 * user has closed it or died, the name is free again; a name that only dead processes used is cleared by the next who
 * asks for it. At most 500 processes can have a named one open.
 *
 * @param out      Gets the handle; the caller closes it.
 * @param size     Bytes; at least 1. With #YOKE_OPEN 0 stands for whatever size it has.
 * @param options  NULL for defaults: anonymous.
 * @retval YOKE_EEXIST  Mode #YOKE_CREATE, and the name is in use.
 * @retval YOKE_ENOENT  Mode #YOKE_OPEN, and nobody uses that name.
 * @retval YOKE_EINVAL  A bad name, mode or size; or it is there with another size, and the sentence names both.
 * @retval YOKE_EPROTO  What has that name is not a segment of this library, or of another version of it.
 * @retval YOKE_ENOMEM  Not that much memory is left, or no descriptor.
 * @retval YOKE_EACCES  The system refuses access.
 * @retval YOKE_ENOTSUP The backend has no named memory.
 */
YOKE_API YOKE_CHECKED int yoke_shm_create(yoke_shm **out, size_t size, const yoke_shm_options *options);
/** Opens a named segment of whatever size. As yoke_shm_create() with #YOKE_OPEN. */
YOKE_API YOKE_CHECKED int yoke_shm_open(yoke_shm **out, const char *name);
/** Start of the segment in this process, aligned to a page; other processes have it at other addresses. NULL on a bad
 *  handle. */
YOKE_API void *yoke_shm_data(const yoke_shm *shm);
/** Its bytes, as given when it was made; 0 on a bad handle. */
YOKE_API size_t yoke_shm_size(const yoke_shm *shm);
/** Its name, "" if it has none; NULL on a bad handle. Lives as long as the handle. */
YOKE_API const char *yoke_shm_name(const yoke_shm *shm);
/** Closes this process's handle; its data pointer is void. NULL is fine. */
YOKE_API void yoke_shm_close(yoke_shm *shm);

YOKE_END

#endif
