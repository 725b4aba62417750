/* A queue as an object: making, opening, closing, shutting down. */
#include "queue.h"
#include "sleep.h"

#include "../domain/allocator.h"
#include "../domain/inspect.h"
#include "../domain/participant.h"
#include "../error.h"
#include "../options.h"
#include "../sync/owner_word.h"

static void take_over(yoke__queue *queue, const yoke__a32 *side)
{
    if (side == &queue->state->producers) {
        yoke__queue_note_puts(queue);
        return;
    }
    yoke__journal_redo(queue);
    yoke__queue_note_gets(queue);
}

void yoke__queue_lock_held(yoke__queue *queue, yoke__a32 *side)
{
    if (yoke__owner_acquire(queue->domain, side, INT64_MAX, NULL) == YOKE_OWNER_DIED)
        take_over(queue, side);
}

bool yoke__queue_lock_soon(yoke__queue *queue, yoke__a32 *side, int64_t patience)
{
    int rc = yoke__owner_acquire(queue->domain, side, yoke__deadline_after(patience), NULL);

    if (rc == YOKE_OWNER_DIED)
        take_over(queue, side);
    return rc >= 0;
}

yoke__deadline yoke__queue_until(yoke__queue *queue)
{
    if (queue->until == 0)
        queue->until = yoke__deadline_after(queue->timed ? queue->timeout : YOKE_FOREVER);
    return queue->until;
}

static int fail_held(const yoke__queue *queue, const yoke__a32 *side)
{
    const char    *what = side == &queue->state->producers ? "putting into" : "getting from";
    yoke__token    owner = yoke__a32_load_acquire(side) & YOKE__TOKEN_MASK;
    yoke__obituary holder;

    yoke__token_describe(queue->domain, owner, &holder);
    yoke__fail(YOKE_ETIMEDOUT,
               "process %lld (%s) is in the middle of %s the queue, and has not gone on for %lld ms: is it stopped?",
               (long long)holder.pid, holder.name, what,
               (long long)(queue->timeout > YOKE__QUEUE_GRACE ? queue->timeout : YOKE__QUEUE_GRACE));
    return YOKE_EBUSY;
}

/* Whoever closes the handle waits for us meanwhile, or we see that it is closed. */
int yoke__queue_lock_until(yoke__queue *queue, yoke__a32 *side)
{
    yoke__owner_wait wait = {.deadline = yoke__queue_until(queue), .closing = &queue->handle->closing};
    int              rc;

    if (yoke__deadline_past(wait.deadline))
        wait.deadline = yoke__deadline_after(YOKE__QUEUE_GRACE);
    yoke__handle_enter(queue->handle);
    rc = yoke__owner_acquire_with(queue->domain, side, &wait);
    yoke__handle_exit(queue->handle);
    if (rc == YOKE_OWNER_DIED)
        take_over(queue, side);
    if (rc == YOKE_ECLOSED)
        return yoke__queue_fail_closed();
    return rc == YOKE_ETIMEDOUT ? fail_held(queue, side) : YOKE_OK;
}

/* As yoke__owner_release() does. */
void yoke__queue_wake_waiter(yoke__queue *queue, yoke__a32 *side)
{
    yoke__fence_seq_cst();
    yoke__word_wake(queue->domain, side, 1);
}

int yoke__queue_refuse(const yoke__queue *queue, yoke_queue_role role)
{
    if (!queue->handle)
        return yoke__noted();
    return yoke__fail(YOKE_EACCES, "this handle has given up %s the queue",
                      role == YOKE_MAY_PUT ? "putting into" : "getting from");
}

/* ---- making and opening ------------------------------------------------------------------------------------------ */

static uint32_t options_of(const yoke_queue_options *options)
{
    return (options->joinable ? YOKE__QUEUE_JOINABLE : 0) |
           (options->report_orphaned ? YOKE__QUEUE_REPORT_ORPHANED : 0);
}

