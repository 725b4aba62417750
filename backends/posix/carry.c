/*
 * Natives that travel with bytes. libuv sends one handle of its own along with a write and hands one over after a read,
 * on pipes that were opened for that; whatever else is to travel goes inside that one (core's bundle.h).
 */
#include "../uv/native.h"
#include "sys.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>

#define TOO_MANY (-ETOOMANYREFS) /* descriptors on their way through sockets; libuv has no name for it */

static void on_carrier_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static yoke__uv_carrier *carrier_new(uv_loop_t *loop)
{
    yoke__uv_carrier *carrier = calloc(1, sizeof *carrier);
    if (carrier == NULL)
        return NULL;
    if (uv_pipe_init(loop, &carrier->pipe, 0) < 0) {
        free(carrier);
        return NULL;
    }
    carrier->pipe.data = carrier;
    return carrier;
}

static void carrier_close(yoke__uv_carrier *carrier)
{
    uv_close((uv_handle_t *)&carrier->pipe, on_carrier_closed);
}

bool yoke__uv_native_carries(yoke_native native)
{
    struct sockaddr_un address = {.sun_family = AF_UNSPEC};
    socklen_t          size = sizeof address;

    return yoke__sys.getsockname((int)native, (struct sockaddr *)&address, &size) == 0 && address.sun_family == AF_UNIX;
}

/* ---- out ---- */

/* libuv closes what its handle has, so it gets a copy. A libuv status. */
static int load(yoke_stream *stream, yoke_native native)
{
    yoke_native copy;
    if (stream->carrier != NULL)
        return 0;
    if (yoke__uv_native_keep(&copy, native) != YOKE_OK)
        return UV_ENOMEM;
    stream->carrier = carrier_new(stream->loop->at);
    int status = stream->carrier == NULL ? UV_ENOMEM : uv_pipe_open(&stream->carrier->pipe, (uv_file)copy);
    if (status < 0) {
        yoke_backend_current()->process->native_close(copy);
        yoke__uv_carry_end(stream);
    }
    return status;
}

int yoke__uv_carry_out(yoke_stream *stream, yoke_native native, const uv_buf_t *buffers, unsigned count)
{
    int status = load(stream, native);
    if (status < 0)
        return UV_ENOMEM;
    status = uv_try_write2(&stream->uv.stream, buffers, count, (uv_stream_t *)&stream->carrier->pipe);
    if (status > 0)
        yoke__uv_carry_end(stream);
    return status == TOO_MANY ? UV_ENOMEM : status;
}

void yoke__uv_carry_end(yoke_stream *stream)
{
    if (stream->carrier != NULL)
        carrier_close(stream->carrier);
    stream->carrier = NULL;
}

void yoke__uv_carry_forget(yoke_stream *stream)
{
    uv_os_fd_t native;
    if (stream->carrier != NULL && uv_fileno((const uv_handle_t *)&stream->carrier->pipe, &native) == 0)
        yoke_backend_current()->process->native_close((yoke_native)native);
}

/* ---- in ---- */

/* One of those that libuv has received. */
static yoke_native take_one(yoke_stream *stream)
{
    yoke_native       out = YOKE_NO_NATIVE;
    uv_os_fd_t        native;
    yoke__uv_carrier *carrier = carrier_new(stream->loop->at);
    if (carrier == NULL)
        return YOKE_NO_NATIVE;
    if (uv_accept(&stream->uv.stream, (uv_stream_t *)&carrier->pipe) == 0 &&
        uv_fileno((const uv_handle_t *)&carrier->pipe, &native) == 0 &&
        yoke__uv_native_keep(&out, (yoke_native)native) != YOKE_OK)
        out = YOKE_NO_NATIVE;
    carrier_close(carrier);
    if (out != YOKE_NO_NATIVE && native <= 2 /* which libuv never closes */)
        yoke_backend_current()->process->native_close((yoke_native)native);
    return out;
}

/* A sender of this library sends one with a message; of several only the first counts. */
yoke_native yoke__uv_carry_in(yoke_stream *stream)
{
    yoke_native first = YOKE_NO_NATIVE;
    if (!stream->uv.pipe.ipc)
        return YOKE_NO_NATIVE;
    for (int left = uv_pipe_pending_count(&stream->uv.pipe); left > 0; left--) {
        yoke_native one = take_one(stream);
        if (first == YOKE_NO_NATIVE)
            first = one;
        else if (one != YOKE_NO_NATIVE)
            yoke_backend_current()->process->native_close(one);
    }
    return first;
}
