/*
 * Names of shared memory, and the lock that goes with each.
 *
 * A section keeps its name until the last handle of it is gone, in whichever process that is; no call takes a name away.
 * So a name of core's stands for a few names of the system's, numbered: unlinking marks the section that has one of them
 * (memory.c), and the next is made under another number. All of this happens under the name's lock.
 *
 * Names belong to a login session. A name space for all sessions exists, but only services may make sections in it.
 */
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS   16 /* of sections that were unlinked and are still open, and the one that has the name */
#define NAME_SIZE 256

/* Whose the name is, and where the name itself begins. */
static int split(uint64_t *user, const char **rest, const char *name)
{
    const yoke__user *self = yoke__windows_user();
    const char       *colon = strchr(name, ':');

    if (!self)
        return yoke__noted();
    *user = colon ? strtoull(name, NULL, 10) : self->number;
    *rest = colon ? colon + 1 : name;
    return YOKE_OK;
}

/* kind: of object. Names consist of letters, digits, '.', '_', '-' and '+'. */
static int full_name(wchar_t out[NAME_SIZE], const char *kind, const char *name, int number)
{
    uint64_t    user;
    const char *rest;

    YOKE_TRY(split(&user, &rest, name));
    int length = swprintf(out, NAME_SIZE, L"Local\\yoke-%016llx-%hs-%d-%hs", (unsigned long long)user, kind, number,
                          rest);
    if (length < 0 || length >= NAME_SIZE)
        return yoke_backend_fail(YOKE_EINVAL, 0, "the name '%.40s...' is too long", rest);
    return YOKE_OK;
}

/* ---- sections ---------------------------------------------------------------------------------------------------- */

/* What has that number and still the name: YOKE_ENOENT if nothing. */
static int open_number(HANDLE *out, const char *name, int number, bool unlink)
{
    wchar_t full[NAME_SIZE];
    bool    named = false;

    YOKE_TRY(full_name(full, "memory", name, number));
    HANDLE section = yoke__sys.OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE | READ_CONTROL, FALSE, full);
    if (!section)
        return GetLastError() == ERROR_FILE_NOT_FOUND ? YOKE_ENOENT : yoke__windows_fail("opening named shared memory");
    int rc = yoke__windows_check_owner(section, "named shared memory");
    if (rc == YOKE_OK)
        rc = yoke__section_look(section, unlink, &named);
    if (rc == YOKE_OK && named) {
        *out = section;
        return YOKE_OK;
    }
    yoke__sys.CloseHandle(section);
    return rc < 0 ? rc : YOKE_ENOENT;
}

static int find(HANDLE *out, const char *name, bool unlink)
{
    for (int number = 0; number < NUMBERS; number++) {
        int rc = open_number(out, name, number, unlink);
        if (rc != YOKE_ENOENT)
            return rc;
    }
    return yoke_backend_fail(YOKE_ENOENT, ERROR_FILE_NOT_FOUND, "no shared memory named '%s'", name);
}

int yoke__memory_name_open(HANDLE *out, const char *name)
{
    return find(out, name, false);
}

int yoke__memory_unlink(const char *name)
{
    HANDLE section = NULL;

    YOKE_TRY(find(&section, name, true));
    yoke__sys.CloseHandle(section);
    return YOKE_OK;
}

static int make_number(HANDLE *out, const char *name, int number, uint64_t reserve)
{
    wchar_t full[NAME_SIZE];
    HANDLE  section = NULL;
    bool    existed = false;

    YOKE_TRY(full_name(full, "memory", name, number));
    YOKE_TRY(yoke__section_make(&section, full, reserve, &existed));
    if (existed) {
        yoke__sys.CloseHandle(section);
        return YOKE_EEXIST;
    }
    *out = section;
    return YOKE_OK;
}

int yoke__memory_name_create(HANDLE *out, const char *name, uint64_t reserve)
{
    HANDLE there = NULL;
    int    rc = find(&there, name, false);

    if (rc == YOKE_OK) {
        yoke__sys.CloseHandle(there);
        return yoke_backend_fail(YOKE_EEXIST, ERROR_ALREADY_EXISTS, "shared memory named '%s' exists", name);
    }
    for (int number = 0; rc == YOKE_ENOENT && number < NUMBERS; number++) {
        int made = make_number(out, name, number, reserve);
        if (made != YOKE_EEXIST)
            return made;
    }
    return rc == YOKE_ENOENT
               ? yoke_backend_fail(YOKE_ENOMEM, 0, "'%s' was removed %d times while programs still have it open", name,
                                   NUMBERS)
               : rc;
}

/* ---- the lock ---------------------------------------------------------------------------------------------------- */

/* Of another user's name there is no lock to be had: his objects admit him alone. */
static int lock_foreign(const char *name)
{
    HANDLE section = NULL;
    int    rc = find(&section, name, false);

    if (rc == YOKE_OK)
        yoke__sys.CloseHandle(section);
    return rc == YOKE_OK ? yoke_backend_fail(YOKE_EACCES, 0, "'%s' belongs to another user", name) : rc;
}

/* A mutex that its holder's death hands on, which the system tells as "abandoned". */
int yoke__memory_name_lock(yoke_native *out, const char *name)
{
    wchar_t     full[NAME_SIZE];
    uint64_t    user;
    const char *rest;

    YOKE_TRY(split(&user, &rest, name));
    if (user != yoke__windows_user()->number)
        return lock_foreign(name);
    YOKE_TRY(full_name(full, "lock", name, 0));
    HANDLE mutex = yoke__sys.CreateMutexW(yoke__windows_private(), FALSE, full);
    if (!mutex)
        return yoke__windows_fail("making the lock of a name");
    int rc = yoke__windows_check_owner(mutex, "the lock of a name");
    if (rc == YOKE_OK)
        rc = yoke__windows_wait_handle(mutex, INT64_MAX);
    if (rc < 0)
        yoke__sys.CloseHandle(mutex);
    else
        *out = yoke__native_of(mutex);
    return rc;
}

/* After failures too, whose note stays: so it notes nothing. */
void yoke__memory_name_unlock(yoke_native lock, const char *name)
{
    (void)name;
    yoke__sys.ReleaseMutex(yoke__handle_of(lock));
    yoke__sys.CloseHandle(yoke__handle_of(lock));
}

/* ---- users ------------------------------------------------------------------------------------------------------- */

int yoke__memory_name_user(uint64_t *out, const char *text)
{
    if (text)
        return yoke__windows_user_number(out, text);
    const yoke__user *self = yoke__windows_user();
    if (!self)
        return yoke__noted();
    *out = self->number;
    return YOKE_OK;
}
