/* Segments of bytes outside all domains. */
#include "shm.h"

#include "../backend.h"
#include "../error.h"
#include "../local.h"
#include "../options.h"
#include "segment.h"

#include <stdlib.h>
#include <string.h>

struct yoke_shm {
    yoke__handle handle; /* of no domain; extra: the view */
};

/* A segment as one handle of this process sees it. */
typedef struct view {
    struct view *next; /* of all views of this process; under the lock of views */
    yoke_memory  memory;
    yoke__a32    forks; /* forks counted when the slot was claimed; another number: a forked child has none yet */
    bool         slot_held;
    uint32_t     slot;
} view;

/* ---- forks ------------------------------------------------------------------------------------------------------------------------ */

/* Forks that led to this process. Written by the fork hook, in the child's only thread. */
static yoke__a32 forks;

static struct {
    yoke__mutex mutex;
    view       *first;
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
static void watch_forks_and_exit(void)
{
    static yoke__a32 watching;
    yoke__fork_hooks();
    yoke__fork_hook_add(before_fork, after_fork, after_fork_in_child);
    if (yoke__a32_exchange_acq_rel(&watching, 1) == 0)
        (void)atexit(yoke__shms_leave);
}

/* ---- the lock of a name ----------------------------------------------------------------------------------------------------------- */

static int lock_name(yoke_native *out, const char *name)
{
    const yoke_memory_ops *memory = yoke__backend()->memory;
    char                   full[64];
    if (!memory->name_lock)
        return yoke__fail(YOKE_ENOTSUP, "backend '%s' has no named memory", yoke__backend()->name);
    yoke__segment_full_name(full, name);
    return memory->name_lock(out, full);
}

static void unlock_name(yoke_native lock, const char *name)
{
    char full[64];
    yoke__segment_full_name(full, name);
    yoke__backend()->memory->name_unlock(lock, full);
}

/* Lock of the name held, and nobody uses the segment. The name's lock may be that of the memory: whoever goes on with
 * the name has to lock it anew. */
static int remove_name(yoke__segment_header *segment, const char *name)
{
    char full[64];
    if (segment)
        yoke__a32_store_release(&segment->gone, 1);
    yoke__segment_full_name(full, name);
    return yoke__backend()->memory->unlink(full);
}

/* ---- handles ------------------------------------------------------------------------------------------------------------------------ */

static int new_handle(yoke_shm **out, const yoke_memory *memory, const view *from)
{
    yoke__handle *handle;
    view         *v = malloc(sizeof *v);
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
static void join_after_fork(view *v)
{
    yoke__segment_header *segment = v->memory.base;
    uint32_t              counted = yoke__a32_load_relaxed(&v->forks), now = yoke__a32_load_relaxed(&forks);
    yoke_native           lock = YOKE_NO_NATIVE;
    if (counted == now || !yoke__a32_cas_acq_rel(&v->forks, &counted, now))
        return;
    v->slot_held = false;
    if (!*segment->name || lock_name(&lock, segment->name) < 0)
        return;
    if (!yoke__a32_load_acquire(&segment->gone))
        v->slot_held = yoke__segment_claim(segment, YOKE__USE_OPEN, &v->slot) == YOKE_OK;
    unlock_name(lock, segment->name);
}

static view *view_of(const yoke_shm *shm)
{
    yoke__handle *handle = yoke__handle_check(shm, YOKE__KIND_SHM);
    view         *v = handle ? handle->extra : NULL;
    if (v)
        join_after_fork(v);
    return v;
}

/* ---- making and opening by name ------------------------------------------------------------------------------------------------------- */

typedef struct request {
    const char    *name; /* "": anonymous */
    yoke_open_mode mode;
    size_t         size;
} request;

static int make(yoke_shm **out, const request *ask)
{
    yoke_memory memory;
    view        v = {.slot_held = *ask->name != 0};
    int         code;
    YOKE_TRY(yoke__segment_make(&memory, ask->name, ask->size));
    code = v.slot_held ? yoke__segment_claim(memory.base, YOKE__USE_OPEN, &v.slot) : YOKE_OK;
    if (code == YOKE_OK)
        code = new_handle(out, &memory, &v);
    if (code == YOKE_OK)
        return YOKE_OK;
    if (*ask->name)
        (void)remove_name(memory.base, ask->name);
    yoke__backend()->memory->close(&memory);
    return code;
}

/* Lock held, sound, and in use. The mapping is the caller's until this succeeds. */
static int join(yoke_shm **out, yoke_memory *memory, const request *ask)
{
    yoke__segment_header *segment = memory->base;
    view                  v = {.slot_held = true};
    int                   code;
    if (ask->mode == YOKE_CREATE)
        return yoke__fail_object(YOKE_EEXIST, ask->name, "segment '%s' exists and is in use", ask->name);
    if (ask->size && ask->size != segment->size)
        return yoke__fail_object(YOKE_EINVAL, ask->name, "segment '%s' has %llu bytes, not %zu", ask->name,
                                 (unsigned long long)segment->size, ask->size);
    YOKE_TRY(yoke__segment_claim(segment, YOKE__USE_OPEN, &v.slot));
    code = new_handle(out, memory, &v);
    if (code < 0)
        yoke__segment_release(segment, v.slot);
    return code;
}

/* Lock held. Maps the first page, to learn how many bytes there are. *total 0: nothing in it counts. */
static int peek(const char *full, uint64_t *total)
{
    const yoke_backend *backend = yoke__backend();
    yoke_memory         first;
    bool                ready = false;
    int                 code;
    YOKE_TRY(backend->memory->open(&first, full, backend->system->page_size()));
    code = yoke__segment_check(&first, &ready);
    *total = code == YOKE_OK && ready ? yoke__segment_of(&first)->total : 0;
    backend->memory->close(&first);
    return code;
}

/* One try with the lock held. *again: what the dead left was cleared away. */
static int open_locked(yoke_shm **out, const request *ask, bool *again)
{
    const yoke_memory_ops *ops = yoke__backend()->memory;
    yoke_memory            memory;
    uint64_t               total;
    char                   full[64];
    int                    code;
    yoke__segment_full_name(full, ask->name);
    code = peek(full, &total);
    if (code == YOKE_ENOENT && ask->mode != YOKE_OPEN)
        return make(out, ask);
    if (code == YOKE_ENOENT)
        return yoke__fail_object(YOKE_ENOENT, ask->name, "there is no segment '%s'", ask->name);
    if (code < 0)
        return yoke__fail_in(code, "segment '%s'", ask->name);
    if (total == 0) {
        *again = true;
        return remove_name(NULL, ask->name);
    }
    YOKE_TRY(ops->open(&memory, full, total));
    if (yoke__segment_in_use(memory.base)) {
        code = join(out, &memory, ask);
        if (code < 0)
            ops->close(&memory);
        return code;
    }
    *again = true;
    code = remove_name(memory.base, ask->name);
    ops->close(&memory);
    return code;
}

static int open_by_name(yoke_shm **out, const request *ask)
{
    bool again;
    int  code;
    do {
        yoke_native lock = YOKE_NO_NATIVE;
        again = false;
        YOKE_TRY(lock_name(&lock, ask->name));
        code = open_locked(out, ask, &again);
        unlock_name(lock, ask->name);
    } while (code == YOKE_OK && again);
    return code;
}

static int check_name(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length >= YOKE__SEGMENT_NAME)
        return yoke__fail(YOKE_EINVAL, "a segment's name has 1 to %u characters, not %zu", YOKE__SEGMENT_NAME - 1,
                          length);
    for (const char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("._-", *c)))
            return yoke__fail(YOKE_EINVAL,
                              "a segment's name has only letters, digits, '.', '_' and '-': '%s' has others", name);
    return YOKE_OK;
}

