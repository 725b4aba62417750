#include "../backend.h"
#include "../error.h"
#include "seat.h"

int yoke__bell_mine(yoke_domain *domain, yoke__bell **out)
{
    if (yoke__domain_token(domain) == 0)
        return YOKE_ENOMEM;

    yoke__seat *seat = yoke__seat_mine(domain);
    if (!seat)
        return yoke__fail(YOKE_ENOMEM, "domain %s: all %u records of waiting threads are taken",
                          (const char *)yoke__domain_header(domain)->name, YOKE__THREADS);
    int result = yoke__seat_open_bell(seat);
    if (result != YOKE_OK)
        return result;
    seat->watched = true;
    *out = &seat->bell;
    return YOKE_OK;
}

/* The record may change hands between our looks at it; then its new generation is tried. */
bool yoke__bell_ring(yoke_domain *domain, uint32_t thread)
{
    yoke__thread  *record = &domain->layout->threads[thread % YOKE__THREADS];
    yoke_bell_name name = {yoke__domain_header(domain)->id, thread, 0};

    for (int attempt = 0; attempt < 4; attempt++) {
        uint32_t generation = yoke__a32_load_acquire(&record->generation);
        if (yoke__a32_load_acquire(&record->bell) == 0 || generation == name.generation)
            return false;
        name.generation = generation;
        if (yoke__backend()->waiting->bell_ring(&name) == YOKE_OK)
            return true;
    }
    return false;
}
