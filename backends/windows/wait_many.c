/*
 * Waiting for any of many natives: events and processes, which all keep their state when somebody looks, and pipes and
 * sockets by such events (ready.h).
 *
 * One call of the system takes 64. What is beyond goes to the system's own pool of waiting threads, for the time of this
 * wait only: it sets an event of ours when one of them is ready.
 */
#include "wait.h"

#include "ready.h"

#include <stdlib.h>

#define DIRECT (MAXIMUM_WAIT_OBJECTS - 1u) /* one place is for the event of the others */

/* Of a wait for more than one call takes. */
typedef struct crowd {
    HANDLE  event;
    HANDLE *waits; /* of those beyond the direct ones */
    size_t  count; /* of waits that have begun */
} crowd;

static void CALLBACK tell(void *event, BOOLEAN timed_out)
{
    (void)timed_out;
    (void)SetEvent(event);
}

/* Waits for calls of tell() that are under way, since the event goes. */
static void crowd_end(crowd *c)
{
    while (c->count > 0)
        (void)UnregisterWaitEx(c->waits[--c->count], INVALID_HANDLE_VALUE);
    free(c->waits);
    if (c->event)
        yoke__sys.CloseHandle(c->event);
}

static int crowd_fail(crowd *c, const char *what)
{
    int rc = yoke__windows_fail(what);

    crowd_end(c);
    return rc;
}

static int crowd_begin(crowd *c, const yoke_native *natives, size_t count)
{
    *c = (crowd){.waits = calloc(count, sizeof *c->waits)};
    if (!c->waits)
        return yoke_backend_fail(YOKE_ENOMEM, 0, "waiting for %zu handles: no memory", count + DIRECT);
    c->event = yoke__sys.CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!c->event)
        return crowd_fail(c, "waiting for many handles");
    for (; c->count < count; c->count++)
        if (!yoke__sys.RegisterWaitForSingleObject(&c->waits[c->count], yoke__handle_of(natives[c->count]), tell,
                                                   c->event, INFINITE, WT_EXECUTEINWAITTHREAD | WT_EXECUTEONLYONCE))
            return crowd_fail(c, "waiting for many handles");
    return YOKE_OK;
}

/* YOKE_OK, YOKE_ETIMEDOUT, or a code with the error noted. */
static int wait_direct(const HANDLE *handles, size_t count, int64_t timeout)
{
    int64_t deadline = yoke__windows_deadline(timeout);

    for (;;) {
        DWORD left = yoke__windows_left(deadline);
        DWORD got = WAIT_TIMEOUT;
        if (count > 0)
            got = yoke__sys.WaitForMultipleObjects((DWORD)count, handles, FALSE, left);
        else
            Sleep(left);
        if (got == WAIT_FAILED)
            return yoke__windows_fail("waiting for handles");
        if (got != WAIT_TIMEOUT)
            return YOKE_OK;
        if (left == 0)
            return YOKE_ETIMEDOUT;
    }
}

/* True: some are. */
static bool look(const yoke_native *natives, uint8_t *ready, size_t count)
{
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        ready[i] = WaitForSingleObject(yoke__handle_of(natives[i]), 0) == WAIT_OBJECT_0;
        any |= ready[i];
    }
    return any;
}

static int wait_handles(const yoke_native *natives, uint8_t *ready, size_t count, int64_t timeout)
{
    HANDLE handles[MAXIMUM_WAIT_OBJECTS];
    size_t direct = count <= MAXIMUM_WAIT_OBJECTS ? count : DIRECT;
    crowd  others = {0};

    for (size_t i = 0; i < direct; i++)
        handles[i] = yoke__handle_of(natives[i]);
    if (direct < count) {
        if (look(natives, ready, count)) /* saves the work below */
            return YOKE_OK;
        YOKE_TRY(crowd_begin(&others, natives + direct, count - direct));
        handles[direct] = others.event;
    }
    int rc = wait_direct(handles, direct + (direct < count), timeout);
    if (direct < count)
        crowd_end(&others);
    if (rc == YOKE_OK)
        (void)look(natives, ready, count);
    return rc;
}

/* ---- pipes and sockets ---- */

static bool any_stream(const yoke_native *natives, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (yoke__windows_is_stream(natives[i]))
            return true;
    return false;
}

static int wait_for_inputs(yoke__ready *inputs, const yoke_native *natives, uint8_t *ready, size_t count,
                           int64_t timeout)
{
    yoke_native *events = calloc(count, sizeof *events);
    size_t       begun = 0;
    int          rc = YOKE_OK;

    if (events == NULL)
        return yoke_backend_fail(YOKE_ENOMEM, 0, "waiting for %zu handles: no memory", count);
    while (begun < count && rc == YOKE_OK) {
        rc = yoke__windows_ready_begin(&inputs[begun], natives[begun]);
        if (rc == YOKE_OK) {
            events[begun] = yoke__native_of(inputs[begun].event);
            begun++;
        }
    }
    if (rc == YOKE_OK)
        rc = wait_handles(events, ready, count, timeout);
    while (begun > 0)
        yoke__windows_ready_end(&inputs[--begun]);
    free(events);
    return rc;
}

int yoke__windows_wait_natives(const yoke_native *natives, uint8_t *ready, size_t count, int64_t timeout)
{
    if (!any_stream(natives, count))
        return wait_handles(natives, ready, count, timeout);
    yoke__ready *inputs = calloc(count, sizeof *inputs);
    if (inputs == NULL)
        return yoke_backend_fail(YOKE_ENOMEM, 0, "waiting for %zu handles: no memory", count);
    int rc = wait_for_inputs(inputs, natives, ready, count, timeout);
    free(inputs);
    return rc;
}
