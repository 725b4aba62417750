/*
 * What a program that libuv starts is given. libuv passes on standard handles, and as descriptor 3 the reading end of a
 * pipe. All else is put into the child by this process once it runs, handle by handle, and the child learns their values
 * through that pipe: so it gets exactly what its launch names, and no handle is inheritable but libuv's own, for a moment.
 *
 * libuv would put its children into a job object that ends them with this process. Only those that asked for it are to
 * end with it (lifeline.c), so they are started as detached, which leaves them out; the child goes to this process's
 * console by itself.
 */
#include "../uv/launch.h"

#include "../uv/uv.h"
#include "process.h"

#include <stdlib.h>
#include <string.h>

#define CHANNEL_FD 3
#define MAGIC      0x79686e64u /* "yhnd" */

/* What goes through the pipe: head, entries, then what Winsock needs for each socket. */
typedef struct head {
    uint32_t magic, count;
} head;
typedef struct entry {
    uint64_t value; /* in the child; of a socket: place among the sockets */
    uint64_t job;   /* of a lifeline; in the child. 0: it is none */
    uint64_t is_socket;
} entry;

int yoke__uv_own_program(char *out, size_t size)
{
    int rc = uv_exepath(out, &size);

    return rc == 0 ? YOKE_OK
                   : yoke_backend_fail(yoke__uv_code(rc), rc, "this executable can't be found: %s", uv_strerror(rc));
}

/* ---- before the start ---- */

static const DWORD standard[3] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};

/* libuv takes descriptors of its C runtime, which own what they are made of. */
static int add_descriptor(uv_stdio_container_t *out, HANDLE handle)
{
    HANDLE self = GetCurrentProcess(), copy;

    if (!yoke__sys.DuplicateHandle(self, handle, self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS))
        return yoke__windows_fail("duplicating a standard handle");
    int fd = uv_open_osfhandle(copy);
    if (fd < 0) {
        yoke__sys.CloseHandle(copy);
        return yoke_backend_fail(YOKE_EINVAL, 0, "a handle can't be made a standard one");
    }
    out->flags = UV_INHERIT_FD;
    out->data.fd = fd;
    return YOKE_OK;
}

static int describe_stdio(uv_stdio_container_t *out, yoke_native target, int number)
{
    HANDLE handle = target == YOKE_STDIO_INHERIT ? GetStdHandle(standard[number]) : yoke__handle_of(target);

    out->flags = UV_IGNORE; /* libuv opens the null device */
    if (target == YOKE_STDIO_NULL || !handle || handle == INVALID_HANDLE_VALUE)
        return YOKE_OK;
    if (target == YOKE_STDIO_INHERIT && !yoke__windows_native_is_open((yoke_native)handle))
        return YOKE_OK; /* this process has closed its own */
    return add_descriptor(out, handle);
}

/* Room for all that will be written, so that a child that doesn't read can't hold this process up. */
static size_t handover_size(size_t count)
{
    return sizeof(head) + count * (sizeof(entry) + sizeof(WSAPROTOCOL_INFOW));
}

static int make_channel(yoke__uv_outfit *out, size_t count)
{
    HANDLE ends[2];

    YOKE_TRY(yoke__windows_pipe(ends, PIPE_TYPE_BYTE, false, handover_size(count)));
    int rc = add_descriptor(&out->natives[CHANNEL_FD], ends[0]);
    yoke__sys.CloseHandle(ends[0]);
    if (rc < 0)
        yoke__sys.CloseHandle(ends[1]);
    else
        out->pipe[1] = yoke__native_of(ends[1]);
    return rc;
}

int yoke__uv_outfit_make(yoke__uv_outfit *out, const yoke_launch *launch)
{
    yoke__uv_outfit made = {
        .natives = calloc(CHANNEL_FD + 1, sizeof *made.natives),
        .count = CHANNEL_FD + 1,
        .flags = UV_PROCESS_WINDOWS_HIDE | UV_PROCESS_DETACHED,
        .pipe = {YOKE_NO_NATIVE, YOKE_NO_NATIVE},
    };
    int rc = YOKE_OK;

    if (!made.natives)
        return yoke_backend_fail(YOKE_ENOMEM, ERROR_NOT_ENOUGH_MEMORY, "no memory to start a program");
    for (int i = 0; i < 3 && rc == YOKE_OK; i++)
        rc = describe_stdio(&made.natives[i], launch->stdio[i], i);
    if (rc == YOKE_OK)
        rc = make_channel(&made, launch->inherit_count);
    if (rc < 0)
        yoke__uv_outfit_free(&made);
    else
        *out = made;
    return rc;
}

