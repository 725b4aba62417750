/* What a participant that died leaves in a queue: rings, messages under way, messages it held. */
#include "../domain/allocator.h"
#include "../domain/directory.h"
#include "../domain/participant.h"
#include "limit.h"
#include "queue.h"
#include "ring.h"

/* Changes how many there are by one, up or down: says the bytes that go with the number before the word shows it. */
static uint64_t list_word(yoke__queue *queue, uint64_t first, uint64_t change, uint64_t bytes)
{
    uint64_t count = yoke__list_count(yoke__a64_load_relaxed(&queue->state->redeliver)) + change;

    yoke__queue_add(queue->state->redeliver_bytes, count, bytes);
    return yoke__list_make(first, count & UINT32_MAX);
}

uint64_t yoke__queue_list_pop(yoke__queue *queue, const yoke__message_block *first)
{
    return list_word(queue, yoke__a64_load_relaxed(&first->next), UINT64_MAX, 0 - first->size);
}

void yoke__queue_list_again(yoke__queue *queue, yoke__message_block *block, bool redelivered)
{
    if (redelivered) {
        yoke__a32_or_acq_rel(&block->flags, YOKE__MESSAGE_REDELIVERED);
        yoke__a64_add_acq_rel(&queue->state->redelivered, 1);
    }
    yoke__a64_store_relaxed(&block->next, yoke__list_first(yoke__a64_load_relaxed(&queue->state->redeliver)));
    yoke__a64_store_release(&queue->state->redeliver,
                            list_word(queue, yoke__domain_offset(queue->domain, block), 1, block->size)); /* commit */
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

/*
 * The first question of a recovery marks all that is linked with the recovery's number; each answer is one look then,
 * though the queue goes on between two questions. What a dead participant still owns is linked as long as it was when it
 * was marked, since whoever takes something out makes it his own first; and nobody but the recovery links what is a dead
 * one's. A recovery that is killed has not freed the slots of its dead, so another sweep comes, and marks anew under
 * another number.
 */

static void mark_message(yoke__queue *queue, uint64_t offset)
{
    yoke__message_block *block = yoke__queue_block_at(queue, offset);

    if (block)
        yoke__a32_store_relaxed(&block->mark, yoke__a32_load_relaxed(&queue->state->mark));
}

static bool mark_record(void *user, yoke__record *record)
{
    if (record->form == YOKE__FORM_BLOCK)
        mark_message((yoke__queue *)user, record->block);
    return false;
}

static void mark_ring(yoke__queue *queue, uint64_t offset)
{
    yoke__ring *ring = yoke__queue_ring(queue, offset);

    if (ring == &yoke__ring_nowhere)
        return;
    yoke__a32_store_relaxed(&ring->mark, yoke__a32_load_relaxed(&queue->state->mark));
    (void)yoke__ring_walk(ring, mark_record, queue);
}

static void mark_rings(yoke__queue *queue)
{
    yoke__chain_walk walk = {.at = yoke__a64_load_relaxed(&queue->state->head_ring)};

    mark_ring(queue, yoke__a64_load_relaxed(&queue->state->spare));
    do
        mark_ring(queue, walk.at);
    while (yoke__chain_next(queue, &walk));
}

static void mark_list(yoke__queue *queue)
{
    yoke__chain_walk walk = {.at = yoke__list_first(yoke__a64_load_relaxed(&queue->state->redeliver))};

    if (walk.at)
        do
            mark_message(queue, walk.at);
        while (yoke__queue_list_next(queue, &walk));
}

/* Registry lock and both locks held. */
static void mark_all(yoke__queue *queue)
{
    uint32_t number = yoke__a32_load_relaxed(&queue->state->mark) + 1;

    if (yoke__a32_load_acquire(&queue->state->marked))
        return;
    yoke__a32_store_release(&queue->state->mark, number ? number : 1); /* no mark of an earlier one counts any more */
    mark_rings(queue);
    mark_list(queue);
    yoke__a32_store_release(&queue->state->marked, 1);
}

/* A ring or a message, by its first word; else NULL. */
static yoke__a32 *mark_of(yoke__queue *queue, void *block)
{
    uint64_t offset = yoke__domain_offset(queue->domain, block);
    uint32_t tag = *(const uint32_t *)block;

    if (tag == YOKE__TAG_RING && yoke__queue_ring(queue, offset) != &yoke__ring_nowhere)
        return &((yoke__ring *)block)->mark;
    return tag == YOKE__TAG_MESSAGE && yoke__queue_block_at(queue, offset) ? &((yoke__message_block *)block)->mark
                                                                           : NULL;
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
    yoke__a32  *mark = mark_of(queue, block);
    yoke__token holder;

    mark_all(queue);
    if (mark && yoke__a32_load_relaxed(mark) == yoke__a32_load_relaxed(&queue->state->mark))
        return true;
    /* Looked at now: taking the lock may have finished what the dead had begun, and a consumer may have come to hold what
     * a dead producer had put. */
    holder = yoke__alloc_holder(queue->domain, block);
    if (holder && yoke__token_alive(queue->domain, holder))
        return true;
    *again = holder != 0;
    if (*again) {
        yoke__queue_list_again(queue, block, true);
        mark_message(queue, yoke__domain_offset(queue->domain, block));
    } else {
        forget(queue, block);
    }
    return *again;
}

/* Registry lock held: who was stopped with the lock must not hold up all who need that. One wait is enough for a recovery,
 * that others go on with. */
static bool lock_now(yoke__queue *queue, yoke__a32 *side)
{
    if (yoke__queue_lock_soon(queue, side, queue->domain->put_off ? YOKE_NOWAIT : YOKE__QUEUE_GRACE))
        return true;
    queue->domain->put_off++;
    return false;
}

static bool lock_both(yoke__queue *queue)
{
    if (!lock_now(queue, &queue->state->producers))
        return false;
    if (lock_now(queue, &queue->state->consumers))
        return true;
    yoke__queue_unlock(queue, &queue->state->producers);
    return false;
}

/* Is the block, which a dead participant owned, a ring or a message of this queue? One that the dead held is queued
 * again here. What is neither was not committed yet, or discarded already. */
bool yoke__queue_links(yoke_domain *domain, yoke__id id, void *object, void *block, bool held)
{
    yoke__queue queue = {.domain = domain, .state = (yoke__queue_state *)object, .id = id};
    bool        linked;
    bool        again = false;

    (void)held;
    if (!lock_both(&queue))
        return false;
    linked = settle(&queue, block, &again);
    yoke__queue_unlock(&queue, &queue.state->consumers);
    yoke__queue_unlock(&queue, &queue.state->producers);
    if (again)
        yoke__queue_came_back(&queue);
    return linked;
}

/* Before the blocks of the dead are looked through: what it had committed as holder of the consumers' lock is finished
 * while its token still stands for it. */
void yoke__queue_sweep(yoke_domain *domain, yoke__id id, void *object, yoke__token dead)
{
    yoke__queue queue = {.domain = domain, .state = (yoke__queue_state *)object, .id = id};

    yoke__a32_store_release(&queue.state->marked, 0); /* the marks there are tell nothing of this one's blocks */
    /* It may have died after freeing a message and before it gave back what that carried. */
    if (yoke__a32_load_acquire(&queue.state->carries))
        yoke__directory_note_pending(domain);
    /* Valid without the dead owning the lock: who took it over is about to finish, and is waited for. */
    if ((yoke__a32_load_acquire(&queue.state->consumers) & YOKE__TOKEN_MASK) != dead &&
        !yoke__a32_load_acquire(&queue.state->journal.valid))
        return;
    if (lock_now(&queue, &queue.state->consumers))
        yoke__queue_unlock(&queue, &queue.state->consumers);
}
