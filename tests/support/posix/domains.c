#include "support/domains.h"

#include "support/child.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

char domains_name[64];

int domains_new_name(void **state)
{
    static int serial;
    (void)state;
    snprintf(domains_name, sizeof domains_name, "test-domain-%ld-%d", (long)getpid(), serial++);
    return 0;
}

bool domains_exists(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "/yoke-%lu-%s", (unsigned long)geteuid(), name);
    int fd = shm_open(path, O_RDWR, 0);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int wait_and_run(void *user)
{
    stranger *it = user;
    char      byte;
    CHILD_CHECK(read(it->go[0], &byte, 1) == 1);
    return it->run(NULL);
}

pid_t stranger_start(stranger *it, int (*run)(void *))
{
    it->run = run;
    if (pipe(it->go) != 0)
        return -1;
    return child_start(wait_and_run, it);
}

int stranger_join(stranger *it, pid_t pid)
{
    bool told = write(it->go[1], "x", 1) == 1;
    int  code = child_join(pid);
    close(it->go[0]);
    close(it->go[1]);
    return told ? code : -1;
}
