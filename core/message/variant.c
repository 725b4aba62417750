/* Reading variants. */
#include "node.h"

#include "../error.h"

#include <yoke/barrier.h>
#include <yoke/condition.h>
#include <yoke/conn.h>
#include <yoke/domain.h>
#include <yoke/event.h>
#include <yoke/file.h>
#include <yoke/memory.h>
#include <yoke/queue.h>
#include <yoke/rlock.h>
#include <yoke/rwlock.h>
#include <yoke/semaphore.h>
#include <yoke/shareable.h>
#include <yoke/shm.h>
#include <yoke/sync.h>

#include <stdlib.h>
#include <string.h>

const char *yoke__item_kind_name(uint32_t kind)
{
    static const char *const names[] = {"nil",
                                        "bool",
                                        "integer",
                                        "integer",
                                        "double",
                                        "string",
                                        "bytes",
                                        "list",
                                        "map",
                                        "variant",
#define HANDLE_NAME(name) #name,
                                        YOKE_HANDLES_(HANDLE_NAME)
#undef HANDLE_NAME
    };
    _Static_assert(sizeof names / sizeof *names == YOKE_KIND_COUNT, "a name for every kind");
    return kind < YOKE_KIND_COUNT ? names[kind] : "unknown kind";
}

yoke_kind yoke_variant_kind(const yoke_variant *variant)
{
    return variant ? (yoke_kind)variant->kind : YOKE_NIL_KIND;
}

static int fail_kind(const yoke_variant *variant, uint32_t wanted)
{
    return yoke__fail(YOKE_ETYPE, "found: %s, asked for: %s", yoke__item_kind_name(yoke_variant_kind(variant)),
                      yoke__item_kind_name(wanted));
}

size_t yoke_variant_count(const yoke_variant *variant)
{
    return variant ? variant->size : 0; /* 0 for what has no parts */
}

/* ---- lists and maps ------------------------------------------------------------------------------------------------------ */

static bool index_fits(const yoke_variant *variant, size_t index)
{
    if (index < variant->size)
        return true;
    yoke__fail(YOKE_ERANGE, "index %zu in a %s of %zu", index, yoke__item_kind_name(variant->kind), variant->size);
    return false;
}

const yoke_variant *yoke_variant_at(const yoke_variant *variant, size_t index)
{
    bool map = yoke_variant_kind(variant) == YOKE_MAP_KIND;
    if (!map && yoke_variant_kind(variant) != YOKE_LIST_KIND) {
        fail_kind(variant, YOKE_LIST_KIND);
        return NULL;
    }
    if (!index_fits(variant, index))
        return NULL;
    return &variant->as.parts[map ? index * 2 + 1 : index];
}

const yoke_variant *yoke_variant_key(const yoke_variant *variant, size_t index)
{
    if (yoke_variant_kind(variant) != YOKE_MAP_KIND) {
        fail_kind(variant, YOKE_MAP_KIND);
        return NULL;
    }
    return index_fits(variant, index) ? &variant->as.parts[index * 2] : NULL;
}

const yoke_variant *yoke_variant_find(const yoke_variant *variant, const char *key)
{
    size_t length;
    if (!key) {
        yoke__fail(YOKE_EINVAL, "the key to find is NULL");
        return NULL;
    }
    if (yoke_variant_kind(variant) != YOKE_MAP_KIND) {
        fail_kind(variant, YOKE_MAP_KIND);
        return NULL;
    }
    length = strlen(key);
    for (size_t i = variant->size; i-- > 0;) {
        const yoke_variant *k = &variant->as.parts[i * 2];
        if (k->kind == YOKE_STRING && k->size == length && memcmp(k->as.text, key, length) == 0)
            return k + 1;
    }
    yoke__fail(YOKE_ENOENT, "no key '%s' in a map of %zu", key, variant->size);
    return NULL;
}

/* ---- plain values ----------------------------------------------------------------------------------------------------------- */

bool yoke_variant_bool(const yoke_variant *variant, bool otherwise)
{
    yoke_kind kind = yoke_variant_kind(variant);
    if ((kind == YOKE_BOOL || kind == YOKE_INT) && variant->as.u <= 1)
        return variant->as.u != 0;
    return otherwise;
}

int64_t yoke_variant_int(const yoke_variant *variant, int64_t otherwise)
{
    yoke_kind kind = yoke_variant_kind(variant);
    return kind == YOKE_INT || kind == YOKE_BOOL ? variant->as.i : otherwise;
}

uint64_t yoke_variant_uint(const yoke_variant *variant, uint64_t otherwise)
{
    yoke_kind kind = yoke_variant_kind(variant);
    if (kind == YOKE_UINT || kind == YOKE_BOOL || (kind == YOKE_INT && variant->as.i >= 0))
        return variant->as.u;
    return otherwise;
}

