/* This process: its name, what it may do, who its parent is. */
#include "family.h"

#include "../backend.h"
#include "../error.h"

#include <stdlib.h>
#include <string.h>

yoke__self yoke__self_state = {.name = "MainProcess"};

static struct {
    yoke__mutex    mutex;
    bool           hooked;
    yoke_process  *current;
    yoke_process  *parent;
    yoke__relative as_current, as_parent;
    bool           has_parent;
} family = {.mutex = YOKE__MUTEX_INIT};

/* ---- making ------------------------------------------------------------------------------------------------------ */

static void take_lock(void)
{
    yoke__mutex_lock(&family.mutex);
}

static void give_lock(void)
{
    yoke__mutex_unlock(&family.mutex);
}

/* A process that the program forked by itself keeps its name, but has no record to leave a result in, and its parent is
 * none that yoke knows. One that yoke forked becomes what its start record says, after this. */
static void forget_family(void)
{
    yoke__mutex_reset(&family.mutex);
    family.current = NULL;
    family.parent = NULL;
    family.has_parent = false;
    yoke__self_state.epoch++;
    yoke__self_state.domain = NULL;
    yoke__self_state.record = NULL;
    yoke__self_state.token = 0;
}

void yoke__self_init(void)
{
    take_lock();
    bool first = !family.hooked;
    family.hooked = true;
    give_lock();
    if (!first)
        return;
    yoke__fork_hooks();
    yoke__fork_hook_add(take_lock, give_lock, forget_family);
    yoke__children_hooks();
    yoke__leave_hooks();
}

void yoke__self_become(const yoke__start_message *message)
{
    yoke__self *self = &yoke__self_state;

    self->ready = true;
    self->method = (yoke_start_method)message->default_method;
    self->flags = message->flags;
    memcpy(self->name, message->name, sizeof self->name);
    self->name[sizeof self->name - 1] = '\0';
    yoke__a64_store_relaxed(&self->started, 0);
}

void yoke__self_claimed(yoke_domain *domain, yoke__handle *handle, yoke__token token)
{
    const yoke__process_record *record = handle->object;
    yoke__self                 *self = &yoke__self_state;
    yoke__relative             *parent = &family.as_parent;

    self->domain = domain;
    self->record = handle;
    self->token = token;
    memcpy(self->identity, record->identity, sizeof self->identity);
    self->identity[sizeof self->identity - 1] = '\0';
    *parent = (yoke__relative){
        .relation = YOKE__IS_PARENT,
        .pid = record->parent_pid,
        .token = record->parent_token,
        .domain = domain,
    };
    memcpy(parent->name, record->parent_name, sizeof parent->name);
    parent->name[sizeof parent->name - 1] = '\0';
    family.has_parent = true;
}

const char *yoke__process_own_name(void)
{
    return yoke__self_state.name;
}

/* ---- as handles -------------------------------------------------------------------------------------------------- */

/* The handle at *cache, made on first use. No lock of ours is held while others are taken. */
static yoke_process *handle_on(yoke_process **cache, yoke__relative *relative)
{
    yoke__handle *made;

    take_lock();
    yoke_process *process = *cache;
    give_lock();
    if (process || yoke__handle_local(&made, YOKE__KIND_PROCESS) < 0)
        return process;
    made->extra = relative;
    take_lock();
    if (!*cache) {
        *cache = (yoke_process *)made;
        made = NULL;
    }
    process = *cache;
    give_lock();
    yoke__handle_close(made, NULL); /* another thread was faster */
    return process;
}

const yoke_process *yoke_process_current(void)
{
    yoke_identity me;

    if (yoke__backend()->life->self(&me) < 0)
        return NULL;
    take_lock();
    yoke__relative *relative = &family.as_current;
    if (relative->pid != me.pid) {
        *relative = (yoke__relative){.relation = YOKE__IS_SELF, .flags = yoke__self_state.flags, .pid = me.pid};
        memcpy(relative->name, yoke__self_state.name, sizeof relative->name);
    }
    give_lock();
    return handle_on(&family.current, relative);
}

const yoke_process *yoke_process_parent(void)
{
    if (family.has_parent) /* settled before user code runs */
        return handle_on(&family.parent, &family.as_parent);
    yoke__fail(YOKE_ENOENT, "this process (%s) was not started by yoke", yoke__self_state.name);
    return NULL;
}
