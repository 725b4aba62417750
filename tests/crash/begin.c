#include "begin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness.h"

/* Functions of the C library are found at the first call, by a thousand instructions that would be stepped each time. */
static void bind_now(char **argv)
{
    if (getenv("LD_BIND_NOW") || setenv("LD_BIND_NOW", "1", 1) != 0)
        return;
    (void)execv("/proc/self/exe", argv);
}

void crash_begin_with(int argc, char **argv, bool stepped)
{
    if (stepped)
        bind_now(argv);
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    if (!stepped || crash_supported())
        return;
    puts("crash: this system doesn't let a process trace its children: skipped");
    exit(77);
}
