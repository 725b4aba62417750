/* Forking, and what a new process does to itself before user code runs. */
#include "posix.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

int yoke__posix_fork(int64_t *pid)
{
    pid_t child = yoke__sys.fork();

    if (child < 0)
        return yoke__posix_fail("forking");
    *pid = child;
    return YOKE_OK;
}

/* ---- environment ---- */

/* Environments stay for the life of the process: the C library takes over single strings of theirs. */
typedef struct kept {
    struct kept *next;
    char        *list[]; /* NULL-ended; the strings follow */
} kept;
static kept *all_kept;

/* Mostly a child's is its parent's, and need not be copied. */
static bool is_current(const char *const *environment)
{
    size_t i = 0;

    if (!environ)
        return false;
    while (environment[i] && environ[i] && strcmp(environment[i], environ[i]) == 0)
        i++;
    return !environment[i] && !environ[i];
}

static kept *environment_copy(const char *const *environment)
{
    size_t count = 0, bytes = 0;
    kept  *copy;
    char **list, *text;

    for (; environment[count]; count++)
        bytes += strlen(environment[count]) + 1;
    copy = malloc(sizeof *copy + (count + 1) * sizeof *list + bytes);
    if (!copy)
        return NULL;
    list = copy->list;
    text = (char *)(list + count + 1);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(environment[i]) + 1;
        list[i] = memcpy(text, environment[i], size);
        text += size;
    }
    list[count] = NULL;
    return copy;
}

static void environment_install(kept *copy)
{
    copy->next = all_kept;
    all_kept = copy;
    environ = copy->list;
}

/* ---- standard descriptors ---- */

/* A descriptor above 2 for what is to become standard descriptor number; so that none is overwritten before it has been
 * copied. It is the target itself, or to be closed. *out stays negative for "as it is". */
static int stage(int *out, yoke_native target, int number)
{
    int fd;

    if (target == YOKE_STDIO_INHERIT)
        return YOKE_OK;
    if (target == YOKE_STDIO_NULL) {
        int null = yoke__sys.open("/dev/null", (number == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC, 0);
        if (null < 0)
            return yoke__posix_fail("opening /dev/null");
        if (null > 2) {
            *out = null;
            return YOKE_OK;
        }
        fd = yoke__sys.fcntl(null, F_DUPFD_CLOEXEC, 3);
        yoke__sys.close(null);
    } else if (target > 2) {
        fd = (int)target; /* nothing is installed over it */
    } else {
        fd = yoke__sys.fcntl((int)target, F_DUPFD_CLOEXEC, 3);
    }
    if (fd < 0)
        return yoke__posix_fail_number(errno, "preparing a standard descriptor");
    *out = fd;
    return YOKE_OK;
}

static int stage_all(int staged[3], const yoke_native stdio[3])
{
    for (int i = 0; i < 3; i++)
        YOKE_TRY(stage(&staged[i], stdio[i], i));
    return YOKE_OK;
}

static int install_all(const int staged[3])
{
    for (int i = 0; i < 3; i++) {
        int rc;

        if (staged[i] < 0)
            continue;
        do
            rc = yoke__sys.dup2(staged[i], i);
        while (rc < 0 && errno == EINTR);
        if (rc < 0)
            return yoke__posix_fail("installing a standard descriptor");
    }
    return YOKE_OK;
}

static int change_directory(const char *path)
{
    int number;

    if (!path || yoke__sys.chdir(path) == 0)
        return YOKE_OK;
    number = errno;
    return yoke_backend_fail(yoke__posix_code_of(number), number, "the working directory \"%s\" can't be entered",
                             path);
}

int yoke__posix_redirect(const yoke_native stdio[3], const char *working_directory, const char *const *environment)
{
    int   staged[3] = {-1, -1, -1};
    kept *copy = NULL;
    int   rc;

    if (environment && !is_current(environment) && !(copy = environment_copy(environment)))
        return yoke_backend_fail(YOKE_ENOMEM, ENOMEM, "no memory for the environment");
    rc = stage_all(staged, stdio);
    if (rc == YOKE_OK)
        rc = change_directory(working_directory);
    if (rc == YOKE_OK)
        rc = install_all(staged);
    for (int i = 0; i < 3; i++)
        if (staged[i] >= 0 && staged[i] != stdio[i])
            yoke__sys.close(staged[i]);
    if (rc != YOKE_OK)
        free(copy);
    else if (copy)
        environment_install(copy);
    return rc;
}
