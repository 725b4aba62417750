/* What a variant is made of: one block of memory with a head, then the nodes, the root first, and text and bytes after
 * them. Written by unpack.c only. */
#ifndef YOKE_CORE_MESSAGE_NODE_H
#define YOKE_CORE_MESSAGE_NODE_H

#include "message.h"

struct yoke_variant {
    uint16_t kind; /* yoke_kind; never YOKE_VARIANT_KIND; YOKE_UINT only if int64_t doesn't hold it */
    uint16_t root; /* 1: a head stands before it */
    uint32_t reserved;
    size_t   size; /* parts, pairs, or bytes without the NUL */
    union {
        int64_t       i;
        uint64_t      u; /* YOKE_BOOL too */
        double        d;
        const char   *text;  /* YOKE_STRING, YOKE_BYTES_KIND: size bytes and a NUL; 16-aligned */
        yoke_variant *parts; /* a map's pairs lie as key, value, key, value */
        void         *handle;
    } as;
};

/* What stands before the root, at the start of the block. */
typedef struct yoke__variant_head {
    _Alignas(16) yoke__message_hold hold;
} yoke__variant_head;

static inline yoke__variant_head *yoke__variant_head_of(const yoke_variant *root)
{
    return (yoke__variant_head *)(uintptr_t)root - 1;
}

/* A block of nodes, all nil and the root first, and `bytes` for text behind them at *text. NULL: no memory; no error is
 * noted. To be freed by yoke_variant_free(). */
yoke_variant *yoke__variant_new(uint64_t nodes, uint64_t bytes, char **text);

static inline bool yoke__kind_is_handle(uint32_t kind)
{
    return kind > YOKE_VARIANT_KIND && kind < YOKE_KIND_COUNT;
}

/* Digits of a double as Python's repr() shows it, NUL-terminated. */
void yoke__double_text(char out[32], double value);

#endif
