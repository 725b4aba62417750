/*
 * Semaphores under the crash harness: what there is when the victim enters, what it does, and what must hold afterwards
 * whatever instruction it died at. Built twice, as queue_fixture.h says.
 */
#ifndef YOKE_TESTS_SEMAPHORE_FIXTURE_H
#define YOKE_TESTS_SEMAPHORE_FIXTURE_H

#include "harness.h"
#include "sleepers.h"

#include <yoke/yoke.h>

typedef struct semaphore_fixture semaphore_fixture;

typedef struct semaphore_case {
    const char *name;
    int         permits; /* permit mode, with so many; 0: signal mode */
    int         initial; /* signal mode */
    int         max;     /* or 0 */
    int         sleepers;
    bool        among;   /* they wait for it besides an event */
    int         mine;    /* permits that the survivor holds meanwhile */
    int         dead;    /* permits that somebody died with before */
    int         helped;  /* when the victim sleeps too, a helper releases so many; in permit mode it holds them */
    int         holds;   /* permits that the victim holds when it begins */
    int         adds;    /* how much the operation may add to the value: all or nothing */
    int         takes;   /* how much it may take from it */
    int         release; /* what the survivor releases after the kill */
    void (*operation)(void *context);
} semaphore_case;

struct semaphore_fixture {
    const semaphore_case *test;
    yoke_domain          *domain;
    yoke_semaphore       *semaphore;
    yoke_event           *never;
    sleepers              sleepers;
    pid_t                 helper;
};

extern semaphore_fixture semaphore_now;

/* The harness's functions; context: the fixture. */
void        semaphore_set_up(void *context);
void        semaphore_enter(void *context);
const char *semaphore_verify(void *context);
void        semaphore_tear_down(void *context);
void        semaphore_recover(void *context);

/* A semaphore as the case says, in a domain of its own, and nothing else. */
void semaphore_make(semaphore_fixture *f);

#endif
