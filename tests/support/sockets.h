/* Listeners and clients for tests: addresses of their own, shorthands. */
#ifndef YOKE_TESTS_SOCKETS_H
#define YOKE_TESTS_SOCKETS_H

#include <yoke/yoke.h>

#define SOCKET_PATIENCE 30000

/* For a group's setup: a directory for socket files, which sockets_teardown() wants to find empty; then pipes_setup(). */
int sockets_setup(void **state);
int sockets_teardown(void **state);
/* The directory alone; not 0: it could not be made, or is not empty. */
int sockets_directory(void);
int sockets_directory_remove(void);
/* "unix:" and a path in that directory; one of a few buffers. */
const char *socket_address(const char *name);
/* Whether there is such a file; the path alone. */
bool        socket_file_exists(const char *name);
const char *socket_path(const char *name);

/* A listener; asserts. key NULL: none. */
yoke_listener *listen_at(const char *address, const char *key);
/* Both ends of a connection through a listener without a key; asserts. */
void connect_through(yoke_listener *listener, yoke_conn **client, yoke_conn **server);
/* The listener's address, in a buffer of the function's own. */
const char *address_of(const yoke_listener *listener);
/* A plain socket that is connected to what stands at that unix: or tcp: (IPv4 number) address; asserts. */
int raw_client(const char *address);
/* One message each way between two ends; asserts. */
void exchange(yoke_conn *one, yoke_conn *other);

/* A listener whose key is "secret", with that handshake_timeout; asserts. */
yoke_listener *listen_guarded(const char *address, int64_t handshake);
/* A client that has that key gets in; asserts. */
void let_guest_in(yoke_listener *listener);

#endif
