/*
 * Taking clients. Those of a listener with a key are newcomers until they have proved it: as many as there is room for,
 * side by side, so that one that says nothing costs the others nothing but its place.
 */
#include "listener.h"

#include "../backend.h"
#include "../error.h"
#include "../wait/many_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAFE INT64_C(1000000000) /* nanoseconds that a client has at least, in a crowd too */

#define GOT 1 /* a client is held; else YOKE_OK or an error */

static void native_close(yoke_native native)
{
    yoke__backend()->process->native_close(native);
}

/* ---- refusing ---- */

/* For the reason noted last. */
static void refuse(yoke__listener *listener, yoke_native native)
{
    yoke_socket_peer peer;
    char             who[YOKE__ADDRESS_ROOM] = "";
    snprintf(listener->refusal, sizeof listener->refusal, "%s", yoke_last_error()->text);
    if (yoke__sockets()->peer(native, &peer) == YOKE_OK && peer.place.name[0] != '\0') {
        size_t size = strlen(listener->refusal);
        yoke__address_format(who, &peer.place);
        snprintf(listener->refusal + size, sizeof listener->refusal - size, " (%.80s)", who);
    }
    (void)yoke__a64_add_acq_rel(&listener->refused, 1);
    native_close(native);
}

/* Out of its place first: a fork at any moment finds places that are right. */
static yoke_native take_out(yoke__newcomer **place)
{
    yoke__newcomer *newcomer = *place;
    yoke_native     native = newcomer->native;
    *place = NULL;
    yoke__auth_wipe(&newcomer->auth);
    free(newcomer);
    return native;
}

void yoke__newcomers_drop(yoke__listener *listener)
{
    for (size_t i = 0; i < YOKE__HANDSHAKES; i++) {
        if (listener->newcomers[i] == NULL)
            continue;
        yoke_native native = take_out(&listener->newcomers[i]);
        if (native != YOKE_NO_NATIVE)
            native_close(native);
    }
}

/* ---- newcomers ---- */

/* Who has the right to connect stays with the listener until it is accepted. */
static int hold(yoke__listener *listener, yoke_native native)
{
    listener->held = native;
    return GOT;
}

/* One newcomer that may have said something. */
static int advance(yoke__listener *listener, yoke__newcomer **place)
{
    yoke__newcomer *newcomer = *place;
    if (newcomer->native == YOKE_NO_NATIVE) {
        (void)take_out(place);
        return YOKE_OK;
    }
    if (newcomer->quiet && !yoke__deadline_past(newcomer->deadline))
        return YOKE_OK;
    int rc = yoke__handshake_step(&newcomer->auth, newcomer->native);
    if (rc == YOKE_OK)
        return hold(listener, take_out(place));
    if (rc == YOKE_EBUSY && !yoke__deadline_past(newcomer->deadline))
        return YOKE_OK;
    if (rc == YOKE_EBUSY)
        (void)yoke__fail(YOKE_ETIMEDOUT, "authentication: the client has not answered in time");
    refuse(listener, take_out(place));
    return YOKE_OK;
}

static int advance_all(yoke__listener *listener)
{
    int rc = YOKE_OK;
    for (size_t i = 0; i < YOKE__HANDSHAKES && rc == YOKE_OK; i++)
        if (listener->newcomers[i] != NULL)
            rc = advance(listener, &listener->newcomers[i]);
    return rc;
}

/* Index of a free place, or else of who has taken longest. */
static size_t best_place(const yoke__listener *listener)
{
    size_t oldest = 0;
    for (size_t i = 0; i < YOKE__HANDSHAKES; i++) {
        if (listener->newcomers[i] == NULL)
            return i;
        if (listener->newcomers[i]->safe < listener->newcomers[oldest]->safe)
            oldest = i;
    }
    return oldest;
}

/* Whether that place is to be had: it is free, or was taken long enough. If not, *until is when it will be. */
static bool is_to_be_had(const yoke__newcomer *newcomer, yoke__deadline *until)
{
    if (newcomer == NULL || yoke__deadline_past(newcomer->safe))
        return true;
    *until = newcomer->safe;
    return false;
}

static bool has_place(const yoke__listener *listener, yoke__deadline *until)
{
    return is_to_be_had(listener->newcomers[best_place(listener)], until);
}

