/* Making segments, and opening them by name. */
#include "view.h"

#include "../backend.h"
#include "../domain/make.h"
#include "../error.h"
#include "../options.h"

#include <string.h>

typedef struct request {
    yoke__segment_spec            spec;
    yoke_open_mode                mode;
    bool                          read_only;
    const char                   *name; /* as the user wrote it, or NULL */
    const yoke__segment_identity *same; /* only this very one, or NULL */
} request;

/* With the lock of the name held, if there is one. */
static int make(yoke_shm **out, const request *ask)
{
    yoke_memory memory;
    yoke__view  v = {.slot_held = *ask->spec.name != 0};
    int         code;
    YOKE_TRY(yoke__segment_make(&memory, &ask->spec));
    code = yoke__view_settle(&v, &memory, ask->read_only);
    if (code == YOKE_OK && v.slot_held)
        code = yoke__segment_claim(memory.base, YOKE__USE_OPEN, &v.slot);
    if (code == YOKE_OK)
        code = yoke__view_new(out, &memory, &v);
    if (code == YOKE_OK)
        return YOKE_OK;
    if (*ask->spec.name)
        (void)yoke__view_remove_name(memory.base, v.full);
    yoke__backend()->memory->close(&memory);
    return code;
}

/* Does what is there agree with what is asked for? */
static int check_agreement(const yoke__segment_header *segment, const request *ask)
{
    const yoke__segment_spec *spec = &ask->spec;
    if (ask->mode == YOKE_CREATE)
        return yoke__fail_object(YOKE_EEXIST, spec->name, "segment '%s' exists and is in use", spec->name);
    if (ask->same && memcmp(ask->same, &segment->identity, sizeof segment->identity) != 0)
        return yoke__fail_object(YOKE_ENOENT, spec->name,
                                 "the segment '%s' that was meant is gone, another has its name", spec->name);
    if (spec->size && spec->size != segment->size)
        return yoke__fail_object(YOKE_EINVAL, spec->name, "segment '%s' has %llu bytes, not %zu", spec->name,
                                 (unsigned long long)segment->size, spec->size);
    if (spec->persist && !segment->persist)
        return yoke__fail_object(YOKE_EINVAL, spec->name, "segment '%s' is there without `persist`", spec->name);
    if (spec->max_users && spec->max_users != segment->user_count)
        return yoke__fail_object(YOKE_EINVAL, spec->name, "segment '%s' is there for %lu users, not for %lu",
                                 spec->name, (unsigned long)segment->user_count, (unsigned long)spec->max_users);
    return YOKE_OK;
}

/* Lock held, sound, and in use or meant to stay. The mapping is the caller's until this succeeds. */
static int join(yoke_shm **out, yoke_memory *memory, const request *ask)
{
    yoke__segment_header *segment = memory->base;
    yoke__view            v = {.slot_held = true};
    int                   code;
    YOKE_TRY(check_agreement(segment, ask));
    YOKE_TRY(yoke__view_settle(&v, memory, ask->read_only));
    YOKE_TRY(yoke__segment_claim(segment, YOKE__USE_OPEN, &v.slot));
    code = yoke__view_new(out, memory, &v);
    if (code < 0)
        yoke__segment_release(segment, v.slot);
    return code;
}

/* Lock held. The first page tells how many bytes there are; *total 0: nothing in it counts. */
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

int yoke__shm_map(yoke_memory *out, const char *full, bool *ready)
{
    uint64_t total = 0;
    YOKE_TRY(peek(full, &total));
    *ready = total != 0;
    return *ready ? yoke__backend()->memory->open(out, full, total) : YOKE_OK;
}

static int not_there(yoke_shm **out, const request *ask)
{
    if (ask->mode == YOKE_OPEN)
        return yoke__fail_object(YOKE_ENOENT, ask->spec.name, "there is no segment '%s'", ask->name);
    if (ask->spec.owner != yoke__segment_self())
        return yoke__fail_object(YOKE_EACCES, ask->spec.name, "only user %llu can make the segment '%s'",
                                 (unsigned long long)ask->spec.owner, ask->name);
    return make(out, ask);
}

/* What nobody needs is cleared away by its owner; to others it is not there. */
static int clear(yoke_shm **out, const request *ask, const char *full, yoke__segment_header *segment, bool *again)
{
    if (ask->spec.owner != yoke__segment_self())
        return not_there(out, ask);
    *again = true;
    return yoke__view_remove_name(segment, full);
}

