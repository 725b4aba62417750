/*
 * A list of plain values in a domain.
 *
 *   0         yoke__shareable
 *   places    yoke__shareable_place for each item
 *   items     each: a version word, and two copies of what the item holds
 *
 * Everything but the two locks and the items is written by the creator before anybody else can see the list, and never
 * changes. An item's copy `version % 2` is what it holds; the other is nobody's but the holder's of `writer`, who fills it
 * and commits it by the version. So a holder that dies has committed or not, and the next one fills that copy anew: the
 * lock ignores deaths.
 */
#ifndef YOKE_CORE_MEMORY_SHAREABLE_H
#define YOKE_CORE_MEMORY_SHAREABLE_H

#include "../atomic.h"
#include "../domain/object.h"
#include "../sync/lock.h"

#include <yoke/shareable.h>

typedef struct yoke__shareable {
    uint64_t         count;
    uint64_t         size;   /* of the whole object */
    yoke__lock_state writer; /* who sets an item */
    yoke__lock_state lock;   /* the user's */
    /* places, at YOKE__SHAREABLE_PLACES */
} yoke__shareable;

#define YOKE__SHAREABLE_PLACES ((sizeof(yoke__shareable) + 63u) & ~(size_t)63u)

typedef struct yoke__shareable_place {
    uint64_t offset; /* of the item, from the start of the object */
    uint64_t room;   /* bytes of text, a multiple of 8 */
} yoke__shareable_place;

/* What an item holds: kind, and a word or text. */
typedef struct yoke__plain {
    uint32_t    kind; /* yoke_kind, of the plain ones; YOKE_UINT only if int64_t doesn't hold it */
    uint64_t    size; /* bytes of text, else 0 */
    uint64_t    word; /* what is no text; a double's bits */
    const void *text;
} yoke__plain;

static inline bool yoke__plain_is_text(uint32_t kind)
{
    return kind == YOKE_STRING || kind == YOKE_BYTES_KIND;
}
/* What is written at a call, as a plain value. YOKE_ETYPE: none; YOKE_EINVAL: a text at NULL. */
int yoke__plain_of(yoke__plain *out, const yoke_item *item);

/* Bytes of an item with that room. */
static inline uint64_t yoke__shareable_item_size(uint64_t room)
{
    return 8 + 2 * (8 + room);
}

/* The place of an item; NULL, noted: YOKE_ERANGE, or YOKE_EPROTO if it has been written over. */
const yoke__shareable_place *yoke__shareable_place_of(const yoke__shareable *list, size_t index);

/* By the creator, into version 0, or by the holder of `writer`. */
void yoke__shareable_write(yoke__shareable *list, const yoke__shareable_place *place, const yoke__plain *value);
/* Takes what the item holds: out->text is not set, but as many bytes as there are up to capacity are copied to text. */
int yoke__shareable_read(const yoke_shareable *handle, const yoke__shareable_place *place, yoke__plain *out, void *text,
                         size_t capacity);
/* By the holder of `writer`. */
int yoke__shareable_read_held(const yoke__shareable *list, const yoke__shareable_place *place, yoke__plain *out,
                              void *text, size_t capacity);

/* The list behind a handle; NULL, noted. */
yoke__shareable *yoke__shareable_of(const yoke_shareable *handle);
/* The turn of those who set items. */
int  yoke__shareable_enter(const yoke_shareable *handle);
void yoke__shareable_exit(const yoke_shareable *handle);

extern const yoke__object_type yoke__shareable_type;

#endif