static void make_room(yoke__listener *listener, yoke__newcomer **place)
{
    if (*place == NULL)
        return;
    (void)yoke__fail(YOKE_EBUSY, "authentication: others came while this client was slow");
    refuse(listener, take_out(place));
}

static int64_t deadline_from(int64_t now, int64_t time)
{
    return time > INT64_MAX - now ? INT64_MAX : now + time;
}

static int welcome(yoke__listener *listener, yoke__newcomer **place, yoke_native native)
{
    int64_t         now = yoke__backend()->system->now();
    int64_t         safe = listener->handshake_time / 4 < SAFE ? listener->handshake_time / 4 : SAFE;
    yoke__newcomer *newcomer = calloc(1, sizeof *newcomer);
    if (newcomer == NULL) {
        native_close(native);
        return yoke__fail(YOKE_ENOMEM, "listener: no memory for a client");
    }
    newcomer->native = native;
    newcomer->deadline = deadline_from(now, listener->handshake_time);
    newcomer->safe = deadline_from(now, safe);
    newcomer->serial = ++listener->serials;
    int rc = yoke__auth_begin(&newcomer->auth, &listener->rules, true);
    if (rc == YOKE_OK) {
        make_room(listener, place);
        *place = newcomer;
        (void)yoke__handshake_say(&newcomer->auth, native); /* a client that is gone is found gone by the next step */
        return YOKE_OK;
    }
    free(newcomer);
    native_close(native);
    return rc;
}

void yoke__newcomer_refuse(yoke__listener *listener, size_t place)
{
    refuse(listener, take_out(&listener->newcomers[place]));
}

/* ---- accepting ---- */

/* Without a key. A peer that is not told is one of another machine. */
static bool may_connect(const yoke__listener *listener, yoke_native native)
{
    yoke_socket_peer peer;
    if (listener->allow_anyone)
        return true;
    if (yoke__sockets()->peer(native, &peer) < 0)
        return false;
    if (!peer.same_user)
        (void)yoke__fail(YOKE_EACCES, "process %lld of user %lld is another user's", (long long)peer.pid,
                         (long long)peer.uid);
    return peer.same_user;
}

static int take_one(yoke__listener *listener, yoke__newcomer **place)
{
    yoke_native native;
    int         rc = yoke__sockets()->accept(&native, listener->socket.native);
    if (rc < 0)
        return rc == YOKE_EBUSY ? rc : yoke__fail_in(rc, "listener");
    if (place != NULL)
        return welcome(listener, place, native);
    if (may_connect(listener, native))
        return hold(listener, native);
    refuse(listener, native);
    return YOKE_OK;
}

/* Not without end, for those who came before have perhaps answered by now. */
static int take_new(yoke__listener *listener)
{
    int rc = YOKE_OK;
    for (size_t i = 0; i < YOKE__HANDSHAKES && rc == YOKE_OK; i++) {
        yoke__deadline   until;
        yoke__newcomer **place = NULL;
        if (listener->rules.key != NULL && !is_to_be_had(*(place = &listener->newcomers[best_place(listener)]), &until))
            break; /* the others wait in the system's queue */
        rc = take_one(listener, place);
    }
    return rc == YOKE_EBUSY ? YOKE_OK : rc;
}

int yoke__listener_step(yoke__listener *listener)
{
    if (listener->held != YOKE_NO_NATIVE)
        return GOT;
    int rc = advance_all(listener);
    return rc == YOKE_OK ? take_new(listener) : rc;
}

/* What close makes readable. */
static int wake_native(yoke__listener *listener, yoke_native *out)
{
    int rc = YOKE_OK;
    yoke__mutex_lock(&listener->guard);
    if (yoke__listener_closing(listener))
        rc = yoke__fail(YOKE_ECLOSED, "listener: it is being closed");
    else if (listener->wake[0] == YOKE_NO_NATIVE)
        rc = yoke__backend()->stream->pair(listener->wake, true);
    *out = listener->wake[0];
    yoke__mutex_unlock(&listener->guard);
    return rc;
}

size_t yoke__listener_natives(const yoke__listener *listener, yoke_native *out, yoke__deadline *until)
{
    size_t         count = 0;
    yoke__deadline room = INT64_MAX;
    if (has_place(listener, &room))
        out[count++] = listener->socket.native;
    if (room < *until)
        *until = room;
    for (size_t i = 0; i < YOKE__HANDSHAKES; i++) {
        const yoke__newcomer *newcomer = listener->newcomers[i];
        if (newcomer == NULL || newcomer->native == YOKE_NO_NATIVE)
            continue;
        out[count++] = newcomer->native;
        if (newcomer->deadline < *until)
            *until = newcomer->deadline;
    }
    return count;
}

