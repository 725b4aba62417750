/* The limits of a queue, reservations included. */
#include "limit.h"
#include "../domain/allocator.h"
#include "../error.h"
#include "queue.h"
#include "ring.h"

#include <string.h>

static bool has_limits(const yoke__queue *queue)
{
    return queue->state->max_items || queue->state->max_bytes;
}

/* ---- reservations ------------------------------------------------------------------------------------------------ */

static void add(yoke__a64 *sum, uint64_t amount)
{
    yoke__a64_store_release(sum, yoke__a64_load_relaxed(sum) + amount);
}

static bool count_block(void *user, void *payload, uint64_t size)
{
    yoke__queue_state         *state = (yoke__queue_state *)user;
    const yoke__message_block *block = (const yoke__message_block *)payload;

    if (size >= sizeof *block && block->tag == YOKE__TAG_MESSAGE &&
        (yoke__a32_load_relaxed(&block->flags) & YOKE__MESSAGE_RESERVED)) {
        add(&state->reserved_items, 1);
        add(&state->reserved_bytes, block->size);
    }
    return true;
}

/* Producers' lock held: who changed the sums last may have died at it. */
static void put_right(yoke__queue *queue)
{
    yoke__queue_state *state = queue->state;

    if (!yoke__a32_load_relaxed(&state->reserving))
        return;
    yoke__a64_store_release(&state->reserved_items, 0);
    yoke__a64_store_release(&state->reserved_bytes, 0);
    yoke__alloc_each(queue->domain, queue->id, count_block, state);
    yoke__a32_store_release(&state->reserving, 0);
}

/* Producers' lock held. The flag of the block is the truth, and changes while `reserving` says that the sums may be off:
 * release stores keep that order. */
static void change(yoke__queue *queue, yoke__message_block *block, uint32_t flags, uint64_t items, uint64_t bytes)
{
    yoke__queue_state *state = queue->state;

    put_right(queue);
    yoke__a32_store_release(&state->reserving, 1);
    yoke__a32_store_release(&block->flags, flags);
    add(&state->reserved_items, items);
    add(&state->reserved_bytes, bytes);
    yoke__a32_store_release(&state->reserving, 0);
}

void yoke__queue_reserve(yoke__queue *queue, yoke__message_block *block)
{
    if (has_limits(queue))
        change(queue, block, YOKE__MESSAGE_RESERVED, 1, block->size);
}

void yoke__queue_unreserve(yoke__queue *queue, yoke__message_block *block)
{
    uint32_t flags = yoke__a32_load_relaxed(&block->flags);

    if (flags & YOKE__MESSAGE_RESERVED)
        change(queue, block, flags & ~YOKE__MESSAGE_RESERVED, UINT64_MAX, 0 - block->size);
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */

static uint64_t most_items(const yoke__queue *queue)
{
    uint64_t limit = queue->state->max_items;

    return limit && limit < YOKE__QUEUE_COUNTABLE ? limit : YOKE__QUEUE_COUNTABLE;
}

/* Producers' lock held: messages in the rings, by an old head unless that makes more than enough. */
static uint64_t count_items(yoke__queue *queue, uint64_t tail, uint64_t enough)
{
    if (yoke__queue_items_at_most(queue, tail) > enough)
        queue->state->head_sequence_seen = yoke__a64_load_acquire(&queue->state->gets);
    return yoke__queue_items_at_most(queue, tail);
}

static bool over_items(yoke__queue *queue, uint64_t tail)
{
    uint64_t others = yoke__a64_load_relaxed(&queue->state->reserved_items) +
                      yoke__list_count(yoke__a64_load_relaxed(&queue->state->redeliver));
    uint64_t most = most_items(queue);

    return others >= most || count_items(queue, tail, most - 1 - others) + others >= most;
}

bool yoke__queue_meets_limit(yoke__queue *queue, uint64_t tail, uint64_t size, const char **limit)
{
    uint64_t max_bytes = queue->state->max_bytes;

    put_right(queue);
    *limit = "max_items";
    if (over_items(queue, tail))
        return true;
    *limit = "max_bytes";
    return max_bytes &&
           yoke__queue_bytes(queue) + yoke__a64_load_relaxed(&queue->state->reserved_bytes) + size > max_bytes;
}

bool yoke__queue_looks_full(yoke__queue *queue)
{
    yoke__queue_state *state = queue->state;
    uint64_t           items;

    yoke__queue_settle(queue);
    /* Who changed the sums is at it, or died at it. */
    if (yoke__a32_load_acquire(&state->reserving) && yoke__queue_lock_soon(queue, &state->producers, YOKE_NOWAIT)) {
        put_right(queue);
        yoke__queue_unlock(queue, &state->producers);
    }
    items = yoke__queue_count(queue) + yoke__a64_load_acquire(&state->reserved_items) +
            yoke__list_count(yoke__a64_load_acquire(&state->redeliver));
    if (items >= most_items(queue))
        return true;
    return state->max_bytes &&
           yoke__queue_bytes(queue) + yoke__a64_load_acquire(&state->reserved_bytes) + 1 > state->max_bytes;
}

void yoke__queue_raise_high(yoke__queue *queue, uint64_t tail)
{
    uint64_t high = yoke__a64_load_relaxed(&queue->state->high_items);
    uint64_t items = count_items(queue, tail, high);

    if (items > high)
        yoke__a64_store_relaxed(&queue->state->high_items, items);
}

uint64_t yoke__queue_room(const yoke__queue *queue)
{
    uint64_t count;

    /* Without the lock only the items can be looked at; bytes are found out by an attempt. */
    if (queue->state->max_bytes || yoke__a32_load_relaxed(&queue->state->shut))
        return 1;
    count = yoke__queue_count(queue) + yoke__list_count(yoke__a64_load_relaxed(&queue->state->redeliver));
    return count < most_items(queue) ? most_items(queue) - count : 0;
}

int yoke__queue_fail_full(const yoke__queue *queue, const char *limit, int64_t timeout)
{
    bool     items = strcmp(limit, "max_items") == 0;
    uint64_t most = items ? most_items(queue) : queue->state->max_bytes;

    return yoke__fail(YOKE_ETIMEDOUT, "the queue is still full after %lld ms: its limit %s is %llu",
                      (long long)(timeout > 0 ? timeout : 0), limit, (unsigned long long)most);
}

int yoke__queue_fail_size(const yoke__queue *queue, uint64_t size)
{
    if (!queue->state->max_bytes || size <= queue->state->max_bytes)
        return YOKE_OK;
    return yoke__fail(YOKE_EMSGSIZE, "a message of %llu bytes is larger than the queue's limit max_bytes, %llu",
                      (unsigned long long)size, (unsigned long long)queue->state->max_bytes);
}
