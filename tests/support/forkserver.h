/* Tests of the forkserver: the same group with its children forked by it and spawned by it. */
#ifndef YOKE_TESTS_FORKSERVER_H
#define YOKE_TESTS_FORKSERVER_H

#include "process.h"

#include <sys/types.h>

#define MINUTE 60000

/* Runs the tests with the method forkserver, then with spawn via server. Nothing may be left behind. What main()
 * returns. */
#define run_with_server(tests) run_with_server_(tests, sizeof(tests) / sizeof((tests)[0]))
int run_with_server_(const struct CMUnitTest *tests, size_t count);

/* Options of a start in the group that runs. */
const yoke_process_options *served(void);
/* Whether it forks. */
bool served_by_fork(void);

/* The pid of this process's server, which is started if there is none. */
pid_t server_pid(void);
/* Returns when that process is dead. */
void kill_and_wait(pid_t pid);

/* Functions for children: returns 0; returns the pid of its parent. */
int nothing(const yoke_args *args);
int tell_parent(const yoke_args *args);

#endif
