/* The public puts: where a message comes from. */
#include "../domain/allocator.h"
#include "../error.h"
#include "../message/message.h"
#include "../message/text.h"
#include "limit.h"
#include "queue.h"
#include "quick.h"

#include <stdarg.h>
#include <string.h>

static int put_block(yoke__queue *queue, yoke__put *put, int64_t timeout)
{
    int rc = yoke__queue_put(queue, put, timeout);

    if (rc != YOKE_OK && put->block)
        yoke__free(queue->domain, put->block);
    return rc;
}

/* Nobody else knows the block yet. */
int yoke__queue_copy_out(yoke__queue *queue, yoke__put *put)
{
    if (!yoke__queue_in_block(queue, put->size))
        return YOKE_OK;
    YOKE_TRY(yoke__message_new_block(&put->block, queue, put->content, put->size, 0));
    if (put->size)
        memcpy(yoke__message_payload(put->block), put->data, (size_t)put->size);
    return YOKE_OK;
}

static __attribute__((noinline)) int put_bytes(yoke_queue *handle, const void *data, size_t size, int64_t timeout)
{
    yoke__queue queue;
    yoke__put   put = {.data = data, .size = size, .content = YOKE__CONTENT_BYTES};

    YOKE_TRY(yoke__queue_for(&queue, handle, YOKE_MAY_PUT));
    if (!data && size)
        return yoke__fail(YOKE_EINVAL, "data is NULL but size is %zu", size);
    YOKE_TRY(yoke__queue_check_size(&queue, size));
    YOKE_TRY(yoke__queue_copy_out(&queue, &put));
    return put_block(&queue, &put, timeout);
}

int yoke_queue_put(yoke_queue *handle, const void *data, size_t size, int64_t timeout)
{
    return yoke__queue_quick_put(handle, data, size) ? YOKE_OK : put_bytes(handle, data, size, timeout);
}

int yoke_queue_put_string(yoke_queue *queue, const char *text, int64_t timeout)
{
    if (!text)
        return yoke__fail(YOKE_EINVAL, "text is NULL");
    return yoke_queue_put(queue, text, strlen(text), timeout);
}

int yoke_queue_put_format(yoke_queue *queue, int64_t timeout, const char *format, ...)
{
    yoke__text text;
    va_list    values;
    int        rc;

    va_start(values, format);
    rc = yoke__text_format(&text, format, values);
    va_end(values);
    if (rc < 0)
        return rc;
    rc = yoke_queue_put(queue, text.data, text.size, timeout);
    yoke__text_free(&text);
    return rc;
}

/* ---- variants ---------------------------------------------------------------------------------------------------- */

/* With handles inside, or not into a ring anyway. */
static int put_packed_block(yoke__queue *queue, const yoke__packed *packed, int64_t timeout)
{
    yoke__put put = {.size = packed->size, .content = YOKE__CONTENT_VARIANT};
    int       rc;

    if (packed->handle_count > UINT32_MAX)
        return yoke__fail(YOKE_EMSGSIZE, "a message can't hold %zu handles", packed->handle_count);
    YOKE_TRY(yoke__message_new_block(&put.block, queue, put.content, put.size, (uint32_t)packed->handle_count));
    rc = yoke__queue_stow(queue, put.block, packed);
    if (rc == YOKE_OK)
        return put_block(queue, &put, timeout);
    yoke__free(queue->domain, put.block);
    return rc;
}

static int put_packed(yoke__queue *queue, const yoke__packed *packed, int64_t timeout)
{
    yoke__put put = {.data = packed->data, .size = packed->size, .content = YOKE__CONTENT_VARIANT};

    YOKE_TRY(yoke__queue_check_size(queue, packed->size));
    if (packed->handle_count || yoke__queue_in_block(queue, packed->size))
        return put_packed_block(queue, packed, timeout);
    return yoke__queue_put(queue, &put, timeout);
}

int yoke_queue_put_variant(yoke_queue *handle, const yoke_item *value, int64_t timeout)
{
    yoke__queue  queue;
    yoke__packed packed;
    int          rc;

    YOKE_TRY(yoke__queue_for(&queue, handle, YOKE_MAY_PUT));
    if (!value)
        return yoke__fail(YOKE_EINVAL, "value is NULL");
    YOKE_TRY(yoke__pack(&packed, value));
    rc = put_packed(&queue, &packed, timeout);
    yoke__packed_free(&packed);
    return rc;
}
