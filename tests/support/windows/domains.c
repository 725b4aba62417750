/* See ../domains.h. */
#include "support/domains.h"

#include "core/backend.h"

#include "absent.h"

#include <stdio.h>

#include <windows.h>

char domains_name[64];

int domains_new_name(void **state)
{
    static int serial;

    (void)state;
    snprintf(domains_name, sizeof domains_name, "test-domain-%lu-%d", GetCurrentProcessId(), serial++);
    return 0;
}

bool domains_exists(const char *name)
{
    yoke_memory memory;

    if (yoke__backend()->memory->open(&memory, name, yoke__backend()->system->page_size()) < 0)
        return false;
    yoke__backend()->memory->close(&memory);
    return true;
}

pid_t stranger_start(stranger *it, int (*run)(void *))
{
    (void)it;
    (void)run;
    absent("fork");
}

int stranger_join(stranger *it, pid_t pid)
{
    (void)it;
    (void)pid;
    absent("fork");
}
