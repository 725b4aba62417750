/*
 * How much memory is left: the tightest of what the system has and of every cgroup this process is in, version 2 and
 * version 1. A cgroup's page cache that it could drop counts as free, as it does for the system.
 */
#include "posix.h"
#include "sys.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_LIMIT UINT64_MAX

/* Reads a small file of the system; false if there is none. */
static bool read_text(const char *path, char *out, size_t size)
{
    int fd = yoke__posix_open(path, O_RDONLY, 0);
    if (fd < 0) {
        return false;
    }
    size_t length = 0;
    while (length < size - 1) {
        ssize_t n = yoke__sys.read(fd, out + length, size - 1 - length);
        if (n <= 0) {
            break;
        }
        length += (size_t)n;
    }
    yoke__sys.close(fd);
    out[length] = '\0';
    return length > 0;
}

/* The number after a key at the start of a line: "MemAvailable:   123 kB". */
static bool find_number(const char *text, const char *key, uint64_t *out)
{
    size_t length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0) {
            return sscanf(line + length, "%" SCNu64, out) == 1;
        }
    }
    return false;
}

static uint64_t left_by_system(void)
{
    char     text[4096];
    uint64_t kilobytes;
    if (read_text("/proc/meminfo", text, sizeof text) && find_number(text, "MemAvailable:", &kilobytes)) {
        return kilobytes * 1024;
    }
#if defined(_SC_AVPHYS_PAGES)
    long pages = yoke__sys.sysconf(_SC_AVPHYS_PAGES);
    long page = yoke__sys.sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0) {
        return (uint64_t)pages * (uint64_t)page;
    }
#endif
    return NO_LIMIT;
}

/* Names of the files of a cgroup version. */
typedef struct cgroup_files {
    const char *limit, *usage, *cache_key;
} cgroup_files;

static const cgroup_files version2 = {"memory.max", "memory.current", "inactive_file "};
static const cgroup_files version1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "};

static bool read_number(const char *directory, const char *file, uint64_t *out)
{
    char path[PATH_MAX];
    char text[64];
    int  length = snprintf(path, sizeof path, "%s/%s", directory, file);
    return length > 0 && (size_t)length < sizeof path && read_text(path, text, sizeof text) &&
           sscanf(text, "%" SCNu64, out) == 1; /* "max" is no number: no limit */
}

static uint64_t left_by_group(const char *directory, const cgroup_files *files)
{
    uint64_t limit;
    uint64_t usage;
    if (!read_number(directory, files->limit, &limit) || !read_number(directory, files->usage, &usage)) {
        return NO_LIMIT;
    }
    char     path[PATH_MAX];
    char     text[8192];
    uint64_t cache = 0;
    int      length = snprintf(path, sizeof path, "%s/memory.stat", directory);
    if (length > 0 && (size_t)length < sizeof path && read_text(path, text, sizeof text)) {
        (void)find_number(text, files->cache_key, &cache);
    }
    usage -= cache < usage ? cache : usage;
    return usage < limit ? limit - usage : 0;
}

/* The limits of a group and of all above it; the path may not be visible inside a container, the root then is ours. */
static uint64_t left_by_groups(const char *mount, const char *group, const cgroup_files *files)
{
    char     path[PATH_MAX];
    size_t   root = strlen(mount);
    uint64_t least = left_by_group(mount, files);
    if (snprintf(path, sizeof path, "%s%s", mount, group) >= (int)sizeof path) {
        return least;
    }
    while (strlen(path) > root) {
        uint64_t left = left_by_group(path, files);
        least = left < least ? left : least;
        *strrchr(path, '/') = '\0';
    }
    return least;
}

/* Is "memory" among the comma-separated controllers? */
static bool controls_memory(const char *controllers)
{
    for (const char *at = controllers; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        if (strncmp(at, "memory", 6) == 0 && (at[6] == ',' || at[6] == '\0')) {
            return true;
        }
    }
    return false;
}

/* One line of the membership: "0::/group" (version 2) or "4:memory:/group". */
static uint64_t left_by_line(const char *root, char *line)
{
    char  mount[256];
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) {
        return NO_LIMIT;
    }
    *group++ = '\0';
    controllers++;
    if (*controllers == '\0') {
        snprintf(mount, sizeof mount, "%s/unified", root);
        uint64_t unified = left_by_groups(root, group, &version2);
        uint64_t hybrid = left_by_groups(mount, group, &version2);
        return unified < hybrid ? unified : hybrid;
    }
    if (!controls_memory(controllers)) {
        return NO_LIMIT;
    }
    snprintf(mount, sizeof mount, "%s/memory", root);
    return left_by_groups(mount, group, &version1);
}

uint64_t yoke__posix_memory_left(const char *root, const char *membership)
{
    uint64_t least = left_by_system();
    char     text[8192];
    if (!read_text(membership, text, sizeof text)) {
        return least;
    }
    char *next;
    for (char *line = text; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next) {
            *next++ = '\0';
        }
        uint64_t left = left_by_line(root, line);
        least = left < least ? left : least;
    }
    return least;
}
