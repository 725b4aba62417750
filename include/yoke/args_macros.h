/**
 * @file args_macros.h
 * What YOKE_ARGS() and its kin are made of. Include args.h instead.
 *
 * In C: `_Generic` picks the maker of an item by the type of the expression, and a chain of macros applies it to up to
 * 32 expressions, none included. It needs no extension of C11.
 *
 * In C++: overloads pick the maker, and a variadic template holds the items until the end of the full expression. Every
 * pointer that is neither text nor a handle is refused, or it would turn into a bool.
 */
#ifndef YOKE_ARGS_MACROS_H
#define YOKE_ARGS_MACROS_H
/* clang-format off */

#include "args.h"

#ifndef __cplusplus

#define YOKE_HANDLE_CASES_(name) , yoke_##name *: yoke_item_##name##_, const yoke_##name *: yoke_item_##name##_
/* The comma operator turns arrays into pointers and drops qualifiers. */
#define YOKE_ITEM(x)                                                                                                   \
    _Generic(((void)0, (x)), bool: yoke_item_bool_, char: yoke_item_int_, signed char: yoke_item_int_,                 \
        unsigned char: yoke_item_uint_, short: yoke_item_int_, unsigned short: yoke_item_uint_, int: yoke_item_int_,   \
        unsigned: yoke_item_uint_, long: yoke_item_int_, unsigned long: yoke_item_uint_, long long: yoke_item_int_,    \
        unsigned long long: yoke_item_uint_, float: yoke_item_double_, double: yoke_item_double_,                      \
        char *: yoke_item_string_, const char *: yoke_item_string_, yoke_item: yoke_item_same_,                        \
        yoke_variant *: yoke_item_variant_,                                                                            \
        const yoke_variant *: yoke_item_variant_ YOKE_HANDLES_(YOKE_HANDLE_CASES_))(x)

/* How many: what is given pushes the right number into the place of N. */
#define YOKE_33RD_(a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, c0, c1, c2, c3, c4, c5, \
                   c6, c7, c8, c9, d0, d1, d2, N, ...) N
#define YOKE_COUNT_(...)                                                                                               \
    YOKE_33RD_(__VA_ARGS__, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11,    \
               10, 9, 8, 7, 6, 5, 4, 3, 2, 1, ~)
/* 1 if there is a comma, else 0. */
#define YOKE_COMMA_(...)                                                                                               \
    YOKE_33RD_(__VA_ARGS__, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,  \
               1, 0, ~)
#define YOKE_CAT_(a, b)  YOKE_CAT2_(a, b)
#define YOKE_CAT2_(a, b) a##b

/*
 * 1 if nothing is given, else 0. Nothing: no comma in it (0), none after the trigger's name (0), none before "()" (0),
 * but one between the two (1), since the trigger then expands to "~,~". That makes YOKE_CASE_0001, which has a comma;
 * every other combination is no macro and has none.
 */
#define YOKE_TRIGGER_(...) ~, ~
#define YOKE_EMPTY_(...)                                                                                               \
    YOKE_EMPTY2_(YOKE_COMMA_(__VA_ARGS__), YOKE_COMMA_(YOKE_TRIGGER_ __VA_ARGS__), YOKE_COMMA_(__VA_ARGS__()),         \
                 YOKE_COMMA_(YOKE_TRIGGER_ __VA_ARGS__()))
#define YOKE_EMPTY2_(a, b, c, d) YOKE_EMPTY3_(a, b, c, d)
#define YOKE_EMPTY3_(a, b, c, d) YOKE_COMMA_(YOKE_CASE_##a##b##c##d)
#define YOKE_CASE_0001           ~, ~

