/* Connecting; and a handshake over a native, which both sides use. */
#include "conn.h"
#include "listener.h"

#include "../backend.h"
#include "../error.h"
#include "../options.h"

#include <string.h>

/* ---- handshake ---- */

int yoke__handshake_say(yoke__auth *auth, yoke_native native)
{
    size_t size = auth->out_size;
    auth->out_size = 0;
    return size > 0 ? yoke__sockets()->send(native, auth->out, size) : YOKE_OK;
}

int yoke__handshake_step(yoke__auth *auth, yoke_native native)
{
    while (!yoke__auth_done(auth)) {
        size_t   wanted, size;
        uint8_t *room = yoke__auth_room(auth, &wanted);
        YOKE_TRY(yoke__sockets()->receive(native, room, wanted, &size));
        int rc = yoke__auth_received(auth, size);
        if (rc < 0) { /* the reason noted is to stay */
            if (auth->out_size > 0)
                (void)yoke__sockets()->send(native, auth->out, auth->out_size);
            return rc;
        }
        YOKE_TRY(yoke__handshake_say(auth, native));
    }
    return YOKE_OK;
}

static int authenticate(yoke_native native, const yoke__auth_rules *rules, yoke__deadline deadline)
{
    yoke__auth auth;
    YOKE_TRY(yoke__auth_begin(&auth, rules, false));
    int rc;
    while ((rc = yoke__handshake_step(&auth, native)) == YOKE_EBUSY) {
        uint8_t ready;
        int64_t left = yoke__deadline_left(deadline, INT64_MAX);
        rc = yoke__backend()->waiting->wait_natives(&native, &ready, 1, left);
        if (rc == YOKE_ETIMEDOUT)
            rc = yoke__fail(YOKE_ETIMEDOUT, "authentication: the listener has said nothing more: is somebody accepting "
                                            "there, with a key?");
        if (rc < 0)
            break;
    }
    yoke__auth_wipe(&auth);
    return rc;
}

/* ---- connecting ---- */

int yoke__conn_from_socket(yoke_conn **out, yoke_native native, const yoke_socket_place *place, uint64_t max_message)
{
    uint32_t remote = place->kind == YOKE_SOCKET_TCP ? YOKE__CONN_REMOTE : 0;
    int      rc = yoke__conn_create(out, native, YOKE_STREAM_READ | YOKE_STREAM_WRITE | remote, max_message);
    if (rc < 0)
        yoke__backend()->process->native_close(native);
    return rc;
}

static int connect_with(yoke_conn **out, const yoke_socket_place *place, const yoke__auth_rules *rules,
                        uint64_t max_message, yoke__deadline deadline)
{
    yoke_native native;
    YOKE_TRY(yoke__sockets()->connect(&native, place, yoke__deadline_left(deadline, INT64_MAX)));
    int rc = rules->key != NULL ? authenticate(native, rules, deadline) : YOKE_OK;
    if (rc < 0) {
        yoke__backend()->process->native_close(native);
        return rc;
    }
    return yoke__conn_from_socket(out, native, place, max_message);
}

int yoke__client_prepare(yoke_socket_place *place, yoke__auth_rules *rules, uint64_t *max_message, const char *address,
                         const yoke_client_options *options)
{
    yoke_client_options taken;
    if (address == NULL)
        return yoke__fail(YOKE_EINVAL, "a client's address is NULL");
    YOKE_TRY(yoke__options_take(yoke_client_options, &taken, options));
    const yoke_socket_ops *sockets = yoke__sockets();
    if (sockets == NULL)
        return yoke__noted();
    YOKE_TRY(yoke__address_parse(place, address, sockets));
    *max_message = taken.max_message != 0 ? taken.max_message : UINT64_MAX;
    return yoke__auth_rules_set(rules, taken.authkey, taken.authkey_size, taken.digest, taken.allow_old_python);
}

int yoke_client_connect(yoke_conn **out, const char *address, const yoke_client_options *options, int64_t timeout)
{
    yoke__deadline    deadline = yoke__deadline_after(timeout);
    yoke__auth_rules  rules;
    yoke_socket_place place;
    uint64_t          max_message;
    if (out == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_client_connect: out is NULL");
    YOKE_TRY(yoke__client_prepare(&place, &rules, &max_message, address, options));
    int rc = connect_with(out, &place, &rules, max_message, deadline);
    yoke__auth_rules_wipe(&rules);
    return rc < 0 ? yoke__fail_in(rc, "client of '%.80s'", address) : rc;
}

/* ---- who is there ---- */

int yoke_conn_peer(const yoke_conn *handle, yoke_peer *out)
{
    yoke_peer        told;
    yoke_socket_peer peer = {.uid = -1};
    YOKE_TRY(yoke__report_check(out, "yoke_peer"));
    const yoke_socket_ops *sockets = yoke__sockets();
    if (sockets == NULL)
        return yoke__noted();
    yoke__conn *conn = yoke__conn_enter(handle);
    if (conn == NULL)
        return yoke__noted();
    yoke__mutex_lock(&conn->guard); /* keeps the stream */
    int rc = yoke__conn_usable(conn);
    if (rc == YOKE_OK)
        rc = sockets->peer(yoke__backend()->stream->native(conn->stream), &peer);
    yoke__mutex_unlock(&conn->guard);
    yoke__conn_leave(conn);
    YOKE_TRY(rc);
    memset(&told, 0, sizeof told);
    told.pid = peer.pid;
    told.uid = peer.uid;
    yoke__address_format(told.address, &peer.place);
    yoke__report_fill(out, &told, sizeof told);
    return YOKE_OK;
}
