/*
 * Streams on libuv, shared by all systems. loop.c: the private loop; lead.c: who runs it; stream.c and write.c: what runs
 * on it; native.h: what depends on the system; guest.c: what runs on loops of the caller's.
 *
 * Leading. A libuv loop may be touched by one thread at a time, except for uv_async_send(). Who holds `lead` is that
 * thread. A caller that finds the lead free takes it, does its work on the loop directly, runs the loop if it has to
 * wait, and resigns: two atomic exchanges, nothing else. A caller that finds it taken puts its request on `queued`, wakes
 * the leader by uv_async_send() and sleeps on a word of its own as a follower. A leader that resigns wakes one follower,
 * which takes the lead. What the leader stores, a follower reads under `mutex`, or after the next leading.
 */
#ifndef YOKE_BACKENDS_UV_UV_H
#define YOKE_BACKENDS_UV_UV_H

#include "../../core/local.h"

#include <uv.h>
#include <yoke/backend.h>

extern const yoke_stream_ops yoke__uv_streams;
extern const yoke_loop_ops   yoke__uv_guests;

/* Watches for room to write where nothing may be left to libuv yet. Freed when libuv has closed it. */
typedef struct yoke__uv_room {
    uv_poll_t    poll;
    yoke_stream *stream; /* NULL: given up */
    yoke_native  native; /* what is polled */
} yoke__uv_room;

/* A native as libuv sends it along with bytes, or has received it. Freed when libuv has closed it. */
typedef struct yoke__uv_carrier {
    uv_pipe_t pipe;
} yoke__uv_carrier;

/* A thread that sleeps until its request is done or the lead is free. */
typedef struct yoke__uv_follower {
    yoke__a32                 word;
    struct yoke__uv_follower *next;
} yoke__uv_follower;

/* The private loop, or what the library has on a loop of the caller's: then `own` down to `followers` are unused, and its
 * thread, the only one that makes requests, is the leader without leading. */
typedef struct yoke__uv_loop {
    uv_loop_t            *at; /* &own, or the caller's */
    uv_loop_t             own;
    uv_async_t            wake;     /* something is queued */
    uv_timer_t            deadline; /* of the leader's own wait */
    uint64_t              turn;     /* counts runs of the loop; the leader's */
    yoke__a32             lead;     /* 1 while a thread runs or touches the loop */
    yoke__a32             count; /* of queued requests and followers together: what a resigning leader has to look at */
    yoke__mutex           mutex; /* guards what follows, and `state` and `waiter` of requests that have a follower */
    yoke_stream_request  *queued, **queued_end;
    yoke__uv_follower    *followers;
    uint32_t              streams;   /* bound to this loop; under the mutex of loop.c */
    yoke_stream          *full;      /* the stream that took no more, to be tried again; the leader's */
    struct yoke__uv_loop *forgotten; /* by an earlier fork; loop.c */
    /* Of a caller's loop; caller.c. */
    struct yoke__uv_loop *next;
    uv_idle_t             idle; /* runs while something is to be done soon */
    yoke_stream_request  *soon, **soon_end;
} yoke__uv_loop;

static inline bool yoke__uv_is_callers(const yoke__uv_loop *loop)
{
    return loop->at != &loop->own;
}

#define YOKE__UV_STOP     1u /* what somebody waits for and has not begun */
#define YOKE__UV_STOP_ALL 2u

struct yoke_stream {
    yoke_native    native;
    uint32_t       flags;
    yoke__a32      bound; /* generation of forks in which it got its loop; all below is void in another one. 0: none */
    yoke__uv_loop *loop;  /* set under the mutex of loop.c before `bound` */
    yoke__a32      interrupted; /* 0, YOKE__UV_STOP or YOKE__UV_STOP_ALL; by whoever closes; survives forgetting */
    /* What follows is the leader's. */
    bool                 opened;      /* the handle is on the loop */
    bool                 adopted;     /* and has the native */
    bool                 reading;     /* libuv watches for input */
    bool                 parked;      /* libuv holds `staging` and will tell when it is written */
    int                  read_status; /* sticky: how reading ended */
    int64_t              read_native;
    int                  write_status; /* sticky */
    int64_t              write_native;
    uint64_t             read_turn; /* turn of the loop in which a read was done last */
    yoke_stream_request *read;
    yoke_stream_request *writes;
    yoke_stream_request *closing;
    void (*left)(void *user); /* of a caller's loop */
    void                *left_user;
    uint8_t             *staging;     /* YOKE__UV_CHUNK bytes, while somebody writes */
    yoke_stream_request *parked_from; /* whose bytes those parked are; NULL: it is done */
    size_t               parked_size;
    yoke_stream_request *undoing; /* requests that wait until it is decided whether what was parked gets written */
    int                  undo_status;
    size_t               piece; /* what the system may be given at a time; its backend's; 0: not known */
    yoke__uv_room       *room;
    yoke__uv_carrier    *carrier; /* of the first of `writes`, until its first byte is out */
    uv_write_t           write;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_pipe_t   pipe;
        uv_tcp_t    tcp;
    } uv;
};

