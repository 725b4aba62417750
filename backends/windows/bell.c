/*
 * Doorbells: an event whose name is made from the bell's. It goes with its last handle, so a dead process leaves none.
 *
 * The event is reset by hand, not by who waits: being rung is a state that several may look at (a wait on many, an event
 * loop) before the bell's owner takes it, and a look must not take it. Whoever takes it looks at the predicate after
 * that, and whoever rings has changed the state before, so that a ring between a wait and its reset is not missed.
 *
 * Names belong to a session: between participants of different login sessions rings are lost, and a parked thread wakes
 * at the end of its slice.
 */
#include "wait.h"

#include "windows.h"

#include <stdio.h>

#define NAME_SIZE 80

/* False: no user, with the error noted. */
static bool full_name(wchar_t out[NAME_SIZE], const yoke_bell_name *name)
{
    const yoke__user *user = yoke__windows_user();

    if (!user)
        return false;
    swprintf(out, NAME_SIZE, L"Local\\yoke-%ls-bell-%016llx-%x-%x", user->text, (unsigned long long)name->domain,
             (unsigned)name->index, (unsigned)name->generation);
    return true;
}

int yoke__windows_bell_open(yoke_native *out, const yoke_bell_name *name)
{
    wchar_t full[NAME_SIZE];

    if (!full_name(full, name))
        return yoke__noted();
    HANDLE event = yoke__sys.CreateEventW(yoke__windows_private(), TRUE, FALSE, full);
    if (!event)
        return yoke__windows_fail("opening a doorbell");
    if (GetLastError() == ERROR_ALREADY_EXISTS) {
        yoke__sys.CloseHandle(event);
        return yoke_backend_fail(YOKE_EEXIST, ERROR_ALREADY_EXISTS, "a doorbell of that name is open");
    }
    *out = yoke__native_of(event);
    return YOKE_OK;
}

int yoke__windows_bell_ring(const yoke_bell_name *name)
{
    wchar_t full[NAME_SIZE];

    if (!full_name(full, name))
        return yoke__noted();
    HANDLE event = yoke__sys.OpenEventW(EVENT_MODIFY_STATE, FALSE, full);
    if (!event)
        return GetLastError() == ERROR_FILE_NOT_FOUND ? YOKE_ENOENT : yoke__windows_fail("ringing a doorbell");
    int rc = yoke__sys.SetEvent(event) ? YOKE_OK : yoke__windows_fail("ringing a doorbell");
    yoke__sys.CloseHandle(event);
    return rc;
}

int yoke__windows_bell_wait(yoke_native bell, int64_t timeout)
{
    int rc = yoke__windows_wait_handle(yoke__handle_of(bell), yoke__windows_deadline(timeout));

    if (rc == YOKE_OK)
        (void)ResetEvent(yoke__handle_of(bell));
    return rc;
}

void yoke__windows_bell_clear(yoke_native bell)
{
    (void)ResetEvent(yoke__handle_of(bell));
}

void yoke__windows_bell_close(yoke_native bell, const yoke_bell_name *name)
{
    (void)name;
    yoke__sys.CloseHandle(yoke__handle_of(bell));
}

void yoke__windows_bell_remove(const yoke_bell_name *name)
{
    (void)name; /* it went with its process */
}
