/**
 * @file memory_macros.h
 * What a program writes to make and use values and arrays: macros that know the type. Include memory.h instead.
 */
#ifndef YOKE_MEMORY_MACROS_H
#define YOKE_MEMORY_MACROS_H

#include "memory.h"

#if defined(__GNUC__)
/* How many bytes there are at an address, if the compiler knows; else SIZE_MAX. */
#define YOKE_HAS_(at) __builtin_object_size(at, 0)
#else
#define YOKE_HAS_(at) ((size_t)-1)
#endif

/*
 *   YOKE_VALUE_CREATE(&value, T, initial, options)         makes a value of type T; for a structure give one, or 0
 *   YOKE_VALUE_OPEN(&value, T, domain, name)               opens one by name; domain NULL: the default one
 *   YOKE_VALUE(value, T)                                   T *: where it lies; NULL if it is no T
 *   YOKE_ARRAY_CREATE(&array, T, count, initial, options)  initial: pointer to count elements, or NULL for zeros; for
 *                                                          char also a shorter text or array: the rest is zero
 *   YOKE_ARRAY_OPEN(&array, T, domain, name)               opens one by name, of any count
 *   YOKE_ARRAY(array, T)                                   T *: its first element; NULL if it is no array of T
 *   YOKE_ARRAY_AT(array, T, index)                         T *: an element; NULL if there is no such element
 *
 * Pointers live as long as the handle. What follows is whole by itself (memory.h); `before` and `out` point to a T, and
 * before may be NULL:
 *
 *   YOKE_VALUE_LOAD(value, T, out)                         reads it
 *   YOKE_VALUE_STORE(value, T, x)                          sets it
 *   YOKE_VALUE_EXCHANGE(value, T, x, before)               sets it, and tells what stood there
 *   YOKE_VALUE_COMPARE_EXCHANGE(value, T, expected, x)     sets it if *expected stands there, else YOKE_EBUSY
 *   YOKE_VALUE_FETCH_ADD(value, T, x, before)              and _SUB, _AND, _OR, _XOR, _MIN, _MAX
 *   YOKE_ARRAY_GET(array, T, index, out)                   and the rest of them, for an element:
 *   YOKE_ARRAY_SET(array, T, index, x)                     YOKE_ARRAY_EXCHANGE, _COMPARE_EXCHANGE, _FETCH_ADD, ...
 *   YOKE_ARRAY_READ(array, T, first, count, out)           copies count elements out
 *   YOKE_ARRAY_WRITE(array, T, first, count, from)         copies count elements in
 */
#ifndef __cplusplus
#define YOKE_TYPE_(T)                                                                                                  \
    _Generic((T *)0, bool *: YOKE_TYPE_BOOL, char *: ((char)-1 < 0 ? YOKE_TYPE_I8 : YOKE_TYPE_U8),                     \
        signed char *: YOKE_TYPE_I8, unsigned char *: YOKE_TYPE_U8, short *: YOKE_TYPE_I16,                            \
        unsigned short *: YOKE_TYPE_U16, int *: YOKE_TYPE_I32, unsigned *: YOKE_TYPE_U32,                              \
        long *: (sizeof(long) == 8 ? YOKE_TYPE_I64 : YOKE_TYPE_I32),                                                   \
        unsigned long *: (sizeof(long) == 8 ? YOKE_TYPE_U64 : YOKE_TYPE_U32), long long *: YOKE_TYPE_I64,              \
        unsigned long long *: YOKE_TYPE_U64, float *: YOKE_TYPE_F32, double *: YOKE_TYPE_F64, default: YOKE_TYPE_RAW)
/** Makes a value of type T. For a structure give one, or 0. */
#define YOKE_VALUE_CREATE(out, T, initial, options)                                                                    \
    yoke_value_create_(out, YOKE_TYPE_(T), sizeof(T), ((const T[1]){initial}), options)
/** Opens a value by name; domain NULL: the default one. */
#define YOKE_VALUE_OPEN(out, T, in_domain, by_name)                                                                    \
    yoke_value_create_(out, YOKE_TYPE_(T), sizeof(T), NULL,                                                            \
                       YOKE_OPTIONS(yoke_value_options, .domain = (in_domain), .name = (by_name), .mode = YOKE_OPEN))
