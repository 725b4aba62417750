/* Structures that tell their size; see options.h. */
#include "options.h"

#include "error.h"

#include <string.h>

static size_t size_of(const void *structure)
{
    size_t size;

    memcpy(&size, structure, sizeof size);
    return size;
}

int yoke__options_check(const void *options, size_t size, const char *type)
{
    if (options && size_of(options) != size)
        return yoke__fail(YOKE_EINVAL, "struct_size of %s is %zu, not %zu: use YOKE_OPTIONS()", type, size_of(options),
                          size);
    return YOKE_OK;
}

int yoke__options_copy(void *out, const void *options, size_t size, const char *type)
{
    YOKE_TRY(yoke__options_check(options, size, type));
    if (options)
        memcpy(out, options, size);
    else
        memset(out, 0, size);
    return YOKE_OK;
}

int yoke__report_check(const void *report, const char *type)
{
    if (!report)
        return yoke__fail(YOKE_EINVAL, "the place for the %s is NULL", type);
    if (size_of(report) < sizeof(size_t))
        return yoke__fail(YOKE_EINVAL, "the %s to be filled needs its struct_size set", type);
    return YOKE_OK;
}

void yoke__report_fill(void *out, void *told, size_t size)
{
    size_t asked = size_of(out);

    memcpy(told, &asked, sizeof asked);
    memcpy(out, told, asked < size ? asked : size);
}
