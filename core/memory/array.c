/* Arrays in shared memory. */
#include "cell.h"

#include "../error.h"

#include <string.h>

struct yoke_array {
    yoke__handle handle;
};

int yoke_array_create_(yoke_array **out, yoke_type type, size_t size, size_t count, const void *initial, size_t has,
                       const yoke_value_options *options)
{
    yoke__handle *handle;
    if (!out)
        return yoke__fail(YOKE_EINVAL, "the place for the array's handle is NULL");
    if (initial && count > has / (size ? size : 1) && size > 1)
        return yoke__fail(YOKE_EINVAL,
                          "the initial elements of an array of %zu are %zu bytes, less than %zu of %zu each", count,
                          has, count, size);
    YOKE_TRY(yoke__cell_create(&handle, YOKE__KIND_ARRAY, type, size, count, initial, has, options));
    *out = (yoke_array *)handle;
    return YOKE_OK;
}

void *yoke_array_data_(const yoke_array *array, yoke_type type, size_t size)
{
    return yoke__cell_data(array, YOKE__KIND_ARRAY, type, size);
}

void *yoke_array_at_(const yoke_array *array, yoke_type type, size_t size, size_t index)
{
    uint8_t *data = yoke__cell_data(array, YOKE__KIND_ARRAY, type, size);
    size_t   count;
    if (!data)
        return NULL;
    count = yoke_array_count(array);
    if (index >= count) {
        yoke__fail(YOKE_ERANGE, "index %zu in an array of %zu", index, count);
        return NULL;
    }
    return data + index * size;
}

size_t yoke_array_count(const yoke_array *array)
{
    const yoke__cell *cell = yoke__cell_of(array, YOKE__KIND_ARRAY);
    return cell ? (size_t)cell->count : 0;
}

yoke_lock *yoke_array_lock(yoke_array *array)
{
    return yoke__cell_lock(array, YOKE__KIND_ARRAY);
}

void yoke_array_close(yoke_array *array)
{
    yoke__cell_close(array, YOKE__KIND_ARRAY);
}

/* ---- whole by themselves ----------------------------------------------------------------------------------------- */

int yoke_array_update_(yoke_array *array, yoke_type type, size_t size, size_t index, yoke_update update,
                       const void *operand, void *before)
{
    yoke__change change = {.update = (uint32_t)update, .operand = operand, .before = before};
    return yoke__cell_change(array, YOKE__KIND_ARRAY, type, size, index, &change);
}

int yoke_array_compare_exchange_(yoke_array *array, yoke_type type, size_t size, size_t index, void *expected,
                                 const void *desired)
{
    yoke__change change = {.update = YOKE__UPDATE_COMPARE, .operand = desired, .before = expected};
    return yoke__cell_change(array, YOKE__KIND_ARRAY, type, size, index, &change);
}

/* The elements from first on, if there are as many. */
static uint8_t *elements(const yoke_array *array, yoke_type type, size_t size, size_t first, size_t count)
{
    uint8_t *data = yoke__cell_data(array, YOKE__KIND_ARRAY, type, size);
    size_t   there = data ? yoke_array_count(array) : 0;
    if (!data || (first <= there && count <= there - first))
        return data ? data + first * size : NULL;
    yoke__fail(YOKE_ERANGE, "%zu elements from index %zu on in an array of %zu", count, first, there);
    return NULL;
}

static int copy(yoke_array *array, void *to, const void *from, size_t bytes)
{
    int held = yoke__cell_enter(array, YOKE__KIND_ARRAY);
    if (held < 0)
        return held;
    if (bytes)
        memcpy(to, from, bytes);
    YOKE_TRY(yoke__cell_exit(array, YOKE__KIND_ARRAY));
    return held;
}

int yoke_array_read_(yoke_array *array, yoke_type type, size_t size, size_t first, size_t count, void *out)
{
    const uint8_t *data = elements(array, type, size, first, count);
    if (!data)
        return yoke__noted();
    if (!out && count)
        return yoke__fail(YOKE_EINVAL, "the place for elements of an array is NULL");
    return copy(array, out, data, count * size);
}

int yoke_array_write_(yoke_array *array, yoke_type type, size_t size, size_t first, size_t count, const void *from)
{
    uint8_t *data = elements(array, type, size, first, count);
    if (!data)
        return yoke__noted();
    if (!from && count)
        return yoke__fail(YOKE_EINVAL, "the elements for an array are at NULL");
    return copy(array, data, from, count * size);
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

static char *characters(const yoke_array *array, size_t *count)
{
    yoke__cell *cell = yoke__cell_of(array, YOKE__KIND_ARRAY);
    if (!cell)
        return NULL;
    if (cell->type != YOKE_TYPE_I8 && cell->type != YOKE_TYPE_U8) {
        yoke__fail(YOKE_ETYPE, "text needs an array of char, this one has elements of %llu bytes",
                   (unsigned long long)cell->size);
        return NULL;
    }
    *count = (size_t)cell->count;
    return (char *)cell + YOKE__CELL_DATA;
}

int yoke_array_set_string(yoke_array *array, const char *text)
{
    size_t count, length;
    char  *data = characters(array, &count);
    if (!data)
        return yoke_last_error()->code;
    if (!text)
        return yoke__fail(YOKE_EINVAL, "the text for an array is NULL");
    length = strlen(text);
    if (length >= count)
        return yoke__fail(YOKE_EMSGSIZE, "text of %zu bytes and its NUL in an array of %zu", length, count);
    memcpy(data, text, length + 1);
    return YOKE_OK;
}

int yoke_array_get_string(const yoke_array *array, char *buffer, size_t capacity)
{
    size_t      count, length;
    const char *data = characters(array, &count), *end;
    if (!data)
        return yoke_last_error()->code;
    if (!buffer)
        return yoke__fail(YOKE_EINVAL, "the buffer for an array's text is NULL");
    end = memchr(data, 0, count);
    length = end ? (size_t)(end - data) : count;
    if (length >= capacity)
        return yoke__fail(YOKE_EMSGSIZE, "text of %zu bytes and its NUL in a buffer of %zu", length, capacity);
    memcpy(buffer, data, length);
    buffer[length] = 0;
    return YOKE_OK;
}

/* ---- the object -------------------------------------------------------------------------------------------------- */

static void sweep(yoke_domain *domain, yoke__id id, void *object, yoke__token dead)
{
    yoke__cell *cell = object;
    (void)id;
    if (cell->locked)
        yoke__lock_sweep(domain, &cell->lock, dead);
}

const yoke__object_type yoke__array_type = {
    .kind = YOKE__KIND_ARRAY, .name = "array", .sweep = sweep, .describe = yoke__cell_describe};
