#include "text.h"

#include "../error.h"

#include <stdio.h>
#include <stdlib.h>

static int expand_again(yoke__text *out, const char *format, va_list values)
{
    out->data = (char *)malloc(out->size + 1);
    if (!out->data)
        return yoke__fail(YOKE_ENOMEM, "no memory for %zu bytes of text", out->size);
    (void)vsnprintf(out->data, out->size + 1, format, values);
    return YOKE_OK;
}

int yoke__text_format(yoke__text *out, const char *format, va_list values)
{
    va_list again;
    int     size;
    int     rc = YOKE_OK;

    if (!format)
        return yoke__fail(YOKE_EINVAL, "format is NULL");
    va_copy(again, values);
    size = vsnprintf(out->short_data, sizeof out->short_data, format, values);
    out->data = out->short_data;
    out->size = size < 0 ? 0 : (size_t)size;
    if (size < 0)
        rc = yoke__fail(YOKE_EINVAL, "the format \"%.64s\" can't be expanded", format);
    else if (out->size >= sizeof out->short_data)
        rc = expand_again(out, format, again);
    va_end(again);
    return rc;
}

void yoke__text_free(yoke__text *text)
{
    if (text->data != text->short_data)
        free(text->data);
}
