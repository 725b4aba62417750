/*
 * A word is a run of characters without white space, of which at least one is printable in the locale: so says GNU wc,
 * whose results these are compared with. Bytes that are no characters count as bytes only.
 */
#include "count.h"

#include <string.h>
#include <wchar.h>
#include <wctype.h>

#define NAME_MAX_SIZE 64

struct counter {
    struct counts *counts;
    bool           in_word, seen_space;
    mbstate_t      state;
    char           name[NAME_MAX_SIZE];
    size_t         name_size;
    struct table  *names;
};

static void space(struct counter *c)
{
    c->in_word = false;
    c->seen_space = true;
}

static void printable(struct counter *c)
{
    if (c->in_word)
        return;
    c->in_word = true;
    c->counts->words++;
    c->counts->joins |= !c->seen_space;
}

static bool is_space(wint_t character)
{
    /* wc takes the spaces that don't break lines for white space too */
    return iswspace(character) || character == 0xa0 || character == 0x2007 || character == 0x202f ||
           character == 0x2060;
}

/* Characters of ASCII, the usual case. */
static void count_plain(struct counter *c, char byte)
{
    if (byte == '\n')
        c->counts->lines++;
    if (byte == ' ' || (byte >= '\t' && byte <= '\r'))
        space(c);
    else if (byte > ' ' && byte < 0x7f)
        printable(c);
}

/* Any other character; returns how many bytes it has, 0 if it is cut off at the end. */
static size_t count_wide(struct counter *c, const char *bytes, size_t size)
{
    wchar_t   character;
    mbstate_t before = c->state;
    size_t    length = mbrtowc(&character, bytes, size, &c->state);

    if (length == (size_t)-2) {
        c->state = before;
        return 0;
    }
    if (length == (size_t)-1) {
        memset(&c->state, 0, sizeof c->state);
        return 1;
    }
    if (is_space((wint_t)character))
        space(c);
    else if (iswprint((wint_t)character))
        printable(c);
    return length ? length : 1;
}

/* Names: letters, digits and '_', a letter first, in small letters. */
static void count_name(struct counter *c, char byte)
{
    bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
    bool digit = byte >= '0' && byte <= '9';

    if (letter || (digit && c->name_size)) {
        if (c->name_size < NAME_MAX_SIZE)
            c->name[c->name_size++] = (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
        return;
    }
    if (c->name_size >= 3)
        table_add(c->names, c->name, c->name_size, 1);
    c->name_size = 0;
}

/* Returns how many bytes were counted: all but a character that is cut off at the end. */
static size_t count_bytes(struct counter *c, const char *bytes, size_t size)
{
    size_t at = 0;

    while (at < size) {
        size_t length = 1;
        if ((unsigned char)bytes[at] < 0x80)
            count_plain(c, bytes[at]);
        else
            length = count_wide(c, bytes + at, size - at);
        if (length == 0)
            break;
        count_name(c, bytes[at]);
        at += length;
    }
    return at;
}

bool count_file(FILE *file, struct counts *out, struct table *names)
{
    static char    buffer[1 << 16];
    struct counter c = {.counts = out, .names = names};
    size_t         kept = 0, got;

    memset(out, 0, sizeof *out);
    while ((got = fread(buffer + kept, 1, sizeof buffer - kept, file)) > 0) {
        size_t size = kept + got, done = count_bytes(&c, buffer, size);
        out->bytes += (int64_t)got;
        kept = size - done;
        memmove(buffer, buffer + done, kept);
    }
    count_name(&c, ' ');
    out->open = c.in_word;
    out->blank = !c.in_word && !c.seen_space;
    return !ferror(file);
}
