/* Natives as libuv takes them: a descriptor on POSIX; on Windows a HANDLE, which libuv wants as a C runtime descriptor. */
#ifndef YOKE_BACKENDS_UV_NATIVE_H
#define YOKE_BACKENDS_UV_NATIVE_H

#include <uv.h>
#include <yoke/backend.h>

/* The slot `pair` of yoke_stream_ops. */
int yoke__uv_native_pair(yoke_native ends[2], bool one_way);
/* Puts a native into an initialised handle. A libuv status. */
int yoke__uv_native_open(uv_pipe_t *pipe, yoke_native native);
/* A second native for what a handle on a loop has, so that it outlives the handle. */
int yoke__uv_native_keep(yoke_native *out, yoke_native native);
/* Whether uv_close() leaves this native open. */
bool yoke__uv_native_survives(yoke_native native);

#endif
