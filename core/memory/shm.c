/* Segments of bytes outside all domains. */
#include "view.h"

#include "../backend.h"
#include "../error.h"
#include "../local.h"
#include "segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct yoke_shm {
    yoke__handle handle; /* of no domain; extra: the yoke__view */
};

/* ---- forks ------------------------------------------------------------------------------------------------------- */

/* Forks that led to this process. Written by the fork hook, in the child's only thread. */
static yoke__a32 forks;

static struct {
    yoke__mutex mutex;
    yoke__view *first;
} views = {.mutex = YOKE__MUTEX_INIT};

static void before_fork(void)
{
    yoke__mutex_lock(&views.mutex);
}

static void after_fork(void)
{
    yoke__mutex_unlock(&views.mutex);
}

static void after_fork_in_child(void)
{
    yoke__mutex_reset(&views.mutex);
    yoke__a32_add_acq_rel(&forks, 1);
}

void yoke__views_lock(void)
{
    yoke__mutex_lock(&views.mutex);
}

void yoke__views_unlock(void)
{
    yoke__mutex_unlock(&views.mutex);
}

/* Before the first view. In a started child, exits don't come by atexit: it calls yoke__shms_leave itself. */
void yoke__views_watch(void)
{
    static yoke__a32 watching;
    yoke__fork_hooks();
    yoke__fork_hook_add(before_fork, after_fork, after_fork_in_child);
    if (yoke__a32_exchange_acq_rel(&watching, 1) == 0)
        (void)atexit(yoke__shms_leave);
}

/* ---- the lock of a name ------------------------------------------------------------------------------------------ */

int yoke__view_lock_name(yoke_native *out, const char *full)
{
    const yoke_memory_ops *memory = yoke__backend()->memory;
    if (!memory->name_lock)
        return yoke__fail(YOKE_ENOTSUP, "backend '%s' has no named memory", yoke__backend()->name);
    return memory->name_lock(out, full);
}

void yoke__view_unlock_name(yoke_native lock, const char *full)
{
    yoke__backend()->memory->name_unlock(lock, full);
}

int yoke__view_remove_name(yoke__segment_header *segment, const char *full)
{
    if (segment)
        yoke__a32_store_release(&segment->gone, 1);
    return yoke__backend()->memory->unlink(full);
}

/* ---- handles ----------------------------------------------------------------------------------------------------- */

int yoke__view_settle(yoke__view *v, const yoke_memory *memory, bool read_only)
{
    const yoke__segment_header *segment = memory->base;
    yoke_memory                 mapped = *memory;
    v->read_only = read_only;
    if (*segment->name) {
        yoke__segment_full_name(v->full, segment->owner, segment->name);
        if (segment->owner == yoke__segment_self())
            snprintf(v->name, sizeof v->name, "%s", segment->name);
        else
            snprintf(v->name, sizeof v->name, "%llu:%s", (unsigned long long)segment->owner, segment->name);
    }
    if (!read_only)
        return YOKE_OK;
    if (!yoke__backend()->memory->protect)
        return yoke__fail(YOKE_ENOTSUP, "backend '%s' can't open segments for reading only", yoke__backend()->name);
    return yoke__backend()->memory->protect(&mapped, segment->data, segment->total);
}

int yoke__view_new(yoke_shm **out, const yoke_memory *memory, const yoke__view *from)
{
    yoke__handle *handle;
    yoke__view   *v = malloc(sizeof *v);
    int           code;
    if (!v)
        return yoke__fail(YOKE_ENOMEM, "no memory for the handle of a segment");
    code = yoke__handle_local(&handle, YOKE__KIND_SHM);
    if (code < 0) {
        free(v);
        return code;
    }
    *v = *from;
    v->memory = *memory;
    yoke__a32_store_relaxed(&v->forks, yoke__a32_load_relaxed(&forks));
    yoke__mutex_lock(&views.mutex);
    v->next = views.first;
    views.first = v;
    yoke__mutex_unlock(&views.mutex);
    handle->extra = v;
    *out = (yoke_shm *)handle;
    return YOKE_OK;
}

