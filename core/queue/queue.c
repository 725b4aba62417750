/* A queue as an object: making, opening, closing, shutting down, and what is left when somebody dies. */
#include "queue.h"

#include "../domain/allocator.h"
#include "../error.h"
#include "../sync/owner_word.h"
#include "../wait/watchers.h"
#include "ring.h"

void yoke__queue_lock(yoke__queue *queue, yoke__a32 *side)
{
    (void)yoke__owner_acquire(queue->domain, side, INT64_MAX, NULL);
}

void yoke__queue_unlock(yoke__queue *queue, yoke__a32 *side)
{
    yoke__owner_release(queue->domain, side);
}

bool yoke__queue_of(yoke__queue *out, const yoke_queue *handle)
{
    yoke__handle *checked = yoke__handle_check(handle, YOKE__KIND_QUEUE);

    if (!checked || !yoke__domain_token(checked->domain)) /* no token: no lock could be taken */
        return false;
    out->domain = checked->domain;
    out->state = (yoke__queue_state *)checked->object;
    out->id = checked->id;
    return true;
}

/* ---- making and opening ---- */

static int init_state(yoke_domain *domain, yoke__id id, void *object, const void *argument)
{
    const yoke_queue_options *options = (const yoke_queue_options *)argument;
    yoke__queue               queue = {domain, (yoke__queue_state *)object, id};
    yoke__ring               *ring = yoke__chain_ring_new(&queue, YOKE__RING_FIRST, 0);

    if (!ring)
        return yoke__fail_in(YOKE_ENOMEM, "no memory for a queue");
    queue.state->max_items = options->max_items;
    queue.state->max_bytes = options->max_bytes;
    yoke__a64_store_relaxed(&queue.state->head_ring, yoke__domain_offset(domain, ring));
    yoke__a64_store_relaxed(&queue.state->tail_ring, yoke__domain_offset(domain, ring));
    return YOKE_OK;
}

static int agree_limit(const char *limit, uint64_t there, uint64_t asked)
{
    if (there == asked)
        return YOKE_OK;
    return yoke__fail(YOKE_EINVAL, "the queue of that name has %s %llu, not %llu (0: no limit)", limit,
                      (unsigned long long)there, (unsigned long long)asked);
}

static int agree(yoke_domain *domain, const void *object, const void *argument)
{
    const yoke__queue_state  *state = (const yoke__queue_state *)object;
    const yoke_queue_options *options = (const yoke_queue_options *)argument;

    (void)domain;
    YOKE_TRY(agree_limit("max_items", state->max_items, options->max_items));
    return agree_limit("max_bytes", state->max_bytes, options->max_bytes);
}

int yoke_queue_create(yoke_queue **out, const yoke_queue_options *options)
{
    static const yoke_queue_options defaults = {.struct_size = sizeof(yoke_queue_options)};
    yoke__object_spec               spec = {.kind = YOKE__KIND_QUEUE, .init = init_state, .agree = agree};

    if (!out)
        return yoke__fail(YOKE_EINVAL, "out is NULL");
    if (!options)
        options = &defaults;
    if (options->struct_size != sizeof *options)
        return yoke__fail(YOKE_EINVAL, "struct_size of yoke_queue_options is %zu, not %zu: use YOKE_OPTIONS()",
                          options->struct_size, sizeof *options);
    spec.name = options->name;
    spec.mode = options->mode;
    spec.size = sizeof(yoke__queue_state);
    spec.argument = options;
    return yoke__handle_create((yoke__handle **)(void *)out, options->domain, &spec);
}

int yoke_queue_open(yoke_queue **out, yoke_domain *domain, const char *name)
{
    yoke__object_spec spec = {.kind = YOKE__KIND_QUEUE, .name = name, .mode = YOKE_OPEN};

    if (!out || !name)
        return yoke__fail(YOKE_EINVAL, "%s is NULL", out ? "name" : "out");
    return yoke__handle_create((yoke__handle **)(void *)out, domain, &spec);
}

/* ---- ends ---- */

static void wake_all(yoke__queue *queue, yoke__a32 *word)
{
    yoke__a32_add_acq_rel(word, 1);
    yoke__fence_seq_cst();
    yoke__word_wake(queue->domain, word, UINT32_MAX);
}

static void wake_sleepers(yoke__handle *handle)
{
    yoke__queue queue = {handle->domain, (yoke__queue_state *)handle->object, handle->id};

    wake_all(&queue, &queue.state->items);
    wake_all(&queue, &queue.state->space);
}

void yoke_queue_close(yoke_queue *queue)
{
    if (queue && yoke__handle_check(queue, YOKE__KIND_QUEUE))
        yoke__handle_close(&queue->handle, wake_sleepers);
}

