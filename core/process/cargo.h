/*
 * The arguments of a start on their way: bytes, and what each handle among them stands for in the child. Objects travel
 * as ids, connections and segments as natives that the child inherits.
 */
#ifndef YOKE_CORE_PROCESS_CARGO_H
#define YOKE_CORE_PROCESS_CARGO_H

#include "../connection/conn.h"
#include "../connection/file.h"
#include "../memory/shm.h"
#include "../message/message.h"
#include "family.h"

#define YOKE__ARGUMENTS_MAX (UINT64_C(1) << 30)

typedef struct yoke__cargo {
    yoke__packed       packed;
    yoke__start_entry *entries; /* one per packed handle */
    yoke__conn_move   *moves;   /* connections, in order of the natives; unused where a native is something else's */
    yoke_native       *natives;
    size_t             native_room;
    yoke_conn        **conns;   /* their handles; NULL where a native is not a connection's first */
    yoke_shm         **shms;    /* handles of segments; NULL where a native is something else's */
    uint32_t          *flights; /* slots of segments on their way, + 1 */
    bool              *given;
    size_t             native_count;
    uint64_t           unread_size; /* sum over moves */
    yoke__handle     **kept; /* second handles on objects of named domains, which no record of this one can refer to */
    size_t             kept_count;
} yoke__cargo;

/* Packs items (NULL: none) for a process called name. On failure nothing has happened and there is nothing to free. */
int yoke__cargo_pack(yoke__cargo *cargo, yoke_domain *domain, const yoke_item *items, const char *name);
/* The child runs and has the natives: the connections have moved, and the handles kept go to the caller. */
void yoke__cargo_delivered(yoke__cargo *cargo);
/* Frees all; connections that have not been delivered are as they were. */
void yoke__cargo_free(yoke__cargo *cargo);

/* Bytes of a start block for it; arguments: whether those are in there. */
uint64_t yoke__cargo_block_size(const yoke__cargo *cargo, bool arguments);
/* Fills entries, arguments and what connections had read ahead. */
void yoke__cargo_fill(const yoke__cargo *cargo, yoke__start_block *block, bool arguments);

/* In the child: the arguments of start, which stay for its life; block may be NULL if memory was inherited. */
int yoke__cargo_unpack(const yoke_variant **out, const yoke__child_start *start, yoke__start_block *block);

/* The value of a segment's entry. */
static inline uint64_t yoke__segment_entry(size_t index, const yoke__shm_passage *passed)
{
    return (uint64_t)passed->read_only << 63 | (uint64_t)(passed->flight & 0x7fffffffu) << 32 | (uint32_t)index;
}
/* The index; the native is not set. */
static inline size_t yoke__segment_entry_read(uint64_t value, yoke__shm_passage *passed)
{
    *passed = (yoke__shm_passage){
        .native = YOKE_NO_NATIVE, .flight = (uint32_t)(value >> 32) & 0x7fffffffu, .read_only = value >> 63};
    return (size_t)(uint32_t)value;
}

#endif
