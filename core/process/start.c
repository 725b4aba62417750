/*
 * Starting a process: everything is prepared out of sight, the record last; then the backend makes the process, and only
 * when it is watched does the caller learn of it. Each step undoes what it did if a later one fails.
 */
#include "launch.h"

#include "../backend.h"
#include "../domain/allocator.h"
#include "../domain/participant.h"
#include "../error.h"

#include <stdio.h>
#include <string.h>

/* ---- before anything is made ------------------------------------------------------------------------------------- */

static int check_caller(void)
{
    const yoke__self *self = &yoke__self_state;

    YOKE_TRY(yoke__backend_ready());
    if (!self->ready && !yoke__executable())
        return yoke__fail(YOKE_EINVAL,
                          "yoke_main was not called: call it first thing in main(), or set an executable that "
                          "does (yoke_set_executable)");
    if (self->flags & YOKE__START_DAEMON)
        return yoke__fail(YOKE_EINVAL, "process %s is a daemon: daemons may not start processes", self->name);
    return YOKE_OK;
}

static void name_child(yoke__start *s)
{
    yoke__self *self = &yoke__self_state;
    uint64_t    n = yoke__a64_add_acq_rel(&self->started, 1) + 1;

    s->number = n;
    if (self->identity[0])
        snprintf(s->identity, sizeof s->identity, "%.40s:%llu", self->identity, (unsigned long long)n);
    else
        snprintf(s->identity, sizeof s->identity, "%llu", (unsigned long long)n);
    if (!s->options.name[0])
        snprintf(s->options.name, sizeof s->options.name, "Process-%.54s", s->identity);
}

/* N counts the children there are; the number of one that could not be started is the next one's, unless that is on its
 * way in another thread. */
static void unname_child(const yoke__start *s)
{
    uint64_t n = s->number;

    (void)yoke__a64_cas_acq_rel(&yoke__self_state.started, &n, n - 1);
}

/* fork needs no place: the address holds in the child. By name it has to be known here then. */
static int settle_function(yoke__start *s)
{
    if (s->options.method != YOKE_START_FORK || s->function)
        return YOKE_OK;
    s->function = yoke__registered(s->registered);
    if (!s->function)
        return yoke__fail(YOKE_ENOENT, "no function is registered as %.63s", s->registered);
    return YOKE_OK;
}

/* ---- the record -------------------------------------------------------------------------------------------------- */

static int locate(yoke_code_place *place, const yoke__start *s)
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

static int fill_target(yoke__start_block *block, const yoke__start *s)
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
static int make_block(const yoke__start *s)
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

static int make_record(yoke__start *s)
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

static int make_message(yoke__start *s)
{
    yoke__start_message_init(&s->message, s->domain, YOKE__ROLE_CHILD);
    s->message.flags = s->options.flags;
    snprintf((char *)s->message.name, sizeof s->message.name, "%s", s->options.name);
    if (s->options.method == YOKE_START_FORK)
        return YOKE_OK; /* nobody else could have sent it */
    return yoke__backend()->system->random(&s->message.nonce, sizeof s->message.nonce);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static int start_with_record(yoke__start *s)
{
    s->message.record = s->record->id;
    YOKE_TRY(make_block(s));
    s->child = yoke__child_new(s->domain, s->record, s->options.name, s->options.flags);
    if (!s->child)
        return YOKE_ENOMEM;
    int rc = yoke__launch(s);
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

static int start_with_cargo(yoke__start *s)
{
    YOKE_TRY(make_message(s));
    YOKE_TRY(make_record(s));
    int rc = start_with_record(s);
    if (rc < 0) {
        if (yoke__record_abandon(yoke__start_record(s)))
            yoke__record_drop(s->domain, yoke__start_record(s));
        yoke__handle_close(s->record, NULL);
    }
    return rc;
}

static int start_with_options(yoke__start *s, const yoke_item *items)
{
    YOKE_TRY(settle_function(s));
    YOKE_TRY(yoke__domain_default(&s->domain));
    name_child(s);
    int rc = yoke__cargo_pack(&s->cargo, s->domain, items, s->options.name);
    if (rc < 0) {
        unname_child(s);
        return rc;
    }
    rc = start_with_cargo(s);
    yoke__cargo_free(&s->cargo);
    if (rc == YOKE_OK)
        return rc;
    unname_child(s);
    return yoke__fail_in(rc, "process %s can't be started", s->options.name);
}

static int start_process(yoke_process **out, yoke__start *s, const yoke_item *items,
                         const yoke_process_options *options)
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
    yoke__start s = {.function = function};

    if (!out || !function)
        return yoke__fail(YOKE_EINVAL, "yoke_process_start needs %s",
                          out ? "a function" : "somewhere to put the process");
    return start_process(out, &s, arguments, options);
}

int yoke_process_start_named(yoke_process **out, const char *name, const yoke_item *arguments,
                             const yoke_process_options *options)
{
    yoke__start s = {.registered = name};

    if (!out || !name || !*name)
        return yoke__fail(YOKE_EINVAL, "yoke_process_start_named needs %s",
                          out ? "the name of a function" : "somewhere to put the process");
    if (strlen(name) >= YOKE__NAME_SIZE)
        return yoke__fail(YOKE_EINVAL, "the function name %.20s... has %zu bytes, at most %u are allowed", name,
                          strlen(name), YOKE__NAME_SIZE - 1);
    return start_process(out, &s, arguments, options);
}
