/*
 * The forkserver itself: one thread, one loop over two natives. It reads requests, forks or spawns, answers with the pid,
 * and writes how its children ended into their records, since only it is told by the system.
 */
#include "forkserver.h"

#include "../backend.h"
#include "../domain/participant.h"
#include "../error.h"
#include "../message/node.h"
#include "args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A child that runs, the record that its end belongs to, and the request that it was started by. */
typedef struct ward {
    int64_t  pid;
    yoke__id record;
    uint64_t serial;
} ward;

/* Each page that is written between two forks is copied again: so requests are read into the same place, and it is as
 * small as they are. */
static struct {
    yoke_domain *domain;
    yoke_native  channel, lifeline, deaths;
    ward        *wards;
    size_t       ward_count, ward_room;
    uint64_t     serial; /* of the last request */
    uint8_t     *inbox;  /* YOKE__SERVER_PIECE bytes */
} server;

static _Noreturn void leave(int status)
{
    yoke__domain_leave(server.domain);
    yoke__backend()->process->exit_now(status);
    abort();
}

/* ---- answering -------------------------------------------------------------------------------------------------------- */

static int answer(int code, const yoke_identity *child)
{
    const yoke_error  *error = yoke_last_error();
    yoke__server_reply reply;

    memset(&reply, 0, sizeof reply);
    reply.magic = YOKE__SERVER_MAGIC;
    reply.serial = server.serial;
    reply.code = code;
    reply.child = *child;
    if (code < 0) {
        reply.native = error->native;
        snprintf((char *)reply.text, sizeof reply.text, "%s",
                 error->code == code ? error->text : yoke_error_text(code));
        reply.other_user = code == YOKE_EACCES && error->native == 0; /* traits_check; not the system's word */
    }
    return yoke__backend()->process->channel_send(server.channel, &reply, sizeof reply, NULL, 0);
}

/* In a forked child. A client that is gone needs no answer. */
static void answer_for_oneself(yoke_domain *domain, yoke__token self)
{
    const yoke__participant *slot = yoke__participant_of(domain, self);
    yoke_identity            me = {
                   .pid = yoke__slot_pid(yoke__a64_load_relaxed(&slot->word)),
                   .start = yoke__a64_load_relaxed(&slot->start),
                   .space = yoke__a64_load_relaxed(&slot->space),
    };

    (void)answer(YOKE_OK, &me);
    yoke__backend()->process->native_close(server.channel);
}

/* It had no time to, and has been reaped: what is told is no living process, so that watching it finds it dead. */
static void answer_for_the_dead(int64_t pid)
{
    yoke_identity dead = {0};

    (void)yoke__backend()->life->self(&dead);
    dead.pid = pid;
    dead.start = 1; /* no process of ours is as old as that */
    if (answer(YOKE_OK, &dead) < 0)
        leave(0);
}

/* ---- children --------------------------------------------------------------------------------------------------------- */

/* Before the start, so that lack of memory fails the start and not the bookkeeping. */
static int make_room(void)
{
    ward  *more;
    size_t room = server.ward_room ? 2 * server.ward_room : 64;

    if (server.ward_count < server.ward_room)
        return YOKE_OK;
    more = realloc(server.wards, room * sizeof *more);
    if (!more)
        return yoke__fail(YOKE_ENOMEM, "no memory in the forkserver for its %zu children", server.ward_count);
    server.wards = more;
    server.ward_room = room;
    return YOKE_OK;
}

/* A forked child has answered before its function began; a spawned one's start was answered when it was made, so that one
 * answer more is passed over. */
static void note_end(int64_t pid, const yoke_exit_status *status)
{
    for (size_t i = 0; i < server.ward_count; i++) {
        ward it = server.wards[i];

        if (it.pid != pid)
            continue;
        server.wards[i] = server.wards[--server.ward_count];
        if (!yoke__process_note_exit(server.domain, it.record, status) && it.serial == server.serial)
            answer_for_the_dead(pid);
        return;
    }
}

