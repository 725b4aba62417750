/*
 * Channels: a pipe that keeps datagrams apart, between related processes of one user. Handles go beside the data as
 * numbers: the sender makes a second handle of each, and the receiver moves that one out of the sender. What nobody
 * receives goes when the sender ends; what the sender doesn't live to see received is lost with it.
 */
#include "process.h"

#include <stdlib.h>
#include <string.h>

#define NATIVES_MAX 253
#define ROOM        65536

typedef struct head {
    uint32_t pid; /* of the sender */
    uint32_t count;
    uint64_t natives[NATIVES_MAX];
} head;

static size_t head_size(size_t count)
{
    return offsetof(head, natives) + count * sizeof(uint64_t);
}

int yoke__windows_channel(yoke_native ends[2])
{
    HANDLE pipe[2];

    YOKE_TRY(yoke__windows_pipe(pipe, PIPE_TYPE_MESSAGE, true, ROOM));
    ends[0] = yoke__native_of(pipe[0]);
    ends[1] = yoke__native_of(pipe[1]);
    return YOKE_OK;
}

/* ---- sending ---- */

static void drop_copies(const head *from)
{
    for (uint32_t i = 0; i < from->count; i++)
        yoke__sys.CloseHandle((HANDLE)(uintptr_t)from->natives[i]);
}

static int copy_native(head *out, yoke_native native)
{
    HANDLE self = GetCurrentProcess(), copy;

    if (yoke__windows_is_socket(native))
        return yoke_backend_fail(YOKE_ENOTSUP, 0, "a socket can't go through a channel: it is copied for one process");
    if (!yoke__windows_native_is_open(native))
        return yoke_backend_fail(YOKE_EINVAL, ERROR_INVALID_HANDLE, "a handle to be sent along is not open");
    if (!yoke__sys.DuplicateHandle(self, yoke__handle_of(native), self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS))
        return yoke__windows_fail("duplicating a handle to be sent along");
    out->natives[out->count++] = (uint64_t)(uintptr_t)copy;
    return YOKE_OK;
}

static int copy_natives(head *out, const yoke_native *natives, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int rc = copy_native(out, natives[i]);
        if (rc < 0) {
            drop_copies(out);
            return rc;
        }
    }
    return YOKE_OK;
}

static int send_with(yoke_native end, const head *first, const void *data, size_t size)
{
    size_t   front = head_size(first->count);
    uint8_t *bytes = malloc(front + size);

    if (!bytes)
        return yoke_backend_fail(YOKE_ENOMEM, ERROR_NOT_ENOUGH_MEMORY, "no memory for a datagram of %zu bytes", size);
    memcpy(bytes, first, front);
    memcpy(bytes + front, data, size);
    int rc = yoke__windows_write(yoke__handle_of(end), bytes, front + size);
    free(bytes);
    return rc;
}

int yoke__windows_channel_send(yoke_native end, const void *data, size_t size, const yoke_native *natives, size_t count)
{
    head first = {.pid = GetCurrentProcessId()};

    if (size == 0 || size > INT32_MAX || count > NATIVES_MAX)
        return yoke_backend_fail(size > INT32_MAX ? YOKE_EMSGSIZE : YOKE_EINVAL, 0,
                                 "a datagram has at least one byte and carries at most %d handles, not %zu",
                                 NATIVES_MAX, count);
    YOKE_TRY(copy_natives(&first, natives, count));
    int rc = send_with(end, &first, data, size);
    if (rc < 0)
        drop_copies(&first);
    return rc;
}

/* ---- receiving ---- */

/* Moves them here; those that fail are lost. How many came. */
static size_t take_natives(const head *from, yoke_native *natives)
{
    HANDLE sender = from->count ? yoke__sys.OpenProcess(PROCESS_DUP_HANDLE, FALSE, from->pid) : NULL;
    HANDLE self = GetCurrentProcess(), taken;
    size_t came = 0;

    for (uint32_t i = 0; sender && i < from->count; i++)
        if (yoke__sys.DuplicateHandle(sender, (HANDLE)(uintptr_t)from->natives[i], self, &taken, 0, FALSE,
                                      DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE))
            natives[came++] = yoke__native_of(taken);
    if (sender)
        yoke__sys.CloseHandle(sender);
    return came;
}

static void drop_natives(const head *from)
{
    yoke_native natives[NATIVES_MAX];
    size_t      count = take_natives(from, natives);

    while (count > 0)
        yoke__windows_native_close(natives[--count]);
}

/* What is left of a datagram that was too long. */
static void skip_rest(HANDLE from)
{
    uint8_t waste[4096];
    size_t  got;

    while (yoke__windows_read(from, waste, sizeof waste, &got, INT64_MAX) == YOKE_EMSGSIZE)
        continue;
}

/* Of a datagram that is whole: its head, and where its data begins. */
static int parse(head *first, const uint8_t *bytes, size_t got)
{
    if (got < head_size(0))
        return yoke_backend_fail(YOKE_EPROTO, 0, "what came through a channel is no datagram");
    memcpy(first, bytes, head_size(0));
    if (first->count > NATIVES_MAX || got < head_size(first->count))
        return yoke_backend_fail(YOKE_EPROTO, 0, "what came through a channel is no datagram");
    memcpy(first, bytes, head_size(first->count));
    return YOKE_OK;
}

static int too_long(const head *first, size_t capacity, size_t natives_capacity)
{
    drop_natives(first);
    return yoke_backend_fail(YOKE_EMSGSIZE, 0, "a datagram exceeded %zu bytes or %zu handles", capacity,
                             natives_capacity);
}

static int receive(HANDLE from, uint8_t *bytes, size_t room, head *first, size_t *got, int64_t timeout)
{
    int rc = yoke__windows_read(from, bytes, room, got, yoke__windows_deadline(timeout));

    if (rc == YOKE_EMSGSIZE) {
        skip_rest(from);
        *got = room;
    } else {
        YOKE_TRY(rc);
    }
    YOKE_TRY(parse(first, bytes, *got));
    return rc;
}

int yoke__windows_channel_recv(yoke_native end, void *data, size_t capacity, size_t *size, yoke_native *natives,
                               size_t natives_capacity, size_t *count, int64_t timeout)
{
    head     first = {.count = 0};
    size_t   room = sizeof first + capacity, got = 0;
    uint8_t *bytes = malloc(room);

    if (!bytes)
        return yoke_backend_fail(YOKE_ENOMEM, ERROR_NOT_ENOUGH_MEMORY, "no memory for a datagram");
    int    rc = receive(yoke__handle_of(end), bytes, room, &first, &got, timeout);
    size_t front = head_size(first.count);
    if (rc == YOKE_EMSGSIZE || (rc == YOKE_OK && (got - front > capacity || first.count > natives_capacity)))
        rc = too_long(&first, capacity, natives_capacity);
    if (rc == YOKE_OK) {
        memcpy(data, bytes + front, got - front);
        *size = got - front;
        *count = take_natives(&first, natives);
    }
    free(bytes);
    if (rc == YOKE_OK && *count < first.count) {
        while (*count > 0)
            yoke__windows_native_close(natives[--*count]);
        return yoke_backend_fail(YOKE_ENOMEM, 0, "handles that a datagram carried can't be taken over");
    }
    return rc;
}