int yoke_shm_create(yoke_shm **out, size_t size, const yoke_shm_options *options)
{
    yoke_shm_options given;
    if (!out)
        return yoke__fail(YOKE_EINVAL, "the place for the segment's handle is NULL");
    YOKE_TRY(yoke__options_take(yoke_shm_options, &given, options));
    if ((unsigned)given.mode > YOKE_OPEN_OR_CREATE)
        return yoke__fail(YOKE_EINVAL, "mode %d is none", (int)given.mode);
    if (size == 0 && !(given.name && given.mode == YOKE_OPEN))
        return yoke__fail(YOKE_EINVAL, "a segment needs at least one byte");
    YOKE_TRY(yoke__backend_ready());
    watch_forks_and_exit();
    request ask = {given.name ? given.name : "", given.mode, size};
    if (!given.name)
        return make(out, &ask);
    YOKE_TRY(check_name(given.name));
    return open_by_name(out, &ask);
}

int yoke_shm_open(yoke_shm **out, const char *name)
{
    if (!name)
        return yoke__fail(YOKE_EINVAL, "the name of the segment to open is NULL");
    return yoke_shm_create(out, 0, YOKE_OPTIONS(yoke_shm_options, .name = name, .mode = YOKE_OPEN));
}

/* ---- using ------------------------------------------------------------------------------------------------------------------------------ */

