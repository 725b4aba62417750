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
    bool               read_only;
    uint32_t           slot;
    char               full[YOKE__SEGMENT_FULL_NAME]; /* name of its memory, "" if it is anonymous */
    char               name[YOKE__SEGMENT_FULL_NAME]; /* as the user may write it */
    yoke__handle      *notes;                         /* of it in domains; under the lock of views; shm_note.c */
} yoke__view;

/* Hooks for forks and the exit, before the first view. */
void yoke__views_watch(void);
void yoke__views_lock(void);
void yoke__views_unlock(void);
/* A handle for a view like this one, of that memory. */
int yoke__view_new(yoke_shm **out, const yoke_memory *memory, const yoke__view *from);
/* The view behind a handle; NULL, noted. In a forked child it becomes a user of the segment. */
yoke__view *yoke__view_of(const yoke_shm *shm);
/* Gives its slot back; the last user takes the name away. */
void yoke__view_leave(yoke__view *v);
/* The names of a mapped segment. If asked for, its data can't be written to by this process. */
int yoke__view_settle(yoke__view *v, const yoke_memory *memory, bool read_only);

/* The lock of a segment's name. */
int  yoke__view_lock_name(yoke_native *out, const char *full);
void yoke__view_unlock_name(yoke_native lock, const char *full);
/* Lock held, and nobody needs the name (segment NULL: what has it is none). The name's lock may be that of the memory:
 * whoever goes on with the name has to lock it anew. */
int yoke__view_remove_name(yoke__segment_header *segment, const char *full);

/* "name" or "user:name" as users write it. YOKE_EINVAL, YOKE_ENOENT (no such user). */
int yoke__shm_name_take(yoke__segment_spec *out, const char *text);
/* Lock held. Maps the segment of that name whole. YOKE_ENOENT; YOKE_EPROTO with a reason. *ready false: a dead maker left
 * it, and nothing is mapped. */
int yoke__shm_map(yoke_memory *out, const char *full, bool *ready);
/* Opens the segment of that name if it is this very one: YOKE_ENOENT. */
int yoke__shm_open_same(yoke_shm **out, const yoke__segment_spec *spec, const yoke__segment_identity *same,
                        bool read_only);

/* Goes with the view. */
void yoke__shm_notes_close(yoke__view *v);

#endif
