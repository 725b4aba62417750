/* A name of shared memory that goes with the last of the processes that use it, whatever ends them. */
#ifndef YOKE_TESTS_CRASH_GUARD_H
#define YOKE_TESTS_CRASH_GUARD_H

/* The named domain called that, of this user, is removed from the file system once the calling process and all that it
 * has forked are gone; a segment's name has a "+" in front. A process outside of this one's tree waits for that, so that it
 * outlives a time limit too. To be called before children are forked; once for each name. */
void crash_guard(const char *name);

#endif
