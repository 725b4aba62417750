/*
 * For crash tests of what processes sleep in: sleepers, and how they must go on when somebody else was killed. Programs
 * that include this are built twice: killed at instructions, when nobody helps the sleepers; and with YOKE_CRASH_POINTS
 * before every shared store, a recovering process before every store of its own. With CRASH_MUTANT a line of the library
 * has been changed, and some case must find that out.
 */
#ifndef YOKE_TESTS_SLEEPER_H
#define YOKE_TESTS_SLEEPER_H

#include "harness.h"

#include <stdatomic.h>
#include <sys/types.h>

#define SLEEPERS_MOST 3

/* What a sleeper tells, in memory that all processes share. */
typedef struct sleeper {
    pid_t        pid;
    _Atomic int  result; /* of its call, + 1000; 0: it sleeps still */
    _Atomic long slept;  /* how often it had slept in its life when the call returned */
} sleeper;

/* How long a machine may take to run a sleeper at all, ms. */
extern int sleepers_patience;
/* Starts a process that calls call(user) once and tells what came of it. */
void sleeper_start(sleeper *s, int (*call)(void *user), void *user);
/* Waits until it has returned. NULL, or what is wrong: it hangs, or it slept more often than three slices take. */
const char *sleeper_ends(sleeper *s);
/* Takes it away, whatever it does. */
void sleeper_clear(sleeper *s);

/* Runs a case, once for each kill; fails the test if something is wrong (a mutant: notes that it was found). */
void sleepers_run(crash_case test);
/* The fastest of a few attempts has to come within half a slice: who sleeps is woken, and does not just look by itself. */
void sleepers_woken(long long (*attempt)(void));
/* For main: 0 if all is well; a mutant: if it was found. */
int sleepers_exit(int failed);

#endif
