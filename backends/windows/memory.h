/* Shared memory: what its files have of each other. memory.c: sections; memory_name.c: names and their locks. */
#ifndef YOKE_BACKENDS_WINDOWS_MEMORY_H
#define YOKE_BACKENDS_WINDOWS_MEMORY_H

#include "windows.h"

/* ---- memory.c ---- */

/* Makes a section of reserve bytes with nothing committed, or opens the one of that name; name NULL: none. *existed: it
 * was there already. */
int yoke__section_make(HANDLE *out, const wchar_t *name, uint64_t reserve, bool *existed);
/* Under the lock of its name: whether it (still) has the name. unlink: not from now on. */
int yoke__section_look(HANDLE section, bool unlink, bool *named);

/* ---- memory_name.c: slots of yoke_memory_ops ---- */

/* What has the name, with an access that maps for reading and writing. YOKE_ENOENT. */
int yoke__memory_name_open(HANDLE *out, const char *name);
/* A new section under the name. YOKE_EEXIST. */
int  yoke__memory_name_create(HANDLE *out, const char *name, uint64_t reserve);
int  yoke__memory_unlink(const char *name);
int  yoke__memory_name_lock(yoke_native *out, const char *name);
void yoke__memory_name_unlock(yoke_native lock, const char *name);
int  yoke__memory_name_user(uint64_t *out, const char *text);

#endif
