#ifndef YOKE_TESTS_WINDOWS_TIME_H
#define YOKE_TESTS_WINDOWS_TIME_H
#pragma GCC system_header
#include_next <sys/time.h>
struct itimerval {
    struct timeval it_interval, it_value;
};
#define ITIMER_REAL 0
/* Not here: the test is skipped. */
int setitimer(int which, const struct itimerval *value, struct itimerval *old);
#endif
