/*
 * What a test leaves behind: descriptors, processes, shared memory, files. Noted before a group of tests and compared
 * after it.
 *
 * Tests run in parallel. So that one is not blamed for another, a group gets a process group and a runtime directory of
 * its own, and an entry of /dev/shm counts only if it carries this process's id in its name or no living process has it.
 *
 * State of the library that lives as long as the process (the default domain, the private loop) must stand before the
 * note is taken: make it in a setup function of the group that then returns leak_setup(state).
 */
#ifndef YOKE_TESTS_LEAK_H
#define YOKE_TESTS_LEAK_H

#include <stdbool.h>

/* For cmocka_run_group_tests(): notes what is there; fails the group if something was added. Processes on their way out
 * get a while to disappear. */
int leak_setup(void **state);
int leak_teardown(void **state);

/* The same around a part of a test. leak_none() says on stderr what was added, with names. */
void leak_note(void);
bool leak_none(void);

/* How long processes, sockets and files may take to disappear; 5000 unless set. */
void leak_patience(int milliseconds);

/* Single figures, now. */
int leak_descriptors(void);
int leak_processes(void); /* living ones of this process group, this one not counted, and unreaped children */

/* What this process has from malloc(); 0 where that is not told. */
long leak_heap_bytes(void);

#endif
