/*
 * Starting a process: everything is prepared out of sight, the record last; then the backend makes the process, and only
 * when it is watched does the caller learn of it. Each step undoes what it did if a later one fails.
 */
#include "cargo.h"
#include "options.h"

#include "../backend.h"
#include "../domain/allocator.h"
#include "../domain/participant.h"
#include "../error.h"

#include <stdio.h>
#include <string.h>

/* One start under way. */
typedef struct start {
    yoke_function      *function; /* NULL if meant by name */
    const char         *registered;
    yoke__start_options options;
    char                identity[YOKE__NAME_SIZE];
    yoke_domain        *domain;
    yoke__cargo         cargo;
    yoke__handle       *record;
    yoke__relative     *child;
    yoke__start_message message;
} start;

static yoke__process_record *record_of(const start *s)
{
    return s->record->object;
}

/* ---- before anything is made ------------------------------------------------------------------------------------- */

static int check_caller(void)
{
    const yoke__self *self = &yoke__self_state;

    if (!self->ready && !yoke__executable())
        return yoke__fail(YOKE_EINVAL,
                          "yoke_main was not called: call it first thing in main(), or set an executable that "
                          "does (yoke_set_executable)");
    if (self->flags & YOKE__START_DAEMON)
        return yoke__fail(YOKE_EINVAL, "process %s is a daemon: daemons may not start processes", self->name);
    return YOKE_OK;
}

static void name_child(start *s)
{
    yoke__self *self = &yoke__self_state;
    uint64_t    n = yoke__a64_add_acq_rel(&self->started, 1) + 1;

    if (self->identity[0])
        snprintf(s->identity, sizeof s->identity, "%.40s:%llu", self->identity, (unsigned long long)n);
    else
        snprintf(s->identity, sizeof s->identity, "%llu", (unsigned long long)n);
    if (!s->options.name[0])
        snprintf(s->options.name, sizeof s->options.name, "Process-%.54s", s->identity);
}

/* fork needs no place: the address holds in the child. By name it has to be known here then. */
static int settle_function(start *s)
{
    if (s->options.method != YOKE_START_FORK || s->function)
        return YOKE_OK;
    s->function = yoke__registered(s->registered);
    if (!s->function)
        return yoke__fail(YOKE_ENOENT, "no function is registered as %.63s", s->registered);
    return YOKE_OK;
}

/* ---- the record -------------------------------------------------------------------------------------------------- */

static int locate(yoke_code_place *place, const start *s)
{
    int rc = yoke__backend()->code->locate(place, (void (*)(void))s->function);

    if (rc == YOKE_ENOENT)
        return yoke__fail_in(YOKE_EINVAL, "the function for process %s", s->options.name);
    YOKE_TRY(rc);
    if (place->build_size == 0)
        return yoke__fail(YOKE_EINVAL,
                          "the function for process %s lies in %s, whose build can't be identified: link it "
                          "with a build id, or use yoke_register and yoke_process_start_named",
                          s->options.name, place->main_program ? "the program" : place->module);
    return YOKE_OK;
}

static int fill_target(yoke__start_block *block, const start *s)
{
    if (s->options.method == YOKE_START_FORK) {
        block->target = YOKE__TARGET_ADDRESS;
        return YOKE_OK;
    }
    if (!s->function) {
        block->target = YOKE__TARGET_NAME;
        snprintf((char *)block->function, sizeof block->function, "%s", s->registered);
        return YOKE_OK;
    }
    block->target = YOKE__TARGET_PLACE;
    return locate(&block->place, s);
}

/* What lies in memory that a forked child inherits is not written twice. */
static int make_block(const start *s)
{
    bool     inherited = s->options.method == YOKE_START_FORK;
    uint64_t size = yoke__cargo_block_size(&s->cargo, !inherited);

    if (inherited && s->cargo.packed.handle_count == 0)
        return YOKE_OK;
    yoke__start_block *block = yoke__alloc(s->domain, size, s->record->id);
    if (!block)
        return yoke_last_error()->code;
    memset(block, 0, sizeof *block);
    int rc = fill_target(block, s);
    if (rc == YOKE_OK) {
        yoke__cargo_fill(&s->cargo, block, !inherited);
        rc = yoke__record_carry(s->domain, s->record, block);
    }
    if (rc < 0)
        yoke__free(s->domain, block);
    return rc;
}

static int make_record(start *s)
{
    yoke__token              token = yoke__domain_token(s->domain);
    const yoke__participant *me = yoke__participant_of(s->domain, token);
    yoke__record_spec        spec = {
               .name = s->options.name,
               .identity = s->identity,
               .parent_name = yoke__self_state.name,
               .flags = s->options.flags,
               .method = s->options.method,
               .nonce = s->message.nonce,
               .parent_pid = yoke__slot_pid(yoke__a64_load_relaxed(&me->word)),
               .parent_token = token,
    };

    if (!token)
        return yoke_last_error()->code;
    return yoke__record_create(&s->record, s->domain, &spec);
}

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

static int make_message(start *s)
{
    yoke__start_message_init(&s->message, s->domain, YOKE__ROLE_CHILD);
    s->message.flags = s->options.flags;
    snprintf((char *)s->message.name, sizeof s->message.name, "%s", s->options.name);
    if (s->options.method == YOKE_START_FORK)
        return YOKE_OK; /* nobody else could have sent it */
    return yoke__backend()->system->random(&s->message.nonce, sizeof s->message.nonce);
}

