/*
 * Blocks that were consumed, and are freed a little later. Their lines are in this CPU's cache: a producer that got such a
 * block at once would have to take each line from here, one by one, which costs several times what the copy does. Once a
 * consumer has copied about as much as its cache holds, they have left it.
 *
 * A handle keeps them, in an array of this process's. They are the process's own like any block that it has allocated, and
 * not linked by anything: if it dies, its recovery frees them. Who finds nothing to get frees them first, so that an idle
 * queue keeps no memory.
 */
#include "../domain/allocator.h"
#include "queue.h"

#include <stdlib.h>

#define BYTES   (UINT64_C(4) << 20) /* of one size that are kept: more than a core's own caches, less than all share */
#define PART    64u
#define PLACES  64u
#define GRANULE 64u

/* {token : 32 | place in the domain / 64 : 32}, or 0. A forked child finds its parent's here, and knows by the token. */
typedef struct cooling {
    yoke__a64 places[PLACES];
    yoke__a32 next;
} cooling;
_Static_assert(sizeof(uintptr_t) <= sizeof(uint64_t), "an address fits");

static cooling *cooling_of(const yoke__queue *queue)
{
    return queue->handle ? (cooling *)(uintptr_t)yoke__load_64(&queue->handle->private_[YOKE__HANDLE_KEPT]) : NULL;
}

static cooling *make_cooling(yoke__queue *queue)
{
    cooling *made = queue->handle ? (cooling *)calloc(1, sizeof *made) : NULL;

    if (made && !yoke__swap_64(&queue->handle->private_[YOKE__HANDLE_KEPT], 0,
                               (uintptr_t)made)) { /* another thread was first */
        free(made);
        made = cooling_of(queue);
    }
    return made;
}

static void free_place(yoke__queue *queue, uint64_t place)
{
    if (place && place >> 32 == yoke__domain_token(queue->domain))
        yoke__free(queue->domain, yoke__queue_block(queue, (place & UINT32_MAX) * GRANULE));
}

/* How many blocks of that size are kept. A domain with a budget needs its memory: of that, no more than a part. */
static uint32_t places_for(const yoke__queue *queue, uint64_t size)
{
    uint64_t budget = queue->domain->layout->header.budget;
    uint64_t bytes = budget != 0 && budget / PART < BYTES ? budget / PART : BYTES;

    return size >= bytes ? 0 : size <= bytes / PLACES ? PLACES : (uint32_t)(bytes / size);
}

void yoke__queue_free_later(yoke__queue *queue, yoke__message_block *block)
{
    uint32_t places = block->size > YOKE__INLINE_LARGEST ? places_for(queue, block->size) : 0;
    cooling *kept = places > 1 ? cooling_of(queue) : NULL;
    uint64_t place = yoke__domain_offset(queue->domain, block) / GRANULE;

    if (!kept && places > 1)
        kept = make_cooling(queue);
    if (!kept || place > UINT32_MAX) {
        yoke__free(queue->domain, block);
        return;
    }
    yoke__alloc_take(queue->domain, block); /* consumed */
    place |= (uint64_t)yoke__domain_token(queue->domain) << 32;
    free_place(queue, yoke__a64_exchange_acq_rel(&kept->places[yoke__a32_add_acq_rel(&kept->next, 1) % places], place));
}

void yoke__queue_free_kept(yoke__queue *queue)
{
    cooling *kept = cooling_of(queue);

    if (!kept || yoke__a32_load_relaxed(&kept->next) == 0)
        return;
    yoke__a32_store_relaxed(&kept->next,
                            0); /* threads that add meanwhile start anew, and leave some for the next time */
    for (uint32_t i = 0; i < PLACES; i++)
        free_place(queue, yoke__a64_exchange_acq_rel(&kept->places[i], 0));
}

void yoke__queue_forget_kept(yoke__handle *handle)
{
    free((void *)(uintptr_t)handle->private_[YOKE__HANDLE_KEPT]);
    handle->private_[YOKE__HANDLE_KEPT] = 0;
}