void yoke__uv_outfit_free(yoke__uv_outfit *outfit)
{
    for (int i = 0; i < outfit->count; i++) {
        uv_fs_t request;
        if (outfit->natives[i].flags != UV_INHERIT_FD)
            continue;
        (void)uv_fs_close(NULL, &request, outfit->natives[i].data.fd, NULL);
        uv_fs_req_cleanup(&request);
    }
    if (outfit->pipe[1] != YOKE_NO_NATIVE)
        yoke__sys.CloseHandle(yoke__handle_of(outfit->pipe[1]));
    free(outfit->natives);
}

/* ---- handing over, by the starter ---- */

typedef struct handover {
    HANDLE             child;
    DWORD              pid;
    size_t             count, socket_count;
    head              *bytes; /* head and entries */
    entry             *entries;
    WSAPROTOCOL_INFOW *sockets;
} handover;

static int put_handle(const handover *to, uint64_t *value, HANDLE handle)
{
    HANDLE there;

    if (!yoke__sys.DuplicateHandle(GetCurrentProcess(), handle, to->child, &there, 0, FALSE, DUPLICATE_SAME_ACCESS))
        return yoke__windows_fail("handing a handle to a child");
    *value = (uint64_t)(uintptr_t)there;
    return YOKE_OK;
}

static int put_native(handover *to, entry *out, yoke_native native)
{
    HANDLE job = yoke__windows_lifeline_job(native);

    if (yoke__windows_is_socket(native)) {
        out->is_socket = 1;
        out->value = to->socket_count;
        if (yoke__sys.WSADuplicateSocketW((SOCKET)native, to->pid, &to->sockets[to->socket_count]) != 0)
            return yoke__windows_fail("handing a socket to a child");
        to->socket_count++;
        return YOKE_OK;
    }
    if (job)
        YOKE_TRY(put_handle(to, &out->job, job));
    return put_handle(to, &out->value, yoke__handle_of(native));
}

static int put_all(handover *to, const yoke_launch *launch, HANDLE pipe)
{
    for (size_t i = 0; i < to->count; i++)
        YOKE_TRY(put_native(to, &to->entries[i], launch->inherit[i]));
    YOKE_TRY(yoke__windows_write(pipe, to->bytes, sizeof(head) + to->count * sizeof(entry)));
    if (to->socket_count == 0)
        return YOKE_OK;
    return yoke__windows_write(pipe, to->sockets, to->socket_count * sizeof *to->sockets);
}

static int hand_over(HANDLE child, DWORD pid, const yoke_launch *launch, HANDLE pipe)
{
    size_t   count = launch->inherit_count;
    handover to = {.child = child, .pid = pid, .count = count, .bytes = calloc(1, handover_size(count))};

    if (!to.bytes)
        return yoke_backend_fail(YOKE_ENOMEM, ERROR_NOT_ENOUGH_MEMORY, "no memory to hand %zu handles to a child",
                                 count);
    *to.bytes = (head){.magic = MAGIC, .count = (uint32_t)count};
    to.entries = (entry *)(void *)(to.bytes + 1);
    to.sockets = (WSAPROTOCOL_INFOW *)(void *)(to.entries + count);
    int rc = put_all(&to, launch, pipe);
    free(to.bytes);
    return rc;
}

static bool is_ending(HANDLE child)
{
    DWORD code = STILL_ACTIVE;

    return yoke__sys.GetExitCodeProcess(child, &code) && code != STILL_ACTIVE;
}

/* A child that is dead already is no failure: whoever watches it will see. */
int yoke__uv_hand_over(yoke__uv_outfit *outfit, const uv_process_t *process, const yoke_launch *launch)
{
    HANDLE child = process->process_handle;
    int    rc = yoke__windows_child_add(process->pid, child);

    if (rc == YOKE_OK) {
        yoke_exit_status ignored;
        rc = hand_over(child, (DWORD)process->pid, launch, yoke__handle_of(outfit->pipe[1]));
        if (rc == YOKE_OK || is_ending(child))
            return YOKE_OK;
        (void)yoke__sys.TerminateProcess(child, YOKE__ENDED_BY | YOKE__SIGNAL_KILL);
        (void)yoke__sys.WaitForSingleObject(child, INFINITE);
        (void)yoke__windows_reap(&ignored, process->pid);
        return rc;
    }
    (void)yoke__sys.TerminateProcess(child, YOKE__ENDED_BY | YOKE__SIGNAL_KILL);
    return rc;
}

