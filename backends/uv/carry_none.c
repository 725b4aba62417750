/* Where nothing travels with bytes: on Windows a handle has to be made for a process that is known. */
#include "native.h"

#ifdef _WIN32

bool yoke__uv_native_carries(yoke_native native)
{
    (void)native;
    return false;
}

int yoke__uv_carry_out(yoke_stream *stream, yoke_native native, const uv_buf_t *buffers, unsigned count)
{
    (void)stream;
    (void)native;
    (void)buffers;
    (void)count;
    return UV_ENOTSUP;
}

void yoke__uv_carry_end(yoke_stream *stream)
{
    (void)stream;
}

void yoke__uv_carry_forget(yoke_stream *stream)
{
    (void)stream;
}

yoke_native yoke__uv_carry_in(yoke_stream *stream)
{
    (void)stream;
    return YOKE_NO_NATIVE;
}

#endif
