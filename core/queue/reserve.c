/* Putting without a copy: memory outside the rings is given to the user to write, and enqueued by its descriptor. */
#include "../domain/allocator.h"
#include "../error.h"
#include "limit.h"
#include "queue.h"
#include "sleep.h"

#include <string.h>

/* What slot.private_ holds. */
enum { OFFSET, TICKET, DOMAIN };

/* ---- reserve ----------------------------------------------------------------------------------------------------- */

typedef struct reservation {
    yoke__message_block *block;
    const char          *limit;
} reservation;

/* A ticket of a reservation has this bit, one of a hold doesn't. */
#define RESERVED (UINT64_C(1) << 63)

/* Differs between the threads of a process. */
static uint64_t new_ticket(const yoke__queue *queue)
{
    static yoke__a64 count;

    return RESERVED | (uint64_t)(yoke__domain_token(queue->domain) & 0xffffu) << 40 |
           ((yoke__a64_add_acq_rel(&count, 1) + 1) & ((UINT64_C(1) << 40) - 1));
}

/* Producers' lock held. The handle notes that it ever had one, the block which handle that is. */
static void open_slot(yoke__queue *queue, yoke__message_block *block)
{
    yoke__queue_reserve(queue, block);
    queue->handle->private_[YOKE__HANDLE_RESERVED] = 1;
    block->handle = queue->handle->reference;
    yoke__a64_store_release(&block->ticket, new_ticket(queue));
}

static int attempt_reserve(yoke__queue *queue, void *user)
{
    reservation *wanted = (reservation *)user;
    int          rc = YOKE_OK;

    YOKE_TRY(yoke__queue_lock_timed(queue, &queue->state->producers));
    if (yoke__a32_load_relaxed(&queue->state->shut))
        rc = yoke__fail(YOKE_ESHUTDOWN, "the queue was shut down: nothing more can be put");
    else if (yoke__queue_over_limit(queue, yoke__queue_tail(queue), wanted->block->size, &wanted->limit))
        rc = YOKE_ETIMEDOUT;
    else
        open_slot(queue, wanted->block);
    yoke__queue_unlock(queue, &queue->state->producers);
    return rc;
}

int yoke_queue_reserve(yoke_queue *handle, yoke_slot *slot, size_t size, int64_t timeout)
{
    yoke__queue queue;
    reservation wanted = {NULL, ""};
    int         rc;

    if (!slot)
        return yoke__fail(YOKE_EINVAL, "slot is NULL");
    YOKE_TRY(yoke__queue_for(&queue, handle, YOKE_MAY_PUT));
    YOKE_TRY(yoke__queue_check_size(&queue, size));
    YOKE_TRY(yoke__message_new_block(&wanted.block, &queue, YOKE__CONTENT_BYTES, size, 0));
    yoke__queue_time(&queue, timeout);
    rc = attempt_reserve(&queue, &wanted);
    if (rc == YOKE_ETIMEDOUT)
        rc = yoke__queue_wait_for_room(&queue, attempt_reserve, &wanted, timeout);
    if (rc != YOKE_OK) {
        yoke__free(queue.domain, wanted.block);
        return rc == YOKE_ETIMEDOUT ? yoke__queue_fail_full(&queue, wanted.limit, timeout) : yoke__queue_result(rc);
    }
    memset(slot, 0, sizeof *slot);
    slot->private_[OFFSET] = yoke__domain_offset(queue.domain, wanted.block);
    slot->private_[TICKET] = yoke__a64_load_relaxed(&wanted.block->ticket);
    slot->private_[DOMAIN] = yoke__domain_header(queue.domain)->id;
    slot->size = size;
    slot->data = yoke__message_payload(wanted.block);
    return YOKE_OK;
}

/* ---- commit, abort ----------------------------------------------------------------------------------------------- */

/* The block behind an open slot, for one caller: the ticket is taken off, and put back if nothing comes of it. */
static int claim(yoke__message_block **out, yoke__queue *queue, const yoke_slot *slot)
{
    bool                 here = slot && slot->private_[DOMAIN] == yoke__domain_header(queue->domain)->id;
    yoke__message_block *block = here ? yoke__queue_block_at(queue, slot->private_[OFFSET]) : NULL;
    uint64_t             ticket = block ? slot->private_[TICKET] : 0;

    /* A forked child inherits the structure, but not the reservation. */
    if (!ticket || block->queue != queue->id || !yoke__alloc_is_mine(queue->domain, block) ||
        !yoke__a64_cas_acq_rel(&block->ticket, &ticket, 0))
        return yoke__fail(YOKE_EINVAL, "the slot is not one that was reserved in this queue and is still open");
    *out = block;
    return YOKE_OK;
}

