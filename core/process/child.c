/*
 * A child's side of its start. Until it has claimed its record nothing of the user's runs, and whatever is wrong ends it
 * with a sentence; from then on, what is wrong is told by its result.
 */
#include "args.h"
#include "cargo.h"
#include "options.h"

#include "../backend.h"
#include "../connection/listener.h"
#include "../domain/participant.h"
#include "../error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- refusing ---------------------------------------------------------------------------------------------------- */

_Noreturn void yoke__child_refuse(const char *format, ...)
{
    char    sentence[600];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    fprintf(stderr, "yoke: this process was asked to run as a child, but %s\n", sentence); /* in one write */
    yoke__backend()->process->exit_now(yoke_last_error()->code == YOKE_ENOMEM ? YOKE__CHILD_NO_MEMORY
                                                                              : YOKE__CHILD_REFUSED);
    abort();
}

/* After the claim: the parent learns it. */
static _Noreturn void not_started(int code, const char *what)
{
    const yoke_error *error = yoke_last_error();
    char              text[YOKE__RESULT_TEXT];

    snprintf(text, sizeof text, "%s: %s", what, error->code == code ? error->text : yoke_error_text(code));
    yoke__process_leave(YOKE_NOT_STARTED, 0, code, text);
}

/* ---- the function and its arguments ------------------------------------------------------------------------------ */

static int find_registered(yoke_function **out, const yoke__start_block *block)
{
    char name[YOKE__NAME_SIZE];

    snprintf(name, sizeof name, "%.*s", (int)sizeof name - 1, (const char *)block->function);
    *out = yoke__registered(name);
    if (!*out)
        return yoke__fail(YOKE_ENOENT, "no function is registered as %s: yoke_register it before yoke_main", name);
    return YOKE_OK;
}

static int find_function(yoke_function **out, const yoke__start_block *block)
{
    void (*address)(void);

    if (!block)
        return yoke__fail(YOKE_EPROTO, "the start record names no function");
    if (block->target == YOKE__TARGET_NAME)
        return find_registered(out, block);
    if (block->target != YOKE__TARGET_PLACE)
        return yoke__fail(YOKE_EPROTO, "the start record names its function in an unknown way (%u)",
                          (unsigned)block->target);
    YOKE_TRY(yoke__backend()->code->resolve(&address, &block->place));
    *out = (yoke_function *)address;
    return YOKE_OK;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

static _Noreturn void run(yoke_function *function, const yoke_variant *list)
{
    yoke_args args;

    if (yoke__args_init(&args, list) < 0)
        not_started(YOKE_EPROTO, "its arguments");
    yoke__error_reset();
    yoke__record_running(yoke__self_record(), yoke__self_state.token);
    int               code = function(&args);
    const yoke_error *error = yoke_last_error();
    bool              told = code < 0 && error->code == code;
    /* list stays: exit handlers may use what came with it, and leaving gives it all back. */
    yoke__process_leave(YOKE_RETURNED, code, told ? code : 0, told ? error->text : NULL);
}

static void tie_to_parent(const yoke__child_start *start)
{
    const yoke_process_ops *process = yoke__backend()->process;

    if (start->lifeline == YOKE_NO_NATIVE)
        return;
    if (!(start->message.flags & YOKE__START_DIE_WITH_PARENT))
        process->native_close(start->lifeline);
    else if (process->lifeline_arm(start->lifeline) < 0)
        yoke__child_refuse("it can't be made to end with its parent: %s", yoke_last_error()->text);
}

static yoke__handle *claim_record(const yoke__child_start *start)
{
    yoke__handle *handle;
    yoke__token   token = yoke__domain_token(start->domain);

    if (!token)
        yoke__child_refuse("it can't join its parent's domain: %s", yoke_last_error()->text);
    if (yoke__handle_open(&handle, start->domain, YOKE__KIND_PROCESS, start->message.record) < 0)
        yoke__child_refuse("its start record is gone, and so, it seems, is its parent: %s", yoke_last_error()->text);
    yoke__process_record *record = handle->object;
    if (record->nonce != start->message.nonce)
        yoke__child_refuse("its start message does not fit its start record");
    if (!yoke__record_claim_attempt(record, token, start->message.attempt))
        yoke__child_refuse("its start record is in use by another process, or was withdrawn");
    yoke__a64_store_release(&yoke__participant_of(start->domain, token)->process, handle->id);
    yoke__self_claimed(start->domain, handle, token);
    if (start->claimed)
        start->claimed(start->domain, token);
    return handle;
}

static void redirect(const yoke_launch *launch)
{
    if (!launch)
        return;
    int rc = yoke__backend()->process->redirect(launch->stdio, launch->working_directory, launch->environment);
    if (rc < 0)
        not_started(rc, "its surroundings");
}

_Noreturn void yoke__child_run(const yoke__child_start *start)
{
    yoke_function      *function = start->function;
    const yoke_variant *list;
    int                 rc;

    tie_to_parent(start);
    yoke__error_reset();
    yoke__self_become(&start->message);
    yoke__process_record *record = claim_record(start)->object;
    yoke__start_block    *block = yoke__record_block(start->domain, record);
    yoke__conn_close_inherited(start->conns, start->conns ? start->native_count : 0);
    yoke__listener_close_inherited();
    redirect(start->redirect);
    if (!function && (rc = find_function(&function, block)) < 0)
        not_started(rc, "its function");
    if ((rc = yoke__cargo_unpack(&list, start, block)) < 0)
        not_started(rc, "its arguments");
    yoke__record_drop(start->domain, record);
    run(function, list);
}
