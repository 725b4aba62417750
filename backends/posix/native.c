/* Descriptors as libuv takes them; see uv/native.h. */
#include "../uv/native.h"

static int pair_fail(int status)
{
    return yoke_backend_fail(yoke__uv_code(status), status, "no pair of connected ends: %s", uv_strerror(status));
}

/* A standard descriptor that the program has closed is not the library's to take: what is printed would be sent. */
static int raise_end(yoke_native *end)
{
    const yoke_process_ops *process = yoke_backend_current()->process;
    yoke_native             low = *end;
    if (low > 2)
        return YOKE_OK;
    int rc = process->native_duplicate(end, low);
    process->native_close(low);
    if (rc < 0)
        *end = YOKE_NO_NATIVE;
    return rc;
}

static int raise_ends(yoke_native ends[2])
{
    int first = raise_end(&ends[0]), second = raise_end(&ends[1]);
    if (first == YOKE_OK && second == YOKE_OK)
        return YOKE_OK;
    for (int i = 0; i < 2; i++)
        if (ends[i] != YOKE_NO_NATIVE)
            yoke_backend_current()->process->native_close(ends[i]);
    return first < 0 ? first : second;
}

/* Blocking at first, as another program that inherits an end expects it; uv_pipe_open() changes that for its own end. */
int yoke__uv_native_pair(yoke_native ends[2], bool one_way)
{
    int status;
    if (one_way) {
        uv_file files[2];
        status = uv_pipe(files, 0, 0);
        if (status == 0) {
            ends[0] = files[0];
            ends[1] = files[1];
        }
    } else {
        uv_os_sock_t sockets[2];
        status = uv_socketpair(SOCK_STREAM, 0, sockets, 0, 0);
        if (status == 0) {
            ends[0] = sockets[0];
            ends[1] = sockets[1];
        }
    }
    return status < 0 ? pair_fail(status) : raise_ends(ends);
}

/* One kind of handle does for pipes and sockets of all families. */
int yoke__uv_native_open(yoke_stream *stream)
{
    int status = uv_pipe_init(stream->loop->at, &stream->uv.pipe, yoke__uv_native_carries(stream->native));
    if (status < 0)
        return status;
    stream->opened = true;
    return uv_pipe_open(&stream->uv.pipe, (uv_file)stream->native);
}

int yoke__uv_native_keep(yoke_native *out, yoke_native native)
{
    return yoke_backend_current()->process->native_duplicate(out, native);
}

bool yoke__uv_native_survives(const yoke_stream *stream)
{
    return stream->native <= 2; /* libuv never closes what may be stdio */
}

int yoke__uv_native_write(yoke_stream *stream, const uv_buf_t *buffers, unsigned count)
{
    return uv_try_write(&stream->uv.stream, buffers, count);
}

bool yoke__uv_native_unwrite(yoke_stream *stream)
{
    (void)stream;
    return false; /* nor needed: room can be watched */
}

/* ---- room ---- */

/* On a second descriptor: libuv allows only one handle for each. */
int yoke__uv_room_open(yoke__uv_room *room, yoke_stream *stream, uv_poll_cb on_room)
{
    if (yoke__uv_native_keep(&room->native, stream->native) != YOKE_OK)
        return UV_EMFILE;
    int status = uv_poll_init(stream->loop->at, &room->poll, (int)room->native);
    if (status < 0)
        yoke__uv_room_closed(room);
    else
        (void)uv_poll_start(&room->poll, UV_WRITABLE, on_room); /* which can't fail once init has not */
    return status;
}

void yoke__uv_room_closed(yoke__uv_room *room)
{
    yoke_backend_current()->process->native_close(room->native);
}
