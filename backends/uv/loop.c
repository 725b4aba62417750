/* The private loop of a process: made for its first stream, closed with the last, forgotten by a fork. See uv.h. */
#include "native.h"
#include "uv.h"

#include <stdlib.h>
#include <string.h>

static yoke__mutex    registry = YOKE__MUTEX_INIT; /* guards private_loop, generation and the loops' stream counts */
static yoke__uv_loop *private_loop;
static yoke__uv_loop *forgotten;      /* kept for those who look for lost memory */
static uint32_t       generation = 1; /* of forks since the first process of the family */

/* ---- fork ---- */

static void before_fork(void)
{
    yoke__mutex_lock(&registry);
}

static void after_fork_in_parent(void)
{
    yoke__mutex_unlock(&registry);
}

/* The loop's descriptors are shared with the parent, so it is neither run nor closed here: it is forgotten. */
static void after_fork_in_child(void)
{
    if (private_loop != NULL) {
        private_loop->forgotten = forgotten;
        forgotten = private_loop;
    }
    private_loop = NULL;
    generation++;
    registry = (yoke__mutex)YOKE__MUTEX_INIT;
}

/* ---- life of the loop ---- */

static void on_wake(uv_async_t *wake)
{
    (void)wake; /* ends a run of the loop; the leader then looks at the queue */
}

/* Closes what loop_open() has opened and runs the loop until libuv has let go of it. */
static void loop_close(yoke__uv_loop *loop)
{
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->deadline, NULL);
    while (uv_run(&loop->own, UV_RUN_DEFAULT) != 0)
        continue;
    (void)uv_loop_close(&loop->own);
}

/* The null device that libuv opens for each loop's first stream is to be opened now, while low numbers are held. */
static void open_reserve(yoke__uv_loop *loop)
{
    uv_pipe_t pipe;
    if (uv_pipe_init(&loop->own, &pipe, 0) < 0)
        return;
    uv_close((uv_handle_t *)&pipe, NULL);
    (void)uv_run(&loop->own, UV_RUN_NOWAIT);
}

static int loop_open(yoke__uv_loop *loop)
{
    int status = uv_loop_init(&loop->own);
    if (status < 0)
        return yoke_backend_fail(yoke__uv_code(status), status, "no event loop: %s", uv_strerror(status));
    int rc = yoke__uv_low_hold_in_forks();
    if (rc < 0) {
        (void)uv_loop_close(&loop->own);
        return rc;
    }
    open_reserve(loop);
    (void)uv_timer_init(&loop->own, &loop->deadline);
    status = uv_async_init(&loop->own, &loop->wake, on_wake);
    if (status < 0) {
        uv_close((uv_handle_t *)&loop->deadline, NULL);
        (void)uv_run(&loop->own, UV_RUN_DEFAULT);
        (void)uv_loop_close(&loop->own);
        return yoke_backend_fail(yoke__uv_code(status), status, "no event loop: %s", uv_strerror(status));
    }
    loop->queued_end = &loop->queued;
    loop->at = &loop->own;
    return YOKE_OK;
}

/* Loops, the private one and callers', on which streams write. */
static yoke__a32 writing_loops;

void yoke__uv_quiet_hold(void)
{
    if (yoke__a32_add_acq_rel(&writing_loops, 1) == 0)
        yoke__uv_quiet_enable();
}

void yoke__uv_quiet_drop(void)
{
    if (yoke__a32_sub_acq_rel(&writing_loops, 1) == 1)
        yoke__uv_quiet_disable();
}

/* Registry locked. */
static int loop_create(yoke__uv_loop **out)
{
    YOKE_TRY(yoke__uv_ready());
    yoke__uv_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return yoke_backend_fail(YOKE_ENOMEM, 0, "no memory for an event loop");
    yoke__uv_low low;
    yoke__uv_low_hold(&low);
    int rc = loop_open(loop);
    yoke__uv_low_release(&low);
    if (rc < 0) {
        free(loop);
        return rc;
    }
    yoke__uv_quiet_hold();
    *out = loop;
    return YOKE_OK;
}

/* Registry locked; no stream is left on the loop, so no other thread can be at work on it. */
static void loop_destroy(yoke__uv_loop *loop)
{
    yoke__uv_quiet_drop();
    loop_close(loop);
    free(loop);
}

/* A stream bound before a fork keeps its native and forgets the rest. Its handle stays linked in the forgotten loop's
 * lists, which nobody walks any more, so its memory can serve again. */
void yoke__uv_forget(yoke_stream *stream)
{
    size_t   from = offsetof(yoke_stream, opened);
    uint8_t *staging = stream->staging;
    if (stream->room != NULL)
        yoke_backend_current()->process->native_close(stream->room->native); /* or the end would stay open here */
    yoke__uv_carry_forget(stream);
    memset((char *)stream + from, 0, sizeof *stream - from);
    stream->staging = staging;
}

bool yoke__uv_bound(const yoke_stream *stream)
{
    return yoke__a32_load_acquire(&stream->bound) == generation;
}

static int bind_locked(yoke_stream *stream)
{
    if (yoke__uv_bound(stream))
        return YOKE_OK; /* another thread was faster */
    yoke__uv_forget(stream);
    if (private_loop == NULL)
        YOKE_TRY(loop_create(&private_loop));
    private_loop->streams++;
    stream->loop = private_loop;
    yoke__a32_store_release(&stream->bound, generation);
    return YOKE_OK;
}

void yoke__uv_bind_to(yoke_stream *stream, yoke__uv_loop *loop)
{
    yoke__fork_hook_add(before_fork, after_fork_in_parent, after_fork_in_child);
    yoke__mutex_lock(&registry);
    yoke__uv_forget(stream);
    stream->loop = loop;
    yoke__a32_store_release(&stream->bound, generation);
    yoke__mutex_unlock(&registry);
}

int yoke__uv_bind(yoke_stream *stream)
{
    if (yoke__uv_bound(stream))
        return YOKE_OK;
    yoke__fork_hook_add(before_fork, after_fork_in_parent, after_fork_in_child); /* registry comes after its mutex */
    yoke__mutex_lock(&registry);
    int rc = bind_locked(stream);
    yoke__mutex_unlock(&registry);
    return rc;
}

void yoke__uv_unbind(yoke_stream *stream)
{
    yoke__mutex_lock(&registry);
    yoke__uv_loop *loop = stream->loop;
    yoke__a32_store_release(&stream->bound, 0);
    if (--loop->streams == 0) {
        private_loop = NULL;
        loop_destroy(loop);
    }
    yoke__mutex_unlock(&registry);
}

/* ---- codes ---- */

int yoke__uv_code(int64_t status)
{
    switch (status) {
    case 0:
        return YOKE_OK;
    case UV_EOF:
        return YOKE_EEOF;
    case UV_EPIPE:
    case UV_ECONNRESET:
    case UV_ECONNABORTED:
    case UV_ENOTCONN:
        return YOKE_EBROKEN;
    case UV_ECANCELED:
        return YOKE_ECLOSED;
    case UV_ENOMEM:
    case UV_ENOBUFS:
    case UV_EMFILE:
    case UV_ENFILE:
        return YOKE_ENOMEM;
    case UV_EACCES:
    case UV_EPERM:
        return YOKE_EACCES;
    case UV_EINVAL:
        return YOKE_EINVAL;
    case UV_ENOTSUP:
    case UV_ENOSYS:
        return YOKE_ENOTSUP;
    case UV_ETIMEDOUT:
        return YOKE_ETIMEDOUT;
    default:
        return YOKE_EIO;
    }
}
