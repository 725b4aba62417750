/* Limits, and how full a queue ever was. */
#ifndef YOKE_CORE_QUEUE_LIMIT_H
#define YOKE_CORE_QUEUE_LIMIT_H

#include "queue.h"

/* Most messages a queue can count, whatever the options say. */
#define YOKE__QUEUE_COUNTABLE (YOKE__SEQUENCE_MASK - 1)
/* Producers' lock held: messages in the rings at most, going by an old head. */
static inline uint64_t yoke__queue_items_at_most(const yoke__queue *queue, uint64_t tail)
{
    return (tail - queue->state->head_sequence_seen) & YOKE__SEQUENCE_MASK;
}
/* Producers' lock held, tail is the message number: would one more of that size pass a limit? Names it in *limit. */
bool yoke__queue_meets_limit(yoke__queue *queue, uint64_t tail, uint64_t size, const char **limit);
/* Nearly always: fewer than the limit by an old head, and nothing else to look at. A limit of 0 is none. */
static inline bool yoke__queue_surely_below(const yoke__queue *queue, uint64_t tail)
{
    const yoke__queue_state *state = queue->state;
    uint64_t items = yoke__queue_items_at_most(queue, tail) + yoke__a64_load_relaxed(&state->reserved_items) +
                     yoke__list_count(yoke__a64_load_relaxed(&state->redeliver));

    return items <= state->max_items - 1 && items < YOKE__QUEUE_COUNTABLE && !state->max_bytes &&
           !yoke__a32_load_relaxed(&state->reserving);
}
static inline bool yoke__queue_over_limit(yoke__queue *queue, uint64_t tail, uint64_t size, const char **limit)
{
    return !yoke__queue_surely_below(queue, tail) && yoke__queue_meets_limit(queue, tail, size, limit);
}
/* No lock held: is a limit met, by what is noted? Exact while nobody is in the middle of a put or a get. Settles first. */
bool yoke__queue_looks_full(yoke__queue *queue);
/* How many puts may find room: a look without a lock. */
uint64_t yoke__queue_room(const yoke__queue *queue);
/* Producers' lock held: the tail stands at that message number now. Keeps the highest number of messages. Few are left to
 * getters to note: here it would take the line of the head from who waits for the next message, once for each. */
#define YOKE__QUEUE_FEW 8u
void               yoke__queue_raise_high(yoke__queue *queue, uint64_t tail);
static inline bool yoke__queue_may_be_high(const yoke__queue *queue, uint64_t tail)
{
    uint64_t items = yoke__queue_items_at_most(queue, tail);

    return items > YOKE__QUEUE_FEW && items > yoke__a64_load_relaxed(&queue->state->high_items);
}
static inline void yoke__queue_note_high(yoke__queue *queue, uint64_t tail)
{
    if (yoke__queue_may_be_high(queue, tail))
        yoke__queue_raise_high(queue, tail);
}
/* Consumers' lock held: that many stand in the ring. */
static inline void yoke__queue_note_found(yoke__queue *queue, uint64_t items)
{
    if (items > yoke__a32_load_relaxed(&queue->state->most_found))
        yoke__a32_store_relaxed(&queue->state->most_found, (uint32_t)items);
}
/* The error of a put that found none. */
int yoke__queue_fail_full(const yoke__queue *queue, const char *limit, int64_t timeout);
/* YOKE_EMSGSIZE if no message of that size could ever be put. */
int               yoke__queue_fail_size(const yoke__queue *queue, uint64_t size);
static inline int yoke__queue_check_size(const yoke__queue *queue, uint64_t size)
{
    return size <= queue->state->max_bytes - 1 ? YOKE_OK : yoke__queue_fail_size(queue, size);
}
/* Producers' lock held: counts a reservation, or no more, if the queue has limits. */
void yoke__queue_reserve(yoke__queue *queue, yoke__message_block *block);
void yoke__queue_unreserve(yoke__queue *queue, yoke__message_block *block);

#endif
