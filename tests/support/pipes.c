#include "pipes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "leak.h"

int pipes_setup(void **state)
{
    yoke_conn *reader, *writer;

    if (yoke_pipe_create(&reader, &writer, NULL) != YOKE_OK || yoke_conn_send(writer, "x", 1, PIPE_PATIENCE) != YOKE_OK)
        return -1;
    yoke_conn_close(reader);
    yoke_conn_close(writer);
    return leak_setup(state);
}

void pipe_make(yoke_conn **reader, yoke_conn **writer, bool one_way)
{
    assert_int_equal(YOKE_OK, yoke_pipe_create(reader, writer, YOKE_OPTIONS(yoke_pipe_options, .one_way = one_way)));
}

static uint8_t pattern_at(size_t i, unsigned seed)
{
    return (uint8_t)(i * 31 + (i >> 8) * 7 + seed);
}

void pattern_fill(void *out, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = pattern_at(i, seed);
}

bool pattern_is(const void *data, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        if (((const uint8_t *)data)[i] != pattern_at(i, seed))
            return false;
    return true;
}
