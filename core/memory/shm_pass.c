/* Passing segments to started children: as natives. */
#include "view.h"

#include "../backend.h"
#include "../error.h"

int yoke__shm_pass(yoke__shm_passage *out, const yoke_shm *shm)
{
    yoke__view *v = yoke__view_of(shm);
    yoke_native lock = YOKE_NO_NATIVE;
    uint32_t    slot = 0;
    if (!v)
        return yoke__noted();
    if (v->slot_held) {
        YOKE_TRY(yoke__view_lock_name(&lock, v->full));
        int code = yoke__segment_claim(v->memory.base, YOKE__USE_FLIGHT, &slot);
        yoke__view_unlock_name(lock, v->full);
        YOKE_TRY(code);
    }
    *out = (yoke__shm_passage){
        .native = v->memory.handle, .flight = v->slot_held ? slot + 1 : 0, .read_only = v->read_only};
    return YOKE_OK;
}

/* What was in flight is not any more. */
static void land(const yoke__view *v, uint32_t flight)
{
    yoke_native lock = YOKE_NO_NATIVE;
    if (!flight || !*v->full || yoke__view_lock_name(&lock, v->full) < 0)
        return;
    yoke__segment_land(v->memory.base, flight - 1);
    yoke__view_unlock_name(lock, v->full);
}

void yoke__shm_stay(const yoke_shm *shm, uint32_t flight)
{
    const yoke__view *v = yoke__view_of(shm);
    if (v)
        land(v, flight);
}

void yoke__shm_arrive(const yoke_shm *shm, uint32_t flight)
{
    const yoke__view *v = yoke__view_of(shm); /* claims a slot, before the one in flight goes */
    if (v)
        land(v, flight);
}

/* Claims before it lets go of what was in flight, so that the segment is never without a user. */
static int settle(yoke__view *v, uint32_t flight)
{
    yoke__segment_header *segment = v->memory.base;
    yoke_native           lock = YOKE_NO_NATIVE;
    int                   code = YOKE_OK;
    if (!*v->full)
        return YOKE_OK;
    YOKE_TRY(yoke__view_lock_name(&lock, v->full));
    if (!yoke__a32_load_acquire(&segment->gone)) {
        code = yoke__segment_claim(segment, YOKE__USE_OPEN, &v->slot);
        v->slot_held = code == YOKE_OK;
        if (v->slot_held && flight)
            yoke__segment_land(segment, flight - 1);
    }
    yoke__view_unlock_name(lock, v->full);
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
    bool        ready = false;
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

int yoke__shm_import(yoke_shm **out, const yoke__shm_passage *passed)
{
    const yoke_backend *backend = yoke__backend();
    yoke__view          v = {.slot_held = false};
    uint64_t            total = 0;
    int                 code;
    yoke__views_watch();
    YOKE_TRY(measure(passed->native, &total));
    YOKE_TRY(map_second(&v.memory, passed->native, total));
    code = yoke__view_settle(&v, &v.memory, passed->read_only);
    if (code == YOKE_OK)
        code = settle(&v, passed->flight);
    if (code == YOKE_OK)
        code = yoke__view_new(out, &v.memory, &v);
    if (code < 0) {
        yoke__view_leave(&v);
        backend->memory->close(&v.memory);
        return code;
    }
    backend->process->native_close(passed->native);
    return YOKE_OK;
}
