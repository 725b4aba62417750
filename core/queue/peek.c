/* Getting without a copy: a view of a message that this process holds. */
#include "../error.h"
#include "../message/message.h"
#include "queue.h"

#include <string.h>

/* What view.private_ holds. */
enum { OFFSET, TICKET, DOMAIN };

int yoke_queue_peek(yoke_queue *handle, yoke_view *view, int64_t timeout)
{
    yoke__queue queue;
    yoke__get   get = {.content = YOKE__CONTENT_BYTES, .hold = true, .no_copy = true};

    if (!view)
        return yoke__fail(YOKE_EINVAL, "view is NULL");
    YOKE_TRY(yoke__queue_for(&queue, handle, YOKE_MAY_GET));
    YOKE_TRY(yoke__queue_get(&queue, &get, timeout));
    memset(view, 0, sizeof *view);
    view->private_[OFFSET] = yoke__domain_offset(queue.domain, get.block);
    view->private_[TICKET] = get.ticket;
    view->private_[DOMAIN] = yoke__domain_header(queue.domain)->id;
    view->redelivered = get.redelivered;
    view->size = (size_t)get.size;
    view->data = yoke__message_payload(get.block);
    return YOKE_OK;
}

static int fail_not_held(void)
{
    return yoke__fail(YOKE_EINVAL,
                      "the view is not one of a message that this process holds through this handle: was it "
                      "released or returned before?");
}

/* Takes the message behind a view out of the hands of this process: for good, or back to the queue. */
static int let_go(yoke__message_block **out, yoke__queue *queue, yoke_view *view, bool back)
{
    yoke__message_block *block;
    yoke__message_hold   hold = {0};

    if (!view)
        return yoke__fail(YOKE_EINVAL, "view is NULL");
    hold.block = view->private_[OFFSET];
    hold.ticket = view->private_[TICKET];
    hold.domain = view->private_[DOMAIN];
    yoke__queue_lock(queue, &queue->state->consumers);
    block = yoke__hold_find(queue, &hold);
    if (block && back)
        yoke__hold_return(queue, block, true);
    else if (block)
        yoke__hold_end(queue, block);
    yoke__queue_unlock(queue, &queue->state->consumers);
    if (!block)
        return fail_not_held();
    memset(view, 0, sizeof *view);
    *out = block;
    return YOKE_OK;
}

int yoke_queue_release(yoke_queue *handle, yoke_view *view)
{
    yoke__queue          queue;
    yoke__message_block *block;

    if (!yoke__queue_of(&queue, handle))
        return yoke__noted();
    YOKE_TRY(let_go(&block, &queue, view, false));
    yoke__queue_done_with(&queue, block);
    return YOKE_OK;
}

int yoke_queue_return(yoke_queue *handle, yoke_view *view)
{
    yoke__queue          queue;
    yoke__message_block *block;

    if (!yoke__queue_of(&queue, handle))
        return yoke__noted();
    YOKE_TRY(let_go(&block, &queue, view, true));
    yoke__queue_came_back(&queue);
    return YOKE_OK;
}
