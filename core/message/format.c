/* Variants as text, as Python's repr() writes them. */
#include "node.h"

#include "../error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Counts all, keeps what fits. */
typedef struct writer {
    char  *out;
    size_t capacity, used;
} writer;

static void put_char(writer *w, char c)
{
    if (w->used < w->capacity)
        w->out[w->used] = c;
    w->used++;
}

static void put_text(writer *w, const char *text)
{
    while (*text)
        put_char(w, *text++);
}

/* "\x", "\u" or "\U", and the digits. */
static void put_escape(writer *w, char letter, int digits, uint32_t value)
{
    put_char(w, '\\');
    put_char(w, letter);
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4)
        put_char(w, "0123456789abcdef"[value >> shift & 15]);
}

/* ---- characters ------------------------------------------------------------------------------------------------------------ */

/* Reads one code point of UTF-8; returns its length, or 0 for what is none (cut, overlong, surrogate, too large). */
static size_t decode(const uint8_t *bytes, size_t size, uint32_t *out)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t               first = bytes[0];
    size_t   length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    uint32_t value = length == 1 ? first : first & (0x7fu >> length);
    if (length == 0 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0u) != 0x80)
            return 0;
        value = value << 6 | (bytes[i] & 0x3fu);
    }
    if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return 0;
    *out = value;
    return length;
}

/* Control, format, separator and private characters, and noncharacters, from 0x7f on. */
static bool printable(uint32_t c)
{
    static const uint32_t hidden[][2] = {
        {0x7f, 0xa0},        {0xad, 0xad},       {0x600, 0x605},     {0x61c, 0x61c},     {0x6dd, 0x6dd},
        {0x70f, 0x70f},      {0x890, 0x891},     {0x8e2, 0x8e2},     {0x1680, 0x1680},   {0x180e, 0x180e},
        {0x2000, 0x200f},    {0x2028, 0x202f},   {0x205f, 0x206f},   {0x3000, 0x3000},   {0xe000, 0xf8ff},
        {0xfdd0, 0xfdef},    {0xfeff, 0xfeff},   {0xfff0, 0xfffb},   {0xfffe, 0xffff},   {0x110bd, 0x110bd},
        {0x110cd, 0x110cd},  {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe00ff},
        {0xf0000, 0x10ffff},
    };
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (c >= hidden[i][0] && c <= hidden[i][1])
            return false;
    return true;
}

/* The characters that strings and bytes write alike. */
static bool put_common(writer *w, uint32_t c, char quote)
{
    if (c == (uint8_t)quote || c == '\\') {
        put_char(w, '\\');
        put_char(w, (char)c);
    } else if (c == '\n') {
        put_text(w, "\\n");
    } else if (c == '\r') {
        put_text(w, "\\r");
    } else if (c == '\t') {
        put_text(w, "\\t");
    } else if (c < ' ') {
        put_escape(w, 'x', 2, c);
    } else if (c < 0x7f) {
        put_char(w, (char)c);
    } else {
        return false;
    }
    return true;
}

/* Single quotes, unless there are single ones inside and no double ones. */
static char quote_for(const char *text, size_t size)
{
    if (size && memchr(text, '\'', size) && !memchr(text, '"', size))
        return '"';
    return '\'';
}

static void put_bytes(writer *w, const char *bytes, size_t size)
{
    char quote = quote_for(bytes, size);
    put_char(w, 'b');
    put_char(w, quote);
    for (size_t i = 0; i < size; i++)
        if (!put_common(w, (uint8_t)bytes[i], quote))
            put_escape(w, 'x', 2, (uint8_t)bytes[i]);
    put_char(w, quote);
}

static void put_wide(writer *w, uint32_t c, const char *text, size_t length)
{
    if (printable(c))
        for (size_t i = 0; i < length; i++)
            put_char(w, text[i]);
    else if (c < 0x100)
        put_escape(w, 'x', 2, c);
    else if (c < 0x10000)
        put_escape(w, 'u', 4, c);
    else
        put_escape(w, 'U', 8, c);
}

static void put_string(writer *w, const char *text, size_t size)
{
    char quote = quote_for(text, size);
    put_char(w, quote);
    for (size_t i = 0, length; i < size; i += length) {
        uint32_t c;
        length = decode((const uint8_t *)text + i, size - i, &c);
        if (length == 0) { /* no UTF-8: as Python's surrogateescape reads it */
            put_escape(w, 'u', 4, 0xdc00u + (uint8_t)text[i]);
            length = 1;
        } else if (!put_common(w, c, quote)) {
            put_wide(w, c, text + i, length);
        }
    }
    put_char(w, quote);
}

/* ---- values ------------------------------------------------------------------------------------------------------------------- */

static void put_variant(writer *w, const yoke_variant *variant);

static void put_list(writer *w, const yoke_variant *list)
{
    put_char(w, '[');
    for (size_t i = 0; i < list->size; i++) {
        put_text(w, i ? ", " : "");
        put_variant(w, &list->as.parts[i]);
    }
    put_char(w, ']');
}

static void put_map(writer *w, const yoke_variant *map)
{
    put_char(w, '{');
    for (size_t i = 0; i < map->size; i++) {
        put_text(w, i ? ", " : "");
        put_variant(w, &map->as.parts[i * 2]);
        put_text(w, ": ");
        put_variant(w, &map->as.parts[i * 2 + 1]);
    }
    put_char(w, '}');
}

static void put_integer(writer *w, const yoke_variant *variant)
{
    char text[32];
    if (variant->kind == YOKE_INT)
        snprintf(text, sizeof text, "%" PRId64, variant->as.i);
    else
        snprintf(text, sizeof text, "%" PRIu64, variant->as.u);
    put_text(w, text);
}

static void put_double(writer *w, const yoke_variant *variant)
{
    char text[32];
    yoke__double_text(text, variant->as.d);
    put_text(w, text);
}

static void put_handle(writer *w, const yoke_variant *variant)
{
    put_char(w, '<');
    put_text(w, yoke__item_kind_name(variant->kind));
    put_char(w, '>');
}

static void put_variant(writer *w, const yoke_variant *variant)
{
    switch (yoke_variant_kind(variant)) {
    case YOKE_NIL_KIND:
        put_text(w, "None");
        break;
    case YOKE_BOOL:
        put_text(w, variant->as.u ? "True" : "False");
        break;
    case YOKE_INT:
    case YOKE_UINT:
        put_integer(w, variant);
        break;
    case YOKE_DOUBLE:
        put_double(w, variant);
        break;
    case YOKE_STRING:
        put_string(w, variant->as.text, variant->size);
        break;
    case YOKE_BYTES_KIND:
        put_bytes(w, variant->as.text, variant->size);
        break;
    case YOKE_LIST_KIND:
        put_list(w, variant);
        break;
    case YOKE_MAP_KIND:
        put_map(w, variant);
        break;
    default:
        put_handle(w, variant);
        break;
    }
}

int yoke_variant_format(const yoke_variant *variant, char *buffer, size_t capacity, size_t *needed)
{
    writer counting = {NULL, 0, 0}, writing = {buffer, capacity, 0};
    if (!buffer && capacity)
        return yoke__fail(YOKE_EINVAL, "the buffer for a variant's text is NULL");
    put_variant(&counting, variant);
    put_char(&counting, 0);
    if (needed)
        *needed = counting.used;
    if (counting.used > capacity)
        return yoke__fail(YOKE_EMSGSIZE, "a variant's text needs %zu bytes, the buffer has %zu", counting.used,
                          capacity);
    put_variant(&writing, variant);
    put_char(&writing, 0);
    return YOKE_OK;
}
