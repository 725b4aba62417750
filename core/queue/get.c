/*
 * Getting. A small message is copied out under the lock, and the store of head is its consumption. A block is made the
 * consumer's own before head passes it, copied without a lock, and consumed by being freed: if the consumer dies before
 * that, the recovery finds the block held by a dead token and queues it again (redeliver.c). What is to stay held, and
 * lies in a ring, moves to a block first: nothing of the user's pins a ring.
 */
#include "../domain/allocator.h"
#include "../domain/participant.h"
#include "../error.h"
#include "../wait/hub.h"
#include "limit.h"
#include "queue.h"
#include "ring.h"
#include "sleep.h"

#include <string.h>

int yoke__queue_fail_damaged(void)
{
    return yoke__fail(YOKE_EPROTO, "the queue is damaged: a record makes no sense");
}

yoke__message_block *yoke__queue_block_at(yoke__queue *queue, uint64_t offset)
{
    yoke__message_block *block = (yoke__message_block *)yoke__domain_check(queue->domain, offset, sizeof *block);
    uint64_t             room = block ? yoke__alloc_size(queue->domain, block) : 0;

    if (room < sizeof *block || !yoke__message_is(block))
        return NULL;
    room -= sizeof *block;
    return yoke__message_ids(block->handles) <= room && block->size <= room - yoke__message_ids(block->handles) ? block
                                                                                                                : NULL;
}

/* ---- under the consumers' lock ----------------------------------------------------------------------------------- */

static int refuse(const yoke__get *get, yoke__content content)
{
    if (content != get->content)
        return yoke__fail(YOKE_ETYPE, content == YOKE__CONTENT_VARIANT
                                          ? "the next message is a variant: take it with yoke_queue_get_variant()"
                                          : "the next message is bytes, not a variant");
    return yoke__fail(YOKE_EMSGSIZE, "the next message has %llu bytes, the buffer room for %llu",
                      (unsigned long long)get->size, (unsigned long long)get->capacity);
}

/* Is it what the caller wants, and where does it go? */
YOKE__INLINE int accept(yoke__get *get, yoke__content content, uint64_t size)
{
    get->size = size;
    if (content == get->content && get->make_target)
        YOKE_TRY(get->make_target(get, size));
    return content == get->content && (get->no_copy || size <= get->capacity) ? YOKE_OK : refuse(get, content);
}

/* The message is this process's from here on. */
static void held(yoke__queue *queue, yoke__get *get, yoke__message_block *block)
{
    get->block = block;
    queue->due = true;
    get->redelivered = (yoke__a32_load_relaxed(&block->flags) & YOKE__MESSAGE_REDELIVERED) != 0;
    if (get->hold)
        yoke__hold_add(queue, block);
}

static void give_ticket(yoke__queue *queue, yoke__get *get, yoke__message_block *block)
{
    get->ticket = get->hold ? yoke__hold_ticket(queue) : 0;
    yoke__a64_store_relaxed(&block->ticket, get->ticket);
}

static int take_block(yoke__queue *queue, yoke__get *get, yoke__ring *ring, const yoke__record *record, uint64_t head)
{
    yoke__message_block *block = yoke__queue_block_at(queue, record->block);

    if (!block)
        return yoke__queue_fail_damaged();
    YOKE_TRY(accept(get, (yoke__content)block->content, block->size));
    give_ticket(queue, get, block);
    yoke__alloc_hold(queue->domain, block);
    yoke__queue_count_get(queue, yoke__position_sequence(head), block->size);
    yoke__ring_consume(ring, head);
    yoke__queue_note(&queue->state->gets, yoke__position_sequence(head));
    held(queue, get, block);
    return YOKE_OK;
}

