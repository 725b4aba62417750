/*
 * What streams on libuv leave to each system's backend, because libuv does it for one of them only or not at all:
 * natives are descriptors on POSIX; on Windows HANDLEs, of named pipes or sockets. By the leader, but for pair and keep.
 */
#ifndef YOKE_BACKENDS_UV_NATIVE_H
#define YOKE_BACKENDS_UV_NATIVE_H

#include "uv.h"

/* The slot `pair` of yoke_stream_ops. */
int yoke__uv_native_pair(yoke_native ends[2], bool one_way);
/* Makes stream->uv a handle on its loop (and sets `opened`: it has to be closed) and puts the native in. A libuv status. */
int yoke__uv_native_open(yoke_stream *stream);
/* A second native for what a handle on a loop has, so that it outlives the handle. */
int yoke__uv_native_keep(yoke_native *out, yoke_native native);
/* Whether uv_close() leaves this native open. */
bool yoke__uv_native_survives(const yoke_stream *stream);
/* Gives the system as much as it takes at once. Number of bytes, UV_EAGAIN, or another libuv status. */
int yoke__uv_native_write(yoke_stream *stream, const uv_buf_t *buffers, unsigned count);
/* Calls stream->write, which libuv holds (`parked`), back. False: not possible here. Otherwise its callback still comes:
 * with UV_ECANCELED if no byte of it was taken, as if nothing had happened if all were. */
bool yoke__uv_native_unwrite(yoke_stream *stream);

/* ---- natives that travel with bytes ---- */

/* Whether others can travel through it: a local socket. Asks the system. */
bool yoke__uv_native_carries(yoke_native native);
/* As yoke__uv_native_write(), for the first bytes of the stream's first write, whose native is to go with them. */
int yoke__uv_carry_out(yoke_stream *stream, yoke_native native, const uv_buf_t *buffers, unsigned count);
/* The native is out, or will not go any more. */
void yoke__uv_carry_end(yoke_stream *stream);
/* In a forked child: closes the parent's. */
void yoke__uv_carry_forget(yoke_stream *stream);
/* What came with the bytes just read, or YOKE_NO_NATIVE: there was nothing, or no descriptor is left for it. */
yoke_native yoke__uv_carry_in(yoke_stream *stream);

/* Starts to watch for room to write. A libuv status; UV_ENOTSUP where libuv can't. */
int yoke__uv_room_open(yoke__uv_room *room, yoke_stream *stream, uv_poll_cb on_room);
/* After room->poll was closed. */
void yoke__uv_room_closed(yoke__uv_room *room);

/* Watches a native for input on a loop of the caller's, by whose thread all this is called; keeps the loop running. */
typedef struct yoke__uv_input yoke__uv_input;
/* While there is input, on_input is called in each round. The native stays the caller's, and open. A libuv status. */
int yoke__uv_input_open(yoke__uv_input **out, uv_loop_t *loop, yoke_native native,
                        void (*on_input)(void *user, bool failed), void *user);
/* What is watched for instead of input: UV_READABLE, UV_WRITABLE, both, or 0: nothing. A libuv status; UV_ENOTSUP. */
int yoke__uv_input_want(yoke__uv_input *input, int events);
/* Frees the watch; closed(user) is called by the loop, never in here. */
void yoke__uv_input_close(yoke__uv_input *input, void (*closed)(void *user));

#endif
