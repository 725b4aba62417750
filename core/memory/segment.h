/*
 * The format of a segment, and who uses it.
 *
 *   0            yoke__segment_header, a page at least
 *   at users     user_count slots, in named segments only
 *   at data      the user's bytes, on pages of their own
 *
 * Users are counted in named segments only, so that the last one can remove the name: an anonymous one goes with the last
 * native that stands for it. All that happens to the users happens under the backend's lock of the name, which the system
 * releases when its holder dies. A dead user's slot is as good as free.
 *
 * A name is free again when `gone` is set, whatever else stands there: whoever removes it sets that first, so if he dies
 * before the name itself is gone, the next who asks for the name finishes it.
 */
#ifndef YOKE_CORE_MEMORY_SEGMENT_H
#define YOKE_CORE_MEMORY_SEGMENT_H

#include "../atomic.h"

#include <yoke/backend.h>
#include <yoke/shm.h>

#define YOKE__SEGMENT_MAGIC      UINT64_C(0x31676573656b6f79) /* "yokeseg1", little endian */
#define YOKE__SEGMENT_VERSION    2u
#define YOKE__SEGMENT_USERS      1024u  /* unless the maker says another number */
#define YOKE__SEGMENT_USERS_MOST 65536u /* 2 MiB of slots */
#define YOKE__SEGMENT_NAME       63u    /* bytes of a name, NUL included */
#define YOKE__SEGMENT_FULL_NAME  96u    /* bytes of the name of its memory, NUL included */

/* Which segment, for ever: names come back. */
typedef struct yoke__segment_identity {
    uint64_t pid, start, number; /* of its maker, and which of the maker's */
} yoke__segment_identity;

typedef struct yoke__segment_header {
    yoke__a64              magic;   /* stored last by the maker */
    uint32_t               version; /* all of these by the maker, before the magic */
    uint32_t               user_count;
    uint64_t               users, data; /* offsets */
    uint64_t               size;        /* the user's */
    uint64_t               total;       /* of the mapping, whole pages */
    char                   name[64];    /* "" if it is anonymous */
    uint64_t               owner;       /* number of the user whose name it is */
    yoke__segment_identity identity;
    uint32_t               persist; /* 1: stays without users, until it is unlinked */
    yoke__a32              gone;    /* 1: the name has been removed, or is about to be; under the lock of the name */
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

/* What is asked for. */
typedef struct yoke__segment_spec {
    char     name[64]; /* "": anonymous */
    uint64_t owner;    /* whose name it is */
    size_t   size;
    unsigned permissions;
    bool     persist;
    uint32_t max_users; /* 0: YOKE__SEGMENT_USERS */
} yoke__segment_spec;

/* Makes one; with the lock of its name held, if it has one. */
int yoke__segment_make(yoke_memory *out, const yoke__segment_spec *spec);
/* Is what `first` maps the first page of a sound segment? YOKE_EPROTO with a reason. *ready false: its maker has not
 * finished, and nothing in it counts. */
int yoke__segment_check(const yoke_memory *first, bool *ready);
/* The same of a copy of a header, of memory of that size. */
int yoke__segment_check_header(const yoke__segment_header *segment, uint64_t there, bool *ready);

/* The number of the user that this process runs as. */
uint64_t yoke__segment_self(void);
/* The name of its memory, which no domain can have: "+name", or "1000:+name" of another user. */
void yoke__segment_full_name(char out[YOKE__SEGMENT_FULL_NAME], uint64_t owner, const char *name);

static inline yoke__segment_header *yoke__segment_of(const yoke_memory *memory)
{
    return memory->base;
}

/* All below with the lock of the name held. */

/* YOKE_ENOMEM: no slot is free. *index: of the slot. */
int  yoke__segment_claim(yoke__segment_header *segment, yoke__segment_use use, uint32_t *index);
void yoke__segment_release(yoke__segment_header *segment, uint32_t index);
/* Releases a slot that is in flight; any other is left alone. */
void yoke__segment_land(yoke__segment_header *segment, uint32_t index);
/* Whether anybody lives who uses it. */
bool yoke__segment_in_use(const yoke__segment_header *segment);
/* The same of count slots, or copies of them. */
bool yoke__segment_users_live(const yoke__segment_user *users, uint32_t count);
/* Nobody needs the name: it has been removed, or nobody uses the segment and it was not to stay. */
static inline bool yoke__segment_is_leftover(const yoke__segment_header *segment)
{
    return yoke__a32_load_acquire(&segment->gone) != 0 || (!segment->persist && !yoke__segment_in_use(segment));
}

#endif