/* ---- claiming, by the child ---- */

/* What a C runtime is told of the descriptors that its parent gave it: count, a byte of flags for each, a handle for each.
 * Read here, since it needn't be libuv's runtime that has taken them. */
static HANDLE given_channel(void)
{
    STARTUPINFOW given = {.cb = sizeof given};
    int          count = 0;
    HANDLE       handle = INVALID_HANDLE_VALUE;
    size_t       flags = sizeof count;

    GetStartupInfoW(&given);
    if (!given.lpReserved2 || given.cbReserved2 < sizeof count)
        return INVALID_HANDLE_VALUE;
    memcpy(&count, given.lpReserved2, sizeof count);
    if (count <= CHANNEL_FD || given.cbReserved2 < flags + (size_t)count * (1 + sizeof handle))
        return INVALID_HANDLE_VALUE;
    memcpy(&handle, given.lpReserved2 + flags + (size_t)count + CHANNEL_FD * sizeof handle, sizeof handle);
    return handle;
}

/* The descriptor goes too if libuv's runtime, which is most often everybody's, has it. */
static void close_channel(HANDLE channel)
{
    uv_fs_t request;

    (void)
        uv_hrtime(); /* libuv is initialised: from now on its runtime doesn't end programs that ask for wrong numbers */
    if (uv_get_osfhandle(CHANNEL_FD) != channel) {
        yoke__sys.CloseHandle(channel);
        return;
    }
    (void)uv_fs_close(NULL, &request, CHANNEL_FD, NULL);
    uv_fs_req_cleanup(&request);
}

static int take_socket(yoke_native *out, HANDLE channel)
{
    WSAPROTOCOL_INFOW info;

    YOKE_TRY(yoke__windows_read_all(channel, &info, sizeof info, INT64_MAX));
    YOKE_TRY(yoke__windows_winsock());
    SOCKET taken = yoke__sys.WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                                        WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (taken == INVALID_SOCKET)
        return yoke__windows_fail("taking a socket over");
    *out = (yoke_native)taken;
    return YOKE_OK;
}

/* Entries first; then, in the same order, what its sockets need. */
static int take_all(yoke_native *out, size_t count, HANDLE channel, entry *entries)
{
    head first;

    YOKE_TRY(yoke__windows_read_all(channel, &first, sizeof first, INT64_MAX));
    if (first.magic != MAGIC || first.count != count)
        return yoke_backend_fail(
            YOKE_EPROTO, 0, "descriptor %d is no channel of this library's, or tells of other handles", CHANNEL_FD);
    YOKE_TRY(yoke__windows_read_all(channel, entries, count * sizeof *entries, INT64_MAX));
    for (size_t i = 0; i < count; i++) {
        if (entries[i].is_socket) {
            YOKE_TRY(take_socket(&out[i], channel));
            continue;
        }
        out[i] = (yoke_native)entries[i].value;
        if (entries[i].job)
            YOKE_TRY(yoke__windows_lifeline_note(out[i], (HANDLE)(uintptr_t)entries[i].job));
    }
    return YOKE_OK;
}

/* Started as detached, it has no console; Ctrl-C is to reach it as it reaches its parent. */
static void join_console(void)
{
    if (AttachConsole(ATTACH_PARENT_PROCESS))
        (void)SetConsoleCtrlHandler(NULL, FALSE);
}

int yoke__windows_claim_natives(yoke_native *out, size_t count)
{
    HANDLE channel = given_channel();

    if (channel == INVALID_HANDLE_VALUE || GetFileType(channel) != FILE_TYPE_PIPE)
        return yoke_backend_fail(YOKE_EPROTO, 0, "it has no descriptor %d, or that is no pipe", CHANNEL_FD);
    entry *entries = calloc(count, sizeof *entries);
    if (!entries)
        return yoke_backend_fail(YOKE_ENOMEM, ERROR_NOT_ENOUGH_MEMORY, "no memory for %zu handles", count);
    int rc = take_all(out, count, channel, entries);
    free(entries);
    close_channel(channel);
    if (rc == YOKE_OK)
        join_console();
    return rc;
}
