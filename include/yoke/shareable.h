/**
 * @file shareable.h
 * Lists of plain values in shared memory, after Python's `multiprocessing.shared_memory.ShareableList`.
 *
 * A shareable list has a fixed number of items. Each is nil, a bool, an integer, a double, a string or bytes, and may be
 * set to another one of any of these kinds. How many bytes of text fit is fixed for each item when the list is made: by
 * Python's rule the least multiple of 8 that is larger than the text it begins with, 8 for all other kinds, or more by
 * option.
 *
 * ```c
 * yoke_shareable *list;
 * YOKE_CHECK(yoke_shareable_create(&list, YOKE_ARGS("howdy", 273.154, 100, YOKE_NIL, (bool)true), NULL));
 * YOKE_CHECK(YOKE_SHAREABLE_SET(list, 2, -78.5));
 * ```
 *
 * What differs from Python's: a text keeps the NULs it ends in; an item is never seen half set, whoever sets it and
 * whoever is killed meanwhile: setters take turns, and readers take what was there before or what is there after. Reading
 * waits for nobody but in one case: after many tries that were all overtaken by setters of that item it takes its turn
 * with them.
 *
 * A list lives in a domain, goes with its last user, and may stand in arguments and messages. What several calls do
 * together (reading an item, then setting it) is held together by yoke_shareable_lock(): a lock for the program's own
 * use, which the calls here neither take nor ask for.
 *
 * Threads and processes: every function may be called by any thread of any participant, but not by a signal handler. A
 * forked child may use the handles it inherits. Close a handle only when no other thread is about to use it.
 */
#ifndef YOKE_SHAREABLE_H
#define YOKE_SHAREABLE_H

#include "args.h"
#include "sync.h"

YOKE_BEGIN

/** Options of yoke_shareable_create(); zero means default everywhere. */
typedef struct yoke_shareable_options {
    YOKE_SIZED_(yoke_shareable_options);
    yoke_domain   *domain;     /**< where it lives; NULL: the default domain */
    const char    *name;       /**< name inside the domain, or NULL */
    yoke_open_mode mode;       /**< counts only with a name */
    size_t         slot_bytes; /**< bytes of text that every item has room for at least */
    yoke_on_death  on_death;   /**< of yoke_shareable_lock() */
} yoke_shareable_options;

/**
 * Makes a list, or opens it if the name is there and the mode says so.
 *
 * @param out      Gets the handle; the caller closes it.
 * @param items    `YOKE_ARGS(...)`, or yoke_item_list() for more than 32, or a received list. Copied. What it holds is
 *                 not looked at when the list is there already, but its length and the room of its items are.
 * @param options  NULL for defaults.
 * @retval YOKE_ETYPE   An item is of no kind that can stand in it, and the sentence tells which; or the name is there,
 *                      but is something else, or a list of another length or with other room for its items.
 * @retval YOKE_EINVAL  items is NULL or no list, a text in it is NULL; a bad name, mode or domain.
 * @retval YOKE_EEXIST  Mode #YOKE_CREATE, and the name is taken.
 * @retval YOKE_ENOENT  Mode #YOKE_OPEN, and there is no such name.
 * @retval YOKE_ENOMEM  No memory within the domain's budget.
 */
YOKE_API YOKE_CHECKED int yoke_shareable_create(yoke_shareable **out, const yoke_item *items,
                                                const yoke_shareable_options *options);
/** Opens a list by name, whatever it holds. domain NULL: the default one. Codes as yoke_shareable_create(). */
YOKE_API YOKE_CHECKED int yoke_shareable_open(yoke_shareable **out, yoke_domain *domain, const char *name);
/** Closes this process's handle, and the borrowed lock with it. NULL is fine. */
YOKE_API void yoke_shareable_close(yoke_shareable *list);

/** Number of items; 0 on a bad handle. */
YOKE_API size_t yoke_shareable_count(const yoke_shareable *list);
/** Kind of an item now: never a list, map or handle. Nil also for a bad handle or index, which is noted. */
YOKE_API yoke_kind yoke_shareable_kind(const yoke_shareable *list, size_t index);
/** Bytes of text that item `index` has room for; 0, noted, for a bad handle or index. */
YOKE_API size_t yoke_shareable_capacity(const yoke_shareable *list, size_t index);

