/*
 * libFuzzer: a queue in shared memory whose words are anything: an attached process may have written whatever it likes.
 * Every call must answer, with an error if need be: no crash, and no loop without an end (libFuzzer's -timeout).
 *
 * Each input makes a queue, puts and holds some messages, then overwrites parts of what it consists of: its state, ring
 * headers, records, the heads of message blocks. Then every operation is called. Locks are left alone: a word that names
 * a living owner is waited for, and that is right.
 */
#include "core/domain/allocator.h"
#include "core/domain/participant.h"
#include "core/queue/queue.h"

#include <stdlib.h>
#include <string.h>
#include <yoke/yoke.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct input {
    const uint8_t *data;
    size_t         size;
} input;

static uint64_t number(input *in, size_t bytes)
{
    uint64_t value = 0;

    if (bytes > in->size)
        bytes = in->size;
    memcpy(&value, in->data, bytes);
    in->data += bytes;
    in->size -= bytes;
    return value;
}

/* ---- what is overwritten ----------------------------------------------------------------------------------------- */

typedef struct place {
    uint8_t *at;
    size_t   size;
} place;

typedef struct places {
    place    of[32];
    unsigned count;
} places;

static void add(places *all, void *at, size_t size)
{
    if (all->count < 32)
        all->of[all->count++] = (place){at, size};
}

static bool add_block(void *user, void *payload, uint64_t size)
{
    places *all = user;

    add(all, payload, size < 512 ? (size_t)size : 512);
    return true;
}

static void find_places(places *all, yoke__queue *queue)
{
    yoke__queue_state *state = queue->state;
    uint8_t           *bytes = (uint8_t *)state;

    /* Between the owner words, and what follows them. */
    add(all, bytes, offsetof(yoke__queue_state, producers));
    add(all, &state->reserving, offsetof(yoke__queue_state, consumers) - offsetof(yoke__queue_state, reserving));
    add(all, &state->gets, sizeof *state - offsetof(yoke__queue_state, gets));
    yoke__alloc_each(queue->domain, queue->id, add_block, all);
}

/* Offsets of what is there are more telling than any number. */
static uint64_t telling(input *in, const places *all, const yoke__queue *queue)
{
    const place *at = &all->of[number(in, 1) % all->count];

    switch (number(in, 1) % 4) {
    case 0:
        return yoke__domain_offset(queue->domain, at->at);
    case 1:
        return yoke__domain_offset(queue->domain, at->at + number(in, 1) * 16);
    case 2:
        return UINT64_C(1) << (number(in, 1) % 64);
    default:
        return number(in, 8);
    }
}

static bool is_lock(const yoke__queue *queue, const uint8_t *at)
{
    const uint8_t *producers = (const uint8_t *)&queue->state->producers;
    const uint8_t *consumers = (const uint8_t *)&queue->state->consumers;

    return (at + 8 > producers && at < producers + 4) || (at + 8 > consumers && at < consumers + 4);
}

static void overwrite(input *in, const places *all, const yoke__queue *queue)
{
    for (unsigned i = 0; i < 12 && in->size; i++) {
        const place *at = &all->of[number(in, 1) % all->count];
        size_t       offset = number(in, 2) % (at->size / 8) * 8;
        uint64_t     value = telling(in, all, queue);
        if (!is_lock(queue, at->at + offset))
            memcpy(at->at + offset, &value, sizeof value);
    }
}

/* ---- what is called ---------------------------------------------------------------------------------------------- */

static uint8_t buffer[65536];

static void take(yoke_queue *queue, input *in)
{
    yoke_view     view;
    yoke_message *message;
    yoke_variant *variant;
    size_t        sizes[4];
    size_t        count;

    switch (number(in, 1) % 6) {
    case 0:
        (void)!yoke_queue_get(queue, buffer, sizeof buffer, NULL, YOKE_NOWAIT);
        break;
    case 1:
        if (yoke_queue_peek(queue, &view, YOKE_NOWAIT) == YOKE_OK)
            (void)(number(in, 1) % 2 ? yoke_queue_release(queue, &view) : yoke_queue_return(queue, &view));
        break;
    case 2:
        if (yoke_queue_get_message(queue, &message, YOKE_NOWAIT) == YOKE_OK)
            yoke_message_free(message);
        break;
    case 3:
        if (yoke_queue_get_variant(queue, &variant, YOKE_NOWAIT) == YOKE_OK)
            yoke_variant_free(variant);
        break;
    case 4:
        (void)!yoke_queue_get_many(queue, buffer, sizeof buffer, sizes, 4, &count, YOKE_NOWAIT);
        break;
    default:
        (void)yoke_queue_task_done(queue);
        break;
    }
}

static void give(yoke_queue *queue, input *in)
{
    yoke_slot slot;

    switch (number(in, 1) % 4) {
    case 0:
        (void)!yoke_queue_put(queue, buffer, number(in, 2), YOKE_NOWAIT);
        break;
    case 1:
        if (yoke_queue_reserve(queue, &slot, 64, YOKE_NOWAIT) == YOKE_OK &&
            yoke_queue_commit(queue, &slot, 10) != YOKE_OK)
            yoke_queue_abort(queue, &slot);
        break;
    case 2:
        (void)!yoke_queue_put_variant(queue, YOKE_ARGS(1, "two"), YOKE_NOWAIT);
        break;
    default:
        (void)yoke_queue_shutdown(queue, number(in, 1) % 2 ? YOKE_DRAIN : YOKE_IMMEDIATE);
        break;
    }
}

static void ask(yoke_queue *queue)
{
    yoke_queue_statistics is = {.struct_size = sizeof is};

    (void)yoke_queue_size(queue);
    (void)yoke_queue_full(queue);
    (void)yoke_queue_empty(queue);
    (void)yoke_queue_unfinished(queue);
    (void)!yoke_queue_join(queue, YOKE_NOWAIT);
    (void)yoke_queue_stats(queue, &is);
}

/* As for a death that the memory tells of. */
static void sweep(yoke__queue *queue, const places *all)
{
    yoke__queue_sweep(queue->domain, queue->id, queue->state, yoke__domain_token(queue->domain));
    for (unsigned i = 3; i < all->count; i++)
        (void)yoke__queue_links(queue->domain, queue->id, queue->state, all->of[i].at, true);
}

static void must(int code)
{
    if (code != YOKE_OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input        in = {data, size};
    uint64_t     options = number(&in, 1);
    places       all = {.count = 0};
    yoke_domain *domain;
    yoke_queue  *handle;
    yoke_view    view;
    yoke__queue  queue;

    must(yoke__domain_default(&domain));
    must(yoke_queue_create(&handle,
                           YOKE_OPTIONS(yoke_queue_options, .joinable = options & 1, .max_items = options & 2 ? 10 : 0,
                                        .max_bytes = options & 4 ? 30000 : 0)));
    if (!yoke__queue_of(&queue, handle))
        abort();
    for (unsigned i = 0; i < 3; i++)
        must(yoke_queue_put(handle, buffer, i == 1 ? 5000 : 50 + i, YOKE_NOWAIT));
    must(yoke_queue_peek(handle, &view, YOKE_NOWAIT));
    if (options & 8)
        must(yoke_queue_return(handle, &view));
    find_places(&all, &queue);
    overwrite(&in, &all, &queue);
    while (in.size) {
        if (number(&in, 1) % 2)
            take(handle, &in);
        else
            give(handle, &in);
        ask(handle);
    }
    if (options & 16)
        sweep(&queue, &all);
    yoke_queue_close(handle);
    return 0;
}
