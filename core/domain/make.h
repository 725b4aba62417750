/* Making and validating a domain's memory; internal to core/domain. */
#ifndef YOKE_CORE_DOMAIN_MAKE_H
#define YOKE_CORE_DOMAIN_MAKE_H

#include "domain.h"

#include <string.h>

/* Sizes of a domain in the making, settled from options, environment and defaults. */
typedef struct yoke__domain_sizes {
    uint64_t reserve;     /* multiple of YOKE__PAGE */
    uint64_t budget;      /* 0: what the system has */
    bool     chosen;      /* the reserve is what the program or the environment said; else less will do */
    unsigned permissions; /* of a named one: who is admitted */
} yoke__domain_sizes;

/* Larger than any system's pages, so that what is aligned to it is aligned to pages. */
#define YOKE__PAGE UINT64_C(65536)

/* options may be NULL. YOKE_EINVAL names the figure. */
int yoke__domain_settle(yoke__domain_sizes *out, const yoke_domain_options *options);
/* Memory for a domain of these sizes; name NULL: private, and then with a lower reserve if less will do and there is not
 * as much address space. */
int yoke__domain_make_memory(yoke_memory *out, const char *name, yoke__domain_sizes *sizes);
/* Bytes to commit at first. */
uint64_t yoke__domain_first_size(void);
/* Fills zeroed memory whose first yoke__domain_first_size() bytes are committed; ready when it returns YOKE_OK. */
int yoke__domain_init(yoke_domain *domain, const yoke__domain_sizes *sizes);

/* What a validation expects; zero means any. */
typedef struct yoke__domain_expected {
    uint64_t    id;
    uint64_t    reserve;
    const char *what; /* for messages: "domain 'x'" */
} yoke__domain_expected;
/* The first page only: is it a domain that this build understands? *ready: its maker has finished. */
int yoke__domain_peek(const yoke_memory *memory, const yoke__domain_expected *expected, bool *ready);
/* The same of a copy of a header, of memory of that size (0: the copy is not whole). YOKE_EPROTO. */
int yoke__domain_check_header(const yoke__header *header, uint64_t size, const char *name);
/* All of the header, mapped over its whole reserve. YOKE_EPROTO with found and expected. */
int yoke__domain_validate(const yoke_memory *memory, const yoke__domain_expected *expected);

/* A name as users write it, "name" or "user:name", checked, and as it stands in memory and messages: without the user if
 * that is this process's own, else with the user's number. YOKE_EINVAL, YOKE_ENOENT (no such user). domain_name.c. */
int yoke__domain_name(char out[YOKE__NAME_SIZE], const char *text);
/* Such a name is another user's. */
static inline bool yoke__domain_name_is_foreign(const char *name)
{
    return strchr(name, ':') != NULL;
}
/* What options say about who is admitted. YOKE_EINVAL. */
int yoke__domain_permissions(unsigned *out, unsigned asked);

/* Of the domains this process has open; domain.c. */
void yoke__domains_lock(void);
void yoke__domains_unlock(void);
/* All below with that lock held. */
yoke_domain *yoke__domains_find(const char *name);
yoke_domain *yoke__domains_first(void);                 /* of a list by next; NULL: none */
yoke_domain *yoke__domains_new(void);                   /* NULL: no memory, noted */
void         yoke__domains_drop(yoke_domain *domain);   /* one that was never listed, or is closed now */
int          yoke__domains_enter(yoke_domain *domain);  /* joins and lists it */
void         yoke__domains_remove(yoke_domain *domain); /* unlists it */
/* Open, and named: for yoke_domain_close(). */
bool yoke__domains_is_named(const yoke_domain *domain);
/* Leaves a named domain, which stays mapped; the name goes with the last participant. Same lock. */
void yoke__domain_leave_named(yoke_domain *domain);

#endif
