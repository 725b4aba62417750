/* Items to MessagePack. */
#include "node.h"

#include "../error.h"

#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct packing {
    yoke__packed  *out;
    size_t         capacity, handle_capacity;
    msgpack_packer packer;
    int            code;  /* why the last write failed */
    unsigned       depth; /* of the list or map that is being packed */
    size_t         path[YOKE_DEPTH_MAX + 1];
} packing;

/* ---- sentences --------------------------------------------------------------------------------------------------------- */

/* "item 3.1" for part 1 of item 3; "the item" for the outermost. */
static const char *place(const packing *p, char out[256])
{
    int used = snprintf(out, 256, p->depth ? "item " : "the item");
    for (unsigned i = 0; i < p->depth && used < 240; i++)
        used += snprintf(out + used, 256 - (size_t)used, i ? ".%zu" : "%zu", p->path[i]);
    return out;
}

static int refuse(const packing *p, int code, const char *what)
{
    char text[256];
    return yoke__fail(code, "%s %s", place(p, text), what);
}

/* ---- the library's side ------------------------------------------------------------------------------------------------ */

/* msgpack_packer_write */
static int append(void *data, const char *bytes, size_t size)
{
    packing      *p = data;
    yoke__packed *out = p->out;
    if (size > YOKE__MESSAGE_MAX - out->size) {
        p->code = yoke__fail(YOKE_EMSGSIZE, "packed, it is larger than %lu bytes", (unsigned long)YOKE__MESSAGE_MAX);
        return -1;
    }
    if (out->size + size > p->capacity) {
        size_t   capacity = p->capacity * 2 > out->size + size ? p->capacity * 2 : out->size + size + 64;
        uint8_t *grown = realloc(out->data, capacity);
        if (!grown) {
            p->code = yoke__fail(YOKE_ENOMEM, "no memory for a message of %zu bytes", out->size + size);
            return -1;
        }
        out->data = grown;
        p->capacity = capacity;
    }
    if (size)
        memcpy(out->data + out->size, bytes, size);
    out->size += size;
    return 0;
}

/* The library answers with what append answered. */
static int checked(const packing *p, int answer)
{
    return answer < 0 ? p->code : YOKE_OK;
}

static int pack_text(packing *p, const void *text, size_t size)
{
    if (!text)
        return refuse(p, YOKE_EINVAL, "is a NULL string");
    if (checked(p, msgpack_pack_str(&p->packer, size)) < 0)
        return p->code;
    return checked(p, msgpack_pack_str_body(&p->packer, text, size));
}

static int pack_bytes(packing *p, const void *data, size_t size)
{
    if (!data && size)
        return refuse(p, YOKE_EINVAL, "has bytes at NULL");
    if (checked(p, msgpack_pack_bin(&p->packer, size)) < 0)
        return p->code;
    return checked(p, msgpack_pack_bin_body(&p->packer, data, size));
}

/* ---- handles ----------------------------------------------------------------------------------------------------------- */

yoke__kind yoke__kind_of_handle(uint32_t kind)
{
    switch (kind) {
    case YOKE_H_queue:
        return YOKE__KIND_QUEUE;
    case YOKE_H_conn:
        return YOKE__KIND_CONN;
    case YOKE_H_lock:
        return YOKE__KIND_LOCK;
    case YOKE_H_rlock:
        return YOKE__KIND_RLOCK;
    case YOKE_H_rwlock:
        return YOKE__KIND_RWLOCK;
    case YOKE_H_value:
        return YOKE__KIND_VALUE;
    case YOKE_H_array:
        return YOKE__KIND_ARRAY;
    case YOKE_H_shm:
        return YOKE__KIND_SHM;
    case YOKE_H_shareable:
        return YOKE__KIND_SHAREABLE;
    case YOKE_H_condition:
        return YOKE__KIND_CONDITION;
    case YOKE_H_barrier:
        return YOKE__KIND_BARRIER;
    case YOKE_H_semaphore:
        return YOKE__KIND_SEMAPHORE;
    case YOKE_H_event:
        return YOKE__KIND_EVENT;
    case YOKE_H_file:
        return YOKE__KIND_FILE;
    default:
        return YOKE__KIND_NONE;
    }
}

