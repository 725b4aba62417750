/* Which backends there are, and which one this process uses. */
#include "backend.h"

#include "atomic.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKENDS_MAX 16

/* Registration happens before first use, by one thread; the guard only keeps two threads' first uses apart. */
static struct {
    yoke__a32           guard;  /* 1 while a thread changes what follows */
    yoke__a32           chosen; /* index + 1 in all[], once the choice is settled; never changes back */
    const yoke_backend *all[BACKENDS_MAX + 1];
    const char         *names[BACKENDS_MAX + 1];
    size_t              count; /* 0: those built in have not been listed yet */
} registry;

static void guard_enter(void)
{
    uint32_t expected = 0;
    while (!yoke__a32_cas_acq_rel(&registry.guard, &expected, 1)) {
        expected = 0;
        yoke__cpu_relax();
    }
}

static void guard_leave(void)
{
    yoke__a32_store_release(&registry.guard, 0);
}

static void append(const yoke_backend *backend)
{
    registry.all[registry.count] = backend;
    registry.names[registry.count] = backend->name;
    registry.count++;
}

/* Guard held. */
static void list_built_in(void)
{
    if (registry.count)
        return;
    for (size_t i = 0; yoke__backends[i] && i < BACKENDS_MAX; i++)
        append(yoke__backends[i]);
}

/* Guard held. Index in all[], or count. */
static size_t index_of(const char *name)
{
    size_t i = 0;
    while (i < registry.count && strcmp(registry.names[i], name) != 0)
        i++;
    return i;
}

/* ---- validation ------------------------------------------------------------------------------------------------------ */

typedef struct slot {
    const char *name;
    size_t      group; /* offset of the group's pointer in yoke_backend */
    size_t      offset;
} slot;

#define SLOT(group, type, member)                                                                                      \
    {                                                                                                                  \
#group "." #member, offsetof(yoke_backend, group), offsetof(type, member)                                      \
    }

/* Slots that no backend may leave out. Not here: those whose contract allows NULL. */
static const slot required[] = {
    SLOT(memory, yoke_memory_ops, create),
    SLOT(memory, yoke_memory_ops, open),
    SLOT(memory, yoke_memory_ops, adopt),
    SLOT(memory, yoke_memory_ops, size),
    SLOT(memory, yoke_memory_ops, grow),
    SLOT(memory, yoke_memory_ops, trim),
    SLOT(memory, yoke_memory_ops, close),
    SLOT(memory, yoke_memory_ops, unlink),
    SLOT(memory, yoke_memory_ops, available),
    SLOT(waiting, yoke_wait_ops, bell_open),
    SLOT(waiting, yoke_wait_ops, bell_ring),
    SLOT(waiting, yoke_wait_ops, bell_wait),
    SLOT(waiting, yoke_wait_ops, bell_clear),
    SLOT(waiting, yoke_wait_ops, bell_close),
    SLOT(waiting, yoke_wait_ops, bell_remove),
    SLOT(waiting, yoke_wait_ops, wait_local),
    SLOT(waiting, yoke_wait_ops, wake_local),
    SLOT(waiting, yoke_wait_ops, wait_natives),
    SLOT(life, yoke_life_ops, self),
    SLOT(life, yoke_life_ops, watch),
    SLOT(life, yoke_life_ops, is_alive),
    SLOT(life, yoke_life_ops, wait),
    SLOT(life, yoke_life_ops, close),
    SLOT(life, yoke_life_ops, identify),
    SLOT(process, yoke_process_ops, spawn),
    SLOT(process, yoke_process_ops, redirect),
    SLOT(process, yoke_process_ops, environment),
    SLOT(process, yoke_process_ops, reap),
    SLOT(process, yoke_process_ops, signal),
    SLOT(process, yoke_process_ops, lifeline),
    SLOT(process, yoke_process_ops, lifeline_arm),
    SLOT(process, yoke_process_ops, lifeline_write),
    SLOT(process, yoke_process_ops, lifeline_read),
    SLOT(process, yoke_process_ops, channel),
    SLOT(process, yoke_process_ops, channel_send),
    SLOT(process, yoke_process_ops, channel_recv),
    SLOT(process, yoke_process_ops, native_close),
    SLOT(process, yoke_process_ops, claim_natives),
    SLOT(process, yoke_process_ops, native_duplicate),
    SLOT(process, yoke_process_ops, native_is_open),
    SLOT(process, yoke_process_ops, exit_now),
    SLOT(code, yoke_code_ops, locate),
    SLOT(code, yoke_code_ops, resolve),
    SLOT(stream, yoke_stream_ops, pair),
    SLOT(stream, yoke_stream_ops, open),
    SLOT(stream, yoke_stream_ops, read),
    SLOT(stream, yoke_stream_ops, write),
    SLOT(stream, yoke_stream_ops, wait),
    SLOT(stream, yoke_stream_ops, cancel),
    SLOT(stream, yoke_stream_ops, interrupt),
    SLOT(stream, yoke_stream_ops, close),
    SLOT(stream, yoke_stream_ops, take),
    SLOT(stream, yoke_stream_ops, native),
    SLOT(system, yoke_system_ops, now),
    SLOT(system, yoke_system_ops, cpu_count),
    SLOT(system, yoke_system_ops, cpu_count_all),
    SLOT(system, yoke_system_ops, random),
    SLOT(system, yoke_system_ops, page_size),
    SLOT(system, yoke_system_ops, yield),
    SLOT(system, yoke_system_ops, at_fork),
    SLOT(system, yoke_system_ops, thread_id),
};