/** Makes an array. initial: pointer to count elements, or NULL for zeros. A string literal or an array, of which the compiler
 *  knows the size, may be shorter where T has one byte, as char has: the rest is zero, as in C; for others that is #YOKE_EINVAL. */
#define YOKE_ARRAY_CREATE(out, T, count, initial, options)                                                             \
    yoke_array_create_(out, YOKE_TYPE_(T), sizeof(T), count, initial, YOKE_HAS_(initial), options)
/** Opens an array by name, of any count. */
#define YOKE_ARRAY_OPEN(out, T, in_domain, by_name)                                                                    \
    yoke_array_create_(out, YOKE_TYPE_(T), sizeof(T), 0, NULL, 0,                                                      \
                       YOKE_OPTIONS(yoke_value_options, .domain = (in_domain), .name = (by_name), .mode = YOKE_OPEN))
#define YOKE_OUT_(T, out)   (1 ? (out) : (T *)0)
#define YOKE_FROM_(T, from) (1 ? (from) : (const T *)0)
#define YOKE_VALUE_UPDATE_(value, T, update, x, before)                                                                \
    yoke_value_update_(value, YOKE_TYPE_(T), sizeof(T), update, ((const T[1]){x}), YOKE_OUT_(T, before))
#define YOKE_ARRAY_UPDATE_(array, T, index, update, x, before)                                                         \
    yoke_array_update_(array, YOKE_TYPE_(T), sizeof(T), index, update, ((const T[1]){x}), YOKE_OUT_(T, before))
/** Sets a value to x if *expected stands there; else #YOKE_EBUSY, and *expected gets what does. */
#define YOKE_VALUE_COMPARE_EXCHANGE(value, T, expected, x)                                                             \
    yoke_value_compare_exchange_(value, YOKE_TYPE_(T), sizeof(T), YOKE_OUT_(T, expected), ((const T[1]){x}))
/** As YOKE_VALUE_COMPARE_EXCHANGE(), for an element. */
#define YOKE_ARRAY_COMPARE_EXCHANGE(array, T, index, expected, x)                                                      \
    yoke_array_compare_exchange_(array, YOKE_TYPE_(T), sizeof(T), index, YOKE_OUT_(T, expected), ((const T[1]){x}))
/** Reads a value. */
#define YOKE_VALUE_LOAD(value, T, out)                                                                                 \
    yoke_value_update_(value, YOKE_TYPE_(T), sizeof(T), YOKE_UPDATE_LOAD, NULL, YOKE_OUT_(T, out))
/** Reads an element. */
#define YOKE_ARRAY_GET(array, T, index, out)                                                                           \
    yoke_array_update_(array, YOKE_TYPE_(T), sizeof(T), index, YOKE_UPDATE_LOAD, NULL, YOKE_OUT_(T, out))
/** Copies elements out. */
#define YOKE_ARRAY_READ(array, T, first, count, out)                                                                   \
    yoke_array_read_(array, YOKE_TYPE_(T), sizeof(T), first, count, YOKE_OUT_(T, out))
