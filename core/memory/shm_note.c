/*
 * Segments in messages. Their memory is no domain's, so what travels is a note: a small object in the queue's domain that
 * says which segment is meant. Whoever receives it opens the segment by its name, if it is still the same.
 *
 * A note lives as long as the handle of the segment that it was made for, or a message, shows it. It is no user of the
 * segment.
 */
#include "view.h"

#include "../error.h"

#include <string.h>

/* Written by the maker before anybody can see it. */
typedef struct note {
    char                   name[64];
    uint64_t               owner;
    yoke__segment_identity identity;
    uint32_t               read_only;
    uint32_t               reserved;
} note;

static int init_note(yoke_domain *domain, yoke__id id, void *object, const void *argument)
{
    (void)domain;
    (void)id;
    memcpy(object, argument, sizeof(note));
    return YOKE_OK;
}

static int make_note(yoke__handle **out, const yoke__view *v, yoke_domain *domain)
{
    const yoke__segment_header *segment = v->memory.base;
    note                    made = {.owner = segment->owner, .identity = segment->identity, .read_only = v->read_only};
    const yoke__object_spec spec = {.kind = YOKE__KIND_SHM, .size = sizeof(note), .argument = &made, .init = init_note};
    memcpy(made.name, segment->name, sizeof made.name);
    return yoke__handle_create(out, domain, &spec);
}

/* The next of its notes, one for each domain. */
static yoke__handle *next_of(const yoke__handle *handle)
{
    return handle->extra;
}

static yoke__handle *find_note(const yoke__view *v, const yoke_domain *domain)
{
    yoke__handle *at = v->notes;
    while (at && at->domain != domain)
        at = next_of(at);
    return at;
}

int yoke__shm_note(yoke__reference *out, const yoke_shm *shm, yoke_domain *domain)
{
    yoke__view   *v = yoke__view_of(shm);
    yoke__handle *handle = NULL, *made = NULL;
    if (!v)
        return yoke__noted();
    if (!*v->full)
        return yoke__fail(YOKE_ENOTSUP,
                          "a segment without a name can't be put into a queue, only passed as an argument");
    yoke__views_lock();
    handle = find_note(v, domain);
    yoke__views_unlock();
    if (!handle)
        YOKE_TRY(make_note(&made, v, domain));
    yoke__views_lock();
    handle = find_note(v, domain);
    if (!handle && made) { /* else another thread was faster */
        made->extra = v->notes;
        v->notes = handle = made;
        made = NULL;
    }
    if (handle)
        *out = yoke__handle_reference(handle);
    yoke__views_unlock();
    yoke__handle_close(made, NULL);
    return handle ? YOKE_OK : yoke__fail(YOKE_ECLOSED, "the segment was closed while it was put into a message");
}

void yoke__shm_notes_close(yoke__view *v)
{
    yoke__handle *next;
    for (yoke__handle *at = v->notes; at; at = next) {
        next = next_of(at);
        at->extra = NULL;
        yoke__handle_close(at, NULL);
    }
    v->notes = NULL;
}

int yoke__shm_open_noted(yoke_shm **out, yoke_domain *domain, yoke__reference reference)
{
    yoke__handle *handle = NULL;
    note          found;
    YOKE_TRY(yoke__handle_open(&handle, domain, YOKE__KIND_SHM, reference));
    memcpy(&found, handle->object, sizeof found);
    yoke__handle_close(handle, NULL);
    yoke__segment_spec spec = {.owner = found.owner};
    memcpy(spec.name, found.name, sizeof spec.name);
    spec.name[sizeof spec.name - 1] = 0;
    return yoke__shm_open_same(out, &spec, &found.identity, found.read_only != 0);
}