void *yoke_shm_data(const yoke_shm *shm)
{
    view *v = view_of(shm);
    return v ? (uint8_t *)v->memory.base + yoke__segment_of(&v->memory)->data : NULL;
}

size_t yoke_shm_size(const yoke_shm *shm)
{
    view *v = view_of(shm);
    return v ? (size_t)yoke__segment_of(&v->memory)->size : 0;
}

const char *yoke_shm_name(const yoke_shm *shm)
{
    view *v = view_of(shm);
    return v ? yoke__segment_of(&v->memory)->name : NULL;
}

/* The last user takes the name away. Without the lock (no descriptors left) only the slot is given back, and the name is
 * cleared by the next who asks for it. */
static void leave(view *v)
{
    yoke__segment_header *segment = v->memory.base;
    yoke_native           lock = YOKE_NO_NATIVE;
    if (!v->slot_held)
        return;
    if (lock_name(&lock, segment->name) < 0) {
        yoke__segment_release(segment, v->slot);
        return;
    }
    yoke__segment_release(segment, v->slot);
    if (!yoke__a32_load_acquire(&segment->gone) && !yoke__segment_in_use(segment))
        (void)remove_name(segment, segment->name);
    unlock_name(lock, segment->name);
}

static void unlist(const view *v)
{
    view **link = &views.first;
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
    for (view *v = views.first; v; v = v->next) {
        if (yoke__a32_load_relaxed(&v->forks) == yoke__a32_load_relaxed(&forks)) /* else the slot is the parent's */
            leave(v);
        v->slot_held = false;
    }
    yoke__mutex_unlock(&views.mutex);
}

void yoke_shm_close(yoke_shm *shm)
{
    view *v;
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

/* ---- passing ------------------------------------------------------------------------------------------------------------------------------ */

int yoke__shm_pass(yoke_native *out, const yoke_shm *shm)
{
    view                 *v = view_of(shm);
    yoke__segment_header *segment;
    yoke_native           lock = YOKE_NO_NATIVE;
    uint32_t              slot;
    if (!v)
        return yoke_last_error()->code;
    segment = v->memory.base;
    if (v->slot_held) {
        int code;
        YOKE_TRY(lock_name(&lock, segment->name));
        code = yoke__segment_claim(segment, YOKE__USE_FLIGHT, &slot);
        unlock_name(lock, segment->name);
        YOKE_TRY(code);
    }
    *out = v->memory.handle;
    return YOKE_OK;
}

static void land(const view *v)
{
    yoke__segment_header *segment = v->memory.base;
    yoke_native           lock = YOKE_NO_NATIVE;
    if (!v->slot_held || lock_name(&lock, segment->name) < 0)
        return;
    (void)yoke__segment_land(segment);
    unlock_name(lock, segment->name);
}

void yoke__shm_stay(const yoke_shm *shm)
{
    const view *v = view_of(shm);
    if (v)
        land(v);
}

void yoke__shm_arrive(const yoke_shm *shm)
{
    const view *v = view_of(shm); /* claims a slot, before the one in flight goes */
    if (v)
        land(v);
}

/* Claims before it lets go of what was in flight, so that the segment is never without a user. */
static int settle(view *v)
{
    yoke__segment_header *segment = v->memory.base;
    yoke_native           lock = YOKE_NO_NATIVE;
    int                   code = YOKE_OK;
    if (!*segment->name)
        return YOKE_OK;
    YOKE_TRY(lock_name(&lock, segment->name));
    if (!yoke__a32_load_acquire(&segment->gone)) {
        code = yoke__segment_claim(segment, YOKE__USE_OPEN, &v->slot);
        v->slot_held = code == YOKE_OK;
        if (v->slot_held)
            (void)yoke__segment_land(segment);
    }
    unlock_name(lock, segment->name);
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
    view                v = {.slot_held = false};
    uint64_t            total = 0;
    int                 code;
    watch_forks_and_exit();
    YOKE_TRY(measure(native, &total));
    YOKE_TRY(map_second(&v.memory, native, total));
    code = settle(&v);
    if (code == YOKE_OK)
        code = new_handle(out, &v.memory, &v);
    if (code < 0) {
        leave(&v);
        backend->memory->close(&v.memory);
        return code;
    }
    backend->process->native_close(native);
    return YOKE_OK;
}

const yoke__object_type yoke__shm_type = {.kind = YOKE__KIND_SHM, .name = "segment"};
