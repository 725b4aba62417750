/* Which thread this is: the lower 32 bits of the system's number for it, which is all of it on Linux and Windows. Never 0,
 * and no two threads of a process that live at the same time share one. */
#ifndef YOKE_CORE_WAIT_THREAD_H
#define YOKE_CORE_WAIT_THREAD_H

#include <stdint.h>

typedef struct yoke__thread_self {
    uint32_t number;       /* 0: not asked yet, and again in a forked child */
    uint32_t acquisitions; /* that it has signed (sync/lock.h), modulo 2^32 */
} yoke__thread_self;
/* Reached without a call: every acquisition of a lock reads it, and the call that finds the variables of a shared library
 * costs a third of that. */
#if defined(__GNUC__)
#define YOKE__NEAR __attribute__((tls_model("initial-exec")))
#else
#define YOKE__NEAR
#endif
extern _Thread_local yoke__thread_self yoke__thread_cached YOKE__NEAR;

uint32_t               yoke__thread_ask(void);
static inline uint32_t yoke__thread_number(void)
{
    uint32_t number = yoke__thread_cached.number;
    return number ? number : yoke__thread_ask();
}

#endif
