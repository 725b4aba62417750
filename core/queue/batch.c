/* Many messages at a time: one lock and one wake-up for all of them. */
#include "../domain/allocator.h"
#include "../domain/participant.h"
#include "../error.h"
#include "queue.h"

#include <string.h>

/* ---- put --------------------------------------------------------------------------------------------------------- */

typedef struct put_batch {
    const yoke_bytes *messages;
    size_t            count;
    size_t            done;
    yoke__put         put; /* the one that comes next; its block is ready if it needs one */
} put_batch;

/* Makes the next message ready. A large one is copied here, without the lock. */
static int prepare(yoke__queue *queue, put_batch *batch)
{
    const yoke_bytes *next = &batch->messages[batch->done];

    batch->put = (yoke__put){.data = next->data, .size = next->size, .content = YOKE__CONTENT_BYTES};
    return yoke__queue_copy_out(queue, &batch->put);
}

/* Puts what fits now, up to a message that needs a block of its own. */
static int put_run(yoke__queue *queue, put_batch *batch)
{
    for (;;) {
        YOKE_TRY(yoke__queue_append(queue, &batch->put));
        batch->put.block = NULL;
        batch->done++;
        if (batch->done == batch->count || yoke__queue_in_block(queue, batch->messages[batch->done].size))
            return YOKE_OK;
        (void)prepare(queue, batch); /* small: can't fail */
    }
}

static int attempt_put(yoke__queue *queue, void *user)
{
    put_batch *batch = (put_batch *)user;
    size_t     before = batch->done;
    int        rc;

    YOKE_TRY(yoke__queue_lock_timed(queue, &queue->state->producers));
    rc = put_run(queue, batch);
    yoke__queue_unlock(queue, &queue->state->producers);
    if (batch->done > before)
        yoke__queue_wake(queue, &queue->state->getters_sleep, &queue->state->items);
    return rc;
}

static int check_messages(const yoke__queue *queue, const yoke_bytes *messages, size_t count)
{
    if (!messages && count)
        return yoke__fail(YOKE_EINVAL, "messages is NULL but count is %zu", count);
    for (size_t i = 0; i < count; i++) {
        if (!messages[i].data && messages[i].size)
            return yoke__fail(YOKE_EINVAL, "data of message %zu is NULL but its size is %zu", i, messages[i].size);
        YOKE_TRY(yoke__queue_check_size(queue, messages[i].size));
    }
    return YOKE_OK;
}

static int put_all(yoke__queue *queue, put_batch *batch, int64_t timeout)
{
    yoke__deadline deadline = yoke__deadline_after(timeout);

    yoke__queue_time(queue, timeout);
    queue->until = deadline;
    while (batch->done < batch->count) {
        int rc = prepare(queue, batch);
        if (rc == YOKE_OK)
            rc = attempt_put(queue, batch);
        if (rc == YOKE_ETIMEDOUT)
            rc = yoke__queue_wait_for_room(queue, attempt_put, batch, yoke__deadline_timeout(deadline));
        if (rc == YOKE_ETIMEDOUT)
            rc = yoke__queue_fail_full(queue, batch->put.limit, timeout);
        if (batch->put.block)
            yoke__free(queue->domain, batch->put.block);
        YOKE_TRY(yoke__queue_result(rc));
    }
    return YOKE_OK;
}

int yoke_queue_put_many(yoke_queue *handle, const yoke_bytes *messages, size_t count, size_t *put, int64_t timeout)
{
    yoke__queue queue;
    put_batch   batch = {.messages = messages, .count = count};
    int         rc;

    if (put)
        *put = 0;
    YOKE_TRY(yoke__queue_for(&queue, handle, YOKE_MAY_PUT));
    YOKE_TRY(check_messages(&queue, messages, count));
    rc = put_all(&queue, &batch, timeout);
    if (put)
        *put = batch.done;
    return rc;
}

/* ---- get --------------------------------------------------------------------------------------------------------- */

typedef struct get_batch {
    uint8_t  *next; /* where the next one goes */
    uint64_t  room; /* and what is left there */
    size_t   *sizes;
    size_t    most;
    size_t    count;
    yoke__get get; /* the one that comes next, or the last, still to be copied */
} get_batch;

/* Takes what fits. A message outside the rings is copied after the lock is released, so a large one ends the run. */
static int take_run(yoke__queue *queue, get_batch *batch)
{
    while (batch->count < batch->most) {
        batch->get.target = batch->next;
        batch->get.capacity = batch->room;
        YOKE_TRY(yoke__queue_take(queue, &batch->get));
        batch->sizes[batch->count++] = (size_t)batch->get.size;
        batch->next += batch->get.size;
        batch->room -= batch->get.size;
        if (!batch->get.block)
            continue;
        if (batch->get.size > YOKE__INLINE_LARGEST)
            return YOKE_OK;
        yoke__queue_finish(queue, &batch->get);
        batch->get.block = NULL;
    }
    return YOKE_OK;
}

static int attempt_get(yoke__queue *queue, void *user)
{
    get_batch *batch = (get_batch *)user;
    int        rc;

    YOKE_TRY(yoke__queue_lock_timed(queue, &queue->state->consumers));
    rc = take_run(queue, batch);
    yoke__queue_unlock(queue, &queue->state->consumers);
    if (batch->count == 0)
        return rc;
    yoke__queue_finish(queue, &batch->get);
    yoke__queue_wake(queue, &queue->state->putters_sleep, &queue->state->space);
    return YOKE_OK; /* what ended the run is told to who asks next */
}

int yoke_queue_get_many(yoke_queue *handle, void *buffer, size_t capacity, size_t *sizes, size_t most, size_t *count,
                        int64_t timeout)
{
    yoke__queue queue;
    get_batch   batch = {.next = (uint8_t *)buffer, .room = capacity, .sizes = sizes, .most = most};
    int         rc;

    if ((!buffer && capacity) || !sizes || !most || !count)
        return yoke__fail(YOKE_EINVAL, "a batch needs a buffer, room for at least one size, and count");
    YOKE_TRY(yoke__queue_for(&queue, handle, YOKE_MAY_GET));
    batch.get = (yoke__get){.content = YOKE__CONTENT_BYTES, .hold = yoke__queue_has(&queue, YOKE__QUEUE_JOINABLE)};
    yoke__queue_time(&queue, timeout);
    rc = attempt_get(&queue, &batch);
    if (rc == YOKE_ETIMEDOUT)
        rc = yoke__queue_wait_for_some(&queue, attempt_get, &batch, timeout);
    if (rc == YOKE_ESHUTDOWN && yoke__domain_recover(queue.domain) > 0)
        rc = attempt_get(&queue, &batch);
    rc = yoke__queue_end_get(&queue, rc);
    if (rc == YOKE_EMSGSIZE)
        sizes[0] = (size_t)batch.get.size;
    *count = batch.count;
    return rc;
}
