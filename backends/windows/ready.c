/* See ready.h. */
#include "ready.h"

#include "../../core/local.h"

/* ---- kinds of natives ---- */

bool yoke__windows_is_stream(yoke_native native)
{
    return GetFileType(yoke__handle_of(native)) == FILE_TYPE_PIPE;
}

bool yoke__windows_is_socket(yoke_native native)
{
    int type, size = sizeof type;
    return getsockopt((SOCKET)native, SOL_SOCKET, SO_TYPE, (char *)&type, &size) == 0;
}

/* Sockets that were made elsewhere have started Winsock there. */
int yoke__windows_winsock(void)
{
    static yoke__mutex mutex = YOKE__MUTEX_INIT;
    static bool        started;
    WSADATA            about;
    int                number = 0;

    yoke__mutex_lock(&mutex);
    if (!started)
        number = WSAStartup(MAKEWORD(2, 2), &about);
    started = number == 0;
    yoke__mutex_unlock(&mutex);
    return number == 0 ? YOKE_OK : yoke__windows_fail_number((DWORD)number, "starting Winsock");
}

/* ---- events ---- */

/* Begins to read nothing. 0, or the system's number of an error that is none of ERROR_IO_PENDING. The event's lowest bit
 * keeps the completion from a port that the handle may belong to. */
static DWORD begin_read(yoke__ready *ready, bool is_socket)
{
    static char nothing;
    WSABUF      buffer = {0, &nothing};
    DWORD       got, flags = 0, number = 0;

    ready->read = (OVERLAPPED){.hEvent = (HANDLE)((uintptr_t)ready->event | 1)};
    if (is_socket) {
        if (WSARecv((SOCKET)ready->stream, &buffer, 1, &got, &flags, &ready->read, NULL) != 0)
            number = (DWORD)WSAGetLastError();
    } else if (!ReadFile(ready->stream, &nothing, 0, NULL, &ready->read)) {
        number = GetLastError();
    }
    return number == ERROR_IO_PENDING ? 0 : number;
}

int yoke__windows_ready_begin(yoke__ready *ready, yoke_native native)
{
    *ready = (yoke__ready){.event = yoke__handle_of(native)};
    if (!yoke__windows_is_stream(native))
        return YOKE_OK;
    ready->event = yoke__sys.CreateEventW(NULL, TRUE, FALSE, NULL);
    if (ready->event == NULL)
        return yoke__windows_fail("waiting for input");
    ready->stream = yoke__handle_of(native);
    if (begin_read(ready, yoke__windows_is_socket(native)) != 0) {
        ready->read.hEvent = NULL; /* none is under way: what is wrong will be told by a real read */
        (void)SetEvent(ready->event);
    }
    return YOKE_OK;
}

bool yoke__windows_ready_look(const yoke__ready *ready)
{
    return WaitForSingleObject(ready->event, 0) == WAIT_OBJECT_0;
}

void yoke__windows_ready_end(yoke__ready *ready)
{
    DWORD got;

    if (ready->stream == NULL)
        return;
    if (ready->read.hEvent != NULL) {
        (void)CancelIoEx(ready->stream, &ready->read);
        (void)GetOverlappedResult(ready->stream, &ready->read, &got, TRUE);
    }
    yoke__sys.CloseHandle(ready->event);
    *ready = (yoke__ready){.event = NULL};
}
