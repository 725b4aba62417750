/*
 * Listeners on event loops of the caller's (yoke/uv.h): the step of accept.c, run when the listening native or that of a
 * newcomer is readable, or a time is up. While it is started the loop has the turn of accepting.
 */
#include "conn.h"
#include "listener.h"
#include "lookout.h"

#include "../backend.h"
#include "../error.h"

#include <yoke/uv.h>

#include <stdlib.h>

#define BURST 64                 /* clients at a time: the loop has others to serve */
#define PAUSE INT64_C(100000000) /* after a failure to accept, such as no descriptors being left */

/* A look at one newcomer's native. */
typedef struct visit {
    yoke__listener_loop *loop;
    yoke__lookout       *lookout; /* or NULL */
    size_t               place;
    uint64_t             serial; /* of the newcomer */
} visit;

struct yoke__listener_loop {
    yoke__listener   *listener; /* NULL: stopped */
    yoke_listener    *handle;
    void             *at;
    yoke_listener_fn *fn;
    void             *user;
    void (*stopped)(void *user);
    yoke__lookout              *door; /* at the listening native; keeps the time, too */
    visit                       visits[YOKE__HANDSHAKES];
    size_t                      open; /* lookouts that have not left */
    struct yoke__listener_loop *kept;
};

/* ---- lookouts ---- */

static void turn(void *user, bool readable);

static void door_left(void *user)
{
    yoke__listener_loop *loop = user;
    if (--loop->open > 0 || loop->listener != NULL)
        return;
    void (*stopped)(void *user) = loop->stopped;
    void *stopped_user = loop->user;
    free(loop);
    if (stopped != NULL)
        stopped(stopped_user);
}

static void visit_left(void *user)
{
    door_left(((visit *)user)->loop);
}

static void visit_end(visit *v)
{
    if (v->lookout != NULL)
        yoke__lookout_close(v->lookout, visit_left);
    v->lookout = NULL;
}

static void newcomer_turn(void *user, bool readable)
{
    const visit *v = user;
    (void)readable;
    if (v->loop->listener->newcomers[v->place] != NULL)
        v->loop->listener->newcomers[v->place]->quiet = false;
    turn(v->loop, true);
}

static int visit_begin(yoke__listener_loop *loop, size_t place, const yoke__newcomer *newcomer)
{
    visit *v = &loop->visits[place];
    v->loop = loop;
    v->place = place;
    v->serial = newcomer->serial;
    YOKE_TRY(yoke__lookout_open(&v->lookout, loop->at, newcomer->native, newcomer_turn, v));
    loop->open++;
    return YOKE_OK;
}

/* A lookout for each newcomer. One that can't be had costs that newcomer its place. */
static void watch_newcomers(yoke__listener_loop *loop)
{
    for (size_t i = 0; i < YOKE__HANDSHAKES; i++) {
        yoke__newcomer *newcomer = loop->listener->newcomers[i];
        visit          *v = &loop->visits[i];
        if (v->lookout != NULL && (newcomer == NULL || newcomer->serial != v->serial))
            visit_end(v);
        if (newcomer == NULL)
            continue;
        newcomer->quiet = true;
        if (v->lookout == NULL && visit_begin(loop, i, newcomer) < 0)
            yoke__newcomer_refuse(loop->listener, i);
    }
}

/* What the door looks for, and when time is up. */
static void set_door(yoke__listener_loop *loop, yoke__deadline pause)
{
    yoke_native    natives[YOKE__LISTENER_NATIVES];
    yoke__deadline until = pause;
    size_t         count = yoke__listener_natives(loop->listener, natives, &until);
    bool           open = pause == INT64_MAX && count > 0 && natives[0] == loop->listener->socket.native;
    yoke__lookout_want(loop->door, open ? YOKE_STREAM_READ : 0);
    yoke__lookout_at(loop->door, until);
}

/* ---- taking clients ---- */

/* False: the user has stopped it. */
static bool tell(yoke__listener_loop *loop, int status, yoke_conn *conn)
{
    loop->fn(loop->handle, status, conn, loop->user);
    return loop->listener != NULL;
}

