/**
 * @file memory.h
 * Memory that processes share: single values, arrays, and segments of bytes.
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
 * time lose one of the two. Hold the lock, or use yoke_value_add().
 *
 * A *segment* (`yoke_shm`) is bytes of any number outside of all domains. It is either anonymous, and passed to children
 * as an argument, or it has a name by which any process of the same user can open it.
 *
 * All of these go away with their last user, however the users end. Memory is allocated for real when it is made: lack of
 * it is #YOKE_ENOMEM then, not a fault later.
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
 *  already must have as many, or count be 0 (which fits any, and can't create). */
YOKE_API YOKE_CHECKED int yoke_array_create_(yoke_array **out, yoke_type type, size_t size, size_t count,
                                             const void *initial, const yoke_value_options *options);

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
 * @retval YOKE_ENOMEM      No memory for the handle of its lock.
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

/** Closes this process's handle, and the borrowed lock with it; pointers into it are void. NULL is fine. */
YOKE_API void yoke_value_close(yoke_value *value);
/** As yoke_value_close(). */
YOKE_API void yoke_array_close(yoke_array *array);

/* ---- segments ---------------------------------------------------------------------------------------------------- */

/** Options of yoke_shm_create(); zero means default everywhere. */
typedef struct yoke_shm_options {
    YOKE_SIZED_(yoke_shm_options);
    const char    *name; /**< NULL: anonymous. 1 to 62 letters, digits, '.', '_', '-' */
    yoke_open_mode mode; /**< counts only with a name */
} yoke_shm_options;

/**
 * Makes a segment of zero bytes, or opens it if the name is there and the mode says so.
 *
 * An anonymous one can be passed as an argument to a child, where the system can (all of POSIX); not through queues. A
 * named one can be opened by any process of the same user; each open handle of a living process keeps it. When the last
 * user has closed it or died, the name is free again; a name that only dead processes used is cleared by the next who
 * asks for it. At most 500 processes can have a named one open.
 *
 * @param out      Gets the handle; the caller closes it.
 * @param size     Bytes; at least 1. With #YOKE_OPEN 0 stands for whatever size it has.
 * @param options  NULL for defaults: anonymous.
 * @retval YOKE_EEXIST  Mode #YOKE_CREATE, and the name is in use.
 * @retval YOKE_ENOENT  Mode #YOKE_OPEN, and nobody uses that name.
 * @retval YOKE_EINVAL  A bad name, mode or size; or it is there with another size, and the sentence names both.
 * @retval YOKE_EPROTO  What has that name is not a segment of this library, or of another version of it.
 * @retval YOKE_ENOMEM  Not that much memory is left, or no descriptor.
 * @retval YOKE_EACCES  The system refuses access.
 * @retval YOKE_ENOTSUP The backend has no named memory.
 */
YOKE_API YOKE_CHECKED int yoke_shm_create(yoke_shm **out, size_t size, const yoke_shm_options *options);
/** Opens a named segment of whatever size. As yoke_shm_create() with #YOKE_OPEN. */
YOKE_API YOKE_CHECKED int yoke_shm_open(yoke_shm **out, const char *name);
/** Start of the segment in this process, aligned to a page; other processes have it at other addresses. NULL on a bad
 *  handle. */
YOKE_API void *yoke_shm_data(const yoke_shm *shm);
/** Its bytes, as given when it was made; 0 on a bad handle. */
YOKE_API size_t yoke_shm_size(const yoke_shm *shm);
/** Its name, "" if it has none; NULL on a bad handle. Lives as long as the handle. */
YOKE_API const char *yoke_shm_name(const yoke_shm *shm);
/** Closes this process's handle; its data pointer is void. NULL is fine. */
YOKE_API void yoke_shm_close(yoke_shm *shm);

YOKE_END

/* ---- what a program writes --------------------------------------------------------------------------------------- */

