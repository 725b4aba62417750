/* Reading, changing and comparing an element at once. */
#include "cell.h"

#include "../error.h"

#include <string.h>

/* ---- what the types hold ----------------------------------------------------------------------------------------- */

/* Signed types hold [-most - 1, most], unsigned ones [0, most]. */
typedef struct integer_type {
    bool     is_signed;
    uint64_t most;
} integer_type;

static bool integer_type_of(uint32_t type, integer_type *out)
{
    static const integer_type types[] = {
        [YOKE_TYPE_I8] = {true, INT8_MAX},   [YOKE_TYPE_U8] = {false, UINT8_MAX},
        [YOKE_TYPE_I16] = {true, INT16_MAX}, [YOKE_TYPE_U16] = {false, UINT16_MAX},
        [YOKE_TYPE_I32] = {true, INT32_MAX}, [YOKE_TYPE_U32] = {false, UINT32_MAX},
        [YOKE_TYPE_I64] = {true, INT64_MAX}, [YOKE_TYPE_U64] = {false, UINT64_MAX},
    };
    if (type >= sizeof types / sizeof *types || !types[type].most)
        return false;
    *out = types[type];
    return true;
}

/* The bits of a scalar that others may be changing; shared or, as an operand, the caller's own. */
static uint64_t load(const void *data, size_t size)
{
    switch (size) {
    case 1:
        return yoke__load_8(data);
    case 2:
        return yoke__load_16(data);
    case 4:
        return yoke__load_32(data);
    default:
        return yoke__load_64(data);
    }
}

static bool swap(void *data, size_t size, uint64_t from, uint64_t to)
{
    switch (size) {
    case 1:
        return yoke__swap_8(data, (uint8_t)from, (uint8_t)to);
    case 2:
        return yoke__swap_16(data, (uint16_t)from, (uint16_t)to);
    case 4:
        return yoke__swap_32(data, (uint32_t)from, (uint32_t)to);
    default:
        return yoke__swap_64(data, from, to);
    }
}

/* Of the caller's own, aligned or not. */
static uint64_t bits_at(const void *data, size_t size)
{
    uint8_t  byte;
    uint16_t half;
    uint32_t word;
    uint64_t bits = 0;
    switch (size) {
    case 1:
        memcpy(&byte, data, 1);
        return byte;
    case 2:
        memcpy(&half, data, 2);
        return half;
    case 4:
        memcpy(&word, data, 4);
        return word;
    default:
        memcpy(&bits, data, 8);
        return bits;
    }
}

static void put_bits(void *data, size_t size, uint64_t bits)
{
    uint8_t  byte = (uint8_t)bits;
    uint16_t half = (uint16_t)bits;
    uint32_t word = (uint32_t)bits;
    memcpy(data,
           size == 1   ? (void *)&byte
           : size == 2 ? (void *)&half
           : size == 4 ? (void *)&word
                       : (void *)&bits,
           size);
}

/* As 64 bits, two's complement. */
static uint64_t widen(uint64_t bits, size_t size, bool is_signed)
{
    if (is_signed && size < 8 && bits >> (size * 8 - 1))
        bits |= UINT64_MAX << (size * 8);
    return bits;
}

/* ---- arithmetic -------------------------------------------------------------------------------------------------- */

/* The sum if it fits the type. Operands are 64 bits wide: of the type itself, or n an int64_t. */
static bool add_signed(uint64_t value, uint64_t n, uint64_t most, uint64_t *out)
{
    uint64_t sum = value + n;
    bool     overflow = ((value ^ sum) & (n ^ sum)) >> 63;
    if (overflow || (int64_t)sum > (int64_t)most || (int64_t)sum < -(int64_t)most - 1)
        return false;
    *out = sum;
    return true;
}

static bool subtract_signed(uint64_t value, uint64_t n, uint64_t most, uint64_t *out)
{
    uint64_t difference = value - n;
    bool     overflow = ((value ^ n) & (value ^ difference)) >> 63;
    if (overflow || (int64_t)difference > (int64_t)most || (int64_t)difference < -(int64_t)most - 1)
        return false;
    *out = difference;
    return true;
}

static bool add_unsigned(uint64_t value, uint64_t n, uint64_t most, uint64_t *out)
{
    *out = value + n;
    return *out >= value && *out <= most;
}

static bool subtract_unsigned(uint64_t value, uint64_t n, uint64_t *out)
{
    *out = value - n;
    return n <= value;
}

