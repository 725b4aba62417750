#include "thread.h"

#include "../backend.h"

_Thread_local yoke__thread_self yoke__thread_cached;

uint32_t yoke__thread_ask(void)
{
    uint32_t number = (uint32_t)yoke__backend()->system->thread_id();

    yoke__thread_cached.number = number ? number : UINT32_MAX;
    return yoke__thread_cached.number;
}
