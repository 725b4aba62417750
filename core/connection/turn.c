#include "turn.h"

#include "../backend.h"

enum { FREE = 0, TAKEN = 1, CONTENDED = 2 };

int yoke__turn_take(yoke__turn *turn, yoke__deadline deadline)
{
    uint32_t expected = FREE;
    if (yoke__a32_cas_acq_rel(&turn->word, &expected, TAKEN))
        return YOKE_OK;
    /* Whoever has slept can't tell whether others still do, so it takes the turn as contended. */
    while (yoke__a32_exchange_acq_rel(&turn->word, CONTENDED) != FREE) {
        int64_t left = yoke__deadline_left(deadline, INT64_MAX);
        if (left == 0)
            return YOKE_ETIMEDOUT; /* CONTENDED stays: it costs a needless wake-up at most */
        (void)yoke__backend()->waiting->wait_local((const uint32_t *)&turn->word, CONTENDED, left);
    }
    return YOKE_OK;
}

bool yoke__turn_try(yoke__turn *turn)
{
    uint32_t expected = FREE;
    return yoke__a32_cas_acq_rel(&turn->word, &expected, TAKEN) ||
           yoke__a32_exchange_acq_rel(&turn->word, CONTENDED) == FREE;
}

bool yoke__turn_pass(yoke__turn *turn)
{
    if (yoke__a32_exchange_acq_rel(&turn->word, FREE) != CONTENDED)
        return false;
    yoke__backend()->waiting->wake_local((const uint32_t *)&turn->word, 1);
    return true;
}
