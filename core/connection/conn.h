/*
 * Connections inside: one end of a stream of frames.
 *
 *   conn.c    life: making, entering, closing, what a fork means
 *   send.c    frames out; a frame that has begun is finished whatever happens to the call
 *   recv.c    frames in, read ahead as far as they are there; recv_calls.c: one message
 *   batch.c   several at a time
 *   values.c  strings, formats, variants on top
 *   pipe.c    connected pairs
 *   move.c    passing an end to another process
 *   share.c   several processes that send on one end
 *   luggage.c, bundle_pack.c, bundle_open.c, parcel.c   handles in messages
 *   on_loop.h ends on event loops of the caller's
 *   wait.c    an end as something to wait for besides other things
 *
 * Threads take turns at sending and at receiving, a message at a time. What a turn guards says so below; the rest is
 * constant. Locks: `all` in conn.c, and `guard`; none is held while waiting, only turns.
 */
#ifndef YOKE_CORE_CONNECTION_CONN_H
#define YOKE_CORE_CONNECTION_CONN_H

#include "../domain/object.h"
#include "../local.h"
#include "frame.h"
#include "luggage.h"
#include "share.h"
#include "turn.h"

#include <yoke/conn.h>

struct yoke_conn {
    yoke__handle handle; /* extra: the yoke__conn */
};

#define YOKE__CONN_BUFFER ((size_t)64 * 1024) /* read ahead at most */
#define YOKE__CONN_FLUSH  INT64_C(1000)       /* ms that closing waits for a message under way */

/* In yoke__conn.flags and what is passed on, beside the stream's: a reset says that something may be lost. Not so between
 * processes of one machine, where it only says that the other end was closed with messages unread. */
#define YOKE__CONN_REMOTE 8u

/* States of an end, in yoke__conn.state. */
enum {
    YOKE__CONN_OPEN = 0,
    YOKE__CONN_MOVING = 1, /* between prepare and commit or abort; both turns are taken */
    YOKE__CONN_MOVED = 2,
    YOKE__CONN_NOT_PASSED = 3, /* closed in a forked child that it wasn't passed to */
    YOKE__CONN_ON_LOOP = 4     /* of the caller's; on_loop.h. Never comes back but by a fork */
};

/* The rest of a message whose call has ended; written whenever the loop runs. */
typedef struct yoke__conn_rest {
    yoke_stream_request request;
    yoke_stream_part    part;
    uint8_t             bytes[];
} yoke__conn_rest;

typedef struct yoke__conn {
    yoke_conn              *handle;
    yoke_stream            *stream; /* NULL in MOVED and NOT_PASSED; changes with both turns taken and `guard` held */
    yoke__mutex             guard;  /* keeps the stream from going while a closer interrupts it */
    uint32_t                flags;  /* YOKE_STREAM_READ, YOKE_STREAM_WRITE, YOKE__CONN_REMOTE */
    uint64_t                max_message; /* UINT64_MAX: no limit */
    yoke__a32               state;
    struct yoke__conn      *next, **link; /* of all connections; under `all`. link NULL: not among them any more */
    struct yoke__conn_loop *loop; /* in ON_LOOP, else NULL; changes with both turns taken, or by the loop's thread */

    yoke__turn     receiving;      /* guards the following */
    int            receive_broken; /* YOKE_OK, or why nothing more can be received */
    uint8_t       *buffer;         /* bytes read ahead, [head, tail); NULL while there are none */
    size_t         head, tail, capacity;
    bool           in_frame; /* a header was read: */
    uint64_t       frame;    /* size of its message; afterwards, of the last one */
    yoke_message  *partial;  /* what a call that ran out of time had received of it, or NULL */
    size_t         partial_size, partial_capacity;
    uint64_t       dropping; /* bytes still to come of a message that was skipped */
    uint64_t       came;     /* bytes read of the stream so far */
    yoke__luggage *luggage;  /* what came along with them, or NULL */

    yoke__turn       sending; /* guards the following */
    int              send_broken;
    yoke__conn_rest *rest;          /* or NULL */
    yoke__conn_rest *stale;         /* the rest that a fork left in the child's memory, or NULL */
    yoke__handle    *share;         /* turns of the processes that send on this end, or NULL: this one only */
    bool             share_entered; /* it is this end's turn, perhaps beyond a call */
} yoke__conn;

