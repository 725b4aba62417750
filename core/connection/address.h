/*
 * Address strings: "unix:/path", "abstract:name", "tcp:host:port", "tcp:[::1]:port", "pipe:name". Nothing is looked up
 * and no file is touched.
 */
#ifndef YOKE_CORE_CONNECTION_ADDRESS_H
#define YOKE_CORE_CONNECTION_ADDRESS_H

#include <yoke/backend.h>

#define YOKE__ADDRESS_ROOM (YOKE_SOCKET_NAME + 32) /* bytes of any address, NUL included */

/* YOKE_EINVAL: not understood, with what is wrong; YOKE_ENOTSUP: a kind that this system doesn't have; YOKE_EMSGSIZE: the
 * name is longer than the system takes. */
int yoke__address_parse(yoke_socket_place *out, const char *address, const yoke_socket_ops *sockets);
/* The string for a place. An unnamed one is "unix:" or "tcp:". */
void yoke__address_format(char out[YOKE__ADDRESS_ROOM], const yoke_socket_place *place);

#endif
