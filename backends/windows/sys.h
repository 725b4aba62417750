/*
 * Every call of the Windows backend into the system, as one table of function pointers, so that tests can make any of
 * them fail. The backend says yoke__sys.CloseHandle(handle) where it would have said CloseHandle(handle).
 *
 * To add a call, append one line to the list of its group: X(result, name, (parameters), (arguments), failure). sys.c
 * makes the default from it, which is plain `name arguments`. failure is what the call returns when it fails with the
 * last error set; for calls that return the error number itself it is `error`.
 *
 * Not in the table: what can't fail, and what is on hot paths.
 */
#ifndef YOKE_BACKENDS_WINDOWS_SYS_H
#define YOKE_BACKENDS_WINDOWS_SYS_H

#include "../../core/error.h"

#include <yoke/backend.h>

#include <winsock2.h>

#include <windows.h>

#include <bcrypt.h>

/* Handles, memory, waiting, users. */
#define YOKE__SYS_BASE_CALLS(X)                                                                                        \
    X(BOOL, CloseHandle, (HANDLE handle), (handle), FALSE)                                                             \
    X(BOOL, DuplicateHandle,                                                                                           \
      (HANDLE from_process, HANDLE from, HANDLE to_process, HANDLE * to, DWORD access, BOOL inherit, DWORD options),   \
      (from_process, from, to_process, to, access, inherit, options), FALSE)                                           \
    X(BOOL, GetHandleInformation, (HANDLE handle, DWORD * flags), (handle, flags), FALSE)                              \
    X(BOOL, SetHandleInformation, (HANDLE handle, DWORD mask, DWORD flags), (handle, mask, flags), FALSE)              \
    /* memory */                                                                                                       \
    X(HANDLE, CreateFileMappingW,                                                                                      \
      (HANDLE file, SECURITY_ATTRIBUTES * security, DWORD protection, DWORD high, DWORD low, const wchar_t *name),     \
      (file, security, protection, high, low, name), NULL)                                                             \
    X(HANDLE, OpenFileMappingW, (DWORD access, BOOL inherit, const wchar_t *name), (access, inherit, name), NULL)      \
    X(void *, MapViewOfFile, (HANDLE section, DWORD access, DWORD high, DWORD low, SIZE_T size),                       \
      (section, access, high, low, size), NULL)                                                                        \
    X(BOOL, UnmapViewOfFile, (const void *base), (base), FALSE)                                                        \
    X(void *, VirtualAlloc, (void *at, SIZE_T size, DWORD type, DWORD protection), (at, size, type, protection), NULL) \
    X(BOOL, VirtualProtect, (void *at, SIZE_T size, DWORD protection, DWORD *old), (at, size, protection, old), FALSE) \
    X(SIZE_T, VirtualQuery, (const void *at, MEMORY_BASIC_INFORMATION *out, SIZE_T size), (at, out, size), 0)          \
    X(BOOL, GlobalMemoryStatusEx, (MEMORYSTATUSEX * out), (out), FALSE)                                                \
    /* waiting */                                                                                                      \
    X(HANDLE, CreateMutexW, (SECURITY_ATTRIBUTES * security, BOOL owned, const wchar_t *name),                         \
      (security, owned, name), NULL)                                                                                   \
    X(HANDLE, CreateEventW, (SECURITY_ATTRIBUTES * security, BOOL manual, BOOL set, const wchar_t *name),              \
      (security, manual, set, name), NULL)                                                                             \
    X(HANDLE, OpenEventW, (DWORD access, BOOL inherit, const wchar_t *name), (access, inherit, name), NULL)            \
    X(BOOL, SetEvent, (HANDLE event), (event), FALSE)                                                                  \
    X(BOOL, ReleaseMutex, (HANDLE mutex), (mutex), FALSE)                                                              \
    X(DWORD, WaitForSingleObject, (HANDLE handle, DWORD milliseconds), (handle, milliseconds), WAIT_FAILED)            \
    X(DWORD, WaitForMultipleObjects, (DWORD count, const HANDLE *handles, BOOL all, DWORD milliseconds),               \
      (count, handles, all, milliseconds), WAIT_FAILED)                                                                \
    X(BOOL, RegisterWaitForSingleObject,                                                                               \
      (HANDLE * out, HANDLE handle, WAITORTIMERCALLBACK call, void *user, DWORD milliseconds, ULONG flags),            \
      (out, handle, call, user, milliseconds, flags), FALSE)                                                           \
    /* users */                                                                                                        \
    X(BOOL, OpenProcessToken, (HANDLE process, DWORD access, HANDLE * out), (process, access, out), FALSE)             \
    X(BOOL, GetTokenInformation, (HANDLE token, TOKEN_INFORMATION_CLASS what, void *out, DWORD size, DWORD *needed),   \
      (token, what, out, size, needed), FALSE)                                                                         \
    X(BOOL, GetKernelObjectSecurity,                                                                                   \
      (HANDLE handle, SECURITY_INFORMATION what, SECURITY_DESCRIPTOR * out, DWORD size, DWORD * needed),               \
      (handle, what, out, size, needed), FALSE)                                                                        \
    X(BOOL, LookupAccountNameW,                                                                                        \
      (const wchar_t *system, const wchar_t *name, SID *sid, DWORD *sid_size, wchar_t *domain, DWORD *domain_size,     \
       SID_NAME_USE *use),                                                                                             \
      (system, name, sid, sid_size, domain, domain_size, use), FALSE)                                                  \
    /* system */                                                                                                       \
    X(BOOL, GetProcessAffinityMask, (HANDLE process, DWORD_PTR * mask, DWORD_PTR * all), (process, mask, all), FALSE)  \
    X(DWORD, GetActiveProcessorCount, (WORD group), (group), 0)                                                        \
    X(NTSTATUS, BCryptGenRandom, (BCRYPT_ALG_HANDLE algorithm, UCHAR * out, ULONG size, ULONG flags),                  \
      (algorithm, out, size, flags), -1)

