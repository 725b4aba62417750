/**
 * @file memory.h
 * Memory that processes share: single values and arrays. Segments of bytes are in shm.h, lists in shareable.h.
 *
 * A *value* or an *array* has a C type, lives in a domain, and comes with a lock unless it is made without one. Programs
 * work on it by a pointer; the type is checked when the pointer is asked for:
 *
 * ```c
 * yoke_value *total;
 * YOKE_CHECK(YOKE_VALUE_CREATE(&total, int, 0, NULL));
 * ...
 * YOKE_TRY(yoke_lock_acquire(yoke_value_lock(total), YOKE_FOREVER));
 * *YOKE_VALUE(total, int) += 1;
 * YOKE_TRY(yoke_lock_release(yoke_value_lock(total)));
 * ```
 *
 * Reading and writing by pointer takes no lock: `+= 1` is a read and a write, and two processes that do it at the same
 * time lose one of the two. Hold the lock, or use what is whole by itself:
 *
 * ```c
 * yoke_value *total;
 * yoke_array *row;
 * ...
 * YOKE_TRY(YOKE_VALUE_FETCH_ADD(total, int, 5, NULL));
 * YOKE_TRY(YOKE_ARRAY_SET(row, double, 3, 0.5));
 * ```
 *
 * All of these work on a scalar by one atomic operation: whoever is killed in it has done it or not. If the value or
 * array was made with a lock, they take it besides, and so respect those who work by pointer and hold it: don't call
 * them while holding it. If it was made `unlocked` they are lock-free, and an element that is no scalar of 1, 2, 4 or 8
 * bytes is #YOKE_ENOTSUP.
 *
 * Values and arrays go away with their last user, however the users end. Memory is allocated for real when they are made:
 * lack of it is #YOKE_ENOMEM then, not a fault later.
 *
 * Any thread of any process that has a handle may call; not signal handlers. A forked child may use inherited handles.
 */
#ifndef YOKE_MEMORY_H
#define YOKE_MEMORY_H

#include "sync.h"

YOKE_BEGIN

/* ---- values and arrays ------------------------------------------------------------------------------------------- */

/** C types that are told apart. Structures and everything else are RAW and told apart by size only. */
typedef enum yoke_type {
    YOKE_TYPE_RAW,
    YOKE_TYPE_BOOL,
    YOKE_TYPE_I8,
    YOKE_TYPE_U8,
    YOKE_TYPE_I16,
    YOKE_TYPE_U16,
    YOKE_TYPE_I32,
    YOKE_TYPE_U32,
    YOKE_TYPE_I64,
    YOKE_TYPE_U64,
    YOKE_TYPE_F32,
    YOKE_TYPE_F64
} yoke_type;

/** Options of values and arrays; zero means default everywhere. */
typedef struct yoke_value_options {
    YOKE_SIZED_(yoke_value_options);
    yoke_domain   *domain;   /**< where it lives; NULL: the default domain */
    const char    *name;     /**< name inside the domain, or NULL */
    yoke_open_mode mode;     /**< counts only with a name */
    bool           unlocked; /**< no lock comes with it */
    yoke_on_death  on_death; /**< of its lock */
} yoke_value_options;

/**
 * What YOKE_VALUE_CREATE() calls: makes a value, or opens it if the name is there and the mode says so.
 *
 * @param out      Gets the handle; the caller closes it.
 * @param type     Type of the value.
 * @param size     Its bytes.
 * @param initial  What it holds at first, or NULL for zero. Not looked at when it is there already.
 * @param options  NULL for defaults.
 * @retval YOKE_EEXIST  Mode #YOKE_CREATE, and the name is taken.
 * @retval YOKE_ENOENT  Mode #YOKE_OPEN, and there is no such name.
 * @retval YOKE_ETYPE   The name is there, but is something else; the sentence names both.
 * @retval YOKE_ENOMEM  No memory within the domain's budget.
 * @retval YOKE_EINVAL  A bad name, mode, size or domain.
 */
