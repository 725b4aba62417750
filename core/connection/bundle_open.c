/* Messages with handles: taking them apart. What comes may be hostile: nothing is believed before it was looked at. */
#include "bundle.h"

#include "../backend.h"
#include "../error.h"
#include "../memory/shm.h"
#include "file.h"
#include "parcel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXTENSION_HEADER 6u

/* A domain that the message names, once it is needed. */
typedef struct home {
    yoke_domain  *domain;
    yoke__handle *parcel;
} home;

struct yoke__unbundled {
    size_t      count; /* entries */
    uint32_t   *kinds;
    void      **handles; /* NULL: could not be had, or taken */
    home        homes[YOKE__BUNDLE_DOMAINS];
    uint32_t    home_count;
    yoke_native natives[YOKE__BUNDLE_NATIVES]; /* YOKE_NO_NATIVE: lost, or taken */
    bool        lost;                          /* all natives, marks included: so objects may be gone as well */
    size_t      missing;
    int         code; /* why the first that is missing is */
    char        text[200];
};

/* The parts of a message, as they lie in it; not aligned. */
typedef struct parts {
    yoke__bundle_header header;
    const uint8_t      *domains, *entries, *unread, *items;
} parts;

/* ---- looking ----------------------------------------------------------------------------------------------------- */

bool yoke__bundle_is(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    return size >= EXTENSION_HEADER && bytes[0] == 0xc9 && bytes[5] == YOKE__BUNDLE_EXTENSION;
}

static int damaged(void)
{
    return yoke__fail(YOKE_EPROTO, "connection: a message with handles is damaged");
}

static int look(parts *out, const uint8_t *data, size_t size)
{
    uint64_t told = 0;
    for (int i = 1; i <= 4; i++)
        told = told << 8 | data[i];
    if (told != size - EXTENSION_HEADER || told < sizeof out->header)
        return damaged();
    memcpy(&out->header, data + EXTENSION_HEADER, sizeof out->header);
    const yoke__bundle_header *header = &out->header;
    uint64_t                   left = told - sizeof *header;
    uint64_t                   domains = (uint64_t)header->domains * sizeof(yoke__bundle_domain);
    uint64_t                   entries = (uint64_t)header->entries * sizeof(yoke__bundle_entry);
    if (header->magic != YOKE__BUNDLE_MAGIC || header->natives > YOKE__BUNDLE_NATIVES ||
        header->domains > YOKE__BUNDLE_DOMAINS || header->entries == 0 || domains + entries > left ||
        header->unread > left - domains - entries || header->items != left - domains - entries - header->unread)
        return damaged();
    out->domains = data + EXTENSION_HEADER + sizeof *header;
    out->entries = out->domains + domains;
    out->unread = out->entries + entries;
    out->items = out->unread + header->unread;
    return YOKE_OK;
}

/* ---- natives ----------------------------------------------------------------------------------------------------- */

/* Out of the channel that came with the message. Those that can't be had are lost with the rest. */
static void unload(yoke__unbundled *to, const parts *from, yoke_native channel)
{
    const yoke_process_ops *process = yoke__backend()->process;
    yoke__bundle_note       note;
    size_t                  size = 0, count = 0;
    if (channel == YOKE_NO_NATIVE)
        return;
    int rc = process->channel_recv(channel, &note, sizeof note, &size, to->natives, YOKE__BUNDLE_NATIVES, &count, 0);
    process->native_close(channel);
    if (rc < 0)
        return;
    if (size == sizeof note && memcmp(note.nonce, from->header.nonce, sizeof note.nonce) == 0 &&
        count == from->header.natives)
        return;
    for (size_t i = 0; i < count; i++) {
        process->native_close(to->natives[i]);
        to->natives[i] = YOKE_NO_NATIVE;
    }
}

static int no_natives(void)
{
    return yoke__fail(YOKE_ENOMEM, "this process had no descriptors left for those that came with it");
}

static int find_natives(const yoke__unbundled *from, uint32_t first, size_t count)
{
    if (first > YOKE__BUNDLE_NATIVES || count > YOKE__BUNDLE_NATIVES - first)
        return damaged();
    for (size_t i = 0; i < count; i++)
        if (from->natives[first + i] == YOKE_NO_NATIVE)
            return no_natives();
    return YOKE_OK;
}

static void natives_taken(yoke__unbundled *from, uint32_t first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        from->natives[first + i] = YOKE_NO_NATIVE;
}

/* ---- domains ----------------------------------------------------------------------------------------------------- */

