/* Segments of bytes outside all domains. */
#include "view.h"

#include "../backend.h"
#include "../error.h"
#include "../local.h"
#include "segment.h"

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

int yoke__view_lock_name(yoke_native *out, const char *name)
{
    const yoke_memory_ops *memory = yoke__backend()->memory;
    char                   full[64];
    if (!memory->name_lock)
        return yoke__fail(YOKE_ENOTSUP, "backend '%s' has no named memory", yoke__backend()->name);
    yoke__segment_full_name(full, name);
    return memory->name_lock(out, full);
}

void yoke__view_unlock_name(yoke_native lock, const char *name)
{
    char full[64];
    yoke__segment_full_name(full, name);
    yoke__backend()->memory->name_unlock(lock, full);
}

int yoke__view_remove_name(yoke__segment_header *segment, const char *name)
{
    char full[64];
    if (segment)
        yoke__a32_store_release(&segment->gone, 1);
    yoke__segment_full_name(full, name);
    return yoke__backend()->memory->unlink(full);
}

/* ---- handles ----------------------------------------------------------------------------------------------------- */

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
    if (!*segment->name || yoke__view_lock_name(&lock, segment->name) < 0)
        return;
    if (!yoke__a32_load_acquire(&segment->gone))
        v->slot_held = yoke__segment_claim(segment, YOKE__USE_OPEN, &v->slot) == YOKE_OK;
    yoke__view_unlock_name(lock, segment->name);
}

static yoke__view *view_of(const yoke_shm *shm)
{
    yoke__handle *handle = yoke__handle_check(shm, YOKE__KIND_SHM);
    yoke__view   *v = handle ? handle->extra : NULL;
    if (v)
        join_after_fork(v);
    return v;
}

/* ---- using ------------------------------------------------------------------------------------------------------- */

void *yoke_shm_data(const yoke_shm *shm)
{
    yoke__view *v = view_of(shm);
    return v ? (uint8_t *)v->memory.base + yoke__segment_of(&v->memory)->data : NULL;
}

size_t yoke_shm_size(const yoke_shm *shm)
{
    yoke__view *v = view_of(shm);
    return v ? (size_t)yoke__segment_of(&v->memory)->size : 0;
}

const char *yoke_shm_name(const yoke_shm *shm)
{
    yoke__view *v = view_of(shm);
    return v ? yoke__segment_of(&v->memory)->name : NULL;
}

/* The last user takes the name away. Without the lock (no descriptors left) only the slot is given back, and the name is
 * cleared by the next who asks for it. */
static void leave(yoke__view *v)
{
    yoke__segment_header *segment = v->memory.base;
    yoke_native           lock = YOKE_NO_NATIVE;
    if (!v->slot_held)
        return;
    if (yoke__view_lock_name(&lock, segment->name) < 0) {
        yoke__segment_release(segment, v->slot);
        return;
    }
    yoke__segment_release(segment, v->slot);
    if (!yoke__a32_load_acquire(&segment->gone) && !yoke__segment_in_use(segment))
        (void)yoke__view_remove_name(segment, segment->name);
    yoke__view_unlock_name(lock, segment->name);
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
            leave(v);
        v->slot_held = false;
    }
    yoke__mutex_unlock(&views.mutex);
}

void yoke_shm_close(yoke_shm *shm)
{
    yoke__view *v;
    if (!shm)
        return;
    v = view_of(shm);
    if (!v)
        return;
    shm->handle.extra = NULL;
    unlist(v);
    leave(v);
    yoke__backend()->memory->close(&v->memory);
    free(v);
    yoke__handle_close(&shm->handle, NULL);
}

/* ---- passing ----------------------------------------------------------------------------------------------------- */

int yoke__shm_pass(yoke_native *out, const yoke_shm *shm)
{
    yoke__view           *v = view_of(shm);
    yoke__segment_header *segment;
    yoke_native           lock = YOKE_NO_NATIVE;
    uint32_t              slot;
    if (!v)
        return yoke_last_error()->code;
    segment = v->memory.base;
    if (v->slot_held) {
        int code;
        YOKE_TRY(yoke__view_lock_name(&lock, segment->name));
        code = yoke__segment_claim(segment, YOKE__USE_FLIGHT, &slot);
        yoke__view_unlock_name(lock, segment->name);
        YOKE_TRY(code);
    }
    *out = v->memory.handle;
    return YOKE_OK;
}

static void land(const yoke__view *v)
{
    yoke__segment_header *segment = v->memory.base;
    yoke_native           lock = YOKE_NO_NATIVE;
    if (!v->slot_held || yoke__view_lock_name(&lock, segment->name) < 0)
        return;
    (void)yoke__segment_land(segment);
    yoke__view_unlock_name(lock, segment->name);
}

void yoke__shm_stay(const yoke_shm *shm)
{
    const yoke__view *v = view_of(shm);
    if (v)
        land(v);
}

void yoke__shm_arrive(const yoke_shm *shm)
{
    const yoke__view *v = view_of(shm); /* claims a slot, before the one in flight goes */
    if (v)
        land(v);
}

/* Claims before it lets go of what was in flight, so that the segment is never without a user. */
static int settle(yoke__view *v)
{
    yoke__segment_header *segment = v->memory.base;
    yoke_native           lock = YOKE_NO_NATIVE;
    int                   code = YOKE_OK;
    if (!*segment->name)
        return YOKE_OK;
    YOKE_TRY(yoke__view_lock_name(&lock, segment->name));
    if (!yoke__a32_load_acquire(&segment->gone)) {
        code = yoke__segment_claim(segment, YOKE__USE_OPEN, &v->slot);
        v->slot_held = code == YOKE_OK;
        if (v->slot_held)
            (void)yoke__segment_land(segment);
    }
    yoke__view_unlock_name(lock, segment->name);
    return code;
}

/* Maps through a native of its own, since a mapping takes its native with it. */
static int map_second(yoke_memory *out, yoke_native native, uint64_t reserve)
{
    const yoke_backend *backend = yoke__backend();
    yoke_native         second = YOKE_NO_NATIVE;
    int                 code;
    YOKE_TRY(backend->process->native_duplicate(&second, native));
    code = backend->memory->adopt(out, second, reserve);
    if (code < 0)
        backend->process->native_close(second);
    return code;
}

static int measure(yoke_native native, uint64_t *total)
{
    yoke_memory first;
    bool        ready;
    int         code;
    YOKE_TRY(map_second(&first, native, yoke__backend()->system->page_size()));
    code = yoke__segment_check(&first, &ready);
    if (code == YOKE_OK && !ready)
        code = yoke__fail(YOKE_EPROTO, "that memory is not a segment");
    if (code == YOKE_OK)
        *total = yoke__segment_of(&first)->total;
    yoke__backend()->memory->close(&first);
    return code;
}

int yoke__shm_import(yoke_shm **out, yoke_native native)
{
    const yoke_backend *backend = yoke__backend();
    yoke__view          v = {.slot_held = false};
    uint64_t            total = 0;
    int                 code;
    yoke__views_watch();
    YOKE_TRY(measure(native, &total));
    YOKE_TRY(map_second(&v.memory, native, total));
    code = settle(&v);
    if (code == YOKE_OK)
        code = yoke__view_new(out, &v.memory, &v);
    if (code < 0) {
        leave(&v);
        backend->memory->close(&v.memory);
        return code;
    }
    backend->process->native_close(native);
    return YOKE_OK;
}

const yoke__object_type yoke__shm_type = {.kind = YOKE__KIND_SHM, .name = "segment"};