static const struct {
    const char *name;
    size_t      group;
    size_t      size;
} groups[] = {
    {"memory", offsetof(yoke_backend, memory), sizeof(yoke_memory_ops)},
    {"waiting", offsetof(yoke_backend, waiting), sizeof(yoke_wait_ops)},
    {"life", offsetof(yoke_backend, life), sizeof(yoke_life_ops)},
    {"process", offsetof(yoke_backend, process), sizeof(yoke_process_ops)},
    {"code", offsetof(yoke_backend, code), sizeof(yoke_code_ops)},
    {"stream", offsetof(yoke_backend, stream), sizeof(yoke_stream_ops)},
    {"system", offsetof(yoke_backend, system), sizeof(yoke_system_ops)},
};

static const uint8_t *group_at(const yoke_backend *backend, size_t offset)
{
    const uint8_t *group;
    memcpy(&group, (const uint8_t *)backend + offset, sizeof group);
    return group;
}

static int check_groups(const yoke_backend *backend)
{
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        const uint8_t *group = group_at(backend, groups[i].group);
        size_t         size;
        if (!group)
            return yoke__fail(YOKE_EINVAL, "backend '%s' has no group '%s'", backend->name, groups[i].name);
        memcpy(&size, group, sizeof size);
        if (size < groups[i].size)
            return yoke__fail(YOKE_EINVAL, "backend '%s': group '%s' has %zu bytes, this library needs %zu",
                              backend->name, groups[i].name, size, groups[i].size);
    }
    return YOKE_OK;
}

/* Both or none. */
static int check_pair(const yoke_backend *backend, const char *one, bool has_one, const char *other, bool has_other)
{
    if (has_one == has_other)
        return YOKE_OK;
    return yoke__fail(YOKE_EINVAL, "backend '%s' has only one of %s and %s", backend->name, one, other);
}

/* What a forkserver needs besides. */
static int check_server(const yoke_backend *backend)
{
    const yoke_process_ops *ops = backend->process;
    if (!(backend->capabilities & YOKE_CAP_FORKSERVER))
        return YOKE_OK;
    if (ops->fork && ops->reap_any && ops->server_begin && ops->server_clear && ops->server_end && ops->traits_get &&
        ops->traits_set && ops->traits_check)
        return YOKE_OK;
    return yoke__fail(YOKE_EINVAL,
                      "backend '%s' says that it has a forkserver, but lacks 'process.fork', 'reap_any', 'server_…' or "
                      "'traits_…'",
                      backend->name);
}

/* The groups that may be left out. */
static int check_socket(const yoke_backend *backend)
{
    const yoke_socket_ops *ops = backend->socket;
    if (!ops)
        return YOKE_OK;
    if (ops->struct_size < sizeof *ops)
        return yoke__fail(YOKE_EINVAL, "backend '%s': group 'socket' has %zu bytes, this library needs %zu",
                          backend->name, ops->struct_size, sizeof *ops);
    if (ops->name_limit && ops->listen && ops->unlisten && ops->accept && ops->connect && ops->peer && ops->receive &&
        ops->send)
        return YOKE_OK;
    return yoke__fail(YOKE_EINVAL, "backend '%s' lacks a function of the group 'socket'", backend->name);
}

static int check_loop(const yoke_backend *backend)
{
    const yoke_loop_ops *ops = backend->loop;
    if (!ops)
        return YOKE_OK;
    if (ops->struct_size < sizeof *ops)
        return yoke__fail(YOKE_EINVAL, "backend '%s': group 'loop' has %zu bytes, this library needs %zu",
                          backend->name, ops->struct_size, sizeof *ops);
    if (ops->enter && ops->again && ops->leave)
        return YOKE_OK;
    return yoke__fail(YOKE_EINVAL, "backend '%s' lacks the function 'loop.enter', 'loop.again' or 'loop.leave'",
                      backend->name);
}

static int check_slots(const yoke_backend *backend)
{
    for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
        void (*function)(void);
        memcpy(&function, group_at(backend, required[i].group) + required[i].offset, sizeof function);
        if (!function)
            return yoke__fail(YOKE_EINVAL, "backend '%s' lacks the function '%s'", backend->name, required[i].name);
    }
    YOKE_TRY(check_pair(backend, "waiting.wait_word", backend->waiting->wait_word != NULL, "waiting.wake_word",
                        backend->waiting->wake_word != NULL));
    YOKE_TRY(check_pair(backend, "memory.name_lock", backend->memory->name_lock != NULL, "memory.name_unlock",
                        backend->memory->name_unlock != NULL));
    YOKE_TRY(check_pair(backend, "memory.name_lock", backend->memory->name_lock != NULL, "memory.name_user",
                        backend->memory->name_user != NULL));
    YOKE_TRY(check_pair(backend, "memory.name_try_lock", backend->memory->name_try_lock != NULL, "memory.name_read",
                        backend->memory->name_read != NULL));
    if ((backend->capabilities & YOKE_CAP_FORK) && !backend->process->fork)
        return yoke__fail(YOKE_EINVAL, "backend '%s' says that it can fork, but lacks the function 'process.fork'",
                          backend->name);
    YOKE_TRY(check_loop(backend));
    YOKE_TRY(check_socket(backend));
    return check_server(backend);
}

