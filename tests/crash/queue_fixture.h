/*
 * Queues under the crash harness: what a queue holds when the victim enters, what the victim does, and what must hold
 * afterwards whatever instruction it died at. Messages are numbered 1, 2, ...; each tells its number in every word.
 *
 * Programs that include this are built twice: killed at every n-th instruction, and, with YOKE_CRASH_POINTS, before every
 * shared store, with a recovering process killed before every store of its own. With CRASH_MUTANT a line of the library
 * has been changed, and some case must find that out.
 */
#ifndef YOKE_TESTS_QUEUE_FIXTURE_H
#define YOKE_TESTS_QUEUE_FIXTURE_H

#include "harness.h"

#include <stddef.h>
#include <yoke/yoke.h>

#define QUEUE_LARGE  5000u /* bytes of a message outside the rings */
#define QUEUE_VIEWS  4u
#define QUEUE_NUMBER 64u /* numbers are smaller */

/* Shared with the victim: its buffer, and how far it came. */
typedef struct queue_witness {
    uint8_t       bytes[4 * QUEUE_LARGE];
    volatile bool ended; /* the operation was through */
} queue_witness;

typedef struct queue_fixture queue_fixture;

typedef struct queue_case {
    const char *name;
    /* the queue */
    bool     joinable;
    size_t   max_items;
    size_t   max_bytes;
    uint32_t filler;   /* messages that went through it before, to move the ring's position */
    uint32_t before;   /* messages 1, 2, ... in it when the victim enters */
    uint32_t sizes[4]; /* bytes of message n: sizes[n % 4], or if that is 0 sizes[0]; multiples of 4 */
    /* what the victim may do */
    uint32_t puts;     /* the operation puts that many after those */
    uint32_t holds;    /* the first so many are taken in enter(), and come back if they are not let go of */
    uint32_t takes;    /* the first so many, in all, may be taken */
    bool     consumes; /* ... and need not have arrived anywhere; else they are in the victim's buffer, or come back */
    yoke_shutdown shuts; /* matters with shut */
    bool          shut;
    void (*arrange)(queue_fixture *now); /* the survivor's, after that; may be NULL */
    void (*enter)(queue_fixture *now);   /* may be NULL */
    void (*operation)(queue_fixture *now);
    const char *(*check)(queue_fixture *now); /* before the general verification; may be NULL */
    unsigned stride;                          /* of single instructions; 0: 3 */
} queue_case;

struct queue_fixture {
    const queue_case *test;
    yoke_domain      *domain;
    yoke_queue       *queue;
    uint64_t          blocks; /* in use before the queue */
    queue_witness    *seen;
    /* the victim's */
    yoke_view     views[QUEUE_VIEWS];
    yoke_slot     slot;
    yoke_message *messages[QUEUE_VIEWS];
};

extern queue_fixture queue_now;

/* Bytes of message n. */
uint32_t queue_size_of(const queue_case *test, uint32_t number);
void     queue_write(const queue_case *test, void *bytes, uint32_t number);
bool     queue_is(const queue_case *test, const void *bytes, uint32_t number);
int      queue_put_number(queue_fixture *now, uint32_t number);
/* The text "what (message number)". */
const char *queue_complain(const char *what, uint32_t number);
/* Blocks in use; UINT64_MAX if the heap is out of order. */
uint64_t queue_blocks(const yoke_domain *domain);

/* Takes one message, and is done with it. */
void queue_take_filler(queue_fixture *now);
/* NULL, or what is wrong. The queue is closed by then. */
const char *queue_verify(void *context);

/* Fresh state and back; set_up opens a domain of its own. */
void queue_set_up(void *context);
void queue_tear_down(void *context);
void queue_recover(void *context);

typedef bool queue_runner(const crash_case *test, crash_result *out);

#ifdef YOKE_CRASH_POINTS
#define QUEUE_RUN crash_run_points, true
#else
#define QUEUE_RUN crash_run, false
#endif
#ifdef CRASH_MUTANT
#define QUEUE_MUTANT true
#else
#define QUEUE_MUTANT false
#endif

/* One case: killed once, then killed again while recovering. Fails the test if something is wrong. */
#define queue_crash(test) queue_crash_(test, QUEUE_RUN, QUEUE_MUTANT)
void queue_crash_(const queue_case *test, queue_runner *run, bool points, bool mutant);
/* The same for a case that brings its own verification; context is queue_now. */
#define queue_crash_case(test) queue_crash_case_(test, QUEUE_RUN, QUEUE_MUTANT)
void queue_crash_case_(crash_case test, queue_runner *run, bool points, bool mutant);

struct CMUnitTest;
/* Runs the tests of a program; what its main() returns. */
#define queue_crash_main(name, tests) queue_crash_main_(name, tests, sizeof(tests) / sizeof((tests)[0]), QUEUE_MUTANT)
int queue_crash_main_(const char *name, const struct CMUnitTest *tests, size_t count, bool mutant);

#endif
