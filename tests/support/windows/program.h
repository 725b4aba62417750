/* Children of a test by the backend's own spawn: this program again, told by its first arguments what to do. */
#ifndef YOKE_TESTS_WINDOWS_PROGRAM_H
#define YOKE_TESTS_WINDOWS_PROGRAM_H

#include "backends/windows/process.h"

#define PROGRAM_NATIVES 8
#define SECOND          INT64_C(1000000000)

/* A part that a child plays: its exit code. natives: what it was given. */
typedef int program_part(const char *argument, const yoke_native *natives, size_t count);
typedef struct program_entry {
    const char   *name;
    program_part *run;
} program_entry;

/* First thing in main(): a child stays in there. parts end with a NULL name. */
void program_main(int argc, char **argv, const program_entry *parts);

/* Starts this program in that part: a code of error.h. */
int program_start(int64_t *pid, const char *part, const char *argument, const yoke_native *natives, size_t count);
/* Waits for its end: the exit code, or 1000 + the signal. */
int64_t program_join(int64_t pid);
/* A watch on a child that runs. */
yoke_native program_watch(int64_t pid);

#endif
