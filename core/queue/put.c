/* Putting: small messages are copied under the lock, larger ones into a block before it. */
#include "../domain/allocator.h"
#include "../error.h"
#include "limit.h"
#include "queue.h"
#include "ring.h"
#include "sleep.h"

#include <string.h>

/* ---- one message, under the producers' lock ---------------------------------------------------------------------- */

YOKE__INLINE void write_record(yoke__queue *queue, yoke__record *record, const yoke__put *put)
{
    yoke__record header = {.content = (uint8_t)put->content};

    if (put->block) {
        header.form = YOKE__FORM_BLOCK;
        header.block = yoke__domain_offset(queue->domain, put->block);
    } else {
        header.form = YOKE__FORM_INLINE;
        header.size = (uint32_t)put->size;
        yoke__copy(record + 1, put->data, put->size);
    }
    *record = header;
}

YOKE__INLINE int append(yoke__queue *queue, yoke__put *put)
{
    uint64_t      payload = put->block ? 0 : put->size;
    yoke__ring   *ring = yoke__chain_last(queue);
    uint64_t      tail = ring ? yoke__position_sequence(yoke__a64_load_relaxed(&ring->tail)) : 0;
    yoke__record *record;

    if (!ring)
        return yoke__queue_fail_damaged();
    if (yoke__a32_load_relaxed(&queue->state->shut))
        return yoke__fail(YOKE_ESHUTDOWN, "the queue was shut down: nothing more can be put");
    if (yoke__queue_over_limit(queue, tail, put->size, &put->limit) && !put->reserved)
        return YOKE_ETIMEDOUT;
    record = yoke__ring_room(ring, payload, &tail);
    if (!record) {
        ring = yoke__chain_grow(queue, ring);
        if (!ring)
            return yoke__fail_in(YOKE_ENOMEM, "no memory for a larger queue");
        record = yoke__ring_room(ring, payload, &tail);
        if (!record) /* a spare ring that lies about its room */
            return yoke__queue_fail_damaged();
    }
    write_record(queue, record, put);
    yoke__queue_count_put(queue, yoke__position_sequence(tail), put->size);
    yoke__ring_commit(ring, tail);
    yoke__queue_note(&queue->state->puts, yoke__position_sequence(tail));
    yoke__queue_note_high(queue, yoke__position_sequence(tail));
    return YOKE_OK;
}

int yoke__queue_append(yoke__queue *queue, yoke__put *put)
{
    return append(queue, put);
}

/* ---- waiting for room -------------------------------------------------------------------------------------------- */

YOKE__INLINE int put_once(yoke__queue *queue, yoke__put *put)
{
    int rc;

    YOKE_TRY(yoke__queue_lock_timed(queue, &queue->state->producers));
    rc = append(queue, put);
    yoke__queue_unlock(queue, &queue->state->producers);
    if (rc == YOKE_OK)
        yoke__queue_wake(queue, &queue->state->getters_sleep, &queue->state->items);
    return rc;
}

static int attempt_put(yoke__queue *queue, void *user)
{
    return put_once(queue, (yoke__put *)user);
}

static uint64_t may_put(yoke__queue *queue, void *user)
{
    (void)user;
    return yoke__queue_room(queue);
}

int yoke__queue_wait_for_room(yoke__queue *queue, int (*attempt)(yoke__queue *queue, void *user), void *user,
                              int64_t timeout)
{
    yoke__queue_state *state = queue->state;
    yoke__patience     patience = {
            .queue = queue,
            .flag = &state->putters_sleep,
            .word = &state->space,
            .waits = &state->put_waits,
            .ready = may_put,
            .glance = yoke__queue_room,
            .attempt = attempt,
            .user = user,
            .needed = YOKE_MAY_GET,
    };

    return yoke__queue_wait(&patience, timeout);
}

int yoke__queue_put(yoke__queue *queue, yoke__put *put, int64_t timeout)
{
    int rc;

    yoke__queue_time(queue, timeout);
    rc = put_once(queue, put);
    if (rc != YOKE_ETIMEDOUT)
        return yoke__queue_result(rc);
    rc = yoke__queue_wait_for_room(queue, attempt_put, put, timeout);
    return rc == YOKE_ETIMEDOUT ? yoke__queue_fail_full(queue, put->limit, timeout) : yoke__queue_result(rc);
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

int yoke__message_new_block(yoke__message_block **out, yoke__queue *queue, yoke__content content, uint64_t size,
                            uint32_t handles)
{
    yoke__message_block *block = NULL;

    if (size < UINT64_MAX / 2)
        block = (yoke__message_block *)yoke__alloc(queue->domain, sizeof *block + yoke__message_ids(handles) + size,
                                                   queue->id);
    if (!block)
        return yoke__fail_in(YOKE_ENOMEM, "no memory for a message of %llu bytes", (unsigned long long)size);
    /* The tag is 0 already, and stays so until all is told. */
    memset((uint8_t *)block + sizeof block->tag, 0,
           sizeof *block - sizeof block->tag + (size_t)yoke__message_ids(handles));
    block->content = (uint32_t)content;
    block->size = size;
    block->handles = handles;
    block->queue = queue->id;
    yoke__a32_store_release(&block->tag, YOKE__TAG_MESSAGE);
    *out = block;
    return YOKE_OK;
}
