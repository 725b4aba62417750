#ifndef YOKE_TESTS_WINDOWS_RESOURCE_H
#define YOKE_TESTS_WINDOWS_RESOURCE_H
#pragma GCC                system_header
typedef unsigned long long rlim_t;
struct rlimit {
    rlim_t rlim_cur, rlim_max;
};
#define RLIMIT_NOFILE 7
#define RLIMIT_AS     9
#define RLIMIT_NPROC  6
#define RLIMIT_CORE   4
#define RLIMIT_FSIZE  1
#define RLIMIT_DATA   2
#define RLIM_INFINITY (~0ull)
/* Not here: the test is skipped. */
int getrlimit(int resource, struct rlimit *out);
int setrlimit(int resource, const struct rlimit *limit);
#endif
