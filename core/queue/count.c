/* How much is in a queue, and how much ever was. */
#include "../error.h"
#include "queue.h"
#include "ring.h"

static uint64_t sequence_of(const yoke__a64 *position)
{
    return yoke__position_sequence(yoke__a64_load_acquire(position));
}

uint64_t yoke__queue_head_sequence(const yoke__queue *queue)
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

    do { /* what is linked behind tail_ring holds nothing yet, and the ring may be freed once tail_ring has moved */
        ring = yoke__a64_load_acquire(&queue->state->tail_ring);
        sequence = sequence_of(&yoke__queue_ring(queue, ring)->tail);
    } while (ring != yoke__a64_load_acquire(&queue->state->tail_ring));
    return sequence;
}

uint64_t yoke__queue_count(const yoke__queue *queue)
{
    for (int tries = 0;; tries++) {
        uint64_t head = yoke__queue_head_sequence(queue);
        uint64_t tail = tail_sequence(queue);
        /* An unchanged head between two looks makes the difference exact at the moment of the look at the tail; under
         * steady traffic a bounded number of tries is enough of an effort. */
        if (head == yoke__queue_head_sequence(queue) || tries == 64)
            return (tail - head) & YOKE__SEQUENCE_MASK;
    }
}

bool yoke__queue_has_some(const yoke__queue *queue)
{
    return yoke__a64_load_relaxed(&queue->state->redeliver) != 0 ||
           yoke__queue_head_sequence(queue) != tail_sequence(queue);
}

/* The copy that goes with a sequence number is complete while that number stands. */
static uint64_t total(const yoke__queue *queue, const yoke__a64 *copies, uint64_t (*sequence)(const yoke__queue *))
{
    uint64_t at;
    uint64_t value;

    do {
        at = sequence(queue);
        value = yoke__a64_load_acquire(&copies[at & 1]);
    } while (at != sequence(queue));
    return value;
}

uint64_t yoke__queue_puts(const yoke__queue *queue)
{
    return total(queue, queue->state->puts, tail_sequence);
}

uint64_t yoke__queue_bytes(const yoke__queue *queue)
{
    uint64_t got = total(queue, queue->state->got_bytes, yoke__queue_head_sequence); /* first: it can't overtake */

    return total(queue, queue->state->put_bytes, tail_sequence) - got;
}

uint64_t yoke__queue_unfinished(yoke__queue *queue)
{
    uint64_t done = yoke__a64_load_acquire(&queue->state->done); /* first: it can't overtake */

    return yoke__queue_puts(queue) - done;
}

/* ---- for users --------------------------------------------------------------------------------------------------- */

/* Consumers' lock held. */
static uint64_t redeliveries(yoke__queue *queue)
{
    yoke__chain_walk walk = {.at = yoke__a64_load_acquire(&queue->state->redeliver)};
    uint64_t         count = walk.at ? 1 : 0;

    while (walk.at && yoke__queue_list_next(queue, &walk))
        count++;
    return count;
}

static bool never_redelivered(const yoke__queue *queue)
{
    return yoke__a64_load_acquire(&queue->state->redeliver) == 0 &&
           yoke__a64_load_acquire(&queue->state->redelivered) == 0;
}

/* A message may go from the rings to those that come back between two looks; only under the lock it can't. */
static uint64_t count_all(yoke__queue *queue)
{
    uint64_t count = yoke__queue_count(queue);

    if (never_redelivered(queue))
        return count;
    yoke__queue_lock(queue, &queue->state->consumers);
    count = yoke__queue_count(queue) + redeliveries(queue);
    yoke__queue_unlock(queue, &queue->state->consumers);
    return count;
}

int64_t yoke_queue_size(const yoke_queue *handle)
{
    yoke__queue queue;

    if (!yoke__queue_of(&queue, handle))
        return yoke__noted();
    return (int64_t)count_all(&queue);
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
    full = yoke__queue_over_limit(&queue, yoke__queue_tail(&queue), 1, &limit);
    yoke__queue_unlock(&queue, &queue.state->producers);
    return full;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Few messages that no get has come to find yet are noted nowhere. */
static uint64_t most_items(const yoke__queue *queue)
{
    uint64_t noted = larger(yoke__a64_load_relaxed(&queue->state->high_items),
                            yoke__a32_load_relaxed(&queue->state->most_found));

    return larger(noted, yoke__queue_count(queue));
}

int yoke_queue_stats(yoke_queue *handle, yoke_queue_statistics *out)
{
    yoke__queue        queue;
    yoke__queue_state *state;

    if (!yoke__queue_of(&queue, handle))
        return yoke__noted();
    if (!out || out->struct_size != sizeof *out)
        return yoke__fail(YOKE_EINVAL, out ? "struct_size of yoke_queue_statistics is not its size" : "out is NULL");
    state = queue.state;
    out->gets = total(&queue, state->gets, yoke__queue_head_sequence);
    out->got_bytes = total(&queue, state->got_bytes, yoke__queue_head_sequence);
    out->puts = yoke__queue_puts(&queue);
    out->put_bytes = total(&queue, state->put_bytes, tail_sequence);
    out->redelivered = yoke__a64_load_relaxed(&state->redelivered);
    out->put_waits = yoke__a64_load_relaxed(&state->put_waits);
    out->get_waits = yoke__a64_load_relaxed(&state->get_waits);
    out->most_items = most_items(&queue);
    return YOKE_OK;
}