static int init_state(yoke_domain *domain, yoke__id id, void *object, const void *argument)
{
    const yoke_queue_options *options = (const yoke_queue_options *)argument;
    yoke__queue               queue = {.domain = domain, .state = (yoke__queue_state *)object, .id = id};
    yoke__ring               *ring = yoke__chain_ring_new(&queue, YOKE__RING_FIRST, 0);

    if (!ring)
        return yoke__fail_in(YOKE_ENOMEM, "no memory for a queue");
    queue.state->max_items = options->max_items;
    queue.state->max_bytes = options->max_bytes;
    queue.state->options = options_of(options);
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

static int agree_option(const char *name, uint32_t option, uint32_t there, uint32_t asked)
{
    if (((there ^ asked) & option) == 0)
        return YOKE_OK;
    return yoke__fail(YOKE_EINVAL, "the queue of that name was made %s %s, not %s", there & option ? "with" : "without",
                      name, asked & option ? "with" : "without");
}

static int agree(yoke_domain *domain, const void *object, const void *argument)
{
    const yoke__queue_state  *state = (const yoke__queue_state *)object;
    const yoke_queue_options *options = (const yoke_queue_options *)argument;
    uint32_t                  asked = options_of(options);

    (void)domain;
    YOKE_TRY(agree_limit("max_items", state->max_items, options->max_items));
    YOKE_TRY(agree_limit("max_bytes", state->max_bytes, options->max_bytes));
    YOKE_TRY(agree_option("joinable", YOKE__QUEUE_JOINABLE, state->options, asked));
    return agree_option("report_orphaned", YOKE__QUEUE_REPORT_ORPHANED, state->options, asked);
}

int yoke_queue_create(yoke_queue **out, const yoke_queue_options *options)
{
    static const yoke_queue_options defaults = {.struct_size = sizeof(yoke_queue_options)};
    yoke__object_spec               spec = {.kind = YOKE__KIND_QUEUE, .init = init_state, .agree = agree};

    if (!out)
        return yoke__fail(YOKE_EINVAL, "out is NULL");
    if (!options)
        options = &defaults;
    YOKE_TRY(yoke__options_check(options, sizeof *options, "yoke_queue_options"));
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

/* ---- ends -------------------------------------------------------------------------------------------------------- */

static void wake_sleepers(yoke__handle *handle)
{
    yoke__queue queue = {
        .domain = handle->domain, .state = (yoke__queue_state *)handle->object, .handle = handle, .id = handle->id};

    yoke__queue_wake_everybody(&queue);
    yoke__word_wake(queue.domain, &queue.state->producers, UINT32_MAX);
    yoke__word_wake(queue.domain, &queue.state->consumers, UINT32_MAX);
}

static void return_holds(yoke__queue *queue)
{
    yoke__message_block *block;
    bool                 any = false;

    yoke__queue_lock(queue, &queue->state->consumers);
    for (; (block = yoke__hold_oldest(queue)) != NULL; any = true)
        yoke__hold_return(queue, block, true);
    yoke__queue_unlock(queue, &queue->state->consumers);
    if (any)
        yoke__queue_came_back(queue);
}

/* Nobody could let go any more of what this handle holds, nor commit what is reserved through it. */
static void let_go(yoke__handle *handle)
{
    yoke__queue queue = {
        .domain = handle->domain, .state = (yoke__queue_state *)handle->object, .handle = handle, .id = handle->id};

    if (!yoke__a32_load_acquire(&handle->domain->token) || (yoke__a32_load_acquire(&handle->closing) & YOKE__NOT_HELD))
        return;
    if (handle->private_[0])
        return_holds(&queue);
    if (handle->private_[YOKE__HANDLE_RESERVED])
        yoke__queue_abort_all(&queue);
    yoke__queue_free_kept(&queue);
}

static void let_go_of_all(yoke__handle *handle)
{
    let_go(handle);
    yoke__queue_forget_kept(handle);
}

void yoke_queue_close(yoke_queue *handle)
{
    if (handle && yoke__handle_check(handle, YOKE__KIND_QUEUE))
        yoke__handle_close_with(&handle->handle, wake_sleepers, let_go_of_all);
}

int64_t yoke_queue_shutdown(yoke_queue *handle, yoke_shutdown how)
{
    yoke__queue queue;
    uint64_t    discarded = 0;

    if (!yoke__queue_of(&queue, handle))
        return yoke__noted();
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
        yoke__queue_collect_carried(&queue);
    }
    yoke__queue_wake_everybody(&queue);
    return (int64_t)discarded;
}

static void free_ring(yoke__queue *queue, yoke__a64 *word)
{
    uint64_t offset = yoke__a64_load_relaxed(word);

    if (!offset)
        return;
    yoke__alloc_take(queue->domain, yoke__queue_ring(queue, offset));
    yoke__a64_store_release(word, 0);
    yoke__free(queue->domain, yoke__queue_ring(queue, offset));
}

/* The last user is gone. Every step is one that a consumer might do, so that a death in the middle leaves a sound queue
 * for the next to destroy. */
static void destroy(yoke_domain *domain, yoke__id id, void *object)
{
    yoke__queue queue = {.domain = domain, .state = (yoke__queue_state *)object, .id = id};

    if (yoke__a64_load_relaxed(&queue.state->head_ring)) {
        yoke__journal_redo(&queue); /* nobody is left to have the lock */
        (void)yoke__queue_discard(&queue);
    }
    free_ring(&queue, &queue.state->head_ring);
    free_ring(&queue, &queue.state->spare);
}

/* A lock of its own that is held is worth a word only if its holder is gone. */
static void add_dead_holder(yoke_domain *domain, const yoke__a32 *word, const char *who, char *text, size_t size)
{
    uint32_t seen = yoke__a32_load_acquire(word);

    if (!(seen & YOKE__TOKEN_MASK) || yoke__token_alive(domain, seen))
        return;
    yoke__text_add(text, size, ", %s ", who);
    yoke__text_add_holder(text, size, domain, seen);
}

static void describe(yoke_domain *domain, yoke__id id, const void *object, char *text, size_t size)
{
    yoke__queue              queue = {.domain = domain, .state = (yoke__queue_state *)(uintptr_t)object, .id = id};
    const yoke__queue_state *state = object;
    uint64_t                 again = yoke__list_count(yoke__a64_load_acquire(&state->redeliver));
    uint64_t                 count = yoke__queue_count(&queue) + again;

    yoke__text_add(text, size, "%llu message%s, %llu bytes", (unsigned long long)count, count == 1 ? "" : "s",
                   (unsigned long long)yoke__queue_bytes(&queue));
    if (again)
        yoke__text_add(text, size, ", %llu of them come once more", (unsigned long long)again);
    if (state->max_items)
        yoke__text_add(text, size, ", at most %llu messages", (unsigned long long)state->max_items);
    if (state->max_bytes)
        yoke__text_add(text, size, ", at most %llu bytes", (unsigned long long)state->max_bytes);
    if (yoke__a32_load_acquire(&state->shut))
        yoke__text_add(text, size, ", shut down");
    add_dead_holder(domain, &state->producers, "producers' lock", text, size);
    add_dead_holder(domain, &state->consumers, "consumers' lock", text, size);
}

const yoke__object_type yoke__queue_type = {
    .kind = YOKE__KIND_QUEUE,
    .name = "queue",
    .destroy = destroy,
    .sweep = yoke__queue_sweep,
    .links = yoke__queue_links,
    .references = yoke__queue_references,
    .unreferenced = yoke__queue_unreferenced,
    .describe = describe,
};
