#include "deadline.h"

#include "../backend.h"

#define NEVER INT64_MAX

yoke__deadline yoke__deadline_after(int64_t timeout)
{
    if (timeout <= 0)
        return 0; /* past without a look at the clock */
    if (timeout > NEVER / 1000000)
        return NEVER;

    int64_t now = yoke__backend()->system->now();
    return timeout * 1000000 > NEVER - now ? NEVER : now + timeout * 1000000;
}

bool yoke__deadline_past(yoke__deadline deadline)
{
    if (deadline == NEVER)
        return false;
    return deadline <= 0 || yoke__backend()->system->now() >= deadline;
}

int64_t yoke__deadline_left(yoke__deadline deadline, int64_t limit)
{
    if (deadline == NEVER)
        return limit;
    if (deadline <= 0)
        return 0;

    int64_t left = deadline - yoke__backend()->system->now();
    return left < 0 ? 0 : left < limit ? left : limit;
}

int64_t yoke__deadline_timeout(yoke__deadline deadline)
{
    return deadline == NEVER ? INT64_MAX : (yoke__deadline_left(deadline, NEVER - 999999) + 999999) / 1000000;
}