static int check_handle(packing *p, uint32_t kind, uint32_t flags, const void *handle)
{
    char text[256];
    if (!handle)
        return yoke__fail(YOKE_EINVAL, "%s is a NULL %s", place(p, text), yoke__item_kind_name(kind));
    if ((flags & 1u) && kind != YOKE_H_conn)
        return refuse(p, YOKE_EINVAL, "is given, but is no connection");
    if (kind == YOKE_H_domain) {
        yoke_domain *domain;
        union {
            const void  *borrowed;
            yoke_domain *domain;
        } it = {handle};
        if (yoke__domain_of(&domain, it.domain) == YOKE_OK)
            return YOKE_OK;
    } else {
        const yoke__handle *checked = yoke__handle_check(handle, yoke__kind_of_handle(kind));
        if (checked && kind == YOKE_H_lock && checked->id == 0)
            return refuse(p, YOKE_ENOTSUP, "is a lock borrowed from a value or an array: pass that one");
        if (checked)
            return YOKE_OK;
    }
    return yoke__fail_in(YOKE_EINVAL, "%s", place(p, text));
}

static int add_handle(packing *p, uint32_t kind, uint32_t flags, const void *handle)
{
    yoke__packed *out = p->out;
    if (out->handle_count == p->handle_capacity) {
        size_t               capacity = p->handle_capacity * 2 + 8;
        yoke__packed_handle *grown = realloc(out->handles, capacity * sizeof *grown);
        if (!grown)
            return yoke__fail(YOKE_ENOMEM, "no memory for a message of %zu handles", capacity);
        out->handles = grown;
        p->handle_capacity = capacity;
    }
    out->handles[out->handle_count++] = (yoke__packed_handle){kind, flags, handle};
    return YOKE_OK;
}

static int pack_handle(packing *p, uint32_t kind, uint32_t flags, const void *handle)
{
    uint32_t words[2] = {kind, (uint32_t)p->out->handle_count};
    char     body[YOKE__EXTENSION_SIZE];
    YOKE_TRY(check_handle(p, kind, flags, handle));
    YOKE_TRY(add_handle(p, kind, flags, handle));
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)(words[i / 4] >> (i % 4 * 8) & 0xff);
    if (checked(p, msgpack_pack_ext(&p->packer, sizeof body, YOKE__EXTENSION_HANDLE)) < 0)
        return p->code;
    return checked(p, msgpack_pack_ext_body(&p->packer, body, sizeof body));
}

/* ---- lists and maps ------------------------------------------------------------------------------------------------------ */

/* count: parts of a list; keys and values of a map. */
static int open_container(packing *p, bool map, size_t count)
{
    if (p->depth == YOKE_DEPTH_MAX)
        return yoke__fail(YOKE_EMSGSIZE, "lists and maps stand in each other more than %d deep", YOKE_DEPTH_MAX);
    if (count > YOKE__MESSAGE_MAX)
        return refuse(p, YOKE_EMSGSIZE, "has more parts than a message can hold");
    if (map && count % 2)
        return refuse(p, YOKE_EINVAL, "is a map with a key that has no value");
    YOKE_TRY(checked(p, map ? msgpack_pack_map(&p->packer, count / 2) : msgpack_pack_array(&p->packer, count)));
    p->depth++;
    return YOKE_OK;
}

static int pack_variant(packing *p, const yoke_variant *variant);
static int pack_item(packing *p, const yoke_item *item);

