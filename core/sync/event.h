/* An event in shared memory. docs/design/semaphores.md has the protocol. */
#ifndef YOKE_CORE_SYNC_EVENT_H
#define YOKE_CORE_SYNC_EVENT_H

#include "../domain/object.h"

#include <yoke/event.h>

/*
 *   word     = {WAITERS | number of sets, 30 bits | SET}. Sleepers sleep on it. A set counts up and sets SET by the CAS
 *              that takes WAITERS out; a clear takes SET out. WAITERS is set by who is about to sleep, and only while SET
 *              is not. A wait is satisfied by SET, or by another number than at its beginning.
 *   watchers = threads that wait for it besides other things (wait/watchers.h)
 *
 * A thread stopped in a wait over exactly 2^30 sets would wait on for the next one.
 */
typedef struct yoke__event_state {
    yoke__a32 word;
    uint32_t  reserved;
    yoke__a64 watchers;
} yoke__event_state;
_Static_assert(sizeof(yoke__event_state) == 16, "shared layout");

#define YOKE__EVENT_SET  UINT32_C(1)
#define YOKE__EVENT_SETS UINT32_C(0x7ffffffe)

struct yoke_event {
    yoke__handle handle;
};

extern const yoke__object_type yoke__event_type;

#endif
