/* How much is in a queue. */
#include "../domain/participant.h"
#include "queue.h"
#include "ring.h"

static uint64_t sequence_of(const yoke__a64 *position)
{
    return yoke__position_sequence(yoke__a64_load_acquire(position));
}

/* Message number of the oldest message still there, at one moment of the call: a ring may be drained and reused between
 * the two loads, which the second look at head_ring shows. */
static uint64_t head_sequence(const yoke__queue *queue)
{
    uint64_t sequence;
    uint64_t ring;

    do {
        ring = yoke__a64_load_acquire(&queue->state->head_ring);
        sequence = sequence_of(&yoke__queue_ring(queue, ring)->head);
    } while (ring != yoke__a64_load_acquire(&queue->state->head_ring));
    return sequence;
}

static uint64_t tail_sequence(const yoke__queue *queue)
{
    uint64_t sequence;
    uint64_t ring;
    uint64_t next;

    do {
        ring = yoke__a64_load_acquire(&queue->state->tail_ring);
        sequence = sequence_of(&yoke__queue_ring(queue, ring)->tail);
        next = yoke__a64_load_acquire(&yoke__queue_ring(queue, ring)->next);
        if (next) /* linked, but its linker has not moved tail_ring yet, or died before */
            sequence = sequence_of(&yoke__queue_ring(queue, next)->tail);
    } while (ring != yoke__a64_load_acquire(&queue->state->tail_ring));
    return sequence;
}

uint64_t yoke__queue_count(const yoke__queue *queue)
{
    for (int tries = 0;; tries++) {
        uint64_t head = head_sequence(queue);
        uint64_t tail = tail_sequence(queue);
        /* An unchanged head between two looks makes the difference exact at the moment of the look at the tail; under
         * steady traffic a bounded number of tries is enough of an effort. */
        if (head == head_sequence(queue) || tries == 64)
            return (tail - head) & YOKE__SEQUENCE_MASK;
    }
}

bool yoke__queue_has_some(const yoke__queue *queue)
{
    return yoke__a64_load_relaxed(&queue->state->redeliver) != 0 || head_sequence(queue) != tail_sequence(queue);
}

uint64_t yoke__queue_bytes(yoke__queue *queue)
{
    uint64_t tail = yoke__position_sequence(yoke__a64_load_relaxed(&yoke__chain_last(queue)->tail));
    uint64_t head;
    uint64_t got;

    do {
        head = head_sequence(queue);
        got = yoke__a64_load_acquire(&queue->state->got_bytes[head & 1]);
    } while (head != head_sequence(queue));
    return yoke__a64_load_relaxed(&queue->state->put_bytes[tail & 1]) - got;
}

/* Most messages a queue can count, whatever the options say. */
#define COUNTABLE (YOKE__SEQUENCE_MASK - 1)

bool yoke__queue_over_limit(yoke__queue *queue, uint64_t size, const char **limit)
{
    yoke__queue_state *state = queue->state;
    uint64_t           tail = yoke__position_sequence(yoke__a64_load_relaxed(&yoke__chain_last(queue)->tail));
    uint64_t           most = state->max_items && state->max_items < COUNTABLE ? state->max_items : COUNTABLE;

    if (((tail - state->head_sequence_seen) & YOKE__SEQUENCE_MASK) >= most) {
        state->head_sequence_seen = head_sequence(queue);
        if (((tail - state->head_sequence_seen) & YOKE__SEQUENCE_MASK) >= most) {
            *limit = "max_items";
            return true;
        }
    }
    if (state->max_bytes && yoke__queue_bytes(queue) + size > state->max_bytes) {
        *limit = "max_bytes";
        return true;
    }
    return false;
}

static uint64_t redeliveries(yoke__queue *queue)
{
    uint64_t count = 0;

    if (yoke__a64_load_acquire(&queue->state->redeliver) == 0)
        return 0;
    yoke__queue_lock(queue, &queue->state->consumers);
    for (uint64_t at = yoke__a64_load_relaxed(&queue->state->redeliver); at; count++)
        at = yoke__a64_load_relaxed(&((yoke__block *)yoke__domain_at(queue->domain, at))->next);
    yoke__queue_unlock(queue, &queue->state->consumers);
    return count;
}

int64_t yoke_queue_size(const yoke_queue *handle)
{
    yoke__queue queue;

    if (!yoke__queue_of(&queue, handle))
        return YOKE_EINVAL;
    return (int64_t)(yoke__queue_count(&queue) + redeliveries(&queue));
}

bool yoke_queue_empty(const yoke_queue *handle)
{
    yoke__queue queue;

    return yoke__queue_of(&queue, handle) && !yoke__queue_has_some(&queue);
}

bool yoke_queue_full(const yoke_queue *handle)
{
    yoke__queue queue;
    const char *limit;
    bool        full;

    if (!yoke__queue_of(&queue, handle))
        return false;
    yoke__queue_lock(&queue, &queue.state->producers);
    full = yoke__queue_over_limit(&queue, 1, &limit);
    yoke__queue_unlock(&queue, &queue.state->producers);
    return full;
}
