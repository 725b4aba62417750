/* Messages that nobody will get. Each goes by a step that a consumer might do, so a death in the middle leaves a sound
 * queue. */
#include "../domain/allocator.h"
#include "../domain/directory.h"
#include "../domain/participant.h"
#include "queue.h"
#include "ring.h"

/* Consumers' lock held: the steps, and what is left to free. */
static void go(yoke__queue *queue, yoke__journal *steps, yoke__message_block *block)
{
    if (yoke__queue_has(queue, YOKE__QUEUE_JOINABLE)) {
        steps->steps |= YOKE__STEP_DONE;
        steps->done = yoke__a64_load_relaxed(&queue->state->done) + 1;
    }
    if (block) {
        steps->steps |= YOKE__STEP_LET_GO;
        steps->block = yoke__domain_offset(queue->domain, block);
    }
    yoke__journal_do(queue, steps);
    queue->dropped |= block && block->handles;
    yoke__free(queue->domain, block);
}

static bool discard_redelivered(yoke__queue *queue)
{
    uint64_t             offset = yoke__list_first(yoke__a64_load_relaxed(&queue->state->redeliver));
    yoke__message_block *block = offset ? yoke__queue_block_at(queue, offset) : NULL;
    yoke__journal        steps = {.steps = YOKE__STEP_LIST};

    if (!block)
        return false;
    steps.list = yoke__queue_list_pop(queue, block);
    go(queue, &steps, block);
    return true;
}

static bool discard_record(yoke__queue *queue)
{
    bool                 damaged = false;
    uint64_t             head;
    yoke__ring          *ring = yoke__chain_first(queue);
    yoke__record        *record = ring ? yoke__ring_oldest(ring, &head, &damaged) : NULL;
    bool                 large = record && record->form == YOKE__FORM_BLOCK;
    yoke__message_block *block = large ? yoke__queue_block_at(queue, record->block) : NULL;
    yoke__journal steps = {.steps = YOKE__STEP_HEAD, .ring = ring ? yoke__domain_offset(queue->domain, ring) : 0};

    if (!record || (large && !block))
        return false;
    steps.head = head;
    yoke__queue_count_get(queue, yoke__position_sequence(head), block ? block->size : record->size);
    go(queue, &steps, block);
    yoke__queue_note(&queue->state->gets, yoke__position_sequence(head));
    return true;
}

uint64_t yoke__queue_discard(yoke__queue *queue)
{
    uint64_t count = 0;

    while (discard_redelivered(queue) || discard_record(queue))
        count++;
    return count;
}

void yoke__queue_collect_carried(yoke__queue *queue)
{
    if (!queue->dropped)
        return;
    queue->dropped = false;
    yoke__registry_acquire(queue->domain);
    yoke__directory_note_pending(queue->domain);
    yoke__directory_tidy(queue->domain);
    yoke__registry_release(queue->domain);
}
