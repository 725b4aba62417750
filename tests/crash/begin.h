/* How crash tests begin. */
#ifndef YOKE_TESTS_CRASH_BEGIN_H
#define YOKE_TESTS_CRASH_BEGIN_H

#include <stdbool.h>

/* stepped: victims are stepped by ptrace. */
void crash_begin_with(int argc, char **argv, bool stepped);

/* First in main: a name on the command line is that of the only test to run. Ends the program as skipped where it can't
 * step its victims. */
static inline void crash_begin(int argc, char **argv)
{
#ifdef YOKE_CRASH_POINTS
    crash_begin_with(argc, argv, false);
#else
    crash_begin_with(argc, argv, true);
#endif
}

#endif
