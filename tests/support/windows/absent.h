/* What tests ask of a system that Windows isn't: the running test is skipped, with the reason. */
#ifndef YOKE_TESTS_WINDOWS_ABSENT_H
#define YOKE_TESTS_WINDOWS_ABSENT_H

/* Skips the test that runs in this thread; in a child, or in another thread, it ends the program. */
void absent(const char *what) __attribute__((noreturn));

#endif