/* ---- conn.c ---- */

/* Makes an end of an open native, which it takes over on success. flags: YOKE_STREAM_READ, YOKE_STREAM_WRITE,
 * YOKE__CONN_REMOTE. */
int yoke__conn_create(yoke_conn **out, yoke_native native, uint32_t flags, uint64_t max_message);
/* Checks the handle and holds it, so that close waits. NULL: noted (YOKE_EINVAL, YOKE_ECLOSED). */
yoke__conn *yoke__conn_enter(const yoke_conn *conn);
void        yoke__conn_leave(yoke__conn *conn);
/* enter, and takes the turn. YOKE_EINVAL also if the end can't do that (`need`: YOKE_STREAM_READ or _WRITE);
 * YOKE_EMOVED; YOKE_ETIMEDOUT; YOKE_ECLOSED; what has broken that direction. */
int  yoke__conn_begin(yoke__conn **out, const yoke_conn *handle, uint32_t need, yoke__deadline deadline);
void yoke__conn_end(yoke__conn *conn, uint32_t need);
/* YOKE_OK, or notes why an end in this state can't be used. */
int yoke__conn_usable(yoke__conn *conn);
/* The same for blocking calls: YOKE_EBUSY, it is on an event loop. */
int yoke__conn_off_loop(yoke__conn *conn);
/* yoke_conn_close(); closed: for an end on a loop, called by that when it is closed. */
void yoke__conn_close(yoke_conn *handle, void (*closed)(void *user), void *user);
/* Frees a connection whose handle is closed. */
void yoke__conn_destroy(yoke__conn *conn);
/* Memory for reading ahead, YOKE__CONN_BUFFER bytes; a few are kept. NULL: no memory, noted. */
uint8_t *yoke__conn_buffer_take(void);
void     yoke__conn_buffer_give(uint8_t *buffer);
/* Finishes messages under way on all ends, for timeout ms at most; for the end of the process. False: some are left. */
bool yoke__conn_flush_all(int64_t timeout);
/* Closes the stream, if there is one, and sets the state that tells why. Both turns taken, or no other thread. */
void yoke__conn_drop_stream(yoke__conn *conn, uint32_t state);
/* In a child forked by yoke: closes every end but those in keep, which the child was passed and which work there under
 * the same handles. The others answer YOKE_ECLOSED. By the only thread. */
void yoke__conn_close_inherited(yoke_conn *const *keep, size_t count);

/* ---- send.c; sending turn taken ---- */

/* Sends one message. As yoke_conn_send(). */
int yoke__conn_send(yoke__conn *conn, const void *data, size_t size, yoke__deadline deadline);
/* The same, and a native that goes along; YOKE_NO_NATIVE: none. */
int yoke__conn_send_with(yoke__conn *conn, const void *data, size_t size, yoke_native native, yoke__deadline deadline);
/* Waits for the rest of an earlier message. YOKE_OK: none is left; YOKE_ETIMEDOUT; YOKE_EBROKEN. */
int yoke__conn_flush(yoke__conn *conn, yoke__deadline deadline);
/* Has the other side come to the end of the stream. By whoever may send, when all that was sent is with the system. */
int yoke__conn_send_end(yoke__conn *conn);

/* ---- recv.c; receiving turn taken ---- */

/* Waits for the header of the next message; its size is then conn->frame. YOKE_ETIMEDOUT, YOKE_EEOF, YOKE_EBROKEN,
 * YOKE_EPROTO; YOKE_EMSGSIZE: over the end's limit (conn->frame is set). */
