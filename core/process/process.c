/* The public face of a process: asking, joining, signalling, closing. */
#include "family.h"

#include "../backend.h"
#include "../domain/participant.h"
#include "../error.h"
#include "../options.h"

#include <stdio.h>
#include <string.h>

/*
 * A handle is entered for as long as a call looks at what is behind it: another thread may close it at any time, and
 * waits for those who are in. NULL with the error noted if it is none, or closed by then.
 */
static yoke__relative *enter(const yoke_process *process)
{
    yoke__handle *handle = yoke__handle_check(process, YOKE__KIND_PROCESS);

    if (!handle)
        return NULL;
    yoke__handle_enter(handle);
    if (yoke__handle_check(process, YOKE__KIND_PROCESS))
        return handle->extra;
    yoke__handle_exit(handle);
    return NULL;
}

static void leave(const yoke_process *process)
{
    yoke__handle_exit((yoke__handle *)(uintptr_t)process);
}

/* Is it a child that this process started? what: what only its creator may do. */
static int check_child(const yoke__relative *relative, const char *what)
{
    if (relative->relation == YOKE__IS_SELF)
        return yoke__fail_process(YOKE_ECHILD, relative->pid,
                                  "process %s is this process itself: only its creator may %s", relative->name, what);
    if (relative->relation != YOKE__IS_CHILD || relative->epoch != yoke__self_state.epoch)
        return yoke__fail_process(YOKE_ECHILD, relative->pid,
                                  "process %s (%lld) was not started by this process (%s): only its creator may %s",
                                  relative->name, (long long)relative->pid, yoke__self_state.name, what);
    return YOKE_OK;
}

/* The child behind a handle, entered; NULL with the error noted. */
static yoke__relative *enter_child(const yoke_process *process, const char *what)
{
    yoke__relative *relative = enter(process);

    if (!relative || check_child(relative, what) == YOKE_OK)
        return relative;
    leave(process);
    return NULL;
}