double yoke_variant_double(const yoke_variant *variant, double otherwise)
{
    switch (yoke_variant_kind(variant)) {
    case YOKE_DOUBLE:
        return variant->as.d;
    case YOKE_INT:
        return (double)variant->as.i;
    case YOKE_UINT:
        return (double)variant->as.u;
    default:
        return otherwise;
    }
}

const char *yoke_variant_string(const yoke_variant *variant, const char *otherwise)
{
    return yoke_variant_kind(variant) == YOKE_STRING ? variant->as.text : otherwise;
}

const void *yoke_variant_bytes(const yoke_variant *variant, size_t *size)
{
    yoke_kind kind = yoke_variant_kind(variant);
    if (kind != YOKE_BYTES_KIND && kind != YOKE_STRING) {
        fail_kind(variant, YOKE_BYTES_KIND);
        return NULL;
    }
    if (size)
        *size = variant->size;
    return variant->as.text;
}

/* ---- handles ------------------------------------------------------------------------------------------------------------------ */

void *yoke__variant_handle(const yoke_variant *variant, uint32_t kind)
{
    if (yoke_variant_kind(variant) == kind && yoke__kind_is_handle(kind))
        return variant->as.handle;
    fail_kind(variant, kind);
    return NULL;
}

/* The memory is this library's own and never constant; users only see it so. */
static void *take(const yoke_variant *variant, uint32_t kind)
{
    void *handle = yoke__variant_handle(variant, kind);
    union {
        const yoke_variant *seen;
        yoke_variant       *own;
    } it = {variant};
    if (!handle)
        return NULL;
    it.own->kind = YOKE_NIL_KIND;
    it.own->as.u = 0;
    return handle;
}

#define ACCESSORS(name)                                                                                                \
    yoke_##name *yoke_variant_##name(const yoke_variant *variant)                                                      \
    {                                                                                                                  \
        return yoke__variant_handle(variant, YOKE_H_##name);                                                           \
    }                                                                                                                  \
    yoke_##name *yoke_variant_take_##name(const yoke_variant *variant)                                                 \
    {                                                                                                                  \
        return take(variant, YOKE_H_##name);                                                                           \
    }
YOKE_HANDLES_(ACCESSORS)
#undef ACCESSORS

void yoke__close_any(uint32_t kind, void *handle)
{
    switch (kind) {
#define CLOSE(name)                                                                                                    \
    case YOKE_H_##name:                                                                                                \
        yoke_##name##_close(handle);                                                                                   \
        break;
        YOKE_HANDLES_(CLOSE)
#undef CLOSE
    default:
        break;
    }
}

static void close_handles(const yoke_variant *variant)
{
    size_t parts = variant->kind == YOKE_LIST_KIND  ? variant->size
                   : variant->kind == YOKE_MAP_KIND ? variant->size * 2
                                                    : 0;
    yoke__close_any(variant->kind, variant->as.handle);
    for (size_t i = 0; i < parts; i++)
        close_handles(&variant->as.parts[i]);
}

void yoke_variant_free(yoke_variant *variant)
{
    if (!variant)
        return;
    if (!variant->root) {
        yoke__fail(YOKE_EINVAL, "only the variant that was received can be freed, not a part of it");
        return;
    }
    close_handles(variant);
    free(yoke__variant_head_of(variant));
}

yoke_variant *yoke__variant_new(uint64_t nodes, uint64_t bytes, char **text)
{
    uint64_t            most = SIZE_MAX / 4;
    uint64_t            first = (nodes * sizeof(yoke_variant) + 15) & ~UINT64_C(15);
    yoke__variant_head *head = NULL;
    yoke_variant       *root;

    if (nodes <= most / sizeof(yoke_variant) && bytes <= most)
        head = calloc(1, (size_t)(sizeof *head + first + bytes));
    if (!head)
        return NULL;
    root = (yoke_variant *)(void *)(head + 1);
    root->root = 1;
    *text = (char *)root + first;
    return root;
}

/* ---- what a queue holds of it ---------------------------------------------------------------------------------------------- */

void yoke__variant_hold_set(yoke_variant *variant, const yoke__message_hold *hold)
{
    yoke__variant_head_of(variant)->hold = *hold;
}

int yoke__variant_held(const yoke_variant *variant, yoke__message_hold *out)
{
    if (!variant || !variant->root)
        return yoke__fail(YOKE_EINVAL,
                          variant ? "not the variant that was received, but a part of it" : "the variant is NULL");
    *out = yoke__variant_head_of(variant)->hold;
    return YOKE_OK;
}

bool yoke_variant_redelivered(const yoke_variant *variant)
{
    yoke__message_hold hold = {0};

    (void)yoke__variant_held(variant, &hold);
    return hold.redelivered;
}
