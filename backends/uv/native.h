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
/* Starts to watch a native for room to write. A libuv status; UV_ENOTSUP where libuv can't. */
int yoke__uv_native_watch(uv_loop_t *loop, uv_poll_t *poll, yoke_native native, uv_poll_cb on_room);
/* Whether uv_close() leaves this native open. */
bool yoke__uv_native_survives(yoke_native native);

#endif
