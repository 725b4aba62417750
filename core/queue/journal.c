/*
 * The consumers' redo record. Several words that must change together are written down first; `valid` commits them.
 * Doing the steps may be repeated, and nobody but the holder of the lock does: so a death in the middle leaves either
 * nothing, or a valid record that the next holder finishes before it looks at anything else.
 */
#include "../domain/allocator.h"
#include "queue.h"

/* Release stores, all of them: none may be seen, or survive a kill, without `valid` before it. */
static void apply(yoke__queue *queue, const yoke__journal *journal)
{
    yoke__ring *ring = journal->steps & YOKE__STEP_HEAD ? yoke__queue_ring(queue, journal->ring) : &yoke__ring_nowhere;
    void       *block;

    if (ring != &yoke__ring_nowhere)
        yoke__a64_store_release(&ring->head, journal->head);
    if (journal->steps & YOKE__STEP_LIST)
        yoke__a64_store_release(&queue->state->redeliver, journal->list);
    block = journal->steps & (YOKE__STEP_HOLD | YOKE__STEP_LET_GO)
                ? yoke__domain_check(queue->domain, journal->block, sizeof(yoke__message_block))
                : NULL;
    if (block)
        yoke__alloc_assign(queue->domain, block, journal->token, (journal->steps & YOKE__STEP_HOLD) != 0);
    if (journal->steps & YOKE__STEP_DONE)
        yoke__a64_store_release(&queue->state->done, journal->done);
}

void yoke__journal_do(yoke__queue *queue, const yoke__journal *steps)
{
    yoke__journal *journal = &queue->state->journal;

    journal->steps = steps->steps;
    journal->token = yoke__domain_token(queue->domain);
    journal->ring = steps->ring;
    journal->head = steps->head;
    journal->list = steps->list;
    journal->block = steps->block;
    journal->done = steps->done;
    yoke__a32_store_release(&journal->valid, 1);
    apply(queue, journal);
    yoke__a32_store_release(&journal->valid, 0);
}

/* What was let go isn't freed here: this may be called from the recovery's walk over the blocks, which frees it. */
void yoke__journal_redo(yoke__queue *queue)
{
    yoke__journal *journal = &queue->state->journal;

    if (!yoke__a32_load_acquire(&journal->valid))
        return;
    apply(queue, journal);
    yoke__a32_store_release(&journal->valid, 0);
}
