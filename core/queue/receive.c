/* The public gets: where a message goes. */
#include "../error.h"
#include "../message/message.h"
#include "queue.h"

typedef struct buffer {
    void    *data;
    uint64_t capacity; /* without the byte kept for a NUL */
    uint64_t size;     /* of the message met, fitting or not */
} buffer;

static void *into_buffer(void *user, uint64_t size, int *code)
{
    buffer *to = (buffer *)user;

    to->size = size;
    if (size <= to->capacity)
        return to->data;
    *code = yoke__fail(YOKE_EMSGSIZE, "the next message has %llu bytes, the buffer room for %llu",
                       (unsigned long long)size, (unsigned long long)to->capacity);
    return NULL;
}

static void *into_message(void *user, uint64_t size, int *code)
{
    yoke_message **to = (yoke_message **)user;

    if (size < SIZE_MAX)
        *to = yoke__message_new((size_t)size);
    if (*to)
        return yoke__message_bytes(*to);
    *code = yoke__fail(YOKE_ENOMEM, "no memory for a message of %llu bytes", (unsigned long long)size);
    return NULL;
}

int yoke_queue_get(yoke_queue *queue, void *data, size_t capacity, size_t *size, int64_t timeout)
{
    buffer to = {data, capacity, 0};
    int    rc;

    if (!data && capacity)
        return yoke__fail(YOKE_EINVAL, "buffer is NULL but capacity is %zu", capacity);
    rc = yoke__queue_get(queue, YOKE__CONTENT_BYTES, into_buffer, &to, timeout);
    if (size && (rc == YOKE_OK || rc == YOKE_EMSGSIZE))
        *size = (size_t)to.size;
    return rc;
}

int yoke_queue_get_string(yoke_queue *queue, char *text, size_t capacity, int64_t timeout)
{
    buffer to = {text, capacity ? capacity - 1 : 0, 0};
    int    rc;

    if (!text || !capacity)
        return yoke__fail(YOKE_EINVAL, "a string needs a buffer of at least one byte");
    text[0] = '\0';
    rc = yoke__queue_get(queue, YOKE__CONTENT_BYTES, into_buffer, &to, timeout);
    text[rc == YOKE_OK ? to.size : 0] = '\0';
    return rc;
}

int yoke_queue_get_message(yoke_queue *queue, yoke_message **out, int64_t timeout)
{
    yoke_message *message = NULL;
    int           rc;

    if (!out)
        return yoke__fail(YOKE_EINVAL, "out is NULL");
    rc = yoke__queue_get(queue, YOKE__CONTENT_BYTES, into_message, &message, timeout);
    if (rc == YOKE_OK)
        *out = message;
    else
        yoke_message_free(message);
    return rc;
}

int yoke_queue_get_variant(yoke_queue *queue, yoke_variant **out, int64_t timeout)
{
    yoke_message *message = NULL;
    int           rc;

    if (!out)
        return yoke__fail(YOKE_EINVAL, "out is NULL");
    rc = yoke__queue_get(queue, YOKE__CONTENT_VARIANT, into_message, &message, timeout);
    if (rc == YOKE_OK)
        rc = yoke__unpack(out, yoke_message_data(message), yoke_message_size(message), NULL, NULL);
    yoke_message_free(message);
    return rc;
}
