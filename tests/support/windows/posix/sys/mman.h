#ifndef YOKE_TESTS_WINDOWS_MMAN_H
#define YOKE_TESTS_WINDOWS_MMAN_H
#pragma GCC system_header
#include <stddef.h>
#include <sys/types.h>
#define PROT_READ     1
#define PROT_WRITE    2
#define MAP_SHARED    1
#define MAP_PRIVATE   2
#define MAP_ANONYMOUS 32
#define MAP_FAILED    ((void *)-1)
/* Not here: the test is skipped. */
void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int   munmap(void *at, size_t size);
int   shm_open(const char *name, int flags, unsigned mode);
int   shm_unlink(const char *name);
#endif