/* One try with the lock held. *again: what the dead left was cleared away. */
static int open_locked(yoke_shm **out, const request *ask, const char *full, bool *again)
{
    yoke_memory memory = {.handle = YOKE_NO_NATIVE};
    bool        ready = false;
    int         code = yoke__shm_map(&memory, full, &ready);
    if (code == YOKE_ENOENT)
        return not_there(out, ask);
    if (code < 0)
        return yoke__fail_in(code, "segment '%s'", ask->name);
    if (!ready)
        return clear(out, ask, full, NULL, again);
    if (yoke__segment_is_leftover(memory.base))
        code = clear(out, ask, full, memory.base, again);
    else
        code = join(out, &memory, ask);
    if (code < 0 || *again)
        yoke__backend()->memory->close(&memory);
    return code;
}

static int open_by_name(yoke_shm **out, const request *ask)
{
    char full[YOKE__SEGMENT_FULL_NAME];
    bool again;
    int  code;
    yoke__segment_full_name(full, ask->spec.owner, ask->spec.name);
    do {
        yoke_native lock = YOKE_NO_NATIVE;
        again = false;
        code = yoke__view_lock_name(&lock, full);
        if (code == YOKE_ENOENT) /* another user's */
            return not_there(out, ask);
        YOKE_TRY(code);
        code = open_locked(out, ask, full, &again);
        yoke__view_unlock_name(lock, full);
    } while (code == YOKE_OK && again);
    return code;
}

int yoke__shm_open_same(yoke_shm **out, const yoke__segment_spec *spec, const yoke__segment_identity *same,
                        bool read_only)
{
    request ask = {.spec = *spec, .mode = YOKE_OPEN, .read_only = read_only, .name = spec->name, .same = same};
    YOKE_TRY(yoke__backend_ready());
    yoke__views_watch();
    return open_by_name(out, &ask);
}

static int check_options(request *ask, const yoke_shm_options *given)
{
    if ((unsigned)given->mode > YOKE_OPEN_OR_CREATE)
        return yoke__fail(YOKE_EINVAL, "mode %d is none", (int)given->mode);
    if (given->max_users > YOKE__SEGMENT_USERS_MOST)
        return yoke__fail(YOKE_EINVAL, "%zu users are more than the %u that a segment can have", given->max_users,
                          YOKE__SEGMENT_USERS_MOST);
    if (!given->name && (given->persist || given->permissions || given->max_users))
        return yoke__fail(YOKE_EINVAL, "%s counts only with a name",
                          given->persist ? "persist" : (given->permissions ? "permissions" : "max_users"));
    ask->mode = given->mode;
    ask->read_only = given->read_only;
    ask->name = given->name;
    ask->spec.persist = given->persist;
    ask->spec.max_users = (uint32_t)given->max_users;
    return yoke__domain_permissions(&ask->spec.permissions, given->permissions);
}

int yoke_shm_create(yoke_shm **out, size_t size, const yoke_shm_options *options)
{
    yoke_shm_options given;
    if (!out)
        return yoke__fail(YOKE_EINVAL, "the place for the segment's handle is NULL");
    YOKE_TRY(yoke__options_take(yoke_shm_options, &given, options));
    request ask = {.spec = {.size = size}};
    YOKE_TRY(check_options(&ask, &given));
    if (size == 0 && !(given.name && given.mode == YOKE_OPEN))
        return yoke__fail(YOKE_EINVAL, "a segment needs at least one byte");
    YOKE_TRY(yoke__backend_ready());
    if (given.persist && yoke__backend()->memory->names_go)
        return yoke__fail_object(YOKE_ENOTSUP, given.name, "on this system the segment '%s' can't outlive its users",
                                 given.name);
    yoke__views_watch();
    if (!given.name)
        return make(out, &ask);
    YOKE_TRY(yoke__shm_name_take(&ask.spec, given.name));
    return open_by_name(out, &ask);
}

int yoke_shm_open(yoke_shm **out, const char *name)
{
    if (!name)
        return yoke__fail(YOKE_EINVAL, "the name of the segment to open is NULL");
    return yoke_shm_create(out, 0, YOKE_OPTIONS(yoke_shm_options, .name = name, .mode = YOKE_OPEN));
}
