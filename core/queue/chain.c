/*
 * The chain of rings. A ring is owned by the token of whoever made it, for as long as that participant lives: nobody
 * needs to hand it over, and if the maker dies, the recovery looks whether it is in use. Who takes a
 * ring out of the chain makes it his own before it leaves the chain, for the same reason.
 */
#include "../domain/allocator.h"
#include "queue.h"
#include "ring.h"

yoke__ring *yoke__chain_ring_new(yoke__queue *queue, uint64_t capacity, uint64_t sequence)
{
    yoke__ring *ring = (yoke__ring *)yoke__alloc(queue->domain, sizeof *ring + capacity, queue->id);

    if (ring)
        yoke__ring_init(ring, capacity, sequence);
    return ring;
}

yoke__ring yoke__ring_nowhere;

/* The earlier one is moved up at every power of two, so a circle is left after twice its length. */
bool yoke__chain_next(yoke__queue *queue, yoke__chain_walk *walk)
{
    if ((walk->steps & (walk->steps - 1)) == 0)
        walk->seen = walk->at;
    walk->steps++;
    walk->at = yoke__a64_load_acquire(&yoke__queue_ring(queue, walk->at)->next);
    return walk->at != 0 && walk->at != walk->seen;
}

/* Who linked a ring died before it moved tail_ring. */
yoke__ring *yoke__chain_follow(yoke__queue *queue, uint64_t offset)
{
    yoke__chain_walk walk = {.at = offset};

    if (yoke__queue_ring(queue, offset) == &yoke__ring_nowhere)
        return NULL;
    while (yoke__chain_next(queue, &walk))
        offset = walk.at;
    if (walk.at != 0)
        return NULL;
    yoke__a64_store_release(&queue->state->tail_ring, offset);
    return yoke__queue_ring(queue, offset);
}

/* Takes the spare ring if it is at least that large: ours first, then out of the queue's word. */
static yoke__ring *take_spare(yoke__queue *queue, uint64_t capacity, uint64_t sequence)
{
    uint64_t    offset = yoke__a64_load_acquire(&queue->state->spare);
    yoke__ring *ring;

    if (offset == 0)
        return NULL;
    ring = yoke__queue_ring(queue, offset);
    if (ring->capacity < capacity)
        return NULL;
    /* Only producers clear the word, under the lock held here, so the ring can't go between the load and the store. */
    yoke__alloc_take(queue->domain, ring);
    yoke__a64_store_release(&queue->state->spare, 0);
    yoke__ring_init(ring, ring->capacity, sequence);
    return ring;
}

yoke__ring *yoke__chain_grow(yoke__queue *queue, yoke__ring *last)
{
    uint64_t    sequence = yoke__position_sequence(yoke__a64_load_relaxed(&last->tail));
    uint64_t    capacity = last->capacity < YOKE__RING_LARGEST ? last->capacity * 2 : YOKE__RING_LARGEST;
    yoke__ring *ring = take_spare(queue, last->capacity, sequence);
    uint64_t    offset;

    if (!ring)
        ring = yoke__chain_ring_new(queue, capacity, sequence);
    if (!ring)
        return NULL;
    offset = yoke__domain_offset(queue->domain, ring);
    /* Commit of the growth; pairs with the acquire load in yoke__chain_first(): last's tail is final by then. */
    yoke__a64_store_release(&last->next, offset);
    yoke__a64_store_release(&queue->state->tail_ring, offset);
    return ring;
}

/* Keeps a drained ring for the producers, or frees it. It is this process's already and out of the chain. One that is
 * smaller than its successor would never be taken. */
static void retire(yoke__queue *queue, yoke__ring *ring, uint64_t successor)
{
    uint64_t none = 0;

    if (ring->capacity < yoke__queue_ring(queue, successor)->capacity ||
        !yoke__a64_cas_acq_rel(&queue->state->spare, &none, yoke__domain_offset(queue->domain, ring)))
        yoke__free(queue->domain, ring);
}

/* Producers still find this ring by tail_ring: whoever linked the next one has not come further, or died there. Nothing
 * has been put into the next one yet, and this one must not go. */
static bool is_tail(const yoke__queue *queue, const yoke__ring *ring)
{
    return yoke__a64_load_acquire(&queue->state->tail_ring) == yoke__domain_offset(queue->domain, ring);
}

yoke__ring *yoke__chain_advance(yoke__queue *queue)
{
    for (;;) {
        yoke__ring *ring = yoke__queue_ring(queue, yoke__a64_load_relaxed(&queue->state->head_ring));
        uint64_t    head = yoke__a64_load_relaxed(&ring->head);
        uint64_t    next;

        if (ring == &yoke__ring_nowhere)
            return NULL;
        if (head != yoke__a64_load_relaxed(&ring->tail_seen))
            return ring;
        next = yoke__a64_load_acquire(&ring->next);
        if (next == 0 || head != yoke__a64_load_acquire(&ring->tail) || is_tail(queue, ring))
            return ring;
        if (yoke__queue_ring(queue, next) == &yoke__ring_nowhere || yoke__queue_ring(queue, next) == ring)
            return NULL;
        yoke__alloc_take(queue->domain, ring);
        yoke__a64_store_release(&queue->state->head_ring, next);
        retire(queue, ring, next);
    }
}
