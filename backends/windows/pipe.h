/* Named pipes: what streams and local sockets share. All pipes are overlapped, in byte mode, and refuse other machines. */
#ifndef YOKE_BACKENDS_WINDOWS_PIPE_H
#define YOKE_BACKENDS_WINDOWS_PIPE_H

#include "windows.h"

#define YOKE__PIPE_QUOTA (256u * 1024) /* bytes that one of ours holds in each direction in which it goes */

typedef enum yoke__pipe_use {
    YOKE__PIPE_FIRST = 1,  /* nobody may have a pipe of that name yet */
    YOKE__PIPE_ONE = 2,    /* and nobody may make another */
    YOKE__PIPE_ONE_WAY = 4 /* this end only reads */
} yoke__pipe_use;

/* Makes an end that listens. NULL: see GetLastError(). */
HANDLE yoke__windows_pipe_new(const wchar_t *name, SECURITY_ATTRIBUTES *security, unsigned use);
/* Connects to it. level: what it may do with this process's identity. NULL: see GetLastError(). */
HANDLE yoke__windows_pipe_connect(const wchar_t *name, bool one_way, DWORD level);

/* Writes all or nothing, without waiting: 0, or the system's number: ERROR_OPERATION_ABORTED if there was no room. Exact
 * for sizes up to the pipe's quota. */
DWORD yoke__windows_pipe_write(HANDLE pipe, const void *data, DWORD size);
/* Reads what is there, up to capacity bytes; 0 and *got 0: nothing is. */
DWORD yoke__windows_pipe_read(HANDLE pipe, void *data, DWORD capacity, DWORD *got);

#endif
