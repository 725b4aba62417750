/* Handles and sockets, whichever a native is. A socket is a handle for the system, but closed and copied by Winsock. */
#include "process.h"

void yoke__windows_native_close(yoke_native native)
{
    if (native == YOKE_NO_NATIVE)
        return;
    if (yoke__windows_is_socket(native)) {
        (void)yoke__sys.closesocket((SOCKET)native);
        return;
    }
    yoke__windows_lifeline_forget(native);
    yoke__sys.CloseHandle(yoke__handle_of(native));
}

static int duplicate_socket(yoke_native *out, yoke_native native)
{
    WSAPROTOCOL_INFOW info;

    if (yoke__sys.WSADuplicateSocketW((SOCKET)native, GetCurrentProcessId(), &info) != 0)
        return yoke__windows_fail("duplicating a socket");
    SOCKET copy = yoke__sys.WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                                       WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (copy == INVALID_SOCKET)
        return yoke__windows_fail("opening a duplicated socket");
    *out = (yoke_native)copy;
    return YOKE_OK;
}

static int duplicate_handle(HANDLE *out, HANDLE handle)
{
    HANDLE self = GetCurrentProcess();

    if (!yoke__sys.DuplicateHandle(self, handle, self, out, 0, FALSE, DUPLICATE_SAME_ACCESS))
        return yoke__windows_fail("duplicating a handle");
    return YOKE_OK;
}

/* The copy of a lifeline's end is one as well. */
static int duplicate_job(yoke_native copy, HANDLE job)
{
    HANDLE second;

    YOKE_TRY(duplicate_handle(&second, job));
    int rc = yoke__windows_lifeline_note(copy, second);
    if (rc < 0)
        yoke__sys.CloseHandle(second);
    return rc;
}

int yoke__windows_native_duplicate(yoke_native *out, yoke_native native)
{
    HANDLE copy, job = yoke__windows_lifeline_job(native);

    if (yoke__windows_is_socket(native))
        return duplicate_socket(out, native);
    YOKE_TRY(duplicate_handle(&copy, yoke__handle_of(native)));
    int rc = job ? duplicate_job(yoke__native_of(copy), job) : YOKE_OK;
    if (rc < 0)
        yoke__sys.CloseHandle(copy);
    else
        *out = yoke__native_of(copy);
    return rc;
}

/* Not the pseudo handles, which are negative. */
bool yoke__windows_native_is_open(yoke_native native)
{
    DWORD flags;

    return native > 0 && yoke__sys.GetHandleInformation(yoke__handle_of(native), &flags);
}
