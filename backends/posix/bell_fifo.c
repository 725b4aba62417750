/*
 * Doorbells as FIFOs in the user's runtime directory, by documented POSIX calls alone.
 *
 * The bell's owner keeps a writing end too: otherwise its reading end would report end of file for ever after the first
 * ringer closed. Which descriptor that is stands in a small list.
 */
#include "wait.h"

#include "posix.h"
#include "runtime.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct bell {
    int          reader, writer;
    struct bell *next;
} bell;

static bell           *bells;
static pthread_mutex_t bells_mutex = PTHREAD_MUTEX_INITIALIZER;

#define PATH_SIZE 320

static int path_in(char *out, const char *directory, const yoke_bell_name *name)
{
    int length = snprintf(out, PATH_SIZE, "%s/bell-%016llx-%x-%x", directory, (unsigned long long)name->domain,
                          (unsigned)name->index, (unsigned)name->generation);

    return length > 0 && length < PATH_SIZE;
}

static int open_ends(bell *out, const char *path)
{
    /* The order matters: opening for writing fails while nobody reads. */
    out->reader = yoke__posix_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (out->reader < 0)
        return yoke__posix_fail("opening a doorbell");
    out->writer = yoke__posix_open(path, O_WRONLY | O_NONBLOCK, 0);
    if (out->writer < 0) {
        int result = yoke__posix_fail("opening a doorbell");
        (void)yoke__sys.close(out->reader);
        return result;
    }
    return YOKE_OK;
}

static void remember(bell *b)
{
    (void)pthread_mutex_lock(&bells_mutex);
    b->next = bells;
    bells = b;
    (void)pthread_mutex_unlock(&bells_mutex);
}

int yoke__posix_fifo_open(yoke_native *out, const yoke_bell_name *name)
{
    char directory[256], path[PATH_SIZE];
    int  result = yoke__posix_runtime_directory(directory, sizeof directory);

    if (result != YOKE_OK)
        return result;
    if (!path_in(path, directory, name))
        return yoke_backend_fail(YOKE_EINVAL, 0, "the path of a doorbell is too long: %s", directory);
    bell *b = malloc(sizeof *b);
    if (!b)
        return yoke_backend_fail(YOKE_ENOMEM, ENOMEM, "opening a doorbell: no memory");
    if (yoke__sys.mkfifo(path, 0600) != 0) {
        result = yoke__posix_fail("making a doorbell");
        goto failed;
    }
    result = open_ends(b, path);
    if (result != YOKE_OK) {
        (void)yoke__sys.unlink(path);
        goto failed;
    }
    remember(b);
    *out = b->reader;
    return YOKE_OK;
failed:
    free(b);
    return result;
}

/* A reading end of our own while we write: the bell's owner may die at any moment, and no SIGPIPE shall come of it. A
 * full FIFO is as good as rung. */
static int ring_path(const char *path)
{
    int writer = yoke__posix_open(path, O_WRONLY | O_NONBLOCK, 0);

    if (writer < 0)
        return errno == ENXIO || errno == ENOENT ? YOKE_ENOENT : yoke__posix_fail("ringing a doorbell");
    int reader = yoke__posix_open(path, O_RDONLY | O_NONBLOCK, 0);
    int result = YOKE_OK;
    if (reader < 0)
        result = errno == ENOENT ? YOKE_ENOENT : yoke__posix_fail("ringing a doorbell");
    else if (yoke__sys.write(writer, "r", 1) < 0 && errno != EAGAIN)
        result = yoke__posix_fail("ringing a doorbell");
    if (reader >= 0)
        (void)yoke__sys.close(reader);
    (void)yoke__sys.close(writer);
    return result;
}

int yoke__posix_fifo_ring(const yoke_bell_name *name)
{
    char directory[256], path[PATH_SIZE];
    int  result = YOKE_ENOENT;

    for (int place = 0; place < YOKE__POSIX_RUNTIME_PLACES && result == YOKE_ENOENT; place++)
        if (yoke__posix_runtime_place(directory, sizeof directory, place) && path_in(path, directory, name))
            result = ring_path(path);
    return result;
}

void yoke__posix_fifo_close(yoke_native native, const yoke_bell_name *name)
{
    bell **link = &bells, *found;

    if (name)
        yoke__posix_fifo_remove(name);
    else
        (void)pthread_mutex_init(&bells_mutex, NULL); /* the only thread of a forked child: who held it is not here */
    (void)pthread_mutex_lock(&bells_mutex);
    while (*link && (*link)->reader != (int)native)
        link = &(*link)->next;
    found = *link;
    if (found)
        *link = found->next;
    (void)pthread_mutex_unlock(&bells_mutex);
    if (found) {
        (void)yoke__sys.close(found->writer);
        free(found);
    }
    (void)yoke__sys.close((int)native);
}

void yoke__posix_fifo_remove(const yoke_bell_name *name)
{
    char directory[256], path[PATH_SIZE];

    for (int place = 0; place < YOKE__POSIX_RUNTIME_PLACES; place++)
        if (yoke__posix_runtime_place(directory, sizeof directory, place) && path_in(path, directory, name))
            (void)yoke__sys.unlink(path);
}
