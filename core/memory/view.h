/* Segments as the handles of this process see them; how one comes to be is in shm_open.c. */
#ifndef YOKE_CORE_MEMORY_VIEW_H
#define YOKE_CORE_MEMORY_VIEW_H

#include "../atomic.h"
#include "segment.h"
#include "shm.h"

/* A segment as one handle of this process sees it. */
typedef struct yoke__view {
    struct yoke__view *next; /* of all views of this process; under the lock of views */
    yoke_memory        memory;
    yoke__a32          forks; /* forks counted when the slot was claimed; another number: a forked child has none yet */
    bool               slot_held;
    uint32_t           slot;
} yoke__view;

/* Hooks for forks and the exit, before the first view. */
void yoke__views_watch(void);
/* A handle for a view like this one, of that memory. */
int yoke__view_new(yoke_shm **out, const yoke_memory *memory, const yoke__view *from);

/* The lock of a segment's name. */
int  yoke__view_lock_name(yoke_native *out, const char *name);
void yoke__view_unlock_name(yoke_native lock, const char *name);
/* Lock held, and nobody uses the segment (NULL: what has the name is none). The name's lock may be that of the memory:
 * whoever goes on with the name has to lock it anew. */
int yoke__view_remove_name(yoke__segment_header *segment, const char *name);

#endif