/* Sleeps until something may have changed. */
static int sleep_on(yoke__listener *listener, yoke__deadline deadline)
{
    yoke_native natives[1 + YOKE__LISTENER_NATIVES];
    uint8_t     ready[1 + YOKE__LISTENER_NATIVES];
    YOKE_TRY(wake_native(listener, &natives[0]));
    size_t count = 1 + yoke__listener_natives(listener, natives + 1, &deadline);
    int    rc = yoke__backend()->waiting->wait_natives(natives, ready, count, yoke__deadline_left(deadline, INT64_MAX));
    return rc == YOKE_ETIMEDOUT ? YOKE_OK : rc;
}

static int nobody_came(yoke__listener *listener)
{
    uint64_t refused = yoke__a64_load_relaxed(&listener->refused);
    if (refused == 0)
        return yoke__fail(YOKE_ETIMEDOUT, "listener: nobody came");
    return yoke__fail(YOKE_ETIMEDOUT, "listener: nobody came but %llu that were refused, the last because: %s",
                      (unsigned long long)refused, listener->refusal);
}

/* Out of its place first, as with newcomers. */
int yoke__listener_give(yoke__listener *listener, yoke_conn **out)
{
    yoke_native native = listener->held;
    listener->held = YOKE_NO_NATIVE;
    return yoke__conn_from_socket(out, native, &listener->socket.place, listener->max_message);
}

static int accept_one(yoke__listener *listener, yoke_conn **out, yoke__deadline deadline)
{
    for (;;) {
        if (yoke__listener_closing(listener))
            return yoke__fail(YOKE_ECLOSED, "listener: it is being closed");
        bool last = yoke__deadline_past(deadline);
        int  rc = yoke__listener_step(listener);
        if (rc != YOKE_OK)
            return rc < 0 ? rc : yoke__listener_give(listener, out);
        if (last)
            return nobody_came(listener);
        YOKE_TRY(sleep_on(listener, deadline));
    }
}

static void prolong(yoke__newcomer *newcomer, int64_t pause)
{
    newcomer->deadline = deadline_from(newcomer->deadline, pause);
    newcomer->safe = deadline_from(newcomer->safe, pause);
}

/* Between calls nobody listens to newcomers: that is not to be their loss. */
void yoke__listener_time(yoke__listener *listener, bool runs)
{
    int64_t now = yoke__backend()->system->now();
    int64_t pause = runs && listener->paused != 0 ? now - listener->paused : 0;
    for (size_t i = 0; i < YOKE__HANDSHAKES && runs; i++)
        if (listener->newcomers[i] != NULL)
            listener->newcomers[i]->quiet = false; /* a loop may have left it so */
    for (size_t i = 0; i < YOKE__HANDSHAKES && pause > 0; i++)
        if (listener->newcomers[i] != NULL)
            prolong(listener->newcomers[i], pause);
    listener->paused = runs || yoke__a32_load_acquire(&listener->waiters) > 0 ? 0 : now;
}

int yoke_listener_accept(yoke_listener *handle, yoke_conn **out, int64_t timeout)
{
    yoke__deadline deadline = yoke__deadline_after(timeout);
    if (out == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_listener_accept: out is NULL");
    yoke__listener *listener = yoke__listener_enter(handle);
    if (listener == NULL)
        return yoke__noted();
    int rc;
    if (yoke__a32_load_acquire(&listener->on_loop) != 0) {
        rc = yoke__fail(YOKE_EBUSY, "listener: it is on an event loop, which takes the clients");
    } else if (yoke__turn_take(&listener->accepting, deadline) == YOKE_OK) {
        yoke__listener_time(listener, true);
        rc = accept_one(listener, out, deadline);
        yoke__listener_time(listener, false);
        (void)yoke__turn_pass(&listener->accepting);
        yoke__many_ring(); /* who could not look meanwhile */
    } else {
        rc = yoke__fail(YOKE_ETIMEDOUT, "listener: another thread is still accepting");
    }
    yoke__listener_leave(listener);
    return rc;
}
