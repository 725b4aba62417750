/* Shared memory: what its two files have of each other. memory.c: objects; memory_name.c: names. */
#ifndef YOKE_BACKENDS_POSIX_MEMORY_H
#define YOKE_BACKENDS_POSIX_MEMORY_H

#include <yoke/backend.h>

#include <sys/types.h>

/* Whether this errno says that the system has no such call for such an object. */
bool yoke__memory_unsupported(int number);

/* shm_open() of this user's name, never a standard descriptor; -1 with errno. */
int yoke__memory_name_open(const char *name, int flags, mode_t mode);

/* Slots of yoke_memory_ops. */
int  yoke__memory_unlink(const char *name);
int  yoke__memory_name_lock(yoke_native *out, const char *name);
void yoke__memory_name_unlock(yoke_native lock, const char *name);

#endif