/* ---- making the process ------------------------------------------------------------------------------------------ */

/* In the child. */
static _Noreturn void run_forked(start *s)
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

static int start_by_fork(start *s, yoke_identity *who)
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
    yoke_native inherit[2 + YOKE__START_NATIVES];
} child_line;

static void fill_launch(yoke_launch *launch, child_line *line, const yoke__start_message *message, yoke_domain *domain,
                        yoke_native read_end, const yoke_native *natives, size_t native_count)
{
    const char *program = yoke__self_state.program;

    snprintf(line->flag, sizeof line->flag, YOKE__CHILD_FLAG "%zu:%.40s", 2 + native_count, yoke__backend()->name);
    line->arguments[0] = launch->program ? launch->program : program[0] ? program : "yoke-child";
    line->arguments[1] = line->flag;
    line->arguments[2] = (const char *)message->name;
    line->arguments[3] = NULL;
    line->inherit[0] = domain->memory.handle;
    line->inherit[1] = read_end;
    if (native_count)
        memcpy(line->inherit + 2, natives, native_count * sizeof *natives);
    launch->arguments = line->arguments;
    launch->inherit = line->inherit;
    launch->inherit_count = 2 + native_count;
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

static int start_by_spawn(start *s, yoke_identity *who)
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

static int start_by_server(start *s, yoke_identity *who)
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

static int make_process(start *s, yoke_identity *who)
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
static int watch(start *s, const yoke_identity *who)
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
static int give_up(start *s, int rc)
{
    yoke_exit_status status;

    if (!yoke__record_abandon(record_of(s)))
        return yoke__fail_in(rc, "process %s runs, but can't be watched", s->options.name);
    yoke__record_drop(s->domain, record_of(s));
    while (s->child->direct && yoke__backend()->process->reap(&status, s->child->pid) == YOKE_EBUSY)
        yoke__backend()->system->yield();
    return rc;
}

/* Is there a descriptor for the watch? Better asked before there is a process. */
static int check_room(const start *s)
{
    const yoke_process_ops *process = yoke__backend()->process;
    yoke_native             spare;

    YOKE_TRY(process->native_duplicate(&spare, s->domain->memory.handle));
    process->native_close(spare);
    return YOKE_OK;
}

static int launch(start *s)
{
    yoke_identity who = {.pid = -1};

    YOKE_TRY(check_room(s));
    YOKE_TRY(make_process(s, &who));
    s->child->pid = who.pid;
    yoke__child_close_read_end(s->child);
    int rc = watch(s, &who);
    return rc < 0 ? give_up(s, rc) : rc;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static int start_with_record(start *s)
{
    s->message.record = s->record->id;
    YOKE_TRY(make_block(s));
    s->child = yoke__child_new(s->domain, s->record, s->options.name, s->options.flags);
    if (!s->child)
        return YOKE_ENOMEM;
    int rc = launch(s);
    if (rc < 0) {
        yoke__child_free(s->child);
        return rc;
    }
    s->child->kept = s->cargo.kept;
    s->child->kept_count = s->cargo.kept_count;
    yoke__cargo_delivered(&s->cargo);
    s->record->extra = s->child;
    yoke__child_started(s->child);
    return YOKE_OK;
}

static int start_with_cargo(start *s)
{
    YOKE_TRY(make_message(s));
    YOKE_TRY(make_record(s));
    int rc = start_with_record(s);
    if (rc < 0) {
        if (yoke__record_abandon(record_of(s)))
            yoke__record_drop(s->domain, record_of(s));
        yoke__handle_close(s->record, NULL);
    }
    return rc;
}

static int start_with_options(start *s, const yoke_item *items)
{
    YOKE_TRY(settle_function(s));
    YOKE_TRY(yoke__domain_default(&s->domain));
    name_child(s);
    YOKE_TRY(yoke__cargo_pack(&s->cargo, s->domain, items, s->options.name));
    int rc = start_with_cargo(s);
    yoke__cargo_free(&s->cargo);
    return rc < 0 ? yoke__fail_in(rc, "process %s can't be started", s->options.name) : rc;
}

static int start_process(yoke_process **out, start *s, const yoke_item *items, const yoke_process_options *options)
{
    YOKE_TRY(check_caller());
    yoke__self_init();
    YOKE_TRY(yoke__options_resolve(&s->options, options));
    int rc = start_with_options(s, items);
    yoke__options_free(&s->options);
    if (rc == YOKE_OK)
        *out = (yoke_process *)s->record;
    return rc;
}

int yoke_process_start(yoke_process **out, yoke_function *function, const yoke_item *arguments,
                       const yoke_process_options *options)
{
    start s = {.function = function};

    if (!out || !function)
        return yoke__fail(YOKE_EINVAL, "yoke_process_start needs %s",
                          out ? "a function" : "somewhere to put the process");
    return start_process(out, &s, arguments, options);
}

int yoke_process_start_named(yoke_process **out, const char *name, const yoke_item *arguments,
                             const yoke_process_options *options)
{
    start s = {.registered = name};

    if (!out || !name || !*name)
        return yoke__fail(YOKE_EINVAL, "yoke_process_start_named needs %s",
                          out ? "the name of a function" : "somewhere to put the process");
    if (strlen(name) >= YOKE__NAME_SIZE)
        return yoke__fail(YOKE_EINVAL, "the function name %.20s... has %zu bytes, at most %u are allowed", name,
                          strlen(name), YOKE__NAME_SIZE - 1);
    return start_process(out, &s, arguments, options);
}
