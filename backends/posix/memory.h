/* Shared memory: what its files have of each other. memory.c: objects; memory_name.c: names and
 * their locks; memory_list.c: looking at names from outside. */
#ifndef YOKE_BACKENDS_POSIX_MEMORY_H
#define YOKE_BACKENDS_POSIX_MEMORY_H

#include <yoke/backend.h>

#include <sys/types.h>

/* Whether this errno says that the system has no such call for such an object. */
bool yoke__memory_unsupported(int number);

/* shm_open() of a name, never a standard descriptor. The object belongs to the user whose name it is, or YOKE_EACCES. */
int yoke__memory_name_open(int *out, const char *name, int flags, mode_t mode);
/* "/yoke-1000-name", for a name as in yoke/backend.h. */
#define YOKE__MEMORY_NAME_SIZE 128u
void yoke__memory_full_name(char out[YOKE__MEMORY_NAME_SIZE], const char *name);

/* Slots of yoke_memory_ops. */
int  yoke__memory_unlink(const char *name);
int  yoke__memory_name_lock(yoke_native *out, const char *name);
void yoke__memory_name_unlock(yoke_native lock, const char *name);
int  yoke__memory_name_try_lock(yoke_native *out, const char *name);
int  yoke__memory_name_read(const char *name, yoke_memory_about *about, uint64_t offset, void *data, size_t size,
                            size_t *got);
int  yoke__memory_name_each(bool (*visit)(void *user, const char *name), void *user);
int  yoke__memory_name_user(uint64_t *out, const char *text);
int  yoke__memory_mark(yoke_native *out, const yoke_memory *memory, uint64_t number);
bool yoke__memory_marked(const yoke_memory *memory, uint64_t number);

#endif
