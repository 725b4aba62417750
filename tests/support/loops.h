/* An event loop for a test: runs with a limit, so that one that never ends fails. */
#ifndef YOKE_TESTS_LOOPS_H
#define YOKE_TESTS_LOOPS_H

#include <stdbool.h>
#include <uv.h>
#include <yoke/uv.h>
#include <yoke/yoke.h>

/* Makes the loop; asserts. */
void loop_make(uv_loop_t *loop);
/* Runs it until the condition holds; fails after half a minute. */
void loop_until(uv_loop_t *loop, bool (*holds)(void *user), void *user);
/* Runs it until *count is at least that. */
void loop_until_count(uv_loop_t *loop, const int *count, int least);
/* Runs it for so many rounds without waiting. */
void loop_rounds(uv_loop_t *loop, int rounds);
/* Runs it until nothing is left on it, and closes it; fails after half a minute. */
void loop_end(uv_loop_t *loop);

#endif