/* One client, or an error. YOKE_OK: nobody is there. */
static int take_client(yoke__listener_loop *loop, yoke_conn **conn)
{
    int rc = yoke__listener_step(loop->listener);
    if (rc <= 0)
        return rc;
    rc = yoke__listener_give(loop->listener, conn);
    return rc < 0 ? rc : 1;
}

static void turn(void *user, bool readable)
{
    yoke__listener_loop *loop = user;
    yoke__deadline       pause = INT64_MAX;
    (void)readable;
    for (int burst = 0; burst <= BURST; burst++) {
        yoke_conn *conn = NULL;
        int        rc = burst < BURST ? take_client(loop, &conn) : YOKE_OK;
        if (rc < 0)
            pause = yoke__backend()->system->now() + PAUSE;
        if (rc == YOKE_OK)
            break;
        if (!tell(loop, rc < 0 ? rc : YOKE_OK, conn))
            return;
        if (rc < 0)
            break;
    }
    watch_newcomers(loop);
    set_door(loop, pause);
}

/* ---- starting and stopping ---- */

static int start(yoke__listener *listener, yoke__listener_loop *loop)
{
    if (!yoke__turn_try(&listener->accepting))
        return yoke__fail(YOKE_EBUSY, "listener: %s",
                          listener->loop != NULL ? "it is on an event loop already" : "another thread is accepting");
    int rc = yoke__lookout_open(&loop->door, loop->at, listener->socket.native, turn, loop);
    if (rc < 0) {
        (void)yoke__turn_pass(&listener->accepting);
        return rc;
    }
    loop->open = 1;
    listener->loop = loop;
    yoke__a32_store_release(&listener->on_loop, 1);
    yoke__listener_time(listener, true);
    yoke__lookout_at(loop->door, 0); /* who came before is found in the first round */
    return YOKE_OK;
}

int yoke_listener_start(yoke_listener *handle, struct uv_loop_s *at, yoke_listener_fn *fn, void *user)
{
    if (at == NULL || fn == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_listener_start: %s is NULL", at == NULL ? "the loop" : "the function");
    yoke__listener *listener = yoke__listener_enter(handle);
    if (listener == NULL)
        return yoke__noted();
    yoke__listener_loop *loop = calloc(1, sizeof *loop);
    int                  rc = yoke__fail(YOKE_ENOMEM, "no memory for a listener on an event loop");
    if (loop != NULL) {
        loop->listener = listener;
        loop->handle = handle;
        loop->at = at;
        loop->fn = fn;
        loop->user = user;
        rc = start(listener, loop);
        if (rc < 0)
            free(loop);
    }
    yoke__listener_leave(listener);
    return rc;
}

void yoke__listener_loop_stop(yoke__listener *listener, void (*stopped)(void *user))
{
    yoke__listener_loop *loop = listener->loop;
    loop->listener = NULL;
    loop->stopped = stopped;
    listener->loop = NULL;
    for (size_t i = 0; i < YOKE__HANDSHAKES; i++)
        visit_end(&loop->visits[i]);
    yoke__lookout_close(loop->door, door_left);
    yoke__listener_time(listener, false);
    yoke__a32_store_release(&listener->on_loop, 0);
    (void)yoke__turn_pass(&listener->accepting);
}

int yoke_listener_stop(yoke_listener *handle, void (*stopped)(void *user))
{
    yoke__listener *listener = yoke__listener_enter(handle);
    if (listener == NULL)
        return yoke__noted();
    bool started = yoke__a32_load_acquire(&listener->on_loop) != 0;
    if (started)
        yoke__listener_loop_stop(listener, stopped);
    yoke__listener_leave(listener);
    return started ? YOKE_OK : yoke__fail(YOKE_EINVAL, "listener: it is on no event loop");
}

void yoke__listener_loop_forget(yoke__listener *listener)
{
    static yoke__listener_loop *kept; /* for those who look for lost memory */
    yoke__listener_loop        *loop = listener->loop;
    loop->listener = NULL; /* who told a client comes back and ends */
    listener->loop = NULL;
    for (size_t i = 0; i < YOKE__HANDSHAKES; i++)
        if (loop->visits[i].lookout != NULL)
            yoke__lookout_forget(loop->visits[i].lookout);
    yoke__lookout_forget(loop->door);
    loop->kept = kept;
    kept = loop;
    yoke__a32_store_relaxed(&listener->on_loop, 0);
}
