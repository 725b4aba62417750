#ifndef YOKE_TESTS_WINDOWS_STAT_H
#define YOKE_TESTS_WINDOWS_STAT_H
#pragma GCC system_header
#include_next <sys/stat.h>
/* Not here: the test is skipped. */
int fchmod(int fd, int mode);
int lstat(const char *path, struct stat *out);
#define mkdir(path, mode) mkdir(path)
#endif