/**
 * Sets an item: the same value as it is seen by all others at once. YOKE_SHAREABLE_SET() is shorter.
 *
 * Waits while another sets an item of this list. A setter that is killed has set it or not.
 *
 * @param item  `YOKE_VALUE_OF(x)`; a received variant of a plain kind will do. Copied.
 * @retval YOKE_ERANGE    No such index.
 * @retval YOKE_EMSGSIZE  The text is longer than the room that the item has; the sentence names both.
 * @retval YOKE_ETYPE     A list, map or handle.
 * @retval YOKE_EINVAL    item is NULL, or a text at NULL; not an open list.
 * @retval YOKE_ECLOSED   Another thread closed the handle meanwhile, or the domain was left.
 */
YOKE_API YOKE_CHECKED int yoke_shareable_set(yoke_shareable *list, size_t index, const yoke_item *item);

/**
 * Reads an item.
 *
 * @param out  Gets a variant; the caller frees it.
 * @retval YOKE_ERANGE   No such index.
 * @retval YOKE_ENOMEM   No memory for the variant.
 * @retval YOKE_EINVAL   Not an open list.
 * @retval YOKE_ECLOSED  The list is gone since the domain was left.
 * @retval YOKE_EPROTO   The list has been written over by somebody.
 */
YOKE_API YOKE_CHECKED int yoke_shareable_get(const yoke_shareable *list, size_t index, yoke_variant **out);
/** A bool, or an integer 0 or 1. Beyond the codes of yoke_shareable_get(): #YOKE_ETYPE another kind; #YOKE_ERANGE also
 *  another integer. On failure *out is not touched. */
YOKE_API YOKE_CHECKED int yoke_shareable_get_bool(const yoke_shareable *list, size_t index, bool *out);
/** An integer that fits, or a bool as 0 or 1. #YOKE_ETYPE, and #YOKE_ERANGE also for one that doesn't fit. */
YOKE_API YOKE_CHECKED int yoke_shareable_get_int(const yoke_shareable *list, size_t index, int64_t *out);
/** As yoke_shareable_get_int(), without sign. */
YOKE_API YOKE_CHECKED int yoke_shareable_get_uint(const yoke_shareable *list, size_t index, uint64_t *out);
/** A double, or an integer (rounded if it has more than 53 bits). #YOKE_ETYPE. */
YOKE_API YOKE_CHECKED int yoke_shareable_get_double(const yoke_shareable *list, size_t index, double *out);
/**
 * Copies a string and terminates it. It may hold further NULs: size tells.
 *
 * @param capacity  Bytes of buffer.
 * @param size      Gets the length, the final NUL not counted, also with #YOKE_EMSGSIZE. May be NULL.
 * @retval YOKE_EMSGSIZE  It and its NUL are longer than capacity; nothing was copied.
 * @retval YOKE_ETYPE     Not a string.
 */
YOKE_API YOKE_CHECKED int yoke_shareable_get_string(const yoke_shareable *list, size_t index, char *buffer,
                                                    size_t capacity, size_t *size);
/** As yoke_shareable_get_string(), for bytes or the bytes of a string: no NUL is added. */
YOKE_API YOKE_CHECKED int yoke_shareable_get_bytes(const yoke_shareable *list, size_t index, void *buffer,
                                                   size_t capacity, size_t *size);

/**
 * The whole list at one moment, as a variant of kind list, for iterating, comparing and printing: see
 * yoke_variant_format(). Holds up those who set items for as long as copying takes. Codes as yoke_shareable_get().
 */
YOKE_API YOKE_CHECKED int yoke_shareable_snapshot(const yoke_shareable *list, yoke_variant **out);
/**
 * Where a value stands first, as Python's `index`: equality is that of yoke_variant_equals().
 *
 * @param from   Index to begin at.
 * @param index  Gets the index found. May be NULL.
 * @retval YOKE_ENOENT  It is not there. Others as yoke_shareable_get().
 */
YOKE_API int yoke_shareable_find(const yoke_shareable *list, const yoke_item *item, size_t from, size_t *index);
/** How often a value stands in it, as Python's `count`. Negative: a code as of yoke_shareable_get(). */
YOKE_API int64_t yoke_shareable_occurrences(const yoke_shareable *list, const yoke_item *item);

/**
 * A lock for the program's own use, made with the list. Borrowed: it lives as long as the handle; don't close it. No call
 * above takes it.
 *
 * @return NULL for a bad handle (#YOKE_EINVAL) or no memory (#YOKE_ENOMEM).
 */
YOKE_API yoke_lock *yoke_shareable_lock(yoke_shareable *list);

YOKE_END

/** Sets an item to any expression that YOKE_ARGS() takes and that is no list, map or handle. */
#define YOKE_SHAREABLE_SET(list, index, x) yoke_shareable_set(list, index, YOKE_VALUE_OF(x))

#endif
