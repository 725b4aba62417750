/*
 * Handles inside messages. Their references stand as a list before the payload of the message's block, and belong to the
 * queue from the put until a consumer has opened them and let the block go.
 */
#include "../domain/allocator.h"
#include "../error.h"
#include "../memory/shm.h"
#include "../message/message.h"
#include "queue.h"

#include <string.h>

static uint64_t *ids_of(yoke__message_block *block)
{
    return (uint64_t *)(void *)(block + 1);
}

/* ---- who looks for references ------------------------------------------------------------------------------------ */

typedef struct visit_call {
    void (*visit)(void *user, yoke__reference reference);
    void *user;
} visit_call;

/* Blocks that are not in the queue yet, or not any more, are visited too: whoever has them has the objects open. */
static bool visit_block(void *user, void *payload, uint64_t size)
{
    const visit_call    *call = (const visit_call *)user;
    yoke__message_block *block = (yoke__message_block *)payload;

    if (size < sizeof *block || !yoke__message_is(block))
        return true;
    if (yoke__message_ids(block->handles) > size - sizeof *block)
        return true;
    for (uint32_t i = 0; i < block->handles; i++)
        call->visit(call->user, ids_of(block)[i]);
    return true;
}

void yoke__queue_references(yoke_domain *domain, yoke__id id, void *object,
                            void (*visit)(void *user, yoke__reference reference), void *user)
{
    visit_call call = {visit, user};

    if (yoke__a32_load_acquire(&((yoke__queue_state *)object)->carries))
        yoke__alloc_each(domain, id, visit_block, &call);
}

/* ---- in ---------------------------------------------------------------------------------------------------------- */

static int reference_to(yoke__reference *out, const yoke__queue *queue, const yoke__packed_handle *packed)
{
    yoke__kind          kind = yoke__kind_of_handle(packed->kind);
    const yoke__handle *handle;

    if (kind == YOKE__KIND_SHM) { /* a note of it travels */
        YOKE_TRY(yoke__shm_note(out, packed->handle, queue->domain));
        return yoke__reference_add(queue->domain, *out);
    }
    /* A descriptor would have to travel too. */
    if (kind == YOKE__KIND_NONE || kind == YOKE__KIND_CONN || kind == YOKE__KIND_FILE)
        return yoke__fail(YOKE_ENOTSUP,
                          "a %s can't be put into a queue, only objects of its domain: send it over a connection",
                          yoke__item_kind_name(packed->kind));
    handle = yoke__handle_check(packed->handle, kind);
    if (!handle)
        return yoke__noted();
    if (handle->domain != queue->domain)
        return yoke__fail(YOKE_ENOTSUP, "a %s of another domain than the queue's can't be put into it",
                          yoke__item_kind_name(packed->kind));
    *out = yoke__handle_reference(handle);
    return yoke__reference_add(queue->domain, *out);
}

int yoke__queue_stow(yoke__queue *queue, yoke__message_block *block, const yoke__packed *packed)
{
    /* Before the message can be seen: from then on the collection looks at this queue's blocks. */
    yoke__a32_store_release(&queue->state->carries, 1);
    for (size_t i = 0; i < packed->handle_count; i++)
        YOKE_TRY(reference_to(&ids_of(block)[i], queue, &packed->handles[i]));
    memcpy(yoke__message_payload(block), packed->data, packed->size);
    return YOKE_OK;
}

/* ---- out --------------------------------------------------------------------------------------------------------- */

typedef struct opening {
    yoke__queue         *queue;
    yoke__message_block *block;
} opening;

static int open_handle(void *user, uint32_t kind, uint32_t position, void **handle)
{
    const opening *from = (const opening *)user;
    yoke__handle  *opened;

    if (position >= from->block->handles)
        return yoke__fail(YOKE_EPROTO, "a message names a handle that doesn't travel with it");
    if (kind == YOKE_H_shm) {
        yoke_shm *segment;
        YOKE_TRY(yoke__shm_open_noted(&segment, from->queue->domain, ids_of(from->block)[position]));
        *handle = segment;
        return YOKE_OK;
    }
    YOKE_TRY(
        yoke__handle_open(&opened, from->queue->domain, yoke__kind_of_handle(kind), ids_of(from->block)[position]));
    *handle = opened;
    return YOKE_OK;
}

int yoke__queue_unstow(yoke_variant **out, yoke__queue *queue, yoke__message_block *block)
{
    opening from = {queue, block};

    return yoke__unpack(out, yoke__message_payload(block), (size_t)block->size, open_handle, &from);
}

void yoke__queue_free_message(yoke__queue *queue, yoke__message_block *block)
{
    yoke__reference few[16];
    uint32_t        count = block->handles;

    /* While the block is there they are still wanted: this only notes them, and the last one has all looked at. */
    while (count > 16)
        yoke__reference_drop(queue->domain, ids_of(block)[--count]);
    memcpy(few, ids_of(block), count * sizeof few[0]);
    yoke__free(queue->domain, block);
    while (count > 0)
        yoke__reference_drop(queue->domain, few[--count]);
}
