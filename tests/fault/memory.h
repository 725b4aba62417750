/*
 * Makes allocations fail: setting `allocations` to 0 and `failing` to n makes the n-th from then on answer NULL. It takes the
 * place of the C library's functions, so it is included by one file of a program. Not for use while other threads run.
 */
#ifndef YOKE_TESTS_FAULT_MEMORY_H
#define YOKE_TESTS_FAULT_MEMORY_H

#include <stdbool.h>
#include <stdlib.h>

/* The sanitizers have an allocator of their own, and other C libraries no second name for theirs. */
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define FAILS_MEMORY true

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);

static long allocations, failing; /* the failing-th from now on fails; 0: none */

static bool fails(void)
{
    return failing > 0 && ++allocations == failing;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}
#else
#define FAILS_MEMORY false
static long allocations, failing;
#endif

#endif
