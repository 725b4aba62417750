#include "runtime.h"

#include "sys.h"
#include "wait.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FROM_ENVIRONMENT, IN_TMP, IN_RUN };

int yoke__posix_runtime_place(char *out, size_t size, int place)
{
    const char *given = yoke__posix_environment("XDG_RUNTIME_DIR");
    long        user = (long)geteuid();
    int         length;

    switch (place) {
    case FROM_ENVIRONMENT:
        length = given[0] == '/' ? snprintf(out, size, "%s/yoke", given) : -1;
        break;
    case IN_TMP:
        length = snprintf(out, size, "/tmp/yoke-%ld", user);
        break;
    case IN_RUN:
        length = snprintf(out, size, "/run/user/%ld/yoke", user);
        break;
    default:
        length = -1;
    }
    return length > 0 && (size_t)length < size;
}

/* lstat, not stat: somebody else's link in /tmp must not lead us astray. */
static int check(const char *path)
{
    struct stat found;

    if (yoke__sys.lstat(path, &found) != 0)
        return yoke__posix_fail(path);
    if (!S_ISDIR(found.st_mode) || found.st_uid != geteuid() || (found.st_mode & 077) != 0)
        return yoke_backend_fail(YOKE_EACCES, EACCES,
                                 "%s is not a directory of this user alone (owner %ld, mode %03o): remove it, or set "
                                 "XDG_RUNTIME_DIR",
                                 path, (long)found.st_uid, (unsigned)(found.st_mode & 0777));
    return YOKE_OK;
}

static int make(const char *path)
{
    if (yoke__sys.mkdir(path, 0700) != 0 && errno != EEXIST)
        return yoke__posix_fail(path);
    return check(path);
}

int yoke__posix_runtime_directory(char *out, size_t size)
{
    char path[256];

    if (yoke__posix_runtime_place(path, sizeof path, FROM_ENVIRONMENT) && make(path) == YOKE_OK)
        goto found;
    if (!yoke__posix_runtime_place(path, sizeof path, IN_TMP))
        return yoke_backend_fail(YOKE_EINVAL, 0, "the path of the runtime directory is too long");
    int result = make(path);
    if (result != YOKE_OK)
        return result;
found:
    if (strlen(path) >= size)
        return yoke_backend_fail(YOKE_EINVAL, 0, "the path of the runtime directory is too long: %s", path);
    memcpy(out, path, strlen(path) + 1);
    return YOKE_OK;
}
