/* Waiting for one handle. */
#include "windows.h"

int yoke__windows_wait_handle(HANDLE handle, int64_t deadline)
{
    for (;;) {
        DWORD left = yoke__windows_left(deadline);
        switch (yoke__sys.WaitForSingleObject(handle, left)) {
        case WAIT_OBJECT_0:
        case WAIT_ABANDONED:
            return YOKE_OK;
        case WAIT_TIMEOUT:
            if (left == 0)
                return YOKE_ETIMEDOUT;
            break; /* waits end up to a tick of the system's clock early */
        default:
            return yoke__windows_fail("waiting for a handle");
        }
    }
}