static int no_fit(bool minus, uint64_t value, uint64_t n, const integer_type *type, size_t size)
{
    if (type->is_signed)
        return yoke__fail(YOKE_ERANGE, "%lld %s %lld doesn't fit %zu bytes", (long long)value, minus ? "-" : "+",
                          (long long)n, size);
    return yoke__fail(YOKE_ERANGE, "%llu %s %llu doesn't fit %zu bytes without sign", (unsigned long long)value,
                      minus ? "-" : "+", (unsigned long long)n, size);
}

static int sum_of(uint32_t update, const integer_type *type, size_t size, uint64_t value, uint64_t n, uint64_t *out)
{
    bool minus = update == YOKE_UPDATE_SUBTRACT, fits;
    if (update == YOKE__UPDATE_ADD_INT64 && !type->is_signed && n >> 63) {
        minus = true;
        n = 0 - n;
    }
    if (type->is_signed)
        fits = minus ? subtract_signed(value, n, type->most, out) : add_signed(value, n, type->most, out);
    else
        fits = minus ? subtract_unsigned(value, n, out) : add_unsigned(value, n, type->most, out);
    return fits ? YOKE_OK : no_fit(minus, value, n, type, size);
}

static bool is_less(uint64_t a, uint64_t b, bool is_signed)
{
    return is_signed ? (int64_t)a < (int64_t)b : a < b;
}

static int change_integer(uint32_t update, const integer_type *type, size_t size, uint64_t value, uint64_t n,
                          uint64_t *out)
{
    switch (update) {
    case YOKE_UPDATE_ADD:
    case YOKE_UPDATE_SUBTRACT:
    case YOKE__UPDATE_ADD_INT64:
        return sum_of(update, type, size, value, n, out);
    case YOKE_UPDATE_AND:
        *out = value & n;
        return YOKE_OK;
    case YOKE_UPDATE_OR:
        *out = value | n;
        return YOKE_OK;
    case YOKE_UPDATE_XOR:
        *out = value ^ n;
        return YOKE_OK;
    default: /* YOKE_UPDATE_MIN, YOKE_UPDATE_MAX */
        *out = is_less(value, n, type->is_signed) == (update == YOKE_UPDATE_MIN) ? value : n;
        return YOKE_OK;
    }
}

/* Without isnan(): some systems' rounds to float first. */
static bool is_nan(double x)
{
    return !(x <= 0) && !(x >= 0);
}

/* Of float too: a sum of two floats rounded to double first is the same float. */
static double change_double(uint32_t update, double value, double n)
{
    switch (update) {
    case YOKE_UPDATE_ADD:
        return value + n;
    case YOKE_UPDATE_SUBTRACT:
        return value - n;
    default: /* a number wins over NaN */
        if (is_nan(value) || is_nan(n))
            return is_nan(value) ? n : value;
        return (value < n) == (update == YOKE_UPDATE_MIN) ? value : n;
    }
}

static uint64_t change_floating(uint32_t update, size_t size, uint64_t value, uint64_t n)
{
    double   a, b;
    float    x, y;
    uint32_t low = (uint32_t)value, low_n = (uint32_t)n;
    if (size == sizeof(double)) {
        memcpy(&a, &value, sizeof a);
        memcpy(&b, &n, sizeof b);
        a = change_double(update, a, b);
        memcpy(&value, &a, sizeof a);
        return value;
    }
    memcpy(&x, &low, sizeof x);
    memcpy(&y, &low_n, sizeof y);
    x = (float)change_double(update, (double)x, (double)y);
    memcpy(&low, &x, sizeof x);
    return low;
}

/* ---- one element ------------------------------------------------------------------------------------------------- */

static int not_this_type(uint32_t update)
{
    bool bits = update == YOKE_UPDATE_AND || update == YOKE_UPDATE_OR || update == YOKE_UPDATE_XOR;
    if (update == YOKE__UPDATE_ADD_INT64)
        return yoke__fail(YOKE_ETYPE, "only to a value of an integer type can be added");
    return yoke__fail(YOKE_ETYPE, bits ? "only integers and bools have bits" : "only numbers can be added or compared");
}

