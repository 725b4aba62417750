/*
 * Pipes of the library's own, one end of each made with a name, since only those can be read with a time-out. The name is
 * random, admits only this user, and is gone with the pipe.
 */
#include "process.h"

#include <stdio.h>

#define NAMES 8 /* tries */

static int random_name(wchar_t *out, size_t size)
{
    uint64_t number[2];

    YOKE_TRY(yoke__windows_system.random(number, sizeof number));
    swprintf(out, size, L"\\\\.\\pipe\\yoke-%lu-%016llx%016llx", GetCurrentProcessId(), (unsigned long long)number[0],
             (unsigned long long)number[1]);
    return YOKE_OK;
}

static int make_named(HANDLE *out, const wchar_t *name, DWORD type, bool duplex, size_t room)
{
    SECURITY_ATTRIBUTES *admits = yoke__windows_private();
    DWORD                open = FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE;
    DWORD                mode = type | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS;

    if (!admits)
        return yoke__noted();
    open |= duplex ? PIPE_ACCESS_DUPLEX : PIPE_ACCESS_INBOUND;
    if (type == PIPE_TYPE_MESSAGE)
        mode |= PIPE_READMODE_MESSAGE;
    *out = yoke__sys.CreateNamedPipeW(name, open, mode, 1, (DWORD)room, (DWORD)room, 0, admits);
    return *out == INVALID_HANDLE_VALUE ? yoke__windows_fail("making a pipe") : YOKE_OK;
}

static int open_named(HANDLE *out, const wchar_t *name, DWORD type, bool duplex)
{
    DWORD access = duplex ? GENERIC_READ | GENERIC_WRITE : GENERIC_WRITE;
    DWORD mode = PIPE_READMODE_MESSAGE;

    *out = yoke__sys.CreateFileW(name, access, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
    if (*out == INVALID_HANDLE_VALUE)
        return yoke__windows_fail("opening the other end of a pipe");
    if (type != PIPE_TYPE_MESSAGE || yoke__sys.SetNamedPipeHandleState(*out, &mode, NULL, NULL))
        return YOKE_OK;
    int rc = yoke__windows_fail("making a pipe keep messages apart");
    yoke__sys.CloseHandle(*out);
    return rc;
}

int yoke__windows_pipe(HANDLE ends[2], DWORD type, bool duplex, size_t room)
{
    wchar_t name[80];
    HANDLE  made[2];
    int     rc = YOKE_EACCES;

    for (int i = 0; i < NAMES && rc == YOKE_EACCES; i++) { /* somebody has the name */
        YOKE_TRY(random_name(name, sizeof name / sizeof *name));
        rc = make_named(&made[0], name, type, duplex, room);
    }
    YOKE_TRY(rc);
    rc = open_named(&made[1], name, type, duplex);
    if (rc < 0) {
        yoke__sys.CloseHandle(made[0]);
        return rc;
    }
    ends[0] = made[0];
    ends[1] = made[1];
    return YOKE_OK;
}

/* ---- reading and writing ---- */

/* Ends an operation that may be under way. True: it was done all the same. */
static bool finish_or_cancel(HANDLE file, OVERLAPPED *at, DWORD *moved, DWORD *number)
{
    (void)yoke__sys.CancelIoEx(file, at);
    bool done = GetOverlappedResult(file, at, moved, TRUE);
    *number = done ? 0 : GetLastError();
    return done;
}

/* Of an operation that was begun: its result, once it is there. */
static int await(HANDLE file, OVERLAPPED *at, DWORD *moved, int64_t deadline, const char *what)
{
    int   rc = yoke__windows_wait_handle(at->hEvent, deadline);
    DWORD number = 0;

    if (rc == YOKE_OK ? GetOverlappedResult(file, at, moved, FALSE) : finish_or_cancel(file, at, moved, &number))
        return YOKE_OK;
    if (rc == YOKE_OK)
        number = GetLastError();
    if (number == ERROR_OPERATION_ABORTED && rc == YOKE_ETIMEDOUT)
        return yoke_backend_fail(YOKE_ETIMEDOUT, 0, "%s: nothing came in time", what);
    return number == ERROR_OPERATION_ABORTED ? rc : yoke__windows_fail_number(number, what);
}

static int begin(OVERLAPPED *at)
{
    *at = (OVERLAPPED){.hEvent = yoke__sys.CreateEventW(NULL, TRUE, FALSE, NULL)};
    return at->hEvent ? YOKE_OK : yoke__windows_fail("making an event to wait for a pipe");
}

static int read_begun(HANDLE from, void *data, size_t size, DWORD *got, OVERLAPPED *at, int64_t deadline)
{
    static const char what[] = "reading a pipe";

    if (yoke__sys.ReadFile(from, data, (DWORD)size, got, at))
        return YOKE_OK;
    switch (GetLastError()) {
    case ERROR_IO_PENDING:
        return await(from, at, got, deadline, what);
    case ERROR_ACCESS_DENIED:
    case ERROR_INVALID_HANDLE:
    case ERROR_INVALID_FUNCTION:
        return yoke_backend_fail(YOKE_EPROTO, (int64_t)GetLastError(), "it is not the reading end of a pipe");
    default:
        return yoke__windows_fail(what);
    }
}

int yoke__windows_read(HANDLE from, void *data, size_t size, size_t *got, int64_t deadline)
{
    OVERLAPPED at;
    DWORD      moved = 0;

    if (GetFileType(from) != FILE_TYPE_PIPE)
        return yoke_backend_fail(YOKE_EPROTO, 0, "it is not the reading end of a pipe");
    YOKE_TRY(begin(&at));
    int rc = read_begun(from, data, size < 1u << 30 ? size : 1u << 30, &moved, &at, deadline);
    yoke__sys.CloseHandle(at.hEvent);
    if (rc == YOKE_OK || rc == YOKE_EMSGSIZE)
        *got = moved;
    return rc;
}

int yoke__windows_read_all(HANDLE from, void *data, size_t size, int64_t deadline)
{
    for (uint8_t *to = data; size > 0;) {
        size_t got = 0;
        YOKE_TRY(yoke__windows_read(from, to, size, &got, deadline));
        to += got;
        size -= got;
    }
    return YOKE_OK;
}

int yoke__windows_write(HANDLE to, const void *data, size_t size)
{
    OVERLAPPED at;
    DWORD      moved = 0;
    int        rc = YOKE_OK;

    YOKE_TRY(begin(&at));
    if (!yoke__sys.WriteFile(to, data, (DWORD)size, &moved, &at))
        rc = GetLastError() == ERROR_IO_PENDING ? await(to, &at, &moved, INT64_MAX, "writing a pipe")
                                                : yoke__windows_fail("writing a pipe");
    yoke__sys.CloseHandle(at.hEvent);
    return rc;
}
