/*
 * Sleeping and waking on Windows. WaitOnAddress serves the threads of one process; there is no wait on an address across
 * processes, so core parks threads on doorbells instead.
 */
#include "wait.h"

#include "windows.h"

/* ---- words ------------------------------------------------------------------------------------------------------- */

static int wait_local(const uint32_t *word, uint32_t expected, int64_t timeout)
{
    int64_t deadline = yoke__windows_deadline(timeout);

    for (;;) {
        DWORD left = yoke__windows_left(deadline);
        if (WaitOnAddress((volatile void *)(uintptr_t)word, &expected, sizeof expected, left))
            return YOKE_OK;
        if (GetLastError() != ERROR_TIMEOUT)
            return yoke__windows_fail("WaitOnAddress");
        if (left == 0)
            return YOKE_ETIMEDOUT;
    }
}

/* The system wakes one or all; who is woken without need looks at his word again. */
static void wake_local(const uint32_t *word, uint32_t count)
{
    if (count == 1)
        WakeByAddressSingle((void *)(uintptr_t)word);
    else
        WakeByAddressAll((void *)(uintptr_t)word);
}

/* ---- ends of threads --------------------------------------------------------------------------------------------- */

static INIT_ONCE end_once = INIT_ONCE_STATIC_INIT;
static DWORD     end_slot = FLS_OUT_OF_INDEXES;
static void (*_Atomic end_hook)(void *thread);

static void WINAPI run_end_hook(void *thread)
{
    void (*hook)(void *) = end_hook;

    if (hook && thread)
        hook(thread);
}

static BOOL CALLBACK make_end_slot(INIT_ONCE *self, void *parameter, void **context)
{
    (void)self;
    (void)parameter;
    (void)context;
    end_slot = FlsAlloc(run_end_hook);
    return end_slot != FLS_OUT_OF_INDEXES;
}

/* A slot of fibers', because only these have a function that runs when their thread ends. */
static int at_thread_end(void (*hook)(void *thread), void *thread)
{
    if (!InitOnceExecuteOnce(&end_once, make_end_slot, NULL, NULL))
        return yoke_backend_fail(YOKE_ENOMEM, 0, "no slot of thread-specific data left in this process");
    end_hook = hook;
    return FlsSetValue(end_slot, thread) ? YOKE_OK : yoke__windows_fail("FlsSetValue");
}

/* ------------------------------------------------------------------------------------------------------------------ */

const yoke_wait_ops yoke__windows_wait = {
    .struct_size = sizeof(yoke_wait_ops),
    .wait_local = wait_local,
    .wake_local = wake_local,
    .bell_open = yoke__windows_bell_open,
    .bell_ring = yoke__windows_bell_ring,
    .bell_wait = yoke__windows_bell_wait,
    .bell_clear = yoke__windows_bell_clear,
    .bell_close = yoke__windows_bell_close,
    .bell_remove = yoke__windows_bell_remove,
    .wait_natives = yoke__windows_wait_natives,
    .at_thread_end = at_thread_end,
};
