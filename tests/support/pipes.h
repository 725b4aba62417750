/* Pipes for tests: made once before descriptors are counted, and shorthands. */
#ifndef YOKE_TESTS_PIPES_H
#define YOKE_TESTS_PIPES_H

#include <yoke/yoke.h>

/* Long enough for any machine, short enough for a test that hangs. */
#define PIPE_PATIENCE 30000

/* For a group's setup: a pipe is made, used and closed, so that what libuv keeps for the process's life (a pipe for
 * signals) is there; then leak_setup(). */
int pipes_setup(void **state);

/* A pipe; asserts. */
void pipe_make(yoke_conn **reader, yoke_conn **writer, bool one_way);
/* Fills with a pattern that depends on seed; says whether a message has it. */
void pattern_fill(void *out, size_t size, unsigned seed);
bool pattern_is(const void *data, size_t size, unsigned seed);

#endif
