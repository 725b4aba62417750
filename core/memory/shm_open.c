/* Making segments, and opening them by name. */
#include "view.h"

#include "../backend.h"
#include "../error.h"
#include "../options.h"

#include <string.h>

typedef struct request {
    const char    *name; /* "": anonymous */
    yoke_open_mode mode;
    size_t         size;
} request;

static int make(yoke_shm **out, const request *ask)
{
    yoke_memory memory;
    yoke__view  v = {.slot_held = *ask->name != 0};
    int         code;
    YOKE_TRY(yoke__segment_make(&memory, ask->name, ask->size));
    code = v.slot_held ? yoke__segment_claim(memory.base, YOKE__USE_OPEN, &v.slot) : YOKE_OK;
    if (code == YOKE_OK)
        code = yoke__view_new(out, &memory, &v);
    if (code == YOKE_OK)
        return YOKE_OK;
    if (*ask->name)
        (void)yoke__view_remove_name(memory.base, ask->name);
    yoke__backend()->memory->close(&memory);
    return code;
}

/* Lock held, sound, and in use. The mapping is the caller's until this succeeds. */
static int join(yoke_shm **out, yoke_memory *memory, const request *ask)
{
    yoke__segment_header *segment = memory->base;
    yoke__view            v = {.slot_held = true};
    int                   code;
    if (ask->mode == YOKE_CREATE)
        return yoke__fail_object(YOKE_EEXIST, ask->name, "segment '%s' exists and is in use", ask->name);
    if (ask->size && ask->size != segment->size)
        return yoke__fail_object(YOKE_EINVAL, ask->name, "segment '%s' has %llu bytes, not %zu", ask->name,
                                 (unsigned long long)segment->size, ask->size);
    YOKE_TRY(yoke__segment_claim(segment, YOKE__USE_OPEN, &v.slot));
    code = yoke__view_new(out, memory, &v);
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
        return yoke__view_remove_name(NULL, ask->name);
    }
    YOKE_TRY(ops->open(&memory, full, total));
    if (yoke__segment_in_use(memory.base)) {
        code = join(out, &memory, ask);
        if (code < 0)
            ops->close(&memory);
        return code;
    }
    *again = true;
    code = yoke__view_remove_name(memory.base, ask->name);
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
        YOKE_TRY(yoke__view_lock_name(&lock, ask->name));
        code = open_locked(out, ask, &again);
        yoke__view_unlock_name(lock, ask->name);
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
    yoke__views_watch();
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
