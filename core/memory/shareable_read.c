/* Reading shareable lists: items as they are in C, as variants, and all of them. */
#include "../error.h"
#include "../message/node.h"
#include "shareable.h"

#include <stdlib.h>
#include <string.h>

static int read_item(const yoke_shareable *list, size_t index, yoke__plain *out, void *text, size_t capacity)
{
    const yoke__shareable       *state = yoke__shareable_of(list);
    const yoke__shareable_place *place = state ? yoke__shareable_place_of(state, index) : NULL;
    return place ? yoke__shareable_read(list, place, out, text, capacity) : yoke__noted();
}

static int other_kind(const yoke__plain *value, size_t index, uint32_t wanted)
{
    return yoke__fail(YOKE_ETYPE, "item %zu is a %s, asked for: %s", index, yoke__item_kind_name(value->kind),
                      yoke__item_kind_name(wanted));
}

static int out_of_range(size_t index, const char *type)
{
    return yoke__fail(YOKE_ERANGE, "the integer of item %zu doesn't fit %s", index, type);
}

/* ---- as they are in C -------------------------------------------------------------------------------------------- */

yoke_kind yoke_shareable_kind(const yoke_shareable *list, size_t index)
{
    yoke__plain value;
    return read_item(list, index, &value, NULL, 0) < 0 ? YOKE_NIL_KIND : (yoke_kind)value.kind;
}

static int check_out(const void *out)
{
    return out ? YOKE_OK : yoke__fail(YOKE_EINVAL, "the place for the item is NULL");
}

/* An integer or bool. */
static int read_integer(const yoke_shareable *list, size_t index, const void *out, yoke__plain *value, uint32_t wanted)
{
    YOKE_TRY(check_out(out));
    YOKE_TRY(read_item(list, index, value, NULL, 0));
    if (value->kind != YOKE_INT && value->kind != YOKE_UINT && value->kind != YOKE_BOOL)
        return other_kind(value, index, wanted);
    return YOKE_OK;
}

int yoke_shareable_get_bool(const yoke_shareable *list, size_t index, bool *out)
{
    yoke__plain value;
    YOKE_TRY(read_integer(list, index, out, &value, YOKE_BOOL));
    if (value.word > 1)
        return out_of_range(index, "a bool");
    *out = value.word != 0;
    return YOKE_OK;
}

int yoke_shareable_get_int(const yoke_shareable *list, size_t index, int64_t *out)
{
    yoke__plain value;
    YOKE_TRY(read_integer(list, index, out, &value, YOKE_INT));
    if (value.kind == YOKE_UINT)
        return out_of_range(index, "int64_t");
    *out = (int64_t)value.word;
    return YOKE_OK;
}

int yoke_shareable_get_uint(const yoke_shareable *list, size_t index, uint64_t *out)
{
    yoke__plain value;
    YOKE_TRY(read_integer(list, index, out, &value, YOKE_UINT));
    if (value.kind == YOKE_INT && value.word > INT64_MAX)
        return out_of_range(index, "uint64_t");
    *out = value.word;
    return YOKE_OK;
}

int yoke_shareable_get_double(const yoke_shareable *list, size_t index, double *out)
{
    yoke__plain value;
    YOKE_TRY(check_out(out));
    YOKE_TRY(read_item(list, index, &value, NULL, 0));
    if (value.kind == YOKE_DOUBLE)
        memcpy(out, &value.word, sizeof *out);
    else if (value.kind == YOKE_INT)
        *out = (double)(int64_t)value.word;
    else if (value.kind == YOKE_UINT)
        *out = (double)value.word;
    else
        return other_kind(&value, index, YOKE_DOUBLE);
    return YOKE_OK;
}

/*
 * By way of memory of our own, since what is overtaken while it is read must not reach the buffer. spare: bytes that the
 * buffer must have beyond the text.
 */
static int read_text(const yoke_shareable *list, size_t index, uint8_t *buffer, size_t capacity, size_t *size,
                     uint32_t wanted)
{
    yoke__plain value = {0};
    char        few[256], *text = few;
    size_t      room, spare = wanted == YOKE_STRING;
    int         code;
    YOKE_TRY(check_out(buffer || (!capacity && !spare) ? (const void *)list : NULL));
    room = yoke_shareable_capacity(list, index);
    if (room == 0)
        return yoke__noted();
    if (room > sizeof few && !(text = malloc(room)))
        return yoke__fail(YOKE_ENOMEM, "no memory for an item of %zu bytes", room);
    code = read_item(list, index, &value, text, room);
    if (code == YOKE_OK && value.kind != wanted && !(wanted == YOKE_BYTES_KIND && value.kind == YOKE_STRING))
        code = other_kind(&value, index, wanted);
    if (code == YOKE_OK && size)
        *size = (size_t)value.size;
    if (code == YOKE_OK && value.size + spare > capacity)
        code = yoke__fail(YOKE_EMSGSIZE, "item %zu has %llu bytes%s, the buffer %zu", index,
                          (unsigned long long)value.size, spare ? " and a NUL" : "", capacity);
    if (code == YOKE_OK && value.size)
        memcpy(buffer, text, (size_t)value.size);
    if (code == YOKE_OK && spare)
        buffer[value.size] = 0;
    if (text != few)
        free(text);
    return code;
}

