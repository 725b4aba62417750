/*
 * Guests on the caller's loops: a watch of a native, a timer and an idle handle each. Contracts in yoke/backend.h.
 *
 * The next round is asked for by the idle handle: 1.44 runs a timer that is started anew for now by its own callback
 * again and again without ever polling.
 */
#include "native.h"

#include <stdlib.h>

struct yoke_loop_guest {
    yoke__uv_input *input;
    uv_timer_t      timer;
    uv_idle_t       idle;
    yoke_loop_turn *turn;
    void           *user;
    void (*left)(void *user);
    int open; /* what libuv has not let go of */
};

/* Where a native can't be watched any more the timer alone has to do. */
static void on_input(void *user, bool failed)
{
    yoke_loop_guest *guest = user;
    if (failed)
        uv_ref((uv_handle_t *)&guest->timer);
    guest->turn(guest->user, true);
}

static void on_time(uv_timer_t *timer)
{
    yoke_loop_guest *guest = timer->data;
    guest->turn(guest->user, false);
}

static void on_idle(uv_idle_t *idle)
{
    yoke_loop_guest *guest = idle->data;
    (void)uv_idle_stop(idle);
    guest->turn(guest->user, false);
}

static void part_closed(void *part_of)
{
    yoke_loop_guest *guest = part_of;
    if (--guest->open > 0)
        return;
    void (*left)(void *user) = guest->left;
    void *user = guest->user;
    free(guest);
    left(user);
}

static int enter_fail(int status)
{
    return yoke_backend_fail(yoke__uv_code(status), status, "the event loop can't poll for a watch: %s",
                             uv_strerror(status));
}

static void on_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

static int guest_enter(yoke_loop_guest **out, void *loop, yoke_native native, yoke_loop_turn *turn, void *user)
{
    yoke_loop_guest *guest = calloc(1, sizeof *guest);
    if (guest == NULL)
        return yoke_backend_fail(YOKE_ENOMEM, 0, "no memory for a watch on an event loop");
    guest->turn = turn;
    guest->user = user;
    guest->open = 3;
    int status = yoke__uv_input_open(&guest->input, loop, native, on_input, guest);
    if (status < 0) {
        free(guest);
        return enter_fail(status);
    }
    (void)uv_timer_init(loop, &guest->timer);
    (void)uv_idle_init(loop, &guest->idle);
    uv_unref((uv_handle_t *)&guest->timer); /* the watch keeps the loop running */
    uv_unref((uv_handle_t *)&guest->idle);
    guest->timer.data = guest->idle.data = guest;
    *out = guest;
    return YOKE_OK;
}

static void guest_again(yoke_loop_guest *guest, int64_t timeout)
{
    if (timeout == 0) {
        (void)uv_timer_stop(&guest->timer);
        (void)uv_idle_start(&guest->idle, on_idle);
    } else {
        (void)uv_idle_stop(&guest->idle);
        (void)uv_timer_start(&guest->timer, on_time, ((uint64_t)timeout + 999999) / 1000000, 0);
    }
}

static int guest_want(yoke_loop_guest *guest, uint32_t what)
{
    int events = ((what & YOKE_STREAM_READ) ? UV_READABLE : 0) | ((what & YOKE_STREAM_WRITE) ? UV_WRITABLE : 0);
    int status = yoke__uv_input_want(guest->input, events);
    if (status < 0)
        return yoke_backend_fail(yoke__uv_code(status), status, "an event loop can't watch this: %s",
                                 uv_strerror(status));
    if (events != 0) {
        uv_unref((uv_handle_t *)&guest->timer);
        uv_unref((uv_handle_t *)&guest->idle);
    } else {
        uv_ref((uv_handle_t *)&guest->timer);
        uv_ref((uv_handle_t *)&guest->idle);
    }
    return YOKE_OK;
}

static void guest_leave(yoke_loop_guest *guest, void (*left)(void *user))
{
    guest->left = left;
    yoke__uv_input_close(guest->input, part_closed);
    uv_close((uv_handle_t *)&guest->timer, on_closed);
    uv_close((uv_handle_t *)&guest->idle, on_closed);
}

const yoke_loop_ops yoke__uv_guests = {
    .struct_size = sizeof(yoke_loop_ops),
    .enter = guest_enter,
    .again = guest_again,
    .leave = guest_leave,
    .want = guest_want,
};
