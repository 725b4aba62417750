/*
 * Messages that this process has taken and not let go of: peeked, or got from a joinable queue. Each lies in a block that
 * is held by the process's token, so that they come back to the queue if it dies. A handle lists its own, oldest first,
 * in fields that only this process reads; all under the consumers' lock.
 */
#include "../domain/allocator.h"
#include "../message/message.h"
#include "queue.h"

#define UNIT 64u /* blocks lie at multiples of this */

/* The list's ends in the handle. A forked child inherits the handle, but holds nothing. */
typedef struct held_list {
    uint64_t *oldest; /* as offset / UNIT; 0: none */
    uint64_t *newest;
} held_list;

static held_list list_of(yoke__queue *queue)
{
    uint64_t *own = queue->handle->private_;
    uint64_t  token = yoke__domain_token(queue->domain);

    if (own[2] != token) {
        own[0] = own[1] = 0;
        own[2] = token;
    }
    return (held_list){&own[0], &own[1]};
}

static uint64_t unit_of(const yoke__queue *queue, const yoke__message_block *block)
{
    return yoke__domain_offset(queue->domain, block) / UNIT;
}

/* A neighbour, or NULL: there is none, or the list is damaged. */
static yoke__message_block *at_unit(yoke__queue *queue, uint64_t unit)
{
    return unit ? yoke__queue_block_at(queue, unit * UNIT) : NULL;
}

uint64_t yoke__hold_ticket(yoke__queue *queue)
{
    return ++queue->state->tickets;
}

void yoke__hold_add(yoke__queue *queue, yoke__message_block *block)
{
    held_list            list = list_of(queue);
    uint64_t             unit = unit_of(queue, block);
    yoke__message_block *newest = at_unit(queue, *list.newest);

    block->handle = queue->handle->reference;
    block->newer = 0;
    block->older = (uint32_t)*list.newest;
    if (newest)
        newest->newer = (uint32_t)unit;
    else
        *list.oldest = unit;
    *list.newest = unit;
}

static void unlist(yoke__queue *queue, yoke__message_block *block)
{
    held_list            list = list_of(queue);
    yoke__message_block *older = at_unit(queue, block->older);
    yoke__message_block *newer = at_unit(queue, block->newer);

    yoke__a32_and_acq_rel(&block->flags, ~YOKE__MESSAGE_TASK);

    if (older)
        older->newer = block->newer;
    else
        *list.oldest = block->newer;
    if (newer)
        newer->older = block->older;
    else
        *list.newest = block->older;
    yoke__a64_store_relaxed(&block->ticket, 0);
}

yoke__message_block *yoke__hold_find(yoke__queue *queue, const yoke__message_hold *hold)
{
    bool                 here = hold->domain == yoke__domain_header(queue->domain)->id;
    yoke__message_block *block = here ? yoke__queue_block_at(queue, hold->block) : NULL;

    if (!block || !hold->ticket || yoke__alloc_holder(queue->domain, block) != yoke__domain_token(queue->domain))
        return NULL;
    if (block->queue != queue->id || yoke__a64_load_relaxed(&block->ticket) != hold->ticket ||
        block->handle != queue->handle->reference)
        return NULL;
    return block;
}

yoke__message_block *yoke__hold_oldest(yoke__queue *queue)
{
    held_list            list = list_of(queue);
    yoke__message_block *block = at_unit(queue, *list.oldest);

    if (block && yoke__a64_load_relaxed(&block->ticket) != 0 &&
        yoke__alloc_holder(queue->domain, block) == yoke__domain_token(queue->domain))
        return block;
    *list.oldest = *list.newest = 0; /* none, or damaged: what is lost to it comes back when this process ends */
    return NULL;
}

yoke__message_block *yoke__hold_oldest_task(yoke__queue *queue)
{
    yoke__message_block *block = yoke__hold_oldest(queue);

    while (block && !(yoke__a32_load_acquire(&block->flags) & YOKE__MESSAGE_TASK))
        block = at_unit(queue, block->newer);
    return block;
}

void yoke__hold_make_task(yoke__message_block *block)
{
    yoke__a32_or_acq_rel(&block->flags, YOKE__MESSAGE_TASK);
}

void yoke__hold_end(yoke__queue *queue, yoke__message_block *block)
{
    yoke__journal steps = {.steps = YOKE__STEP_LET_GO, .block = yoke__domain_offset(queue->domain, block)};

    unlist(queue, block);
    if (yoke__queue_has(queue, YOKE__QUEUE_JOINABLE)) {
        steps.steps |= YOKE__STEP_DONE;
        steps.done = yoke__a64_load_relaxed(&queue->state->done) + 1;
    }
    yoke__journal_do(queue, &steps);
}

void yoke__hold_return(yoke__queue *queue, yoke__message_block *block, bool redelivered)
{
    unlist(queue, block);
    yoke__queue_list_again(queue, block, redelivered);
}