/** Copies elements in. */
#define YOKE_ARRAY_WRITE(array, T, first, count, from)                                                                 \
    yoke_array_write_(array, YOKE_TYPE_(T), sizeof(T), first, count, YOKE_FROM_(T, from))
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
#define YOKE_TYPE_(T)                                          (yoke_type_of_<T>::type)
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
    return yoke_array_create_(out, YOKE_TYPE_(T), sizeof(T), 0, NULL, 0, &options);
}
template <class T>
int yoke_array_make_(yoke_array **out, size_t count, const T *initial, size_t has, const yoke_value_options *options)
{
    return yoke_array_create_(out, YOKE_TYPE_(T), sizeof(T), count, initial, has, options);
}
/* Never deduced from the arguments: T is what the program writes. */
template <class T> struct yoke_exactly_ {
    typedef T type;
};
template <class T>
int yoke_value_update_as_(yoke_value *value, yoke_update update, typename yoke_exactly_<T>::type x,
                          typename yoke_exactly_<T>::type *before)
{
    return yoke_value_update_(value, YOKE_TYPE_(T), sizeof(T), update, &x, before);
}
template <class T>
int yoke_value_compare_exchange_as_(yoke_value *value, typename yoke_exactly_<T>::type *expected,
                                    typename yoke_exactly_<T>::type x)
{
    return yoke_value_compare_exchange_(value, YOKE_TYPE_(T), sizeof(T), expected, &x);
}
template <class T> int yoke_value_load_as_(yoke_value *value, typename yoke_exactly_<T>::type *out)
{
    return yoke_value_update_(value, YOKE_TYPE_(T), sizeof(T), YOKE_UPDATE_LOAD, NULL, out);
}
template <class T>
int yoke_array_update_as_(yoke_array *array, size_t index, yoke_update update, typename yoke_exactly_<T>::type x,
                          typename yoke_exactly_<T>::type *before)
{
    return yoke_array_update_(array, YOKE_TYPE_(T), sizeof(T), index, update, &x, before);
}
template <class T>
int yoke_array_compare_exchange_as_(yoke_array *array, size_t index, typename yoke_exactly_<T>::type *expected,
                                    typename yoke_exactly_<T>::type x)
{
    return yoke_array_compare_exchange_(array, YOKE_TYPE_(T), sizeof(T), index, expected, &x);
}
template <class T> int yoke_array_get_as_(yoke_array *array, size_t index, typename yoke_exactly_<T>::type *out)
{
    return yoke_array_update_(array, YOKE_TYPE_(T), sizeof(T), index, YOKE_UPDATE_LOAD, NULL, out);
}
template <class T>
int yoke_array_read_as_(yoke_array *array, size_t first, size_t count, typename yoke_exactly_<T>::type *out)
{
    return yoke_array_read_(array, YOKE_TYPE_(T), sizeof(T), first, count, out);
}
template <class T>
int yoke_array_write_as_(yoke_array *array, size_t first, size_t count, const typename yoke_exactly_<T>::type *from)
{
    return yoke_array_write_(array, YOKE_TYPE_(T), sizeof(T), first, count, from);
}
#define YOKE_VALUE_UPDATE_(value, T, update, x, before)        yoke_value_update_as_<T>(value, update, x, before)
#define YOKE_ARRAY_UPDATE_(array, T, index, update, x, before) yoke_array_update_as_<T>(array, index, update, x, before)
#define YOKE_VALUE_COMPARE_EXCHANGE(value, T, expected, x)     yoke_value_compare_exchange_as_<T>(value, expected, x)
#define YOKE_ARRAY_COMPARE_EXCHANGE(array, T, index, expected, x)                                                      \
    yoke_array_compare_exchange_as_<T>(array, index, expected, x)
#define YOKE_VALUE_LOAD(value, T, out)                 yoke_value_load_as_<T>(value, out)
#define YOKE_ARRAY_GET(array, T, index, out)           yoke_array_get_as_<T>(array, index, out)
#define YOKE_ARRAY_READ(array, T, first, count, out)   yoke_array_read_as_<T>(array, first, count, out)
#define YOKE_ARRAY_WRITE(array, T, first, count, from) yoke_array_write_as_<T>(array, first, count, from)
#define YOKE_VALUE_CREATE(out, T, initial, options)    yoke_value_make_<T>(out, initial, options)
#define YOKE_VALUE_OPEN(out, T, domain, name)          yoke_value_find_<T>(out, yoke_value_by_name_(domain, name))
#define YOKE_ARRAY_CREATE(out, T, count, initial, options)                                                             \
    yoke_array_make_<T>(out, count, initial, YOKE_HAS_(initial), options)
#define YOKE_ARRAY_OPEN(out, T, domain, name) yoke_array_find_<T>(out, yoke_value_by_name_(domain, name))
#endif
/** T *: where the value lies; NULL if it is no T. */
#define YOKE_VALUE(value, T) ((T *)yoke_value_data_(value, YOKE_TYPE_(T), sizeof(T)))
/** T *: the first element; NULL if it is no array of T. */
#define YOKE_ARRAY(array, T) ((T *)yoke_array_data_(array, YOKE_TYPE_(T), sizeof(T)))
/** T *: an element; NULL if there is no such element. */
#define YOKE_ARRAY_AT(array, T, index) ((T *)yoke_array_at_(array, YOKE_TYPE_(T), sizeof(T), index))