/* ", YOKE_ITEM(x)" for each x. */
#define YOKE_EACH_(...)   YOKE_CAT_(YOKE_EACH_E, YOKE_EMPTY_(__VA_ARGS__))(__VA_ARGS__)
#define YOKE_EACH_E1(...)
#define YOKE_EACH_E0(...) YOKE_CAT_(YOKE_E, YOKE_COUNT_(__VA_ARGS__))(__VA_ARGS__)
#define YOKE_E1(x)        , YOKE_ITEM(x)
#define YOKE_E2(x, ...)  , YOKE_ITEM(x) YOKE_E1(__VA_ARGS__)
#define YOKE_E3(x, ...)  , YOKE_ITEM(x) YOKE_E2(__VA_ARGS__)
#define YOKE_E4(x, ...)  , YOKE_ITEM(x) YOKE_E3(__VA_ARGS__)
#define YOKE_E5(x, ...)  , YOKE_ITEM(x) YOKE_E4(__VA_ARGS__)
#define YOKE_E6(x, ...)  , YOKE_ITEM(x) YOKE_E5(__VA_ARGS__)
#define YOKE_E7(x, ...)  , YOKE_ITEM(x) YOKE_E6(__VA_ARGS__)
#define YOKE_E8(x, ...)  , YOKE_ITEM(x) YOKE_E7(__VA_ARGS__)
#define YOKE_E9(x, ...)  , YOKE_ITEM(x) YOKE_E8(__VA_ARGS__)
#define YOKE_E10(x, ...) , YOKE_ITEM(x) YOKE_E9(__VA_ARGS__)
#define YOKE_E11(x, ...) , YOKE_ITEM(x) YOKE_E10(__VA_ARGS__)
#define YOKE_E12(x, ...) , YOKE_ITEM(x) YOKE_E11(__VA_ARGS__)
#define YOKE_E13(x, ...) , YOKE_ITEM(x) YOKE_E12(__VA_ARGS__)
#define YOKE_E14(x, ...) , YOKE_ITEM(x) YOKE_E13(__VA_ARGS__)
#define YOKE_E15(x, ...) , YOKE_ITEM(x) YOKE_E14(__VA_ARGS__)
#define YOKE_E16(x, ...) , YOKE_ITEM(x) YOKE_E15(__VA_ARGS__)
#define YOKE_E17(x, ...) , YOKE_ITEM(x) YOKE_E16(__VA_ARGS__)
#define YOKE_E18(x, ...) , YOKE_ITEM(x) YOKE_E17(__VA_ARGS__)
#define YOKE_E19(x, ...) , YOKE_ITEM(x) YOKE_E18(__VA_ARGS__)
#define YOKE_E20(x, ...) , YOKE_ITEM(x) YOKE_E19(__VA_ARGS__)
#define YOKE_E21(x, ...) , YOKE_ITEM(x) YOKE_E20(__VA_ARGS__)
#define YOKE_E22(x, ...) , YOKE_ITEM(x) YOKE_E21(__VA_ARGS__)
#define YOKE_E23(x, ...) , YOKE_ITEM(x) YOKE_E22(__VA_ARGS__)
#define YOKE_E24(x, ...) , YOKE_ITEM(x) YOKE_E23(__VA_ARGS__)
#define YOKE_E25(x, ...) , YOKE_ITEM(x) YOKE_E24(__VA_ARGS__)
#define YOKE_E26(x, ...) , YOKE_ITEM(x) YOKE_E25(__VA_ARGS__)
#define YOKE_E27(x, ...) , YOKE_ITEM(x) YOKE_E26(__VA_ARGS__)
#define YOKE_E28(x, ...) , YOKE_ITEM(x) YOKE_E27(__VA_ARGS__)
#define YOKE_E29(x, ...) , YOKE_ITEM(x) YOKE_E28(__VA_ARGS__)
#define YOKE_E30(x, ...) , YOKE_ITEM(x) YOKE_E29(__VA_ARGS__)
#define YOKE_E31(x, ...) , YOKE_ITEM(x) YOKE_E30(__VA_ARGS__)
#define YOKE_E32(x, ...) , YOKE_ITEM(x) YOKE_E31(__VA_ARGS__)

#define YOKE_NUMBER_(...)   YOKE_CAT_(YOKE_NUMBER_E, YOKE_EMPTY_(__VA_ARGS__))(__VA_ARGS__)
#define YOKE_NUMBER_E1(...) 0
#define YOKE_NUMBER_E0(...) YOKE_COUNT_(__VA_ARGS__)

