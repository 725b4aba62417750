/* A little memory in the default domain that a test and its forked children share. */
#ifndef YOKE_TESTS_SHARED_H
#define YOKE_TESTS_SHARED_H

#include "core/domain/domain.h"

/* For a group's setup: makes the default domain, opens what the waiting of this thread needs, and then does
 * leak_setup(). */
int shared_setup(void **state);
/* For its teardown: recovers from the deaths of the test's children, drops watches of them, and does leak_teardown(). */
int shared_teardown(void **state);
/* The default domain. */
yoke_domain *shared_domain(void);
/* Zeroed bytes in it; freed by shared_free. */
void *shared_alloc(size_t size);
void  shared_free(void *memory);

#endif
