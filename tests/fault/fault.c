#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tests/fault/fault.h"

#include "backends/posix/sys.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

static yoke__sys_table real;
static bool            installed;
static const char     *watched;
static const char     *failed = "";
static long            next_failure, period, counted;
static int             failure_number;
static bool            armed, hit;

static bool fails(const char *name)
{
    if (!armed || (watched && strcmp(watched, name) != 0))
        return false;
    counted++;
    if (counted < next_failure || (counted > next_failure && (period == 0 || (counted - next_failure) % period != 0)))
        return false;
    hit = true;
    failed = name;
    errno = failure_number;
    return true;
}

/* `failure` may say `error`: calls that return their error number. */
#define FAULT_WRAPPER(result, name, parameters, arguments, failure)                                                    \
    static result fault_##name parameters                                                                              \
    {                                                                                                                  \
        int error = failure_number;                                                                                    \
        (void)error;                                                                                                   \
        return fails(#name) ? failure : real.name arguments;                                                           \
    }
YOKE__SYS_CALLS(FAULT_WRAPPER)

#define FAULT_RELEASING_WRAPPER(result, name, parameters, arguments, failure)                                          \
    static result fault_##name parameters                                                                              \
    {                                                                                                                  \
        result returned = real.name arguments;                                                                         \
        return fails(#name) ? failure : returned;                                                                      \
    }
YOKE__SYS_RELEASING_CALLS(FAULT_RELEASING_WRAPPER)

static const yoke__sys_table wrappers = {
#define FAULT_MEMBER(result, name, parameters, arguments, failure) .name = fault_##name,
    YOKE__SYS_CALLS(FAULT_MEMBER) YOKE__SYS_RELEASING_CALLS(FAULT_MEMBER)};

void fault_on(const char *only, long at, long every, int error)
{
    if (!installed) {
        real = yoke__sys;
        yoke__sys = wrappers;
        installed = true;
    }
    watched = only;
    next_failure = at;
    period = every;
    failure_number = error;
    counted = 0;
    hit = false;
    failed = "";
    armed = true;
}

void fault_off(void)
{
    armed = false;
    if (installed)
        yoke__sys = real;
    installed = false;
}

long fault_count(void)
{
    return counted;
}

bool fault_hit(void)
{
    return hit;
}

const char *fault_name(void)
{
    return failed;
}

fault_sweep fault_sweep_of(const char *only, int error)
{
    return (fault_sweep){.only = only, .at = 0, .error = error};
}

fault_sweep fault_sweep_start(int error)
{
    return fault_sweep_of(NULL, error);
}

bool fault_sweep_next(fault_sweep *sweep)
{
    if (sweep->at > 0 && !hit) {
        fault_off();
        return false;
    }
    sweep->at++;
    fault_on(sweep->only, sweep->at, 0, sweep->error);
    return true;
}

int fault_descriptors(void)
{
    int  count = 0;
    DIR *list = opendir("/proc/self/fd");

    if (!list)
        return -1;
    while (readdir(list))
        count++;
    closedir(list);
    return count - 3; /* ".", ".." and the list's own */
}
