/*
 * Making the process of a start whose record is ready: by the backend or the forkserver, told by a message in its
 * lifeline; and watching it.
 */
#include "launch.h"

#include "../backend.h"
#include "../error.h"

#include <stdio.h>
#include <string.h>

/* ---- the message ------------------------------------------------------------------------------------------------- */

void yoke__start_message_init(yoke__start_message *message, yoke_domain *domain, yoke__start_role role)
{
    const yoke__header *header = yoke__domain_header(domain);

    memset(message, 0, sizeof *message);
    message->magic = YOKE__START_MAGIC;
    message->version = YOKE__START_VERSION;
    message->size = sizeof *message;
    message->role = role;
    message->default_method = yoke__self_state.method;
    message->domain_id = header->id;
    message->domain_reserve = header->reserve;
}

/* ---- making the process ------------------------------------------------------------------------------------------ */

/* In the child. */
static _Noreturn void run_forked(yoke__start *s)
{
    yoke__child_start begin = {
        .domain = s->domain,
        .message = s->message,
        .lifeline = s->child->read_end,
        .natives = s->cargo.natives,
        .native_count = s->cargo.native_count,
        .redirect = &s->options.launch,
        .function = s->function,
        .arguments = s->cargo.packed.data,
        .arguments_size = s->cargo.packed.size,
        .conns = s->cargo.conns,
        .shms = s->cargo.shms,
    };

    yoke__child_starting(NULL);
    begin.message.record = s->record->id;
    yoke__child_run(&begin);
}

static int start_by_fork(yoke__start *s, yoke_identity *who)
{
    int64_t pid;

    if (s->options.flags & YOKE__START_DIE_WITH_PARENT)
        YOKE_TRY(yoke__child_lifeline(s->child));
    fflush(NULL); /* or both processes would write what is still buffered */
    yoke__child_starting(s->child);
    int rc = yoke__backend()->process->fork(&pid);
    if (rc == YOKE_OK && pid == 0)
        run_forked(s);
    yoke__child_starting(NULL);
    if (rc == YOKE_OK)
        who->pid = pid;
    return rc;
}

/* arguments and inherit of a launch, for as long as it is in use. */
typedef struct child_line {
    char        flag[sizeof YOKE__CHILD_FLAG + 64];
    const char *arguments[4];
    yoke_native inherit[YOKE__CHILD_NATIVES + YOKE__START_NATIVES];
} child_line;

static void fill_launch(yoke_launch *launch, child_line *line, const yoke__start_message *message, yoke_domain *domain,
                        yoke_native read_end, const yoke_native *natives, size_t native_count)
{
    const char *program = yoke__self_state.program;

    snprintf(line->flag, sizeof line->flag, YOKE__CHILD_FLAG "%zu:%.40s", YOKE__CHILD_NATIVES + native_count,
             yoke__backend()->name);
    line->arguments[0] = launch->program ? launch->program : program[0] ? program : "yoke-child";
    line->arguments[1] = line->flag;
    line->arguments[2] = (const char *)message->name;
    line->arguments[3] = NULL;
    line->inherit[YOKE__CHILD_MEMORY] = domain->memory.handle;
    line->inherit[YOKE__CHILD_LIFE] = read_end;
    if (native_count)
        memcpy(line->inherit + YOKE__CHILD_NATIVES, natives, native_count * sizeof *natives);
    launch->arguments = line->arguments;
    launch->inherit = line->inherit;
    launch->inherit_count = YOKE__CHILD_NATIVES + native_count;
}

int yoke__launch_child(int64_t *pid, yoke_native *lifeline, const yoke__start_message *message, yoke_launch *launch,
                       const yoke_native *natives, size_t native_count)
{
    const yoke_process_ops *process = yoke__backend()->process;
    yoke_native             ends[2];
    yoke_domain            *domain;
    child_line              line;

    YOKE_TRY(yoke__domain_default(&domain));
    YOKE_TRY(process->lifeline(ends));
    fill_launch(launch, &line, message, domain, ends[0], natives, native_count);
    int rc = process->lifeline_write(ends[1], message, sizeof *message);
    if (rc == YOKE_OK)
        rc = process->spawn(pid, launch);
    process->native_close(ends[0]);
    if (rc < 0)
        process->native_close(ends[1]);
    else
        *lifeline = ends[1];
    return rc;
}

