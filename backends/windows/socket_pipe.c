/*
 * Local sockets: named pipes. A pipe takes one client, so a listener keeps as many waiting as its back-log says, up to
 * MOST, and puts a new one in the place of each that it hands out. Who finds none free waits for one with its time-out.
 */
#include "pipe.h"
#include "socket.h"

#include <aclapi.h>
#include <sddl.h>
#include <stdlib.h>
#include <wchar.h>

#define MOST 16

/* A pipe that waits for its client. Not to be moved while it does. */
typedef struct yoke__waiting {
    HANDLE     pipe;  /* NULL: none, for lack of memory */
    bool       there; /* a client has come */
    OVERLAPPED wait;
} yoke__waiting;

/* ---- names ---- */

static int name_of(wchar_t *out, size_t capacity, const yoke_socket_place *place)
{
    static const wchar_t prefix[] = L"\\\\.\\pipe\\";
    size_t               size = sizeof prefix / sizeof *prefix - 1;

    wmemcpy(out, prefix, size);
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, place->name, -1, out + size, (int)(capacity - size)) <= 0)
        return yoke_backend_fail(YOKE_EINVAL, GetLastError(), "the name of the pipe is no UTF-8");
    return YOKE_OK;
}

/* ---- who may connect ---- */

#define OTHERS_MAY_WRITE 0006u

/* Others may use a pipe, but make none of that name. */
static int security_of(yoke__listening *listening, unsigned permissions)
{
    PSECURITY_DESCRIPTOR descriptor;

    listening->security = yoke__windows_private();
    if (listening->security == NULL)
        return yoke__noted();
    if ((permissions & OTHERS_MAY_WRITE) == 0)
        return YOKE_OK;
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(L"D:P(A;;0x0012019b;;;AU)(A;;FA;;;OW)", SDDL_REVISION_1,
                                                              &descriptor, NULL))
        return yoke__windows_fail("listening for other users");
    SECURITY_ATTRIBUTES *security = malloc(sizeof *security);
    if (security == NULL) {
        (void)LocalFree(descriptor);
        return yoke_backend_fail(YOKE_ENOMEM, 0, "no memory to listen");
    }
    *security = (SECURITY_ATTRIBUTES){.nLength = sizeof *security, .lpSecurityDescriptor = descriptor};
    listening->security = security;
    listening->opened = true;
    return YOKE_OK;
}

/* ---- waiting for clients ---- */

/* Has it wait for a client. A client that has gone again counts too: what it sent is still to be had. The event is reset
 * by this, whoever is there already: see settle(). */
static bool wait_begin(yoke__waiting *waiting, HANDLE event)
{
    waiting->wait = (OVERLAPPED){.hEvent = event};
    waiting->there = false;
    if (ConnectNamedPipe(waiting->pipe, &waiting->wait))
        return true;
    DWORD number = GetLastError();
    waiting->there = number == ERROR_PIPE_CONNECTED || number == ERROR_NO_DATA;
    return waiting->there || number == ERROR_IO_PENDING;
}

/* A new pipe in that place. */
static bool fill(yoke__listening *listening, yoke__waiting *waiting, unsigned use)
{
    waiting->pipe = yoke__windows_pipe_new(listening->name, listening->security, use);
    if (waiting->pipe == NULL)
        return false;
    if (wait_begin(waiting, listening->event))
        return true;
    DWORD number = GetLastError();
    yoke__sys.CloseHandle(waiting->pipe);
    waiting->pipe = NULL;
    SetLastError(number);
    return false;
}

static bool has_client(yoke__waiting *waiting)
{
    if (waiting->pipe != NULL && !waiting->there && HasOverlappedIoCompleted(&waiting->wait))
        waiting->there = true;
    return waiting->pipe != NULL && waiting->there;
}

/* The event says what is so. Who comes in between sets it again. */
static void settle(yoke__listening *listening)
{
    (void)ResetEvent(listening->event);
    for (size_t i = 0; i < listening->pipe_count; i++)
        if (has_client(&listening->pipes[i]))
            (void)SetEvent(listening->event);
}