static int find_domain(yoke_domain **out, const yoke__bundle_domain *from)
{
    yoke_domain *domain = yoke__domain_existing();
    if (memchr(from->name, 0, sizeof from->name) == NULL)
        return damaged();
    if (from->name[0] != 0) {
        YOKE_TRY(yoke__domain_open_for_messages(&domain, from->name));
        if (yoke__domain_header(domain)->id != from->id)
            return yoke__fail(YOKE_ENOENT, "domain '%s' is another by now", from->name);
    } else if (domain == NULL || yoke__domain_header(domain)->id != from->id) {
        return yoke__fail(YOKE_ENOTSUP, "its domain is private to the processes of the sender's family; use a named "
                                        "domain for objects that others are to have");
    }
    *out = domain;
    return YOKE_OK;
}

static int home_of(home **out, yoke__unbundled *to, const parts *from, uint32_t index)
{
    yoke__bundle_domain domain;
    if (index >= to->home_count)
        return damaged();
    *out = &to->homes[index];
    memcpy(&domain, from->domains + index * sizeof domain, sizeof domain);
    if ((*out)->domain == NULL)
        YOKE_TRY(find_domain(&(*out)->domain, &domain));
    if (domain.parcel != 0 && (*out)->parcel == NULL)
        return yoke__handle_open(&(*out)->parcel, (*out)->domain, YOKE__KIND_PARCEL, domain.parcel);
    return YOKE_OK;
}

/* ---- handles ----------------------------------------------------------------------------------------------------- */

static int open_object(void **out, yoke__unbundled *to, const parts *from, const yoke__bundle_entry *entry)
{
    home         *at;
    yoke__handle *handle;
    yoke__kind    kind = yoke__kind_of_handle(entry->kind);
    if (yoke__object_type_of(kind) == NULL)
        return damaged();
    YOKE_TRY(home_of(&at, to, from, entry->domain));
    const yoke__parcel *parcel = at->parcel != NULL ? yoke__parcel_of(at->parcel) : NULL;
    if (parcel == NULL || entry->value >= parcel->count)
        return damaged();
    YOKE_TRY(yoke__handle_open(&handle, at->domain, kind, parcel->references[entry->value]));
    *out = handle;
    return YOKE_OK;
}

static int open_domain(void **out, yoke__unbundled *to, const parts *from, const yoke__bundle_entry *entry)
{
    yoke_domain *domain;
    home        *at;
    if (entry->kind != YOKE_H_domain)
        return damaged();
    YOKE_TRY(home_of(&at, to, from, entry->domain));
    domain = at->domain;
    if (domain->named) /* the receiver's own, to close */
        YOKE_TRY(yoke_domain_open(&domain, domain->name, YOKE_OPTIONS(yoke_domain_options, .mode = YOKE_OPEN)));
    *out = domain;
    return YOKE_OK;
}

static int open_conn(void **out, yoke__unbundled *to, const parts *from, const yoke__bundle_entry *entry,
                     const uint8_t *unread)
{
    yoke_conn *conn;
    home      *at;
    size_t     count;
    if (entry->kind != YOKE_H_conn)
        return damaged();
    if (entry->domain != YOKE__BUNDLE_NONE) /* the parcel of what it is shared by stays until it is attached */
        YOKE_TRY(home_of(&at, to, from, entry->domain));
    YOKE_TRY(yoke__conn_attach_count(&count, unread, (size_t)entry->size, (uint32_t)entry->value));
    YOKE_TRY(find_natives(to, entry->native, count));
    YOKE_TRY(yoke__conn_attach_all(&conn, to->natives + entry->native, count, unread, (size_t)entry->size,
                                   (uint32_t)entry->value));
    natives_taken(to, entry->native, count);
    *out = conn;
    return YOKE_OK;
}

static int open_segment(void **out, yoke__unbundled *to, const yoke__bundle_entry *entry)
{
    yoke_shm *shm;
    if (entry->kind != YOKE_H_shm)
        return damaged();
    YOKE_TRY(find_natives(to, entry->native, 1));
    yoke__shm_passage passed = {.native = to->natives[entry->native], .read_only = entry->value != 0};
    YOKE_TRY(yoke__shm_import(&shm, &passed));
    natives_taken(to, entry->native, 1);
    *out = shm;
    return YOKE_OK;
}

static int open_file(void **out, yoke__unbundled *to, const yoke__bundle_entry *entry)
{
    yoke_file *file;
    if (entry->kind != YOKE_H_file)
        return damaged();
    YOKE_TRY(find_natives(to, entry->native, 1));
    YOKE_TRY(yoke_file_create(&file, to->natives[entry->native]));
    natives_taken(to, entry->native, 1);
    *out = file;
    return YOKE_OK;
}

