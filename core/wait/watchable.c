#include "watchable.h"

#include "../error.h"

const yoke__watchable *yoke__watchable_of(yoke__kind kind)
{
    static const yoke__watchable *const all[] = {&yoke__queue_watchable, &yoke__process_watchable,
                                                 &yoke__event_watchable, &yoke__semaphore_watchable,
                                                 &yoke__conn_watchable,  &yoke__listener_watchable};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i]->kind == kind)
            return all[i];
    return NULL;
}

const yoke__watchable *yoke__watchable_check(const void *handle, yoke__kind kind, yoke__what what)
{
    const yoke__watchable *type = yoke__watchable_of(kind);

    if (!yoke__handle_check(handle, kind))
        return NULL;
    if (!type || ((type->whats >> (uint32_t)what) & 1u) == 0) {
        yoke__fail(YOKE_EINVAL, "a %s can't be waited for in that way", yoke__kind_name(kind));
        return NULL;
    }
    if (type->check && type->check((yoke__handle *)(uintptr_t)handle) < 0)
        return NULL;
    return type;
}
