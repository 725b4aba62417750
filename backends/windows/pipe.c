/* See pipe.h. */
#include "pipe.h"

#include "../../core/atomic.h"

#define SPARE 4

/* ---- making ---- */

static HANDLE made(HANDLE handle)
{
    return handle != INVALID_HANDLE_VALUE ? handle : NULL;
}

HANDLE yoke__windows_pipe_new(const wchar_t *name, SECURITY_ATTRIBUTES *security, unsigned use)
{
    DWORD mode = use & YOKE__PIPE_ONE_WAY ? PIPE_ACCESS_INBOUND : PIPE_ACCESS_DUPLEX;
    DWORD out = use & YOKE__PIPE_ONE_WAY ? 0 : YOKE__PIPE_QUOTA;

    if (use & YOKE__PIPE_FIRST)
        mode |= FILE_FLAG_FIRST_PIPE_INSTANCE;
    return made(yoke__sys.CreateNamedPipeW(
        name, mode | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_REJECT_REMOTE_CLIENTS,
        use & YOKE__PIPE_ONE ? 1 : PIPE_UNLIMITED_INSTANCES, out, YOKE__PIPE_QUOTA, 0, security));
}

/* What GENERIC_WRITE means to a pipe includes the right to make more of them, which clients don't have. */
#define WRITE_ACCESS (FILE_WRITE_DATA | FILE_WRITE_ATTRIBUTES | FILE_READ_ATTRIBUTES | READ_CONTROL | SYNCHRONIZE)

HANDLE yoke__windows_pipe_connect(const wchar_t *name, bool one_way, DWORD level)
{
    DWORD access = one_way ? WRITE_ACCESS : WRITE_ACCESS | GENERIC_READ;

    return made(yoke__sys.CreateFileW(name, access, 0, NULL, OPEN_EXISTING,
                                      FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | level, NULL));
}

/* ---- calls that are done at once ---- */

/* Events for them; a few are kept. 0: a free place. */
static yoke__a64 spare[SPARE];

static HANDLE event_take(void)
{
    uint64_t event = 0;

    for (int i = 0; i < SPARE && event == 0; i++)
        event = yoke__a64_exchange_acq_rel(&spare[i], 0);
    return event != 0 ? (HANDLE)(uintptr_t)event : yoke__sys.CreateEventW(NULL, TRUE, FALSE, NULL);
}

static void event_give(HANDLE handle)
{
    uint64_t event = (uintptr_t)handle;

    for (int i = 0; i < SPARE && event != 0; i++)
        event = yoke__a64_exchange_acq_rel(&spare[i], event);
    if (event != 0)
        yoke__sys.CloseHandle((HANDLE)(uintptr_t)event);
}

/* The event's lowest bit keeps the completion from a port that the pipe may belong to. */
static bool begin(OVERLAPPED *call)
{
    HANDLE event = event_take();

    *call = (OVERLAPPED){.hEvent = (HANDLE)((uintptr_t)event | 1)};
    return event != NULL;
}

/* What has become of it; not yet done, it is called back. */
static DWORD end(HANDLE pipe, OVERLAPPED *call, BOOL done, DWORD *size)
{
    DWORD number = done ? 0 : GetLastError();

    if (number == ERROR_IO_PENDING)
        (void)CancelIoEx(pipe, call);
    if (number == 0 || number == ERROR_IO_PENDING)
        number = GetOverlappedResult(pipe, call, size, TRUE) ? 0 : GetLastError();
    event_give((HANDLE)((uintptr_t)call->hEvent & ~(uintptr_t)1));
    return number;
}

DWORD yoke__windows_pipe_write(HANDLE pipe, const void *data, DWORD size)
{
    OVERLAPPED write;
    DWORD      put;

    if (!begin(&write))
        return GetLastError();
    return end(pipe, &write, yoke__sys.WriteFile(pipe, data, size, NULL, &write), &put);
}

DWORD yoke__windows_pipe_read(HANDLE pipe, void *data, DWORD capacity, DWORD *got)
{
    OVERLAPPED read;
    DWORD      there = 0;

    *got = 0;
    if (!PeekNamedPipe(pipe, NULL, 0, NULL, &there, NULL))
        return GetLastError();
    if (there == 0)
        return 0;
    if (!begin(&read))
        return GetLastError();
    DWORD number = end(pipe, &read, yoke__sys.ReadFile(pipe, data, capacity < there ? capacity : there, NULL, &read),
                       got);
    return number == ERROR_OPERATION_ABORTED ? 0 : number;
}