/*
 *   YOKE_VALUE_CREATE(&value, T, initial, options)         makes a value of type T; for a structure write 0, and set its
 *                                                          members before it is passed on
 *   YOKE_VALUE_OPEN(&value, T, domain, name)               opens one by name; domain NULL: the default one
 *   YOKE_VALUE(value, T)                                   T *: where it lies; NULL if it is no T
 *   YOKE_ARRAY_CREATE(&array, T, count, initial, options)  initial: pointer to count elements, or NULL for zeros
 *   YOKE_ARRAY_OPEN(&array, T, domain, name)               opens one by name, of any count
 *   YOKE_ARRAY(array, T)                                   T *: its first element; NULL if it is no array of T
 *   YOKE_ARRAY_AT(array, T, index)                         T *: an element; NULL if there is no such element
 *
 * Pointers live as long as the handle.
 */
#ifndef __cplusplus
#define YOKE_TYPE_(T)                                                                                                  \
    _Generic((T *)0, bool *: YOKE_TYPE_BOOL, char *: ((char)-1 < 0 ? YOKE_TYPE_I8 : YOKE_TYPE_U8),                     \
        signed char *: YOKE_TYPE_I8, unsigned char *: YOKE_TYPE_U8, short *: YOKE_TYPE_I16,                            \
        unsigned short *: YOKE_TYPE_U16, int *: YOKE_TYPE_I32, unsigned *: YOKE_TYPE_U32,                              \
        long *: (sizeof(long) == 8 ? YOKE_TYPE_I64 : YOKE_TYPE_I32),                                                   \
        unsigned long *: (sizeof(long) == 8 ? YOKE_TYPE_U64 : YOKE_TYPE_U32), long long *: YOKE_TYPE_I64,              \
        unsigned long long *: YOKE_TYPE_U64, float *: YOKE_TYPE_F32, double *: YOKE_TYPE_F64, default: YOKE_TYPE_RAW)
/** Makes a value of type T. For a structure write 0, and set its members before it is passed on. */
#define YOKE_VALUE_CREATE(out, T, initial, options)                                                                    \
    yoke_value_create_(out, YOKE_TYPE_(T), sizeof(T), &(const T){initial}, options)
/** Opens a value by name; domain NULL: the default one. */
#define YOKE_VALUE_OPEN(out, T, in_domain, by_name)                                                                    \
    yoke_value_create_(out, YOKE_TYPE_(T), sizeof(T), NULL,                                                            \
                       YOKE_OPTIONS(yoke_value_options, .domain = (in_domain), .name = (by_name), .mode = YOKE_OPEN))
/** Makes an array. initial: pointer to count elements, or NULL for zeros. */
#define YOKE_ARRAY_CREATE(out, T, count, initial, options)                                                             \
    yoke_array_create_(out, YOKE_TYPE_(T), sizeof(T), count, initial, options)
/** Opens an array by name, of any count. */
#define YOKE_ARRAY_OPEN(out, T, in_domain, by_name)                                                                    \
    yoke_array_create_(out, YOKE_TYPE_(T), sizeof(T), 0, NULL,                                                         \
                       YOKE_OPTIONS(yoke_value_options, .domain = (in_domain), .name = (by_name), .mode = YOKE_OPEN))
#else
template <class T> struct yoke_type_of_ {
    static const yoke_type type = YOKE_TYPE_RAW;
};
#define YOKE_TYPE_IS_(T, which)                                                                                        \
    template <> struct yoke_type_of_<T> {                                                                              \
        static const yoke_type type = which;                                                                           \
    };