/* A forked child is a user of its own: claims a slot at its first call, if the name is still there to be kept. */
static void join_after_fork(yoke__view *v)
{
    yoke__segment_header *segment = v->memory.base;
    uint32_t              counted = yoke__a32_load_relaxed(&v->forks), now = yoke__a32_load_relaxed(&forks);
    yoke_native           lock = YOKE_NO_NATIVE;
    if (counted == now || !yoke__a32_cas_acq_rel(&v->forks, &counted, now))
        return;
    v->slot_held = false;
    if (!*v->full || yoke__view_lock_name(&lock, v->full) < 0)
        return;
    if (!yoke__a32_load_acquire(&segment->gone))
        v->slot_held = yoke__segment_claim(segment, YOKE__USE_OPEN, &v->slot) == YOKE_OK;
    yoke__view_unlock_name(lock, v->full);
}

yoke__view *yoke__view_of(const yoke_shm *shm)
{
    yoke__handle *handle = yoke__handle_check(shm, YOKE__KIND_SHM);
    yoke__view   *v = handle ? handle->extra : NULL;
    if (v)
        join_after_fork(v);
    return v;
}

/* ---- using ------------------------------------------------------------------------------------------------------- */

const void *yoke_shm_data_const(const yoke_shm *shm)
{
    yoke__view *v = yoke__view_of(shm);
    return v ? (uint8_t *)v->memory.base + yoke__segment_of(&v->memory)->data : NULL;
}

void *yoke_shm_data(const yoke_shm *shm)
{
    yoke__view *v = yoke__view_of(shm);
    if (v && v->read_only) {
        yoke__fail(YOKE_EACCES, "the segment is open for reading only: yoke_shm_data_const() tells where");
        return NULL;
    }
    return v ? (uint8_t *)v->memory.base + yoke__segment_of(&v->memory)->data : NULL;
}

bool yoke_shm_is_read_only(const yoke_shm *shm)
{
    const yoke__view *v = yoke__view_of(shm);
    return v && v->read_only;
}

size_t yoke_shm_size(const yoke_shm *shm)
{
    yoke__view *v = yoke__view_of(shm);
    return v ? (size_t)yoke__segment_of(&v->memory)->size : 0;
}

const char *yoke_shm_name(const yoke_shm *shm)
{
    yoke__view *v = yoke__view_of(shm);
    return v ? v->name : NULL;
}

/* The last user takes the name away. Without the lock (no descriptors left) only the slot is given back, and the name is
 * cleared by the next who asks for it; likewise if it is another user's, who alone can do that. */
void yoke__view_leave(yoke__view *v)
{
    yoke__segment_header *segment = v->memory.base;
    yoke_native           lock = YOKE_NO_NATIVE;
    if (!v->slot_held)
        return;
    if (yoke__view_lock_name(&lock, v->full) < 0) {
        yoke__segment_release(segment, v->slot);
        return;
    }
    yoke__segment_release(segment, v->slot);
    if (!yoke__a32_load_acquire(&segment->gone) && yoke__segment_is_leftover(segment))
        (void)yoke__view_remove_name(segment, v->full);
    yoke__view_unlock_name(lock, v->full);
}

static void unlist(const yoke__view *v)
{
    yoke__view **link = &views.first;
    yoke__mutex_lock(&views.mutex);
    while (*link && *link != v)
        link = &(*link)->next;
    if (*link)
        *link = v->next;
    yoke__mutex_unlock(&views.mutex);
}

void yoke__shms_leave(void)
{
    yoke__mutex_lock(&views.mutex);
    for (yoke__view *v = views.first; v; v = v->next) {
        if (yoke__a32_load_relaxed(&v->forks) == yoke__a32_load_relaxed(&forks)) /* else the slot is the parent's */
            yoke__view_leave(v);
        v->slot_held = false;
    }
    yoke__mutex_unlock(&views.mutex);
}

void yoke_shm_close(yoke_shm *shm)
{
    yoke__view *v;
    if (!shm)
        return;
    v = yoke__view_of(shm);
    if (!v)
        return;
    shm->handle.extra = NULL;
    unlist(v);
    yoke__shm_notes_close(v);
    yoke__view_leave(v);
    yoke__backend()->memory->close(&v->memory);
    free(v);
    yoke__handle_close(&shm->handle, NULL);
}

const yoke__object_type yoke__shm_type = {.kind = YOKE__KIND_SHM, .name = "segment"};