static int start_by_spawn(yoke__start *s, yoke_identity *who)
{
    yoke_launch *launch = &s->options.launch;
    child_line   line;

    YOKE_TRY(yoke__child_lifeline(s->child));
    YOKE_TRY(yoke__backend()->process->lifeline_write(s->child->lifeline, &s->message, sizeof s->message));
    fill_launch(launch, &line, &s->message, s->domain, s->child->read_end, s->cargo.natives, s->cargo.native_count);
    if (!s->options.via_server)
        return yoke__backend()->process->spawn(&who->pid, launch);
    yoke__start_request request = {
        .domain = s->domain,
        .message = &s->message,
        .spawn = true,
        .launch = launch,
        .lifeline = s->child->read_end,
        .natives = s->cargo.natives,
        .native_count = s->cargo.native_count,
    };
    return yoke__forkserver_start(&request, who);
}

static int start_by_server(yoke__start *s, yoke_identity *who)
{
    yoke__start_request request = {
        .domain = s->domain,
        .message = &s->message,
        .launch = &s->options.launch,
        .lifeline = YOKE_NO_NATIVE,
        .natives = s->cargo.natives,
        .native_count = s->cargo.native_count,
    };

    if (s->options.flags & YOKE__START_DIE_WITH_PARENT) {
        YOKE_TRY(yoke__child_lifeline(s->child));
        request.lifeline = s->child->read_end;
    }
    return yoke__forkserver_start(&request, who);
}

static int make_process(yoke__start *s, yoke_identity *who)
{
    s->child->direct = !s->options.via_server;
    switch (s->options.method) {
    case YOKE_START_FORK:
        return start_by_fork(s, who);
    case YOKE_START_FORKSERVER:
        s->child->direct = false;
        return start_by_server(s, who);
    default:
        return start_by_spawn(s, who);
    }
}

/* ---- watching it ------------------------------------------------------------------------------------------------- */

/* Dead and reaped by the host already: a pipe without writers is as readable as a dead process's watch. */
static int watch_the_dead(yoke_native *out)
{
    const yoke_process_ops *process = yoke__backend()->process;
    yoke_native             ends[2];

    YOKE_TRY(process->lifeline(ends));
    process->native_close(ends[1]);
    *out = ends[0];
    return YOKE_OK;
}

/* The process is there already, so this should not fail for a moment's lack of something. */
static int watch(yoke__start *s, const yoke_identity *who)
{
    int rc = YOKE_OK;

    for (int tries = 0; tries < 3; tries++) {
        rc = yoke__backend()->life->watch(&s->child->life, who);
        if (rc == YOKE_ENOENT)
            rc = watch_the_dead(&s->child->life);
        if (rc == YOKE_OK)
            break;
        yoke__backend()->system->yield();
    }
    return rc;
}

/* Another thread took the last descriptor meanwhile. The child finds its record withdrawn; one that was faster than that
 * dies by its lifeline, if it has one. */
static int give_up(yoke__start *s, int rc)
{
    yoke_exit_status status;
    char             why[256];

    snprintf(why, sizeof why, "%s", yoke_last_error()->text); /* before reaping notes that it has to be repeated */
    if (!yoke__record_abandon(yoke__start_record(s)))
        return yoke__fail(rc, "process %s runs, but can't be watched: %s", s->options.name, why);
    yoke__record_drop(s->domain, yoke__start_record(s));
    while (s->child->direct && yoke__backend()->process->reap(&status, s->child->pid) == YOKE_EBUSY)
        yoke__backend()->system->yield();
    return yoke__fail(rc, "%s", why);
}

/* Is there a descriptor for the watch? Better asked before there is a process. */
static int check_room(const yoke__start *s)
{
    const yoke_process_ops *process = yoke__backend()->process;
    yoke_native             spare;

    YOKE_TRY(process->native_duplicate(&spare, s->domain->memory.handle));
    process->native_close(spare);
    return YOKE_OK;
}

int yoke__launch(yoke__start *s)
{
    yoke_identity who = {.pid = -1};

    YOKE_TRY(check_room(s));
    YOKE_TRY(make_process(s, &who));
    s->child->pid = who.pid;
    yoke__child_close_read_end(s->child);
    int rc = watch(s, &who);
    return rc < 0 ? give_up(s, rc) : rc;
}
