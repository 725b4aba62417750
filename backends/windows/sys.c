/* Defaults of the table: the system's functions. And what its error numbers mean to core. */
#include "sys.h"

#include "windows.h"

#include <stdio.h>

#define YOKE__SYS_DEFAULT(result, name, parameters, arguments, failure)                                                \
    static result WINAPI call_##name parameters                                                                        \
    {                                                                                                                  \
        return name arguments;                                                                                         \
    }
YOKE__SYS_CALLS(YOKE__SYS_DEFAULT)

yoke__sys_table yoke__sys = {
#define YOKE__SYS_INITIAL(result, name, parameters, arguments, failure) .name = call_##name,
    YOKE__SYS_CALLS(YOKE__SYS_INITIAL)};

typedef struct meaning {
    DWORD number;
    int   code;
} meaning;

static const meaning meanings[] = {
    {ERROR_INVALID_PARAMETER, YOKE_EINVAL},
    {ERROR_INVALID_HANDLE, YOKE_EINVAL},
    {ERROR_INVALID_NAME, YOKE_EINVAL},
    {ERROR_BAD_PATHNAME, YOKE_EINVAL},
    {ERROR_FILENAME_EXCED_RANGE, YOKE_EINVAL},
    {ERROR_DIRECTORY, YOKE_EINVAL},
    {ERROR_BAD_EXE_FORMAT, YOKE_EINVAL},
    {ERROR_NOT_ENOUGH_MEMORY, YOKE_ENOMEM},
    {ERROR_OUTOFMEMORY, YOKE_ENOMEM},
    {ERROR_COMMITMENT_LIMIT, YOKE_ENOMEM},
    {ERROR_NO_SYSTEM_RESOURCES, YOKE_ENOMEM},
    {ERROR_NONPAGED_SYSTEM_RESOURCES, YOKE_ENOMEM},
    {ERROR_PAGED_SYSTEM_RESOURCES, YOKE_ENOMEM},
    {ERROR_WORKING_SET_QUOTA, YOKE_ENOMEM},
    {ERROR_PAGEFILE_QUOTA, YOKE_ENOMEM},
    {ERROR_NOT_ENOUGH_QUOTA, YOKE_ENOMEM},
    {ERROR_TOO_MANY_OPEN_FILES, YOKE_ENOMEM},
    {ERROR_DISK_FULL, YOKE_ENOMEM},
    {ERROR_ALREADY_EXISTS, YOKE_EEXIST},
    {ERROR_FILE_EXISTS, YOKE_EEXIST},
    {ERROR_FILE_NOT_FOUND, YOKE_ENOENT},
    {ERROR_PATH_NOT_FOUND, YOKE_ENOENT},
    {ERROR_MOD_NOT_FOUND, YOKE_ENOENT},
    {ERROR_PROC_NOT_FOUND, YOKE_ENOENT},
    {ERROR_NONE_MAPPED, YOKE_ENOENT},
    {ERROR_ACCESS_DENIED, YOKE_EACCES},
    {ERROR_SHARING_VIOLATION, YOKE_EACCES},
    {ERROR_PRIVILEGE_NOT_HELD, YOKE_EACCES},
    {ERROR_NOT_SUPPORTED, YOKE_ENOTSUP},
    {ERROR_CALL_NOT_IMPLEMENTED, YOKE_ENOTSUP},
    {ERROR_INVALID_FUNCTION, YOKE_ENOTSUP},
    {ERROR_BROKEN_PIPE, YOKE_EEOF},
    {ERROR_NO_DATA, YOKE_EEOF},
    {ERROR_PIPE_NOT_CONNECTED, YOKE_EEOF},
    {ERROR_HANDLE_EOF, YOKE_EEOF},
    {ERROR_SEM_TIMEOUT, YOKE_ETIMEDOUT},
    {ERROR_TIMEOUT, YOKE_ETIMEDOUT},
    {WAIT_TIMEOUT, YOKE_ETIMEDOUT},
    {ERROR_PIPE_BUSY, YOKE_EBUSY},
    {ERROR_BUSY, YOKE_EBUSY},
    {ERROR_LOCK_VIOLATION, YOKE_EBUSY},
    {ERROR_MORE_DATA, YOKE_EMSGSIZE},
    {WSAEINVAL, YOKE_EINVAL},
    {WSAENOTSOCK, YOKE_EINVAL},
    {WSAEMFILE, YOKE_ENOMEM},
    {WSAENOBUFS, YOKE_ENOMEM},
    {WSAEADDRINUSE, YOKE_EEXIST},
    {WSAECONNREFUSED, YOKE_ENOENT},
    {WSAHOST_NOT_FOUND, YOKE_ENOENT},
    {WSAENETUNREACH, YOKE_ENOENT},
    {WSAEHOSTUNREACH, YOKE_ENOENT},
    {WSAEACCES, YOKE_EACCES},
    {WSAEOPNOTSUPP, YOKE_ENOTSUP},
    {WSAEAFNOSUPPORT, YOKE_ENOTSUP},
    {WSAECONNRESET, YOKE_EEOF},
    {WSAECONNABORTED, YOKE_EEOF},
    {WSAENOTCONN, YOKE_EEOF},
    {WSAESHUTDOWN, YOKE_EEOF},
    {WSAETIMEDOUT, YOKE_ETIMEDOUT},
    {WSAEWOULDBLOCK, YOKE_EBUSY},
    {WSAEMSGSIZE, YOKE_EMSGSIZE},
};

int yoke__windows_code_of(DWORD number)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (meanings[i].number == number)
            return meanings[i].code;
    return YOKE_EIO;
}

/* The system's sentence, without its full stop and line end. */
static void sentence_of(char *out, int size, DWORD number)
{
    wchar_t wide[256];
    DWORD   length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, number, 0, wide,
                                    sizeof wide / sizeof *wide, NULL);
    while (length > 0 && (wide[length - 1] <= L' ' || wide[length - 1] == L'.'))
        length--;
    int bytes = WideCharToMultiByte(CP_UTF8, 0, wide, (int)length, out, size - 1, NULL, NULL);
    out[bytes > 0 ? bytes : 0] = 0;
    if (bytes <= 0)
        snprintf(out, (size_t)size, "error %lu", number);
}

int(yoke__windows_fail_number)(DWORD number, const char *what)
{
    char text[256];

    sentence_of(text, sizeof text, number);
    return yoke_backend_fail(yoke__windows_code_of(number), (int64_t)number, "%s: %s", what, text);
}

int(yoke__windows_fail)(const char *what)
{
    return yoke__windows_fail_number(GetLastError(), what);
}