/* Both 64 bits wide. */
static int compute(uint32_t type, size_t size, uint32_t update, uint64_t value, uint64_t operand, uint64_t *out)
{
    integer_type integer;
    bool         bits = update == YOKE_UPDATE_AND || update == YOKE_UPDATE_OR || update == YOKE_UPDATE_XOR;
    if (integer_type_of(type, &integer))
        return change_integer(update, &integer, size, value, operand, out);
    if (type == YOKE_TYPE_BOOL && bits)
        return change_integer(update, &(integer_type){false, 1}, size, value, operand, out);
    if ((type == YOKE_TYPE_F32 || type == YOKE_TYPE_F64) && !bits && update != YOKE__UPDATE_ADD_INT64) {
        *out = change_floating(update, size, value, operand);
        return YOKE_OK;
    }
    return not_this_type(update);
}

static int not_expected(void)
{
    return yoke__fail(YOKE_EBUSY, "something else stands there than was expected");
}

/* One CAS at last, so that whoever is killed has changed it or not. */
int yoke__scalar_change(void *at, uint32_t type, size_t size, const yoke__change *change)
{
    integer_type integer;
    bool         is_signed = integer_type_of(type, &integer) && integer.is_signed;
    bool         wide = change->update == YOKE__UPDATE_ADD_INT64;
    uint64_t     operand = 0, bits, after;
    if (change->operand)
        operand = wide ? bits_at(change->operand, 8) : widen(bits_at(change->operand, size), size, is_signed);
    do {
        bits = load(at, size);
        after = operand;
        if (change->update == YOKE_UPDATE_LOAD)
            break;
        if (change->update == YOKE__UPDATE_COMPARE && bits != bits_at(change->before, size)) {
            put_bits(change->before, size, bits);
            return not_expected();
        }
        if (change->update != YOKE_UPDATE_EXCHANGE && change->update != YOKE__UPDATE_COMPARE)
            YOKE_TRY(compute(type, size, change->update, widen(bits, size, is_signed), operand, &after));
    } while (!swap(at, size, bits, after));
    if (change->before)
        put_bits(change->before, size, bits);
    if (change->after)
        *change->after = after;
    return YOKE_OK;
}

/* Lock held. */
static int change_bytes(void *at, size_t size, const yoke__change *change)
{
    if (change->update > YOKE_UPDATE_EXCHANGE && change->update != YOKE__UPDATE_COMPARE)
        return not_this_type(change->update);
    if (change->update == YOKE__UPDATE_COMPARE && memcmp(at, change->before, size) != 0) {
        memcpy(change->before, at, size);
        return not_expected();
    }
    if (change->before)
        memcpy(change->before, at, size);
    if (change->update != YOKE_UPDATE_LOAD)
        memcpy(at, change->operand, size);
    return YOKE_OK;
}

static int check(const yoke__cell *cell, size_t index, const yoke__change *change)
{
    if (index >= cell->count)
        return yoke__fail(YOKE_ERANGE, "index %zu in an array of %llu", index, (unsigned long long)cell->count);
    if (change->update > YOKE__UPDATE_ADD_INT64)
        return yoke__fail(YOKE_EINVAL, "update %lu is none", (unsigned long)change->update);
    if (change->update == YOKE_UPDATE_LOAD ? !change->before : !change->operand)
        return yoke__fail(YOKE_EINVAL, "the %s is NULL",
                          change->update == YOKE_UPDATE_LOAD ? "place for what is read" : "operand");
    if (change->update == YOKE__UPDATE_COMPARE && !change->before)
        return yoke__fail(YOKE_EINVAL, "nothing to compare with");
    if (!cell->locked && !yoke__is_scalar(cell->size))
        return yoke__fail(YOKE_ENOTSUP, "%llu bytes can't be changed at once without a lock",
                          (unsigned long long)cell->size);
    return YOKE_OK;
}

int yoke__cell_change(const void *handle, yoke__kind kind, yoke_type type, size_t size, size_t index,
                      const yoke__change *change)
{
    uint8_t *data = yoke__cell_data(handle, kind, type, size);
    if (!data)
        return yoke__noted();
    YOKE_TRY(check((const yoke__cell *)(const void *)(data - YOKE__CELL_DATA), index, change));
    int held = yoke__cell_enter(handle, kind), code;
    if (held < 0)
        return held;
    if (yoke__is_scalar(size))
        code = yoke__scalar_change(data + index * size, (uint32_t)type, size, change);
    else
        code = change_bytes(data + index * size, size, change);
    YOKE_TRY(yoke__cell_exit(handle, kind));
    return code < 0 ? code : held;
}
