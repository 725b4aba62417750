/* A launch as bytes: strings with their NUL, each list preceded by its count, traits preceded by their size. */
#include "forkserver.h"

#include "../error.h"

#include <stdlib.h>
#include <string.h>

#define NO_LIST UINT32_MAX

/* ---- packing ---------------------------------------------------------------------------------------------------------- */

/* Counts first (bytes NULL), then writes. */
typedef struct writer {
    uint8_t *bytes;
    size_t   size;
} writer;

static void put(writer *to, const void *data, size_t size)
{
    if (to->bytes)
        memcpy(to->bytes + to->size, data, size);
    to->size += size;
}

static void put_count(writer *to, size_t count)
{
    uint32_t narrow = (uint32_t)count;
    put(to, &narrow, sizeof narrow);
}

static void put_list(writer *to, const char *const *list)
{
    size_t count = 0;

    if (!list) {
        put_count(to, NO_LIST);
        return;
    }
    while (list[count])
        count++;
    put_count(to, count);
    for (size_t i = 0; i < count; i++)
        put(to, list[i], strlen(list[i]) + 1);
}

/* A string that may be missing is a list of none or one. */
static void put_string(writer *to, const char *string)
{
    const char *const list[] = {string, NULL};
    put_list(to, list);
}

static void put_launch(writer *to, const yoke_launch *launch)
{
    put_string(to, launch->program);
    put_string(to, launch->working_directory);
    put_list(to, launch->arguments);
    put_list(to, launch->environment);
    put_count(to, launch->traits ? launch->traits_size : 0);
    if (launch->traits)
        put(to, launch->traits, launch->traits_size);
}

int yoke__server_pack(uint8_t **out, size_t *size, size_t front, const yoke_launch *launch)
{
    writer counting = {0}, writing = {0};

    put_launch(&counting, launch);
    if (counting.size > YOKE__SERVER_PACKED)
        return yoke__fail(YOKE_EMSGSIZE,
                          "%zu bytes of environment and arguments are more than the forkserver takes (%u)",
                          counting.size, YOKE__SERVER_PACKED);
    uint8_t *bytes = malloc(front + counting.size);
    if (!bytes)
        return yoke__fail(YOKE_ENOMEM, "no memory for a request to the forkserver (%zu bytes)", counting.size);
    writing.bytes = bytes + front;
    put_launch(&writing, launch);
    *out = bytes;
    *size = writing.size;
    return YOKE_OK;
}

/* ---- unpacking -------------------------------------------------------------------------------------------------------- */

typedef struct reader {
    const uint8_t *at;
    size_t         left;
} reader;

static int broken(void)
{
    return yoke__fail(YOKE_EPROTO, "a request to the forkserver can't be read");
}

static int take_count(uint32_t *out, reader *from)
{
    if (from->left < sizeof *out)
        return broken();
    memcpy(out, from->at, sizeof *out);
    from->at += sizeof *out;
    from->left -= sizeof *out;
    return YOKE_OK;
}

static int take_string(const char **out, reader *from)
{
    const uint8_t *end = from->left > 0 ? memchr(from->at, '\0', from->left) : NULL;

    if (!end)
        return broken();
    *out = (const char *)from->at;
    from->left -= (size_t)(end + 1 - from->at);
    from->at = end + 1;
    return YOKE_OK;
}

static int take_list(const char *const **out, reader *from)
{
    uint32_t     count = 0;
    const char **list;

    YOKE_TRY(take_count(&count, from));
    if (count == NO_LIST)
        return YOKE_OK;
    if (count > from->left) /* each string has its NUL at least */
        return broken();
    list = malloc(((size_t)count + 1) * sizeof *list);
    if (!list)
        return yoke__fail(YOKE_ENOMEM, "no memory for a list of %u strings", count);
    for (uint32_t i = 0; i < count; i++) {
        int rc = take_string(&list[i], from);
        if (rc < 0) {
            free((void *)list);
            return rc;
        }
    }
    list[count] = NULL;
    *out = list;
    return YOKE_OK;
}

static int take_optional(const char **out, reader *from)
{
    uint32_t count = 0;

    YOKE_TRY(take_count(&count, from));
    if (count > 1)
        return broken();
    return count == 0 ? YOKE_OK : take_string(out, from);
}

static int take_traits(yoke_launch *out, reader *from)
{
    uint32_t size = 0;

    YOKE_TRY(take_count(&size, from));
    if (size != from->left)
        return broken();
    out->traits = size > 0 ? from->at : NULL;
    out->traits_size = size;
    return YOKE_OK;
}

int yoke__server_unpack(yoke_launch *out, const uint8_t *bytes, size_t size)
{
    reader      from = {bytes, size};
    yoke_launch launch = {.struct_size = sizeof launch,
                          .stdio = {YOKE_STDIO_INHERIT, YOKE_STDIO_INHERIT, YOKE_STDIO_INHERIT}};
    int         rc = take_optional(&launch.program, &from);

    if (rc == YOKE_OK)
        rc = take_optional(&launch.working_directory, &from);
    if (rc == YOKE_OK)
        rc = take_list(&launch.arguments, &from);
    if (rc == YOKE_OK)
        rc = take_list(&launch.environment, &from);
    if (rc == YOKE_OK)
        rc = take_traits(&launch, &from);
    if (rc < 0)
        yoke__server_unpack_free(&launch);
    else
        *out = launch;
    return rc;
}

void yoke__server_unpack_free(yoke_launch *launch)
{
    free((void *)(uintptr_t)launch->arguments);
    free((void *)(uintptr_t)launch->environment);
    launch->arguments = launch->environment = NULL;
}
