/* What a participant that died leaves in a queue: rings, messages under way, messages it held. */
#include "../domain/allocator.h"
#include "../domain/directory.h"
#include "../domain/participant.h"
#include "queue.h"
#include "ring.h"

void yoke__queue_list_again(yoke__queue *queue, yoke__message_block *block, bool redelivered)
{
    if (redelivered) {
        yoke__a32_or_acq_rel(&block->flags, YOKE__MESSAGE_REDELIVERED);
        yoke__a64_add_acq_rel(&queue->state->redelivered, 1);
    }
    yoke__a64_store_relaxed(&block->next, yoke__a64_load_relaxed(&queue->state->redeliver));
    yoke__a64_store_release(&queue->state->redeliver, yoke__domain_offset(queue->domain, block)); /* commit */
}

bool yoke__queue_list_next(const yoke__queue *queue, yoke__chain_walk *walk)
{
    const yoke__message_block *block;

    if ((walk->steps & (walk->steps - 1)) == 0)
        walk->seen = walk->at;
    walk->steps++;
    block = (const yoke__message_block *)yoke__domain_check(queue->domain, walk->at & ~UINT64_C(63), sizeof *block);
    walk->at = block ? yoke__a64_load_relaxed(&block->next) : 0;
    return walk->at != 0 && walk->at != walk->seen;
}

/* ---- is it linked? ----------------------------------------------------------------------------------------------- */

static bool record_links(void *user, yoke__record *record)
{
    return record->form == YOKE__FORM_BLOCK && record->block == *(const uint64_t *)user;
}

static bool rings_hold(yoke__queue *queue, uint64_t offset)
{
    yoke__chain_walk walk = {.at = yoke__a64_load_relaxed(&queue->state->head_ring)};

    do
        if (yoke__ring_walk(yoke__queue_ring(queue, walk.at), record_links, &offset))
            return true;
    while (yoke__chain_next(queue, &walk));
    return false;
}

static bool list_holds(yoke__queue *queue, uint64_t offset)
{
    yoke__chain_walk walk = {.at = yoke__a64_load_relaxed(&queue->state->redeliver)};
    bool             found = walk.at == offset;

    while (!found && yoke__queue_list_next(queue, &walk))
        found = walk.at == offset;
    return found;
}

/* Both locks held. It goes: reservations and objects that it carried go with it. */
static void forget(yoke__queue *queue, yoke__message_block *block)
{
    if (block->tag != YOKE__TAG_MESSAGE)
        return;
    yoke__queue_unreserve(queue, block);
    if (block->handles)
        yoke__directory_note_pending(queue->domain);
}

/* Both locks held. *again: it was the dead one's hold, and comes once more. */
static bool settle(yoke__queue *queue, void *block, bool *again)
{
    uint64_t    offset = yoke__domain_offset(queue->domain, block);
    yoke__token holder;

    if (yoke__chain_links(queue, offset) || rings_hold(queue, offset) || list_holds(queue, offset))
        return true;
    /* Looked at now: taking the lock may have finished what the dead had begun, and a consumer may have come to hold what
     * a dead producer had put. */
    holder = yoke__alloc_holder(queue->domain, block);
    if (holder && yoke__token_alive(queue->domain, holder))
        return true;
    *again = holder != 0;
    if (*again)
        yoke__queue_list_again(queue, block, true);
    else
        forget(queue, block);
    return *again;
}

/* Is the block, which a dead participant owned, a ring or a message of this queue? One that the dead held is queued
 * again here. What is neither was not committed yet, or discarded already. */
bool yoke__queue_links(yoke_domain *domain, yoke__id id, void *object, void *block, bool held)
{
    yoke__queue queue = {domain, (yoke__queue_state *)object, NULL, id, false};
    bool        linked;
    bool        again = false;

    (void)held;
    yoke__queue_lock(&queue, &queue.state->producers);
    yoke__queue_lock(&queue, &queue.state->consumers);
    linked = settle(&queue, block, &again);
    yoke__queue_unlock(&queue, &queue.state->consumers);
    yoke__queue_unlock(&queue, &queue.state->producers);
    if (again)
        yoke__queue_wake(&queue, &queue.state->getters_sleep, &queue.state->items);
    return linked;
}

/* Before the blocks of the dead are looked through: what it had committed as holder of the consumers' lock is finished
 * while its token still stands for it. */
void yoke__queue_sweep(yoke_domain *domain, yoke__id id, void *object, yoke__token dead)
{
    yoke__queue queue = {domain, (yoke__queue_state *)object, NULL, id, false};

    /* It may have died after freeing a message and before it gave back what that carried. */
    if (yoke__a32_load_acquire(&queue.state->carries))
        yoke__directory_note_pending(domain);
    /* Valid without the dead owning the lock: who took it over is about to finish, and is waited for. */
    if ((yoke__a32_load_acquire(&queue.state->consumers) & YOKE__TOKEN_MASK) != dead &&
        !yoke__a32_load_acquire(&queue.state->journal.valid))
        return;
    yoke__queue_lock(&queue, &queue.state->consumers);
    yoke__queue_unlock(&queue, &queue.state->consumers);
}
