/*
 * The directory of a domain: which objects there are. Shared by the files that make up object.h; others use that one.
 *
 * Entries lie in chunks that double in size and never move or go away: header.directory[k] holds
 * YOKE__DIRECTORY_FIRST << k of them. Entry 0 is the domain's own: it owns the chunks and the root block, which holds
 * the lists that are mere caches. An entry's word is written under the registry lock and commits each step:
 *
 *   FREE -> MAKING(owner) -> LIVE -> DYING -> RELEASED -> FREE with the next generation
 *            owner died: ---------------------^
 */
#ifndef YOKE_CORE_DOMAIN_DIRECTORY_H
#define YOKE_CORE_DOMAIN_DIRECTORY_H

#include "object.h"

#define YOKE__DIRECTORY_FIRST       256u
#define YOKE__DIRECTORY_CHUNKS      22u
#define YOKE__DIRECTORY_GENERATIONS (UINT32_C(1) << 30)
#define YOKE__ROOT_ID               YOKE__ID(0, 1)
#define YOKE__NAME_BUCKETS          256u

typedef enum yoke__entry_state {
    YOKE__ENTRY_FREE = 0,
    YOKE__ENTRY_MAKING = 1, /* being built by the participant in count; nobody else sees it */
    YOKE__ENTRY_LIVE = 2,
    YOKE__ENTRY_DYING = 3,   /* unreachable; its type's destroy() may not have returned */
    YOKE__ENTRY_RELEASED = 4 /* destroy() has returned; its blocks may not be freed yet */
} yoke__entry_state;

#define YOKE__ENTRY_TRAVELS UINT32_C(1) /* flag: its id may stand in a carrier */

#define YOKE__COUNT_MARK UINT32_C(0x80000000) /* in count, while collecting: reachable */
#define YOKE__COUNT_DONE UINT32_C(0x40000000) /* and its own references have been followed */
#define YOKE__COUNT_MASK UINT32_C(0x3fffffff)

typedef struct yoke__entry {
    yoke__a64 word;      /* {generation:32 | flags:16 | state:8 | kind:8}; registry lock; readers acquire */
    yoke__a64 offset;    /* of the object's block; before LIVE */
    yoke__a32 name;      /* where its name begins in that block, in units of 16 bytes; 0: none; before LIVE */
    yoke__a32 name_next; /* cache: index of the next entry in the bucket, 0: last; registry lock */
    yoke__a32 count;     /* hint: entries of reference tables; the maker's token while MAKING; registry lock */
    yoke__a32 next_free; /* cache: index + 1 of the next free entry; registry lock */
} yoke__entry;
_Static_assert(sizeof(yoke__entry) == 32, "shared layout");

/* The domain's own object. All of it may be rebuilt from the entries. */
typedef struct yoke__root {
    yoke__a32 names[YOKE__NAME_BUCKETS]; /* index of the first entry, 0: none */
    yoke__a32 pending;                   /* objects that may have become unreachable since the last collection */
    yoke__a32 making;                    /* entries MAKING */
    uint32_t  reserved[14];
} yoke__root;

static inline uint64_t yoke__entry_word(uint32_t generation, uint32_t flags, yoke__entry_state state, yoke__kind kind)
{
    return ((uint64_t)generation << 32) | ((uint64_t)flags << 16) | ((uint64_t)state << 8) | (uint64_t)kind;
}
static inline uint32_t yoke__entry_generation(uint64_t word)
{
    return (uint32_t)(word >> 32);
}
static inline uint32_t yoke__entry_flags(uint64_t word)
{
    return (uint32_t)(word >> 16) & 0xffffu;
}
static inline yoke__entry_state yoke__entry_state_of(uint64_t word)
{
    return (yoke__entry_state)((word >> 8) & 0xffu);
}
static inline yoke__kind yoke__entry_kind(uint64_t word)
{
    return (yoke__kind)(word & 0xffu);
}