YOKE_API YOKE_CHECKED int yoke_value_create_(yoke_value **out, yoke_type type, size_t size, const void *initial,
                                             const yoke_value_options *options);
/** What YOKE_ARRAY_CREATE() calls. As yoke_value_create_(), for count elements of size bytes each; an array that is there
 *  already must have as many, or count be 0 (which fits any, and can't create). has: how many bytes initial has, SIZE_MAX:
 *  enough. What is missing is zero where size is 1, and else #YOKE_EINVAL. */
YOKE_API YOKE_CHECKED int yoke_array_create_(yoke_array **out, yoke_type type, size_t size, size_t count,
                                             const void *initial, size_t has, const yoke_value_options *options);

/** What YOKE_VALUE() calls. NULL: a bad handle, or #YOKE_ETYPE with a sentence that names both types. */
YOKE_API void *yoke_value_data_(const yoke_value *value, yoke_type type, size_t size);
/** What YOKE_ARRAY() calls. */
YOKE_API void *yoke_array_data_(const yoke_array *array, yoke_type type, size_t size);
/** What YOKE_ARRAY_AT() calls. NULL also: #YOKE_ERANGE, index past the end. */
YOKE_API void *yoke_array_at_(const yoke_array *array, yoke_type type, size_t size, size_t index);

/**
 * The lock of a value. Borrowed: it lives as long as the handle of the value; don't close it.
 *
 * @return NULL for a bad handle (#YOKE_EINVAL), a value made unlocked (#YOKE_ENOTSUP), or no memory (#YOKE_ENOMEM).
 */
YOKE_API yoke_lock *yoke_value_lock(yoke_value *value);
/** The lock of an array, as yoke_value_lock(). */
YOKE_API yoke_lock *yoke_array_lock(yoke_array *array);

/**
 * Adds to a value of an integer type, at once against every other yoke_value_add() and, if the value has a lock, against
 * all who hold that lock. So don't hold it.
 *
 * @param value  Of any integer type.
 * @param n      What to add; negative to subtract.
 * @param now    Gets the sum. May be NULL.
 * @retval YOKE_ERANGE      The sum does not fit the type; nothing was added.
 * @retval YOKE_ETYPE       Not an integer.
 * @retval YOKE_EINVAL      Not an open value.
 * @retval YOKE_ECLOSED     Another thread closed the value meanwhile, or its domain was left.
 * @retval YOKE_OWNER_DIED  Added, but somebody died holding the lock, and the value may be half changed.
 */
YOKE_API int yoke_value_add(yoke_value *value, int64_t n, int64_t *now);

/** Number of elements; 0 on a bad handle. */
YOKE_API size_t yoke_array_count(const yoke_array *array);

/**
 * Copies text into an array of char, NUL included; what follows it stays. No lock is taken.
 *
 * @retval YOKE_EMSGSIZE  The text and its NUL are longer than the array; nothing was copied.
 * @retval YOKE_ETYPE     Not an array of char.
 */
YOKE_API YOKE_CHECKED int yoke_array_set_string(yoke_array *array, const char *text);
/**
 * Copies the text in an array of char, up to its NUL or the end of the array, and terminates it. No lock is taken.
 *
 * @retval YOKE_EMSGSIZE  The text and its NUL are longer than capacity; nothing was copied.
 * @retval YOKE_ETYPE     Not an array of char.
 */
YOKE_API YOKE_CHECKED int yoke_array_get_string(const yoke_array *array, char *buffer, size_t capacity);

/* ---- whole by themselves ------------------------------------------------------------------------------------------ */

