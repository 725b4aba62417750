/* Time-outs become one absolute deadline on entry, so that retries never lengthen a wait. */
#ifndef YOKE_CORE_WAIT_DEADLINE_H
#define YOKE_CORE_WAIT_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds of the backend's clock; INT64_MAX: never. */
typedef int64_t yoke__deadline;

/* timeout: milliseconds of the API; <= 0 is a deadline already past, YOKE_FOREVER never comes. */
yoke__deadline yoke__deadline_after(int64_t timeout);
bool           yoke__deadline_past(yoke__deadline deadline);
/* Nanoseconds left, at least 0, at most limit. */
int64_t yoke__deadline_left(yoke__deadline deadline, int64_t limit);
/* Milliseconds of the API left, rounded up; YOKE_FOREVER for never. */
int64_t yoke__deadline_timeout(yoke__deadline deadline);

#endif