/* -- no lock needed */
/* NULL if there is no such entry. */
yoke__entry *yoke__entry_at(yoke_domain *domain, uint32_t index);
/* NULL unless that very object lives. */
yoke__entry        *yoke__entry_live(yoke_domain *domain, yoke__id id);
static inline void *yoke__entry_object(yoke_domain *domain, const yoke__entry *entry)
{
    return yoke__domain_at(domain, yoke__a64_load_relaxed(&entry->offset));
}
/* Its name, or NULL. */
const char *yoke__entry_name(yoke_domain *domain, const yoke__entry *entry);
/* links() of all objects, for the allocator: see allocator.h. */
bool yoke__directory_links(yoke_domain *domain, yoke__id id, void *block, bool held);

/* -- registry lock held */
/* Takes an entry for an object in the making. YOKE_ENOMEM. */
int yoke__directory_reserve(yoke_domain *domain, yoke__kind kind, yoke__id *id);
/* What was reserved is not wanted, or its maker died: frees its blocks too. */
void yoke__directory_abandon(yoke_domain *domain, yoke__id id);
/* Shows the object to everybody; name_at as in the entry. */
void yoke__directory_publish(yoke_domain *domain, yoke__id id, void *object, uint32_t name_at);
/* Nothing refers to it: destroys it, whatever its state. */
void yoke__directory_destroy(yoke_domain *domain, yoke__entry *entry, yoke__id id);
/* One reference table fewer has it (counted already): destroys it, or has that looked into if it may be in flight. */
void yoke__directory_unused(yoke_domain *domain, yoke__entry *entry, yoke__id id);
void yoke__directory_note_pending(yoke_domain *domain);
/* Destroys all that can't be reached from a reference table, and what dead makers left. */
void yoke__directory_collect(yoke_domain *domain);
/* Collects if there may be anything to collect. */
void yoke__directory_tidy(yoke_domain *domain);
/* After a registry holder died: lists, counts and half done steps. The tables of the dead are gone already. */
void yoke__directory_rebuild(yoke_domain *domain);
/* The root block, or NULL if the domain has no objects yet. */
yoke__root *yoke__directory_root(yoke_domain *domain);

/* -- name.c; registry lock held but for check */
int yoke__name_check(const char *name); /* YOKE_EINVAL with a sentence */
/* Index of the live entry with that name, or 0. */
uint32_t yoke__name_find(yoke_domain *domain, const char *name);
void     yoke__name_link(yoke_domain *domain, yoke__root *root, yoke__entry *entry, uint32_t index);
void     yoke__name_unlink(yoke_domain *domain, yoke__root *root, yoke__entry *entry, uint32_t index);

/* -- reference.c; registry lock held */
/* Adds a reference to this process's table and counts it; *index is where. YOKE_ENOMEM. */
int yoke__table_add(yoke_domain *domain, yoke__entry *entry, yoke__reference reference, uint32_t *index);
/* Writes other roles to one that is there. */
void yoke__table_change(yoke_domain *domain, yoke__reference reference, uint32_t index);
/* Takes it out; the object goes if that was the last reference. */
void yoke__table_remove(yoke_domain *domain, yoke__id id, uint32_t index);
/* Drops the whole table of a participant that is dead or leaves. counted false: counts will be taken anew. */
void yoke__table_drop(yoke_domain *domain, yoke__participant *participant, bool counted);
/* Adds what a participant's table refers to to the counts. */
void yoke__table_recount(yoke_domain *domain, yoke__participant *participant);

/* -- handle.c */
/* A handle from the pool, not yet one to others. NULL: no memory, noted. */
yoke__handle *yoke__handle_new(void);
/* Last of all: from here on it is a handle to others. */
void yoke__handle_show(yoke__handle *handle, yoke__kind kind);
/* Enters a live object in this process's table, with the roles that the handle has, and points the handle to it.
 * Registry lock held. YOKE_ENOMEM. */
int yoke__handle_hold(yoke_domain *domain, yoke__handle *handle, yoke__id id);
/* Back to the pool; known as closed from here on. */
void yoke__handle_free(yoke__handle *handle, yoke__kind kind);
/* This process has a new token there: enters all its open handles in the new table. Registry lock not held. */
void yoke__handles_renew(yoke_domain *domain);
/* The domain is left: its handles answer YOKE_ECLOSED. */
void yoke__handles_forget(yoke_domain *domain);

#endif
