/*
 * The format of a domain's memory. Everything here is shared: fixed widths, offsets from the start of the domain, never
 * pointers. Each field says who writes it and under what.
 *
 *   0        header (yoke__header)
 *            participants   YOKE__PARTICIPANTS slots of yoke__participant
 *            threads        YOKE__THREADS slots of yoke__thread
 *            parking lot    YOKE__BUCKETS bitmaps over the threads
 *   heap     blocks (allocator.h), up to header.committed
 *
 * Lock order: registry, then an object's own locks, then the allocator's. Nothing of the user's runs under any.
 */
#ifndef YOKE_CORE_DOMAIN_LAYOUT_H
#define YOKE_CORE_DOMAIN_LAYOUT_H

#include "../atomic.h"

#include <stddef.h>
#include <stdint.h>

#define YOKE__MAGIC          UINT64_C(0x316e6d6f656b6f79) /* "yokeomn1", little endian */
#define YOKE__LAYOUT_VERSION 1u

#define YOKE__PARTICIPANTS 1024u
#define YOKE__THREADS      2048u
#define YOKE__BUCKETS      64u
#define YOKE__DEATHS       64u
#define YOKE__CHAINS       4096u
#define YOKE__NAME_SIZE    64u /* of objects, processes and domains, NUL included */

/*
 * Token: who owns a word. Bits 0..9 slot, 10..29 generation of the slot (never 0), bit 30 free for the owner of the
 * word, bit 31 YOKE__WAITERS. 0: nobody. A token of another generation than its slot's is dead.
 */
typedef uint32_t yoke__token;
#define YOKE__TOKEN_MASK  UINT32_C(0x3fffffff)
#define YOKE__TOKEN_FLAG  UINT32_C(0x40000000)
#define YOKE__WAITERS     UINT32_C(0x80000000)
#define YOKE__SLOT_BITS   10u
#define YOKE__GENERATIONS (1u << 20)

/* Identity of an object: index in the directory, and the generation of that entry. 0: none. Travels between
 * participants; resolving a stale or made-up one is an error and never a fault. */
typedef uint64_t yoke__id;
#define YOKE__ID(index, generation) (((uint64_t)(generation) << 32) | (uint32_t)(index))
#define YOKE__ID_INDEX(id)          ((uint32_t)(id))
#define YOKE__ID_GENERATION(id)     ((uint32_t)((id) >> 32))

typedef enum yoke__wait_mode { YOKE__WAIT_NATIVE = 1, YOKE__WAIT_PARKING = 2 } yoke__wait_mode;

/* States of a participant slot, in yoke__participant.word. */
typedef enum yoke__slot_state {
    YOKE__SLOT_FREE = 0,
    YOKE__SLOT_JOINING = 1, /* claimed; identity is being written by its owner: judged by pid alone until LIVE */
    YOKE__SLOT_LIVE = 2,
    YOKE__SLOT_LEAVING = 3, /* left or found dead; being recovered under the registry lock; its token counts as dead */
} yoke__slot_state;

typedef struct yoke__participant {
    /* {generation:20 | state:4 | pid:40}. One CAS claims a free slot; else written by the owner, and to LEAVING and FREE
     * under the registry lock. */
    yoke__a64 word;
    yoke__a64 start;      /* start time of the process; owner, before LIVE */
    yoke__a64 space;      /* pid namespace and boot; owner, before LIVE */
    yoke__a64 references; /* offset of the first chunk of the reference table, or 0; under the registry lock */
    yoke__a64 process;    /* id of the process record it runs, or 0; owner */
    yoke__a64 caches[8];  /* allocator's per-participant caches: heads, offset or 0; owner */
    uint8_t   name[YOKE__NAME_SIZE]; /* owner, before LIVE; NUL-terminated */
    yoke__a64 since;                 /* when it joined, in seconds since 1970; owner, before LIVE */
    yoke__a64 ended;                 /* {how:32 | code:32} as yoke__death, if it knows before it leaves, or 0; owner */
    uint8_t   reserved[256 - 15 * 8 - YOKE__NAME_SIZE];
} yoke__participant;
_Static_assert(sizeof(yoke__participant) == 256, "shared layout");

/* A thread that waits (parking lot, doorbell), or is recorded as waiting. Claimed by a CAS on owner. */
typedef struct yoke__thread {
    yoke__a32 owner;      /* token of its process, or 0 */
    yoke__a32 generation; /* names its doorbell together with the index; bumped by the claimer */
    yoke__a64 key;        /* offset of the word it is parked on, or 0; owner sets, a waker CASes to 0 */
    yoke__a64 waits_for;  /* id of the object it waits for, or 0; owner; for diagnosis */
    yoke__a64 since;      /* when it began, backend's clock; owner */
    yoke__a64 native;     /* backend's thread id, of which the lower 32 bits name the thread; owner */
    yoke__a32 bell;       /* 1 while its doorbell is open; owner */
    yoke__a32 watches;    /* 1 while the bell is to be rung for changes watched (wait/watchers.h); owner */
    yoke__a64 waits;      /* counts the waits recorded in waits_for, each before it is recorded; owner */
    yoke__a32 looks;      /* lower bits of waits: in that one it looks for deadlocks (sync/deadlock.h); owner */
    yoke__a32 reserved;
} yoke__thread;
_Static_assert(sizeof(yoke__thread) == 64, "shared layout");

