/*
 * MessagePack of whatever origin to variants.
 *
 * The library allocates what a header announces before it has seen it. So every byte is looked at first: announced counts
 * and sizes must be there, nesting is bounded, and what remains to be allocated is known exactly. A byte of input costs at
 * most one node here and one object there.
 */
#include "node.h"

#include "../error.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

/* ---- the look before ------------------------------------------------------------------------------------------------------ */

typedef struct scan {
    const uint8_t *bytes;
    size_t         size, at;
    unsigned       depth;
    size_t         nodes; /* needed for what was seen */
    size_t         text;  /* bytes needed for text and bytes, padded */
} scan;

/* Text and bytes lie NUL-terminated and 16-aligned. */
static size_t padded(size_t size)
{
    return (size + 1 + 15) & ~(size_t)15;
}

static int damaged(const scan *s, const char *what)
{
    return yoke__fail(YOKE_EPROTO, "a message of %zu bytes is damaged at byte %zu: %s", s->size, s->at, what);
}

/* Reads a big-endian number of width bytes. */
static int scan_number(scan *s, unsigned width, uint64_t *out)
{
    uint64_t value = 0;
    if (s->size - s->at < width)
        return damaged(s, "it ends too early");
    for (unsigned i = 0; i < width; i++)
        value = value << 8 | s->bytes[s->at++];
    *out = value;
    return YOKE_OK;
}

static int scan_skip(scan *s, uint64_t count)
{
    if (s->size - s->at < count)
        return damaged(s, "it ends too early");
    s->at += (size_t)count;
    return YOKE_OK;
}

static int scan_text(scan *s, uint64_t count)
{
    YOKE_TRY(scan_skip(s, count));
    s->text += padded((size_t)count);
    return YOKE_OK;
}

static int scan_extension(scan *s, uint64_t count)
{
    uint64_t type = 0;
    YOKE_TRY(scan_number(s, 1, &type));
    if (type != YOKE__EXTENSION_HANDLE || count != YOKE__EXTENSION_SIZE)
        return damaged(s, "an extension that is no handle");
    return scan_skip(s, count);
}

static int scan_value(scan *s);

/* count: values that follow; a map announces half as many. */
static int scan_parts(scan *s, uint64_t count)
{
    if (s->depth == YOKE_DEPTH_MAX)
        return damaged(s, "lists and maps stand in each other too deep");
    if (count > s->size - s->at) /* each takes a byte at least */
        return damaged(s, "it announces more parts than there are bytes");
    s->depth++;
    for (uint64_t i = 0; i < count; i++)
        YOKE_TRY(scan_value(s));
    s->depth--;
    return YOKE_OK;
}

enum shape { PLAIN, TEXT, PARTS, PAIRS, EXTENSION, NOTHING };

/* 0xc0 to 0xdf: what follows. width: bytes of the number, or of the count; fixed: the count, when no number tells it. */
static const struct {
    uint8_t shape, width, fixed;
} headers[32] = {
    {PLAIN, 0, 0},      {NOTHING, 0, 0},   {PLAIN, 0, 0},     {PLAIN, 0, 0},     /* nil, never used, false, true */
    {TEXT, 1, 0},       {TEXT, 2, 0},      {TEXT, 4, 0},                         /* bin */
    {EXTENSION, 1, 0},  {EXTENSION, 2, 0}, {EXTENSION, 4, 0},                    /* ext */
    {PLAIN, 4, 0},      {PLAIN, 8, 0},                                           /* float */
    {PLAIN, 1, 0},      {PLAIN, 2, 0},     {PLAIN, 4, 0},     {PLAIN, 8, 0},     /* uint */
    {PLAIN, 1, 0},      {PLAIN, 2, 0},     {PLAIN, 4, 0},     {PLAIN, 8, 0},     /* int */
    {EXTENSION, 0, 1},  {EXTENSION, 0, 2}, {EXTENSION, 0, 4}, {EXTENSION, 0, 8}, /* fixext */
    {EXTENSION, 0, 16},                                                          /* fixext */
    {TEXT, 1, 0},       {TEXT, 2, 0},      {TEXT, 4, 0},                         /* str */
    {PARTS, 2, 0},      {PARTS, 4, 0},                                           /* array */
    {PAIRS, 2, 0},      {PAIRS, 4, 0},                                           /* map */
};

