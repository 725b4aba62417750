/*
 * Getting. A small message is copied out under the lock, and the store of head is its consumption. A block is made the
 * consumer's own before head passes it, copied without a lock, and consumed by being freed: if the consumer dies before
 * that, the recovery finds the block held by a dead token and queues it for redelivery (queue.c).
 */
#include "../domain/allocator.h"
#include "../error.h"
#include "../message/message.h"
#include "../wait/hub.h"
#include "queue.h"
#include "ring.h"

#include <string.h>

typedef struct get_call {
    yoke__destination *destination;
    void              *user;
    yoke__content      content;
    yoke__block       *block; /* taken under the lock, to be copied and freed without it */
    void              *target;
} get_call;

static int check_content(yoke__content found, yoke__content wanted)
{
    if (found == wanted)
        return YOKE_OK;
    return yoke__fail(YOKE_ETYPE, found == YOKE__CONTENT_VARIANT
                                      ? "the next message is a variant: take it with yoke_queue_get_variant()"
                                      : "the next message is bytes, not a variant");
}

static int fail_damaged(void)
{
    return yoke__fail(YOKE_EPROTO, "the queue is damaged: a record makes no sense");
}

/* Consumers' lock held. The block at an offset read from shared memory, or NULL if that can't be one. */
static yoke__block *block_at(yoke__queue *queue, uint64_t offset)
{
    yoke__block *block = (yoke__block *)yoke__domain_check(queue->domain, offset, sizeof *block);

    if (!block || block->size > yoke__alloc_size(queue->domain, block) - sizeof *block)
        return NULL;
    return block;
}

/* Consumers' lock held: asks where the block's payload goes, and makes the block this process's. */
static int hold_block(yoke__queue *queue, get_call *get, yoke__block *block)
{
    int rc = check_content((yoke__content)block->content, get->content);

    if (rc < 0)
        return rc;
    get->target = get->destination(get->user, block->size, &rc);
    if (rc < 0)
        return rc;
    yoke__alloc_hold(queue->domain, block);
    get->block = block;
    return YOKE_OK;
}

/* Consumers' lock held. */
static void count_got(yoke__queue *queue, uint64_t sequence, uint64_t size)
{
    yoke__a64 *bytes = queue->state->got_bytes;

    yoke__a64_store_relaxed(&bytes[sequence & 1], yoke__a64_load_relaxed(&bytes[(sequence - 1) & 1]) + size);
}

/* Consumers' lock held. */
static int take_record(yoke__queue *queue, get_call *get, yoke__ring *ring, yoke__record *record, uint64_t head)
{
    uint64_t size = record->size;
    int      rc;

    if (record->form == YOKE__FORM_BLOCK) {
        yoke__block *block = block_at(queue, record->block);
        if (!block)
            return fail_damaged();
        size = block->size;
        YOKE_TRY(hold_block(queue, get, block));
    } else {
        YOKE_TRY(check_content((yoke__content)record->content, get->content));
        rc = YOKE_OK;
        get->target = get->destination(get->user, size, &rc);
        if (rc < 0)
            return rc;
        if (size)
            memcpy(get->target, record + 1, (size_t)size);
    }
    count_got(queue, yoke__position_sequence(head), size);
    yoke__ring_consume(ring, head);
    return YOKE_OK;
}

/* Consumers' lock held: the oldest of those that a dead consumer held. */
static int take_redelivered(yoke__queue *queue, get_call *get, uint64_t offset)
{
    yoke__block *block = block_at(queue, offset);

    if (!block)
        return fail_damaged();
    YOKE_TRY(hold_block(queue, get, block));
    yoke__a64_store_release(&queue->state->redeliver, yoke__a64_load_relaxed(&block->next));
    return YOKE_OK;
}