/* Processes and modules. */
#define YOKE__SYS_PROCESS_CALLS(X)                                                                                     \
    X(HANDLE, OpenProcess, (DWORD access, BOOL inherit, DWORD pid), (access, inherit, pid), NULL)                      \
    X(HANDLE, CreateJobObjectW, (SECURITY_ATTRIBUTES * security, const wchar_t *name), (security, name), NULL)         \
    X(BOOL, SetInformationJobObject, (HANDLE job, JOBOBJECTINFOCLASS what, void *data, DWORD size),                    \
      (job, what, data, size), FALSE)                                                                                  \
    X(BOOL, AssignProcessToJobObject, (HANDLE job, HANDLE process), (job, process), FALSE)                             \
    X(BOOL, GenerateConsoleCtrlEvent, (DWORD event, DWORD group), (event, group), FALSE)                               \
    X(HMODULE, LoadLibraryW, (const wchar_t *path), (path), NULL)                                                      \
    /* what they are handed */                                                                                         \
    X(BOOL, SetNamedPipeHandleState, (HANDLE pipe, DWORD * mode, DWORD * most, DWORD * timeout),                       \
      (pipe, mode, most, timeout), FALSE)                                                                              \
    X(BOOL, CancelIoEx, (HANDLE file, OVERLAPPED * at), (file, at), FALSE)                                             \
    X(int, WSADuplicateSocketW, (SOCKET from, DWORD pid, WSAPROTOCOL_INFOW * out), (from, pid, out), SOCKET_ERROR)     \
    X(SOCKET, WSASocketW, (int family, int type, int protocol, WSAPROTOCOL_INFOW *info, GROUP group, DWORD flags),     \
      (family, type, protocol, info, group, flags), INVALID_SOCKET)                                                    \
    X(int, closesocket, (SOCKET from), (from), SOCKET_ERROR)                                                           \
    X(BOOL, TerminateProcess, (HANDLE process, UINT code), (process, code), FALSE)                                     \
    X(BOOL, GetExitCodeProcess, (HANDLE process, DWORD * code), (process, code), FALSE)                                \
    X(BOOL, GetProcessTimes,                                                                                           \
      (HANDLE process, FILETIME * created, FILETIME * ended, FILETIME * kernel, FILETIME * user),                      \
      (process, created, ended, kernel, user), FALSE)

/* Pipes and sockets. */
#define YOKE__SYS_STREAM_CALLS(X)                                                                                      \
    X(BOOL, ReadFile, (HANDLE file, void *data, DWORD size, DWORD *got, OVERLAPPED *at), (file, data, size, got, at),  \
      FALSE)                                                                                                           \
    X(BOOL, WriteFile, (HANDLE file, const void *data, DWORD size, DWORD *put, OVERLAPPED *at),                        \
      (file, data, size, put, at), FALSE)                                                                              \
    X(HANDLE, CreateNamedPipeW,                                                                                        \
      (const wchar_t *name, DWORD open_mode, DWORD pipe_mode, DWORD most, DWORD out, DWORD in, DWORD timeout,          \
       SECURITY_ATTRIBUTES *security),                                                                                 \
      (name, open_mode, pipe_mode, most, out, in, timeout, security), INVALID_HANDLE_VALUE)                            \
    X(HANDLE, CreateFileW,                                                                                             \
      (const wchar_t *name, DWORD access, DWORD share, SECURITY_ATTRIBUTES *security, DWORD how, DWORD flags,          \
       HANDLE model),                                                                                                  \
      (name, access, share, security, how, flags, model), INVALID_HANDLE_VALUE)

#define YOKE__SYS_CALLS(X)                                                                                             \
    YOKE__SYS_BASE_CALLS(X)                                                                                            \
    YOKE__SYS_PROCESS_CALLS(X)                                                                                         \
    YOKE__SYS_STREAM_CALLS(X)

typedef struct yoke__sys_table {
#define YOKE__SYS_MEMBER(result, name, parameters, arguments, failure) result(*name) parameters;
    YOKE__SYS_CALLS(YOKE__SYS_MEMBER)
#undef YOKE__SYS_MEMBER
} yoke__sys_table;

/* Replaced by tests only, by one thread, before others run. */
extern yoke__sys_table yoke__sys;

/* ---- the error numbers of the system, in one place --------------------------------------------------------------- */

/* The code of error.h for what GetLastError() or WSAGetLastError() has told. */
int yoke__windows_code_of(DWORD number);
/* Notes GetLastError() and "what: the system's sentence"; returns its code. */
int yoke__windows_fail(const char *what);
int yoke__windows_fail_number(DWORD number, const char *what);

/* As in core/error.h: the compiler may know that these are negative. */
#define yoke__windows_fail(what)                yoke__negative(yoke__windows_fail(what))
#define yoke__windows_fail_number(number, what) yoke__negative(yoke__windows_fail_number(number, what))
#define yoke_backend_fail(...)                  yoke__negative(yoke_backend_fail(__VA_ARGS__))

#endif
