/* Owned messages of bytes. */
#include "message.h"

#include "../error.h"

#include <yoke/message.h>

#include <stdlib.h>

/* The bytes follow at the next multiple of 16, and a NUL after them. */
struct yoke_message {
    _Alignas(16) size_t size;
    uint32_t           magic;
    yoke__message_hold hold;
};
_Static_assert(sizeof(struct yoke_message) % 16 == 0, "the bytes are 16-aligned");

#define MESSAGE_MAGIC UINT32_C(0x79736d67)

static void end(yoke_message *message)
{
    ((char *)(message + 1))[message->size] = 0;
}

yoke_message *yoke__message_new(size_t size)
{
    yoke_message *message = size >= SIZE_MAX - sizeof *message ? NULL : malloc(sizeof *message + size + 1);
    if (!message) {
        yoke__fail(YOKE_ENOMEM, "no memory for a message of %zu bytes", size);
        return NULL;
    }
    message->size = size;
    message->magic = MESSAGE_MAGIC;
    message->hold = (yoke__message_hold){0};
    end(message);
    return message;
}

void *yoke__message_bytes(yoke_message *message)
{
    return message + 1;
}

void yoke__message_truncate(yoke_message *message, size_t size)
{
    if (size < message->size)
        message->size = size;
    end(message);
}

static const yoke_message *check(const yoke_message *message)
{
    if (message && message->magic == MESSAGE_MAGIC)
        return message;
    yoke__fail(YOKE_EINVAL, message ? "not a message, or one that was freed" : "the message is NULL");
    return NULL;
}

const void *yoke_message_data(const yoke_message *message)
{
    return check(message) ? message + 1 : NULL;
}

size_t yoke_message_size(const yoke_message *message)
{
    return check(message) ? message->size : 0;
}

bool yoke_message_redelivered(const yoke_message *message)
{
    return check(message) && message->hold.redelivered;
}

void yoke__message_hold_set(yoke_message *message, const yoke__message_hold *hold)
{
    message->hold = *hold;
}

int yoke__message_held(const yoke_message *message, yoke__message_hold *out)
{
    if (!check(message))
        return YOKE_EINVAL;
    *out = message->hold;
    return YOKE_OK;
}

void yoke_message_free(yoke_message *message)
{
    if (!message || !check(message))
        return;
    message->magic = 0;
    free(message);
}