static void reap_all(void)
{
    const yoke_process_ops *process = yoke__backend()->process;
    yoke_exit_status        status;
    int64_t                 pid;

    process->server_clear(server.deaths);
    while (server.ward_count > 0 && process->reap_any(&status, &pid) == YOKE_OK)
        note_end(pid, &status);
}

/* ---- starting --------------------------------------------------------------------------------------------------------- */

static void stdio_of(yoke_native out[3], const yoke__server_order *it)
{
    for (int i = 0; i < 3; i++)
        out[i] = it->header.stdio[i] == YOKE_STDIO_NULL ? YOKE_STDIO_NULL : it->natives[it->header.stdio[i]];
}

static _Noreturn void refuse(const char *what)
{
    const yoke_error *error = yoke_last_error();

    fprintf(stderr, "yoke: a process forked by the forkserver can't run: %s: %s\n", what, error->text);
    fflush(stderr);
    yoke__backend()->process->exit_now(YOKE__CHILD_REFUSED);
    abort();
}

/* The child is no server, and holds nothing of its parent's but the channel, until it has answered. */
static void drop_server(void)
{
    const yoke_process_ops *process = yoke__backend()->process;

    process->server_end(server.deaths);
    process->native_close(server.lifeline);
}

static _Noreturn void run_child(yoke__server_order *it)
{
    const yoke_process_ops *process = yoke__backend()->process;
    yoke_launch             rest = it->launch;
    yoke__child_start       start = {
              .domain = server.domain,
              .message = it->header.message,
              .lifeline = it->header.lifeline < 0 ? YOKE_NO_NATIVE : it->natives[it->header.lifeline],
              .natives = it->natives + it->header.others,
              .native_count = it->native_count - it->header.others,
              .redirect = &rest,
              .claimed = answer_for_oneself,
    };
    yoke_native stdio[3];

    drop_server();
    stdio_of(stdio, it);
    if (stdio[0] == YOKE_STDIO_NULL)
        stdio[0] = YOKE_STDIO_INHERIT; /* the server's is that */
    if (process->redirect(stdio, NULL, NULL) < 0)
        refuse("standard descriptors");
    for (int i = 0; i < 3; i++)
        if (stdio[i] != YOKE_STDIO_NULL && stdio[i] != YOKE_STDIO_INHERIT)
            process->native_close(stdio[i]);
    if (process->traits_set(it->launch.traits, it->launch.traits_size) < 0)
        refuse("what it inherits");
    yoke__child_run(&start); /* directory and environment: failures are told in the record */
}

static int start_by_fork(int64_t *pid, yoke__server_order *it)
{
    YOKE_TRY(yoke__backend()->process->traits_check(it->launch.traits, it->launch.traits_size));
    YOKE_TRY(yoke__backend()->process->fork(pid));
    if (*pid == 0)
        run_child(it);
    return YOKE_OK;
}

static int start_by_spawn(int64_t *pid, yoke__server_order *it)
{
    yoke_launch launch = it->launch;

    stdio_of(launch.stdio, it);
    launch.inherit = it->natives + it->header.others;
    launch.inherit_count = it->native_count - it->header.others;
    return yoke__backend()->process->spawn(pid, &launch);
}

/* The start time of a spawned child is asked for while it can't have been reaped: from then on the client can watch it. */
static int start(yoke_identity *out, yoke__server_order *it)
{
    int64_t pid;

    YOKE_TRY(make_room());
    YOKE_TRY(it->header.spawn ? start_by_spawn(&pid, it) : start_by_fork(&pid, it));
    server.wards[server.ward_count++] = (ward){pid, it->header.message.record, it->header.serial};
    if (it->header.spawn && yoke__backend()->life->identify(out, pid) < 0)
        *out = (yoke_identity){.pid = pid};
    return YOKE_OK;
}