/** What is done to a scalar at once. */
typedef enum yoke_update {
    YOKE_UPDATE_LOAD,     /**< nothing, but reading it */
    YOKE_UPDATE_EXCHANGE, /**< any type */
    YOKE_UPDATE_ADD,      /**< integers, if the sum fits; float, double */
    YOKE_UPDATE_SUBTRACT, /**< likewise */
    YOKE_UPDATE_AND,      /**< integers, bool */
    YOKE_UPDATE_OR,       /**< integers, bool */
    YOKE_UPDATE_XOR,      /**< integers, bool */
    YOKE_UPDATE_MIN,      /**< integers; float, double, where a number wins over NaN */
    YOKE_UPDATE_MAX       /**< likewise */
} yoke_update;

/**
 * What the macros YOKE_VALUE_LOAD(), YOKE_VALUE_STORE(), YOKE_VALUE_EXCHANGE() and YOKE_VALUE_FETCH_ADD() to
 * YOKE_VALUE_FETCH_MAX() call.
 *
 * @param value    Of that type and size.
 * @param operand  One element of that type. Not looked at by #YOKE_UPDATE_LOAD.
 * @param before   Gets what stood there. May be NULL.
 * @retval YOKE_OWNER_DIED  Done, but somebody died holding its lock, and what it guards may be half changed.
 * @retval YOKE_ETYPE    It holds another type, and the sentence names both; or that can't be done to this type.
 * @retval YOKE_ERANGE   The sum or difference doesn't fit the type; nothing was changed.
 * @retval YOKE_ENOTSUP  Made unlocked, and no scalar.
 * @retval YOKE_EINVAL   Not an open value, operand NULL, or no such update.
 * @retval YOKE_ECLOSED  Another thread closed the value meanwhile, or its domain was left.
 */
YOKE_API int yoke_value_update_(yoke_value *value, yoke_type type, size_t size, yoke_update update, const void *operand,
                                void *before);
/**
 * What YOKE_VALUE_COMPARE_EXCHANGE() calls: puts desired there if what stands there has the bytes of expected. (So 0.0 is
 * not -0.0, a NaN is itself, and padding counts.)
 *
 * @param expected  Gets what stands there instead, with #YOKE_EBUSY.
 * @retval YOKE_EBUSY  Something else stood there. Others as yoke_value_update_().
 */
YOKE_API YOKE_CHECKED int yoke_value_compare_exchange_(yoke_value *value, yoke_type type, size_t size, void *expected,
                                                       const void *desired);
/** What YOKE_ARRAY_GET(), YOKE_ARRAY_SET(), YOKE_ARRAY_EXCHANGE() and YOKE_ARRAY_FETCH_ADD() to YOKE_ARRAY_FETCH_MAX()
 *  call: as yoke_value_update_(). #YOKE_ERANGE also: no such index. */
YOKE_API int yoke_array_update_(yoke_array *array, yoke_type type, size_t size, size_t index, yoke_update update,
                                const void *operand, void *before);
/** What YOKE_ARRAY_COMPARE_EXCHANGE() calls. #YOKE_ERANGE: no such index. */
YOKE_API YOKE_CHECKED int yoke_array_compare_exchange_(yoke_array *array, yoke_type type, size_t size, size_t index,
                                                       void *expected, const void *desired);
/** What YOKE_ARRAY_READ() calls: copies elements out, under the lock if there is one. Without one each is copied as by
 *  pointer. #YOKE_ERANGE: past the end, and nothing was copied. Others as yoke_value_update_(). */
YOKE_API int yoke_array_read_(yoke_array *array, yoke_type type, size_t size, size_t first, size_t count, void *out);
/** What YOKE_ARRAY_WRITE() calls: copies elements in, likewise. */
YOKE_API int yoke_array_write_(yoke_array *array, yoke_type type, size_t size, size_t first, size_t count,
                               const void *from);

/** Closes this process's handle, and the borrowed lock with it; pointers into it are void. NULL is fine. */
YOKE_API void yoke_value_close(yoke_value *value);
/** As yoke_value_close(). */
YOKE_API void yoke_array_close(yoke_array *array);

YOKE_END

#include "memory_macros.h"

#endif