static int scan_headed(scan *s, uint8_t first)
{
    uint8_t  shape = headers[first - 0xc0].shape, width = headers[first - 0xc0].width;
    uint64_t count = headers[first - 0xc0].fixed;
    if (width)
        YOKE_TRY(scan_number(s, width, &count));
    switch (shape) {
    case PLAIN:
        return YOKE_OK;
    case TEXT:
        return scan_text(s, count);
    case PARTS:
        return scan_parts(s, count);
    case PAIRS:
        return scan_parts(s, count * 2);
    case EXTENSION:
        return scan_extension(s, count);
    default:
        return damaged(s, "a byte that stands for nothing");
    }
}

static int scan_value(scan *s)
{
    uint8_t first;
    if (s->at == s->size)
        return damaged(s, "it ends too early");
    first = s->bytes[s->at++];
    s->nodes++;
    if (first < 0x80 || first >= 0xe0) /* small integers */
        return YOKE_OK;
    if (first < 0x90)
        return scan_parts(s, (first & 0x0fu) * 2u);
    if (first < 0xa0)
        return scan_parts(s, first & 0x0fu);
    if (first < 0xc0)
        return scan_text(s, first & 0x1fu);
    return scan_headed(s, first);
}

static int scan_message(scan *s)
{
    YOKE_TRY(scan_value(s));
    if (s->at != s->size)
        return damaged(s, "bytes follow its end");
    return YOKE_OK;
}

/* ---- building ---------------------------------------------------------------------------------------------------------------- */

typedef struct building {
    yoke_variant      *next_node;
    char              *next_text;
    yoke__open_handle *open;
    void              *user;
} building;

static void build_text(building *b, yoke_variant *node, yoke_kind kind, const char *text, size_t size)
{
    node->kind = (uint16_t)kind;
    node->size = size;
    node->as.text = b->next_text;
    if (size)
        memcpy(b->next_text, text, size);
    b->next_text[size] = 0;
    b->next_text += padded(size);
}

static void build_unsigned(yoke_variant *node, uint64_t value)
{
    node->kind = value > INT64_MAX ? YOKE_UINT : YOKE_INT;
    node->as.u = value;
}

static uint32_t little_endian(const char *bytes)
{
    uint32_t value = 0;
    for (int i = 3; i >= 0; i--)
        value = value << 8 | (uint8_t)bytes[i];
    return value;
}

static int build_handle(building *b, yoke_variant *node, const msgpack_object *from)
{
    uint32_t kind = little_endian(from->via.ext.ptr), position = little_endian(from->via.ext.ptr + 4);
    void    *handle = NULL;
    if (!yoke__kind_is_handle(kind))
        return yoke__fail(YOKE_EPROTO, "a message holds a handle of the unknown kind %lu", (unsigned long)kind);
    if (!b->open)
        return yoke__fail(YOKE_EPROTO, "a message holds a %s, which can't be passed this way",
                          yoke__item_kind_name(kind));
    YOKE_TRY(b->open(b->user, kind, position, &handle));
    if (handle == NULL) /* the node is nil */
        return YOKE_OK;
    node->kind = (uint16_t)kind;
    node->as.handle = handle;
    return YOKE_OK;
}

static int build(building *b, yoke_variant *node, const msgpack_object *from);

static int build_list(building *b, yoke_variant *node, const msgpack_object_array *from)
{
    node->kind = YOKE_LIST_KIND;
    node->size = from->size;
    node->as.parts = b->next_node;
    b->next_node += from->size;
    for (uint32_t i = 0; i < from->size; i++)
        YOKE_TRY(build(b, &node->as.parts[i], &from->ptr[i]));
    return YOKE_OK;
}

