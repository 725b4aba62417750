/*
 * Items to bytes and back, as MessagePack by a library. Handles are written as positions (MessagePack extension type 1),
 * and listed apart, so that whoever carries the bytes can hold the references.
 */
#ifndef YOKE_CORE_MESSAGE_MESSAGE_H
#define YOKE_CORE_MESSAGE_MESSAGE_H

#include "../domain/object.h"

#include <yoke/args.h>
#include <yoke/variant.h>

/* A handle met while packing; its index in yoke__packed.handles is its position. */
typedef struct yoke__packed_handle {
    uint32_t    kind;  /* yoke_kind: YOKE_H_… */
    uint32_t    flags; /* of the item; bit 0: given (YOKE_GIVE) */
    const void *handle;
} yoke__packed_handle;

typedef struct yoke__packed {
    uint8_t             *data; /* malloc'ed */
    size_t               size;
    yoke__packed_handle *handles; /* malloc'ed */
    size_t               handle_count;
} yoke__packed;

/* What stands behind a handle of that kind (YOKE_H_...); YOKE__KIND_NONE: none that core checks by its handle. */
yoke__kind yoke__kind_of_handle(uint32_t kind);

#define YOKE__MESSAGE_MAX      UINT32_MAX /* bytes of a packed item */
#define YOKE__EXTENSION_HANDLE 1          /* MessagePack extension type of a handle */
#define YOKE__EXTENSION_SIZE   8          /* {kind u32 LE, position u32 LE} */

/* Packs an item. A handle is packed as extension type 1 holding {kind u32 LE, position u32 LE}; the carrier keeps what
 * position stands for (an object id, a native). YOKE_EINVAL: unknown kind, bad handle, NULL text; YOKE_EMSGSIZE: over
 * 4 GiB or too deep; YOKE_ENOMEM. The sentence names the item by its indices. */
int  yoke__pack(yoke__packed *out, const yoke_item *item);
void yoke__packed_free(yoke__packed *packed);

/* Turns position into an open handle of that kind, whose ownership goes to the variant; NULL: nil stands there. */
typedef int yoke__open_handle(void *user, uint32_t kind, uint32_t position, void **handle);
/* Builds a variant from bytes of whatever origin: bounded in depth and in memory (at most 128 times size, and 16 KiB).
 * YOKE_EPROTO: not one whole value of the kinds known; YOKE_ENOMEM; what open answers. open NULL: handles are refused.
 * Handles are closed by yoke_variant_free. */
int yoke__unpack(yoke_variant **out, const void *data, size_t size, yoke__open_handle *open, void *user);
/* Borrowed handle inside a variant, or NULL with YOKE_ETYPE noted. */
void *yoke__variant_handle(const yoke_variant *variant, uint32_t kind);
/* Closes a handle of that kind (YOKE_H_...); of any other kind it does nothing. */
void yoke__close_any(uint32_t kind, void *handle);
/* "queue" for YOKE_H_queue, "list" for YOKE_LIST_KIND, and so on; "unknown kind" for what is none. */
const char *yoke__item_kind_name(uint32_t kind);

/* Owned messages: header and bytes in one piece of process-local memory. bytes() is 16-aligned and writable until the
 * message is handed to the user. NULL: no memory, noted. */
yoke_message *yoke__message_new(size_t size);
void         *yoke__message_bytes(yoke_message *message);
void          yoke__message_truncate(yoke_message *message, size_t size);

/* What a message or a variant is a copy of, if a queue still holds that for this process. */
typedef struct yoke__message_hold {
    uint64_t block; /* 0: nothing */
    uint64_t ticket;
    uint64_t domain; /* id of the queue's: others may have the same blocks and tickets */
    bool     redelivered;
} yoke__message_hold;
void yoke__message_hold_set(yoke_message *message, const yoke__message_hold *hold);
/* YOKE_EINVAL: no message. */
int yoke__message_held(const yoke_message *message, yoke__message_hold *out);
/* The same for a whole variant. */
void yoke__variant_hold_set(yoke_variant *variant, const yoke__message_hold *hold);
int  yoke__variant_held(const yoke_variant *variant, yoke__message_hold *out);

#endif
