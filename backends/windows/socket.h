/* Sockets that listen and connect: what the files socket*.c share. Local ones are named pipes. */
#ifndef YOKE_BACKENDS_WINDOWS_SOCKET_H
#define YOKE_BACKENDS_WINDOWS_SOCKET_H

#include "windows.h"

#include <ws2tcpip.h>

/* Something that listens in this process. Core knows it by its event, which is set while somebody waits to be accepted. */
typedef struct yoke__listening {
    struct yoke__listening *next;
    HANDLE                  event;
    SOCKET                  socket; /* of TCP, or INVALID_SOCKET */
    struct yoke__waiting   *pipes;  /* or NULL; see socket_pipe.c */
    size_t                  pipe_count;
    SECURITY_ATTRIBUTES    *security; /* of the pipes; the system's own to be freed if `opened` */
    bool                    opened;   /* to other users */
    wchar_t                 name[YOKE_SOCKET_NAME + 16];
} yoke__listening;

/* ---- socket_tcp.c ---- */

int yoke__tcp_listen(yoke__listening *listening, yoke_socket_listener *out, const yoke_socket_place *place,
                     int backlog);
int yoke__tcp_accept(yoke_native *out, yoke__listening *listening);
int yoke__tcp_connect(yoke_native *out, const yoke_socket_place *place, int64_t deadline);
int yoke__tcp_peer(yoke_native native, yoke_socket_peer *out);

/* ---- socket_pipe.c ---- */

int  yoke__pipe_listen(yoke__listening *listening, const yoke_socket_place *place, int backlog, unsigned permissions);
void yoke__pipe_unlisten(yoke__listening *listening);
int  yoke__pipe_accept(yoke_native *out, yoke__listening *listening);
int  yoke__pipe_dial(yoke_native *out, const yoke_socket_place *place, int64_t deadline);
int  yoke__pipe_peer(yoke_native native, yoke_socket_peer *out);

#endif