/** Sets a value. */
#define YOKE_VALUE_STORE(value, T, x) YOKE_VALUE_UPDATE_(value, T, YOKE_UPDATE_EXCHANGE, x, (T *)0)
/** Sets a value, and tells what stood there. */
#define YOKE_VALUE_EXCHANGE(value, T, x, before) YOKE_VALUE_UPDATE_(value, T, YOKE_UPDATE_EXCHANGE, x, before)
/** Adds to an integer (#YOKE_ERANGE if the sum doesn't fit) or floating value. */
#define YOKE_VALUE_FETCH_ADD(value, T, x, before) YOKE_VALUE_UPDATE_(value, T, YOKE_UPDATE_ADD, x, before)
/** Subtracts likewise. */
#define YOKE_VALUE_FETCH_SUB(value, T, x, before) YOKE_VALUE_UPDATE_(value, T, YOKE_UPDATE_SUBTRACT, x, before)
/** Keeps the bits of an integer or bool that are in x too. */
#define YOKE_VALUE_FETCH_AND(value, T, x, before) YOKE_VALUE_UPDATE_(value, T, YOKE_UPDATE_AND, x, before)
/** Sets the bits of x. */
#define YOKE_VALUE_FETCH_OR(value, T, x, before) YOKE_VALUE_UPDATE_(value, T, YOKE_UPDATE_OR, x, before)
/** Flips the bits of x. */
#define YOKE_VALUE_FETCH_XOR(value, T, x, before) YOKE_VALUE_UPDATE_(value, T, YOKE_UPDATE_XOR, x, before)
/** Sets an integer or floating value to x if that is less. */
#define YOKE_VALUE_FETCH_MIN(value, T, x, before) YOKE_VALUE_UPDATE_(value, T, YOKE_UPDATE_MIN, x, before)
/** Sets it to x if that is more. */
#define YOKE_VALUE_FETCH_MAX(value, T, x, before) YOKE_VALUE_UPDATE_(value, T, YOKE_UPDATE_MAX, x, before)
/** Sets an element; the rest as for values. */
#define YOKE_ARRAY_SET(array, T, index, x) YOKE_ARRAY_UPDATE_(array, T, index, YOKE_UPDATE_EXCHANGE, x, (T *)0)
/** As YOKE_VALUE_EXCHANGE(), for an element. */
#define YOKE_ARRAY_EXCHANGE(array, T, index, x, before)                                                                \
    YOKE_ARRAY_UPDATE_(array, T, index, YOKE_UPDATE_EXCHANGE, x, before)
/** As YOKE_VALUE_FETCH_ADD(), for an element. */
#define YOKE_ARRAY_FETCH_ADD(array, T, index, x, before) YOKE_ARRAY_UPDATE_(array, T, index, YOKE_UPDATE_ADD, x, before)
/** As YOKE_VALUE_FETCH_SUB(), for an element. */
#define YOKE_ARRAY_FETCH_SUB(array, T, index, x, before)                                                               \
    YOKE_ARRAY_UPDATE_(array, T, index, YOKE_UPDATE_SUBTRACT, x, before)
/** As YOKE_VALUE_FETCH_AND(), for an element. */
#define YOKE_ARRAY_FETCH_AND(array, T, index, x, before) YOKE_ARRAY_UPDATE_(array, T, index, YOKE_UPDATE_AND, x, before)
/** As YOKE_VALUE_FETCH_OR(), for an element. */
#define YOKE_ARRAY_FETCH_OR(array, T, index, x, before) YOKE_ARRAY_UPDATE_(array, T, index, YOKE_UPDATE_OR, x, before)
/** As YOKE_VALUE_FETCH_XOR(), for an element. */
#define YOKE_ARRAY_FETCH_XOR(array, T, index, x, before) YOKE_ARRAY_UPDATE_(array, T, index, YOKE_UPDATE_XOR, x, before)
/** As YOKE_VALUE_FETCH_MIN(), for an element. */
#define YOKE_ARRAY_FETCH_MIN(array, T, index, x, before) YOKE_ARRAY_UPDATE_(array, T, index, YOKE_UPDATE_MIN, x, before)
/** As YOKE_VALUE_FETCH_MAX(), for an element. */
#define YOKE_ARRAY_FETCH_MAX(array, T, index, x, before) YOKE_ARRAY_UPDATE_(array, T, index, YOKE_UPDATE_MAX, x, before)

#endif
