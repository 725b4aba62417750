/*
 * Who may open what the library makes. Names of kernel objects are shared by all users of a session, so everything with
 * a name has a security descriptor that admits its maker alone, and what is opened by name must belong to the user.
 */
#include "windows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static INIT_ONCE           once = INIT_ONCE_STATIC_INIT;
static yoke__user          user;
static DWORD               user_failed; /* why there is none */
static ACL                *acl;
static uint64_t            acl_room[16 + YOKE__USER_SID / 8];
static SECURITY_DESCRIPTOR descriptor;
static SECURITY_ATTRIBUTES attributes;

/* FNV-1a: a number that stands for an identity. Objects are judged by the identity itself, never by the number. */
static uint64_t number_of(const uint8_t *sid, DWORD size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (DWORD i = 0; i < size; i++)
        hash = (hash ^ sid[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static bool read_user(void)
{
    union {
        TOKEN_USER user;
        uint8_t    bytes[sizeof(TOKEN_USER) + YOKE__USER_SID];
    } room;
    HANDLE token;
    DWORD  size = 0;

    if (!yoke__sys.OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return false;
    bool there = yoke__sys.GetTokenInformation(token, TokenUser, &room, sizeof room, &size) &&
                 CopySid(sizeof user.sid, user.sid, room.user.User.Sid);
    DWORD number = GetLastError();
    yoke__sys.CloseHandle(token);
    SetLastError(number);
    return there;
}

static bool make_descriptor(void)
{
    acl = (ACL *)acl_room;
    attributes = (SECURITY_ATTRIBUTES){
        .nLength = sizeof attributes, .lpSecurityDescriptor = &descriptor, .bInheritHandle = FALSE};
    return InitializeAcl(acl, sizeof acl_room, ACL_REVISION) &&
           AddAccessAllowedAce(acl, ACL_REVISION, GENERIC_ALL, user.sid) &&
           InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION) &&
           SetSecurityDescriptorOwner(&descriptor, user.sid, FALSE) &&
           SetSecurityDescriptorDacl(&descriptor, TRUE, acl, FALSE);
}

static BOOL CALLBACK make(INIT_ONCE *self, void *parameter, void **context)
{
    (void)self;
    (void)parameter;
    (void)context;
    if (!read_user() || !make_descriptor()) {
        user_failed = GetLastError();
        return FALSE; /* the next call tries again */
    }
    user.number = number_of(user.sid, GetLengthSid(user.sid));
    swprintf(user.text, sizeof user.text / sizeof *user.text, L"%016llx", (unsigned long long)user.number);
    return TRUE;
}

const yoke__user *yoke__windows_user(void)
{
    if (InitOnceExecuteOnce(&once, make, NULL, NULL))
        return &user;
    (void)yoke__windows_fail_number(user_failed, "can't tell whose process this is");
    return NULL;
}

static int number_by_name(uint64_t *out, const char *text)
{
    _Alignas(8) uint8_t sid[YOKE__USER_SID];
    wchar_t             name[128], domain[256];
    DWORD               size = sizeof sid, domain_size = sizeof domain / sizeof *domain;
    SID_NAME_USE        use;

    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, name, sizeof name / sizeof *name) <= 0)
        return yoke__windows_fail("the name of a user");
    if (!yoke__sys.LookupAccountNameW(NULL, name, (SID *)(void *)sid, &size, domain, &domain_size, &use)) {
        DWORD number = GetLastError();
        return number == ERROR_NONE_MAPPED
                   ? yoke_backend_fail(YOKE_ENOENT, (int64_t)number, "there is no user '%s'", text)
                   : yoke__windows_fail_number(number, "looking up a user");
    }
    *out = number_of(sid, GetLengthSid(sid));
    return YOKE_OK;
}

int yoke__windows_user_number(uint64_t *out, const char *text)
{
    if (text[strspn(text, "0123456789")] != 0)
        return number_by_name(out, text);
    errno = 0;
    unsigned long long number = strtoull(text, NULL, 10);
    if (errno != 0)
        return yoke_backend_fail(YOKE_ENOENT, 0, "there is no user %s", text);
    *out = number;
    return YOKE_OK;
}

SECURITY_ATTRIBUTES *yoke__windows_private(void)
{
    return yoke__windows_user() ? &attributes : NULL;
}

int yoke__windows_check_owner(HANDLE handle, const char *what)
{
    union {
        SECURITY_DESCRIPTOR descriptor;
        uint8_t             bytes[256];
    } room;
    DWORD             needed = 0;
    void             *owner = NULL;
    BOOL              by_default;
    const yoke__user *self = yoke__windows_user();

    if (!self)
        return yoke__noted();
    if (!yoke__sys.GetKernelObjectSecurity(handle, OWNER_SECURITY_INFORMATION, &room.descriptor, sizeof room,
                                           &needed) ||
        !GetSecurityDescriptorOwner(&room.descriptor, &owner, &by_default))
        return yoke__windows_fail(what);
    if (owner && EqualSid(owner, (void *)(uintptr_t)self->sid))
        return YOKE_OK;
    return yoke_backend_fail(YOKE_EACCES, 0, "%s: another user has made it, it is not to be trusted", what);
}
