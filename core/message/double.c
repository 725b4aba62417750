/* Doubles as Python's repr() shows them: the fewest digits that read back as the same number. */
#include "node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 17

/* value = 0.d1d2d3… * 10^point, d1 not 0; value is positive. */
typedef struct decimal {
    char digits[DIGITS_MAX + 1];
    int  count, point;
} decimal;

/* value correctly rounded to count digits. Whatever the locale's decimal point is, it is skipped. */
static void round_to(decimal *out, double value, int count)
{
    char        text[64];
    const char *c = text;
    snprintf(text, sizeof text, "%.*e", count - 1, value);
    out->count = 0;
    for (; *c && *c != 'e'; c++)
        if (*c >= '0' && *c <= '9' && out->count < DIGITS_MAX)
            out->digits[out->count++] = *c;
    out->digits[out->count] = 0;
    out->point = (*c ? (int)strtol(c + 1, NULL, 10) : 0) + 1;
}

static double value_of(const decimal *d)
{
    char text[64];
    snprintf(text, sizeof text, "%se%d", d->digits, d->point - d->count); /* no decimal point: no locale */
    return strtod(text, NULL);
}

/* One more, or one less, in the last digit. False if that needs another number of digits. */
static bool step(decimal *d, char from, char to, int by)
{
    int i = d->count - 1;
    while (i >= 0 && d->digits[i] == from)
        d->digits[i--] = to;
    if (i < 0)
        return false;
    d->digits[i] = (char)(d->digits[i] + by);
    return d->digits[0] != '0';
}

static bool reads_back(const decimal *d, double value)
{
    double read = value_of(d);
    return read >= value && read <= value;
}

/* Beside a power of two the number that reads back is not always the nearest one, so the neighbours are tried too. */
static void shortest(decimal *out, double value)
{
    for (int count = 1; count < DIGITS_MAX; count++) {
        decimal up, down;
        round_to(out, value, count);
        up = down = *out;
        if (reads_back(out, value))
            return;
        if (step(&up, '9', '0', 1) && reads_back(&up, value)) {
            *out = up;
            return;
        }
        if (step(&down, '0', '9', -1) && reads_back(&down, value)) {
            *out = down;
            return;
        }
    }
    round_to(out, value, DIGITS_MAX);
}

/* Python's layout: an exponent from 1e16 on and below 1e-4; otherwise a point with a digit on both sides. */
static void lay_out(char *out, size_t capacity, const decimal *d)
{
    char   text[40]; /* room for what the compiler takes to be possible */
    size_t size = sizeof text;
    int    exponent = d->point - 1;
    if (exponent < -4 || exponent >= 16)
        snprintf(text, size, "%c%s%se%c%02d", d->digits[0], d->count > 1 ? "." : "", d->digits + 1,
                 exponent < 0 ? '-' : '+', abs(exponent));
    else if (d->point <= 0)
        snprintf(text, size, "0.%.*s%s", -d->point, "0000", d->digits);
    else if (d->point >= d->count)
        snprintf(text, size, "%s%.*s.0", d->digits, d->point - d->count, "0000000000000000");
    else
        snprintf(text, size, "%.*s.%s", d->point, d->digits, d->digits + d->point);
    memcpy(out, text, strlen(text) < capacity ? strlen(text) + 1 : capacity);
}

void yoke__double_text(char out[32], double value)
{
    decimal     d;
    uint64_t    bits;
    const char *sign;
    memcpy(&bits, &value, sizeof bits);
    sign = bits >> 63 ? "-" : "";
    value = bits >> 63 ? -value : value;
    bits &= INT64_MAX;
    if (bits > UINT64_C(0x7ff0000000000000)) {
        snprintf(out, 32, "nan");
    } else if (bits == UINT64_C(0x7ff0000000000000)) {
        snprintf(out, 32, "%sinf", sign);
    } else if (bits == 0) {
        snprintf(out, 32, "%s0.0", sign);
    } else {
        shortest(&d, value);
        while (d.count > 1 && d.digits[d.count - 1] == '0')
            d.digits[--d.count] = 0;
        *out = '-';
        lay_out(out + (*sign ? 1 : 0), 31, &d);
    }
}
