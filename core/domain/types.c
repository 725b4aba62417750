/* All kinds of objects. Each is defined where its functions are. */
#include "object.h"

extern const yoke__object_type yoke__process_type, yoke__queue_type, yoke__lock_type, yoke__value_type,
    yoke__array_type, yoke__shm_type, yoke__rlock_type, yoke__rwlock_type, yoke__semaphore_type, yoke__condition_type,
    yoke__event_type, yoke__barrier_type, yoke__shareable_type, yoke__parcel_type, yoke__share_type;

static const yoke__object_type *types[YOKE__KIND_COUNT] = {
    [YOKE__KIND_PROCESS] = &yoke__process_type,     [YOKE__KIND_QUEUE] = &yoke__queue_type,
    [YOKE__KIND_LOCK] = &yoke__lock_type,           [YOKE__KIND_VALUE] = &yoke__value_type,
    [YOKE__KIND_ARRAY] = &yoke__array_type,         [YOKE__KIND_SHM] = &yoke__shm_type,
    [YOKE__KIND_RLOCK] = &yoke__rlock_type,         [YOKE__KIND_RWLOCK] = &yoke__rwlock_type,
    [YOKE__KIND_SEMAPHORE] = &yoke__semaphore_type, [YOKE__KIND_CONDITION] = &yoke__condition_type,
    [YOKE__KIND_EVENT] = &yoke__event_type,         [YOKE__KIND_BARRIER] = &yoke__barrier_type,
    [YOKE__KIND_SHAREABLE] = &yoke__shareable_type, [YOKE__KIND_PARCEL] = &yoke__parcel_type,
    [YOKE__KIND_SHARE] = &yoke__share_type,
};

const yoke__object_type *yoke__object_type_of(yoke__kind kind)
{
    return (unsigned)kind < YOKE__KIND_COUNT ? types[kind] : NULL;
}

const yoke__object_type *yoke__object_type_replace(yoke__kind kind, const yoke__object_type *type)
{
    const yoke__object_type *before = types[kind];
    types[kind] = type;
    return before;
}

const char *yoke__kind_name(yoke__kind kind)
{
    const yoke__object_type *type = yoke__object_type_of(kind);
    if (type)
        return type->name;
    switch (kind) {
    case YOKE__KIND_DOMAIN:
        return "domain";
    case YOKE__KIND_CONN:
        return "connection";
    case YOKE__KIND_LISTENER:
        return "listener";
    case YOKE__KIND_FILE:
        return "file";
    default:
        return "thing of an unknown kind";
    }
}
