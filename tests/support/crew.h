/* Processes that a test starts, watches, stops and kills, without asking the library: nothing it does here helps them. */
#ifndef YOKE_TESTS_CREW_H
#define YOKE_TESTS_CREW_H

#include <stdbool.h>
#include <sys/types.h>

#include <yoke/yoke.h>

/* A daemon, which goes with the test if that fails. Fails the test if it doesn't start. */
yoke_process *crew_start(yoke_function *function, const yoke_item *args);
/* SIGKILL; waits until it is gone, and leaves the rest to the library. Close it by finish(). */
void crew_kill(yoke_process *process);
/* Waits by its sentinel until it is gone; false after half a minute. */
bool crew_gone(yoke_process *process);
/* Waits until it sleeps in the kernel: in what it said it would do next. Fails the test if it doesn't. */
void crew_asleep(yoke_process *process);
/* Waits until it is stopped by SIGSTOP. */
void crew_stopped(yoke_process *process);

/* For children: says so, then what follows may be waited for. */
int crew_say(yoke_queue *news, const char *text);
/* For tests: waits until the next one says that. */
void crew_hear(yoke_queue *news, const char *text);

/* Runs attempt() up to five times until one takes at most `most` milliseconds: what the library promises, as the machine's
 * other work can only add to it. Each has to end within ten seconds. */
void crew_within(long long most, long long (*attempt)(void));

#endif
