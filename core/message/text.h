/* Texts of messages, formatted as by printf. */
#ifndef YOKE_CORE_MESSAGE_TEXT_H
#define YOKE_CORE_MESSAGE_TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define YOKE__SHORT_TEXT 512u

typedef struct yoke__text {
    char  *data; /* short_data or malloc'ed; NUL-terminated */
    size_t size; /* without the NUL */
    char   short_data[YOKE__SHORT_TEXT];
} yoke__text;

/* Expands a format. YOKE_EINVAL: the format is NULL or fails; YOKE_ENOMEM. After success free it. */
int  yoke__text_format(yoke__text *out, const char *format, va_list values);
void yoke__text_free(yoke__text *text);

#endif
