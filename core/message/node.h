/* What a variant is made of: one block of memory with the nodes first, the root at its start, and text and bytes after
 * them. Written by unpack.c only. */
#ifndef YOKE_CORE_MESSAGE_NODE_H
#define YOKE_CORE_MESSAGE_NODE_H

#include "message.h"

struct yoke_variant {
    uint16_t kind; /* yoke_kind; never YOKE_VARIANT_KIND; YOKE_UINT only if int64_t doesn't hold it */
    uint16_t root; /* 1: start of the block */
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

static inline bool yoke__kind_is_handle(uint32_t kind)
{
    return kind > YOKE_VARIANT_KIND && kind < YOKE_KIND_COUNT;
}

/* Digits of a double as Python's repr() shows it, NUL-terminated. */
void yoke__double_text(char out[32], double value);

#endif
