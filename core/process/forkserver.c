/*
 * The client's side of the forkserver: starts it on first use, asks it, starts it anew if it died.
 *
 * The server is a spawned process of the same executable that has run nothing of the program but the preload, so what it
 * forks is small and has one thread, whatever the client has become. It lives as long as its client: both the channel
 * and its lifeline end with it.
 */
#include "forkserver.h"

#include "../backend.h"
#include "../error.h"
#include "../local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_SLICE INT64_C(250000000)  /* ns between looks at whether the server lives */
#define TRIES       3                   /* servers that may die in the middle of one start */
#define END_SLICE   INT64_C(2000000000) /* ns that a server may take to end before it is killed */

/* All of it under the mutex, which is held while a request is under way: the server serves one at a time. */
static struct {
    yoke__mutex     mutex;
    bool            hooked;
    bool            running;
    int64_t         pid;
    yoke_native     life, lifeline, channel;
    uint64_t        serial;  /* of the last request */
    yoke__a32       serving; /* a copy of running, for those who only ask */
    yoke_function  *preload;
    yoke_code_place preload_place;
} server = {.mutex = YOKE__MUTEX_INIT, .life = YOKE_NO_NATIVE, .lifeline = YOKE_NO_NATIVE, .channel = YOKE_NO_NATIVE};

/* ---- forks ------------------------------------------------------------------------------------------------------------ */

static void take_lock(void)
{
    yoke__mutex_lock(&server.mutex);
}

static void give_lock(void)
{
    yoke__mutex_unlock(&server.mutex);
}

static void close_native(yoke_native *native)
{
    if (*native != YOKE_NO_NATIVE)
        yoke__backend()->process->native_close(*native);
    *native = YOKE_NO_NATIVE;
}

static void forget(void)
{
    close_native(&server.channel);
    close_native(&server.lifeline);
    close_native(&server.life);
    server.running = false;
    yoke__a32_store_release(&server.serving, 0);
}

/* The server is its parent's: the child must neither use it nor keep it alive. */
static void forget_in_child(void)
{
    yoke__mutex_reset(&server.mutex);
    forget();
}

static void hook_once(void)
{
    take_lock();
    bool first = !server.hooked;
    server.hooked = true;
    give_lock();
    if (first)
        yoke__fork_hook_add(take_lock, give_lock, forget_in_child);
}

/* ---- starting and ending it ------------------------------------------------------------------------------------------- */

/* Mutex held. Without a watch on it, for want of descriptors, its end is awaited by asking again. */
static bool has_ended(void)
{
    const yoke_backend *backend = yoke__backend();
    int64_t             end = backend->system->now() + END_SLICE;
    uint32_t            word = 0;
    yoke_exit_status    status;

    if (server.life != YOKE_NO_NATIVE && backend->life->wait(server.life, END_SLICE) != YOKE_OK)
        return false;
    while (backend->process->reap(&status, server.pid) == YOKE_EBUSY) {
        if (backend->system->now() >= end)
            return false;
        (void)backend->waiting->wait_local(&word, 0, END_SLICE / 200);
    }
    return true;
}

/* Mutex held. Its channel and lifeline are closed, which it takes as the word to end. */
static void end_server(void)
{
    if (!server.running)
        return;
    close_native(&server.channel);
    close_native(&server.lifeline);
    if (!has_ended()) {
        (void)yoke__backend()->process->signal(server.pid, server.life, YOKE_SIGNAL_KILL);
        (void)has_ended();
    }
    forget();
}

/* Mutex held. Ends it because something failed, which stays the last error. */
static int fail_and_end(int code, const char *context)
{
    const yoke_error *error = yoke_last_error();
    int64_t           native = error->native;
    char              text[256];

    snprintf(text, sizeof text, "%s", error->code == code ? error->text : yoke_error_text(code));
    end_server();
    forget();
    return yoke_backend_fail(code, native, "%s: %s", context, text);
}

/* Mutex held. */
static int say_hello(void)
{
    yoke__server_hello hello;

    memset(&hello, 0, sizeof hello);
    hello.magic = YOKE__SERVER_MAGIC;
    hello.size = sizeof hello;
    hello.has_preload = server.preload != NULL;
    hello.preload = server.preload_place;
    return yoke__backend()->process->channel_send(server.channel, &hello, sizeof hello, NULL, 0);
}