YOKE_TYPE_IS_(bool, YOKE_TYPE_BOOL)
YOKE_TYPE_IS_(char, ((char)-1 < 0 ? YOKE_TYPE_I8 : YOKE_TYPE_U8))
YOKE_TYPE_IS_(signed char, YOKE_TYPE_I8)
YOKE_TYPE_IS_(unsigned char, YOKE_TYPE_U8)
YOKE_TYPE_IS_(short, YOKE_TYPE_I16)
YOKE_TYPE_IS_(unsigned short, YOKE_TYPE_U16)
YOKE_TYPE_IS_(int, YOKE_TYPE_I32)
YOKE_TYPE_IS_(unsigned, YOKE_TYPE_U32)
YOKE_TYPE_IS_(long, (sizeof(long) == 8 ? YOKE_TYPE_I64 : YOKE_TYPE_I32))
YOKE_TYPE_IS_(unsigned long, (sizeof(long) == 8 ? YOKE_TYPE_U64 : YOKE_TYPE_U32))
YOKE_TYPE_IS_(long long, YOKE_TYPE_I64)
YOKE_TYPE_IS_(unsigned long long, YOKE_TYPE_U64)
YOKE_TYPE_IS_(float, YOKE_TYPE_F32)
YOKE_TYPE_IS_(double, YOKE_TYPE_F64)
#undef YOKE_TYPE_IS_
#define YOKE_TYPE_(T)                                      (yoke_type_of_<T>::type)
/* What a value is made from: anything that becomes a T; for a structure a T or 0. */
template <class T, bool raw = yoke_type_of_<T>::type == YOKE_TYPE_RAW> struct yoke_initial_ {
    T value;
    yoke_initial_(T from) : value(from) {}
};
template <class T> struct yoke_initial_<T, true> {
    T value;
    yoke_initial_(const T &from) : value(from) {}
    yoke_initial_(int) : value() {}
};
template <class T> int yoke_value_make_(yoke_value **out, yoke_initial_<T> initial, const yoke_value_options *options)
{
    return yoke_value_create_(out, YOKE_TYPE_(T), sizeof(T), &initial.value, options);
}
inline yoke_value_options yoke_value_by_name_(yoke_domain *domain, const char *name)
{
    yoke_value_options options = yoke_value_options();
    options.struct_size = sizeof options;
    options.domain = domain;
    options.name = name;
    options.mode = YOKE_OPEN;
    return options;
}
template <class T> int yoke_value_find_(yoke_value **out, const yoke_value_options &options)
{
    return yoke_value_create_(out, YOKE_TYPE_(T), sizeof(T), NULL, &options);
}
template <class T> int yoke_array_find_(yoke_array **out, const yoke_value_options &options)
{
    return yoke_array_create_(out, YOKE_TYPE_(T), sizeof(T), 0, NULL, &options);
}
template <class T>
int yoke_array_make_(yoke_array **out, size_t count, const T *initial, const yoke_value_options *options)
{
    return yoke_array_create_(out, YOKE_TYPE_(T), sizeof(T), count, initial, options);
}
#define YOKE_VALUE_CREATE(out, T, initial, options)        yoke_value_make_<T>(out, initial, options)
#define YOKE_VALUE_OPEN(out, T, domain, name)              yoke_value_find_<T>(out, yoke_value_by_name_(domain, name))
#define YOKE_ARRAY_CREATE(out, T, count, initial, options) yoke_array_make_<T>(out, count, initial, options)
#define YOKE_ARRAY_OPEN(out, T, domain, name)              yoke_array_find_<T>(out, yoke_value_by_name_(domain, name))
#endif
/** T *: where the value lies; NULL if it is no T. */
#define YOKE_VALUE(value, T) ((T *)yoke_value_data_(value, YOKE_TYPE_(T), sizeof(T)))
/** T *: the first element; NULL if it is no array of T. */
#define YOKE_ARRAY(array, T) ((T *)yoke_array_data_(array, YOKE_TYPE_(T), sizeof(T)))
/** T *: an element; NULL if there is no such element. */
#define YOKE_ARRAY_AT(array, T, index) ((T *)yoke_array_at_(array, YOKE_TYPE_(T), sizeof(T), index))

#endif
