/*
 * How much CPU the cgroups of this process leave it. A quota may stand in the process's own group or in any above it,
 * in version 2 (cpu.max) or version 1 (cpu.cfs_quota_us): the smallest counts. In a container the groups above are
 * often out of sight, and the path told may not exist: then what lies at the root is the container's own group.
 */
#include "posix.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads a small file whole; false if it is not there. */
static bool read_text(const char *path, char *out, size_t size)
{
    int     fd = yoke__posix_open(path, O_RDONLY, 0);
    size_t  used = 0;
    ssize_t got;

    if (fd < 0)
        return false;
    do {
        got = yoke__sys.read(fd, out + used, size - 1 - used);
        if (got > 0)
            used += (size_t)got;
    } while ((got > 0 && used < size - 1) || (got < 0 && errno == EINTR));
    yoke__sys.close(fd);
    out[used] = '\0';
    return got >= 0;
}

static int cpus_of(int64_t quota, int64_t period)
{
    int64_t cpus;

    if (quota <= 0 || period <= 0)
        return 0;
    cpus = quota / period + (quota % period != 0);
    return cpus > INT32_MAX ? 0 : (int)cpus;
}

/* "max 100000" or "150000 100000". */
static int quota_v2(const char *directory)
{
    char    path[1024], text[128];
    int64_t quota, period;

    snprintf(path, sizeof path, "%s/cpu.max", directory);
    if (!read_text(path, text, sizeof text) || sscanf(text, "%" SCNd64 " %" SCNd64, &quota, &period) != 2)
        return 0;
    return cpus_of(quota, period);
}

static int quota_v1(const char *directory)
{
    char path[1024], quota[64], period[64];

    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", directory);
    if (!read_text(path, quota, sizeof quota))
        return 0;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", directory);
    if (!read_text(path, period, sizeof period))
        return 0;
    return cpus_of(strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

/* The smallest quota from mount/group upwards to mount itself; 0: none. */
static int smallest(const char *mount, const char *group, int (*quota)(const char *directory))
{
    char   path[960];
    size_t bottom = strlen(mount);
    int    least = 0;

    if (snprintf(path, sizeof path, "%s%s", mount, group) >= (int)sizeof path)
        return 0;
    for (;;) {
        int   cpus = quota(path);
        char *slash;

        if (cpus > 0 && (least == 0 || cpus < least))
            least = cpus;
        if (strlen(path) <= bottom)
            return least;
        slash = strrchr(path, '/');
        path[(size_t)(slash - path) > bottom ? (size_t)(slash - path) : bottom] = '\0';
    }
}

/* Is "cpu" among the comma-separated controllers? */
static bool controls_cpu(const char *controllers)
{
    for (const char *at = controllers; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, "cpu", 3) == 0 && (at[3] == ',' || at[3] == '\0'))
            return true;
    return false;
}

/* One line of /proc/self/cgroup: "0::/group" (version 2) or "4:cpu,cpuacct:/group". */
static int quota_of_line(const char *root, char *line)
{
    char  mount[256];
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    int   cpus;

    if (!group)
        return 0;
    *group++ = '\0';
    controllers++;
    if (*controllers == '\0') {
        cpus = smallest(root, group, quota_v2);
        if (cpus > 0)
            return cpus;
        snprintf(mount, sizeof mount, "%s/unified", root);
        return smallest(mount, group, quota_v2);
    }
    if (!controls_cpu(controllers))
        return 0;
    snprintf(mount, sizeof mount, "%s/cpu", root);
    cpus = smallest(mount, group, quota_v1);
    if (cpus > 0)
        return cpus;
    snprintf(mount, sizeof mount, "%s/%s", root, controllers);
    return smallest(mount, group, quota_v1);
}

int yoke__posix_cgroup_cpus(const char *root, const char *membership)
{
    char  text[4096];
    int   least = 0;
    char *next;

    if (!read_text(membership, text, sizeof text))
        return 0;
    for (char *line = text; line && *line; line = next) {
        int cpus;

        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        cpus = quota_of_line(root, line);
        if (cpus > 0 && (least == 0 || cpus < least))
            least = cpus;
    }
    return least;
}
