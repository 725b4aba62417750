/* The process group of the Windows backend: what its files share. */
#ifndef YOKE_BACKENDS_WINDOWS_PROCESS_H
#define YOKE_BACKENDS_WINDOWS_PROCESS_H

#include "ready.h"

/* ---- wide.c: the API speaks UTF-8, the system UTF-16 ---- */

/* To be freed; NULL with the error noted: YOKE_EINVAL (no UTF-8), YOKE_ENOMEM. */
wchar_t *yoke__windows_wide(const char *text);
/* To be freed; NULL with the error noted. Halves of pairs that stand alone become U+FFFD. */
char *yoke__windows_narrow(const wchar_t *text);

/* ---- children.c: a child's handle is kept until the child is reaped, so that its pid is nobody else's ---- */

/* Takes a duplicate of the handle. */
int yoke__windows_child_add(int64_t pid, HANDLE process);
/* A duplicate of it, NULL if there is no such child, or the error is noted (*failed). */
HANDLE yoke__windows_child_handle(int64_t pid, bool *failed);
int    yoke__windows_reap(yoke_exit_status *out, int64_t pid);
int    yoke__windows_reap_any(yoke_exit_status *out, int64_t *pid);

/* What TerminateProcess() is told, so that the parent finds by which signal the child was ended: the low byte. No program
 * ends with such a code by itself. */
#define YOKE__ENDED_BY    0x796b0000u
#define YOKE__SIGNAL_INT  2
#define YOKE__SIGNAL_KILL 9
#define YOKE__SIGNAL_TERM 15

/* ---- own_pipe.c: a pipe whose reading end waits with a time-out ---- */

/* Nobody else can have the other end. type: PIPE_TYPE_BYTE, or PIPE_TYPE_MESSAGE for datagrams; duplex: both ends read and
 * write. A write of up to `room` bytes into an empty pipe doesn't wait. */
int yoke__windows_pipe(HANDLE ends[2], DWORD type, bool duplex, size_t room);
/* Reads once. YOKE_EEOF, YOKE_ETIMEDOUT, YOKE_EPROTO (nothing to read from), YOKE_EMSGSIZE (a datagram had more: the rest
 * is still to be read). */
int yoke__windows_read(HANDLE from, void *data, size_t size, size_t *got, int64_t deadline);
/* Reads all of size bytes. */
int yoke__windows_read_all(HANDLE from, void *data, size_t size, int64_t deadline);
/* Writes all. May wait. YOKE_EEOF: nobody will read it. */
int yoke__windows_write(HANDLE to, const void *data, size_t size);

/* ---- lifeline.c: a pipe for the start message, and a job object that ends its members with its last handle ---- */

int yoke__windows_lifeline(yoke_native ends[2]);
int yoke__windows_lifeline_arm(yoke_native end);
int yoke__windows_lifeline_write(yoke_native end, const void *data, size_t size);
int yoke__windows_lifeline_read(yoke_native end, void *data, size_t size, int64_t timeout);
/* The job that goes with a native, or NULL. It stays the lifeline's. */
HANDLE yoke__windows_lifeline_job(yoke_native end);
/* Makes a native a lifeline's end, with that job, which it takes over unless it fails. */
int yoke__windows_lifeline_note(yoke_native end, HANDLE job);
/* The native is about to be closed: its job's handle goes as well. */
void yoke__windows_lifeline_forget(yoke_native end);

/* ---- launch.c, and uv/spawn.c, whose part for this system that is ---- */

int yoke__uv_spawn(int64_t *pid, const yoke_launch *launch);
int yoke__windows_claim_natives(yoke_native *out, size_t count);

/* ---- environment.c ---- */

const char *const *yoke__windows_environment(void);

/* ---- channel.c ---- */

int yoke__windows_channel(yoke_native ends[2]);
int yoke__windows_channel_send(yoke_native end, const void *data, size_t size, const yoke_native *natives,
                               size_t count);
int yoke__windows_channel_recv(yoke_native end, void *data, size_t capacity, size_t *size, yoke_native *natives,
                               size_t natives_capacity, size_t *count, int64_t timeout);

/* ---- natives.c: handles of all kinds ---- */

void yoke__windows_native_close(yoke_native native);
int  yoke__windows_native_duplicate(yoke_native *out, yoke_native native);
bool yoke__windows_native_is_open(yoke_native native);

#endif
