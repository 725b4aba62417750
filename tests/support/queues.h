/* Queues for unit tests of one process. */
#ifndef YOKE_TESTS_QUEUES_H
#define YOKE_TESTS_QUEUES_H

#include <yoke/yoke.h>

#include "core/domain/allocator.h"

/* Group setup: the default domain stands, then what is there is noted. */
int queues_setup(void **state);
/* A queue of the default domain; fails the test if there is none. Fields of yoke_queue_options, by name. */
#define new_queue(...) queues_new(YOKE_OPTIONS(yoke_queue_options, __VA_ARGS__))
yoke_queue *queues_new(const yoke_queue_options *options);
/* Fails the test unless the next message is that text. */
void expect_text(yoke_queue *queue, const char *text);
/* The heap of the default domain. */
yoke__alloc_stats heap_stats(void);

#endif