static int open_entry(void **out, yoke__unbundled *to, const parts *from, const yoke__bundle_entry *entry,
                      const uint8_t *unread)
{
    switch (entry->what) {
    case YOKE__BUNDLE_OBJECT:
        return open_object(out, to, from, entry);
    case YOKE__BUNDLE_DOMAIN:
        return open_domain(out, to, from, entry);
    case YOKE__BUNDLE_CONN:
        return open_conn(out, to, from, entry, unread);
    case YOKE__BUNDLE_SEGMENT:
        return open_segment(out, to, entry);
    case YOKE__BUNDLE_FILE:
        return open_file(out, to, entry);
    default:
        return damaged();
    }
}

static void note_missing(yoke__unbundled *to, int code)
{
    if (to->missing++ == 0) {
        to->code = code;
        (void)snprintf(to->text, sizeof to->text, "%.*s", (int)sizeof to->text - 1, yoke_last_error()->text);
    }
}

/* YOKE_EPROTO: damaged; what is missing for another reason is noted. */
static int open_all(yoke__unbundled *to, const parts *from)
{
    uint64_t unread = 0;
    for (size_t i = 0; i < to->count; i++) {
        yoke__bundle_entry entry;
        memcpy(&entry, from->entries + i * sizeof entry, sizeof entry);
        if (entry.size > from->header.unread - unread)
            return damaged();
        to->kinds[i] = entry.kind;
        int rc = open_entry(&to->handles[i], to, from, &entry, from->unread + unread);
        if (rc == YOKE_EPROTO)
            return rc;
        if (rc < 0)
            note_missing(to, to->lost ? no_natives() : rc);
        unread += entry.size;
    }
    return YOKE_OK;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

void yoke__unbundled_free(yoke__unbundled *from)
{
    if (from == NULL)
        return;
    for (size_t i = 0; i < from->count; i++)
        if (from->handles[i] != NULL)
            yoke__close_any(from->kinds[i], from->handles[i]);
    for (size_t i = 0; i < YOKE__BUNDLE_NATIVES; i++)
        if (from->natives[i] != YOKE_NO_NATIVE)
            yoke__backend()->process->native_close(from->natives[i]);
    for (uint32_t i = 0; i < from->home_count; i++) /* after their marks */
        yoke__parcel_close(from->homes[i].parcel, YOKE_NO_NATIVE);
    free(from->kinds);
    free(from->handles);
    free(from);
}

static yoke__unbundled *unbundled_new(const parts *from)
{
    yoke__unbundled *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    for (size_t i = 0; i < YOKE__BUNDLE_NATIVES; i++)
        made->natives[i] = YOKE_NO_NATIVE;
    made->home_count = from->header.domains;
    made->kinds = calloc(from->header.entries, sizeof *made->kinds);
    made->handles = calloc(from->header.entries, sizeof *made->handles);
    if (made->kinds == NULL || made->handles == NULL) {
        yoke__unbundled_free(made);
        return NULL;
    }
    made->count = from->header.entries;
    return made;
}

static int open_first(yoke__unbundled **out, yoke__conn *conn, const parts *from)
{
    yoke__unbundled *made = unbundled_new(from);
    if (made == NULL)
        return yoke__fail(YOKE_ENOMEM, "connection: no memory for %u handles of a message", from->header.entries);
    unload(made, from, from->header.natives > 0 ? yoke__luggage_take(conn) : YOKE_NO_NATIVE);
    made->lost = from->header.natives > 0 && made->natives[0] == YOKE_NO_NATIVE;
    int rc = open_all(made, from);
    if (rc < 0)
        yoke__unbundled_free(made);
    else
        *out = made;
    return rc;
}

/* Nil for what is missing. Each may be taken once. */
static int hand_over(void *user, uint32_t kind, uint32_t position, void **handle)
{
    yoke__unbundled *from = user;
    if (position >= from->count || from->kinds[position] != kind)
        return damaged();
    *handle = from->handles[position];
    from->handles[position] = NULL;
    return YOKE_OK;
}

static int say_missing(const yoke__unbundled *from)
{
    return yoke__fail(from->code,
                      "connection: %zu of %zu handles of a message can't be had: %s; receive it again to have nil in "
                      "their place",
                      from->missing, from->count, from->text);
}

int yoke__bundle_receive(yoke_variant **out, yoke__conn *conn, const void *data, size_t size)
{
    parts            from;
    yoke__unbundled *opened = conn->luggage != NULL ? conn->luggage->opened : NULL;
    if ((conn->flags & YOKE__CONN_REMOTE) != 0)
        return yoke__fail(YOKE_EPROTO, "connection: handles don't come over a network");
    YOKE_TRY(look(&from, data, size));
    if (opened == NULL) {
        YOKE_TRY(open_first(&opened, conn, &from));
        if (opened->missing > 0 && yoke__luggage_keep(conn, opened))
            return say_missing(opened);
    } else {
        conn->luggage->opened = NULL;
    }
    int rc = yoke__unpack(out, from.items, (size_t)from.header.items, hand_over, opened);
    yoke__unbundled_free(opened);
    return rc;
}
