/* Roles: who may put, who may get, and whether anybody is left who may. */
#include "../error.h"
#include "queue.h"

int yoke__queue_orphaned(yoke__queue *queue, yoke_queue_role needed)
{
    if (!yoke__queue_has(queue, YOKE__QUEUE_REPORT_ORPHANED))
        return YOKE_OK;
    /* A task that somebody has may come back. */
    if (needed == YOKE_MAY_PUT && yoke__queue_has(queue, YOKE__QUEUE_JOINABLE) && yoke__queue_unfinished(queue) > 0)
        return YOKE_OK;
    if (yoke__role_somewhere(queue->domain, queue->id, (uint32_t)needed))
        return YOKE_OK;
    return yoke__fail(YOKE_EORPHANED,
                      needed == YOKE_MAY_PUT
                          ? "the queue is empty, and no process is left that could put anything into it"
                          : "the queue is full, and no process is left that could get anything out of it");
}

/* Registry lock held. */
void yoke__queue_unreferenced(yoke_domain *domain, yoke__id id, void *object)
{
    yoke__queue queue = {.domain = domain, .state = (yoke__queue_state *)object, .id = id};

    if (!yoke__queue_has(&queue, YOKE__QUEUE_REPORT_ORPHANED))
        return;
    yoke__a32_add_acq_rel(&queue.state->roles, 1);
    yoke__queue_wake_everybody(&queue);
}

int yoke_queue_drop(yoke_queue *handle, unsigned roles)
{
    yoke__queue queue;

    if (!yoke__queue_of(&queue, handle))
        return yoke__noted();
    if (roles == 0 || (roles & ~(unsigned)(YOKE_MAY_PUT | YOKE_MAY_GET)))
        return yoke__fail(YOKE_EINVAL, "%#x are no roles of a queue", roles);
    yoke__handle_drop_roles(queue.handle, roles);
    return YOKE_OK;
}
