/*
 * Input on natives of any kind, as an event to wait for. What can be waited for by itself (an event, a process) is its own
 * event. A pipe or a socket has none on this system: a read of no bytes is begun there, which takes nothing and is done
 * when something has come or the other end is gone; any number of them may be under way.
 */
#ifndef YOKE_BACKENDS_WINDOWS_READY_H
#define YOKE_BACKENDS_WINDOWS_READY_H

#include "windows.h"

/* Not to be moved from begin to end: the system writes into it. */
typedef struct yoke__ready {
    HANDLE     event;  /* set while there is input; for waiting only */
    HANDLE     stream; /* the pipe or socket with a read under way, or NULL */
    OVERLAPPED read;
} yoke__ready;

/* Whether a native is a pipe or a socket, and can't be waited for by itself. */
bool yoke__windows_is_stream(yoke_native native);
/* Whether it is a socket. */
bool yoke__windows_is_socket(yoke_native native);
/* YOKE_ENOMEM; YOKE_EINVAL: neither. */
int  yoke__windows_ready_begin(yoke__ready *ready, yoke_native native);
bool yoke__windows_ready_look(const yoke__ready *ready);
void yoke__windows_ready_end(yoke__ready *ready);

/* Makes sure that Winsock is there, once for the process. */
int yoke__windows_winsock(void);

#endif
