/* Start methods: their names, which this system has, which one is the default. */
#include "options.h"

#include "../backend.h"
#include "../error.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t    capability;
} methods[] = {
    [YOKE_START_DEFAULT] = {"default", 0},
    [YOKE_START_SPAWN] = {"spawn", YOKE_CAP_SPAWN},
    [YOKE_START_FORK] = {"fork", YOKE_CAP_FORK},
    [YOKE_START_FORKSERVER] = {"forkserver", YOKE_CAP_FORKSERVER},
};
#define METHODS (sizeof methods / sizeof methods[0])

const char *yoke_start_method_name(yoke_start_method method)
{
    return (size_t)method < METHODS ? methods[method].name : NULL;
}

int yoke_start_method_parse(yoke_start_method *out, const char *name)
{
    for (size_t i = 0; out && name && i < METHODS; i++) {
        if (strcmp(name, methods[i].name) == 0) {
            *out = (yoke_start_method)i;
            return YOKE_OK;
        }
    }
    return yoke__fail(YOKE_EINVAL, "there is no start method \"%.40s\": it is one of spawn, fork, forkserver, default",
                      name ? name : "(null)");
}

unsigned yoke_start_methods(void)
{
    uint32_t capabilities = yoke__backend()->capabilities;
    unsigned mask = 0;

    if (yoke__backend_ready() < 0)
        return 0;
    for (size_t i = YOKE_START_SPAWN; i < METHODS; i++)
        if (capabilities & methods[i].capability)
            mask |= 1u << i;
    return mask;
}

static int check_method(yoke_start_method method)
{
    if ((size_t)method >= METHODS)
        return yoke__fail(YOKE_EINVAL, "%d is no start method", (int)method);
    YOKE_TRY(yoke__backend_ready());
    if (method != YOKE_START_DEFAULT && !(yoke_start_methods() & 1u << method))
        return yoke__fail(YOKE_ENOTSUP, "this system (backend %s) has no start method %s", yoke__backend()->name,
                          methods[method].name);
    return YOKE_OK;
}

int yoke_set_start_method(yoke_start_method method)
{
    YOKE_TRY(check_method(method));
    yoke__self_state.method = method;
    return YOKE_OK;
}

static int default_method(yoke_start_method *out)
{
    yoke_start_method method = yoke__self_state.method;
    const char       *variable = getenv("YOKE_START_METHOD");
    int               rc = YOKE_OK;

    if (method == YOKE_START_DEFAULT && variable && *variable)
        rc = yoke_start_method_parse(&method, variable);
    if (rc < 0)
        return yoke__fail_in(rc, "environment variable YOKE_START_METHOD");
    *out = method == YOKE_START_DEFAULT ? YOKE_START_SPAWN : method;
    return YOKE_OK;
}

yoke_start_method yoke_get_start_method(void)
{
    yoke_start_method method = YOKE_START_DEFAULT;

    (void)default_method(&method);
    return method;
}

int yoke__method_resolve(yoke_start_method *out, yoke_start_method asked)
{
    yoke_start_method method = asked;

    if (method == YOKE_START_DEFAULT)
        YOKE_TRY(default_method(&method));
    YOKE_TRY(check_method(method));
    *out = method;
    return YOKE_OK;
}
