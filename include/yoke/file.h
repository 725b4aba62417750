/**
 * @file file.h
 * Open files, sockets and other descriptors of the system's as handles, so that they can be passed like any other: as
 * arguments of a start, and in messages over connections.
 *
 * What the receiver gets is a descriptor of its own for the same open file: position and status flags are shared, as after
 * dup(). The sender keeps its own. A message that nobody receives takes its copy with it.
 *
 * Any thread may call; not signal handlers. Closing a handle while another thread uses its native is the program's error.
 * A forked child has the handle and the descriptor as after fork().
 */
#ifndef YOKE_FILE_H
#define YOKE_FILE_H

#include "error.h"
#include "handles.h"

YOKE_BEGIN

/**
 * Makes a handle of an open descriptor (POSIX) or HANDLE (Windows), which it takes over on success: yoke_file_close()
 * closes it.
 *
 * @retval YOKE_EINVAL  out is NULL, or native is not open.
 * @retval YOKE_ENOMEM  No memory.
 */
YOKE_API YOKE_CHECKED int yoke_file_create(yoke_file **out, intptr_t native);

/** The descriptor or HANDLE, which stays the handle's. -1, and noted (#YOKE_EINVAL): not an open handle of a file. */
YOKE_API intptr_t yoke_file_native(const yoke_file *file);

/** The descriptor or HANDLE, the caller's from now on; the handle is closed. -1, and noted, as above. */
YOKE_API intptr_t yoke_file_take(yoke_file *file);

/** Closes the handle and its descriptor. NULL is fine. */
YOKE_API void yoke_file_close(yoke_file *file);

YOKE_END

#endif
