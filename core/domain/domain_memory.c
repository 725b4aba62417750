/* A domain's appetite: growth in steps, within a budget, asked for before it is taken. */
#include "make.h"

#include "../backend.h"
#include "../error.h"

#define STEP_LEAST   (UINT64_C(1) << 20)
#define STEP_MOST    (UINT64_C(64) << 20)
#define MARGIN_LEAST (UINT64_C(4) << 20)

/* Bytes the domain may take now. */
static uint64_t allowance(const yoke__header *header, uint64_t committed)
{
    if (header->budget) {
        return header->budget > committed ? header->budget - committed : 0;
    }
    uint64_t left = yoke__backend()->memory->available();
    uint64_t margin = left / 16 + MARGIN_LEAST;
    return left > margin ? left - margin : 0;
}

static int over_budget(const yoke__header *header, uint64_t committed, uint64_t more, uint64_t allowed)
{
    return yoke__fail(YOKE_ENOMEM,
                      header->budget ? "domain %016llx has %llu bytes and needs %llu more, its budget allows %llu"
                                     : "domain %016llx has %llu bytes and needs %llu more, the system can spare %llu",
                      (unsigned long long)header->id, (unsigned long long)committed, (unsigned long long)more,
                      (unsigned long long)allowed);
}

/* A quarter more than there is, within bounds, so that growth is rare and waste is small. */
static uint64_t comfortable(uint64_t committed, uint64_t least, uint64_t reserve)
{
    uint64_t step = committed / 4;
    step = step < STEP_LEAST ? STEP_LEAST : step > STEP_MOST ? STEP_MOST : step;
    uint64_t to = (committed + step + YOKE__PAGE - 1) & ~(YOKE__PAGE - 1);
    to = to < least ? least : to;
    return to > reserve ? reserve : to;
}

static int grow_to(yoke_domain *domain, uint64_t committed, uint64_t to)
{
    YOKE_TRY(yoke__backend()->memory->grow(&domain->memory, committed, to));
    yoke__a64_store_release(&yoke__domain_header(domain)->committed, to);
    return YOKE_OK;
}

int yoke__domain_commit(yoke_domain *domain, uint64_t size)
{
    const yoke__header *header = yoke__domain_header(domain);
    uint64_t            committed = yoke__a64_load_acquire(&header->committed);
    uint64_t            least = (size + YOKE__PAGE - 1) & ~(YOKE__PAGE - 1);
    if (size <= committed) {
        return YOKE_OK;
    }
    if (least > domain->memory.reserved) {
        return yoke__fail(YOKE_ENOMEM, "domain %016llx has reserved %llu bytes of address space and needs %llu",
                          (unsigned long long)header->id, (unsigned long long)domain->memory.reserved,
                          (unsigned long long)size);
    }
    uint64_t allowed = allowance(header, committed);
    uint64_t to = comfortable(committed, least, domain->memory.reserved);
    if (to - committed > allowed) {
        to = least;
    }
    if (to - committed > allowed) {
        return over_budget(header, committed, to - committed, allowed);
    }
    int rc = grow_to(domain, committed, to);
    if (rc < 0 && to > least) {
        rc = grow_to(domain, committed, least);
    }
    return rc;
}

int yoke__domain_back(yoke_domain *domain, uint64_t from, uint64_t to)
{
    const yoke__header *header = yoke__domain_header(domain);
    uint64_t            left = yoke__backend()->memory->available();
    if (to - from > left) {
        return over_budget(header, yoke__a64_load_acquire(&header->committed), to - from, left);
    }
    return yoke__backend()->memory->grow(&domain->memory, from, to);
}
