/**
 * @file args.h
 * Values written at a call, and how a started function reads them.
 *
 * A caller writes plain values and handles side by side:
 *
 * ```c
 * yoke_process_start(&process, worker, YOKE_ARGS(queue, "worker 1", 3, YOKE_LIST(1.5, YOKE_NIL)), NULL);
 * yoke_queue_put_variant(queue, YOKE_ARGS(42, YOKE_NIL, "hello"), YOKE_FOREVER);
 * ```
 *
 * Allowed are: bool, every integer type, float and double, text (`char *`), every handle type, variants, and what the
 * macros below make. An expression of another type doesn't compile. C and C++ spell all of it alike.
 *
 * In C the items live until the end of the enclosing block, in C++ until the end of the full expression. Text, bytes and
 * handles are borrowed; every function that takes items has copied what it needs when it returns.
 *
 * In C11 `true` and `'a'` are plain `int`: `YOKE_ARGS(true)` holds 1. A variable of type bool, or `(bool)true`, holds a
 * bool. The accessors below take either.
 */
#ifndef YOKE_ARGS_H
#define YOKE_ARGS_H

#include "error.h"
#include "handles.h"

#include <string.h>

YOKE_BEGIN

/** What an item or a variant holds. New kinds go to the end. */
typedef enum yoke_kind {
    YOKE_NIL_KIND, /**< nothing; None in Python */
    YOKE_BOOL,
    YOKE_INT,  /**< an integer that int64_t holds */
    YOKE_UINT, /**< an integer; in a variant only one that int64_t doesn't hold */
    YOKE_DOUBLE,
    YOKE_STRING,     /**< text, UTF-8 by agreement; not checked */
    YOKE_BYTES_KIND, /**< bytes of any meaning */
    YOKE_LIST_KIND,
    YOKE_MAP_KIND,
    YOKE_VARIANT_KIND,                  /**< items only: a variant received before, sent on */
#define YOKE_KIND_(name) YOKE_H_##name, /**< a handle: YOKE_H_queue, YOKE_H_conn, … */
    YOKE_HANDLES_(YOKE_KIND_)
#undef YOKE_KIND_
        YOKE_KIND_COUNT
} yoke_kind;

/** Lists and maps may stand in each other this deep, the outermost counted. Deeper ones are refused when written
 *  (#YOKE_EMSGSIZE) and when read (#YOKE_EPROTO). */
#define YOKE_DEPTH_MAX 32

/** One value as written at a call: borrowed. Made by the macros below, not by hand. */
typedef struct yoke_item {
    uint32_t kind;  /**< a yoke_kind */
    uint32_t flags; /**< bit 0: given (#YOKE_GIVE) */
    size_t   size;  /**< bytes of text (NUL not counted) or of bytes; items of a list or map */
    union {
        int64_t     i;
        uint64_t    u;
        double      d;
        const void *p;
    } as;
} yoke_item;

/* ---- makers of items; the macros below call them ----------------------------------------------------------------- */

