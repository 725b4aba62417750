/* Items of shareable lists: setting and reading one. */
#include "shareable.h"

#include "../error.h"
#include "../message/node.h"

#include <string.h>

/* ---- plain values ------------------------------------------------------------------------------------------------ */

static int refuse(uint32_t kind)
{
    return yoke__fail(YOKE_ETYPE, "a %s can't stand in a shareable list, only nil, bools, numbers, strings and bytes",
                      yoke__item_kind_name(kind));
}

static int plain_text(yoke__plain *out, uint32_t kind, const void *text, size_t size)
{
    if (!text && (size || kind == YOKE_STRING))
        return yoke__fail(YOKE_EINVAL, "a %s at NULL", yoke__item_kind_name(kind));
    *out = (yoke__plain){.kind = kind, .size = size, .text = text};
    return YOKE_OK;
}

static int plain_variant(yoke__plain *out, const yoke_variant *from)
{
    uint32_t kind = yoke_variant_kind(from);
    if (yoke__plain_is_text(kind))
        return plain_text(out, kind, from->as.text, from->size);
    if (kind > YOKE_DOUBLE)
        return refuse(kind);
    *out = (yoke__plain){.kind = kind, .word = from ? from->as.u : 0};
    return YOKE_OK;
}

int yoke__plain_of(yoke__plain *out, const yoke_item *item)
{
    uint32_t kind = item->kind;
    if (kind == YOKE_VARIANT_KIND)
        return plain_variant(out, item->as.p);
    if (yoke__plain_is_text(kind))
        return plain_text(out, kind, item->as.p, item->size);
    if (kind > YOKE_DOUBLE)
        return refuse(kind);
    if (kind == YOKE_UINT && item->as.u <= INT64_MAX)
        kind = YOKE_INT;
    *out = (yoke__plain){.kind = kind, .word = kind == YOKE_NIL_KIND ? 0 : item->as.u};
    return YOKE_OK;
}

/* ---- the two copies ---------------------------------------------------------------------------------------------- */

/* Written by the holder of `writer`, in words, since readers may be looking. */
typedef struct copy {
    yoke__a64 head; /* size << 8 | kind */
    yoke__a64 words[];
} copy;

static yoke__a64 *version_of(const yoke__shareable *list, const yoke__shareable_place *place)
{
    return (yoke__a64 *)(void *)((uint8_t *)(uintptr_t)list + place->offset);
}

static copy *copy_of(yoke__a64 *version, uint64_t number, uint64_t room)
{
    return (copy *)(void *)((uint8_t *)(version + 1) + (number % 2) * (8 + room));
}

static void store_text(copy *to, const void *text, uint64_t size)
{
    for (uint64_t at = 0; at < size; at += 8) {
        uint64_t word = 0;
        memcpy(&word, (const uint8_t *)text + at, size - at < 8 ? (size_t)(size - at) : 8);
        yoke__a64_store_relaxed(&to->words[at / 8], word);
    }
}

static void load_text(const copy *from, void *text, uint64_t size)
{
    for (uint64_t at = 0; at < size; at += 8) {
        uint64_t word = yoke__a64_load_relaxed(&from->words[at / 8]);
        memcpy((uint8_t *)text + at, &word, size - at < 8 ? (size_t)(size - at) : 8);
    }
}

/*
 * Into the copy that nobody reads; the version commits it. The fence is for a reader that is still in that copy, two
 * settings late: if it sees any of our stores, it also sees that the version has moved.
 */
void yoke__shareable_write(yoke__shareable *list, const yoke__shareable_place *place, const yoke__plain *value)
{
    yoke__a64 *version = version_of(list, place);
    uint64_t   number = yoke__a64_load_relaxed(version) + 1;
    copy      *to = copy_of(version, number, place->room);

    yoke__fence_seq_cst();
    yoke__a64_store_relaxed(&to->head, value->size << 8 | value->kind);
    if (yoke__plain_is_text(value->kind))
        store_text(to, value->text, value->size);
    else
        yoke__a64_store_relaxed(&to->words[0], value->word);
    yoke__a64_store_release(version, number);
}

/* Whether out was the item's value at one moment; else it is anything, within the bounds. */
static bool read_once(const yoke__shareable *list, const yoke__shareable_place *place, yoke__plain *out, void *text,
                      size_t capacity)
{
    yoke__a64  *version = version_of(list, place);
    uint64_t    number = yoke__a64_load_acquire(version);
    const copy *from = copy_of(version, number, place->room);
    uint64_t    head = yoke__a64_load_relaxed(&from->head), size = head >> 8;

    *out = (yoke__plain){.kind = (uint32_t)(head & 0xff), .size = size};
    if (!yoke__plain_is_text(out->kind))
        out->word = yoke__a64_load_relaxed(&from->words[0]);
    else if (size <= place->room)
        load_text(from, text, size < capacity ? size : capacity);
    yoke__fence_seq_cst(); /* pairs with the one in write */
    return yoke__a64_load_relaxed(version) == number;
}

static int check(const yoke__shareable_place *place, const yoke__plain *value)
{
    if (value->kind > YOKE_BYTES_KIND || value->size > place->room)
        return yoke__fail(YOKE_EPROTO, "an item of the shareable list is damaged");
    return YOKE_OK;
}

int yoke__shareable_read_held(const yoke__shareable *list, const yoke__shareable_place *place, yoke__plain *out,
                              void *text, size_t capacity)
{
    (void)read_once(list, place, out, text, capacity);
    return check(place, out);
}

#define READ_TRIES 100

int yoke__shareable_read(const yoke_shareable *handle, const yoke__shareable_place *place, yoke__plain *out, void *text,
                         size_t capacity)
{
    const yoke__shareable *list = ((const yoke__handle *)(const void *)handle)->object;

    for (int tries = 0; tries < READ_TRIES; tries++)
        if (read_once(list, place, out, text, capacity))
            return check(place, out);
    YOKE_TRY(yoke__shareable_enter(handle));
    int code = yoke__shareable_read_held(list, place, out, text, capacity);
    yoke__shareable_exit(handle);
    return code;
}