int yoke__conn_header(yoke__conn *conn, yoke__deadline deadline);
/* Receives the message whose header was read into memory for conn->frame bytes and goes on to the next. If time runs
 * out, what has come is kept for the next call. */
int yoke__conn_payload(yoke__conn *conn, void *out, yoke__deadline deadline);
/* The same as an owned message. Its memory grows with what comes, not with what the header claims. */
int yoke__conn_payload_message(yoke__conn *conn, yoke_message **out, yoke__deadline deadline);
/* Whether receiving would have an answer without reading anything more: a whole message, or why there is none. */
bool yoke__conn_has_answer(const yoke__conn *conn);
/* For loops: the message whose header was read, where it lies; YOKE_ETIMEDOUT: it has not come whole. Then it is done
 * with. */
int  yoke__conn_view(yoke__conn *conn, const void **data, yoke__deadline deadline);
void yoke__conn_view_done(yoke__conn *conn);
/* Goes on to the next message without receiving this one, which may still be coming. */
void yoke__conn_pass_over(yoke__conn *conn);
/* Gives memory back that nothing is in. */
void yoke__conn_settle(yoke__conn *conn);
/* Gives a message just received back: it is the next one again. */
void yoke__conn_unreceive(yoke__conn *conn, yoke_message *message);
/* Whether the next message lies whole in memory, so that receiving it takes no read; *size is its size. */
bool yoke__conn_next_is_there(const yoke__conn *conn, uint64_t *size);
/* Waits for input. */
int yoke__conn_input(yoke__conn *conn, yoke__deadline deadline);

/* ---- move.c: passing an end to a process that is being started ---- */

/*
 * For the giver: prepare, hand native and state to the child, then commit (this process's copy is closed, the handle
 * answers YOKE_EMOVED) or abort (nothing has happened). Between them the end is out of use: other threads' calls wait,
 * and closing it waits too. In the child: attach. A forked child has the end in its memory and names the handle to
 * yoke__conn_close_inherited() instead; only the parent commits.
 */
typedef struct yoke__conn_move {
    yoke__conn     *conn;
    yoke_native     native; /* still the connection's; to be inherited or sent */
    uint32_t        flags;  /* for attach */
    uint8_t        *unread; /* for attach; freed by commit and abort; NULL if there is none */
    size_t          unread_size;
    yoke_native     more[YOKE__ARRIVALS]; /* came along with messages not yet received; the connection's too */
    size_t          more_count;
    yoke__reference share; /* to be carried along while it moves, as an object of the default domain; or 0 */
} yoke__conn_move;

/* YOKE_EINVAL (handle), YOKE_EMOVED, YOKE_EBUSY (another thread is using it, or a message it is sending makes no
 * progress), YOKE_EBROKEN (half a message was sent and the rest can't be), YOKE_ENOMEM. */
int  yoke__conn_move_prepare(yoke__conn_move *move, yoke_conn *handle);
void yoke__conn_move_commit(yoke__conn_move *move);
void yoke__conn_move_abort(yoke__conn_move *move);

/* All at once, where the giver has no second thoughts: the native and unread (malloc'ed, or NULL) are the caller's, the
 * handle answers YOKE_EMOVED. On failure nothing has happened. */
int yoke__conn_detach(yoke_conn *conn, yoke_native *native, void **unread, size_t *unread_size, uint32_t *flags);
/* Makes an end of what was moved. Takes the native over on success; unread is borrowed for the call. YOKE_EPROTO: flags
 * or unread make no sense. */
int yoke__conn_attach(yoke_conn **out, yoke_native native, const void *unread, size_t unread_size, uint32_t flags);
/* The same with all natives that such a move has, of which the first is the connection's; and how many those are. */
int yoke__conn_attach_all(yoke_conn **out, const yoke_native *natives, size_t count, const void *unread,
                          size_t unread_size, uint32_t flags);
int yoke__conn_attach_count(size_t *count, const void *unread, size_t unread_size, uint32_t flags);

#endif
