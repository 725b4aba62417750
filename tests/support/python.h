/* A Python program at the other end of a pipe. */
#ifndef YOKE_TESTS_PYTHON_H
#define YOKE_TESTS_PYTHON_H

#include <sys/types.h>

#include <yoke/yoke.h>

/* Skips the test where there is no python3 with multiprocessing. */
void python_need(void);
/* Starts a script that finds its end as the Connection `conn`; *here receives the other end. To be joined by
 * child_join(). */
pid_t python_start(yoke_conn **here, const char *script);

#endif
