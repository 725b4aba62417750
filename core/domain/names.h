/* Named memory as seen from outside: listing it, judging it, and removing what the dead left. Also for other kinds of
 * named memory than domains: theirs have a prefix of their own. */
#ifndef YOKE_CORE_DOMAIN_NAMES_H
#define YOKE_CORE_DOMAIN_NAMES_H

#include "domain.h"

/* All names there are, in one block; free() it. */
typedef struct yoke__name_list {
    char  *text; /* names, each with its NUL */
    size_t size;
} yoke__name_list;
/* YOKE_ENOTSUP: the system can't list. YOKE_ENOMEM. */
int yoke__names_collect(yoke__name_list *out);
/* The first name, and the one after; NULL: no more. */
const char *yoke__names_next(const yoke__name_list *list, const char *name);

/* May the memory of that name go? Called with its lock held, so nobody opens or closes it meanwhile; *leftover is set on
 * success only. Must read, not map: others may own it. */
typedef int yoke__leftover(const char *name, bool *leftover);
/* Removes the memory of one name if it may go: *removed. YOKE_EBUSY: somebody has its lock. Crash-safe: the lock is the
 * system's, and the unlinking one step. */
int yoke__name_reclaim(const char *name, yoke__leftover *judge, bool *removed);
/* The same for all names that `mine` says are of that kind; what can't be judged or removed is passed over. How many
 * were removed, or a code. */
int64_t yoke__names_reclaim(bool (*mine)(const char *name), yoke__leftover *judge);

/* -- domains */

/* Copies of what stands in a domain. */
typedef struct yoke__glance {
    yoke_memory_about  about;
    yoke__header      *header;
    yoke__participant *participants; /* a batch of them */
    int                code;         /* YOKE_OK: a domain of this version and build, of this pid namespace */
    bool               finished;     /* its maker has finished it; else nothing in it counts */
    uint32_t           alive, dead;  /* participants, if code is YOKE_OK */
} yoke__glance;
/* A glance to be filled again and again. YOKE_ENOMEM. */
int  yoke__glance_begin(yoke__glance *glance);
void yoke__glance_end(yoke__glance *glance);
/* YOKE_ENOENT, YOKE_EACCES, YOKE_EIO. What is no sound domain is told by code, not by the result. */
int yoke__glance_at(yoke__glance *glance, const char *name);

/* Fills what stands in a sound header, mapped or a copy. */
void yoke__domain_tell(yoke_domain_info *out, const yoke__header *header);
/* Adds how many of n slots have somebody who lives, or can't be told dead, and how many somebody not yet recovered. */
void yoke__slots_count(yoke__participant *slots, uint32_t n, uint32_t *alive, uint32_t *dead);

/* Is it the name of a domain, and not of a segment? */
bool yoke__name_is_domain(const char *name);

#endif