typedef struct yoke__bucket {
    yoke__a64 waiters[YOKE__THREADS / 64]; /* bit per thread; set and cleared by the thread, or cleared in recovery */
} yoke__bucket;

/* Ring of recent deaths; entry n is at n % YOKE__DEATHS, written under the registry lock, sequence last. */
typedef struct yoke__death {
    yoke__a64 sequence; /* n + 1 when complete, 0 while it is written */
    yoke__a32 token;
    yoke__a32 how; /* 0 unknown, 1 exited, 2 signalled */
    yoke__a32 code;
    yoke__a32 left; /* 1: it left in good order, and only what it still held was handed back */
    yoke__a64 pid;
    uint8_t   name[YOKE__NAME_SIZE];
    yoke__a64 when;   /* it was found, in seconds since 1970 */
    yoke__a64 joined; /* when it had joined, likewise */
    uint8_t   padding[128 - 48 - YOKE__NAME_SIZE];
} yoke__death;
_Static_assert(sizeof(yoke__death) == 128, "shared layout");

typedef struct yoke__header {
    yoke__a64 magic;   /* YOKE__MAGIC; written last by the creator */
    uint32_t  version; /* YOKE__LAYOUT_VERSION */
    uint32_t  wait_mode;
    uint64_t  layout;                /* hash over the sizes and offsets of this file, per build that differs */
    uint64_t  id;                    /* random, names the domain */
    uint64_t  reserve;               /* address space, bytes */
    uint64_t  budget;                /* most bytes the domain may commit; 0: what the system has */
    uint64_t  space;                 /* yoke_identity.space of all participants */
    uint64_t  user;                  /* number of the user whose it is; as the system knows it */
    uint8_t   name[YOKE__NAME_SIZE]; /* empty: private */
    yoke__a32 state;                 /* 0 being made, 1 ready, 2 going away */
    yoke__a32 death_epoch;           /* bumped for each death found, after its recovery */
    uint64_t  created;               /* when, in seconds since 1970 */
    uint32_t  permissions;           /* who is admitted: POSIX mode bits; 0 if private */
    yoke__a32 parcels; /* hint: messages on their way over connections that refer to objects; registry lock */
    /* -- registry lock and what it guards */
    _Alignas(64) yoke__a32 registry; /* owner word */
    yoke__a32 participants_live;     /* hint */
    yoke__a64 deaths_written;
    yoke__a64 directory[22];   /* offset of chunk k, which holds YOKE__DIRECTORY_FIRST << k entries; 0: not yet */
    yoke__a32 directory_count; /* entries ever used */
    yoke__a32 directory_free;  /* cache: index + 1 of a free entry, chained; rebuilt after a holder's death */
    yoke__a32 registry_dirty;  /* set while counts and caches may be off; whoever finds it set recounts */
    yoke__a32 slots; /* {slots in use so far, a bound for scans:16 | where to look for a free one first:16}; by CAS */
    yoke__a64 patrolled; /* when somebody last looked for dead participants, backend's clock; by CAS */
    /* -- allocator lock and what it guards */
    _Alignas(64) yoke__a32 allocator; /* owner word */
    yoke__a32 allocator_dirty;        /* set while free lists may be off */
    yoke__a64 committed;              /* bytes of the segment that may be touched; only grows, by release store */
    yoke__a64 heap_end;               /* end of the last block */
    yoke__a64 heap_last;              /* cache: offset of the last block */
    yoke__a64 free_classes;           /* cache: bit per free list that is not empty */
    yoke__a64 used;                   /* bytes in blocks not free; hint */
    yoke__a64 free_lists[48];         /* cache: offset of the first free block of a class */
    yoke__a32 owned[YOKE__CHAINS];    /* cache: granule of the first block that has an object of that hash */
    /* -- recent deaths */
    _Alignas(64) yoke__death deaths[YOKE__DEATHS];
} yoke__header;

typedef struct yoke__domain_layout {
    yoke__header      header;
    yoke__participant participants[YOKE__PARTICIPANTS];
    yoke__thread      threads[YOKE__THREADS];
    yoke__bucket      buckets[YOKE__BUCKETS];
} yoke__domain_layout;

#define YOKE__HEAP_START ((sizeof(yoke__domain_layout) + 4095u) & ~(uint64_t)4095u)

#endif