static int check_table(const yoke_backend *backend)
{
    if (!backend)
        return yoke__fail(YOKE_EINVAL, "the backend to register is NULL");
    if (backend->struct_size < sizeof *backend)
        return yoke__fail(YOKE_EINVAL, "a backend's table has %zu bytes, this library needs %zu", backend->struct_size,
                          sizeof *backend);
    if (!backend->name || !*backend->name)
        return yoke__fail(YOKE_EINVAL, "a backend has no name");
    YOKE_TRY(check_groups(backend));
    return check_slots(backend);
}

/* ---- the list -------------------------------------------------------------------------------------------------------- */

int yoke_backend_register(const yoke_backend *backend)
{
    int code = YOKE_OK;
    YOKE_TRY(check_table(backend));
    guard_enter();
    list_built_in();
    if (index_of(backend->name) < registry.count)
        code = yoke__fail(YOKE_EEXIST, "a backend called '%s' is there already", backend->name);
    else if (registry.count == BACKENDS_MAX)
        code = yoke__fail(YOKE_ENOMEM, "no room for backend '%s': %d are there already", backend->name, BACKENDS_MAX);
    else
        append(backend);
    guard_leave();
    return code;
}

/* "posix, windows" for a sentence. Guard held. */
static void list_names(char *out, size_t size)
{
    size_t used = 0;
    *out = 0;
    for (size_t i = 0; i < registry.count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", registry.names[i]);
}

/* Guard held. */
static int fail_unknown(const char *name)
{
    char names[256];
    list_names(names, sizeof names);
    return yoke__fail(YOKE_ENOENT, "no backend is called '%s'; there are: %s", name, names);
}

const yoke_backend *yoke_backend_find(const char *name)
{
    const yoke_backend *found;
    if (!name) {
        yoke__fail(YOKE_EINVAL, "the name of the backend to find is NULL");
        return NULL;
    }
    guard_enter();
    list_built_in();
    found = registry.all[index_of(name)];
    if (!found)
        fail_unknown(name);
    guard_leave();
    return found;
}

const char *const *yoke_backend_names(void)
{
    guard_enter();
    list_built_in();
    guard_leave();
    return registry.names;
}

/* ---- the choice ------------------------------------------------------------------------------------------------------ */

/* Guard held. Settles on the backend called name, unless another is in use. */
static int settle(const char *name)
{
    size_t   index = index_of(name);
    uint32_t chosen = yoke__a32_load_relaxed(&registry.chosen);
    if (index == registry.count)
        return fail_unknown(name);
    if (chosen && chosen != index + 1)
        return yoke__fail(YOKE_EBUSY, "backend '%s' can't be chosen: '%s' is in use already", name,
                          registry.names[chosen - 1]);
    yoke__a32_store_release(&registry.chosen, (uint32_t)index + 1);
    return YOKE_OK;
}

int yoke_backend_choose(const char *name)
{
    int code;
    if (!name)
        return yoke__fail(YOKE_EINVAL, "the name of the backend to choose is NULL");
    guard_enter();
    list_built_in();
    code = settle(name);
    guard_leave();
    return code;
}

/* The environment's choice, or the first one built. */
static int settle_default(void)
{
    const char *wanted = getenv("YOKE_BACKEND");
    int         code = YOKE_OK;
    guard_enter();
    list_built_in();
    if (!yoke__a32_load_relaxed(&registry.chosen)) {
        if (wanted && *wanted)
            code = settle(wanted) < 0 ? yoke__fail_in(YOKE_ENOENT, "environment variable YOKE_BACKEND") : YOKE_OK;
        else
            code = registry.count ? settle(registry.names[0])
                                  : yoke__fail(YOKE_ENOTSUP, "this library was built without any backend");
    }
    guard_leave();
    return code;
}

const yoke_backend *yoke_backend_current(void)
{
    uint32_t chosen = yoke__a32_load_acquire(&registry.chosen);
    if (!chosen) {
        if (settle_default() < 0)
            return NULL;
        chosen = yoke__a32_load_acquire(&registry.chosen);
    }
    return registry.all[chosen - 1];
}

int yoke__backend_ready(void)
{
    return yoke_backend_current() ? YOKE_OK : yoke__noted();
}

/* CMake builds no library without a backend. */
const yoke_backend *yoke__backend(void)
{
    const yoke_backend *backend = yoke_backend_current();
    return backend ? backend : yoke__backends[0];
}
