/*
 * Listeners inside. One thread of a process at a time accepts, for itself; the others wait for their turn. It sleeps on
 * natives, not on the private loop: the listening one, those of clients that are proving their keys, and one that close
 * makes readable.
 *
 *   listener.c   life: making, entering, closing, what a fork means
 *   accept.c     taking clients, many handshakes at a time
 *   wait.c       listeners and connections as something to wait for besides other things
 *   listener_on_loop.c, client_on_loop.c  the same on event loops of the caller's
 *   client.c     the other side
 *   auth.c       the handshake; address.c: where
 */
#ifndef YOKE_CORE_CONNECTION_LISTENER_H
#define YOKE_CORE_CONNECTION_LISTENER_H

#include "../domain/object.h"
#include "../local.h"
#include "../wait/deadline.h"
#include "address.h"
#include "auth.h"
#include "turn.h"

#include <yoke/listener.h>

struct yoke_listener {
    yoke__handle handle; /* extra: the yoke__listener */
};

#define YOKE__HANDSHAKES       64u /* at a time */
#define YOKE__LISTENER_NATIVES (1u + YOKE__HANDSHAKES)

/* A client that is proving its key. */
typedef struct yoke__newcomer {
    yoke_native    native; /* YOKE_NO_NATIVE: a parent's, to be forgotten */
    yoke__deadline deadline;
    yoke__deadline safe;   /* until then no other takes its place */
    uint64_t       serial; /* counts them */
    bool           quiet;  /* a loop will tell when it says something */
    yoke__auth     auth;
} yoke__newcomer;

typedef struct yoke__listener_loop yoke__listener_loop;

typedef struct yoke__listener {
    yoke_listener         *handle;
    yoke_socket_listener   socket; /* native YOKE_NO_NATIVE: closed in a child that it wasn't passed to */
    yoke__auth_rules       rules;
    uint64_t               max_message;
    int64_t                handshake_time; /* nanoseconds */
    bool                   allow_anyone;
    bool                   made_here;    /* by this process, not by one that it was forked from */
    struct yoke__listener *next, **link; /* of all listeners; under `all` */

    yoke__mutex guard;   /* guards the two natives */
    yoke_native wake[2]; /* close closes [1], so [0] becomes readable; made by the first sleep */

    yoke__turn           accepting;                   /* guards the following */
    yoke__newcomer      *newcomers[YOKE__HANDSHAKES]; /* or NULL; each changes by one store, for a fork's sake */
    yoke_native          held;                        /* a client that has the right and was not accepted yet */
    int64_t              paused;       /* when the last call ended: newcomers' time has stood still since; 0: it runs */
    yoke__a32            waiters;      /* of yoke_wait: meanwhile it runs */
    char                 refusal[200]; /* why the last one was refused */
    yoke__a64            refused;      /* written with the turn only */
    uint64_t             serials;      /* of newcomers so far */
    yoke__listener_loop *loop;         /* on which it is started, which then has the turn, or NULL */
    yoke__a32            on_loop;      /* the same, for every thread to see */
} yoke__listener;

/* ---- listener.c ---- */

/* The backend's sockets, or NULL and noted. */
const yoke_socket_ops *yoke__sockets(void);
/* In a child started by yoke: closes them all, and they answer YOKE_ECLOSED. By the only thread. */
void yoke__listener_close_inherited(void);
/* Checks the handle and holds it, so that close waits. NULL: noted (YOKE_EINVAL, YOKE_ECLOSED). */
yoke__listener *yoke__listener_enter(const yoke_listener *listener);
void            yoke__listener_leave(yoke__listener *listener);
bool            yoke__listener_closing(const yoke__listener *listener);

/* ---- accept.c ---- */

/* Sends all newcomers away. By the only user. */
void yoke__newcomers_drop(yoke__listener *listener);

/* With the turn of accepting: */

/* Goes on with what can be done without waiting. 1: a client is `held`; YOKE_OK: nobody has come that far; or the code
 * with which accepting fails. */
int yoke__listener_step(yoke__listener *listener);
/* What becomes readable when there is something to be done, at most YOKE__LISTENER_NATIVES, and lowers *until to when
 * there will be anyway. */
size_t yoke__listener_natives(const yoke__listener *listener, yoke_native *out, yoke__deadline *until);
/* Makes a connection of the client that is held. */
int yoke__listener_give(yoke__listener *listener, yoke_conn **out);
/* Sends a newcomer away for the reason noted last. */
void yoke__newcomer_refuse(yoke__listener *listener, size_t place);
/* Newcomers' time runs from now on, or stands still. */
void yoke__listener_time(yoke__listener *listener, bool runs);

/* ---- listener_on_loop.c ---- */

/* Takes a started listener off its loop; stopped is called by that later. By the loop's thread. */
void yoke__listener_loop_stop(yoke__listener *listener, void (*stopped)(void *user));
/* In a forked child: it is on no loop. */
void yoke__listener_loop_forget(yoke__listener *listener);

/* ---- client.c ---- */

/* Makes a connection of a native, which it takes over in any case. */
int yoke__conn_from_socket(yoke_conn **out, yoke_native native, const yoke_socket_place *place, uint64_t max_message);

/* Goes on with a handshake as far as bytes have come. YOKE_OK: it is done; YOKE_EBUSY: more has to come; otherwise it has
 * failed. */
int yoke__handshake_step(yoke__auth *auth, yoke_native native);
/* Sends what the handshake has to say. */
int yoke__handshake_say(yoke__auth *auth, yoke_native native);

/* Options of a client, checked: where, and by which rules, which the caller wipes. */
int yoke__client_prepare(yoke_socket_place *place, yoke__auth_rules *rules, uint64_t *max_message, const char *address,
                         const yoke_client_options *options);

#endif