/* ---- loop.c ---- */

/* Whether the stream has a loop of this process. */
bool yoke__uv_bound(const yoke_stream *stream);
/* Makes an unbound stream as new but for its native: what it inherited from before a fork is void. */
void yoke__uv_forget(yoke_stream *stream);
/* Binds a stream to the private loop if it has none. */
int yoke__uv_bind(yoke_stream *stream);
/* Unbinds a stream whose handle is closed; the last one takes the loop with it. By a thread that doesn't lead. */
void yoke__uv_unbind(yoke_stream *stream);
/* Code of error.h for a libuv status. */
int yoke__uv_code(int64_t status);
/* Binds a stream, as new, to what the library has on a caller's loop, and doesn't count it there. */
void yoke__uv_bind_to(yoke_stream *stream, yoke__uv_loop *loop);
/* Around the life of a loop on which streams write: yoke__uv_quiet_enable() for the first, _disable() for the last. */
void yoke__uv_quiet_hold(void);
void yoke__uv_quiet_drop(void);

/* ---- caller.c: the slots attach, leave, soon and renew of yoke_stream_ops ---- */

int  yoke__uv_attach(yoke_stream *stream, void *loop);
void yoke__uv_leave(yoke_stream *stream, void (*left)(void *user), void *user);
void yoke__uv_soon(yoke_stream *stream, yoke_stream_request *request);

yoke_stream *yoke__uv_renew(yoke_stream *stale);

/* ---- by the system's backend: loop_ready.c ---- */

/* To be called before a loop is made: libuv's first one ends the program if no descriptors are left. YOKE_ENOMEM. */
int yoke__uv_ready(void);
/* Keeps descriptors 0 to 2 from becoming libuv's own while it makes some. */
typedef struct yoke__uv_low {
    uv_file files[3];
    int     count;
} yoke__uv_low;
void yoke__uv_low_hold(yoke__uv_low *low);
void yoke__uv_low_release(yoke__uv_low *low);
/* The same across every fork from now on, in which libuv makes some anew. After the first loop was made. */
int yoke__uv_low_hold_in_forks(void);

/* ---- lead.c ---- */

/* Runs request->run on the loop of its stream: now if the lead is free, else by the leader, soon. */
void yoke__uv_submit(yoke_stream_request *request);
/* Marks a request as done, calls its done or wakes its follower. By the leader. */
void yoke__uv_finish(yoke_stream_request *request, int status, int64_t native);
/* The slot `wait` of yoke_stream_ops. */
int yoke__uv_wait(yoke_stream_request *request, int64_t timeout);

/* ---- stream.c and write.c; by the leader ---- */

#define YOKE__UV_MOST  ((size_t)1 << 30) /* bytes per call; libuv counts in int */
#define YOKE__UV_CHUNK ((size_t)4096)    /* bytes at most that are parked */

/* Puts the native on the loop, if it isn't there yet. A libuv status. */
int yoke__uv_handle_open(yoke_stream *stream);
/* Starts a write; yoke_stream_request.run. */
void yoke__uv_run_write(yoke_stream_request *request);
/* Writes on to loop->full; settle: if it still takes no more, libuv has to tell when it does. */
void yoke__uv_retry(yoke__uv_loop *loop, bool settle);
/* Takes a stream off the private loop, with a native that may have another number. */
int yoke__uv_unprivate(yoke_stream *stream);
/* Takes a write out of the row and finishes it. */
void yoke__uv_write_remove(yoke_stream *stream, yoke_stream_request *request, int status);
/* Calls a tentative write back that is parked as far as it has come. False: it is not, or that can't be. Otherwise the
 * write is finished later, with status, unless the system has taken all of it; then waiter is. */
bool yoke__uv_write_undo(yoke_stream *stream, yoke_stream_request *request, int status, yoke_stream_request *waiter);
/* Ends the watch for room, if there is one. */
void yoke__uv_room_unwatch(yoke_stream *stream);

/* ---- by the system's backend: broken_pipe.c ---- */

/* libuv writes with plain write(), which raises SIGPIPE where the peer is gone. Between begin and end (one thread, no
 * system call) that signal is without effect in this thread; enable and disable stand around the life of a loop. */
void yoke__uv_quiet_enable(void);
void yoke__uv_quiet_disable(void);
void yoke__uv_quiet_begin(void);
void yoke__uv_quiet_end(void);

#endif
