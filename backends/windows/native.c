/*
 * Natives as libuv takes them; see uv/native.h. Both kinds of pair are named pipes, whose names nobody else knows.
 *
 * libuv has no way to write to a pipe at once or not at all, nor to call back what it writes; both are made here of the
 * calls that the system has for it. They are exact for pieces of no more than the pipe's quota: of such a write that waits
 * for room no byte has been taken, for the system completes it in the same moment in which the room for all of it is
 * there. So it is either written or, once cancelled, not there at all.
 */
#include "../uv/native.h"

#include "pipe.h"
#include "ready.h"

#include <io.h>
#include <stdio.h>

#define PIECES 4 /* a piece is this part of the quota, so that there is often room for one */

static HANDLE handle_of(const yoke_stream *stream)
{
    return yoke__handle_of(stream->native);
}

static bool is_tcp(const yoke_stream *stream)
{
    return stream->uv.handle.type == UV_TCP;
}

/* ---- pairs ---- */

static int unique_name(wchar_t *out, size_t capacity)
{
    uint64_t number[2];
    YOKE_TRY(yoke_backend_current()->system->random(number, sizeof number));
    (void)swprintf(out, capacity, L"\\\\.\\pipe\\yoke-%lu-%016llx%016llx", GetCurrentProcessId(),
                   (unsigned long long)number[0], (unsigned long long)number[1]);
    return YOKE_OK;
}

static int pair_fail(void)
{
    return yoke__windows_fail("making a pair of connected ends");
}

int yoke__uv_native_pair(yoke_native ends[2], bool one_way)
{
    wchar_t              name[80];
    SECURITY_ATTRIBUTES *security = yoke__windows_private();
    if (security == NULL)
        return yoke__noted();
    YOKE_TRY(unique_name(name, sizeof name / sizeof *name));
    HANDLE first = yoke__windows_pipe_new(name, security,
                                          YOKE__PIPE_FIRST | YOKE__PIPE_ONE | (one_way ? YOKE__PIPE_ONE_WAY : 0));
    if (first == NULL)
        return pair_fail();
    HANDLE second = yoke__windows_pipe_connect(name, one_way, SECURITY_ANONYMOUS);
    if (second == NULL) {
        int rc = pair_fail();
        yoke__sys.CloseHandle(first);
        return rc;
    }
    ends[0] = yoke__native_of(first);
    ends[1] = yoke__native_of(second);
    return YOKE_OK;
}

int yoke__uv_native_keep(yoke_native *out, yoke_native native)
{
    return yoke_backend_current()->process->native_duplicate(out, native);
}

/* ---- on a loop ---- */

static int open_socket(yoke_stream *stream)
{
    int status = uv_tcp_init(stream->loop->at, &stream->uv.tcp);
    if (status < 0)
        return status;
    stream->opened = true;
    return uv_tcp_open(&stream->uv.tcp, (uv_os_sock_t)stream->native);
}

/* libuv wants a descriptor of the C runtime, which has the handle from then on. */
static int open_pipe(yoke_stream *stream)
{
    DWORD out = 0, in = 0;
    int   status = uv_pipe_init(stream->loop->at, &stream->uv.pipe, 0);
    if (status < 0)
        return status;
    stream->opened = true;
    if (GetNamedPipeInfo(handle_of(stream), NULL, &out, &in, NULL))
        stream->piece = (out == 0 || (in != 0 && in < out) ? in : out) / PIECES;
    int file = _open_osfhandle(stream->native, 0);
    if (file < 0)
        return UV_EMFILE;
    status = uv_pipe_open(&stream->uv.pipe, file);
    if (status < 0) {
        (void)_close(file);
        stream->native = YOKE_NO_NATIVE;
    }
    return status;
}

int yoke__uv_native_open(yoke_stream *stream)
{
    return yoke__windows_is_socket(stream->native) ? open_socket(stream) : open_pipe(stream);
}

bool yoke__uv_native_survives(const yoke_stream *stream)
{
    (void)stream;
    return false;
}

/* ---- writing at once ---- */

static int write_status(DWORD number)
{
    if (number == 0)
        return 0;
    if (number == ERROR_OPERATION_ABORTED)
        return UV_EAGAIN;
    if (number == ERROR_BROKEN_PIPE || number == ERROR_NO_DATA || number == ERROR_PIPE_NOT_CONNECTED)
        return UV_EPIPE;
    return uv_translate_sys_error((int)number);
}

static int write_pieces(yoke_stream *stream, const uv_buf_t *buffer)
{
    size_t done = 0;
    DWORD  number = 0;
    while (done < buffer->len && number == 0) {
        size_t size = buffer->len - done < stream->piece ? buffer->len - done : stream->piece;
        number = yoke__windows_pipe_write(handle_of(stream), buffer->base + done, (DWORD)size);
        if (number == 0)
            done += size;
    }
    return done > 0 ? (int)done : write_status(number);
}

static int write_to_pipe(yoke_stream *stream, const uv_buf_t *buffers, unsigned count)
{
    int total = 0, status = 0;
    if (stream->piece < YOKE__UV_CHUNK)
        return UV_EAGAIN; /* it would not be exact */
    for (unsigned i = 0; i < count; i++) {
        status = write_pieces(stream, &buffers[i]);
        if (status > 0)
            total += status;
        if (status < 0 || (size_t)status < buffers[i].len)
            break;
    }
    return total > 0 ? total : status;
}

/* Not uv_try_write(): in a callback of the write before, it would take that for one still under way. */
static int write_to_socket(yoke_stream *stream, const uv_buf_t *buffers, unsigned count)
{
    DWORD put = 0;
    if (WSASend((SOCKET)stream->native, (WSABUF *)(uintptr_t)buffers, count, &put, 0, NULL, NULL) != 0)
        return uv_translate_sys_error(WSAGetLastError());
    return (int)put;
}

int yoke__uv_native_write(yoke_stream *stream, const uv_buf_t *buffers, unsigned count)
{
    return is_tcp(stream) ? write_to_socket(stream, buffers, count) : write_to_pipe(stream, buffers, count);
}

bool yoke__uv_native_unwrite(yoke_stream *stream)
{
    if (is_tcp(stream) || stream->piece < YOKE__UV_CHUNK)
        return false; /* part of it may have been taken */
    (void)CancelIoEx(handle_of(stream), &stream->write.u.io.overlapped);
    return true;
}

/* ---- room ---- */

int yoke__uv_room_open(yoke__uv_room *room, yoke_stream *stream, uv_poll_cb on_room)
{
    if (!is_tcp(stream))
        return UV_ENOTSUP; /* pipes tell nobody */
    room->native = stream->native;
    int status = uv_poll_init_socket(stream->loop->at, &room->poll, (uv_os_sock_t)stream->native);
    return status < 0 ? status : uv_poll_start(&room->poll, UV_WRITABLE, on_room);
}

void yoke__uv_room_closed(yoke__uv_room *room)
{
    (void)room;
}

/* ---- what POSIX needs and this system doesn't ---- */

int yoke__uv_ready(void)
{
    return YOKE_OK;
}

void yoke__uv_low_hold(yoke__uv_low *low)
{
    low->count = 0;
}

void yoke__uv_low_release(yoke__uv_low *low)
{
    (void)low;
}

int yoke__uv_low_hold_in_forks(void)
{
    return YOKE_OK;
}