/* Consumers' lock held. YOKE_ETIMEDOUT: nothing there. */
static int take(yoke__queue *queue, get_call *get)
{
    uint64_t      redelivered = yoke__a64_load_relaxed(&queue->state->redeliver);
    bool          damaged = false;
    yoke__ring   *ring;
    yoke__record *record;
    uint64_t      head;

    if (redelivered)
        return take_redelivered(queue, get, redelivered);
    ring = yoke__chain_first(queue);
    record = yoke__ring_oldest(ring, &head, &damaged);
    if (record)
        return take_record(queue, get, ring, record, head);
    if (damaged)
        return fail_damaged();
    if (yoke__a32_load_acquire(&queue->state->shut))
        return yoke__fail(YOKE_ESHUTDOWN, "the queue was shut down, and nothing is left in it");
    return YOKE_ETIMEDOUT;
}

static int attempt_get(yoke__queue *queue, void *user)
{
    get_call *get = (get_call *)user;
    int       rc;

    yoke__queue_lock(queue, &queue->state->consumers);
    rc = take(queue, get);
    yoke__queue_unlock(queue, &queue->state->consumers);
    if (rc != YOKE_OK)
        return rc;
    if (get->block) {
        if (get->block->size)
            memcpy(get->target, yoke__block_data(get->block), (size_t)get->block->size);
        yoke__free(queue->domain, get->block);
    }
    yoke__queue_wake(queue, &queue->state->putters_sleep, &queue->state->space);
    return YOKE_OK;
}

static bool may_have_some(yoke__queue *queue, void *user)
{
    (void)user;
    return yoke__queue_has_some(queue) || yoke__a32_load_relaxed(&queue->state->shut);
}

int yoke__queue_get(yoke_queue *handle, yoke__content content, yoke__destination *destination, void *user,
                    int64_t timeout)
{
    yoke__queue    queue;
    get_call       get = {destination, user, content, NULL, NULL};
    yoke__patience patience = {(yoke__handle *)handle, &queue, NULL, NULL, may_have_some, attempt_get, &get};
    int            rc;

    if (!yoke__queue_of(&queue, handle))
        return YOKE_EINVAL;
    patience.flag = &queue.state->getters_sleep;
    patience.word = &queue.state->items;
    rc = yoke__queue_wait(&patience, timeout);
    yoke__native_settle(&handle->handle);
    if (rc == YOKE_ETIMEDOUT)
        return yoke__fail(YOKE_ETIMEDOUT, "the queue is still empty after %lld ms",
                          (long long)(timeout > 0 ? timeout : 0));
    return rc;
}

/* Consumers' lock held. The block is not held for anybody: if this process dies now, the recovery frees it. */
static void discard_block(yoke__queue *queue, yoke__block *block, yoke__a64 *word, uint64_t after)
{
    yoke__alloc_take(queue->domain, block);
    yoke__a64_store_release(word, after);
    yoke__free(queue->domain, block);
}

static bool discard_redelivered(yoke__queue *queue)
{
    uint64_t     offset = yoke__a64_load_relaxed(&queue->state->redeliver);
    yoke__block *block = offset ? block_at(queue, offset) : NULL;

    if (!block)
        return false;
    discard_block(queue, block, &queue->state->redeliver, yoke__a64_load_relaxed(&block->next));
    return true;
}

static bool discard_record(yoke__queue *queue)
{
    bool          damaged = false;
    uint64_t      head;
    yoke__ring   *ring = yoke__chain_first(queue);
    yoke__record *record = yoke__ring_oldest(ring, &head, &damaged);
    yoke__block  *block = record && record->form == YOKE__FORM_BLOCK ? block_at(queue, record->block) : NULL;

    if (!record || (record->form == YOKE__FORM_BLOCK && !block))
        return false;
    count_got(queue, yoke__position_sequence(head), block ? block->size : record->size);
    if (block)
        discard_block(queue, block, &ring->head, head);
    else
        yoke__ring_consume(ring, head);
    return true;
}

uint64_t yoke__queue_discard(yoke__queue *queue)
{
    uint64_t count = 0;

    while (discard_redelivered(queue) || discard_record(queue))
        count++;
    return count;
}