/* ---- listening ---- */

static int listen_fail(const yoke_socket_place *place)
{
    DWORD number = GetLastError();

    if (number == ERROR_ACCESS_DENIED || number == ERROR_PIPE_BUSY)
        return yoke_backend_fail(YOKE_EEXIST, number, "somebody listens at the pipe '%.80s'", place->name);
    return yoke__windows_fail_number(number, "listening at a pipe");
}

/* Asks without connecting. */
static bool name_is_taken(const wchar_t *name)
{
    return WaitNamedPipeW(name, 1) || GetLastError() != ERROR_FILE_NOT_FOUND;
}

int yoke__pipe_listen(yoke__listening *listening, const yoke_socket_place *place, int backlog, unsigned permissions)
{
    size_t count = backlog < 1 ? 1 : backlog < MOST ? (size_t)backlog : MOST;

    YOKE_TRY(name_of(listening->name, sizeof listening->name / sizeof *listening->name, place));
    YOKE_TRY(security_of(listening, permissions));
    if (name_is_taken(listening->name)) {
        SetLastError(ERROR_PIPE_BUSY);
        return listen_fail(place);
    }
    listening->pipes = calloc(count, sizeof *listening->pipes);
    if (listening->pipes == NULL)
        return yoke_backend_fail(YOKE_ENOMEM, 0, "no memory to listen");
    for (; listening->pipe_count < count; listening->pipe_count++)
        if (!fill(listening, &listening->pipes[listening->pipe_count],
                  listening->pipe_count == 0 ? YOKE__PIPE_FIRST : 0))
            return listen_fail(place);
    settle(listening);
    return YOKE_OK;
}

/* Not only closed but called back first: what the system writes to is freed after this. */
static void waiting_end(yoke__waiting *waiting)
{
    DWORD nothing;

    if (waiting->pipe == NULL)
        return;
    if (!has_client(waiting)) {
        (void)CancelIoEx(waiting->pipe, &waiting->wait);
        while (!HasOverlappedIoCompleted(&waiting->wait))
            (void)GetOverlappedResult(waiting->pipe, &waiting->wait, &nothing, TRUE);
    }
    yoke__sys.CloseHandle(waiting->pipe);
}

void yoke__pipe_unlisten(yoke__listening *listening)
{
    for (size_t i = 0; i < listening->pipe_count; i++)
        waiting_end(&listening->pipes[i]);
    free(listening->pipes);
    if (listening->opened) {
        (void)LocalFree(listening->security->lpSecurityDescriptor);
        free(listening->security);
    }
}

/* ---- accepting ---- */

/* Places that were left empty for lack of memory get another try. */
static void refill(yoke__listening *listening)
{
    for (size_t i = 0; i < listening->pipe_count; i++)
        if (listening->pipes[i].pipe == NULL && !fill(listening, &listening->pipes[i], 0))
            return;
}

int yoke__pipe_accept(yoke_native *out, yoke__listening *listening)
{
    refill(listening);
    for (size_t i = 0; i < listening->pipe_count; i++) {
        yoke__waiting *waiting = &listening->pipes[i];
        if (!has_client(waiting))
            continue;
        HANDLE pipe = waiting->pipe;
        if (!fill(listening, waiting, 0)) {
            int rc = yoke__windows_fail("accepting");
            waiting->pipe = pipe; /* the client goes on waiting */
            waiting->there = true;
            settle(listening);
            return rc;
        }
        settle(listening);
        *out = yoke__native_of(pipe);
        return YOKE_OK;
    }
    settle(listening);
    return YOKE_EBUSY;
}

/* ---- connecting ---- */

