/*
 * The parking lot: sleeping on words of a domain across processes without help from the system but doorbells. See
 * docs/design/waiting.md for who writes what and what pairs with what.
 */
#ifndef YOKE_CORE_WAIT_PARKING_H
#define YOKE_CORE_WAIT_PARKING_H

#include "word.h"

/* As yoke__word_wait and yoke__word_wake. timeout: nanoseconds, at most a slice. */
void yoke__park(yoke_domain *domain, const yoke__a32 *word, uint32_t expected, int64_t timeout);
void yoke__unpark(yoke_domain *domain, const yoke__a32 *word, uint32_t count);

#endif
