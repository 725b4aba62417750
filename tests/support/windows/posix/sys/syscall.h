#ifndef YOKE_TESTS_WINDOWS_SYSCALL_H
#define YOKE_TESTS_WINDOWS_SYSCALL_H
#pragma GCC system_header
#include <unistd.h>
#define SYS_gettid      1
#define syscall(number) ((long)gettid())
#endif