static int build_map(building *b, yoke_variant *node, const msgpack_object_map *from)
{
    node->kind = YOKE_MAP_KIND;
    node->size = from->size;
    node->as.parts = b->next_node;
    b->next_node += (size_t)from->size * 2;
    for (uint32_t i = 0; i < from->size; i++) {
        YOKE_TRY(build(b, &node->as.parts[(size_t)i * 2], &from->ptr[i].key));
        YOKE_TRY(build(b, &node->as.parts[(size_t)i * 2 + 1], &from->ptr[i].val));
    }
    return YOKE_OK;
}

static int build(building *b, yoke_variant *node, const msgpack_object *from)
{
    switch (from->type) {
    case MSGPACK_OBJECT_NIL:
        return YOKE_OK;
    case MSGPACK_OBJECT_BOOLEAN:
        node->kind = YOKE_BOOL;
        node->as.u = from->via.boolean;
        return YOKE_OK;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        build_unsigned(node, from->via.u64);
        return YOKE_OK;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        node->kind = YOKE_INT;
        node->as.i = from->via.i64;
        return YOKE_OK;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        node->kind = YOKE_DOUBLE;
        node->as.d = from->via.f64;
        return YOKE_OK;
    case MSGPACK_OBJECT_STR:
        build_text(b, node, YOKE_STRING, from->via.str.ptr, from->via.str.size);
        return YOKE_OK;
    case MSGPACK_OBJECT_BIN:
        build_text(b, node, YOKE_BYTES_KIND, from->via.bin.ptr, from->via.bin.size);
        return YOKE_OK;
    case MSGPACK_OBJECT_ARRAY:
        return build_list(b, node, &from->via.array);
    case MSGPACK_OBJECT_MAP:
        return build_map(b, node, &from->via.map);
    case MSGPACK_OBJECT_EXT:
        return build_handle(b, node, from);
    default:
        return yoke__fail(YOKE_EPROTO, "a message holds a value of no known kind");
    }
}

/* Nodes that were not reached are nil, so that yoke_variant_free closes exactly the handles that were opened. */
static int build_tree(yoke_variant **out, const msgpack_object *from, const scan *s, yoke__open_handle *open,
                      void *user)
{
    char         *text;
    yoke_variant *root = yoke__variant_new(s->nodes ? s->nodes : 1, s->text, &text);
    building      b;
    int           code;
    if (!root)
        return yoke__fail(YOKE_ENOMEM, "no memory for a message of %zu bytes", s->size);
    b = (building){root + 1, text, open, user};
    code = build(&b, root, from);
    if (code < 0) {
        yoke_variant_free(root);
        return code;
    }
    *out = root;
    return YOKE_OK;
}

int yoke__unpack(yoke_variant **out, const void *data, size_t size, yoke__open_handle *open, void *user)
{
    scan                  s = {.bytes = data, .size = size};
    msgpack_unpacked      unpacked;
    msgpack_unpack_return answer;
    int                   code;

    if (size > YOKE__MESSAGE_MAX)
        return yoke__fail(YOKE_EPROTO, "a message of %zu bytes is too large", size);
    YOKE_TRY(scan_message(&s));
    msgpack_unpacked_init(&unpacked);
    answer = msgpack_unpack_next(&unpacked, data, size, NULL);
    if (answer == MSGPACK_UNPACK_SUCCESS || answer == MSGPACK_UNPACK_EXTRA_BYTES)
        code = build_tree(out, &unpacked.data, &s, open, user);
    else if (answer == MSGPACK_UNPACK_NOMEM_ERROR)
        code = yoke__fail(YOKE_ENOMEM, "no memory for a message of %zu bytes", size);
    else
        code = damaged(&s, "it can't be parsed");
    msgpack_unpacked_destroy(&unpacked);
    return code;
}
