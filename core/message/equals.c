/* Comparing a variant with what is written, by Python's rules. */
#include "node.h"

#include "../error.h"

#include <string.h>

/* One of the two values compared: a variant, or an item that is none. */
typedef struct side {
    const yoke_variant *variant; /* never NULL */
    const yoke_item    *item;    /* NULL: it is the variant */
} side;

static const yoke_variant nil; /* all zero */

static side side_of_variant(const yoke_variant *variant)
{
    return (side){variant ? variant : &nil, NULL};
}

static side side_of_item(const yoke_item *item)
{
    if (item->kind == YOKE_VARIANT_KIND)
        return side_of_variant(item->as.p);
    return (side){&nil, item};
}

static yoke_kind kind_of(side s)
{
    return s.item ? (yoke_kind)s.item->kind : yoke_variant_kind(s.variant);
}

/* Parts of a list, keys and values of a map, bytes. */
static size_t size_of(side s)
{
    if (s.item)
        return s.item->size;
    return yoke_variant_kind(s.variant) == YOKE_MAP_KIND ? s.variant->size * 2 : yoke_variant_count(s.variant);
}

static side part_of(side s, size_t index)
{
    if (s.item)
        return side_of_item((const yoke_item *)s.item->as.p + index);
    return side_of_variant(&s.variant->as.parts[index]);
}

static const void *pointer_of(side s)
{
    return s.item ? s.item->as.p : s.variant->as.handle;
}

static const void *text_of(side s)
{
    return s.item ? s.item->as.p : s.variant->as.text;
}

/* ---- numbers ------------------------------------------------------------------------------------------------------------------- */

typedef struct number {
    bool     real, negative;
    uint64_t magnitude; /* unless real */
    double   value;     /* if real */
} number;

static bool number_of(side s, number *out)
{
    int64_t  i = s.item ? s.item->as.i : s.variant->as.i;
    uint64_t u = (uint64_t)i;
    switch (kind_of(s)) {
    case YOKE_INT:
        *out = (number){.negative = i < 0, .magnitude = i < 0 ? 0 - u : u};
        return true;
    case YOKE_BOOL:
    case YOKE_UINT:
        *out = (number){.magnitude = u};
        return true;
    case YOKE_DOUBLE:
        *out = (number){.real = true, .value = s.item ? s.item->as.d : s.variant->as.d};
        return true;
    default:
        return false;
    }
}

static bool real_equals_integer(double value, number integer)
{
    double size = integer.negative ? -value : value;
    if (!(size >= 0 && size < 18446744073709551616.0)) /* 2^64; NaN too */
        return false;
    return (double)(uint64_t)size == size && (uint64_t)size == integer.magnitude;
}

static bool numbers_equal(number a, number b)
{
    if (a.real && b.real)
        return a.value >= b.value && a.value <= b.value;
    if (a.real)
        return real_equals_integer(a.value, b);
    if (b.real)
        return real_equals_integer(b.value, a);
    return a.magnitude == b.magnitude && a.negative == b.negative;
}

/* ---- lists, maps, handles -------------------------------------------------------------------------------------------------------- */

static bool sides_equal(side a, side b);

static bool lists_equal(side a, side b)
{
    for (size_t i = 0; i < size_of(a); i++)
        if (!sides_equal(part_of(a, i), part_of(b, i)))
            return false;
    return true;
}

static bool holds_pair(side map, side key, side value)
{
    for (size_t i = 0; i + 1 < size_of(map); i += 2)
        if (sides_equal(part_of(map, i), key) && sides_equal(part_of(map, i + 1), value))
            return true;
    return false;
}

static bool maps_equal(side a, side b)
{
    for (size_t i = 0; i + 1 < size_of(a); i += 2)
        if (!holds_pair(b, part_of(a, i), part_of(a, i + 1)))
            return false;
    return true;
}

/* The same handle, or two handles to one object. */
static bool handles_equal(const void *a, const void *b, yoke_kind kind)
{
    const yoke__handle *x = a, *y = b;
    if (a == b)
        return true;
    if (!a || !b || kind == YOKE_H_domain)
        return false;
    return x->domain == y->domain && x->id && x->id == y->id;
}

/* Ends since variants are never deeper than YOKE_DEPTH_MAX, and one side is a variant all the way down. */
static bool sides_equal(side a, side b)
{
    number    x, y;
    yoke_kind kind = kind_of(a);
    if (number_of(a, &x) && number_of(b, &y))
        return numbers_equal(x, y);
    if (kind != kind_of(b) || size_of(a) != size_of(b))
        return false;
    switch (kind) {
    case YOKE_NIL_KIND:
        return true;
    case YOKE_STRING:
    case YOKE_BYTES_KIND:
        return size_of(a) == 0 || memcmp(text_of(a), text_of(b), size_of(a)) == 0;
    case YOKE_LIST_KIND:
        return lists_equal(a, b);
    case YOKE_MAP_KIND:
        return maps_equal(a, b);
    default:
        return yoke__kind_is_handle((uint32_t)kind) && handles_equal(pointer_of(a), pointer_of(b), kind);
    }
}

bool yoke_variant_equals(const yoke_variant *variant, const yoke_item *item)
{
    if (!item || item->kind >= YOKE_KIND_COUNT) {
        yoke__fail(YOKE_EINVAL, item ? "the item to compare with is of an unknown kind" : "the item is NULL");
        return false;
    }
    return sides_equal(side_of_variant(variant), side_of_item(item));
}