static int append(yoke__queue *queue, yoke__put *put)
{
    uint32_t flags = yoke__a32_load_relaxed(&put->block->flags);
    uint64_t reserved = put->block->size;
    int      rc;

    put->reserved = (flags & YOKE__MESSAGE_RESERVED) != 0;
    yoke__queue_unreserve(queue, put->block); /* or it would count twice */
    put->block->size = put->size;
    rc = yoke__queue_append(queue, put);
    if (rc == YOKE_OK)
        return rc;
    put->block->size = reserved;
    if (flags & YOKE__MESSAGE_RESERVED)
        yoke__queue_reserve(queue, put->block);
    return rc;
}

int yoke_queue_commit(yoke_queue *handle, yoke_slot *slot, size_t used)
{
    yoke__queue queue;
    yoke__put   put = {.size = used, .content = YOKE__CONTENT_BYTES};
    int         rc;

    YOKE_TRY(yoke__queue_for(&queue, handle, YOKE_MAY_PUT));
    if (slot && used > slot->size)
        return yoke__fail(YOKE_EINVAL, "%zu bytes can't be committed of a slot of %zu", used, slot->size);
    YOKE_TRY(claim(&put.block, &queue, slot));
    yoke__queue_lock(&queue, &queue.state->producers);
    rc = append(&queue, &put);
    if (rc != YOKE_OK)
        yoke__a64_store_release(&put.block->ticket, slot->private_[TICKET]);
    yoke__queue_unlock(&queue, &queue.state->producers);
    if (rc == YOKE_ETIMEDOUT)
        return yoke__queue_fail_full(&queue, put.limit, 0);
    if (rc != YOKE_OK)
        return rc;
    yoke__queue_wake(&queue, &queue.state->getters_sleep, &queue.state->items);
    if (used < slot->size) /* what was not used is room for others */
        yoke__queue_wake(&queue, &queue.state->putters_sleep, &queue.state->space);
    memset(slot, 0, sizeof *slot);
    return YOKE_OK;
}

/* No lock held. */
static void give_up(yoke__queue *queue, yoke__message_block *block)
{
    yoke__queue_lock(queue, &queue->state->producers);
    yoke__queue_unreserve(queue, block);
    yoke__queue_unlock(queue, &queue->state->producers);
    yoke__free(queue->domain, block);
}

void yoke_queue_abort(yoke_queue *handle, yoke_slot *slot)
{
    yoke__queue          queue;
    yoke__message_block *block;

    if (!yoke__queue_of(&queue, handle) || claim(&block, &queue, slot) < 0)
        return;
    give_up(&queue, block);
    memset(slot, 0, sizeof *slot);
    yoke__queue_wake(&queue, &queue.state->putters_sleep, &queue.state->space);
}

/* ---- closing ----------------------------------------------------------------------------------------------------- */

typedef struct closing {
    yoke__queue         *queue;
    yoke__message_block *found; /* list by next, of blocks that nobody else can claim any more */
} closing;

/* Allocator's lock held. Committed ones and holds have another ticket, or none. */
static bool claim_open(void *user, void *payload, uint64_t size)
{
    closing             *all = (closing *)user;
    yoke__message_block *block = (yoke__message_block *)payload;
    uint64_t             ticket;

    if (size < sizeof *block || !yoke__message_is(block) || !yoke__alloc_is_mine(all->queue->domain, block))
        return true;
    ticket = yoke__a64_load_acquire(&block->ticket);
    if (!(ticket & RESERVED) || block->queue != all->queue->id || block->handle != all->queue->handle->reference ||
        !yoke__a64_cas_acq_rel(&block->ticket, &ticket, 0))
        return true;
    yoke__a64_store_relaxed(&block->next, all->found ? yoke__domain_offset(all->queue->domain, all->found) : 0);
    all->found = block;
    return true;
}

void yoke__queue_abort_all(yoke__queue *queue)
{
    closing  all = {queue, NULL};
    uint64_t next;

    yoke__alloc_each(queue->domain, queue->id, claim_open, &all);
    for (yoke__message_block *block = all.found; block; block = next ? yoke__queue_block(queue, next) : NULL) {
        next = yoke__a64_load_relaxed(&block->next);
        give_up(queue, block);
    }
    if (all.found)
        yoke__queue_wake(queue, &queue->state->putters_sleep, &queue->state->space);
}
