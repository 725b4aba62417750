#include "shared.h"

#include "core/domain/allocator.h"
#include "core/domain/participant.h"
#include "core/domain/watch.h"
#include "core/wait/word.h"
#include "leak.h"

#include <stdlib.h>

int shared_setup(void **state)
{
    yoke_domain *domain;
    yoke__bell  *bell;

    if (yoke__domain_default(&domain) != YOKE_OK)
        return -1;
    yoke__watch_clear();
    /* The first sleep opens a doorbell and the first ring a socket, both for good. */
    if (yoke__domain_header(domain)->wait_mode == YOKE__WAIT_PARKING) {
        if (yoke__bell_mine(domain, &bell) != YOKE_OK || !yoke__bell_ring(domain, bell->thread))
            return -1;
    }
    return leak_setup(state);
}

int shared_teardown(void **state)
{
    (void)yoke__domain_recover(shared_domain());
    yoke__watch_clear();
    return leak_teardown(state);
}

yoke_domain *shared_domain(void)
{
    yoke_domain *domain;

    if (yoke__domain_default(&domain) != YOKE_OK)
        abort();
    return domain;
}

void *shared_alloc(size_t size)
{
    void *memory = yoke__alloc_zero(shared_domain(), size, 0);

    if (!memory)
        abort();
    return memory;
}

void shared_free(void *memory)
{
    yoke__free(shared_domain(), memory);
}
