/*
 * Input on loops of the caller's; see uv/native.h. libuv polls sockets only, so one of the system's waiting threads, which
 * are there for the whole process, waits for the native's event and wakes the loop by a uv_async_t. As libuv itself does
 * it for the end of processes.
 */
#include "../uv/native.h"

#include "ready.h"

#include <stdlib.h>

struct yoke__uv_input {
    uv_async_t  async;
    yoke_native native;
    yoke__ready ready;
    HANDLE      wait; /* registered with the system, or NULL */
    void (*on_input)(void *user, bool failed);
    void (*closed)(void *user);
    void *user;
    bool  closing;
};

/* On a thread of the system's. */
static void CALLBACK on_event(void *user, BOOLEAN timed_out)
{
    yoke__uv_input *input = user;
    (void)timed_out;
    (void)uv_async_send(&input->async);
}

/* Ends what listen() has begun. Waits for an on_event() under way. */
static void unlisten(yoke__uv_input *input)
{
    if (input->wait != NULL)
        (void)UnregisterWaitEx(input->wait, INVALID_HANDLE_VALUE);
    input->wait = NULL;
    yoke__windows_ready_end(&input->ready);
}

/* Has the loop woken once there is input. A libuv status. */
static int listen_for_input(yoke__uv_input *input)
{
    if (yoke__windows_ready_begin(&input->ready, input->native) != YOKE_OK)
        return UV_ENOMEM;
    if (yoke__windows_ready_look(&input->ready))
        return uv_async_send(&input->async);
    if (yoke__sys.RegisterWaitForSingleObject(&input->wait, input->ready.event, on_event, input, INFINITE,
                                              WT_EXECUTEINWAITTHREAD | WT_EXECUTEONLYONCE))
        return 0;
    input->wait = NULL;
    unlisten(input);
    return UV_ENOMEM;
}

static void on_async(uv_async_t *async)
{
    yoke__uv_input *input = async->data;
    if (input->closing)
        return;
    bool readable = yoke__windows_ready_look(&input->ready);
    unlisten(input);
    if (readable)
        input->on_input(input->user, false);
    if (!input->closing && listen_for_input(input) < 0) {
        uv_unref((uv_handle_t *)async);
        input->on_input(input->user, true);
    }
}

int yoke__uv_input_open(yoke__uv_input **out, uv_loop_t *loop, yoke_native native,
                        void (*on_input)(void *user, bool failed), void *user)
{
    yoke__uv_input *input = calloc(1, sizeof *input);
    if (input == NULL)
        return UV_ENOMEM;
    int status = uv_async_init(loop, &input->async, on_async);
    if (status < 0) {
        free(input);
        return status;
    }
    input->async.data = input;
    input->native = native;
    input->on_input = on_input;
    input->user = user;
    *out = input;
    if (listen_for_input(input) < 0)
        (void)uv_async_send(&input->async); /* tried again in the loop's next round */
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    yoke__uv_input *input = handle->data;
    void (*closed)(void *user) = input->closed;
    void *user = input->user;
    free(input);
    closed(user);
}

int yoke__uv_input_want(yoke__uv_input *input, int events)
{
    (void)input;
    (void)events;
    return UV_ENOTSUP;
}

void yoke__uv_input_close(yoke__uv_input *input, void (*closed)(void *user))
{
    input->closing = true;
    input->closed = closed;
    unlisten(input);
    uv_close((uv_handle_t *)&input->async, on_closed);
}