static int dial_fail(DWORD number, const yoke_socket_place *place)
{
    if (number == ERROR_FILE_NOT_FOUND || number == ERROR_PATH_NOT_FOUND || number == ERROR_BAD_PATHNAME)
        return yoke_backend_fail(YOKE_ENOENT, number, "nobody listens at the pipe '%.80s'", place->name);
    return yoke__windows_fail_number(number, "connecting to a pipe");
}

/* Until one of the listener's pipes is free; 0 would be the listener's own time-out. */
static bool wait_for_pipe(const wchar_t *name, int64_t deadline)
{
    DWORD left = yoke__windows_left(deadline);

    if (left == 0)
        return false;
    (void)WaitNamedPipeW(name, left == INFINITE ? NMPWAIT_WAIT_FOREVER : left);
    return true;
}

int yoke__pipe_dial(yoke_native *out, const yoke_socket_place *place, int64_t deadline)
{
    wchar_t name[YOKE_SOCKET_NAME + 16];

    YOKE_TRY(name_of(name, sizeof name / sizeof *name, place));
    for (;;) {
        HANDLE pipe = yoke__windows_pipe_connect(name, false, SECURITY_IDENTIFICATION);
        if (pipe != NULL) {
            *out = yoke__native_of(pipe);
            return YOKE_OK;
        }
        DWORD number = GetLastError();
        if (number != ERROR_PIPE_BUSY)
            return dial_fail(number, place);
        if (!wait_for_pipe(name, deadline))
            return yoke_backend_fail(YOKE_ETIMEDOUT, number, "nobody accepted the connection in time");
    }
}

/* ---- who is there ---- */

/* Whether the pipe admits this user alone, whoever the client is. */
static bool is_private(HANDLE pipe)
{
    PSECURITY_DESCRIPTOR descriptor = NULL;
    ACL                 *acl = NULL;
    ACCESS_ALLOWED_ACE  *entry;
    const yoke__user    *user = yoke__windows_user();

    if (user == NULL ||
        GetSecurityInfo(pipe, SE_KERNEL_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, &acl, NULL, &descriptor) != 0)
        return false;
    bool alone = acl != NULL && acl->AceCount == 1 && GetAce(acl, 0, (void **)&entry) &&
                 entry->Header.AceType == ACCESS_ALLOWED_ACE_TYPE && EqualSid((PSID)&entry->SidStart, (PSID)user->sid);
    (void)LocalFree(descriptor);
    return alone;
}

static bool is_of_this_user(ULONG pid)
{
    union {
        TOKEN_USER user;
        uint8_t    bytes[sizeof(TOKEN_USER) + YOKE__USER_SID];
    } room;
    HANDLE            token, process = yoke__sys.OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
    DWORD             size;
    const yoke__user *user = yoke__windows_user();
    bool              same = false;

    if (process == NULL)
        return false;
    if (user != NULL && yoke__sys.OpenProcessToken(process, TOKEN_QUERY, &token)) {
        same = yoke__sys.GetTokenInformation(token, TokenUser, &room, sizeof room, &size) &&
               EqualSid(room.user.User.Sid, (PSID)user->sid);
        yoke__sys.CloseHandle(token);
    }
    yoke__sys.CloseHandle(process);
    return same;
}

int yoke__pipe_peer(yoke_native native, yoke_socket_peer *out)
{
    HANDLE pipe = yoke__handle_of(native);
    DWORD  flags, to_client, to_server;
    ULONG  pid = 0;

    if (!GetNamedPipeInfo(pipe, &flags, &to_client, &to_server, NULL) || to_client == 0 || to_server == 0)
        return yoke_backend_fail(YOKE_ENOTSUP, GetLastError(), "not a two-way pipe, so nobody is told");
    if (!(flags & PIPE_SERVER_END ? GetNamedPipeClientProcessId(pipe, &pid) : GetNamedPipeServerProcessId(pipe, &pid)))
        return yoke__windows_fail("asking who is at the other end");
    out->place.kind = YOKE_SOCKET_PIPE;
    out->pid = pid;
    out->same_user = is_private(pipe) || is_of_this_user(pid);
    return YOKE_OK;
}
