#ifndef YOKE_TESTS_WINDOWS_DLFCN_H
#define YOKE_TESTS_WINDOWS_DLFCN_H
#pragma GCC system_header
#define RTLD_NOW    2
#define RTLD_LOCAL  0
#define RTLD_GLOBAL 1
/* path may end in .so. */
void *dlopen(const char *path, int flags);
void *dlsym(void *module, const char *name);
int   dlclose(void *module);
char *dlerror(void);
#endif
