/*
 * Connections on event loops of the caller's (yoke/uv.h). Such an end is in the state ON_LOOP, in which no blocking call
 * touches it: everything of it, frames and their parser included, is the loop's thread's, without turns.
 *
 *   on_loop.c        attaching, closing, what a fork means
 *   on_loop_read.c   input to messages: recv.c parses, and asks for input as ever, which here has come already or not
 *   on_loop_write.c  messages out, and how many may wait
 */
#ifndef YOKE_CORE_CONNECTION_ON_LOOP_H
#define YOKE_CORE_CONNECTION_ON_LOOP_H

#include "conn.h"

#include <yoke/backend.h>
#include <yoke/uv.h>

#define YOKE__CONN_BURST 256 /* messages that are told of at a time, of each direction: the loop has others to serve */

/* A message that was written; in the list of those under way, or of those whose users are to be told. */
typedef struct yoke__conn_write {
    struct yoke__conn_write *next;
    struct yoke__conn_loop  *loop;
    yoke_conn_written_fn    *fn;
    void                    *user;
    uint64_t                 ticket;
    int                      status;
    bool                     cancelled;
    yoke_stream_request      request;
    yoke_stream_part         part;
    uint8_t                  bytes[];
} yoke__conn_write;

typedef struct yoke__conn_writes {
    yoke__conn_write *first, **end;
} yoke__conn_writes;

typedef struct yoke__conn_loop {
    yoke__conn            *conn;
    yoke_conn             *handle; /* for the user's functions; may be closed */
    yoke_conn_loop_options options;
    bool                   closing;    /* no function of the user's any more but those of writes, and closed */
    bool                   forgotten;  /* inherited by a fork */
    bool                   in_message; /* the user's function runs, on a message that lies in the connection's memory */
    bool                   soon_asked;
    yoke_stream_request    soon;
    void (*closed)(void *user);
    void *closed_user;
    /* Reading. */
    bool                wanted;    /* by the user */
    bool                requested; /* of the stream */
    bool                asking;    /* input is there, and the parser is to say where it goes: */
    void               *at;        /* NULL: not said */
    size_t              room;
    bool                came; /* read is done, and the parser has not had it yet */
    yoke_stream_request read;
    /* Writing. */
    yoke__conn_writes       under_way, done;
    uint64_t                tickets;
    size_t                  waiting; /* bytes of messages under way */
    bool                    ending;  /* the sending side is to be shut down when nothing is under way */
    bool                    full;    /* and the user was told; is to hear when there is room */
    struct yoke__conn_loop *kept;    /* forgotten ones */
} yoke__conn_loop;

/* ---- on_loop.c ---- */

/* The loop's side of an open end, or NULL and noted: YOKE_EINVAL if it is on none. */
yoke__conn_loop *yoke__conn_loop_of(const yoke_conn *handle);
/* Has the rest done in the loop's next round. */
void yoke__conn_loop_soon(yoke__conn_loop *loop);
/* Takes an end off its loop. The handle is closed already; the connection is destroyed later. */
void yoke__conn_loop_leave(yoke__conn *conn, void (*closed)(void *user), void *user);
/* In a forked child: the end is on no loop. */
void yoke__conn_loop_forget(yoke__conn *conn);

/* ---- on_loop_read.c ---- */

/* Tells messages that have come, as far as the user wants them, and has more read. */
void yoke__conn_loop_deliver(yoke__conn_loop *loop);
/* For recv.c: whether a read is of use, since input has come, or its place is asked for. */
static inline bool yoke__conn_loop_reads(const yoke__conn_loop *loop)
{
    return loop->came || loop->asking;
}
/* For recv.c: a read of up to `capacity` bytes to `out`. NULL: nothing has come; else a request that is done. */
const yoke_stream_request *yoke__conn_loop_read(yoke__conn *conn, void *out, size_t capacity);

/* ---- on_loop_write.c ---- */

/* Tells of writes that are done, and of room. */
void yoke__conn_loop_tell(yoke__conn_loop *loop);
/* Shuts the sending side down when all that was written is with the system. */
int yoke__conn_loop_end_sending(yoke__conn_loop *loop);
/* Of a connection that has left its loop. */
void yoke__conn_loop_end_writes(yoke__conn_loop *loop);

#endif
