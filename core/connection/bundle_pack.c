/* Messages with handles: making them. See bundle.h. */
#include "bundle.h"

#include "../backend.h"
#include "../error.h"
#include "../memory/shm.h"
#include "file.h"
#include "parcel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The objects of one domain. */
typedef struct home {
    yoke_domain     *domain;
    yoke__handle    *parcel;
    yoke_native      mark;
    yoke__reference *references; /* room for one per handle */
    uint32_t         count;
} home;

typedef struct passing_conn {
    yoke__conn_move move;
    yoke_conn      *handle;
    bool            given;
} passing_conn;

typedef struct passing_segment {
    const yoke_shm *shm;
    uint32_t        flight; /* keeps its name while the message is being sent */
} passing_segment;

struct yoke__bundle {
    const yoke__conn   *through;
    const yoke__packed *packed;
    size_t              count; /* handles; all arrays have as many places, but for natives */
    yoke__bundle_entry *entries;
    passing_conn       *conns;
    passing_segment    *segments;
    size_t              conn_count, segment_count;
    home                homes[YOKE__BUNDLE_DOMAINS];
    uint32_t            home_count;
    yoke_native         natives[YOKE__BUNDLE_NATIVES]; /* borrowed from what they belong to */
    uint32_t            native_count;
    yoke_native         channel; /* this message's, to go along with it */
    yoke__bundle_header header;
    uint8_t            *data;
    size_t              size;
};

/* ---- what each handle stands for --------------------------------------------------------------------------------- */

static int add_natives(yoke__bundle *bundle, uint32_t *index, const yoke_native *natives, size_t count)
{
    if (count > YOKE__BUNDLE_NATIVES - bundle->native_count)
        return yoke__fail(YOKE_EMSGSIZE, "one message can carry %u descriptors, not more", YOKE__BUNDLE_NATIVES);
    *index = bundle->native_count;
    for (size_t i = 0; i < count; i++)
        bundle->natives[bundle->native_count++] = natives[i];
    return YOKE_OK;
}

static int find_home(yoke__bundle *bundle, uint32_t *index, yoke_domain *domain)
{
    for (*index = 0; *index < bundle->home_count; (*index)++)
        if (bundle->homes[*index].domain == domain)
            return YOKE_OK;
    if (bundle->home_count == YOKE__BUNDLE_DOMAINS)
        return yoke__fail(YOKE_EMSGSIZE, "one message can carry objects of %u domains, not more", YOKE__BUNDLE_DOMAINS);
    home *added = &bundle->homes[bundle->home_count++];
    *added = (home){.domain = domain, .mark = YOKE_NO_NATIVE};
    return YOKE_OK;
}

