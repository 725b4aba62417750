/* What yoke_wait can wait for: makers of entries (yoke/wait.h). */
#include "../domain/object.h"

#include <yoke/listener.h>
#include <yoke/wait.h>

static yoke_wait_entry entry_of(yoke_wait_what what, yoke__kind kind, void *handle)
{
    return (yoke_wait_entry){.what = (uint32_t)what, .kind = (uint32_t)kind, .handle = handle};
}

yoke_wait_entry yoke_wait_queue_readable(yoke_queue *queue)
{
    return entry_of(YOKE_WAIT_READABLE, YOKE__KIND_QUEUE, queue);
}

yoke_wait_entry yoke_wait_queue_writable(yoke_queue *queue)
{
    return entry_of(YOKE_WAIT_WRITABLE, YOKE__KIND_QUEUE, queue);
}

yoke_wait_entry yoke_wait_process_ended(yoke_process *process)
{
    return entry_of(YOKE_WAIT_ENDED, YOKE__KIND_PROCESS, process);
}

yoke_wait_entry yoke_wait_event_set(yoke_event *event)
{
    return entry_of(YOKE_WAIT_SET, YOKE__KIND_EVENT, event);
}

yoke_wait_entry yoke_wait_semaphore_available(yoke_semaphore *semaphore)
{
    return entry_of(YOKE_WAIT_AVAILABLE, YOKE__KIND_SEMAPHORE, semaphore);
}

yoke_wait_entry yoke_wait_conn_readable(yoke_conn *conn)
{
    return entry_of(YOKE_WAIT_READABLE, YOKE__KIND_CONN, conn);
}

yoke_wait_entry yoke_wait_listener_readable(yoke_listener *listener)
{
    return entry_of(YOKE_WAIT_READABLE, YOKE__KIND_LISTENER, listener);
}
