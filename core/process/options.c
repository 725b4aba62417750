/* Options of a start: checked one by one, each refusal with its own sentence. */
#include "options.h"

#include "../backend.h"
#include "../error.h"
#include "../options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A path once set is never freed: a start in another thread may be reading it. Setting it is rare. No mutex, which a fork
 * might find held. */
typedef struct executable_path {
    struct executable_path *former;
    char                    text[];
} executable_path;

static struct {
    yoke__a64 all;  /* address of the last one copied */
    yoke__a64 path; /* address of the text in force, or 0 */
} executable;

static executable_path *copy_path(const char *path)
{
    size_t           size = strlen(path) + 1;
    executable_path *copy = malloc(sizeof *copy + size);
    uint64_t         former = yoke__a64_load_acquire(&executable.all);

    if (!copy)
        return NULL;
    memcpy(copy->text, path, size);
    do
        copy->former = (executable_path *)(uintptr_t)former;
    while (!yoke__a64_cas_acq_rel(&executable.all, &former, (uintptr_t)copy));
    return copy;
}

int yoke_set_executable(const char *path)
{
    executable_path *copy = path ? copy_path(path) : NULL;

    if (path && !copy)
        return yoke__fail(YOKE_ENOMEM, "no memory for the path of the executable");
    yoke__a64_store_release(&executable.path, copy ? (uintptr_t)copy->text : 0);
    return YOKE_OK;
}

const char *yoke__executable(void)
{
    return (const char *)(uintptr_t)yoke__a64_load_acquire(&executable.path);
}

/* ---- the parts --------------------------------------------------------------------------------------------------- */

static int take_choice(bool *out, yoke_choice choice, bool otherwise, const char *option)
{
    if (choice != YOKE_DEFAULT && choice != YOKE_YES && choice != YOKE_NO)
        return yoke__fail(YOKE_EINVAL, "%s is %d: it is YOKE_YES, YOKE_NO or YOKE_DEFAULT", option, (int)choice);
    *out = choice == YOKE_DEFAULT ? otherwise : choice == YOKE_YES;
    return YOKE_OK;
}

static int take_name(char *out, const char *name)
{
    if (!name) { /* named when it is started */
        out[0] = '\0';
        return YOKE_OK;
    }
    if (!*name)
        return yoke__fail(YOKE_EINVAL, "the name of a process is empty");
    if (strlen(name) >= YOKE__NAME_SIZE)
        return yoke__fail(YOKE_EINVAL, "the name of process %.20s... has %zu bytes, at most %u are allowed", name,
                          strlen(name), YOKE__NAME_SIZE - 1);
    snprintf(out, YOKE__NAME_SIZE, "%s", name);
    return YOKE_OK;
}

static int take_stdio(yoke_launch *launch, const yoke_process_options *options)
{
    static const char *const names[3] = {"stdin_to", "stdout_to", "stderr_to"};
    const intptr_t           to[3] = {options->stdin_to, options->stdout_to, options->stderr_to};

    for (int i = 0; i < 3; i++) {
        if (to[i] < YOKE_STDIO_INHERIT)
            return yoke__fail(YOKE_EINVAL, "%s is %lld: it is a descriptor or one of YOKE_STDIO_...", names[i],
                              (long long)to[i]);
        if (to[i] > 0 && !yoke__backend()->process->native_is_open(to[i]))
            return yoke__fail(YOKE_EINVAL, "%s is %lld, which is no open descriptor of this process", names[i],
                              (long long)to[i]);
        launch->stdio[i] = to[i] != 0 ? to[i] : i == 0 ? YOKE_STDIO_NULL : YOKE_STDIO_INHERIT;
    }
    return YOKE_OK;
}

static int take_environment(yoke__start_options *out, const yoke_process_options *options)
{
    const char *const *base = options->environment;

    YOKE_TRY(yoke__environment_check(base, false, "environment"));
    YOKE_TRY(yoke__environment_check(options->environment_add, true, "environment_add"));
    out->launch.environment = base;
    if (!options->environment_add)
        return YOKE_OK;
    if (!base)
        base = yoke__backend()->process->environment();
    YOKE_TRY(yoke__environment_merge(&out->environment, base, options->environment_add));
    out->launch.environment = out->environment;
    return YOKE_OK;
}

static int take_program(yoke__start_options *out, const yoke_process_options *options)
{
    if (options->executable && out->method != YOKE_START_SPAWN)
        return yoke__fail(YOKE_ENOTSUP, "method %s runs this program and no other executable (%s): use spawn",
                          yoke_start_method_name(out->method), options->executable);
    if (options->executable && !*options->executable)
        return yoke__fail(YOKE_EINVAL, "the path of the executable is empty");
    if (out->via_server && out->method != YOKE_START_SPAWN)
        return yoke__fail(YOKE_ENOTSUP, "via_server is a way of spawn, not of %s", yoke_start_method_name(out->method));
    if (out->via_server && !(yoke_start_methods() & 1u << YOKE_START_FORKSERVER))
        return yoke__fail(YOKE_ENOTSUP, "this system (backend %s) has no forkserver to spawn via",
                          yoke__backend()->name);
    if (out->method == YOKE_START_SPAWN)
        out->launch.program = options->executable ? options->executable : yoke__executable();
    return YOKE_OK;
}

int yoke__options_resolve(yoke__start_options *out, const yoke_process_options *options)
{
    yoke_process_options asked;
    bool                 daemon = false, die = false;

    YOKE_TRY(yoke__options_take(yoke_process_options, &asked, options));
    *out = (yoke__start_options){.launch = {.struct_size = sizeof(yoke_launch)}};
    YOKE_TRY(yoke__method_resolve(&out->method, asked.method));
    YOKE_TRY(take_name(out->name, asked.name));
    YOKE_TRY(take_choice(&daemon, asked.daemon, false, "daemon"));
    YOKE_TRY(take_choice(&die, asked.die_with_parent, daemon, "die_with_parent"));
    YOKE_TRY(take_choice(&out->via_server, asked.via_server, false, "via_server"));
    YOKE_TRY(take_program(out, &asked));
    YOKE_TRY(take_stdio(&out->launch, &asked));
    if (asked.working_directory && !*asked.working_directory)
        return yoke__fail(YOKE_EINVAL, "the working directory is empty");
    out->launch.working_directory = asked.working_directory;
    out->flags = (daemon ? YOKE__START_DAEMON : 0u) | (die ? YOKE__START_DIE_WITH_PARENT : 0u);
    return take_environment(out, &asked);
}

void yoke__options_free(yoke__start_options *options)
{
    free(options->environment);
    options->environment = NULL;
}
