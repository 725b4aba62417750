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

/* That this process keeps of a domain: more than a core's own caches, less than all share. */
#define BYTES   (UINT64_C(4) << 20)
#define PLACES  64u
#define GRANULE 64u

/* {token : 32 | place in the domain / 64 : 32}, or 0. A forked child finds its parent's here, and knows by the token. */
typedef struct cooling {
    yoke__a64 places[PLACES];
    yoke__a32 next;
    yoke__a32 any; /* 1 after one was put there; 0 before they are looked through */
} cooling;
_Static_assert(sizeof(uintptr_t) <= sizeof(uint64_t), "an address fits");

static cooling *cooling_of(const yoke__queue *queue)
{
    return queue->handle ? (cooling *)(uintptr_t)yoke__load_64(&queue->handle->private_[YOKE__HANDLE_KEPT]) : NULL;
}

static cooling *make_cooling(yoke__queue *queue)
{
    cooling *made = (cooling *)calloc(1, sizeof *made);

    if (made && !yoke__swap_64(&queue->handle->private_[YOKE__HANDLE_KEPT], 0,
                               (uintptr_t)made)) { /* another thread was first */
        free(made);
        made = cooling_of(queue);
    }
    return made;
}

/* The call may be through, and the handle closed meanwhile by another thread, and be another's: then what it kept is
 * gone. Else a close waits until leave(). */
static bool enter(const yoke__queue *queue)
{
    yoke__handle *handle = queue->handle;

    if (!handle)
        return false;
    yoke__handle_enter(handle);
    if (!yoke__a32_load_acquire(&handle->closing) && handle->id == queue->id && handle->domain == queue->domain)
        return true;
    yoke__handle_exit(handle);
    return false;
}

static void leave(const yoke__queue *queue)
{
    yoke__handle_exit(queue->handle);
}

/* Adds to what this process keeps, of all its queues there; true: it is not too much. {token : 32 | bytes / 64 : 32}: a
 * forked child keeps nothing yet. */
static bool count(yoke__queue *queue, int64_t bytes)
{
    yoke__a64 *kept = &queue->domain->kept;
    uint64_t   token = yoke__domain_token(queue->domain);
    uint64_t   was = yoke__a64_load_relaxed(kept);
    uint64_t   granules;

    do
        granules = (was >> 32 == token ? was & UINT32_MAX : 0) + (uint64_t)(bytes / (int64_t)GRANULE);
    while (!yoke__a64_cas_acq_rel(kept, &was, token << 32 | (granules & UINT32_MAX)));
    return granules * GRANULE <= BYTES;
}

/* What its payload takes, rounded up. */
static int64_t size_of(yoke__queue *queue, const yoke__message_block *block)
{
    return (int64_t)(yoke__alloc_size(queue->domain, block) + GRANULE - 1) / GRANULE * GRANULE;
}

static void free_place(yoke__queue *queue, uint64_t place)
{
    yoke__message_block *block;

    if (!place || place >> 32 != yoke__domain_token(queue->domain))
        return;
    block = yoke__queue_block(queue, (place & UINT32_MAX) * GRANULE);
    (void)count(queue, -size_of(queue, block));
    yoke__free(queue->domain, block);
}

/* How many blocks like that are kept. A domain with a budget needs its memory: no put may fail for want of it. */
static uint32_t places_for(yoke__queue *queue, const yoke__message_block *block)
{
    uint64_t bytes;

    if (block->size <= YOKE__INLINE_LARGEST || yoke__domain_header(queue->domain)->budget != 0)
        return 0;
    bytes = (uint64_t)size_of(queue, block);
    return bytes > BYTES / 2 ? 0 : bytes <= BYTES / PLACES ? PLACES : (uint32_t)(BYTES / bytes);
}

/* In a handle that stays open: false if it isn't kept, but the caller's to free. */
static bool keep(yoke__queue *queue, yoke__message_block *block, uint32_t places)
{
    cooling   *kept = cooling_of(queue);
    uint64_t   offset = yoke__domain_offset(queue->domain, block) / GRANULE;
    uint64_t   place = (uint64_t)yoke__domain_token(queue->domain) << 32 | offset;
    yoke__a64 *at;

    if (!kept)
        kept = make_cooling(queue);
    if (!kept || offset > UINT32_MAX)
        return false;
    yoke__alloc_take(queue->domain, block); /* consumed */
    at = &kept->places[yoke__a32_add_acq_rel(&kept->next, 1) % places];
    (void)count(queue, size_of(queue, block));
    free_place(queue, yoke__a64_exchange_acq_rel(at, place));
    if (!count(queue, 0)) /* other handles keep as much as may be */
        free_place(queue, yoke__a64_exchange_acq_rel(at, 0));
    yoke__a32_store_release(&kept->any, 1); /* after the exchange: whoever looks through them from now on finds it */
    return true;
}

void yoke__queue_free_later(yoke__queue *queue, yoke__message_block *block)
{
    uint32_t places = places_for(queue, block);
    bool     kept = false;

    if (places && enter(queue)) {
        kept = keep(queue, block, places);
        leave(queue);
    }
    if (!kept)
        yoke__free(queue->domain, block);
}

static void free_all(yoke__queue *queue, cooling *kept)
{
    for (uint32_t i = 0; i < PLACES; i++)
        free_place(queue, yoke__a64_exchange_acq_rel(&kept->places[i], 0));
}

void yoke__queue_free_kept(yoke__queue *queue)
{
    cooling *kept;

    if (!cooling_of(queue) || !enter(queue))
        return;
    kept = cooling_of(queue);
    if (kept && yoke__a32_load_relaxed(&kept->any) && yoke__a32_exchange_acq_rel(&kept->any, 0))
        free_all(queue, kept);
    leave(queue);
}

void yoke__queue_free_last_kept(yoke__queue *queue)
{
    cooling *kept = cooling_of(queue);

    if (kept)
        free_all(queue, kept);
}

void yoke__queue_forget_kept(yoke__handle *handle)
{
    free((void *)(uintptr_t)handle->private_[YOKE__HANDLE_KEPT]);
    handle->private_[YOKE__HANDLE_KEPT] = 0;
}
