/*
 * Processes that are asleep in something while a victim is killed, and what they must do afterwards without help: get
 * what there is within three slices.
 */
#ifndef YOKE_TESTS_CRASH_SLEEPERS_H
#define YOKE_TESTS_CRASH_SLEEPERS_H

#include <stdbool.h>
#include <sys/types.h>

#define SLEEPERS          4
#define SLEEPERS_PATIENCE 20000 /* ms that a machine may take to run one at all */

/* What a sleeper tells; shared. */
typedef struct sleeper_news {
    _Atomic int  go; /* the first's counts */
    _Atomic int  begun;
    _Atomic int  result; /* of its wait, + 100; 0: it has not ended */
    _Atomic long sleeps; /* how often it had slept in its life by then */
} sleeper_news;

typedef struct sleepers {
    int           count;
    pid_t         pids[SLEEPERS];
    long          before[SLEEPERS]; /* sleeps, by sleepers_mark() */
    sleeper_news *news;
} sleepers;

/* For a group's setup. */
void sleepers_share(sleepers *s);
/* Forks so many that, when told to, each call wait(user), tell what it returned, and stay. without_slices: they sleep until
 * they are woken, whatever the time-out. */
void sleepers_start(sleepers *s, int count, int (*wait)(void *user), void *user, bool without_slices);
/* Tells them to, and waits until all are asleep. By any process. */
void sleepers_begin(const sleepers *s);
/* From now on they may sleep three times more. */
void sleepers_mark(sleepers *s);
/* How many have ended their waits. */
int sleepers_ended(const sleepers *s);
/* Waits until enough(user), or all have ended: NULL, or what is wrong. */
const char *sleepers_end(sleepers *s, bool (*enough)(void *user), void *user, int patience);
void        sleepers_kill(sleepers *s);
/* This process's sleeps end only by wake-ups from now on. */
void sleep_without_slices(void);

#endif
