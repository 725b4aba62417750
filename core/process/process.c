/* The public face of a process: asking, joining, signalling, closing. */
#include "family.h"

#include "../backend.h"
#include "../domain/participant.h"
#include "../error.h"

#include <stdio.h>
#include <string.h>

yoke__relative *yoke__relative_of(const yoke_process *process)
{
    yoke__handle *handle = yoke__handle_check(process, YOKE__KIND_PROCESS);
    return handle ? handle->extra : NULL;
}

int yoke__child_of(yoke__relative **out, const yoke_process *process, const char *verb)
{
    yoke__relative *relative = yoke__relative_of(process);

    if (!relative)
        return YOKE_EINVAL;
    if (relative->relation == YOKE__IS_SELF)
        return yoke__fail_process(YOKE_ECHILD, relative->pid, "process %s can't %s itself", relative->name, verb);
    if (relative->relation != YOKE__IS_CHILD || relative->epoch != yoke__self_state.epoch)
        return yoke__fail_process(YOKE_ECHILD, relative->pid,
                                  "process %s (%lld) was not started by this process (%s): only its creator may %s it",
                                  relative->name, (long long)relative->pid, yoke__self_state.name, verb);
    *out = relative;
    return YOKE_OK;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

int64_t yoke_process_pid(const yoke_process *process)
{
    const yoke__relative *relative = yoke__relative_of(process);
    return relative ? relative->pid : -1;
}

const char *yoke_process_name(const yoke_process *process)
{
    const yoke__relative *relative = yoke__relative_of(process);
    return relative ? relative->name : NULL;
}

bool yoke_process_is_daemon(const yoke_process *process)
{
    const yoke__relative *relative = yoke__relative_of(process);
    return relative && (relative->flags & YOKE__START_DAEMON);
}

bool yoke_process_is_alive(const yoke_process *process)
{
    yoke__relative *relative = yoke__relative_of(process);

    if (!relative)
        return false;
    if (relative->relation == YOKE__IS_SELF)
        return true;
    if (relative->relation == YOKE__IS_PARENT)
        return yoke__token_alive(relative->domain, relative->token);
    return yoke__child_of(&relative, process, "ask whether it lives") == YOKE_OK && !yoke__child_wait(relative, 0);
}

int yoke_process_sentinel(const yoke_process *process, intptr_t *native)
{
    yoke__relative *child;

    if (!native)
        return yoke__fail(YOKE_EINVAL, "nowhere to put the sentinel");
    YOKE_TRY(yoke__child_of(&child, process, "watch"));
    *native = child->life;
    return YOKE_OK;
}

int yoke_process_result(yoke_process *process, yoke_result *out)
{
    yoke__relative *child;
    yoke_result     result;

    if (!out || out->struct_size == 0)
        return yoke__fail(YOKE_EINVAL, "a result needs its struct_size set");
    YOKE_TRY(yoke__child_of(&child, process, "ask for the result of"));
    (void)yoke__child_wait(child, 0); /* settles it if it is dead */
    yoke__child_result(child, &result);
    result.struct_size = out->struct_size;
    memcpy(out, &result, out->struct_size < sizeof result ? out->struct_size : sizeof result);
    return YOKE_OK;
}

/* ---- joining ----------------------------------------------------------------------------------------------------- */

int yoke_process_join(yoke_process *process, int64_t timeout)
{
    yoke__deadline  deadline = yoke__deadline_after(timeout);
    yoke__relative *child;

    YOKE_TRY(yoke__child_of(&child, process, "join"));
    yoke__handle *handle = child->handle;
    yoke__handle_enter(handle);
    bool ended = yoke__child_wait(child, deadline);
    yoke__handle_exit(handle);
    if (!ended)
        return yoke__fail_process(YOKE_ETIMEDOUT, child->pid, "process %s (%lld) still runs after %lld ms", child->name,
                                  (long long)child->pid, (long long)timeout);
    return YOKE_OK;
}

int yoke_process_finish(yoke_process *process, yoke_result *result, int64_t timeout)
{
    if (result && result->struct_size == 0)
        return yoke__fail(YOKE_EINVAL, "a result needs its struct_size set");
    YOKE_TRY(yoke_process_join(process, timeout));
    if (result)
        YOKE_TRY(yoke_process_result(process, result));
    return yoke_process_close(process);
}

int yoke_process_close(yoke_process *process)
{
    if (!process)
        return YOKE_OK;
    yoke__relative *relative = yoke__relative_of(process);
    if (!relative)
        return YOKE_EINVAL;
    if (relative->relation != YOKE__IS_CHILD)
        return yoke__fail(YOKE_EINVAL,
                          "the handles of the current process and of its parent are the library's to close");
    if (relative->epoch == yoke__self_state.epoch && !yoke__child_wait(relative, 0))
        return yoke__fail_process(YOKE_EBUSY, relative->pid, "process %s (%lld) still runs: join it before closing",
                                  relative->name, (long long)relative->pid);
    yoke__handle *handle = relative->handle;
    yoke__child_unlist(relative); /* nobody comes upon it any more; then those in it leave */
    yoke__handle_close(handle, NULL);
    yoke__child_free(relative);
    return YOKE_OK;
}

/* ---- signals ----------------------------------------------------------------------------------------------------- */

static int send_signal(yoke_process *process, yoke_signal signal, const char *verb)
{
    yoke__relative *child;

    YOKE_TRY(yoke__child_of(&child, process, verb));
    return yoke__child_signal(child, signal);
}

int yoke_process_terminate(yoke_process *process)
{
    return send_signal(process, YOKE_SIGNAL_TERMINATE, "terminate");
}

int yoke_process_kill(yoke_process *process)
{
    return send_signal(process, YOKE_SIGNAL_KILL, "kill");
}

int yoke_process_interrupt(yoke_process *process)
{
    return send_signal(process, YOKE_SIGNAL_INTERRUPT, "interrupt");
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
    return yoke__backend()->system->cpu_count();
}

int yoke_cpu_count_all(void)
{
    return yoke__backend()->system->cpu_count_all();
}
