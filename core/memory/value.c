/* Single values in shared memory. */
#include "cell.h"

#include "../error.h"

#include <string.h>

struct yoke_value {
    yoke__handle handle;
};

int yoke_value_create_(yoke_value **out, yoke_type type, size_t size, const void *initial,
                       const yoke_value_options *options)
{
    yoke__handle *handle;
    if (!out)
        return yoke__fail(YOKE_EINVAL, "the place for the value's handle is NULL");
    YOKE_TRY(yoke__cell_create(&handle, YOKE__KIND_VALUE, type, size, 1, initial, options));
    *out = (yoke_value *)handle;
    return YOKE_OK;
}

void *yoke_value_data_(const yoke_value *value, yoke_type type, size_t size)
{
    return yoke__cell_data(value, YOKE__KIND_VALUE, type, size);
}

yoke_lock *yoke_value_lock(yoke_value *value)
{
    return yoke__cell_lock(value, YOKE__KIND_VALUE);
}

void yoke_value_close(yoke_value *value)
{
    yoke__cell_close(value, YOKE__KIND_VALUE);
}

/* ---- adding ------------------------------------------------------------------------------------------------------ */

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

/* As 64 bits, two's complement. */
static uint64_t load(const void *data, size_t size, bool is_signed)
{
    uint64_t value;
    switch (size) {
    case 1:
        value = yoke__load_8(data);
        break;
    case 2:
        value = yoke__load_16(data);
        break;
    case 4:
        value = yoke__load_32(data);
        break;
    default:
        value = yoke__load_64(data);
        break;
    }
    if (is_signed && size < 8 && value >> (size * 8 - 1))
        value |= UINT64_MAX << (size * 8);
    return value;
}

/* The sum if it fits the type. */
static bool add_in_range(uint64_t value, int64_t n, const integer_type *type, uint64_t *out)
{
    uint64_t sum = value + (uint64_t)n;
    if (type->is_signed) {
        bool overflow = ((value ^ sum) & ((uint64_t)n ^ sum)) >> 63;
        if (overflow || (int64_t)sum > (int64_t)type->most || (int64_t)sum < -(int64_t)type->most - 1)
            return false;
    } else if (n < 0 ? sum > value : sum < value || sum > type->most) {
        return false;
    }
    *out = sum;
    return true;
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

/* One CAS at last, so that a killed adder has either added or not. */
static int add(yoke__cell *cell, const integer_type *type, int64_t n, int64_t *now)
{
    void    *data = (uint8_t *)cell + YOKE__CELL_DATA;
    size_t   size = (size_t)cell->size;
    uint64_t value, sum;
    do {
        value = load(data, size, type->is_signed);
        if (!add_in_range(value, n, type, &sum))
            return yoke__fail(YOKE_ERANGE, "%lld and %lld together don't fit %zu bytes", (long long)value, (long long)n,
                              size);
    } while (!swap(data, size, value, sum));
    if (now)
        *now = (int64_t)sum;
    return YOKE_OK;
}

int yoke_value_add(yoke_value *value, int64_t n, int64_t *now)
{
    yoke__cell  *cell = yoke__cell_of(value, YOKE__KIND_VALUE);
    yoke_lock   *lock;
    integer_type type;
    int          held, code;
    if (!cell)
        return yoke_last_error()->code;
    if (!integer_type_of(cell->type, &type))
        return yoke__fail(YOKE_ETYPE, "only to a value of an integer type can be added");
    if (!cell->locked)
        return add(cell, &type, n, now);
    lock = yoke_value_lock(value);
    if (!lock)
        return yoke_last_error()->code;
    held = yoke_lock_acquire(lock, YOKE_FOREVER);
    if (held < 0)
        return held;
    code = add(cell, &type, n, now);
    YOKE_TRY(yoke_lock_release(lock));
    return code < 0 ? code : held;
}

/* ---- the object -------------------------------------------------------------------------------------------------- */

static void sweep(yoke_domain *domain, yoke__id id, void *object, yoke__token dead)
{
    yoke__cell *cell = object;
    (void)id;
    if (cell->locked)
        yoke__lock_sweep(domain, &cell->lock, dead);
}

const yoke__object_type yoke__value_type = {
    .kind = YOKE__KIND_VALUE, .name = "value", .sweep = sweep, .describe = yoke__cell_describe};
