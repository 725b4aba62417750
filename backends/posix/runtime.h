/* The one directory per user for what a fallback must put in the file system. */
#ifndef YOKE_BACKENDS_POSIX_RUNTIME_H
#define YOKE_BACKENDS_POSIX_RUNTIME_H

#include <stddef.h>

#define YOKE__POSIX_RUNTIME_PLACES 3

/*
 * $XDG_RUNTIME_DIR/yoke, or /tmp/yoke-<uid>: made on first use, mode 0700. The result is checked to be a directory of
 * this user that nobody else can enter: YOKE_EACCES with a sentence otherwise. Needs 160 bytes or YOKE_EINVAL.
 */
int yoke__posix_runtime_directory(char *out, size_t size);

/* Where another process of this user, with another environment, may have put it: place 0, 1, … up to
 * YOKE__POSIX_RUNTIME_PLACES. False: no such place. Nothing is made or checked. */
int yoke__posix_runtime_place(char *out, size_t size, int place);

#endif
