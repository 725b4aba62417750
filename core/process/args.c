/* Reading the arguments of a started function. Whatever is wrong ends the process: see yoke__args_fatal. */
#include "args.h"

#include "../error.h"
#include "../message/message.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

int yoke__args_init(yoke_args *args, const yoke_variant *list)
{
    if (yoke_variant_kind(list) != YOKE_LIST_KIND)
        return yoke__fail(YOKE_EINVAL, "arguments are a list, not of the kind '%s'",
                          yoke__item_kind_name((uint32_t)yoke_variant_kind(list)));
    args->list = list;
    return YOKE_OK;
}

#define fatal(...)                                                                                                     \
    do {                                                                                                               \
        char sentence[200];                                                                                            \
        snprintf(sentence, sizeof sentence, __VA_ARGS__);                                                              \
        yoke__args_fatal(sentence);                                                                                    \
    } while (0)

static const yoke_variant *argument(const yoke_args *args, size_t index)
{
    const yoke_variant *found;
    if (!args)
        fatal("the arguments are NULL");
    found = index < yoke_variant_count(args->list) ? yoke_variant_at(args->list, index) : NULL;
    if (!found)
        fatal("argument %zu was asked for, but there are only %zu (they count from 0)", index,
              yoke_variant_count(args->list));
    return found;
}

static _Noreturn void wrong_kind(const yoke_variant *variant, size_t index, const char *wanted)
{
    fatal("argument %zu is of the kind '%s', not '%s'", index,
          yoke__item_kind_name((uint32_t)yoke_variant_kind(variant)), wanted);
}

/* ---- whatever it is -------------------------------------------------------------------------------------------------------- */

size_t yoke_args_count(const yoke_args *args)
{
    if (!args)
        fatal("the arguments are NULL");
    return yoke_variant_count(args->list);
}

yoke_kind yoke_args_kind(const yoke_args *args, size_t index)
{
    return yoke_variant_kind(argument(args, index));
}

const yoke_variant *yoke_args_variant(const yoke_args *args, size_t index)
{
    return argument(args, index);
}

/* ---- numbers ----------------------------------------------------------------------------------------------------------------- */

static int64_t integer(const yoke_args *args, size_t index, int64_t least, int64_t most, const char *type)
{
    const yoke_variant *variant = argument(args, index);
    int64_t             value = yoke_variant_int(variant, 0);
    switch (yoke_variant_kind(variant)) {
    case YOKE_UINT: /* only what int64_t doesn't hold */
        fatal("argument %zu is %" PRIu64 ", which no %s holds", index, yoke_variant_uint(variant, 0), type);
    case YOKE_INT:
    case YOKE_BOOL:
        if (value < least || value > most)
            fatal("argument %zu is %" PRId64 ", which no %s holds", index, value, type);
        return value;
    default:
        wrong_kind(variant, index, "integer");
    }
}

static uint64_t unsigned_integer(const yoke_args *args, size_t index, uint64_t most, const char *type)
{
    const yoke_variant *variant = argument(args, index);
    uint64_t            value = yoke_variant_uint(variant, 0);
    switch (yoke_variant_kind(variant)) {
    case YOKE_INT:
        if (yoke_variant_int(variant, 0) < 0)
            fatal("argument %zu is %" PRId64 ", which no %s holds", index, yoke_variant_int(variant, 0), type);
        break;
    case YOKE_UINT:
    case YOKE_BOOL:
        break;
    default:
        wrong_kind(variant, index, "integer");
    }
    if (value > most)
        fatal("argument %zu is %" PRIu64 ", which no %s holds", index, value, type);
    return value;
}

bool yoke_args_bool(const yoke_args *args, size_t index)
{
    return integer(args, index, 0, 1, "bool") != 0;
}

int yoke_args_int(const yoke_args *args, size_t index)
{
    return (int)integer(args, index, INT_MIN, INT_MAX, "int");
}

int64_t yoke_args_int64(const yoke_args *args, size_t index)
{
    return integer(args, index, INT64_MIN, INT64_MAX, "int64_t");
}

uint64_t yoke_args_uint64(const yoke_args *args, size_t index)
{
    return unsigned_integer(args, index, UINT64_MAX, "uint64_t");
}

size_t yoke_args_size(const yoke_args *args, size_t index)
{
    return (size_t)unsigned_integer(args, index, SIZE_MAX, "size_t");
}

/* Converted there and back, the integer is the same. 2^63 and 2^64 themselves would not convert back. */
static bool exact(const yoke_variant *variant)
{
    double value = yoke_variant_double(variant, 0);
    if (yoke_variant_kind(variant) == YOKE_INT)
        return value < 9223372036854775808.0 && (int64_t)value == yoke_variant_int(variant, 0);
    return value < 18446744073709551616.0 && (uint64_t)value == yoke_variant_uint(variant, 0);
}

double yoke_args_double(const yoke_args *args, size_t index)
{
    const yoke_variant *variant = argument(args, index);
    yoke_kind           kind = yoke_variant_kind(variant);
    if (kind != YOKE_DOUBLE && kind != YOKE_INT && kind != YOKE_UINT)
        wrong_kind(variant, index, "double");
    if (kind != YOKE_DOUBLE && !exact(variant))
        fatal("argument %zu is an integer that no double holds exactly", index);
    return yoke_variant_double(variant, 0);
}

/* ---- text and bytes -------------------------------------------------------------------------------------------------------------- */

const char *yoke_args_string(const yoke_args *args, size_t index)
{
    const yoke_variant *variant = argument(args, index);
    const char         *text = yoke_variant_string(variant, NULL);
    if (!text)
        wrong_kind(variant, index, "string");
    if (strlen(text) != yoke_variant_count(variant))
        fatal("argument %zu is a string with a NUL inside", index);
    return text;
}

const void *yoke_args_bytes(const yoke_args *args, size_t index, size_t *size)
{
    const yoke_variant *variant = argument(args, index);
    const void         *bytes = yoke_variant_bytes(variant, size);
    if (!bytes)
        wrong_kind(variant, index, "bytes");
    return bytes;
}

const void *yoke_args_struct(const yoke_args *args, size_t index, size_t size)
{
    size_t      given;
    const void *bytes = yoke_args_bytes(args, index, &given);
    if (given != size)
        fatal("argument %zu has %zu bytes, not %zu", index, given, size);
    return bytes;
}

/* ---- handles ----------------------------------------------------------------------------------------------------------------------- */

static void *handle(const yoke_args *args, size_t index, uint32_t kind)
{
    const yoke_variant *variant = argument(args, index);
    if ((uint32_t)yoke_variant_kind(variant) != kind)
        wrong_kind(variant, index, yoke__item_kind_name(kind));
    return yoke__variant_handle(variant, kind);
}

#define ACCESSOR(name)                                                                                                 \
    yoke_##name *yoke_args_##name(const yoke_args *args, size_t index)                                                 \
    {                                                                                                                  \
        return handle(args, index, YOKE_H_##name);                                                                     \
    }
YOKE_HANDLES_(ACCESSOR)
#undef ACCESSOR
