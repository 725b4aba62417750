/* Single values in shared memory. */
#include "cell.h"

#include "../error.h"

struct yoke_value {
    yoke__handle handle;
};

int yoke_value_create_(yoke_value **out, yoke_type type, size_t size, const void *initial,
                       const yoke_value_options *options)
{
    yoke__handle *handle;
    if (!out)
        return yoke__fail(YOKE_EINVAL, "the place for the value's handle is NULL");
    YOKE_TRY(yoke__cell_create(&handle, YOKE__KIND_VALUE, type, size, 1, initial, size, options));
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

/* ---- whole by themselves ----------------------------------------------------------------------------------------- */

int yoke_value_update_(yoke_value *value, yoke_type type, size_t size, yoke_update update, const void *operand,
                       void *before)
{
    yoke__change change = {.update = (uint32_t)update, .operand = operand, .before = before};
    return yoke__cell_change(value, YOKE__KIND_VALUE, type, size, 0, &change);
}

int yoke_value_compare_exchange_(yoke_value *value, yoke_type type, size_t size, void *expected, const void *desired)
{
    yoke__change change = {.update = YOKE__UPDATE_COMPARE, .operand = desired, .before = expected};
    return yoke__cell_change(value, YOKE__KIND_VALUE, type, size, 0, &change);
}

int yoke_value_add(yoke_value *value, int64_t n, int64_t *now)
{
    const yoke__cell *cell = yoke__cell_of(value, YOKE__KIND_VALUE);
    uint64_t          after = 0;
    yoke__change      change = {.update = YOKE__UPDATE_ADD_INT64, .operand = &n, .after = &after};
    if (!cell)
        return yoke__noted();
    int code = yoke__cell_change(value, YOKE__KIND_VALUE, (yoke_type)cell->type, (size_t)cell->size, 0, &change);
    if (code >= 0 && now)
        *now = (int64_t)after;
    return code;
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