/* Out of the ring into a block of this process's, and held: one step of the journal. */
static int move_out(yoke__queue *queue, yoke__get *get, yoke__ring *ring, const yoke__record *record, uint64_t head)
{
    yoke__message_block *block;
    yoke__journal        steps = {.steps = YOKE__STEP_HEAD | YOKE__STEP_HOLD, .head = head};

    YOKE_TRY(yoke__message_new_block(&block, queue, (yoke__content)record->content, record->size, 0));
    memcpy(yoke__message_payload(block), record + 1, record->size);
    give_ticket(queue, get, block);
    yoke__queue_count_get(queue, yoke__position_sequence(head), record->size);
    steps.ring = yoke__domain_offset(queue->domain, ring);
    steps.block = yoke__domain_offset(queue->domain, block);
    yoke__journal_do(queue, &steps);
    yoke__queue_note(&queue->state->gets, yoke__position_sequence(head));
    held(queue, get, block);
    return YOKE_OK;
}

/* Read where it lies. */
static int read_out(yoke__queue *queue, yoke__get *get, yoke__ring *ring, const yoke__record *record, uint64_t head)
{
    get->result = get->read(get, record + 1);
    if (get->result == YOKE_ENOMEM)
        return YOKE_ENOMEM;
    yoke__queue_count_get(queue, yoke__position_sequence(head), record->size);
    yoke__ring_consume(ring, head);
    yoke__queue_note(&queue->state->gets, yoke__position_sequence(head));
    return YOKE_OK;
}

YOKE__INLINE int take_record(yoke__queue *queue, yoke__get *get, yoke__ring *ring, yoke__record *record, uint64_t head)
{
    if (record->form == YOKE__FORM_BLOCK)
        return take_block(queue, get, ring, record, head);
    YOKE_TRY(accept(get, (yoke__content)record->content, record->size));
    if (get->hold && get->read)
        return read_out(queue, get, ring, record, head);
    if (get->hold)
        return move_out(queue, get, ring, record, head);
    yoke__copy(get->target, record + 1, record->size);
    yoke__queue_count_get(queue, yoke__position_sequence(head), record->size);
    yoke__ring_consume(ring, head);
    yoke__queue_note(&queue->state->gets, yoke__position_sequence(head));
    return YOKE_OK;
}

/* The first of those that somebody had before. */
static int take_redelivered(yoke__queue *queue, yoke__get *get, uint64_t list)
{
    yoke__message_block *block = yoke__queue_block_at(queue, yoke__list_first(list));

    if (!block)
        return yoke__queue_fail_damaged();
    get->redelivered = (yoke__a32_load_relaxed(&block->flags) & YOKE__MESSAGE_REDELIVERED) != 0;
    YOKE_TRY(accept(get, (yoke__content)block->content, block->size));
    list = yoke__queue_list_pop(queue, block);
    give_ticket(queue, get, block);
    yoke__alloc_hold(queue->domain, block);
    yoke__a64_store_release(&queue->state->redeliver, list);
    held(queue, get, block);
    return YOKE_OK;
}

/* Shut down, and what was left is not to be had: whoever shut it down may have died before all was discarded. */
static int fail_shut(yoke__queue *queue, uint32_t shut)
{
    if (shut == YOKE_IMMEDIATE + 1)
        (void)yoke__queue_discard(queue);
    return yoke__fail(YOKE_ESHUTDOWN, "the queue was shut down, and nothing is left in it");
}

YOKE__INLINE int take(yoke__queue *queue, yoke__get *get)
{
    uint32_t      shut = yoke__a32_load_acquire(&queue->state->shut);
    uint64_t      redelivered = yoke__a64_load_relaxed(&queue->state->redeliver);
    bool          damaged = false;
    yoke__ring   *ring;
    yoke__record *record;
    uint64_t      head;

    get->block = NULL;
    get->redelivered = false;
    if (shut == YOKE_IMMEDIATE + 1)
        return fail_shut(queue, shut);
    if (redelivered)
        return take_redelivered(queue, get, redelivered);
    ring = yoke__chain_first(queue);
    record = ring ? yoke__ring_oldest(ring, &head, &damaged) : NULL;
    if (record) {
        yoke__queue_note_found(queue, (yoke__a64_load_relaxed(&ring->tail_seen) - head + 1) & YOKE__SEQUENCE_MASK);
        return take_record(queue, get, ring, record, head);
    }
    if (damaged || !ring)
        return yoke__queue_fail_damaged();
    return shut ? fail_shut(queue, shut) : YOKE_ETIMEDOUT;
}