/* ---- serving ---------------------------------------------------------------------------------------------------------- */

static void serve_one(void)
{
    yoke_identity      child = {0};
    yoke__server_order it;
    int                rc = yoke__server_order_receive(&it, server.channel, server.inbox);

    if (rc == YOKE_EEOF || rc == YOKE_EPROTO || it.header.serial == 0)
        leave(0); /* the client is gone, or could not be told: it finds the end of the channel, and another server */
    server.serial = it.header.serial;
    if (rc == YOKE_OK)
        rc = start(&child, &it);
    yoke__server_order_free(&it);
    if ((rc < 0 || it.header.spawn) && answer(rc, &child) < 0)
        leave(0);
}

/* ---- the preload ------------------------------------------------------------------------------------------------------ */

static void complain(const char *what, int code)
{
    const yoke_error *error = yoke_last_error();

    fprintf(stderr, "yoke: the forkserver's preload %s: %s\n", what,
            error->code == code ? error->text : yoke_error_text(code));
    fflush(stderr);
}

static void preload(const yoke_code_place *place)
{
    yoke_variant none = {.kind = YOKE_LIST_KIND};
    yoke_args    arguments;
    void (*function)(void);
    int rc = yoke__backend()->code->resolve(&function, place);

    if (rc == YOKE_OK)
        rc = yoke__args_init(&arguments, &none);
    if (rc < 0) {
        complain("can't be called", rc);
        return;
    }
    yoke__error_reset();
    rc = ((yoke_function *)function)(&arguments);
    if (rc < 0)
        complain("failed", rc);
}

static void hear_hello(void)
{
    yoke__server_hello hello;
    size_t             size, count;

    if (yoke__backend()->process->channel_recv(server.channel, &hello, sizeof hello, &size, NULL, 0, &count,
                                               INT64_MAX) < 0 ||
        size != sizeof hello || hello.magic != YOKE__SERVER_MAGIC || hello.size != sizeof hello)
        leave(YOKE__CHILD_REFUSED);
    if (!hello.has_preload)
        return;
    preload(&hello.preload);
    fflush(NULL); /* what it has printed must not be printed by every child */
    const yoke_native stdio[3] = {YOKE_STDIO_NULL, YOKE_STDIO_INHERIT, YOKE_STDIO_INHERIT};
    (void)yoke__backend()->process->redirect(stdio, NULL, NULL); /* whatever it has read from */
}

/* ---- its life --------------------------------------------------------------------------------------------------------- */

_Noreturn void yoke__forkserver_run(const yoke__child_start *start)
{
    int rc;

    server.domain = start->domain;
    server.lifeline = start->lifeline;
    if (start->native_count != 1) {
        fprintf(stderr, "yoke: a forkserver is started with one channel, not %zu\n", start->native_count);
        yoke__backend()->process->exit_now(YOKE__CHILD_REFUSED);
    }
    server.channel = start->natives[0];
    server.inbox = malloc(YOKE__SERVER_PIECE);
    if (!server.inbox) {
        complain("is not reached, nor anything else", YOKE_ENOMEM);
        leave(YOKE__CHILD_REFUSED);
    }
    /* Where the system can: it then ends with its client even inside the preload. Elsewhere its loop sees the end. */
    (void)yoke__backend()->process->lifeline_arm(server.lifeline);
    rc = yoke__backend()->process->server_begin(&server.deaths);
    if (rc < 0) {
        complain("is not reached, nor anything else", rc);
        leave(YOKE__CHILD_REFUSED);
    }
    hear_hello();
    for (;;) {
        yoke_native waited[2] = {server.channel, server.deaths};
        uint8_t     ready[2] = {0, 0};

        if (yoke__backend()->waiting->wait_natives(waited, ready, 2, INT64_MAX) < 0)
            continue; /* a signal; nothing else can go wrong with two descriptors */
        if (ready[1])
            reap_all();
        if (ready[0])
            serve_one();
    }
}