int yoke__child_check(const yoke_process *process, const char *what)
{
    if (!enter_child(process, what))
        return yoke__noted();
    leave(process);
    return YOKE_OK;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

int64_t yoke_process_pid(const yoke_process *process)
{
    const yoke__relative *relative = enter(process);

    if (!relative)
        return -1;
    int64_t pid = relative->pid;
    leave(process);
    return pid;
}

const char *yoke_process_name(const yoke_process *process)
{
    const yoke__relative *relative = enter(process);

    if (!relative)
        return NULL;
    leave(process);
    return relative->name; /* as long-lived as the handle */
}

bool yoke_process_is_daemon(const yoke_process *process)
{
    const yoke__relative *relative = enter(process);

    if (!relative)
        return false;
    bool daemon = relative->flags & YOKE__START_DAEMON;
    leave(process);
    return daemon;
}

static bool lives(yoke__relative *relative)
{
    if (relative->relation == YOKE__IS_SELF)
        return true;
    if (relative->relation == YOKE__IS_PARENT)
        return yoke__token_alive(relative->domain, relative->token);
    return check_child(relative, "ask whether it lives") == YOKE_OK && !yoke__child_wait(relative, 0);
}

bool yoke_process_is_alive(const yoke_process *process)
{
    yoke__relative *relative = enter(process);

    if (!relative)
        return false;
    bool alive = lives(relative);
    leave(process);
    return alive;
}

int yoke_process_sentinel(const yoke_process *process, intptr_t *native)
{
    const yoke__relative *child;

    if (!native)
        return yoke__fail(YOKE_EINVAL, "nowhere to put the sentinel");
    child = enter_child(process, "watch it");
    if (!child)
        return yoke__noted();
    *native = child->life;
    leave(process);
    return YOKE_OK;
}

int yoke_process_result(yoke_process *process, yoke_result *out)
{
    yoke__relative *child;
    yoke_result     result;

    YOKE_TRY(yoke__report_check(out, "yoke_result"));
    child = enter_child(process, "ask for its result");
    if (!child)
        return yoke__noted();
    (void)yoke__child_wait(child, 0); /* settles it if it is dead */
    yoke__child_result(child, &result);
    leave(process);
    yoke__report_fill(out, &result, sizeof result);
    return YOKE_OK;
}

/* ---- joining ----------------------------------------------------------------------------------------------------- */

int yoke_process_join(yoke_process *process, int64_t timeout)
{
    yoke__deadline  deadline = yoke__deadline_after(timeout);
    yoke__relative *child = enter_child(process, "join it");
    int             rc = YOKE_OK;

    if (!child)
        return yoke__noted();
    if (!yoke__child_wait(child, deadline))
        rc = yoke__fail_process(YOKE_ETIMEDOUT, child->pid, "process %s (%lld) still runs after %lld ms", child->name,
                                (long long)child->pid, (long long)timeout);
    leave(process);
    return rc;
}

int yoke_process_finish(yoke_process *process, yoke_result *result, int64_t timeout)
{
    if (result)
        YOKE_TRY(yoke__report_check(result, "yoke_result"));
    YOKE_TRY(yoke_process_join(process, timeout));
    if (result)
        YOKE_TRY(yoke_process_result(process, result));
    return yoke_process_close(process);
}

/* Entered. Of several threads that close, one gets YOKE_OK. */
static int begin_closing(yoke__relative *relative)
{
    uint32_t open = 0;

    if (relative->relation != YOKE__IS_CHILD)
        return yoke__fail(YOKE_EINVAL,
                          "the handles of the current process and of its parent are the library's to close");
    if (relative->epoch == yoke__self_state.epoch && !yoke__child_wait(relative, 0))
        return yoke__fail_process(YOKE_EBUSY, relative->pid, "process %s (%lld) still runs: join it before closing",
                                  relative->name, (long long)relative->pid);
    if (!yoke__a32_cas_acq_rel(&relative->closing, &open, 1))
        return yoke__fail(YOKE_EINVAL, "this process is closed");
    return YOKE_OK;
}

int yoke_process_close(yoke_process *process)
{
    if (!process)
        return YOKE_OK;
    yoke__relative *relative = enter(process);
    if (!relative)
        return yoke__noted();
    int rc = begin_closing(relative);
    leave(process);
    YOKE_TRY(rc);
    yoke__handle *handle = relative->handle;
    yoke__child_unlist(relative); /* nobody comes upon it any more; then those in it leave */
    yoke__handle_close(handle, NULL);
    yoke__child_free(relative);
    return YOKE_OK;
}

/* ---- signals ----------------------------------------------------------------------------------------------------- */

static int send_signal(yoke_process *process, yoke_signal signal, const char *what)
{
    yoke__relative *child = enter_child(process, what);

    if (!child)
        return yoke__noted();
    int rc = yoke__child_signal(child, signal);
    leave(process);
    return rc;
}

int yoke_process_terminate(yoke_process *process)
{
    return send_signal(process, YOKE_SIGNAL_TERMINATE, "terminate it");
}

int yoke_process_kill(yoke_process *process)
{
    return send_signal(process, YOKE_SIGNAL_KILL, "kill it");
}

int yoke_process_interrupt(yoke_process *process)
{
    return send_signal(process, YOKE_SIGNAL_INTERRUPT, "interrupt it");
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

struct active {
    yoke_process **out;
    size_t         capacity;
    int64_t        count;
};

static void add_if_alive(yoke__relative *child, void *user)
{
    struct active *active = user;

    if (yoke__child_wait(child, 0))
        return;
    if ((size_t)active->count < active->capacity)
        active->out[active->count] = (yoke_process *)child->handle;
    active->count++;
}

int64_t yoke_active_children(yoke_process **out, size_t capacity)
{
    struct active active = {.out = out, .capacity = out ? capacity : 0};

    yoke__children_each(add_if_alive, &active);
    return active.count;
}

int yoke_cpu_count(void)
{
    YOKE_TRY(yoke__backend_ready());
    return yoke__backend()->system->cpu_count();
}

int yoke_cpu_count_all(void)
{
    YOKE_TRY(yoke__backend_ready());
    return yoke__backend()->system->cpu_count_all();
}
