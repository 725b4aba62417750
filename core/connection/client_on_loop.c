/*
 * Clients on event loops of the caller's (yoke/uv.h): one address after the other is tried, then the handshake goes on
 * as its bytes come. What is decided at once is told in the loop's next round.
 */
#include "conn.h"
#include "listener.h"
#include "lookout.h"

#include "../backend.h"
#include "../error.h"

#include <yoke/uv.h>

#include <stdlib.h>

#define AGAIN INT64_C(20000000) /* a local listener's queue was full: nothing tells when it is not */

enum { CONNECTED, CONNECTING, QUEUE_FULL, PROVING };

struct yoke_connecting {
    yoke_socket_place place;
    yoke__auth_rules  rules;
    yoke__auth        auth;
    uint64_t          max_message;
    yoke__deadline    deadline;
    void             *loop;
    yoke_client_fn   *fn;
    void             *user;
    size_t            index; /* of the address that is tried */
    uint32_t          state;
    yoke_native       native;
    yoke__lookout    *lookout;
    yoke_connecting  *next, **link; /* of all; under `all` */
};

/* All clients that are connecting; held across a fork. */
static struct {
    yoke__mutex      mutex;
    yoke_connecting *first;
} all = {.mutex = YOKE__MUTEX_INIT};

static void native_close(yoke_connecting *connecting)
{
    if (connecting->native != YOKE_NO_NATIVE)
        yoke__backend()->process->native_close(connecting->native);
    connecting->native = YOKE_NO_NATIVE;
}

static void lookout_close(yoke_connecting *connecting)
{
    if (connecting->lookout != NULL)
        yoke__lookout_close(connecting->lookout, NULL);
    connecting->lookout = NULL;
}

/* ---- fork ---- */

static void before_fork(void)
{
    yoke__mutex_lock(&all.mutex);
}

static void after_fork_in_parent(void)
{
    yoke__mutex_unlock(&all.mutex);
}

/* They go on connecting in the parent; a copy here would keep its stream open. */
static void after_fork_in_child(void)
{
    all.mutex = (yoke__mutex)YOKE__MUTEX_INIT;
    for (yoke_connecting *connecting = all.first; connecting != NULL; connecting = connecting->next) {
        native_close(connecting);
        if (connecting->lookout != NULL)
            yoke__lookout_forget(connecting->lookout);
    }
}

static void list_add(yoke_connecting *connecting)
{
    yoke__fork_hook_add(before_fork, after_fork_in_parent, after_fork_in_child);
    yoke__fork_hooks();
    yoke__mutex_lock(&all.mutex);
    connecting->next = all.first;
    connecting->link = &all.first;
    if (connecting->next != NULL)
        connecting->next->link = &connecting->next;
    all.first = connecting;
    yoke__mutex_unlock(&all.mutex);
}

static void list_remove(const yoke_connecting *connecting)
{
    yoke__mutex_lock(&all.mutex);
    *connecting->link = connecting->next;
    if (connecting->next != NULL)
        connecting->next->link = connecting->link;
    yoke__mutex_unlock(&all.mutex);
}

/* ---- its end ---- */

static void end(yoke_connecting *connecting)
{
    list_remove(connecting);
    lookout_close(connecting);
    native_close(connecting);
    yoke__auth_wipe(&connecting->auth);
    yoke__auth_rules_wipe(&connecting->rules);
    free(connecting);
}

static void finish(yoke_connecting *connecting, int rc)
{
    yoke_client_fn *fn = connecting->fn;
    void           *user = connecting->user;
    yoke_conn      *conn = NULL;
    if (rc == YOKE_OK) {
        yoke_native native = connecting->native;
        connecting->native = YOKE_NO_NATIVE;
        rc = yoke__conn_from_socket(&conn, native, &connecting->place, connecting->max_message);
    }
    end(connecting);
    fn(rc, conn, user);
}

/* ---- trying addresses ---- */

static void turn(void *user, bool readable);

/* Watches the socket that is tried: for what its state waits for, and the time. */
static int watch(yoke_connecting *connecting, yoke__deadline when, uint32_t what)
{
    YOKE_TRY(yoke__lookout_open(&connecting->lookout, connecting->loop, connecting->native, turn, connecting));
    yoke__lookout_want(connecting->lookout, what);
    yoke__lookout_at(connecting->lookout, when < connecting->deadline ? when : connecting->deadline);
    return YOKE_OK;
}