static int pack_items(packing *p, const yoke_item *items, size_t count, bool map)
{
    if (!items && count)
        return refuse(p, YOKE_EINVAL, "has its parts at NULL");
    YOKE_TRY(open_container(p, map, count));
    for (size_t i = 0; i < count; i++) {
        p->path[p->depth - 1] = i;
        YOKE_TRY(pack_item(p, &items[i]));
    }
    p->depth--;
    return YOKE_OK;
}

static int pack_parts(packing *p, const yoke_variant *parts, size_t count, bool map)
{
    YOKE_TRY(open_container(p, map, count));
    for (size_t i = 0; i < count; i++) {
        p->path[p->depth - 1] = i;
        YOKE_TRY(pack_variant(p, &parts[i]));
    }
    p->depth--;
    return YOKE_OK;
}

static int pack_variant(packing *p, const yoke_variant *variant)
{
    switch (yoke_variant_kind(variant)) {
    case YOKE_NIL_KIND:
        return checked(p, msgpack_pack_nil(&p->packer));
    case YOKE_BOOL:
        return checked(p, variant->as.u ? msgpack_pack_true(&p->packer) : msgpack_pack_false(&p->packer));
    case YOKE_INT:
        return checked(p, msgpack_pack_int64(&p->packer, variant->as.i));
    case YOKE_UINT:
        return checked(p, msgpack_pack_uint64(&p->packer, variant->as.u));
    case YOKE_DOUBLE:
        return checked(p, msgpack_pack_double(&p->packer, variant->as.d));
    case YOKE_STRING:
        return pack_text(p, variant->as.text, variant->size);
    case YOKE_BYTES_KIND:
        return pack_bytes(p, variant->as.text, variant->size);
    case YOKE_LIST_KIND:
        return pack_parts(p, variant->as.parts, variant->size, false);
    case YOKE_MAP_KIND:
        return pack_parts(p, variant->as.parts, variant->size * 2, true);
    default:
        return pack_handle(p, variant->kind, 0, variant->as.handle);
    }
}

static int pack_item(packing *p, const yoke_item *item)
{
    char text[256];
    switch (item->kind) {
    case YOKE_NIL_KIND:
        return checked(p, msgpack_pack_nil(&p->packer));
    case YOKE_BOOL:
        return checked(p, item->as.u ? msgpack_pack_true(&p->packer) : msgpack_pack_false(&p->packer));
    case YOKE_INT:
        return checked(p, msgpack_pack_int64(&p->packer, item->as.i));
    case YOKE_UINT:
        return checked(p, msgpack_pack_uint64(&p->packer, item->as.u));
    case YOKE_DOUBLE:
        return checked(p, msgpack_pack_double(&p->packer, item->as.d));
    case YOKE_STRING:
        return pack_text(p, item->as.p, item->size);
    case YOKE_BYTES_KIND:
        return pack_bytes(p, item->as.p, item->size);
    case YOKE_LIST_KIND:
        return pack_items(p, item->as.p, item->size, false);
    case YOKE_MAP_KIND:
        return pack_items(p, item->as.p, item->size, true);
    case YOKE_VARIANT_KIND:
        return pack_variant(p, item->as.p);
    default:
        if (yoke__kind_is_handle(item->kind))
            return pack_handle(p, item->kind, item->flags, item->as.p);
        return yoke__fail(YOKE_EINVAL, "%s is of the unknown kind %lu", place(p, text), (unsigned long)item->kind);
    }
}

int yoke__pack(yoke__packed *out, const yoke_item *item)
{
    yoke__packed packed = {0};
    packing      p = {.out = &packed, .code = YOKE_EIO};
    int          code;
    if (!item)
        return yoke__fail(YOKE_EINVAL, "the items are NULL");
    msgpack_packer_init(&p.packer, &p, append);
    code = pack_item(&p, item);
    if (code < 0) {
        yoke__packed_free(&packed);
        return code;
    }
    *out = packed;
    return YOKE_OK;
}

void yoke__packed_free(yoke__packed *packed)
{
    free(packed->data);
    free(packed->handles);
    *packed = (yoke__packed){0};
}
