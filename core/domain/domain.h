/* A domain as one process sees it: mapped memory and this process's place in it. */
#ifndef YOKE_CORE_DOMAIN_DOMAIN_H
#define YOKE_CORE_DOMAIN_DOMAIN_H

#include "layout.h"

#include <yoke/backend.h>
#include <yoke/domain.h>

/* First member of every handle (handle.h): a domain is a handle too, so that a wrong one is told apart. */
struct yoke_domain {
    uint32_t             magic; /* YOKE__HANDLE_MAGIC | YOKE__KIND_DOMAIN while open */
    uint32_t             opens; /* how often this process opened it; under the process lock */
    yoke_memory          memory;
    yoke__domain_layout *layout; /* == memory.base */
    yoke__a32            token;  /* this process's; 0 until claimed, and again in a forked child */
    bool         for_messages;   /* a message opened it, for as long as this process lives; under the process lock */
    uint32_t     put_off;        /* registry lock held: how often an object has put this recovery off (object.h) */
    yoke__a64    kept;           /* of messages that were got, to be freed soon; queue/cool.c */
    bool         named;
    char         name[YOKE__NAME_SIZE]; /* "" if private */
    yoke_domain *next;                  /* all domains of this process, for the fork hooks */
};

/* Makes the private domain of this process family on first use. */
int yoke__domain_default(yoke_domain **out);
/* The default domain if there is one already, else NULL. */
yoke_domain *yoke__domain_existing(void);
/* domain, or the default one if NULL; checks the handle. */
int yoke__domain_of(yoke_domain **out, yoke_domain *domain);
/* Opens a named domain that a message speaks of. It stays open for as long as this process lives, since nobody else would
 * know when to close it. As yoke_domain_open() with YOKE_OPEN. */
int yoke__domain_open_for_messages(yoke_domain **out, const char *name);
/* In a child: maps an inherited private domain and makes it the default one. Validates before it trusts: YOKE_EPROTO
 * with a reason. Takes the native over on success. */
int yoke__domain_adopt(yoke_domain **out, yoke_native native, uint64_t reserve, uint64_t id);
/* Makes sure that [0, size) is committed, growing within the budget. Allocator lock held. */
int yoke__domain_commit(yoke_domain *domain, uint64_t size);

/* Gets memory for a range of committed bytes whose pages were given back. Allocator lock held. YOKE_ENOMEM. */
int yoke__domain_back(yoke_domain *domain, uint64_t from, uint64_t to);

/* In all named domains that this process has open: yoke__domain_bury(). */
void yoke__domains_bury(int64_t pid, int64_t since, int how, int code);

/* This process is about to exit with that status, and will leave all domains that it has open: they may know. */
void yoke__domains_ending(int code);

/* At the end of a process in good order: leaves every domain it has open. They stay mapped, for threads that still run. */
void yoke__domains_leave(void);

/* This process's token; claims a slot if it has none yet (a forked child). 0: no slot could be had, error noted. */
yoke__token               yoke__domain_join(yoke_domain *domain);
static inline yoke__token yoke__domain_token(yoke_domain *domain)
{
    yoke__token token = yoke__a32_load_relaxed(&domain->token);
    return token ? token : yoke__domain_join(domain);
}

static inline yoke__header *yoke__domain_header(const yoke_domain *domain)
{
    return &domain->layout->header;
}

/* Offsets and addresses. at() trusts; check() is for what came from elsewhere: NULL unless [offset, offset + size) lies
 * in committed memory. */
static inline void *yoke__domain_at(const yoke_domain *domain, uint64_t offset)
{
    return (uint8_t *)domain->memory.base + offset;
}
static inline uint64_t yoke__domain_offset(const yoke_domain *domain, const void *address)
{
    return (uint64_t)((const uint8_t *)address - (const uint8_t *)domain->memory.base);
}
void *yoke__domain_check(const yoke_domain *domain, uint64_t offset, uint64_t size);

#endif
