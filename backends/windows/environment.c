/* This process's environment in UTF-8. */
#include "../../core/local.h"
#include "process.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* One list after another: who has borrowed an older one may still look at it, so none is freed. A new one is made only
 * when the environment has changed. */
typedef struct snapshot {
    struct snapshot *former;
    wchar_t         *block; /* as the system had it */
    size_t           size;  /* of block, in characters */
    const char      *list[];
} snapshot;

static struct {
    yoke__mutex mutex;
    snapshot   *last;
} environment = {.mutex = YOKE__MUTEX_INIT};

/* Characters up to and with the second NUL; *count: entries that have a name. Those that begin with "=" are the system's
 * own notes on current directories. */
static size_t measure(const wchar_t *block, size_t *count)
{
    const wchar_t *at = block;

    for (*count = 0; *at; at += wcslen(at) + 1)
        *count += *at != L'=';
    return (size_t)(at - block) + 1;
}

static void free_snapshot(snapshot *it, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)it->list[i]);
    free(it->block);
    free(it);
}

static snapshot *take_snapshot(const wchar_t *block, size_t size, size_t count)
{
    snapshot *made = calloc(1, sizeof *made + (count + 1) * sizeof made->list[0]);
    size_t    n = 0;

    if (!made)
        return NULL;
    made->size = size;
    made->block = malloc(size * sizeof *block);
    if (!made->block) {
        free(made);
        return NULL;
    }
    memcpy(made->block, block, size * sizeof *block);
    for (const wchar_t *at = block; *at; at += wcslen(at) + 1) {
        if (*at == L'=')
            continue;
        made->list[n] = yoke__windows_narrow(at);
        if (!made->list[n]) {
            free_snapshot(made, n);
            return NULL;
        }
        n++;
    }
    return made;
}

/* environment.mutex held. */
static const snapshot *current(const wchar_t *block)
{
    size_t    count, size = measure(block, &count);
    snapshot *last = environment.last;

    if (last && last->size == size && memcmp(last->block, block, size * sizeof *block) == 0)
        return last;
    snapshot *made = take_snapshot(block, size, count);
    if (!made)
        return last;
    made->former = last;
    return environment.last = made;
}

const char *const *yoke__windows_environment(void)
{
    static const char *const none[] = {NULL};
    wchar_t                 *block = GetEnvironmentStringsW();

    if (!block)
        return none;
    yoke__mutex_lock(&environment.mutex);
    const snapshot *it = current(block);
    yoke__mutex_unlock(&environment.mutex);
    FreeEnvironmentStringsW(block);
    return it ? it->list : none;
}