/* The first item is there so that an array of none is possible; it is skipped. */
#define YOKE_ITEMS_(...)                                                                                               \
    (const yoke_item[])                                                                                                \
    {                                                                                                                  \
        yoke_item_nil_() YOKE_EACH_(__VA_ARGS__)                                                                       \
    }
#define YOKE_LIST(...)    yoke_item_list_((YOKE_ITEMS_(__VA_ARGS__)) + 1, YOKE_NUMBER_(__VA_ARGS__))
#define YOKE_MAP(...)     yoke_item_map_((YOKE_ITEMS_(__VA_ARGS__)) + 1, YOKE_NUMBER_(__VA_ARGS__))
#define YOKE_ARGS(...)    ((const yoke_item[1]){YOKE_LIST(__VA_ARGS__)})
#define YOKE_VALUE_OF(x)  ((const yoke_item[1]){YOKE_ITEM(x)})

#else

#define YOKE_OVERLOAD_(T, maker)                                                                                       \
    inline yoke_item yoke_item_of(T v)                                                                                 \
    {                                                                                                                  \
        return maker(v);                                                                                               \
    }
YOKE_OVERLOAD_(bool, yoke_item_bool_)
YOKE_OVERLOAD_(char, yoke_item_int_)
YOKE_OVERLOAD_(signed char, yoke_item_int_)
YOKE_OVERLOAD_(unsigned char, yoke_item_uint_)
YOKE_OVERLOAD_(short, yoke_item_int_)
YOKE_OVERLOAD_(unsigned short, yoke_item_uint_)
YOKE_OVERLOAD_(int, yoke_item_int_)
YOKE_OVERLOAD_(unsigned, yoke_item_uint_)
YOKE_OVERLOAD_(long, yoke_item_int_)
YOKE_OVERLOAD_(unsigned long, yoke_item_uint_)
YOKE_OVERLOAD_(long long, yoke_item_int_)
YOKE_OVERLOAD_(unsigned long long, yoke_item_uint_)
YOKE_OVERLOAD_(float, yoke_item_double_)
YOKE_OVERLOAD_(double, yoke_item_double_)
YOKE_OVERLOAD_(char *, yoke_item_string_)
YOKE_OVERLOAD_(const char *, yoke_item_string_)
YOKE_OVERLOAD_(yoke_item, yoke_item_same_)
YOKE_OVERLOAD_(yoke_variant *, yoke_item_variant_)
YOKE_OVERLOAD_(const yoke_variant *, yoke_item_variant_)
#define YOKE_HANDLE_OVERLOADS_(name)                                                                                   \
    YOKE_OVERLOAD_(yoke_##name *, yoke_item_##name##_) YOKE_OVERLOAD_(const yoke_##name *, yoke_item_##name##_)
YOKE_HANDLES_(YOKE_HANDLE_OVERLOADS_)
#undef YOKE_HANDLE_OVERLOADS_
#undef YOKE_OVERLOAD_
template <class T> yoke_item yoke_item_of(T *) = delete;
yoke_item yoke_item_of(decltype(nullptr)) = delete;

template <size_t N> struct yoke_items_ {
    yoke_item items[N + 1]; /* the last one is there so that none is possible */
    yoke_item self;
    yoke_item list() const
    {
        return yoke_item_list_(items, N);
    }
    yoke_item map() const
    {
        return yoke_item_map_(items, N);
    }
    const yoke_item *args()
    {
        self = list();
        return &self;
    }
    const yoke_item *one() const
    {
        return items;
    }
};
template <class... A> inline yoke_items_<sizeof...(A)> yoke_items_of_(const A &...a)
{
    return {{yoke_item_of(a)..., yoke_item_nil_()}, yoke_item_nil_()};
}
#define YOKE_ITEM(x)      yoke_item_of(x)
#define YOKE_LIST(...)    (yoke_items_of_(__VA_ARGS__).list())
#define YOKE_MAP(...)     (yoke_items_of_(__VA_ARGS__).map())
#define YOKE_ARGS(...)    (yoke_items_of_(__VA_ARGS__).args())
#define YOKE_VALUE_OF(x)  (yoke_items_of_(x).one())

#endif

/* clang-format on */
#endif
