#include "frame.h"

#include <yoke/error.h>

#define SHORT_MAX UINT64_C(0x7fffffff)
#define LONG_MARK UINT32_C(0xffffffff) /* -1 */

static void put_big_endian(uint8_t *out, uint64_t value, size_t bytes)
{
    for (size_t i = bytes; i-- > 0; value >>= 8)
        out[i] = (uint8_t)value;
}

static uint64_t get_big_endian(const uint8_t *data, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | data[i];
    return value;
}

size_t yoke__frame_header(uint8_t out[YOKE__FRAME_HEADER], uint64_t size)
{
    if (size <= SHORT_MAX) {
        put_big_endian(out, size, 4);
        return 4;
    }
    put_big_endian(out, LONG_MARK, 4);
    put_big_endian(out + 4, size, 8);
    return 12;
}

int yoke__frame_parse(const uint8_t *data, size_t available, uint64_t *size)
{
    if (available < 4)
        return 0;
    uint64_t length = get_big_endian(data, 4);
    if (length <= SHORT_MAX) {
        *size = length;
        return 4;
    }
    if (length != LONG_MARK)
        return YOKE_EPROTO;
    if (available < 12)
        return 0;
    length = get_big_endian(data + 4, 8);
    if (length > INT64_MAX)
        return YOKE_EPROTO;
    *size = length;
    return 12;
}
