/* How much is in a queue, and how much ever was. */
#include "../domain/participant.h"
#include "../error.h"
#include "limit.h"
#include "queue.h"
#include "ring.h"

/* Producers' lock held. */
void yoke__queue_note_puts(yoke__queue *queue)
{
    const yoke__ring *last = yoke__chain_last(queue);

    if (last)
        yoke__queue_note(&queue->state->puts, yoke__position_sequence(yoke__a64_load_relaxed(&last->tail)));
}

/* Consumers' lock held. */
void yoke__queue_note_gets(yoke__queue *queue)
{
    const yoke__ring *first = yoke__queue_ring(queue, yoke__a64_load_relaxed(&queue->state->head_ring));

    if (first != &yoke__ring_nowhere)
        yoke__queue_note(&queue->state->gets, yoke__position_sequence(yoke__a64_load_relaxed(&first->head)));
}

/* Whoever takes the lock from the dead notes it. */
static void settle_side(yoke__queue *queue, yoke__a32 *side)
{
    uint32_t owner = yoke__a32_load_acquire(side) & YOKE__TOKEN_MASK;

    if (owner == 0 || yoke__token_alive(queue->domain, owner))
        return;
    if (yoke__queue_lock_soon(queue, side, YOKE__QUEUE_GRACE)) /* else who took it over was stopped at that */
        yoke__queue_unlock(queue, side);
}

void yoke__queue_settle(yoke__queue *queue)
{
    settle_side(queue, &queue->state->producers);
    settle_side(queue, &queue->state->consumers);
}

/* A get may be noted before the put that it took from, while that is under way. */
static uint64_t between(uint64_t gets, uint64_t puts)
{
    return (int64_t)(puts - gets) > 0 ? puts - gets : 0;
}

uint64_t yoke__queue_count(const yoke__queue *queue)
{
    uint64_t gets = yoke__a64_load_acquire(&queue->state->gets); /* first: it can't overtake */

    return between(gets, yoke__a64_load_acquire(&queue->state->puts));
}

bool yoke__queue_has_some(yoke__queue *queue)
{
    if (yoke__a64_load_relaxed(&queue->state->redeliver) || yoke__queue_count(queue))
        return true;
    yoke__queue_settle(queue);
    return yoke__a64_load_relaxed(&queue->state->redeliver) || yoke__queue_count(queue);
}

/* The copy that goes with a number is complete while that number stands. */
static uint64_t sum(const yoke__a64 *copies, const yoke__a64 *number)
{
    uint64_t at;
    uint64_t value;

    do {
        at = yoke__a64_load_acquire(number);
        value = yoke__a64_load_acquire(&copies[at & 1]);
    } while (at != yoke__a64_load_relaxed(number));
    return value;
}

static uint64_t redelivered_bytes(const yoke__queue_state *state)
{
    uint64_t list = yoke__a64_load_acquire(&state->redeliver);

    return list ? yoke__a64_load_acquire(&state->redeliver_bytes[yoke__list_count(list) & 1]) : 0;
}

uint64_t yoke__queue_bytes(const yoke__queue *queue)
{
    uint64_t got = sum(queue->state->got_bytes, &queue->state->gets); /* first: it can't overtake */

    return between(got, sum(queue->state->put_bytes, &queue->state->puts)) + redelivered_bytes(queue->state);
}

uint64_t yoke__queue_unfinished(const yoke__queue *queue)
{
    uint64_t done = yoke__a64_load_acquire(&queue->state->done); /* first: it can't overtake */

    return between(done, yoke__a64_load_acquire(&queue->state->puts));
}

/* ---- for users --------------------------------------------------------------------------------------------------- */

/* A look at the three words of a size; list is the last, so that the size is exact at that moment if the others stand
 * as they did. */
typedef struct look {
    uint64_t puts, gets, list;
} look;

static look look_at(const yoke__queue_state *state)
{
    look now;

    now.gets = yoke__a64_load_acquire(&state->gets);
    now.puts = yoke__a64_load_acquire(&state->puts);
    now.list = yoke__a64_load_acquire(&state->redeliver);
    return now;
}

/* Where nothing has come back, gets that stand still make it exact at the moment of the look at puts. Under steady
 * traffic a bounded number of tries is enough of an effort. */
static uint64_t count_all(yoke__queue *queue)
{
    look now;
    look again;

    yoke__queue_settle(queue);
    now = look_at(queue->state);
    for (int tries = 0; tries < 64; tries++, now = again) {
        again = look_at(queue->state);
        if (now.gets == again.gets && now.list == again.list && (now.puts == again.puts || now.list == 0))
            break;
    }
    return between(now.gets, now.puts) + yoke__list_count(now.list);
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

    return yoke__queue_of(&queue, handle) && yoke__queue_looks_full(&queue);
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
    yoke__queue_settle(&queue);
    state = queue.state;
    out->gets = yoke__a64_load_acquire(&state->gets);
    out->got_bytes = sum(state->got_bytes, &state->gets);
    out->puts = yoke__a64_load_acquire(&state->puts);
    out->put_bytes = sum(state->put_bytes, &state->puts);
    out->redelivered = yoke__a64_load_relaxed(&state->redelivered);
    out->put_waits = yoke__a64_load_relaxed(&state->put_waits);
    out->get_waits = yoke__a64_load_relaxed(&state->get_waits);
    out->most_items = most_items(&queue);
    return YOKE_OK;
}
