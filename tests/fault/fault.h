/*
 * Makes calls into the system fail: every n-th, or exactly the n-th, of all or of one, with a given errno.
 *
 * A sweep runs one scenario again and again, the first call failing, then the second, and so on, until a run comes
 * through without reaching the call that would have failed:
 *
 *     for (fault_sweep sweep = fault_sweep_start(EMFILE); fault_sweep_next(&sweep);)
 *         assert_true(scenario() < 0 || !fault_hit());
 *
 * Not for use while other threads run. A forked child inherits what is installed; fault_off() there if unwanted.
 */
#ifndef YOKE_TESTS_FAULT_H
#define YOKE_TESTS_FAULT_H

#include <stdbool.h>
#include <stddef.h>

/* From now on the at-th call (1 first) fails with error, and with every > 0 each every-th after it. only: the name of
 * one call, such as "mmap", or NULL for all. Calls of other names neither fail nor count. */
void fault_on(const char *only, long at, long every, int error);
/* Nothing fails any more; counters keep what they saw. */
void fault_off(void);
/* How many calls have been counted, and whether one was made to fail, since fault_on(). */
long fault_count(void);
bool fault_hit(void);
/* Name of the call that failed last, "" if none. */
const char *fault_name(void);

typedef struct fault_sweep {
    const char *only;
    long        at;
    int         error;
} fault_sweep;
/* A sweep over all calls, or over those of one name. */
fault_sweep fault_sweep_start(int error);
fault_sweep fault_sweep_of(const char *only, int error);
/* Arms the next run. False, with faults off, once a whole run was not hit. */
bool fault_sweep_next(fault_sweep *sweep);

/* How many descriptors this process has open; for "nothing leaked". */
int fault_descriptors(void);

#endif
