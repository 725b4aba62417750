/* Input on loops of the caller's: libuv polls every descriptor. See uv/native.h. */
#include "../uv/native.h"

#include <stdlib.h>

struct yoke__uv_input {
    uv_poll_t poll;
    void (*on_input)(void *user, bool failed);
    void (*closed)(void *user);
    void *user;
};

/* An error is told with the native's number and stops the poll. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
    yoke__uv_input *input = poll->data;
    (void)events;
    input->on_input(input->user, status < 0);
}

int yoke__uv_input_open(yoke__uv_input **out, uv_loop_t *loop, yoke_native native,
                        void (*on_input)(void *user, bool failed), void *user)
{
    yoke__uv_input *input = calloc(1, sizeof *input);
    if (input == NULL)
        return UV_ENOMEM;
    int status = uv_poll_init(loop, &input->poll, (int)native);
    if (status < 0) {
        free(input);
        return status;
    }
    input->poll.data = input;
    input->on_input = on_input;
    input->user = user;
    (void)uv_poll_start(&input->poll, UV_READABLE, on_readable); /* which can't fail once init has not */
    *out = input;
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
    return events != 0 ? uv_poll_start(&input->poll, events, on_readable) : uv_poll_stop(&input->poll);
}

void yoke__uv_input_close(yoke__uv_input *input, void (*closed)(void *user))
{
    input->closed = closed;
    uv_close((uv_handle_t *)&input->poll, on_closed);
}
