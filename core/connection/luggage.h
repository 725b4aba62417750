/*
 * What comes along with the bytes of a connection: natives, until the message that they belong to is received, and
 * handles made of them. All of it is guarded by the receiving turn.
 *
 * Which message a native belongs to. It is sent with the first byte of its message, and read together with that byte and
 * perhaps others; so it is kept with the range of bytes that it came with, and a message looks for the native whose range
 * has its own first byte. A random number in both says that they belong together. What no message asked for is closed
 * when the bytes that it came with have been received.
 */
#ifndef YOKE_CORE_CONNECTION_LUGGAGE_H
#define YOKE_CORE_CONNECTION_LUGGAGE_H

#include <yoke/backend.h>

struct yoke__conn;
struct yoke__unbundled;

/* One belongs to the message that is being received, one to the next, of which the beginning has been read ahead. Who
 * sends more sends what no message asked for. */
#define YOKE__ARRIVALS 4u

typedef struct yoke__arrival {
    yoke_native native;
    uint64_t    from, to; /* it came with bytes [from, to) of the stream */
} yoke__arrival;

typedef struct yoke__luggage {
    yoke__arrival           arrived[YOKE__ARRIVALS]; /* in order */
    size_t                  count;
    uint64_t                frame_at; /* first byte of the message whose header was read last */
    struct yoke__unbundled *opened;   /* of that message, if not all of its handles could be had; or NULL */
} yoke__luggage;

/* A native came with the last `size` bytes read. Takes it over. */
void yoke__luggage_add(struct yoke__conn *conn, yoke_native native, uint64_t from, uint64_t to);
/* A header was read that begins at this byte of the stream. */
void yoke__luggage_header(struct yoke__conn *conn, uint64_t at);
/* What belongs to the message that was read last, the caller's now; or YOKE_NO_NATIVE. */
yoke_native yoke__luggage_take(struct yoke__conn *conn);
/* Keeps what could be had of a message's handles until that is received again. False: no memory. */
bool yoke__luggage_keep(struct yoke__conn *conn, struct yoke__unbundled *opened);
/* A message was received or skipped, and the next begins at this byte: what belongs to earlier ones goes. */
void yoke__luggage_clear(struct yoke__conn *conn, uint64_t at);
/* All of it goes. */
void yoke__luggage_free(struct yoke__conn *conn);

#endif
