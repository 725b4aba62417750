/* What tests ask of a system that Windows isn't: the running test is skipped, with the reason. */
#ifndef YOKE_TESTS_WINDOWS_ABSENT_H
#define YOKE_TESTS_WINDOWS_ABSENT_H

#include <stdbool.h>

/* Skips the test that runs in this thread; in a child, or in another thread, it ends the program. */
void absent(const char *what) __attribute__((noreturn));
/* Whether any test was: it has left open what it had made by then. */
bool absent_seen(void);

#endif
