/*
 * The format of a segment, and who uses it.
 *
 *   0            yoke__segment_header, 4096 bytes at least
 *   at users     YOKE__SEGMENT_USERS slots, in named segments only
 *   at data      the user's bytes, on a page of their own
 *
 * Users are counted in named segments only, so that the last one can remove the name: an anonymous one goes with the last
 * native that stands for it. All that happens to the users happens under the backend's lock of the name, which the system
 * releases when its holder dies. A dead user's slot is as good as free.
 */
#ifndef YOKE_CORE_MEMORY_SEGMENT_H
#define YOKE_CORE_MEMORY_SEGMENT_H

#include "../atomic.h"

#include <yoke/backend.h>
#include <yoke/shm.h>

#define YOKE__SEGMENT_MAGIC   UINT64_C(0x31676573656b6f79) /* "yokeseg1", little endian */
#define YOKE__SEGMENT_VERSION 1u
#define YOKE__SEGMENT_USERS   512u
#define YOKE__SEGMENT_NAME    63u /* bytes of a name, NUL included */

typedef struct yoke__segment_header {
    yoke__a64 magic;   /* stored last by the maker */
    uint32_t  version; /* all of these by the maker, before the magic */
    uint32_t  user_count;
    uint64_t  users, data; /* offsets */
    uint64_t  size;        /* the user's */
    uint64_t  total;       /* of the mapping, whole pages */
    char      name[64];    /* "" if it is anonymous */
    yoke__a32 gone;        /* 1: the name has been removed, or is about to be; under the lock of the name */
    uint32_t  reserved;
} yoke__segment_header;
_Static_assert(sizeof(yoke__segment_header) <= 4096, "fits the smallest page");

typedef struct yoke__segment_user {
    yoke__a64 state; /* yoke__segment_use; stored last by who claims */
    yoke__a64 pid, start, space;
} yoke__segment_user;
_Static_assert(sizeof(yoke__segment_user) == 32, "shared layout");

typedef enum yoke__segment_use {
    YOKE__USE_NONE = 0,
    YOKE__USE_OPEN = 1,  /* a handle of this process */
    YOKE__USE_FLIGHT = 2 /* on its way to a child of this process */
} yoke__segment_use;

/* Makes one: named if name is not empty, and then with that lock held. */
int yoke__segment_make(yoke_memory *out, const char *name, size_t size);
/* Is what `first` maps the first page of a sound segment? YOKE_EPROTO with a reason. *ready false: its maker has not
 * finished, and nothing in it counts. */
int yoke__segment_check(const yoke_memory *first, bool *ready);

/* The name of its memory, which no domain can have: "+name". */
void yoke__segment_full_name(char out[64], const char *name);

static inline yoke__segment_header *yoke__segment_of(const yoke_memory *memory)
{
    return memory->base;
}

/* All below with the lock of the name held. */

/* YOKE_ENOMEM: no slot is free. *index: of the slot. */
int  yoke__segment_claim(yoke__segment_header *segment, yoke__segment_use use, uint32_t *index);
void yoke__segment_release(yoke__segment_header *segment, uint32_t index);
/* Releases one slot in flight; false: there is none. */
bool yoke__segment_land(yoke__segment_header *segment);
/* Clears the slots of the dead. Returns whether anybody is left. */
bool yoke__segment_in_use(yoke__segment_header *segment);

#endif
