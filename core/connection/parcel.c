/* What messages on connections refer to; see parcel.h. */
#include "parcel.h"

#include "../backend.h"
#include "../domain/allocator.h"
#include "../domain/directory.h"
#include "../domain/inspect.h"
#include "../domain/participant.h"
#include "../error.h"

#include <string.h>

typedef struct contents {
    const yoke__reference *references;
    uint32_t               count;
} contents;

static yoke__a32 *hint(yoke_domain *domain)
{
    return &yoke__domain_header(domain)->parcels;
}

/* ---- as an object ------------------------------------------------------------------------------------------------ */

static int parcel_init(yoke_domain *domain, yoke__id id, void *object, const void *argument)
{
    const contents *from = argument;
    yoke__parcel   *parcel = object;

    (void)id;
    parcel->count = from->count;
    memcpy(parcel->references, from->references, from->count * sizeof *from->references);
    (void)yoke__a32_add_acq_rel(hint(domain), 1);
    return YOKE_OK;
}

/* May be repeated, if who does it dies: then the hint is too low, and a look finds less than it could. */
static void parcel_destroy(yoke_domain *domain, yoke__id id, void *object)
{
    uint32_t parcels = yoke__a32_load_acquire(hint(domain));

    (void)id;
    (void)object;
    if (parcels > 0)
        yoke__a32_store_release(hint(domain), parcels - 1);
    yoke__directory_note_pending(domain); /* what was in it */
}

/* The dead one may have had the message, or the connection that it was on. */
static void parcel_sweep(yoke_domain *domain, yoke__id id, void *object, yoke__token dead)
{
    (void)id;
    (void)object;
    (void)dead;
    yoke__directory_note_pending(domain);
}

static uint32_t count_of(yoke_domain *domain, const yoke__parcel *parcel)
{
    uint64_t room = (yoke__alloc_size(domain, parcel) - sizeof *parcel) / sizeof parcel->references[0];

    return parcel->count <= room ? parcel->count : 0;
}

static void parcel_references(yoke_domain *domain, yoke__id id, void *object,
                              void (*visit)(void *user, yoke__reference reference), void *user)
{
    const yoke__parcel *parcel = object;

    (void)id;
    for (uint32_t i = 0, n = count_of(domain, parcel); i < n; i++)
        visit(user, parcel->references[i]);
}

static bool parcel_wanted(yoke_domain *domain, yoke__id id, const void *object)
{
    const yoke_memory_ops *memory = yoke__backend()->memory;

    (void)object;
    return memory->marked != NULL && memory->marked(&domain->memory, id);
}

static void parcel_describe(yoke_domain *domain, yoke__id id, const void *object, char *text, size_t size)
{
    const yoke__parcel *parcel = object;

    (void)domain;
    (void)id;
    yoke__text_add(text, size, "%u handles on their way over a connection", (unsigned)parcel->count);
}

const yoke__object_type yoke__parcel_type = {
    .kind = YOKE__KIND_PARCEL,
    .name = "parcel",
    .destroy = parcel_destroy,
    .sweep = parcel_sweep,
    .references = parcel_references,
    .wanted = parcel_wanted,
    .describe = parcel_describe,
};

/* ---- for sender and receiver ------------------------------------------------------------------------------------- */

static int create(yoke__handle **out, yoke_domain *domain, const contents *from)
{
    yoke__object_spec spec = {
        .kind = YOKE__KIND_PARCEL,
        .mode = YOKE_CREATE,
        .size = sizeof(yoke__parcel) + from->count * sizeof(yoke__reference),
        .argument = from,
        .init = parcel_init,
    };

    for (uint32_t i = 0; i < from->count; i++)
        YOKE_TRY(yoke__reference_add(domain, from->references[i]));
    return yoke__handle_create(out, domain, &spec);
}

int yoke__parcel_create(yoke__handle **out, yoke_native *mark, yoke_domain *domain, const yoke__reference *references,
                        uint32_t count)
{
    const yoke_memory_ops *memory = yoke__backend()->memory;
    contents               from = {references, count};
    yoke__handle          *handle;

    if (memory->mark == NULL)
        return yoke__fail(YOKE_ENOTSUP, "on this system connections can't carry objects of domains");
    YOKE_TRY(create(&handle, domain, &from));
    int rc = memory->mark(mark, &domain->memory, handle->id);
    if (rc == YOKE_OK) /* from here on its own id is on its way too */
        rc = yoke__reference_add(domain, handle->id);
    if (rc < 0) {
        yoke__handle_close(handle, NULL);
        return rc;
    }
    *out = handle;
    return YOKE_OK;
}

void yoke__parcel_close(yoke__handle *handle, yoke_native mark)
{
    if (mark != YOKE_NO_NATIVE)
        yoke__backend()->process->native_close(mark);
    yoke__handle_close(handle, NULL);
}

const yoke__parcel *yoke__parcel_of(const yoke__handle *handle)
{
    const yoke__parcel *parcel = handle->object;

    return count_of(handle->domain, parcel) > 0 ? parcel : NULL;
}

void yoke__parcels_look(void)
{
    yoke_domain *domain = yoke__domain_existing();

    if (domain == NULL || yoke__a32_load_acquire(hint(domain)) == 0 || !yoke__a32_load_relaxed(&domain->token))
        return;
    yoke__registry_acquire(domain);
    yoke__directory_note_pending(domain);
    yoke__directory_collect(domain);
    yoke__registry_release(domain);
}