/* Into the parcel of its domain: *index of the domain, *place there. */
static int add_reference(yoke__bundle *bundle, uint32_t *index, uint64_t *place, yoke_domain *domain,
                         yoke__reference reference)
{
    YOKE_TRY(find_home(bundle, index, domain));
    home *at = &bundle->homes[*index];
    if (at->references == NULL)
        at->references = calloc(bundle->count, sizeof *at->references);
    if (at->references == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for a message of %zu handles", bundle->count);
    *place = at->count;
    at->references[at->count++] = reference;
    return YOKE_OK;
}

static int stow_object(yoke__bundle *bundle, yoke__bundle_entry *entry, const yoke__packed_handle *from)
{
    const yoke__handle *handle = yoke__handle_check(from->handle, yoke__kind_of_handle(from->kind));
    if (handle == NULL)
        return yoke__noted();
    entry->what = YOKE__BUNDLE_OBJECT;
    return add_reference(bundle, &entry->domain, &entry->value, handle->domain, yoke__handle_reference(handle));
}

static int stow_domain(yoke__bundle *bundle, yoke__bundle_entry *entry, const void *item)
{
    yoke_domain *domain;
    YOKE_TRY(yoke__domain_of(&domain, (yoke_domain *)(uintptr_t)item));
    entry->what = YOKE__BUNDLE_DOMAIN;
    return find_home(bundle, &entry->domain, domain);
}

static int stow_conn(yoke__bundle *bundle, yoke__bundle_entry *entry, const yoke__packed_handle *from)
{
    passing_conn *passing = &bundle->conns[bundle->conn_count];
    yoke_native   natives[1 + YOKE__ARRIVALS];
    passing->handle = (yoke_conn *)(uintptr_t)from->handle;
    passing->given = (from->flags & 1u) != 0;
    if (passing->handle == bundle->through->handle)
        return yoke__fail(YOKE_EINVAL, "connection: an end can't be sent through itself");
    YOKE_TRY(yoke__conn_move_prepare(&passing->move, passing->handle));
    bundle->conn_count++;
    natives[0] = passing->move.native;
    for (size_t i = 0; i < passing->move.more_count; i++)
        natives[1 + i] = passing->move.more[i];
    uint64_t place;
    if (passing->move.share != 0)
        YOKE_TRY(add_reference(bundle, &entry->domain, &place, yoke__domain_existing(), passing->move.share));
    entry->what = YOKE__BUNDLE_CONN;
    entry->value = passing->move.flags;
    entry->size = passing->move.unread_size;
    bundle->header.unread += entry->size;
    return add_natives(bundle, &entry->native, natives, 1 + passing->move.more_count);
}

static int stow_segment(yoke__bundle *bundle, yoke__bundle_entry *entry, const void *item)
{
    yoke__shm_passage passed;
    const yoke_shm   *shm = item;
    YOKE_TRY(yoke__shm_pass(&passed, shm));
    bundle->segments[bundle->segment_count++] = (passing_segment){shm, passed.flight};
    entry->what = YOKE__BUNDLE_SEGMENT;
    entry->value = passed.read_only;
    return add_natives(bundle, &entry->native, &passed.native, 1);
}

static int stow_file(yoke__bundle *bundle, yoke__bundle_entry *entry, const void *item)
{
    yoke_native native = yoke_file_native(item);
    if (native == YOKE_NO_NATIVE)
        return yoke__noted();
    entry->what = YOKE__BUNDLE_FILE;
    return add_natives(bundle, &entry->native, &native, 1);
}

static int stow(yoke__bundle *bundle, size_t position)
{
    const yoke__packed_handle *from = &bundle->packed->handles[position];
    yoke__bundle_entry        *entry = &bundle->entries[position];
    *entry = (yoke__bundle_entry){.kind = from->kind, .native = YOKE__BUNDLE_NONE, .domain = YOKE__BUNDLE_NONE};
    switch (from->kind) {
    case YOKE_H_conn:
        return stow_conn(bundle, entry, from);
    case YOKE_H_shm:
        return stow_segment(bundle, entry, from->handle);
    case YOKE_H_file:
        return stow_file(bundle, entry, from->handle);
    case YOKE_H_domain:
        return stow_domain(bundle, entry, from->handle);
    default:
        return stow_object(bundle, entry, from);
    }
}

/* ---- parcels and the channel ------------------------------------------------------------------------------------- */

static int make_parcel(yoke__bundle *bundle, home *at)
{
    uint32_t unused;
    if (at->count == 0)
        return YOKE_OK;
    YOKE_TRY(yoke__parcel_create(&at->parcel, &at->mark, at->domain, at->references, at->count));
    return add_natives(bundle, &unused, &at->mark, 1);
}

static int load_channel(yoke__bundle *bundle)
{
    const yoke_process_ops *process = yoke__backend()->process;
    yoke__bundle_note       note = {.natives = bundle->native_count};
    yoke_native             ends[2];
    if (bundle->native_count == 0)
        return YOKE_OK;
    memcpy(note.nonce, bundle->header.nonce, sizeof note.nonce);
    YOKE_TRY(process->channel(ends));
    int rc = process->channel_send(ends[0], &note, sizeof note, bundle->natives, bundle->native_count);
    process->native_close(ends[0]);
    if (rc < 0)
        process->native_close(ends[1]);
    else
        bundle->channel = ends[1];
    return rc;
}

/* ---- the bytes --------------------------------------------------------------------------------------------------- */

static void append(uint8_t **at, const void *data, size_t size)
{
    if (size > 0)
        memcpy(*at, data, size);
    *at += size;
}

/* Parcels' marks are the last natives, in order of the domains. */
static void append_domains(yoke__bundle *bundle, uint8_t **at)
{
    uint32_t marks = 0;
    for (uint32_t i = 0; i < bundle->home_count; i++)
        marks += bundle->homes[i].parcel != NULL;
    uint32_t mark = bundle->native_count - marks;
    for (uint32_t i = 0; i < bundle->home_count; i++) {
        const home         *from = &bundle->homes[i];
        yoke__bundle_domain domain = {.id = yoke__domain_header(from->domain)->id, .mark = YOKE__BUNDLE_NONE};
        if (from->parcel != NULL) {
            domain.parcel = from->parcel->id;
            domain.mark = mark++;
        }
        (void)snprintf(domain.name, sizeof domain.name, "%s", from->domain->name);
        append(at, &domain, sizeof domain);
    }
}

static int write_down(yoke__bundle *bundle)
{
    uint8_t  extension[6] = {0xc9, 0, 0, 0, 0, YOKE__BUNDLE_EXTENSION};
    uint64_t size = sizeof bundle->header + (uint64_t)bundle->home_count * sizeof(yoke__bundle_domain) +
                    (uint64_t)bundle->count * sizeof(yoke__bundle_entry) + bundle->header.unread + bundle->packed->size;
    if (size > UINT32_MAX)
        return yoke__fail(YOKE_EMSGSIZE, "a message with handles has at most 4 GiB, what connections in it had read "
                                         "ahead included");
    for (int i = 0; i < 4; i++)
        extension[1 + i] = (uint8_t)(size >> (24 - 8 * i));
    bundle->header.magic = YOKE__BUNDLE_MAGIC;
    bundle->header.natives = bundle->native_count;
    bundle->header.domains = bundle->home_count;
    bundle->header.entries = (uint32_t)bundle->count;
    bundle->header.items = bundle->packed->size;
    bundle->size = sizeof extension + (size_t)size;
    bundle->data = malloc(bundle->size);
    if (bundle->data == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for a message of %zu bytes", bundle->size);
    uint8_t *at = bundle->data;
    append(&at, extension, sizeof extension);
    append(&at, &bundle->header, sizeof bundle->header);
    append_domains(bundle, &at);
    append(&at, bundle->entries, bundle->count * sizeof *bundle->entries);
    for (size_t i = 0; i < bundle->conn_count; i++)
        append(&at, bundle->conns[i].move.unread, bundle->conns[i].move.unread_size);
    append(&at, bundle->packed->data, bundle->packed->size);
    return YOKE_OK;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static yoke__bundle *bundle_new(const yoke__conn *through, const yoke__packed *packed)
{
    yoke__bundle *bundle = calloc(1, sizeof *bundle);
    if (bundle == NULL)
        return NULL;
    bundle->through = through;
    bundle->packed = packed;
    bundle->count = packed->handle_count;
    bundle->channel = YOKE_NO_NATIVE;
    bundle->entries = calloc(bundle->count, sizeof *bundle->entries);
    bundle->conns = calloc(bundle->count, sizeof *bundle->conns);
    bundle->segments = calloc(bundle->count, sizeof *bundle->segments);
    return bundle;
}

static int fill(yoke__bundle *bundle)
{
    if (bundle->entries == NULL || bundle->conns == NULL || bundle->segments == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for a message of %zu handles", bundle->count);
    YOKE_TRY(yoke__backend()->system->random(bundle->header.nonce, sizeof bundle->header.nonce));
    for (size_t i = 0; i < bundle->count; i++)
        YOKE_TRY(stow(bundle, i));
    for (uint32_t i = 0; i < bundle->home_count; i++)
        YOKE_TRY(make_parcel(bundle, &bundle->homes[i]));
    YOKE_TRY(write_down(bundle));
    return load_channel(bundle);
}

int yoke__bundle_make(yoke__bundle **out, const yoke__conn *through, const yoke__packed *packed)
{
    yoke__bundle *bundle = bundle_new(through, packed);
    if (bundle == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for a message of %zu handles", packed->handle_count);
    int rc = fill(bundle);
    if (rc < 0)
        yoke__bundle_end(bundle, false);
    else
        *out = bundle;
    return rc;
}

const void *yoke__bundle_data(const yoke__bundle *bundle, size_t *size, yoke_native *native)
{
    *size = bundle->size;
    *native = bundle->channel;
    return bundle->data;
}

static void settle_conns(yoke__bundle *bundle, bool sent)
{
    for (size_t i = 0; i < bundle->conn_count; i++) {
        passing_conn *passing = &bundle->conns[i];
        if (!sent) {
            yoke__conn_move_abort(&passing->move);
            continue;
        }
        yoke__conn_move_commit(&passing->move);
        if (passing->given)
            yoke_conn_close(passing->handle);
    }
}

void yoke__bundle_end(yoke__bundle *bundle, bool sent)
{
    settle_conns(bundle, sent);
    for (size_t i = 0; i < bundle->segment_count; i++)
        yoke__shm_stay(bundle->segments[i].shm, bundle->segments[i].flight);
    if (bundle->channel != YOKE_NO_NATIVE)
        yoke__backend()->process->native_close(bundle->channel);
    for (uint32_t i = 0; i < bundle->home_count; i++) {
        yoke__parcel_close(bundle->homes[i].parcel, bundle->homes[i].mark);
        free(bundle->homes[i].references);
    }
    free(bundle->entries);
    free(bundle->conns);
    free(bundle->segments);
    free(bundle->data);
    free(bundle);
}
