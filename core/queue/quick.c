/*
 * The put of a small message where nothing is in the way, which is nearly always: no waiting, no growth, no limit near, no
 * padding, nobody asleep. It does what yoke__queue_put() does, in the same order of stores, and leaves everything else to
 * that.
 *
 * It is a function of its own for the sake of its few stores. Each store of a put, those to its own stack included, waits
 * in the CPU's queue of stores behind those to the record, whose lines come from the consumer's CPU. When that queue is
 * full the CPU stands still; so the fewer there are of the others, the more lines are on their way at a time.
 */
#include "quick.h"
#include "limit.h"
#include "ring.h"
#include "sleep.h"

/* Out of line: these take the queue by its address, which would keep all of it on the stack. */
static __attribute__((noinline)) void wake_waiter(yoke_domain *domain, yoke__queue_state *state)
{
    yoke__queue queue = {.domain = domain, .state = state};

    yoke__queue_wake_waiter(&queue, &state->producers);
}

static __attribute__((noinline)) void wake_getter(yoke_domain *domain, yoke__queue_state *state)
{
    yoke__queue queue = {.domain = domain, .state = state};

    yoke__queue_wake_one(&queue, &state->getters_sleep, &state->items);
}

YOKE__INLINE bool open_for(const yoke__handle *handle)
{
    return handle && yoke__a32_load_acquire(&handle->magic) == (YOKE__HANDLE_MAGIC | (uint32_t)YOKE__KIND_QUEUE) &&
           !yoke__a32_load_acquire(&handle->closing) && !(handle->lacks & (uint32_t)YOKE_MAY_PUT);
}

/* Producers' lock held. */
YOKE__INLINE bool append(const yoke__queue *queue, const void *data, uint64_t size)
{
    yoke__queue_state *state = queue->state;
    yoke__ring        *ring = yoke__queue_ring(queue, yoke__a64_load_relaxed(&state->tail_ring));
    yoke__record      *record;
    uint64_t           tail, number;

    if (ring == &yoke__ring_nowhere || yoke__a64_load_relaxed(&ring->next) || yoke__a32_load_relaxed(&state->shut))
        return false;
    number = yoke__position_sequence(yoke__a64_load_relaxed(&ring->tail));
    if (yoke__queue_may_be_high(queue, number + 1)) /* by an old head */
        state->head_sequence_seen = yoke__a64_load_acquire(&state->gets);
    if (!yoke__queue_surely_below(queue, number) || yoke__queue_may_be_high(queue, number + 1))
        return false;
    record = yoke__ring_quick_room(ring, size, &tail);
    if (!record)
        return false;
    number = yoke__position_sequence(tail);
    record->size = (uint32_t)size;
    record->form = YOKE__FORM_INLINE;
    record->content = YOKE__CONTENT_BYTES;
    yoke__copy(record + 1, data, size);
    yoke__queue_add(state->put_bytes, number, size);
    yoke__ring_commit(ring, tail);
    yoke__queue_note(&state->puts, number);
    return true;
}

bool yoke__queue_quick_put(yoke_queue *handle, const void *data, size_t size)
{
    const yoke__handle *checked = (const yoke__handle *)handle;
    yoke__token         token;
    uint32_t            nobody = 0;
    bool                done;

    if (!open_for(checked) || size > YOKE__INLINE_LARGEST || (!data && size))
        return false;
    yoke__queue queue = {.domain = checked->domain, .state = (yoke__queue_state *)checked->object};
    token = queue.domain ? yoke__a32_load_relaxed(&queue.domain->token) : 0;
    if (!token || yoke__queue_has(&queue, YOKE__QUEUE_JOINABLE) ||
        !yoke__a32_cas_acq_rel(&queue.state->producers, &nobody, token))
        return false;
    done = append(&queue, data, size);
    if (yoke__a32_exchange_acq_rel(&queue.state->producers, 0) & YOKE__WAITERS)
        wake_waiter(queue.domain, queue.state);
    yoke__fence_after_exchange();
    if (done &&
        (yoke__a32_load_relaxed(&queue.state->getters_sleep) || yoke__a64_load_relaxed(&queue.state->get_watchers)))
        wake_getter(queue.domain, queue.state);
    return done;
}