int yoke_shareable_get_string(const yoke_shareable *list, size_t index, char *buffer, size_t capacity, size_t *size)
{
    return read_text(list, index, (uint8_t *)buffer, capacity, size, YOKE_STRING);
}

int yoke_shareable_get_bytes(const yoke_shareable *list, size_t index, void *buffer, size_t capacity, size_t *size)
{
    return read_text(list, index, buffer, capacity, size, YOKE_BYTES_KIND);
}

/* ---- as variants ------------------------------------------------------------------------------------------------- */

/* Bytes that a text takes in a variant: NUL-terminated and 16-aligned. */
static uint64_t padded(uint64_t size)
{
    return (size + 16) & ~UINT64_C(15);
}

/* A block of nodes, the root first, and what follows for text at *text. */
static int allocate(yoke_variant **out, char **text, uint64_t nodes, uint64_t bytes)
{
    *out = yoke__variant_new(nodes, bytes, text);
    return *out ? YOKE_OK : yoke__fail(YOKE_ENOMEM, "no memory for %llu items of a list", (unsigned long long)nodes);
}

static void fill(yoke_variant *node, const yoke__plain *value, char *text)
{
    node->kind = (uint16_t)value->kind;
    node->size = (size_t)value->size;
    if (yoke__plain_is_text(value->kind)) {
        text[value->size] = 0;
        node->as.text = text;
    } else {
        node->as.u = value->word;
    }
}

int yoke_shareable_get(const yoke_shareable *list, size_t index, yoke_variant **out)
{
    yoke_variant *made;
    yoke__plain   value;
    char         *text;
    size_t        room;
    YOKE_TRY(check_out(out));
    room = yoke_shareable_capacity(list, index);
    if (room == 0)
        return yoke__noted();
    YOKE_TRY(allocate(&made, &text, 1, padded(room)));
    int code = read_item(list, index, &value, text, room);
    if (code < 0) {
        yoke_variant_free(made);
        return code;
    }
    fill(made, &value, text);
    *out = made;
    return YOKE_OK;
}

/* Bytes for the text of all items, whatever they are set to. */
static int text_of_all(const yoke__shareable *state, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < state->count; i++) {
        const yoke__shareable_place *place = yoke__shareable_place_of(state, i);
        if (!place)
            return yoke__noted();
        *out += padded(place->room);
    }
    return YOKE_OK;
}

static int copy_all(const yoke__shareable *state, yoke_variant *root, char *text)
{
    root->kind = YOKE_LIST_KIND;
    root->size = (size_t)state->count;
    root->as.parts = root + 1;
    for (size_t i = 0; i < state->count; i++) {
        const yoke__shareable_place *place = yoke__shareable_place_of(state, i);
        yoke__plain                  value;
        if (!place)
            return yoke__noted();
        YOKE_TRY(yoke__shareable_read_held(state, place, &value, text, (size_t)place->room));
        fill(&root[i + 1], &value, text);
        text += padded(place->room);
    }
    return YOKE_OK;
}

int yoke_shareable_snapshot(const yoke_shareable *list, yoke_variant **out)
{
    const yoke__shareable *state = yoke__shareable_of(list);
    yoke_variant          *made;
    uint64_t               bytes;
    char                  *text;
    if (!state)
        return yoke__noted();
    YOKE_TRY(check_out(out));
    YOKE_TRY(text_of_all(state, &bytes));
    YOKE_TRY(allocate(&made, &text, state->count + 1, bytes));
    int code = yoke__shareable_enter(list);
    if (code == YOKE_OK) {
        code = copy_all(state, made, text);
        yoke__shareable_exit(list);
    }
    if (code < 0) {
        yoke_variant_free(made);
        return code;
    }
    *out = made;
    return YOKE_OK;
}

/* ---- searching --------------------------------------------------------------------------------------------------- */

int yoke_shareable_find(const yoke_shareable *list, const yoke_item *item, size_t from, size_t *index)
{
    yoke_variant *all;
    if (!item)
        return yoke__fail(YOKE_EINVAL, "the value to find is NULL");
    YOKE_TRY(yoke_shareable_snapshot(list, &all));
    size_t count = yoke_variant_count(all), at = from;
    while (at < count && !yoke_variant_equals(yoke_variant_at(all, at), item))
        at++;
    yoke_variant_free(all);
    if (at >= count)
        return yoke__fail(YOKE_ENOENT, "that value is not among the %zu items from index %zu on", count, from);
    if (index)
        *index = at;
    return YOKE_OK;
}

int64_t yoke_shareable_occurrences(const yoke_shareable *list, const yoke_item *item)
{
    yoke_variant *all;
    int64_t       found = 0;
    if (!item)
        return yoke__fail(YOKE_EINVAL, "the value to count is NULL");
    YOKE_TRY(yoke_shareable_snapshot(list, &all));
    for (size_t i = 0; i < yoke_variant_count(all); i++)
        found += yoke_variant_equals(yoke_variant_at(all, i), item);
    yoke_variant_free(all);
    return found;
}
