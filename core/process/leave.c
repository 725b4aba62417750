/* How processes end: handlers, children, stdio, result, domain. */
#include "family.h"
#include "forkserver.h"

#include "../backend.h"
#include "../connection/conn.h"
#include "../domain/participant.h"
#include "../error.h"
#include "../memory/shm.h"
#include "../wait/word.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAEMON_PATIENCE 2000 /* ms between asking daemons to end and ending them */
#define FLUSH_SLICE     100  /* ms between looks at a child that is joined while messages go out */
#define CHECK_PATIENCE  1000 /* the same, for all children, when YOKE_CHECK has failed */

struct at_exit {
    struct at_exit *next;
    void (*handler)(void *user);
    void *user;
};

static struct {
    yoke__mutex     mutex;
    struct at_exit *first;
    yoke__a32       leaving; /* 1 once a thread of this process has begun to leave */
} leave = {.mutex = YOKE__MUTEX_INIT};
static _Thread_local bool leaving_here; /* it is this thread */

/* ---- hooks ------------------------------------------------------------------------------------------------------- */

static void take_lock(void)
{
    yoke__mutex_lock(&leave.mutex);
}

static void give_lock(void)
{
    yoke__mutex_unlock(&leave.mutex);
}

static void forget_handlers(void)
{
    yoke__mutex_reset(&leave.mutex);
    leave.first = NULL;
    yoke__a32_store_relaxed(&leave.leaving, 0);
    leaving_here = false;
}

/* ---- handlers ---------------------------------------------------------------------------------------------------- */

int yoke_at_exit(void (*handler)(void *user), void *user)
{
    struct at_exit *entry;

    if (!handler)
        return yoke__fail(YOKE_EINVAL, "an exit handler is a function, not NULL");
    entry = malloc(sizeof *entry);
    if (!entry)
        return yoke__fail(YOKE_ENOMEM, "no memory for an exit handler");
    yoke__self_init();
    *entry = (struct at_exit){.handler = handler, .user = user};
    take_lock();
    entry->next = leave.first;
    leave.first = entry;
    give_lock();
    return YOKE_OK;
}

static void run_handlers(void)
{
    for (;;) {
        take_lock();
        struct at_exit *entry = leave.first;
        if (entry)
            leave.first = entry->next;
        give_lock();
        if (!entry)
            return;
        entry->handler(entry->user);
        free(entry);
    }
}

/* ---- children ---------------------------------------------------------------------------------------------------- */

static void terminate_daemon(yoke__relative *child, void *user)
{
    (void)user;
    if (child->flags & YOKE__START_DAEMON)
        (void)yoke__child_signal(child, YOKE_SIGNAL_TERMINATE);
}

static void await_or_kill(yoke__relative *child, yoke__deadline deadline)
{
    if (yoke__child_wait(child, deadline))
        return;
    (void)yoke__child_signal(child, YOKE_SIGNAL_KILL);
    (void)yoke__child_wait(child, yoke__deadline_after(CHECK_PATIENCE)); /* even that can take a moment */
}

static void end_daemon(yoke__relative *child, void *user)
{
    if (child->flags & YOKE__START_DAEMON)
        await_or_kill(child, *(const yoke__deadline *)user);
}

/* It may be waiting for the rest of a message from this process, and end only when it has it. */
static void join_child(yoke__relative *child, void *user)
{
    (void)user;
    if (child->flags & YOKE__START_DAEMON)
        return;
    while (!yoke__conn_flush_all(FLUSH_SLICE))
        if (yoke__child_wait(child, 0))
            return;
    (void)yoke__child_wait(child, yoke__deadline_after(YOKE_FOREVER));
}

void yoke__children_end(void)
{
    yoke__deadline deadline;

    if (!yoke__children_any())
        return;
    (void)yoke__conn_flush_all(YOKE__CONN_FLUSH); /* while daemons can still receive */
    deadline = yoke__deadline_after(DAEMON_PATIENCE);
    yoke__children_each(terminate_daemon, NULL);
    yoke__children_each(end_daemon, &deadline);
    yoke__children_each(join_child, NULL);
    yoke__forkserver_stop();
}

static void terminate_child(yoke__relative *child, void *user)
{
    (void)user;
    (void)yoke__child_signal(child, YOKE_SIGNAL_TERMINATE);
}

static void end_child(yoke__relative *child, void *user)
{
    await_or_kill(child, *(const yoke__deadline *)user);
}

void yoke__process_terminate_children(void)
{
    yoke__deadline deadline = yoke__deadline_after(CHECK_PATIENCE);

    yoke__children_each(terminate_child, NULL);
    yoke__children_each(end_child, &deadline);
}

/* ---- leaving ----------------------------------------------------------------------------------------------------- */

/* True for the first: it runs handlers and ends children. False inside those (a handler that calls exit). Other threads
 * that want to leave as well are held until the process is gone. */
static bool begin_leaving(void)
{
    if (leaving_here)
        return false;
    if (yoke__a32_exchange_acq_rel(&leave.leaving, 1) != 0)
        for (;;)
            (void)yoke__backend()->waiting->wait_local((const uint32_t *)(const void *)&leave.leaving, 1, YOKE__SLICE);
    leaving_here = true;
    return true;
}

/* atexit's: main() returned or somebody called exit(). In a child of ours that did so, the exit status is all its parent
 * will learn. */
static void at_exit(void)
{
    if (!begin_leaving())
        return;
    run_handlers();
    yoke__children_end();
    (void)yoke__conn_flush_all(YOKE__CONN_FLUSH);
    yoke__domains_leave();
}

void yoke__leave_hooks(void)
{
    yoke__fork_hook_add(take_lock, give_lock, forget_handlers);
    atexit(at_exit);
}

/* The system's status is a courtesy: 0 only for 0, and what fits. */
static int status_of(yoke_outcome how, int code)
{
    if (how == YOKE_NOT_STARTED)
        return YOKE__CHILD_REFUSED;
    if (how == YOKE_BAD_ARGUMENTS || code < 0)
        return 1;
    return code == 0 || (code & 0xff) != 0 ? code & 0xff : 1;
}

/* Cut to what fits; NULL is "". */
static void keep_text(char out[YOKE__RESULT_TEXT], const char *text)
{
    size_t length = text ? strlen(text) : 0;

    if (length >= YOKE__RESULT_TEXT)
        length = YOKE__RESULT_TEXT - 1;
    if (length)
        memcpy(out, text, length);
    out[length] = '\0';
}

_Noreturn void yoke__process_leave(yoke_outcome how, int code, int error, const char *text)
{
    yoke_result result = {.struct_size = sizeof result, .how = how, .code = code, .error = error};

    if (!yoke__self_state.record)
        exit(code);
    keep_text(result.text, text); /* now: handlers may note other errors */
    if (begin_leaving()) {
        run_handlers();
        yoke__children_end();
    }
    (void)yoke__conn_flush_all(YOKE__CONN_FLUSH);
    fflush(NULL);
    yoke__shms_leave();
    yoke__record_finish(yoke__self_record(), yoke__self_state.token, &result);
    yoke__domains_ending(status_of(how, code));
    yoke__domains_leave();
    yoke__backend()->process->exit_now(status_of(how, code));
    abort();
}

_Noreturn void yoke__args_fatal(const char *sentence)
{
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", yoke__self_state.name, sentence);
    yoke__process_leave(YOKE_BAD_ARGUMENTS, 1, yoke_last_error()->code, sentence);
}

void yoke_exit(int code)
{
    yoke__process_leave(YOKE_EXITED, code, 0, NULL);
}
