/* See native.h. */
#include "native.h"

#include "uv.h"

static int pair_fail(int status)
{
    return yoke_backend_fail(yoke__uv_code(status), status, "no pair of connected ends: %s", uv_strerror(status));
}

#ifdef _WIN32

#include <io.h>

/* Both kinds of pair are named pipes: unlike a socket, an end that no loop has used can be handed to another process. */
int yoke__uv_native_pair(yoke_native ends[2], bool one_way)
{
    uv_file files[2];
    if (!one_way)
        return yoke_backend_fail(YOKE_ENOTSUP, 0, "a duplex pair can't be made on this system yet");
    int status = uv_pipe(files, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE);
    if (status < 0)
        return pair_fail(status);
    for (int i = 0; i < 2; i++)
        ends[i] = (yoke_native)uv_get_osfhandle(files[i]);
    return YOKE_OK;
}

int yoke__uv_native_open(uv_pipe_t *pipe, yoke_native native)
{
    int file = _open_osfhandle(native, 0);
    return file < 0 ? UV_EMFILE : uv_pipe_open(pipe, file);
}

int yoke__uv_native_keep(yoke_native *out, yoke_native native)
{
    (void)out;
    (void)native;
    return yoke_backend_fail(YOKE_ENOTSUP, 0, "a connection that was used can't be moved on this system");
}

int yoke__uv_native_watch(uv_loop_t *loop, uv_poll_t *poll, yoke_native native, uv_poll_cb on_room)
{
    (void)loop;
    (void)poll;
    (void)native;
    (void)on_room;
    return UV_ENOTSUP;
}

bool yoke__uv_native_survives(yoke_native native)
{
    (void)native;
    return false;
}

#else

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

int yoke__uv_native_open(uv_pipe_t *pipe, yoke_native native)
{
    return uv_pipe_open(pipe, (uv_file)native);
}

int yoke__uv_native_keep(yoke_native *out, yoke_native native)
{
    return yoke_backend_current()->process->native_duplicate(out, native);
}

int yoke__uv_native_watch(uv_loop_t *loop, uv_poll_t *poll, yoke_native native, uv_poll_cb on_room)
{
    int status = uv_poll_init(loop, poll, (int)native);
    return status < 0 ? status : uv_poll_start(poll, UV_WRITABLE, on_room); /* which can't fail once init has not */
}

bool yoke__uv_native_survives(yoke_native native)
{
    return native <= 2; /* libuv never closes what may be stdio */
}

#endif
