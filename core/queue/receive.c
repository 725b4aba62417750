/* The public gets: where a message goes. */
#include "../error.h"
#include "../message/message.h"
#include "queue.h"

typedef struct message_get {
    yoke__get     get; /* first: make_target() is given that */
    yoke_message *message;
} message_get;

static int make_message(yoke__get *get, uint64_t size)
{
    message_get *into = (message_get *)(void *)get;

    if (size < SIZE_MAX)
        into->message = yoke__message_new((size_t)size);
    if (!into->message)
        return yoke__fail(YOKE_ENOMEM, "no memory for a message of %llu bytes", (unsigned long long)size);
    get->target = yoke__message_bytes(into->message);
    get->capacity = size;
    return YOKE_OK;
}

/* Fills get with what the message was, also when it did not fit. */
static int get_bytes(yoke_queue *handle, yoke__get *get, int64_t timeout)
{
    yoke__queue queue;

    YOKE_TRY(yoke__queue_for(&queue, handle, YOKE_MAY_GET));
    get->content = YOKE__CONTENT_BYTES;
    get->hold = yoke__queue_has(&queue, YOKE__QUEUE_JOINABLE);
    return yoke__queue_get(&queue, get, timeout);
}

int yoke_queue_get(yoke_queue *queue, void *data, size_t capacity, size_t *size, int64_t timeout)
{
    yoke__get get = {.target = data, .capacity = capacity};
    int       rc;

    if (!data && capacity)
        return yoke__fail(YOKE_EINVAL, "buffer is NULL but capacity is %zu", capacity);
    rc = get_bytes(queue, &get, timeout);
    if (size && (rc == YOKE_OK || rc == YOKE_EMSGSIZE))
        *size = (size_t)get.size;
    return rc;
}

int yoke_queue_get_info(yoke_queue *queue, void *data, size_t capacity, yoke_info *info, int64_t timeout)
{
    yoke__get get = {.target = data, .capacity = capacity};
    int       rc;

    if (!data && capacity)
        return yoke__fail(YOKE_EINVAL, "buffer is NULL but capacity is %zu", capacity);
    if (!info || info->struct_size != sizeof *info)
        return yoke__fail(YOKE_EINVAL, info ? "struct_size of yoke_info is not its size" : "info is NULL");
    rc = get_bytes(queue, &get, timeout);
    if (rc == YOKE_OK || rc == YOKE_EMSGSIZE) {
        info->size = (size_t)get.size;
        info->redelivered = get.redelivered;
    }
    return rc;
}

int yoke_queue_get_string(yoke_queue *queue, char *text, size_t capacity, int64_t timeout)
{
    yoke__get get = {.target = text, .capacity = capacity ? capacity - 1 : 0};
    int       rc;

    if (!text || !capacity)
        return yoke__fail(YOKE_EINVAL, "a string needs a buffer of at least one byte");
    text[0] = '\0';
    rc = get_bytes(queue, &get, timeout);
    text[rc == YOKE_OK ? get.size : 0] = '\0';
    return rc;
}

static yoke__message_hold hold_of(const yoke_queue *queue, const yoke__get *get)
{
    return (yoke__message_hold){
        .block = get->ticket ? yoke__domain_offset(queue->handle.domain, get->block) : 0,
        .ticket = get->ticket,
        .domain = yoke__domain_header(queue->handle.domain)->id,
        .redelivered = get->redelivered,
    };
}

int yoke_queue_get_message(yoke_queue *queue, yoke_message **out, int64_t timeout)
{
    message_get        into = {.get = {.make_target = make_message}};
    yoke__message_hold hold;
    int                rc;

    if (!out)
        return yoke__fail(YOKE_EINVAL, "out is NULL");
    rc = get_bytes(queue, &into.get, timeout);
    if (rc != YOKE_OK) {
        yoke_message_free(into.message);
        return rc;
    }
    hold = hold_of(queue, &into.get);
    yoke__message_hold_set(into.message, &hold);
    *out = into.message;
    return YOKE_OK;
}

/* ---- variants ---------------------------------------------------------------------------------------------------- */

static void end_hold(yoke__queue *queue, yoke__message_block *block)
{
    yoke__queue_lock(queue, &queue->state->consumers);
    yoke__hold_end(queue, block);
    yoke__queue_unlock(queue, &queue->state->consumers);
    yoke__queue_done_with(queue, block);
}

static void give_back(yoke__queue *queue, yoke__message_block *block, bool redelivered)
{
    yoke__queue_lock(queue, &queue->state->consumers);
    yoke__hold_return(queue, block, redelivered);
    yoke__queue_unlock(queue, &queue->state->consumers);
    yoke__queue_came_back(queue);
}

typedef struct variant_get {
    yoke__get     get; /* first: read_variant() is given that */
    yoke_variant *variant;
} variant_get;

/* One that lies in a ring carries no handles. */
static int read_variant(yoke__get *get, const void *bytes)
{
    return yoke__unpack(&((variant_get *)(void *)get)->variant, bytes, (size_t)get->size, NULL, NULL);
}

/* One in a block is held while it is unpacked, so that it can stay in the queue if there is no memory for that, and what
 * it carries lives until it is open here. */
static int unpack_held(yoke__queue *queue, variant_get *into)
{
    yoke__message_block *block = into->get.block;
    int                  rc = yoke__queue_unstow(&into->variant, queue, block);

    if (rc == YOKE_ENOMEM)
        give_back(queue, block, into->get.redelivered);
    else if (rc < 0 || !yoke__queue_has(queue, YOKE__QUEUE_JOINABLE))
        end_hold(queue, block); /* what can't be understood would come for ever */
    else
        yoke__hold_make_task(block);
    return rc;
}

int yoke_queue_get_variant(yoke_queue *handle, yoke_variant **out, int64_t timeout)
{
    yoke__queue        queue;
    variant_get        into = {.get = {.content = YOKE__CONTENT_VARIANT, .hold = true, .no_copy = true}};
    yoke__message_hold hold;

    if (!out)
        return yoke__fail(YOKE_EINVAL, "out is NULL");
    into.get.read = read_variant;
    YOKE_TRY(yoke__queue_for(&queue, handle, YOKE_MAY_GET));
    YOKE_TRY(yoke__queue_get(&queue, &into.get, timeout));
    hold = hold_of(handle, &into.get);
    YOKE_TRY(into.get.block ? unpack_held(&queue, &into) : into.get.result);
    if (!yoke__queue_has(&queue, YOKE__QUEUE_JOINABLE))
        hold.block = hold.ticket = 0;
    yoke__variant_hold_set(into.variant, &hold);
    *out = into.variant;
    return YOKE_OK;
}
