/* Which thread this is: the lower 32 bits of the system's number for it, which is all of it on Linux and Windows. Never 0,
 * and no two threads of a process that live at the same time share one. */
#ifndef YOKE_CORE_WAIT_THREAD_H
#define YOKE_CORE_WAIT_THREAD_H

#include <stdint.h>

extern _Thread_local uint32_t yoke__thread_cached; /* 0: not asked yet, and again in a forked child */

uint32_t               yoke__thread_ask(void);
static inline uint32_t yoke__thread_number(void)
{
    uint32_t number = yoke__thread_cached;
    return number ? number : yoke__thread_ask();
}

#endif