static inline yoke_item yoke_item_pointer_(uint32_t kind, const void *pointer, size_t size)
{
    yoke_item item;
    memset(&item, 0, sizeof item);
    item.kind = kind;
    item.size = size;
    item.as.p = pointer;
    return item;
}
static inline yoke_item yoke_item_nil_(void)
{
    return yoke_item_pointer_(YOKE_NIL_KIND, NULL, 0);
}
static inline yoke_item yoke_item_int_(long long value)
{
    yoke_item item = yoke_item_nil_();
    item.kind = YOKE_INT;
    item.as.i = value;
    return item;
}
static inline yoke_item yoke_item_uint_(unsigned long long value)
{
    yoke_item item = yoke_item_nil_();
    item.kind = YOKE_UINT;
    item.as.u = value;
    return item;
}
static inline yoke_item yoke_item_bool_(bool value)
{
    yoke_item item = yoke_item_nil_();
    item.kind = YOKE_BOOL;
    item.as.u = value;
    return item;
}
static inline yoke_item yoke_item_double_(double value)
{
    yoke_item item = yoke_item_nil_();
    item.kind = YOKE_DOUBLE;
    item.as.d = value;
    return item;
}
static inline yoke_item yoke_item_string_(const char *text)
{
    return yoke_item_pointer_(YOKE_STRING, text, text ? strlen(text) : 0);
}
static inline yoke_item yoke_item_same_(yoke_item item)
{
    return item;
}
static inline yoke_item yoke_item_variant_(const yoke_variant *variant)
{
    return yoke_item_pointer_(YOKE_VARIANT_KIND, variant, 0);
}
static inline yoke_item yoke_item_list_(const yoke_item *items, size_t count)
{
    return yoke_item_pointer_(YOKE_LIST_KIND, items, count);
}
static inline yoke_item yoke_item_map_(const yoke_item *items, size_t count)
{
    return yoke_item_pointer_(YOKE_MAP_KIND, items, count);
}
static inline yoke_item yoke_item_give_(yoke_item item)
{
    item.flags |= 1u;
    return item;
}
#define YOKE_HANDLE_ITEM_(name)                                                                                        \
    static inline yoke_item yoke_item_##name##_(const yoke_##name *handle)                                             \
    {                                                                                                                  \
        return yoke_item_pointer_(YOKE_H_##name, handle, 0);                                                           \
    }
YOKE_HANDLES_(YOKE_HANDLE_ITEM_)
#undef YOKE_HANDLE_ITEM_

/** Bytes as an item. data may be NULL only when size is 0. */
static inline yoke_item yoke_item_bytes(const void *data, size_t size)
{
    return yoke_item_pointer_(YOKE_BYTES_KIND, data, size);
}
/** Items of an array whose length is known only at run time, as a list. Nothing is copied. */
static inline yoke_item yoke_item_list(const yoke_item *items, size_t count)
{
    return yoke_item_list_(items, count);
}

YOKE_END

/* ---- what a caller writes ---------------------------------------------------------------------------------------- */

/** Nothing; None in Python. */
#define YOKE_NIL yoke_item_nil_()
/** `size` bytes at `data`. */
#define YOKE_BYTES(data, size) yoke_item_bytes(data, size)
/** The bytes of a variable, usually a structure without pointers; read by yoke_args_struct(). */
#define YOKE_STRUCT(lvalue) yoke_item_bytes(&(lvalue), sizeof(lvalue))
/** Gives a connection away: once the call has succeeded, this process's handle is closed. Only for connections. */
#define YOKE_GIVE(handle) yoke_item_give_(YOKE_ITEM(handle))

/*
 * From args_macros.h:
 *
 *   YOKE_ARGS(...)     up to 32 values, none included, as a `const yoke_item *`: a list. What yoke_process_start() and
 *                      the *_variant functions take.
 *   YOKE_VALUE_OF(x)   one value as a `const yoke_item *`, not in a list.
 *   YOKE_LIST(...)     a list of up to 32 values, as one value in another list.
 *   YOKE_MAP(...)      a map: key, value, key, value, … of up to 32 expressions; an odd number is YOKE_EINVAL.
 *   YOKE_ITEM(x)       one value as a `yoke_item`, for arrays of items.
 */
#include "args_macros.h"

YOKE_BEGIN

/* ---- what the started function reads ----------------------------------------------------------------------------- */

/*
 * Arguments count from 0. An index past the end, another kind, or a number out of range ends the process with a sentence
 * on standard error; its parent finds #YOKE_BAD_ARGUMENTS and that sentence in the result. So these functions never
 * return an error.
 *
 * Everything borrowed from arguments, handles included, lives until the function returns; don't close it. Any thread of
 * the process may call. A forked child of the process may call them too.
 */

/** How many arguments there are. */
YOKE_API size_t yoke_args_count(const yoke_args *args);
/** Kind of argument `index`. */
YOKE_API yoke_kind yoke_args_kind(const yoke_args *args, size_t index);
/** A bool, or an integer 0 or 1. */
YOKE_API bool yoke_args_bool(const yoke_args *args, size_t index);
/** An integer of any kind whose value fits; a bool counts as 0 or 1. */
YOKE_API int yoke_args_int(const yoke_args *args, size_t index);
/** As yoke_args_int(), 64 bits. */
YOKE_API int64_t yoke_args_int64(const yoke_args *args, size_t index);
/** As yoke_args_int(), 64 bits, not negative. */
YOKE_API uint64_t yoke_args_uint64(const yoke_args *args, size_t index);
/** As yoke_args_int(), for sizes. */
YOKE_API size_t yoke_args_size(const yoke_args *args, size_t index);
/** A double, or an integer that a double holds exactly. */
YOKE_API double yoke_args_double(const yoke_args *args, size_t index);
/** Text, NUL-terminated. Text that has a NUL inside is refused; read it by yoke_args_bytes(). */
YOKE_API const char *yoke_args_string(const yoke_args *args, size_t index);
/** Bytes, or the bytes of a text; aligned for any type. `size` gets their number; it may be NULL. */
YOKE_API const void *yoke_args_bytes(const yoke_args *args, size_t index, size_t *size);
/** Bytes of exactly this size, as #YOKE_STRUCT writes them; aligned for any type. */
YOKE_API const void *yoke_args_struct(const yoke_args *args, size_t index, size_t size);
/** Whatever it is; see variant.h. */
YOKE_API const yoke_variant *yoke_args_variant(const yoke_args *args, size_t index);

#define YOKE_HANDLE_ACCESSOR_(name) YOKE_API yoke_##name *yoke_args_##name(const yoke_args *args, size_t index);
/* yoke_args_queue(), yoke_args_conn(), yoke_args_lock(), … : the handle of that kind. */
YOKE_HANDLES_(YOKE_HANDLE_ACCESSOR_)
#undef YOKE_HANDLE_ACCESSOR_

YOKE_END

#endif