/* Mutex held. channel: the server's end. */
static int spawn_server(yoke_domain *domain, yoke_native channel)
{
    yoke_launch launch = {
        .struct_size = sizeof launch,
        .program = yoke__executable(),
        .stdio = {YOKE_STDIO_NULL, YOKE_STDIO_INHERIT, YOKE_STDIO_INHERIT},
    };
    yoke__start_message message;
    yoke_identity       identity;
    int                 rc;

    yoke__start_message_init(&message, domain, YOKE__ROLE_FORKSERVER);
    message.flags |= YOKE__START_DIE_WITH_PARENT;
    snprintf((char *)message.name, sizeof message.name, "forkserver");
    YOKE_TRY(yoke__launch_child(&server.pid, &server.lifeline, &message, &launch, &channel, 1));
    server.running = true;
    rc = yoke__backend()->life->identify(&identity, server.pid);
    return rc < 0 ? rc : yoke__backend()->life->watch(&server.life, &identity);
}

/* Mutex held. */
static int start_server(yoke_domain *domain)
{
    const yoke_process_ops *process = yoke__backend()->process;
    yoke_native             ends[2];
    int                     rc;

    YOKE_TRY(process->channel(ends));
    server.channel = ends[0];
    rc = spawn_server(domain, ends[1]);
    process->native_close(ends[1]);
    if (rc == YOKE_OK)
        rc = say_hello();
    if (rc < 0)
        return fail_and_end(rc, "starting the forkserver");
    yoke__a32_store_release(&server.serving, 1);
    return YOKE_OK;
}

/* Mutex held. */
static int ensure_server(yoke_domain *domain)
{
    if (server.running && !yoke__backend()->life->is_alive(server.life))
        end_server();
    return server.running ? YOKE_OK : start_server(domain);
}

/* ---- a request -------------------------------------------------------------------------------------------------------- */

/* Mutex held. *begun: the server may have the whole of it. Mostly it is one datagram. */
static int send_parcel(const yoke__server_parcel *it, bool *begun)
{
    const yoke_process_ops *process = yoke__backend()->process;
    size_t                  total = sizeof it->header + it->header.packed;

    *begun = false;
    memcpy(it->bytes, &it->header, sizeof it->header); /* each attempt has one of its own */
    for (size_t sent = 0; sent < total;) {
        size_t left = total - sent;
        size_t size = left < YOKE__SERVER_PIECE ? left : YOKE__SERVER_PIECE;

        YOKE_TRY(process->channel_send(server.channel, it->bytes + sent, size, it->natives,
                                       sent == 0 ? it->native_count : 0));
        sent += size;
    }
    *begun = true;
    return YOKE_OK;
}

/* Mutex held. One datagram. */
static int receive_one(yoke__server_reply *out)
{
    const yoke_backend *backend = yoke__backend();
    size_t              size, count;
    int                 rc;

    do
        rc = backend->process->channel_recv(server.channel, out, sizeof *out, &size, NULL, 0, &count, REPLY_SLICE);
    while (rc == YOKE_ETIMEDOUT && backend->life->is_alive(server.life));
    if (rc < 0)
        return rc == YOKE_ETIMEDOUT ? YOKE_EEOF : rc;
    if (size != sizeof *out || out->magic != YOKE__SERVER_MAGIC)
        return yoke__fail(YOKE_EPROTO, "the forkserver answered with %zu bytes that can't be read", size);
    out->text[sizeof out->text - 1] = '\0';
    return YOKE_OK;
}

/* Mutex held. The first that answers this request. */
static int receive_reply(yoke__server_reply *out)
{
    do
        YOKE_TRY(receive_one(out));
    while (out->serial != server.serial);
    return YOKE_OK;
}

/* What became of a request. */
typedef enum outcome {
    ANSWERED,
    UNHEARD, /* nothing was started, and another server would do */
    UNKNOWN, /* the server died, and may have started the child before */
    FAILED,  /* the error is noted */
} outcome;

