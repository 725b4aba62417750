/**
 * @file message.h
 * Bytes to be sent, where they lie; and owned messages: received bytes in memory of this process, freed by whoever
 * received them.
 */
#ifndef YOKE_MESSAGE_H
#define YOKE_MESSAGE_H

#include "error.h"
#include "handles.h"

YOKE_BEGIN

/** One message of a batch, or one piece of a message. */
typedef struct yoke_bytes {
    const void *data; /**< borrowed for the call; NULL only if size is 0 */
    size_t      size; /**< bytes */
} yoke_bytes;

/** The bytes, 16-aligned, followed by a NUL that the size does not count. Valid until yoke_message_free(). NULL for
 *  NULL. Any thread. */
YOKE_API const void *yoke_message_data(const yoke_message *message);

/** How many bytes; 0 for NULL. Any thread. */
YOKE_API size_t yoke_message_size(const yoke_message *message);

/** Whether somebody had taken the message from its queue before, and died or gave it back: its work may have been begun.
 *  False for NULL. Any thread. */
YOKE_API bool yoke_message_redelivered(const yoke_message *message);

/** Frees a message. NULL is fine. Got from a joinable queue, it doesn't count as done by that. */
YOKE_API void yoke_message_free(yoke_message *message);

YOKE_END
#endif
