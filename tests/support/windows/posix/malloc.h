#ifndef YOKE_TESTS_WINDOWS_MALLOC_H
#define YOKE_TESTS_WINDOWS_MALLOC_H
#pragma GCC system_header
#include_next <malloc.h>
struct mallinfo2 {
    size_t arena, hblkhd;
};
/* Not here: the test is skipped. */
struct mallinfo2 mallinfo2(void);
#endif
