#ifndef YOKE_TESTS_WINDOWS_STDLIB_H
#define YOKE_TESTS_WINDOWS_STDLIB_H
#pragma GCC system_header
#include_next <stdlib.h>
#ifdef __cplusplus
extern "C" {
#endif
int setenv(const char *name, const char *value, int overwrite);
int unsetenv(const char *name);
#ifdef __cplusplus
}
#endif
#endif