/* Begins with the address in turn, or the next that doesn't fail at once. */
static int try_address(yoke_connecting *connecting)
{
    int rc, last = YOKE_ENOENT;
    for (;; connecting->index++) {
        rc = yoke__sockets()->connect_start(&connecting->native, &connecting->place, connecting->index);
        if (rc == YOKE_OK || rc == YOKE_EBUSY || rc == YOKE_ETIMEDOUT || rc == YOKE_ERANGE)
            break;
        last = rc;
        if (rc == YOKE_ENOMEM)
            return rc;
    }
    if (rc == YOKE_ERANGE)
        return connecting->index == 0 ? yoke__fail(YOKE_ENOENT, "there is no such address") : last;
    connecting->state = rc == YOKE_OK ? CONNECTED : rc == YOKE_EBUSY ? CONNECTING : QUEUE_FULL;
    yoke__deadline when = connecting->deadline;
    if (rc != YOKE_EBUSY)
        when = yoke__backend()->system->now() + (rc == YOKE_OK ? 0 : AGAIN);
    rc = watch(connecting, when, connecting->state == CONNECTING ? YOKE_STREAM_WRITE : 0);
    if (rc < 0)
        native_close(connecting);
    return rc;
}

/* The socket is given up for another, or the same address again. */
static int try_next(yoke_connecting *connecting, size_t index)
{
    lookout_close(connecting);
    native_close(connecting);
    connecting->index = index;
    return try_address(connecting);
}

/* ---- turns ---- */

/* YOKE_OK: all is done; YOKE_EBUSY: more has to come. */
static int prove(yoke_connecting *connecting)
{
    if (connecting->state != PROVING) {
        if (connecting->rules.key == NULL)
            return YOKE_OK;
        YOKE_TRY(yoke__auth_begin(&connecting->auth, &connecting->rules, false));
        connecting->state = PROVING;
        yoke__lookout_want(connecting->lookout, YOKE_STREAM_READ);
        yoke__lookout_at(connecting->lookout, connecting->deadline);
    }
    return yoke__handshake_step(&connecting->auth, connecting->native);
}

static int go_on(yoke_connecting *connecting, bool ready)
{
    int rc, next;
    switch (connecting->state) {
    case QUEUE_FULL:
        rc = try_next(connecting, connecting->index);
        return rc < 0 ? rc : YOKE_EBUSY;
    case CONNECTING:
        rc = ready ? yoke__sockets()->connect_end(connecting->native) : YOKE_EBUSY;
        if (rc == YOKE_OK)
            return prove(connecting);
        next = rc != YOKE_EBUSY ? try_next(connecting, connecting->index + 1) : YOKE_OK;
        return next < 0 ? rc : YOKE_EBUSY;
    default:
        return prove(connecting);
    }
}

static void turn(void *user, bool readable)
{
    yoke_connecting *connecting = user;
    bool             late = yoke__deadline_past(connecting->deadline);
    if (late && !readable && connecting->state != CONNECTED) {
        finish(connecting,
               yoke__fail(YOKE_ETIMEDOUT, "client: %s",
                          connecting->state == PROVING
                              ? "the listener has said nothing more: is somebody accepting there, with a key?"
                              : "nobody accepted the connection in time"));
        return;
    }
    int rc = go_on(connecting, readable);
    if (rc != YOKE_EBUSY)
        finish(connecting, rc);
}

/* ---- calls ---- */

static int start(yoke_connecting *connecting, const char *address)
{
    if (yoke__sockets()->connect_start == NULL)
        return yoke__fail(YOKE_ENOTSUP, "the backend '%s' can't connect on an event loop", yoke__backend()->name);
    int rc = try_address(connecting);
    return rc < 0 ? yoke__fail_in(rc, "client of '%.80s'", address) : rc;
}

int yoke_client_start(yoke_connecting **out, const char *address, const yoke_client_options *options, int64_t timeout,
                      struct uv_loop_s *loop, yoke_client_fn *fn, void *user)
{
    if (loop == NULL || fn == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_client_start: %s is NULL", loop == NULL ? "the loop" : "the function");
    yoke_connecting *connecting = calloc(1, sizeof *connecting);
    if (connecting == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for a client");
    connecting->deadline = yoke__deadline_after(timeout);
    connecting->loop = loop;
    connecting->fn = fn;
    connecting->user = user;
    connecting->native = YOKE_NO_NATIVE;
    int rc = yoke__client_prepare(&connecting->place, &connecting->rules, &connecting->max_message, address, options);
    if (rc < 0) {
        free(connecting);
        return rc;
    }
    list_add(connecting);
    rc = start(connecting, address);
    if (rc < 0)
        end(connecting);
    else if (out != NULL)
        *out = connecting;
    return rc;
}

void yoke_client_cancel(yoke_connecting *connecting)
{
    if (connecting != NULL)
        end(connecting);
}
