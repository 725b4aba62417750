/* Sockets that listen and connect: what the files socket*.c share. */
#ifndef YOKE_BACKENDS_POSIX_SOCKET_H
#define YOKE_BACKENDS_POSIX_SOCKET_H

#include <yoke/backend.h>

#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef union yoke__socket_address {
    struct sockaddr         any;
    struct sockaddr_storage storage;
    struct sockaddr_un      local;
} yoke__socket_address;

/* ---- socket_address.c ---- */

size_t yoke__socket_name_limit(yoke_socket_kind kind);
/* Of a path or an abstract name that keeps within the limit. */
socklen_t yoke__socket_local(yoke__socket_address *out, const yoke_socket_place *place);
/* Addresses of a TCP place, to be given to freeaddrinfo(). YOKE_ENOENT: no such host; YOKE_ENOMEM. */
int  yoke__socket_lookup(struct addrinfo **out, const yoke_socket_place *place, bool listening);
void yoke__socket_place_of(yoke_socket_place *out, const yoke__socket_address *address, socklen_t size);
/* A socket, close-on-exec and no standard descriptor; -1 with errno. */
int yoke__socket_new(int family, bool blocking);
/* Small messages go at once. */
void yoke__socket_no_delay(int fd);

/* ---- socket_file.c: files of listening sockets ---- */

/* Makes this process the only one that changes the file at path, until it unlocks or dies. May block while another does.
 */
int  yoke__socket_file_lock(int *lock, const char *path);
void yoke__socket_file_unlock(int lock, const char *path);
/* Under the lock: removes the file if it is a socket at which nobody listens. YOKE_OK: there is none now; YOKE_EEXIST. */
int yoke__socket_file_clear(const char *path);
/* Identity of the file, two numbers. */
int yoke__socket_file_identity(const char *path, uint64_t out[2]);
/* Under the lock: removes the file if it is still that one. */
void yoke__socket_file_remove(const char *path, const uint64_t identity[2]);

/* ---- slots ---- */

int yoke__socket_connect(yoke_native *out, const yoke_socket_place *place, int64_t timeout);
int yoke__socket_connect_start(yoke_native *out, const yoke_socket_place *place, size_t index);
int yoke__socket_connect_end(yoke_native native);
int yoke__socket_peer(yoke_native native, yoke_socket_peer *out);

#endif
