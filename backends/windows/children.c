/*
 * The children of this process, from their start until they are reaped. Their handles keep their pids from being given to
 * others, and tell how they ended.
 */
#include "../../core/local.h"
#include "process.h"

#include <stdlib.h>

typedef struct child {
    struct child *next;
    int64_t       pid;
    HANDLE        process;
} child;

static struct {
    yoke__mutex mutex;
    child      *first;
} children = {.mutex = YOKE__MUTEX_INIT};

static int duplicate(HANDLE *out, HANDLE process)
{
    HANDLE self = GetCurrentProcess();

    if (!yoke__sys.DuplicateHandle(self, process, self, out, 0, FALSE, DUPLICATE_SAME_ACCESS))
        return yoke__windows_fail("duplicating the handle of a child");
    return YOKE_OK;
}

int yoke__windows_child_add(int64_t pid, HANDLE process)
{
    child *made = malloc(sizeof *made);

    if (!made)
        return yoke_backend_fail(YOKE_ENOMEM, ERROR_NOT_ENOUGH_MEMORY, "no memory to keep track of process %lld",
                                 (long long)pid);
    int rc = duplicate(&made->process, process);
    if (rc < 0) {
        free(made);
        return rc;
    }
    made->pid = pid;
    yoke__mutex_lock(&children.mutex);
    made->next = children.first;
    children.first = made;
    yoke__mutex_unlock(&children.mutex);
    return YOKE_OK;
}

/* children.mutex held. */
static child **find(int64_t pid)
{
    child **at = &children.first;

    while (*at && (*at)->pid != pid)
        at = &(*at)->next;
    return at;
}

HANDLE yoke__windows_child_handle(int64_t pid, bool *failed)
{
    HANDLE process = NULL;

    *failed = false;
    yoke__mutex_lock(&children.mutex);
    child *found = *find(pid);
    if (found)
        *failed = duplicate(&process, found->process) < 0;
    yoke__mutex_unlock(&children.mutex);
    return *failed ? NULL : process;
}

/* What the system tells of a crash, as the signal that it is elsewhere; 0: it is none. */
static int signal_of(DWORD code)
{
    if ((code & 0xffff0000u) == YOKE__ENDED_BY)
        return (int)(code & 0xff);
    switch (code) {
    case (DWORD)STATUS_CONTROL_C_EXIT:
        return YOKE__SIGNAL_INT;
    case (DWORD)EXCEPTION_ILLEGAL_INSTRUCTION:
    case (DWORD)EXCEPTION_PRIV_INSTRUCTION:
        return 4;
    case (DWORD)EXCEPTION_BREAKPOINT:
        return 5;
    case 0xc0000409u: /* STATUS_STACK_BUFFER_OVERRUN: also what abort() of newer C libraries ends with */
    case 0xc0000374u: /* STATUS_HEAP_CORRUPTION */
        return 6;
    case (DWORD)EXCEPTION_INT_DIVIDE_BY_ZERO:
    case (DWORD)EXCEPTION_FLT_DIVIDE_BY_ZERO:
        return 8;
    case (DWORD)EXCEPTION_ACCESS_VIOLATION:
    case (DWORD)EXCEPTION_IN_PAGE_ERROR:
    case (DWORD)EXCEPTION_STACK_OVERFLOW:
        return 11;
    default:
        return 0;
    }
}

/* All 32 bits of it. */
static yoke_exit_status status_of(DWORD code)
{
    yoke_exit_status status = {.known = true, .signal = signal_of(code)};

    if (!status.signal)
        status.code = (int32_t)code;
    return status;
}

/* children.mutex held. Takes it out of the list. */
static int take(yoke_exit_status *out, child **at)
{
    child *gone = *at;
    DWORD  code;

    if (!yoke__sys.GetExitCodeProcess(gone->process, &code))
        return yoke__windows_fail("taking an exit status");
    *at = gone->next;
    yoke__sys.CloseHandle(gone->process);
    free(gone);
    *out = status_of(code);
    return YOKE_OK;
}

static bool is_dead(const child *it)
{
    return yoke__sys.WaitForSingleObject(it->process, 0) == WAIT_OBJECT_0;
}

int yoke__windows_reap(yoke_exit_status *out, int64_t pid)
{
    int rc = YOKE_OK;

    yoke__mutex_lock(&children.mutex);
    child **at = find(pid);
    if (!*at)
        *out = (yoke_exit_status){.known = false};
    else if (is_dead(*at))
        rc = take(out, at);
    else
        rc = yoke_backend_fail(YOKE_EBUSY, 0, "process %lld still runs", (long long)pid);
    yoke__mutex_unlock(&children.mutex);
    return rc;
}

int yoke__windows_reap_any(yoke_exit_status *out, int64_t *pid)
{
    int rc;

    yoke__mutex_lock(&children.mutex);
    child **at = &children.first;
    bool    any = *at != NULL;
    while (*at && !is_dead(*at))
        at = &(*at)->next;
    int64_t found = *at ? (*at)->pid : 0;
    if (*at)
        rc = take(out, at);
    else
        rc = any ? yoke_backend_fail(YOKE_EBUSY, 0, "no child is dead")
                 : yoke_backend_fail(YOKE_ECHILD, 0, "there are no children");
    yoke__mutex_unlock(&children.mutex);
    if (rc == YOKE_OK)
        *pid = found;
    return rc;
}
