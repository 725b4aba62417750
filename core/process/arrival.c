/* Arguments out of their packing, in the child. */
#include "cargo.h"

#include "../backend.h"
#include "../error.h"
#include "../message/node.h"

#include <stdio.h>

static int open_domain(yoke_domain **out, const yoke__start_entry *entry, yoke_domain *home)
{
    char name[YOKE__NAME_SIZE];

    snprintf(name, sizeof name, "%.*s", (int)sizeof name - 1, (const char *)entry->domain);
    if (name[0])
        return yoke_domain_open(out, name, YOKE_OPTIONS(yoke_domain_options, .mode = YOKE_OPEN));
    *out = home;
    return YOKE_OK;
}

/* The domain stays open for as long as this process lives: nobody else would know when to close it. */
static int open_abroad(yoke__handle **out, const yoke__start_entry *entry, yoke_domain *home)
{
    yoke_domain *domain;

    YOKE_TRY(open_domain(&domain, entry, home));
    return yoke__handle_open(out, domain, yoke__kind_of_handle(entry->kind), entry->value);
}

typedef struct arrival {
    const yoke__child_start *start;
    yoke__start_block       *block; /* or NULL */
    size_t                   entry_count;
} arrival;

/* What the connection of this entry had read ahead: behind that of the entries before. */
static const uint8_t *unread_of(const arrival *from, const yoke__start_entry *entry)
{
    const uint8_t *unread = yoke__block_unread(from->block);

    for (const yoke__start_entry *before = yoke__block_entries(from->block); before < entry; before++)
        unread += before->size;
    return unread;
}

static int open_conn(yoke_conn **out, const arrival *from, const yoke__start_entry *entry)
{
    uint32_t index = (uint32_t)entry->value;

    if (index >= from->start->native_count)
        return yoke__fail(YOKE_EPROTO, "connection %u of %zu was not passed along", (unsigned)index,
                          from->start->native_count);
    if (from->start->conns) { /* forked: the end is there as it was */
        *out = from->start->conns[index];
        return YOKE_OK;
    }
    const uint8_t *unread = unread_of(from, entry);
    uint32_t       flags = (uint32_t)(entry->value >> 32);
    size_t         count;
    YOKE_TRY(yoke__conn_attach_count(&count, unread, (size_t)entry->size, flags));
    if (count > from->start->native_count - index)
        return yoke__fail(YOKE_EPROTO, "what came with connection %u was not passed along", (unsigned)index);
    return yoke__conn_attach_all(out, from->start->natives + index, count, unread, (size_t)entry->size, flags);
}

static int open_segment(yoke_shm **out, const arrival *from, const yoke__start_entry *entry)
{
    yoke__shm_passage passed;
    size_t            index = yoke__segment_entry_read(entry->value, &passed);

    if (index >= from->start->native_count)
        return yoke__fail(YOKE_EPROTO, "segment %zu of %zu was not passed along", index, from->start->native_count);
    passed.native = from->start->natives[index];
    if (!from->start->shms)
        return yoke__shm_import(out, &passed);
    *out = from->start->shms[index]; /* forked: it is mapped already */
    yoke__shm_arrive(*out, passed.flight);
    return YOKE_OK;
}

/* A forked child has the descriptor itself, and the parent's handle in its memory, which is not this one. */
static int open_file(yoke_file **out, const arrival *from, const yoke__start_entry *entry)
{
    const yoke_process_ops *process = yoke__backend()->process;
    yoke_native             native;

    if (entry->value >= from->start->native_count)
        return yoke__fail(YOKE_EPROTO, "file %llu of %zu was not passed along", (unsigned long long)entry->value,
                          from->start->native_count);
    native = from->start->natives[entry->value];
    if (!from->start->conns)
        return yoke_file_create(out, native);
    YOKE_TRY(process->native_duplicate(&native, native));
    int rc = yoke_file_create(out, native);
    if (rc < 0)
        process->native_close(native);
    return rc;
}

static int open_object(yoke__handle **out, const arrival *from, const yoke__start_entry *entry)
{
    if (entry->what == YOKE__ENTRY_ABROAD)
        return open_abroad(out, entry, from->start->domain);
    return yoke__handle_open(out, from->start->domain, yoke__kind_of_handle(entry->kind), entry->value);
}

static int open_entry(void *user, uint32_t kind, uint32_t position, void **handle)
{
    const arrival           *from = user;
    const yoke__start_entry *entry;
    yoke__handle            *object = NULL;
    yoke_domain             *domain = NULL;
    yoke_conn               *conn = NULL;
    yoke_shm                *shm = NULL;
    yoke_file               *file = NULL;

    if (position >= from->entry_count || yoke__block_entries(from->block)[position].kind != kind)
        return yoke__fail(YOKE_EPROTO, "the start record has no handle of kind %u at position %u", (unsigned)kind,
                          (unsigned)position);
    entry = &yoke__block_entries(from->block)[position];
    switch (entry->what) {
    case YOKE__ENTRY_OBJECT:
    case YOKE__ENTRY_ABROAD:
        YOKE_TRY(open_object(&object, from, entry));
        *handle = object;
        return YOKE_OK;
    case YOKE__ENTRY_DOMAIN:
        YOKE_TRY(open_domain(&domain, entry, from->start->domain));
        *handle = domain;
        return YOKE_OK;
    case YOKE__ENTRY_CONN:
        YOKE_TRY(open_conn(&conn, from, entry));
        *handle = conn;
        return YOKE_OK;
    case YOKE__ENTRY_FILE:
        YOKE_TRY(open_file(&file, from, entry));
        *handle = file;
        return YOKE_OK;
    case YOKE__ENTRY_SEGMENT:
        YOKE_TRY(open_segment(&shm, from, entry));
        *handle = shm;
        return YOKE_OK;
    default:
        return yoke__fail(YOKE_EPROTO, "the start record has an unknown entry %u", (unsigned)entry->what);
    }
}

int yoke__cargo_unpack(const yoke_variant **out, const yoke__child_start *start, yoke__start_block *block)
{
    static const yoke_variant no_arguments = {.kind = YOKE_LIST_KIND};
    yoke_variant             *list;
    arrival                   from = {.start = start, .block = block, .entry_count = block ? block->entry_count : 0};
    const void               *data = start->arguments;
    size_t                    size = start->arguments_size;

    if (!start->function && block) {
        data = yoke__block_arguments(block);
        size = (size_t)block->arguments_size;
    }
    *out = &no_arguments;
    if (size == 0)
        return YOKE_OK;
    YOKE_TRY(yoke__unpack(&list, data, size, open_entry, &from));
    *out = list;
    return YOKE_OK;
}
