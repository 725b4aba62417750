/* Putting: small messages are copied under the lock, larger ones into a block before it. */
#include "../domain/allocator.h"
#include "../error.h"
#include "../message/message.h"
#include "queue.h"
#include "ring.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct put_call {
    const void   *data;
    uint64_t      size;
    yoke__block  *block; /* a copy outside the rings, or NULL */
    yoke__content content;
    const char   *limit; /* what the last attempt met */
} put_call;

/* Producers' lock held. */
static void write_record(yoke__queue *queue, yoke__record *record, const put_call *put)
{
    record->content = (uint8_t)put->content;
    if (put->block) {
        record->form = YOKE__FORM_BLOCK;
        record->size = 0;
        record->block = yoke__domain_offset(queue->domain, put->block);
    } else {
        record->form = YOKE__FORM_INLINE;
        record->size = (uint32_t)put->size;
        if (put->size)
            memcpy(record + 1, put->data, (size_t)put->size);
    }
}

/* Producers' lock held. */
static int append(yoke__queue *queue, put_call *put)
{
    uint64_t      payload = put->block ? 0 : put->size;
    yoke__ring   *ring = yoke__chain_last(queue);
    uint64_t      before = yoke__position_sequence(yoke__a64_load_relaxed(&ring->tail));
    uint64_t      tail;
    yoke__record *record = yoke__ring_room(ring, payload, &tail);
    yoke__a64    *bytes = queue->state->put_bytes;

    if (!record) {
        ring = yoke__chain_grow(queue, ring);
        if (!ring)
            return yoke__fail_in(YOKE_ENOMEM, "no memory for a larger queue");
        record = yoke__ring_room(ring, payload, &tail);
    }
    write_record(queue, record, put);
    yoke__a64_store_relaxed(&bytes[(before + 1) & 1], yoke__a64_load_relaxed(&bytes[before & 1]) + put->size);
    yoke__ring_commit(ring, tail);
    return YOKE_OK;
}

static int attempt_put(yoke__queue *queue, void *user)
{
    put_call *put = (put_call *)user;
    int       rc;

    yoke__queue_lock(queue, &queue->state->producers);
    if (yoke__a32_load_relaxed(&queue->state->shut))
        rc = yoke__fail(YOKE_ESHUTDOWN, "the queue was shut down: nothing more can be put");
    else if (yoke__queue_over_limit(queue, put->size, &put->limit))
        rc = YOKE_ETIMEDOUT;
    else
        rc = append(queue, put);
    yoke__queue_unlock(queue, &queue->state->producers);
    if (rc == YOKE_OK)
        yoke__queue_wake(queue, &queue->state->getters_sleep, &queue->state->items);
    return rc;
}

static bool may_have_room(yoke__queue *queue, void *user)
{
    (void)user;
    /* Without the lock only the items can be looked at; bytes are found out by the attempt. */
    return queue->state->max_bytes || yoke__queue_count(queue) < queue->state->max_items ||
           yoke__a32_load_relaxed(&queue->state->shut);
}

static int fail_full(const yoke__queue *queue, const put_call *put, int64_t timeout)
{
    bool     items = strcmp(put->limit, "max_items") == 0;
    uint64_t most = items ? queue->state->max_items : queue->state->max_bytes;

    return yoke__fail(YOKE_ETIMEDOUT, "the queue is still full after %lld ms: its limit %s is %llu",
                      (long long)(timeout > 0 ? timeout : 0), put->limit, (unsigned long long)most);
}

/* Copies a large message into a block that nobody else knows yet. */
static int make_block(yoke__queue *queue, put_call *put)
{
    yoke__block *block = (yoke__block *)yoke__alloc(queue->domain, sizeof *block + put->size, queue->id);

    if (!block)
        return yoke__fail_in(YOKE_ENOMEM, "no memory for a message of %llu bytes", (unsigned long long)put->size);
    block->size = put->size;
    block->content = (uint32_t)put->content;
    yoke__a64_store_relaxed(&block->next, 0);
    memcpy(yoke__block_data(block), put->data, (size_t)put->size);
    put->block = block;
    return YOKE_OK;
}

int yoke__queue_put(yoke_queue *handle, const void *data, uint64_t size, yoke__content content, int64_t timeout)
{
    yoke__queue    queue;
    put_call       put = {data, size, NULL, content, ""};
    yoke__patience patience = {(yoke__handle *)handle, &queue, NULL, NULL, may_have_room, attempt_put, &put};
    int            rc;

    if (!yoke__queue_of(&queue, handle))
        return YOKE_EINVAL;
    if (!data && size)
        return yoke__fail(YOKE_EINVAL, "data is NULL but size is %llu", (unsigned long long)size);
    if (queue.state->max_bytes && size > queue.state->max_bytes)
        return yoke__fail(YOKE_EMSGSIZE, "a message of %llu bytes is larger than the queue's limit max_bytes, %llu",
                          (unsigned long long)size, (unsigned long long)queue.state->max_bytes);
    if (size > YOKE__INLINE_LARGEST)
        YOKE_TRY(make_block(&queue, &put));
    patience.flag = &queue.state->putters_sleep;
    patience.word = &queue.state->space;
    rc = yoke__queue_wait(&patience, timeout);
    if (rc != YOKE_OK && put.block)
        yoke__free(queue.domain, put.block);
    return rc == YOKE_ETIMEDOUT ? fail_full(&queue, &put, timeout) : rc;
}

int yoke_queue_put(yoke_queue *queue, const void *data, size_t size, int64_t timeout)
{
    return yoke__queue_put(queue, data, size, YOKE__CONTENT_BYTES, timeout);
}

int yoke_queue_put_string(yoke_queue *queue, const char *text, int64_t timeout)
{
    if (!text)
        return yoke__fail(YOKE_EINVAL, "text is NULL");
    return yoke__queue_put(queue, text, strlen(text), YOKE__CONTENT_BYTES, timeout);
}

int yoke_queue_put_format(yoke_queue *queue, int64_t timeout, const char *format, ...)
{
    char    small[512];
    char   *text = small;
    va_list arguments;
    va_list again;
    int     size;
    int     rc;

    if (!format)
        return yoke__fail(YOKE_EINVAL, "format is NULL");
    va_start(arguments, format);
    va_copy(again, arguments);
    size = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    if (size >= (int)sizeof small) {
        text = (char *)malloc((size_t)size + 1);
        if (text)
            size = vsnprintf(text, (size_t)size + 1, format, again);
    }
    va_end(again);
    if (!text)
        return yoke__fail(YOKE_ENOMEM, "no memory for a text of %d bytes", size);
    if (size < 0)
        rc = yoke__fail(YOKE_EINVAL, "the format can't be expanded");
    else
        rc = yoke__queue_put(queue, text, (uint64_t)size, YOKE__CONTENT_BYTES, timeout);
    if (text != small)
        free(text);
    return rc;
}

int yoke_queue_put_variant(yoke_queue *queue, const yoke_item *value, int64_t timeout)
{
    yoke__packed packed;
    int          rc;

    if (!value)
        return yoke__fail(YOKE_EINVAL, "value is NULL");
    YOKE_TRY(yoke__pack(&packed, value));
    if (packed.handle_count)
        rc = yoke__fail(YOKE_ENOTSUP, "a handle can't travel through a queue yet: pass it in start arguments");
    else
        rc = yoke__queue_put(queue, packed.data, packed.size, YOKE__CONTENT_VARIANT, timeout);
    yoke__packed_free(&packed);
    return rc;
}