/* Mutex held. *code: what failed. */
static outcome ask(yoke__server_parcel *it, yoke__server_reply *reply, int *code)
{
    bool begun;

    it->header.serial = ++server.serial;
    *code = send_parcel(it, &begun);
    if (*code == YOKE_OK)
        *code = receive_reply(reply);
    if (*code == YOKE_OK) {
        if (reply->code == YOKE_OK || !reply->other_user)
            return ANSWERED;
        end_server();
        return UNHEARD;
    }
    if (*code == YOKE_EINVAL) /* a native that can't be sent: the channel is as it was */
        return FAILED;
    /* What is left in the channel fits nothing that follows. */
    if (*code != YOKE_EEOF) {
        fail_and_end(*code, "asking the forkserver");
        return FAILED;
    }
    end_server();
    *code = yoke__fail(YOKE_EIO, "the forkserver died while it was to start a process");
    return begun ? UNKNOWN : UNHEARD;
}

/* Mutex held. A spawned child is told by a lifeline that can be read only once: no second attempt. */
static int ask_until_answered(yoke_domain *domain, yoke__server_parcel *it, yoke__server_reply *reply)
{
    int code = YOKE_OK;

    for (int tries = 0; tries < TRIES; tries++) {
        YOKE_TRY(ensure_server(domain));
        outcome      came = ask(it, reply, &code);
        bool         again = tries + 1 < TRIES && !it->header.spawn;
        yoke__rescue rescue;

        if (came == ANSWERED || came == FAILED)
            return code;
        if (came == UNHEARD)
            continue;
        rescue = yoke__server_rescue(domain, &it->header.message, again, &reply->child);
        if (rescue == YOKE__RESCUE_RUNS) {
            reply->code = YOKE_OK;
            return YOKE_OK;
        }
        if (rescue == YOKE__RESCUE_NONE)
            return yoke__fail(YOKE_EIO, "the forkserver died while it was to start a process");
    }
    return code < 0 ? code : yoke__fail(YOKE_EACCES, "the forkserver refuses to serve this user");
}

int yoke__forkserver_start(const yoke__start_request *request, yoke_identity *child)
{
    yoke__server_reply  reply = {.code = YOKE_EPROTO};
    yoke__server_parcel it;
    int                 rc;

    hook_once();
    YOKE_TRY(yoke__server_parcel_init(&it, request));
    take_lock();
    rc = ask_until_answered(request->domain, &it, &reply);
    give_lock();
    yoke__server_parcel_free(&it);
    if (rc < 0)
        return rc;
    if (reply.code < 0)
        return yoke_backend_fail(reply.code, reply.native, "%s", (const char *)reply.text);
    *child = reply.child;
    return YOKE_OK;
}

/* ---- for the rest of the program -------------------------------------------------------------------------------------- */

bool yoke__forkserver_alive(void)
{
    bool alive;

    if (!yoke__a32_load_acquire(&server.serving))
        return false;
    take_lock();
    alive = server.running && yoke__backend()->life->is_alive(server.life);
    give_lock();
    return alive;
}

void yoke__forkserver_stop(void)
{
    if (!yoke__a32_load_acquire(&server.serving))
        return;
    take_lock();
    end_server();
    give_lock();
}

int yoke_set_forkserver_preload(yoke_function *function)
{
    yoke_code_place place;
    int             rc = YOKE_OK;

    YOKE_TRY(yoke__backend_ready());
    memset(&place, 0, sizeof place);
    if (function && yoke__backend()->code->locate(&place, (void (*)(void))function) < 0)
        return yoke__fail_in(YOKE_EINVAL, "the forkserver's preload function");
    if (function && place.build_size == 0)
        return yoke__fail(YOKE_EINVAL, "the forkserver's preload function lies in a module whose build can't be told");
    take_lock();
    if (server.running) {
        rc = yoke__fail(YOKE_EBUSY,
                        "the forkserver (process %lld) runs already: set its preload before the first start",
                        (long long)server.pid);
    } else {
        server.preload = function;
        server.preload_place = place;
    }
    give_lock();
    return rc;
}