int yoke__queue_take(yoke__queue *queue, yoke__get *get)
{
    return take(queue, get);
}

/* ---- the whole call ---------------------------------------------------------------------------------------------- */

void yoke__queue_finish(yoke__queue *queue, yoke__get *get)
{
    if (!get->block)
        return;
    if (!get->no_copy && get->size)
        memcpy(get->target, yoke__message_payload(get->block), (size_t)get->size);
    if (!get->hold)
        yoke__queue_free_later(queue, get->block);
    else if (!get->no_copy)
        yoke__hold_make_task(get->block);
}

YOKE__INLINE int take_once(yoke__queue *queue, yoke__get *get)
{
    int rc;

    YOKE_TRY(yoke__queue_lock_timed(queue, &queue->state->consumers));
    rc = take(queue, get);
    yoke__queue_unlock(queue, &queue->state->consumers);
    if (rc != YOKE_OK)
        return rc;
    if (get->block)
        yoke__queue_finish(queue, get);
    yoke__queue_wake(queue, &queue->state->putters_sleep, &queue->state->space);
    return YOKE_OK;
}

static int attempt_get(yoke__queue *queue, void *user)
{
    return take_once(queue, (yoke__get *)user);
}

static uint64_t may_get(yoke__queue *queue, void *user)
{
    (void)user;
    if (yoke__a64_load_relaxed(&queue->state->redeliver) || yoke__a32_load_relaxed(&queue->state->shut))
        return 1;
    return yoke__queue_count(queue);
}

int yoke__queue_wait_for_some(yoke__queue *queue, int (*attempt)(yoke__queue *queue, void *user), void *user,
                              int64_t timeout)
{
    yoke__queue_state *state = queue->state;
    yoke__patience     patience = {
            .queue = queue,
            .flag = &state->getters_sleep,
            .word = &state->items,
            .waits = &state->get_waits,
            .ready = may_get,
            .glance = yoke__queue_glance,
            .attempt = attempt,
            .user = user,
            .needed = YOKE_MAY_PUT,
    };
    int rc = yoke__queue_wait(&patience, timeout);

    if (rc == YOKE_ETIMEDOUT)
        return yoke__fail(YOKE_ETIMEDOUT, "the queue is still empty after %lld ms",
                          (long long)(timeout > 0 ? timeout : 0));
    return rc;
}

int yoke__queue_end_get(yoke__queue *queue, int rc)
{
    if (rc == YOKE_ESHUTDOWN) {
        yoke__queue_collect_carried(queue);
        yoke__queue_free_kept(queue);
        yoke__queue_wake_joiners(queue);
    }
    if (queue->due)
        (void)yoke__domain_patrol(queue->domain);
    yoke__native_settle(queue->handle);
    return yoke__queue_result(rc);
}

int yoke__queue_get(yoke__queue *queue, yoke__get *get, int64_t timeout)
{
    int rc;

    yoke__queue_time(queue, timeout);
    /* Who will wait anyhow needn't take the lock to see that there is nothing. */
    rc = timeout > 0 && !yoke__queue_glance(queue) ? YOKE_ETIMEDOUT : take_once(queue, get);
    if (rc == YOKE_ETIMEDOUT)
        rc = yoke__queue_wait_for_some(queue, attempt_get, get, timeout);
    if (rc == YOKE_ESHUTDOWN && yoke__domain_recover(queue->domain) > 0)
        rc = attempt_get(queue, get); /* what the dead held is not lost with them */
    return yoke__queue_end_get(queue, rc);
}