int64_t yoke_queue_shutdown(yoke_queue *handle, yoke_shutdown how)
{
    yoke__queue queue;
    uint64_t    discarded = 0;

    if (!yoke__queue_of(&queue, handle))
        return YOKE_EINVAL;
    if (how != YOKE_DRAIN && how != YOKE_IMMEDIATE)
        return yoke__fail(YOKE_EINVAL, "%d is no way to shut a queue down", (int)how);
    yoke__queue_lock(&queue, &queue.state->producers); /* no put is under way when the word changes */
    if (yoke__a32_load_relaxed(&queue.state->shut) < (uint32_t)how + 1)
        yoke__a32_store_release(&queue.state->shut, (uint32_t)how + 1);
    yoke__queue_unlock(&queue, &queue.state->producers);
    if (how == YOKE_IMMEDIATE) {
        yoke__queue_lock(&queue, &queue.state->consumers);
        discarded = yoke__queue_discard(&queue);
        yoke__queue_unlock(&queue, &queue.state->consumers);
    }
    wake_all(&queue, &queue.state->items);
    wake_all(&queue, &queue.state->space);
    yoke__watchers_ring(queue.domain, &queue.state->get_watchers);
    yoke__watchers_ring(queue.domain, &queue.state->put_watchers);
    return (int64_t)discarded;
}

/* ---- what is left of a participant that died ---- */

typedef struct search {
    yoke__queue *queue;
    uint64_t     offset;
} search;

static bool record_links(void *user, yoke__record *record)
{
    const search *wanted = (const search *)user;

    return record->form == YOKE__FORM_BLOCK && record->block == wanted->offset;
}

static bool rings_hold(yoke__queue *queue, uint64_t offset)
{
    search   wanted = {queue, offset};
    uint64_t at = yoke__a64_load_relaxed(&queue->state->head_ring);

    for (; at; at = yoke__a64_load_relaxed(&yoke__queue_ring(queue, at)->next))
        if (yoke__ring_walk(yoke__queue_ring(queue, at), record_links, &wanted))
            return true;
    return false;
}

static bool list_holds(yoke__queue *queue, uint64_t offset)
{
    uint64_t at = yoke__a64_load_relaxed(&queue->state->redeliver);

    while (at && at != offset)
        at = yoke__a64_load_relaxed(&((yoke__block *)yoke__domain_at(queue->domain, at))->next);
    return at != 0;
}

/* Both locks held. A dead consumer had taken the message and not finished: one store queues it again. */
static void redeliver(yoke__queue *queue, yoke__block *block, uint64_t offset)
{
    yoke__a64_store_relaxed(&block->next, yoke__a64_load_relaxed(&queue->state->redeliver));
    yoke__a64_store_release(&queue->state->redeliver, offset);
}

/* Is the block, which a dead participant owned, a ring or a message of this queue? One that the dead held is queued
 * again here. What is neither was not committed yet, or discarded already. */
static bool links(yoke_domain *domain, yoke__id id, void *object, void *block, bool held)
{
    yoke__queue queue = {domain, (yoke__queue_state *)object, id};
    uint64_t    offset = yoke__domain_offset(domain, block);
    bool        linked;
    bool        again = false;

    yoke__queue_lock(&queue, &queue.state->producers);
    yoke__queue_lock(&queue, &queue.state->consumers);
    linked = yoke__chain_links(&queue, offset) || rings_hold(&queue, offset) || list_holds(&queue, offset);
    if (!linked && held) {
        redeliver(&queue, (yoke__block *)block, offset);
        linked = again = true;
    }
    yoke__queue_unlock(&queue, &queue.state->consumers);
    yoke__queue_unlock(&queue, &queue.state->producers);
    if (again)
        yoke__queue_wake(&queue, &queue.state->getters_sleep, &queue.state->items);
    return linked;
}

/* The last user is gone. Every step is one that a consumer might do, so that a death in the middle leaves a sound queue
 * for the next to destroy. */
static void destroy(yoke_domain *domain, yoke__id id, void *object)
{
    yoke__queue queue = {domain, (yoke__queue_state *)object, id};
    uint64_t    spare = yoke__a64_load_relaxed(&queue.state->spare);
    uint64_t    last = yoke__a64_load_relaxed(&queue.state->head_ring);

    if (last) {
        (void)yoke__queue_discard(&queue);
        last = yoke__a64_load_relaxed(&queue.state->head_ring);
        yoke__alloc_take(domain, yoke__queue_ring(&queue, last));
        yoke__a64_store_release(&queue.state->head_ring, 0);
        yoke__free(domain, yoke__queue_ring(&queue, last));
        spare = yoke__a64_load_relaxed(&queue.state->spare);
    }
    if (spare) {
        yoke__alloc_take(domain, yoke__queue_ring(&queue, spare));
        yoke__a64_store_release(&queue.state->spare, 0);
        yoke__free(domain, yoke__queue_ring(&queue, spare));
    }
}

const yoke__object_type yoke__queue_type = {
    .kind = YOKE__KIND_QUEUE, .name = "queue", .destroy = destroy, .links = links};
