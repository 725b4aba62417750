/**
 * @file variant.h
 * Values as received: nil, bool, integer, double, string, bytes, list, map, handle.
 *
 * A variant is read-only and belongs to this process. A list's or map's parts are variants too and live as long as the
 * one that was received; only that one is freed. Any thread may read it; one thread frees it when nobody reads any more.
 * A forked child has its own copy.
 *
 * Reading is forgiving: an accessor of another kind answers with what the caller gave as `otherwise`. Functions that
 * return pointers answer NULL and note the failure for yoke_last_error(). A NULL variant reads as nil, so that lookups
 * can be chained: `yoke_variant_int(yoke_variant_find(options, "retries"), 3)`.
 */
#ifndef YOKE_VARIANT_H
#define YOKE_VARIANT_H

#include "args.h"

YOKE_BEGIN

/** What it holds; never #YOKE_VARIANT_KIND. */
YOKE_API yoke_kind yoke_variant_kind(const yoke_variant *variant);
/** Parts of a list, pairs of a map, bytes of a string or of bytes; 0 for any other kind. */
YOKE_API size_t yoke_variant_count(const yoke_variant *variant);

/** Part `index` of a list, or value `index` of a map in the order it was written. NULL: #YOKE_ETYPE, #YOKE_ERANGE. */
YOKE_API const yoke_variant *yoke_variant_at(const yoke_variant *variant, size_t index);
/** Key `index` of a map in the order it was written. NULL: #YOKE_ETYPE, #YOKE_ERANGE. */
YOKE_API const yoke_variant *yoke_variant_key(const yoke_variant *variant, size_t index);
/** The value of the last pair of a map whose key is this text. NULL: #YOKE_ETYPE not a map; #YOKE_ENOENT no such key. */
YOKE_API const yoke_variant *yoke_variant_find(const yoke_variant *variant, const char *key);

/** A bool, or an integer 0 or 1. */
YOKE_API bool yoke_variant_bool(const yoke_variant *variant, bool otherwise);
/** An integer that fits, or a bool as 0 or 1. */
YOKE_API int64_t yoke_variant_int(const yoke_variant *variant, int64_t otherwise);
/** An integer that is not negative, or a bool as 0 or 1. */
YOKE_API uint64_t yoke_variant_uint(const yoke_variant *variant, uint64_t otherwise);
/** A double, or an integer (rounded if it has more than 53 bits). */
YOKE_API double yoke_variant_double(const yoke_variant *variant, double otherwise);
/** A string, NUL-terminated. It may hold further NULs; yoke_variant_count() tells its length. */
YOKE_API const char *yoke_variant_string(const yoke_variant *variant, const char *otherwise);
/** Bytes, or the bytes of a string; bytes are aligned for any type. `size`, if not NULL, gets their number. NULL:
 *  #YOKE_ETYPE. */
YOKE_API const void *yoke_variant_bytes(const yoke_variant *variant, size_t *size);

#define YOKE_VARIANT_HANDLE_(name)                                                                                     \
    YOKE_API yoke_##name *yoke_variant_##name(const yoke_variant *variant);                                            \
    YOKE_API yoke_##name *yoke_variant_take_##name(const yoke_variant *variant);
/*
 * yoke_variant_queue(), yoke_variant_conn(), … : the handle; it is closed by yoke_variant_free(). NULL: YOKE_ETYPE.
 * yoke_variant_take_queue(), … : the same, and from now on it is the caller's to close; the variant holds nil there.
 * Not for arguments of a started function.
 */
YOKE_HANDLES_(YOKE_VARIANT_HANDLE_)
#undef YOKE_VARIANT_HANDLE_

/**
 * Writes a variant as Python's repr() does: `[42, None, 'hello']`, `True`, `1e+16`, <tt>b'\\x00'</tt>, `{'k': 1}`. Handles are
 * written as <tt>\<queue\></tt>. Characters that Python escapes are escaped; unassigned code points and those from private
 * planes are the exception. What is not UTF-8 in a string is written as Python's `surrogateescape` reads it.
 *
 * @param variant   NULL is None.
 * @param buffer    Gets the text, NUL-terminated. May be NULL when capacity is 0.
 * @param capacity  Bytes of buffer.
 * @param needed    Gets the bytes needed, the NUL counted, also with #YOKE_EMSGSIZE. May be NULL.
 * @retval YOKE_EMSGSIZE  The text doesn't fit; buffer is as it was.
 * @retval YOKE_EINVAL    buffer is NULL and capacity is not 0.
 */
YOKE_API int yoke_variant_format(const yoke_variant *variant, char *buffer, size_t capacity, size_t *needed);

/**
 * Whether a variant equals what is written, by Python's rules: numbers by value whatever their kind (`1 == 1.0 == True`),
 * strings and bytes byte by byte, lists in order, maps in any order, handles if they mean the same object.
 *
 * @param variant  NULL is nil.
 * @param item     For example `YOKE_ARGS(42, YOKE_NIL, "hello")`, or `YOKE_VALUE_OF(42)` for what is not in a list.
 * @return False also, with #YOKE_EINVAL noted, if item is NULL or of no known kind.
 */
YOKE_API bool yoke_variant_equals(const yoke_variant *variant, const yoke_item *item);

/** Whether somebody had taken it from its queue before, and died or gave it back: its work may have been begun. False for
 *  NULL, for parts of a variant, and for what came another way. Any thread. */
YOKE_API bool yoke_variant_redelivered(const yoke_variant *variant);

/** Frees a received variant and closes the handles in it that were not taken. NULL is fine. Not for parts of one, nor for
 *  arguments. Got from a joinable queue, it doesn't count as done by that. */
YOKE_API void yoke_variant_free(yoke_variant *variant);

YOKE_END

#endif
